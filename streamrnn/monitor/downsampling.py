"""Curves over the whole run in bounded memory: when a curve is full, every second point goes and the pace halves."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from streamrnn.records.events import Float64

Item = TypeVar("Item")

MOST: Final = 160
FEWEST: Final = 16
BUDGET: Final = 32 << 20  # bytes of all checkpoints


class Curve(Generic[Item]):
    """(time, item) pairs at an even pace, from the first to now.

    >>> curve = Curve[int](most=4, pace=1.0)
    >>> for second in range(10):
    ...     if curve.due(second):
    ...         curve.add(second, second)
    >>> curve.times, curve.pace
    ([0, 4, 8], 4.0)
    """

    def __init__(self, most: int = MOST, pace: float = 1.0) -> None:
        self.most = most
        self.pace = pace
        self.times: list[float] = []
        self.items: list[Item] = []

    def due(self, now: float) -> bool:
        """Whether it is time for another point."""
        return not self.times or now - self.times[-1] >= self.pace

    def add(self, now: float, item: Item) -> None:
        """Append a point; thins the curve when it is full."""
        self.times.append(now)
        self.items.append(item)
        while len(self.times) >= self.most:
            self.times = self.times[::2]
            self.items = self.items[::2]
            self.pace *= 2


class Learning:
    """Checkpoints of every series' running sums: the skill and coverage between any two of them.

    `sums` arrays are `(series, targets, 4)`, see `history.History`.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self._curve: Curve[npt.NDArray[Any]] = Curve(MOST, pace)

    def observe(self, now: float, sums: Float64) -> None:
        """Take a checkpoint if it is time."""
        if self._curve.due(now):
            self._curve.most = max(FEWEST, min(MOST, BUDGET // max(1, sums.nbytes)))
            self._curve.add(now, sums.copy())

    def forget(self, row: int) -> None:
        """The row belongs to another series from now on."""
        for item in self._curve.items:
            if row < len(item):
                item[row] = 0.0

    def of(self, row: int, target: int, now: float, sums: Float64) -> tuple[Float64, Float64]:
        """(times, sums `(points, 4)`) of one series since its first checkpoint, now included."""
        items = [item[row, target] if row < len(item) else np.zeros(4) for item in self._curve.items]
        return np.array([*self._curve.times, now]), np.array([*items, sums[row, target]])


def skill(before: Float64, after: Float64) -> Float64:
    """1 - MAE / MAE of persistence of what lies between; NaN where nothing does."""
    difference = after - before
    with np.errstate(all="ignore"):
        ratio: Float64 = 1.0 - difference[..., 1] / difference[..., 2]
    return np.where((difference[..., 0] > 0) & (difference[..., 2] > 0), ratio, np.nan)


def coverage(before: Float64, after: Float64) -> Float64:
    """Share of values inside the interval between the two; NaN where there are none."""
    difference = after - before
    with np.errstate(all="ignore"):
        ratio: Float64 = difference[..., 3] / difference[..., 0]
    return np.where(difference[..., 0] > 0, ratio, np.nan)
