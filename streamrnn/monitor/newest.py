"""The newest of the series, for programs: `GET /series` and `GET /series/KEY` (`records/latest.py` is the contract)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamrnn.anomaly.episodes import CHANNEL, KINDS, NUMBER, SINCE, TARGET
from streamrnn.monitor.batch_queue import Batch
from streamrnn.monitor.history import EXPECTED, LOWER, MEDIAN, NO_MARK, OBSERVED, UPPER, History, Identity
from streamrnn.records.events import Float64, format_times
from streamrnn.records.latest import Opened, forecast_steps, numbers, open_alerts, origin
from streamrnn.records.log import Partition

MOST_LISTED: Final = 1000


class OpenAlerts:
    """Which alerts are open, by what the batches say."""

    def __init__(self) -> None:
        self._open: dict[Partition, dict[str, dict[int, Opened]]] = {}

    def add(self, batch: Batch) -> None:
        """Take in what opened or closed, or, where the batch says it, all that is open after it."""
        found = self._open.setdefault(batch.partition, {})
        if batch.opened is not None:
            found.clear()
            for key, one in batch.opened:
                found.setdefault(key, {})[one.kind] = one
            return
        events, kinds = batch.answers.changes[:, :KINDS, NUMBER].nonzero()  # what is replaced is by what replaces it
        for event, kind in zip(events.tolist(), kinds.tolist(), strict=True):
            change, key = batch.answers.changes[event, kind], batch.keys[event]
            if change[NUMBER] > 0:
                found.setdefault(key, {})[kind] = Opened(
                    kind, int(change[NUMBER]), int(change[SINCE]), int(change[TARGET]), int(change[CHANNEL])
                )
            elif (of_series := found.get(key)) is not None:
                of_series.pop(kind, None)
                if not of_series:
                    del found[key]

    def of(self, identity: Identity) -> list[Opened]:
        """Those of one series."""
        found = self._open.get(identity.partition, {}).get(identity.key, {})
        return [found[kind] for kind in range(KINDS) if kind in found]

    def forget(self, partition: Partition) -> None:
        """Another worker has the partition now."""
        self._open.pop(partition, None)


def listing(
    history: History, alerts: OpenAlerts, names: Sequence[str], channels: Sequence[str], search: str, after: str,
    limit: int,
) -> dict[str, Any]:  # fmt: skip
    """The series whose key contains `search` and comes after `after`, ordered by key: see `SeriesList`.

    A key that several partitions have is never cut in two: the part may be a little longer than `limit`.
    """
    rows, identities = history.find(search), history.identities()
    keys = [identity.key for row in rows.tolist() if (identity := identities[row]) is not None]
    start = bisect_right(keys, after) if after else 0
    stop = min(len(keys), start + limit)
    while 0 < stop < len(keys) and keys[stop] == keys[stop - 1]:
        stop += 1
    lines = []
    for row in rows[start:stop].tolist():
        identity = identities[row]
        assert identity is not None
        if history.count[row] == 0:  # all its events were late
            continue
        points = history.last(row, 1)
        lines.append(
            {
                "key": identity.key,
                "source": origin(identity.partition),
                "time": format_times(points.times)[0],
                "events": int(history.count[row]),
                "observed": dict(zip(names, numbers(points.values[0, :, OBSERVED]), strict=True)),
                "score": float(points.scores[0]),
                "is_anomaly": bool(points.marks[0] != NO_MARK),
                "alerts": open_alerts(alerts.of(identity), names, channels),
            }
        )
    following = keys[stop - 1] if stop < len(keys) else None
    return {"total": len(history), "matching": len(keys), "series": lines, "next": following}


def latest(
    history: History, row: int, opened: Sequence[Opened], names: Sequence[str], channels: Sequence[str],
    experts: Mapping[str, Float64] | None, *, level: float, horizon: int,
) -> dict[str, Any]:  # fmt: skip
    """One series that has events: see `LatestRecord`. `experts` are the weights `(targets,)` by name."""
    identity = history.identities()[row]
    assert identity is not None
    points = history.last(row, 1)
    time, interval = int(points.times[0]), int(history.interval[row])
    targets = {}
    for i, name in enumerate(names):
        newest = numbers(points.values[0, i])
        targets[name] = {
            "observed": newest[OBSERVED],
            "expected": newest[EXPECTED],
            "expected_median": newest[MEDIAN],
            "lower": newest[LOWER],
            "upper": newest[UPPER],
            "forecast": forecast_steps(time, interval, history.forecast[row, :, i]),
            "experts": None if experts is None else {expert: float(of[i]) for expert, of in experts.items()},
        }
    return {
        "key": identity.key,
        "source": origin(identity.partition),
        "time": format_times(points.times)[0],
        "events": int(history.count[row]),
        "level": level,
        "horizon": horizon,
        "targets": targets,
        "score": float(points.scores[0]),
        "is_anomaly": bool(points.marks[0] != NO_MARK),
        "alerts": open_alerts(opened, names, channels),
    }


def found(history: History, key: str, topic: str | None, number: int | None) -> list[Identity]:
    """The series of that key, of one topic or partition where that is asked for."""
    return [
        Identity(partition, key)
        for partition, rows in sorted(history.partitions().items())
        if key in rows
        and topic in (None, partition.topic)
        and number in (None, partition.number)
        and history.count[rows[key]] > 0
    ]
