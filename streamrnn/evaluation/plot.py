"""The evaluation as one HTML page that needs nothing else: data, chart library and style are inside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from streamrnn.errors import ConnectorError
from streamrnn.evaluation.results import FileResult, SeriesResult
from streamrnn.records.events import Float64, Int64

_ROLLING = 500


def write_page(path: Path, files: Sequence[FileResult], document: dict[str, Any]) -> None:
    """Write the page. Raises `ConnectorError` when that is not possible."""
    here, static = resources.files("streamrnn.evaluation"), resources.files("streamrnn.monitor") / "static"
    data = {"document": document, "traces": [_file(file) for file in files]}
    parts = {
        "/*uplot.css*/": (static / "uplot.min.css").read_text(encoding="utf-8"),
        "/*uplot.js*/": (static / "uplot.min.js").read_text(encoding="utf-8"),
        # A series may be called "</script>".
        "/*data*/": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    }
    page = (here / "plot.html").read_text(encoding="utf-8")
    pieces = [page]
    for mark, text in parts.items():
        before, after = pieces[-1].split(mark)
        pieces[-1:] = [before, text, after]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(pieces), encoding="utf-8")
    except OSError as error:
        raise ConnectorError(f"cannot write {path}: {error.strerror}") from error


def _file(file: FileResult) -> dict[str, Any]:
    traced = {key: series for key, series in file.series.items() if series.trace is not None}
    return {
        "file": file.path.name,
        "shown": len(traced),
        "series": [{"key": key, **_series(series)} for key, series in traced.items()],
    }


def _series(series: SeriesResult) -> dict[str, Any]:
    assert series.trace is not None
    block = series.trace.columns()
    targets = []
    for k, name in enumerate(series.trace.names):
        observed = block.observed[:, k]
        known = observed[~np.isnan(observed)]
        # float32 keeps seven digits: of the distance from the first value, not of the value itself.
        zero = float(known[0]) if len(known) else 0.0
        error, persistence = block.error[:, k], block.persistence[:, k]
        following = []
        if series.trace.last is not None:
            following = [_finite(part[:, k]) for part in series.trace.last]
        targets.append(
            {
                "name": name,
                "zero": zero,
                "observed": _packed(observed - zero),
                "expected": _packed(block.expected[:, k] - zero),
                "median": _packed(block.expected_median[:, k] - zero),
                "lower": _packed(block.lower[:, k] - zero),
                "upper": _packed(block.upper[:, k] - zero),
                "skill": _packed(_skill(error, persistence)),
                "rolling": _packed(_skill(_window(error), _window(persistence))),
                "next": following,
            }
        )
    return {
        "events": series.events,
        "times": base64.b64encode((block.times / 1e6).astype("<f8").tobytes()).decode(),
        "anomalies": np.flatnonzero(block.anomaly).tolist(),
        "gap": _gap(block.times),
        "targets": targets,
    }


def _skill(error: Float64, persistence: Float64) -> Float64:
    skill = np.full(error.shape, np.nan)
    np.divide(error, persistence, out=skill, where=persistence > 0)
    return 1.0 - skill


def _window(cumulated: Float64) -> Float64:
    """Sums over the last `_ROLLING` events; NaN before there are as many."""
    window = np.full(cumulated.shape, np.nan)
    window[_ROLLING:] = cumulated[_ROLLING:] - cumulated[:-_ROLLING]
    return window


def _packed(values: Float64) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _finite(values: Float64) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _gap(times: Int64) -> float:
    """Median seconds between events: where the forecasts after the end are drawn."""
    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) / 1e6 if len(gaps) else 1.0
