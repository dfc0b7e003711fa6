"""Errors per target and horizon step, and the queue in which forecasts wait for the values they were made for.

Each forecast is judged by its own loss: the median by absolute, the mean by squared error (Gneiting 2011). With
a = observed - median and e = observed - mean, over the n events that settle step k (1: the next event):

    MAE_k     mean |a|                    MSE_k = mean e^2, RMSE_k = sqrt(MSE_k)
    skill_k   1 - MAE_k / MAE_k of persistence, which repeats the last known value
    MSE skill_k   1 - MSE_k / MSE_k of persistence
    MASE_k    MAE_k / MAE_1 of persistence           (Hyndman and Koehler 2006, over the events scored)
    coverage  share of lower <= observed <= upper    (of level 1 - a)
    Winkler   mean (upper - lower) + 2/a (lower - observed)+ + 2/a (observed - upper)+    (Winkler 1972)

An event counts for a target when its value is known and some value was known when the forecast was made; that is the
same set of events for every model. Arrays are `(horizon, targets)`, of intervals `(horizon, targets, levels)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streamrnn.records.events import Float64


@dataclass
class PointScores:
    """Sums of errors; add up over blocks and series."""

    count: Float64
    absolute: Float64
    squared: Float64

    @classmethod
    def empty(cls, horizon: int, targets: int) -> Self:
        """Nothing scored yet."""
        return cls(*(np.zeros((horizon, targets)) for _ in range(3)))

    def add(
        self, observed: Float64, mean: Float64, known: npt.NDArray[np.bool_], median: Float64 | None = None
    ) -> None:
        """Count forecasts `(events, horizon, targets)` of `observed` `(events, 1, targets)` where `known`.

        Without a `median` the one forecast there is stands for both.
        """
        error = np.where(known, observed - mean, 0.0)
        absolute = np.abs(error if median is None else np.where(known, observed - median, 0.0))
        self.count += known.sum(axis=0)
        self.absolute += absolute.sum(axis=0)
        self.squared += (error * error).sum(axis=0)

    def __iadd__(self, other: Self) -> Self:
        self.count += other.count
        self.absolute += other.absolute
        self.squared += other.squared
        return self

    @property
    def mae(self) -> Float64:
        """Mean absolute error of the median, NaN where nothing was scored."""
        return _ratio(self.absolute, self.count)

    @property
    def mse(self) -> Float64:
        """Mean squared error of the mean."""
        return _ratio(self.squared, self.count)

    @property
    def rmse(self) -> Float64:
        """Root of the mean squared error."""
        return np.sqrt(self.mse)

    def skill(self, persistence: PointScores) -> Float64:
        """1 - MAE / MAE of persistence; NaN where persistence is never wrong."""
        return 1.0 - _ratio(self.absolute, persistence.absolute)

    def mse_skill(self, persistence: PointScores) -> Float64:
        """1 - MSE / MSE of persistence; NaN where persistence is never wrong."""
        return 1.0 - _ratio(self.squared, persistence.squared)

    def mase(self, persistence: PointScores) -> Float64:
        """MAE in units of the one-step error of persistence."""
        return _ratio(self.mae, persistence.mae[:1])


@dataclass
class IntervalScores:
    """Sums of how intervals of `levels` did."""

    count: Float64
    inside: Float64
    width: Float64
    penalty: Float64

    @classmethod
    def empty(cls, horizon: int, targets: int, levels: int) -> Self:
        """Nothing scored yet."""
        return cls(*(np.zeros((horizon, targets, levels)) for _ in range(4)))

    def add(
        self, levels: Float64, observed: Float64, lower: Float64, upper: Float64, known: npt.NDArray[np.bool_]
    ) -> None:
        """Count bounds `(events, horizon, targets, levels)`; `observed` and `known` have a last axis of 1."""
        beyond = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
        self.count += known.sum(axis=0)
        self.inside += (known & (lower <= observed) & (observed <= upper)).sum(axis=0)
        self.width += np.where(known, upper - lower, 0.0).sum(axis=0)
        self.penalty += np.where(known, beyond, 0.0).sum(axis=0) * (2.0 / (1.0 - levels))

    def __iadd__(self, other: Self) -> Self:
        self.count += other.count
        self.inside += other.inside
        self.width += other.width
        self.penalty += other.penalty
        return self

    @property
    def coverage(self) -> Float64:
        """Share of values inside."""
        return _ratio(self.inside, self.count)

    @property
    def mean_width(self) -> Float64:
        """Mean of upper - lower."""
        return _ratio(self.width, self.count)

    @property
    def winkler(self) -> Float64:
        """Mean Winkler score; smaller is better."""
        return _ratio(self.width + self.penalty, self.count)


def _ratio(top: Float64, bottom: Float64) -> Float64:
    top, bottom = np.broadcast_arrays(top, bottom)
    ratio = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=ratio, where=bottom != 0)
    return ratio


class Settled(NamedTuple):
    """A block of events beside what had been forecast for each of them, one, two, ... events before."""

    observed: Float64  # (events, 1, targets)
    known: npt.NDArray[np.bool_]  # (events, horizon, targets) to be scored
    persistence: Float64  # (events, horizon, targets)
    forecasts: tuple[Float64, ...]  # each (events, horizon, targets, ...), as given to `settle`


class Pending:
    """The last `horizon` forecasts of one series, waiting for the values they were made for."""

    def __init__(self, horizon: int, targets: int) -> None:
        self._horizon = horizon
        self._last = np.full((0, targets), np.nan)  # last known values at each origin
        self._forecasts: tuple[Float64, ...] | None = None

    def settle(self, observed: Float64, *forecasts: Float64) -> Settled:
        """Take the next events `(events, targets)` and the forecasts made right after each of them.

        Forecasts are `(events, horizon, targets, ...)`. Where to cut a stream into blocks changes no result.
        """
        waiting = len(self._last)
        last = _forward_fill(np.concatenate([self._last, observed]), waiting)
        earlier = self._forecasts or tuple(f[:0] for f in forecasts)
        history = tuple(np.concatenate(pair) for pair in zip(earlier, forecasts, strict=True))
        steps = np.arange(self._horizon)
        origin = waiting + np.arange(len(observed))[:, None] - 1 - steps  # (events, horizon)
        made = origin >= 0
        origin = np.maximum(origin, 0)
        persistence = last[origin]
        known = made[:, :, None] & ~np.isnan(persistence) & ~np.isnan(observed)[:, None, :]
        self._last = last[-self._horizon :]
        self._forecasts = tuple(h[-self._horizon :] for h in history)
        return Settled(observed[:, None, :], known, persistence, tuple(h[origin, steps] for h in history))


def _forward_fill(values: Float64, start: int) -> Float64:
    """Replace each NaN from row `start` on by the last known value above it."""
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    rows[:start] = np.arange(start)[:, None]
    return np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)
