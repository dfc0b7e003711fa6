"""What the page remembers: for every series the last points, running sums, and the newest forecast.

All of it lives in a few slabs with one row per series, a ring of points each, and is written batch by batch with a
handful of numpy calls, whatever the number of series. The memory is bounded: more series means fewer points each, and
beyond `MOST_SERIES` the series that were silent for longest make room. Only the server's thread touches it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.monitor.batch_queue import Batch
from streamrnn.monitor.downsampling import Learning
from streamrnn.records.events import Float64, Int64
from streamrnn.records.log import Partition

BUDGET: Final = 64 << 20  # bytes of points, and as many of forecasts and curves together
MOST_POINTS: Final = 1024
FEWEST_POINTS: Final = 32
MOST_SERIES: Final = 20_000
MOST_STEPS: Final = 256

OBSERVED, EXPECTED, LOWER, UPPER, MEDIAN = range(5)
SCORED, ERROR, PERSISTENCE, INSIDE = range(4)

_GROWTH: Final = 4  # a growing table moves all its points, so it does not grow often

_SEARCHES: Final = 16  # whose results are kept until a series comes or goes

NO_MARK: Final = -2  # else the channel that drove the anomaly, -1 where it is not known


class Identity(NamedTuple):
    """A series of a partition: its key alone may occur in several."""

    partition: Partition
    key: str


class Points(NamedTuple):
    """The last points of one series, oldest first."""

    times: Int64  # (points,) microseconds
    values: Float64  # (points, targets, 5) observed, expected, lower, upper, expected median
    scores: Float64  # (points,)
    marks: npt.NDArray[np.int8]  # (points,)


class History:
    """The slabs. `sums` are `(series, targets, 4)`: scored, |error| of the median, |error of persistence|, inside."""

    def __init__(self, targets: int, horizon: int, *, budget: int = BUDGET, most_series: int = MOST_SERIES) -> None:
        self.targets = targets
        self._horizon = horizon
        self._budget = budget
        self._most_series = most_series
        self._rows: dict[Partition, dict[str, int]] = {}
        self._identities: list[Identity | None] = []
        self._free: list[int] = []
        self._found: dict[str, Int64] = {}
        self.learning = Learning()
        self.points = 0
        self.steps = 0
        self._allocate(16)

    def _shape(self, capacity: int) -> tuple[int, int]:
        """(points, forecast steps) that `capacity` series can have."""
        per_point = 8 + 40 * self.targets + 9
        points = max(FEWEST_POINTS, min(MOST_POINTS, self._budget // (capacity * per_point)))
        per_step = 32 * self.targets
        return points, max(1, min(self._horizon, MOST_STEPS, self._budget // 2 // (capacity * per_step)))

    def _allocate(self, capacity: int) -> None:
        before, old, kept = self.points, vars(self).copy(), len(self._identities)
        self.points, self.steps = self._shape(capacity)
        shape = (capacity, self.points)
        # Rings are never read beyond what was written: leave them to the system to fill in.
        self.times = np.empty(shape, np.int64)
        self.values = np.empty((*shape, self.targets, 5))
        self.scores = np.empty(shape)
        self.marks = np.empty(shape, np.int8)
        self.count = np.zeros(capacity, np.int64)
        self.sums = np.zeros((capacity, self.targets, 4))
        self.anomalies = np.zeros(capacity, np.int64)
        self.anomaly_at = np.full(capacity, -np.inf)
        self.seen_at = np.full(capacity, -np.inf)
        self.interval = np.zeros(capacity, np.int64)
        self.forecast = np.full((capacity, self.steps, self.targets, 4), np.nan)
        if not kept:
            return
        for name in ("count", "sums", "anomalies", "anomaly_at", "seen_at", "interval"):
            getattr(self, name)[:kept] = old[name][:kept]
        self.forecast[:kept] = old["forecast"][:kept, : self.steps]
        rings = ("times", "values", "scores", "marks")
        if self.points == before:
            for name in rings:
                getattr(self, name)[:kept] = old[name][:kept]
            return
        # The ring's place of point n is n % points: in a shorter ring every point moves.
        rows = np.arange(kept)[:, None]
        numbers = np.maximum(self.count[:kept, None] - 1 - np.arange(self.points), 0)
        for name in rings:
            getattr(self, name)[rows, numbers % self.points] = old[name][rows, numbers % before]

    # -- rows ----------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._identities) - len(self._free)

    def identities(self) -> list[Identity | None]:
        """Who has each row; None for free ones."""
        return self._identities

    def partitions(self) -> dict[Partition, dict[str, int]]:
        """Key -> row of every partition there are series of."""
        return dict(self._rows)

    def row(self, identity: Identity) -> int | None:
        """The row of a series, if it is remembered."""
        return self._rows.get(identity.partition, {}).get(identity.key)

    def find(self, search: str) -> Int64:
        """Rows of the series whose key contains `search`, whatever its case, ordered by key."""
        wanted = search.casefold()
        if (found := self._found.get(wanted)) is None:
            named = [
                (identity.key, identity.partition, row)
                for row, identity in enumerate(self._identities)
                if identity is not None and wanted in identity.key.casefold()
            ]
            if len(self._found) >= _SEARCHES:
                self._found.clear()
            found = self._found[wanted] = np.array([row for *_, row in sorted(named)], np.int64)
        return found

    def forget(self, partition: Partition) -> None:
        """Another worker has the partition now."""
        for row in self._rows.pop(partition, {}).values():
            self._release(row)

    def _release(self, row: int) -> None:
        self._identities[row] = None
        self._found.clear()
        self.count[row] = self.anomalies[row] = self.interval[row] = 0
        self.sums[row] = 0.0
        self.anomaly_at[row] = self.seen_at[row] = -np.inf
        self.forecast[row] = np.nan
        self.learning.forget(row)
        self._free.append(row)

    def _ids(self, partition: Partition, keys: Any) -> Int64:
        rows = self._rows.setdefault(partition, {})
        try:
            return np.fromiter(map(rows.__getitem__, keys), np.int64, len(keys))
        except KeyError:
            for key in dict.fromkeys(keys):
                if key not in rows:
                    row = self._new_row()
                    rows[key] = row
                    self._identities[row] = Identity(partition, key)
                    self._found.clear()
                self.seen_at[rows[key]] = np.inf  # none of this batch makes room for another; `add` sets the time
            return np.fromiter((rows.get(key, -1) for key in keys), np.int64, len(keys))

    def _new_row(self) -> int:
        if not self._free and len(self._identities) >= self._most_series:
            silent = np.argsort(self.seen_at[: len(self._identities)], kind="stable")[: max(1, self._most_series // 16)]
            for row in silent.tolist():
                if (identity := self._identities[row]) is not None:
                    del self._rows[identity.partition][identity.key]
                    self._release(row)
        if self._free:
            return self._free.pop()
        if len(self._identities) == len(self.count):
            self._allocate(_GROWTH * len(self.count))
        self._identities.append(None)
        return len(self._identities) - 1

    # -- points --------------------------------------------------------------------------------------------------------

    def add(self, batch: Batch, now: float) -> Float64:
        """Take a batch in; `now` is the clock. Returns its sums `(targets, 4)` over all series."""
        total: Float64 = np.zeros((self.targets, 4))
        answers = batch.answers
        rows = self._ids(batch.partition, batch.keys)
        self.seen_at[rows[rows >= 0]] = now
        order = np.argsort(rows, kind="stable")
        order = order[~answers.late[order] & (rows[order] >= 0)]
        if not len(order):
            return total
        rows = rows[order]
        starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        unique, counts = rows[starts], np.diff(np.r_[starts, len(rows)])
        rank = np.arange(len(rows)) - np.repeat(starts, counts)
        slots = (self.count[rows] + rank) % self.points

        observed = batch.targets[order]
        columns = (
            observed, answers.expected[order], answers.lower[order, 0], answers.upper[order, 0],
            answers.expected_median[order],
        )  # fmt: skip
        self.times[rows, slots] = batch.times[order]
        self.values[rows, slots] = np.stack(columns, axis=-1)
        self.scores[rows, slots] = answers.score[order]
        flagged = answers.is_anomaly[order]
        self.marks[rows, slots] = np.where(flagged, answers.channel[order], NO_MARK)
        self.count[unique] += counts

        last = order[starts + counts - 1]
        ahead = answers.forecast, answers.forecast_lower[:, 0], answers.forecast_upper[:, 0], answers.forecast_median
        self.interval[unique] = answers.interval[last]
        for place, array in enumerate(ahead):
            self.forecast[unique, :, :, place] = array[last, : self.steps]

        sums = _scores(*columns, answers.previous[order])
        self.sums[unique] += np.add.reduceat(sums, starts, axis=0)
        self.anomalies[unique] += np.add.reduceat(answers.opened[order].astype(np.int64), starts)
        alarms = np.add.reduceat(flagged.astype(np.int64), starts)
        self.anomaly_at[unique[alarms > 0]] = now
        total += sums.sum(axis=0)
        return total

    def last(self, row: int, most: int) -> Points:
        """The last points of a row, at most `most`, in time order (events may have come late)."""
        count = int(self.count[row])
        slots = np.arange(max(0, count - min(most, self.points)), count) % self.points
        slots = slots[np.argsort(self.times[row, slots], kind="stable")]
        return Points(
            self.times[row, slots],
            self.values[row, slots],
            self.scores[row, slots],
            self.marks[row, slots],
        )

    def sparklines(self, rows: Int64, points: int) -> Float64:
        """The last observed values of the first target of many rows, `(rows, points)`; NaN before the first."""
        place = self.count[rows, None] - points + np.arange(points)
        values = self.values[rows[:, None], place % self.points, 0, OBSERVED]
        return np.where((place >= 0) & (place >= self.count[rows, None] - self.points), values, np.nan)


def _scores(
    observed: Float64, _: Float64, lower: Float64, upper: Float64, median: Float64, previous: Float64
) -> Float64:
    """`(events, targets, 4)`: what each event adds to the sums."""
    error, persistence = np.abs(observed - median), np.abs(observed - previous)
    known = np.isfinite(error) & np.isfinite(persistence)
    inside = known & (observed >= lower) & (observed <= upper)
    return np.stack(
        (known.astype(np.float64), np.where(known, error, 0.0), np.where(known, persistence, 0.0), inside), axis=-1
    )
