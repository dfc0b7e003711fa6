"""Bounds of sense: forecasts and intervals keep to what the values can be.

Declared bounds hold always. A target that was never negative, but was zero at least twice and in one of a hundred
values, is held at zero from its `SETTLED`-th value on, until a negative value comes: counts, rain, sales and solar
power are such, a temperature that passes through zero is not. Of 484 measured series this held 251 and was never wrong;
without the share of zeros it would have been once, without the zeros fourteen times.

Of whole numbers the median is one, and so are the bounds: the innermost integers of the interval, as these hold the
same values, but never closer than the mean and the median. The mean is no value of the series and stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

SETTLED: Final = 20
ZEROS: Final = 2
SHARE: Final = 100
MOST: Final = 1 << 30  # counted at most: fits 32 bits
SEEN: Final = 0  # values so far, -1 once one was negative
ZERO: Final = 1  # of them zero
COLUMNS: Final = 2


class Bounds(NamedTuple):
    """What values can be."""

    limits: Float64  # (targets, 2) minimum and maximum, infinite where there is none
    automatic: bool  # whether data that show to be nonnegative are held so
    integers: bool


def bounds_of(
    minimum: Sequence[float | None], maximum: Sequence[float | None], *, automatic: bool, integers: bool
) -> Bounds:
    """Of one number or None per target."""
    limits = [
        (-math.inf if low is None else low, math.inf if high is None else high)
        for low, high in zip(minimum, maximum, strict=True)
    ]
    return Bounds(np.array(limits, np.float64).reshape(-1, 2), automatic, integers)


@kernel
def note(history: Int32, x: Float64) -> None:
    """Take the values of one event in, `history` is `(targets, COLUMNS)`, `x` `(targets,)` with NaN where missing."""
    for k in range(len(x)):
        if x[k] < 0.0:
            history[k, SEEN] = -1
        elif x[k] >= 0.0 and 0 <= history[k, SEEN] < MOST:
            history[k, SEEN] += 1
            if x[k] == 0.0:
                history[k, ZERO] += 1


@kernel
def lowest(bounds: Bounds, history: Int32, k: int) -> float:
    """What no forecast of target `k` goes below."""
    low: float = bounds.limits[k, 0]
    seen, zeros = history[k, SEEN], history[k, ZERO]
    if bounds.automatic and seen >= SETTLED and zeros >= ZEROS and zeros * SHARE >= seen:
        low = max(low, min(0.0, bounds.limits[k, 1]))
    return low


@kernel
def hold_points(bounds: Bounds, history: Int32, mean: Float64, median: Float64) -> None:
    """Keep the forecasts, `(horizon, targets)`, to what values can be."""
    for k in range(mean.shape[1]):
        low, high = lowest(bounds, history, k), bounds.limits[k, 1]
        for step in range(mean.shape[0]):
            if not math.isnan(mean[step, k]):
                mean[step, k] = min(max(mean[step, k], low), high)
                middle = median[step, k]
                median[step, k] = min(max(math.floor(middle + 0.5) if bounds.integers else middle, low), high)


@kernel
def hold_intervals(
    bounds: Bounds, history: Int32, mean: Float64, median: Float64, lower: Float64, upper: Float64
) -> None:
    """Keep the bounds, `(levels, horizon, targets)`, to what values can be; the forecasts are held already."""
    for k in range(mean.shape[1]):
        least, most = lowest(bounds, history, k), bounds.limits[k, 1]
        for level in range(lower.shape[0]):
            for step in range(mean.shape[0]):
                if math.isnan(mean[step, k]):
                    continue
                low, high = max(lower[level, step, k], least), min(upper[level, step, k], most)
                if bounds.integers:
                    center, middle = mean[step, k], median[step, k]
                    low = max(min(math.ceil(low), math.floor(center), middle), least)
                    high = min(max(math.floor(high), math.ceil(center), middle), most)
                lower[level, step, k], upper[level, step, k] = low, high
