"""What a page is told, as JSON: the overview (header and list of series) and the chart of one series.

A frame is complete by itself, so frames can be dropped at will and the latest always wins.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from streamrnn.anomaly.episodes import ANOMALY, NUMBER, REPLACED
from streamrnn.monitor.batch_queue import Batch
from streamrnn.monitor.downsampling import Curve, coverage, skill
from streamrnn.monitor.history import (
    ERROR,
    EXPECTED,
    LOWER,
    MEDIAN,
    NO_MARK,
    OBSERVED,
    PERSISTENCE,
    SCORED,
    UPPER,
    History,
    Points,
)
from streamrnn.records.events import Float64, Int64
from streamrnn.records.feedback import Feedback

LISTED: Final = 60
SPARKLINE: Final = 48
RECENT: Final = 30.0  # seconds that an anomaly keeps its series on top of the list
SMOOTHED: Final = 5  # checkpoints that one point of the skill and coverage curves spans
MOST_MARKS: Final = 100
MOST_EPISODES: Final = 8
APART: Final = 3  # events without an anomaly that part two episodes

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class Selection(NamedTuple):
    """What one page looks at."""

    partition: int = -1
    key: str = ""  # with partition -1: whatever is on top of the list
    target: int = 0
    points: int = 240
    search: str = ""
    time: float | None = None  # seconds since 1970: look at the points around it, not at the newest


def dumps(frame: dict[str, Any]) -> bytes:
    """JSON; NaN becomes null."""
    return orjson.dumps(frame, option=_OPTIONS)


def ranked(history: History, search: str, now: float) -> tuple[Int64, Float64]:
    """(rows, attention) of the series whose key contains `search`, the most urgent first.

    attention = 2 if an anomaly is less than `RECENT` seconds old, fading, + the shortfall of skill below 0 up to 1;
    equal attention is ordered by key, so that a calm list stands still.
    """
    rows = history.find(search)
    attention = _attention(history, rows, now)
    # Steps instead of a continuum: two quiet series must not trade places with every event.
    order = np.argsort(-np.round(attention, 1), kind="stable")
    return rows[order], attention[order]


def _attention(history: History, rows: Int64, now: float) -> Float64:
    age = now - history.anomaly_at[rows]
    alarmed = 2.0 * np.clip(1.0 - age / RECENT, 0.0, 1.0)
    sums = history.sums[rows].sum(axis=1) if len(rows) else np.zeros((0, 4))
    poor = np.clip(-skill(np.zeros(4), sums), 0.0, 1.0)
    return alarmed + np.where(sums[:, SCORED] > 50, np.nan_to_num(poor), 0.0)


def overview(history: History, search: str, now: float) -> dict[str, Any]:
    """The list of series: at most `LISTED` of those that match."""
    rows, attention = ranked(history, search, now)
    matching = len(rows)
    rows, attention = rows[:LISTED], attention[:LISTED]
    sums = history.sums[rows, 0]
    identities = history.identities()
    listed = []
    columns = zip(
        rows.tolist(),
        history.sparklines(rows, SPARKLINE),
        skill(np.zeros(4), sums),
        history.anomalies[rows].tolist(),
        (now - history.anomaly_at[rows]).tolist(),
        attention,
        strict=True,
    )
    for row, sparkline, ratio, anomalies, age, urgency in columns:
        identity = identities[row]
        assert identity is not None
        listed.append(
            {
                "key": identity.key,
                "partition": identity.partition.number,
                "sparkline": sparkline,
                "skill": ratio,
                "anomalies": anomalies,
                "anomaly_age": None if math.isinf(age) else age,
                "attention": urgency,
            }
        )
    return {"total": len(history), "matching": matching, "listed": listed}


def alerts(batch: Batch, names: tuple[str, ...], channels: tuple[str, ...]) -> list[dict[str, Any]]:
    """The alerts that opened or closed in a batch, and what was said of alerts, in the order of the log."""
    changes = batch.answers.changes
    found: list[dict[str, Any]] = []
    said = deque(batch.heard)
    for i in [*np.flatnonzero(changes[:, ANOMALY, NUMBER]).tolist(), len(batch.keys)]:
        while said and said[0].before <= i:
            found.append(_feedback(said.popleft(), batch.partition.number))
        if i == len(batch.keys):
            break
        for row in (REPLACED, ANOMALY):
            number, _, target, channel = changes[i, row].tolist()
            if number == 0:
                continue
            size = float(batch.answers.told(i).replaced if row == REPLACED else batch.answers.deviation[i])
            found.append(
                {
                    "key": batch.keys[i],
                    "partition": batch.partition.number,
                    "time": float(batch.times[i]) / 1e6,
                    "state": "opened" if number > 0 else "closed",
                    "alert": abs(number),
                    "target": names[target] if target >= 0 else None,
                    "channel": channels[channel] if channel >= 0 else None,
                    "size": size if math.isfinite(size) else None,
                }
            )
    return found


def _feedback(said: Feedback, partition: int) -> dict[str, Any]:
    """In the form of an alert, its time that of the record, which may have none."""
    stamp = said.record.timestamp
    return {
        "key": said.key,
        "partition": partition,
        "time": stamp / 1000 if stamp is not None else None,
        "state": said.verdict,
        "alert": said.alert,
        "target": None,
        "channel": None,
        "size": None,
    }


def chart(
    history: History,
    row: int,
    selection: Selection,
    channels: tuple[str, ...],
    experts: Curve[Float64] | None,
    clock_offset: float,
    now: float,
) -> dict[str, Any]:
    """One series: its last points, the next horizon, the marks, and how it learned.

    Args:
        history: all series.
        row: the chosen one.
        selection: which target and how many points.
        channels: names of the anomaly channels.
        experts: weights `(targets, experts)` over the run, if they are watched.
        clock_offset: seconds since 1970 minus the monitor's clock.
        now: the monitor's clock.
    """
    identity = history.identities()[row]
    assert identity is not None
    target = min(max(selection.target, 0), history.targets - 1)
    every = history.last(row, history.points)
    points = _chosen(every, selection)
    is_newest = not len(points.times) or points.times[-1] == every.times[-1]
    values = points.values[:, target]
    seconds = points.times / 1e6
    forecast = history.forecast[row, : None if is_newest else 0, target]
    start, step = float(seconds[-1]) if len(seconds) else 0.0, float(history.interval[row]) / 1e6
    if step == 0.0 and len(seconds) > 1:  # labels have no usual interval
        step = float(np.median(np.diff(seconds)))
    marked = np.flatnonzero(points.marks != NO_MARK)[-MOST_MARKS:]
    times, sums = history.learning.of(row, target, now, history.sums)
    before = sums[np.maximum(np.arange(1, len(sums)) - SMOOTHED, 0)]
    total = history.sums[row, target]
    frame: dict[str, Any] = {
        "key": identity.key,
        "partition": identity.partition.number,
        "target": target,
        "events": int(history.count[row]),
        "time": selection.time,
        "forgotten": selection.time is not None and bool(len(every.times)) and selection.time < every.times[0] / 1e6,
        "anomalies": int(history.anomalies[row]),
        "times": seconds,
        "observed": _column(values, OBSERVED),
        "expected": _column(values, EXPECTED),
        "expected_median": _column(values, MEDIAN),
        "lower": _column(values, LOWER),
        "upper": _column(values, UPPER),
        "next": {
            "times": start + (step if step > 0 else 1.0) * np.arange(1, len(forecast) + 1),
            "mean": _column(forecast, 0),
            "median": _column(forecast, 3),
            "lower": _column(forecast, 1),
            "upper": _column(forecast, 2),
        },
        "marks": [_mark(points, i, target, channels) for i in marked.tolist()],
        "episodes": episodes(every, target, channels),
        "learning": {
            "times": times[1:] + clock_offset,
            "skill": skill(before, sums[1:]),
            "coverage": coverage(before, sums[1:]),
        },
        "skill": float(skill(np.zeros(4), total)),
        "coverage": float(coverage(np.zeros(4), total)),
        "mae": float(total[ERROR] / total[SCORED]) if total[SCORED] else None,
        "persistence_mae": float(total[PERSISTENCE] / total[SCORED]) if total[SCORED] else None,
    }
    if experts is not None and experts.items:
        frame["experts"] = {
            "times": np.array(experts.times) + clock_offset,
            "weights": np.ascontiguousarray(np.stack(experts.items)[:, target].T),
        }
    return frame


def _chosen(points: Points, selection: Selection) -> Points:
    """The newest ones, or those around the time that is asked for: three before it for each after it."""
    count, most = len(points.times), max(selection.points, 10)
    end = count
    if selection.time is not None:
        behind = int(np.searchsorted(points.times / 1e6, selection.time, side="right")) + most // 4
        end = min(max(behind, most), count)
    part = slice(max(0, end - most), end)
    return Points(points.times[part], points.values[part], points.scores[part], points.marks[part])


def episodes(points: Points, target: int, channels: tuple[str, ...]) -> list[dict[str, Any]]:
    """The last runs of anomalous events: when each began, how many events, and its most surprising one."""
    marked = np.flatnonzero(points.marks != NO_MARK)
    runs = np.split(marked, np.flatnonzero(np.diff(marked) > APART) + 1) if len(marked) else []
    found = []
    for run in runs[-MOST_EPISODES:]:
        worst = int(run[np.argmax(points.scores[run])])
        named = [int(i) for i in run if points.marks[i] >= 0]
        worst = worst if points.marks[worst] >= 0 or not named else named[0]
        began = float(points.times[run[0]]) / 1e6
        found.append({**_mark(points, worst, target, channels), "began": began, "events": len(run)})
    return found


def _mark(points: Points, i: int, target: int, channels: tuple[str, ...]) -> dict[str, Any]:
    channel = int(points.marks[i])
    return {
        "time": float(points.times[i]) / 1e6,
        "value": float(points.values[i, target, OBSERVED]),
        "expected": float(points.values[i, target, EXPECTED]),
        "score": float(points.scores[i]),
        "channel": channels[channel] if 0 <= channel < len(channels) else None,
    }


def _column(table: Float64, place: int) -> Float64:
    return np.ascontiguousarray(table[:, place])
