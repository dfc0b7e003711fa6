"""How alerts and strengths fare against labelled anomalies.

Events: a labelled window counts once. It is *hit* when an alert opens in it, or up to `EARLY` events before it begins;
an alert that opens elsewhere is *false*.

    precision = hit / (hit + false),  recall = hit / windows,  F1 their harmonic mean
    delay = from a hit window's first event to its first alert, not below 0

Points: the area under precision and recall of the strength over all events (AUC-PR, average precision), and VUS-PR
(Paparrizos et al. 2022, "Volume under the surface"): the same with labels that fade over l events on either side of a
window as sqrt(1 - distance / (l + 1)), recall times the share of windows found at all, averaged over the l of
`BUFFERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.records.events import Float64, Int64

Mask = npt.NDArray[np.bool_]
Window = tuple[int, int]

EARLY = 3  # events
BUFFERS = (0, 5, 10, 15, 20)  # events


class Judged(NamedTuple):
    """One series with its labels, in order of its events."""

    name: str
    times: Int64  # (events,) microseconds since 1970
    observed: Float64  # (events,) of the first target
    expected: Float64
    lower: Float64
    upper: Float64
    strength: Float64
    opened: Mask  # (events,) an alert opens
    windows: list[Window]  # first and last event of each label


class Matched(NamedTuple):
    """What became of a series' windows and alerts."""

    first: list[int | None]  # of each window: the event at which its first alert opened
    false: list[int]  # events at which an alert opened in no window


def match(series: Judged) -> Matched:
    """Alerts and windows held against each other."""
    opened = np.flatnonzero(series.opened)
    good = np.zeros(len(opened), bool)
    first: list[int | None] = []
    for begin, end in series.windows:
        inside = (opened >= begin - EARLY) & (opened <= end)
        good |= inside
        first.append(int(opened[inside][0]) if inside.any() else None)
    return Matched(first, opened[~good].tolist())


def windows_of(labelled: Mask) -> list[Window]:
    """Runs of labelled events."""
    edges = np.flatnonzero(np.diff(np.r_[False, labelled, False].astype(np.int8)))
    return [(int(begin), int(end) - 1) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def event_scores(series: Sequence[Judged]) -> dict[str, Any]:
    """Precision, recall, F1, delay and rates of the alerts of all series together."""
    matched = [match(one) for one in series]
    windows = sum(len(one.windows) for one in series)
    firsts = [
        (one, begin, at)
        for one, found in zip(series, matched, strict=True)
        for (begin, _), at in zip(one.windows, found.first, strict=True)
        if at is not None
    ]
    hit, false = len(firsts), sum(len(found.false) for found in matched)
    alerts, events = int(sum(one.opened.sum() for one in series)), sum(len(one.times) for one in series)
    delays = [max(0, at - begin) for _, begin, at in firsts]
    seconds = [max(0, int(one.times[at] - one.times[begin])) / 1e6 for one, begin, at in firsts]
    days = sum(float(one.times[-1] - one.times[0]) for one in series if len(one.times)) / 86_400e6
    return {
        "events": events,
        "series": len(series),
        "windows": windows,
        "alerts": alerts,
        "hit": hit,
        "missed": windows - hit,
        "false": false,
        "precision": hit / (hit + false) if hit + false else None,
        "recall": hit / windows if windows else None,
        "f1": 2 * hit / (hit + false + windows) if hit + false + windows else None,
        "median_delay_events": float(np.median(delays)) if delays else None,
        "median_delay_seconds": float(np.median(seconds)) if seconds else None,
        "alerts_per_1000_events": 1000 * alerts / events if events else None,
        "alerts_per_day": alerts / days if days > 0 else None,
    }


def area(strength: Float64, label: Float64, maxima: Float64 | None = None, positives: float | None = None) -> float:
    """Area under precision and recall of `strength` for labels in [0, 1]; NaN without labels.

    `maxima` are the largest strengths of the windows: recall is times the share of them that is found.
    """
    positives = float(label.sum()) if positives is None else positives
    if not positives > 0.0:
        return float("nan")
    order = np.argsort(-strength, kind="stable")
    levels, hits = strength[order], np.cumsum(label[order])
    last = np.append(levels[1:] != levels[:-1], True)  # a threshold takes all events of its level
    levels, hits, taken = levels[last], hits[last], np.flatnonzero(last) + 1
    recall = np.minimum(hits / positives, 1.0)
    if maxima is not None and len(maxima):
        recall *= 1.0 - np.searchsorted(np.sort(maxima), levels, side="left") / len(maxima)
    return float(np.sum(np.diff(np.r_[0.0, recall]) * hits / taken))


def _soft(series: Judged, buffer: int) -> Float64:
    """Labels that fade over `buffer` events on either side of each window."""
    label = np.zeros(len(series.times))
    for begin, end in series.windows:
        label[begin : end + 1] = 1.0
        for distance in range(1, buffer + 1):
            for at in (begin - distance, end + distance):
                if 0 <= at < len(label):
                    label[at] = max(label[at], np.sqrt(1.0 - distance / (buffer + 1)))
    return label


def point_scores(series: Sequence[Judged]) -> dict[str, float | None]:
    """AUC-PR and VUS-PR of the strengths of all series together."""
    strength = np.concatenate([one.strength for one in series])
    hard = np.concatenate([_soft(one, 0) for one in series])
    areas = []
    for buffer in BUFFERS:
        soft = np.concatenate([_soft(one, buffer) for one in series])
        maxima = np.array(
            [
                one.strength[max(0, begin - buffer) : end + buffer + 1].max()
                for one in series
                for begin, end in one.windows
            ]
        )
        areas.append(area(strength, soft, maxima, float(hard.sum() + soft.sum()) / 2))
    found = {"auc_pr": area(strength, hard), "vus_pr": float(np.mean(areas))}
    return {name: None if np.isnan(value) else value for name, value in found.items()}
