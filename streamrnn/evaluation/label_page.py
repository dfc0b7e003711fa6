"""One HTML page with a picture of each miss and each false alert; it needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from streamrnn.errors import ConnectorError
from streamrnn.evaluation.alert_scores import Judged, match
from streamrnn.records.events import Float64, format_times

MOST = 200  # pictures
AROUND = 90  # events shown on either side
LONGEST = 400  # events shown of a long window
WIDTH, HEIGHT = 720, 170
MARGIN = 20  # under a picture, for its times

_STYLE = """body{font:14px system-ui;margin:2rem;color:#222;background:#fff}figure{margin:1.5rem 0}
figcaption{margin-bottom:.3rem}svg{background:#fafafa;border:1px solid #ddd}.band{fill:#cfe3f7}.label{fill:#f4c7c3}
.seen{fill:none;stroke:#222;stroke-width:1.2}.expected{fill:none;stroke:#2a78c2;stroke-width:1}
.alert{stroke:#c62828;stroke-width:1.5}text{font-size:11px;fill:#777}.end{text-anchor:end}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}
svg{background:#222;border-color:#444}.seen{stroke:#eee}.band{fill:#24415f}.label{fill:#5d2f2c}}"""


def write_page(path: Path, series: Sequence[Judged]) -> None:
    """Write the page. Raises `ConnectorError` when that is not possible."""
    figures = []
    for one in series:
        found = match(one)
        for (begin, end), first in zip(one.windows, found.first, strict=True):
            if first is None:
                figures.append(_figure("missed", one, begin, min(end, begin + LONGEST), _missed(one, begin, end)))
        figures += [_figure("false alert", one, at, at, _opened(one, at)) for at in found.false]
    shown = figures[:MOST]
    more = f"<p>{len(figures) - MOST:,} more are not shown.</p>" if len(figures) > MOST else ""
    legend = (
        "<p>Black: observed. Blue: forecast and interval. Red area: labelled. Red line: an alert opens. The numbers at "
        "the left are the largest and the smallest value shown.</p>"
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Misses and false alerts</title>'
        f"<style>{_STYLE}</style><h1>Misses and false alerts</h1>{legend}{''.join(shown)}{more}</html>"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConnectorError(f"cannot write {path}: {error.strerror}") from error


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "missing"
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:,.6g}"


def _opened(series: Judged, at: int) -> str:
    observed, expected = _number(series.observed[at]), _number(series.expected[at])
    return f"strength {series.strength[at]:.1f}; observed {observed}, forecast {expected}"


def _missed(series: Judged, begin: int, end: int) -> str:
    return f"{end - begin + 1:,} events, greatest strength {series.strength[begin : end + 1].max():.1f}"


def _figure(what: str, series: Judged, begin: int, end: int, more: str) -> str:
    low, high = max(0, begin - AROUND), min(len(series.times), end + AROUND + 1)
    time = format_times(series.times[begin : begin + 1])[0]
    caption = f"<b>{what}</b> {escape(series.name)}, {time}: {more}"
    return f"<figure><figcaption>{caption}</figcaption>{_drawing(series, low, high)}</figure>"


def _drawing(series: Judged, low: int, high: int) -> str:
    part = slice(low, high)
    drawn = np.concatenate([series.observed[part], series.expected[part]])
    drawn = drawn[np.isfinite(drawn)]
    bottom, top = (float(drawn.min()), float(drawn.max())) if len(drawn) else (0.0, 1.0)
    span = (top - bottom) or 1.0
    count = max(high - low - 1, 1)

    def x(event: float | np.integer[Any]) -> float:
        return float(event - low) / count * WIDTH

    def y(values: Float64) -> Float64:
        return np.clip(HEIGHT - 8 - (values - bottom) / span * (HEIGHT - 16), 0, HEIGHT)

    shapes = [
        f'<rect class="label" x="{x(max(begin, low) - 0.5):.1f}" y="0" height="{HEIGHT}" '
        f'width="{x(min(end, high) + 0.5) - x(max(begin, low) - 0.5):.1f}"/>'
        for begin, end in series.windows
        if end >= low and begin < high
    ]
    known = np.flatnonzero(np.isfinite(series.lower[part]) & np.isfinite(series.upper[part]))
    if len(known):
        upper, lower = y(series.upper[part][known]), y(series.lower[part][known])
        there = [f"{x(low + i):.1f},{v:.1f}" for i, v in zip(known, upper, strict=True)]
        back = [f"{x(low + i):.1f},{v:.1f}" for i, v in zip(known[::-1], lower[::-1], strict=True)]
        shapes.append(f'<polygon class="band" points="{" ".join(there + back)}"/>')
    for name, values in (("expected", series.expected[part]), ("seen", series.observed[part])):
        finite = np.flatnonzero(np.isfinite(values))
        points = " ".join(f"{x(low + i):.1f},{v:.1f}" for i, v in zip(finite, y(values[finite]), strict=True))
        shapes.append(f'<polyline class="{name}" points="{points}"/>')
    shapes += [
        f'<line class="alert" x1="{x(low + i):.1f}" x2="{x(low + i):.1f}" y1="0" y2="{HEIGHT}"/>'
        for i in np.flatnonzero(series.opened[part])
    ]
    first, last = format_times(series.times[[low, high - 1]])
    shapes += [
        f'<text x="3" y="12">{_number(top)}</text><text x="3" y="{HEIGHT - 4}">{_number(bottom)}</text>',
        f'<text x="3" y="{HEIGHT + MARGIN - 6}">{first}</text>',
        f'<text class="end" x="{WIDTH - 3}" y="{HEIGHT + MARGIN - 6}">{last}</text>',
    ]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT + MARGIN}" width="{WIDTH}" height="{HEIGHT + MARGIN}"'
    return f"<svg {size}>{''.join(shapes)}</svg>"
