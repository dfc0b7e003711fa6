"""How wide the intervals of a young series are: what the residuals of other series were at that age.

The partition learns, for every target and mark, from the first `GROWN` residuals of all its series:

    log |residual| = a + b log |forecast| + noise        least squares that forget, b within [0, 1]
    size = exp of the mean of that and of log (the series' own running size), weighted PRIOR : residuals seen
    lower = forecast - below size,  upper = forecast + above size

`below` and `above` belong to an age, not to a series: quantile trackers of the ratio residual / size, on a logarithmic
scale, for the residuals number 1, 2, 3-4, 5-9 and 10-20. An age is believed once `SETTLED` residuals of the next one
are known. So series that start together teach one another nothing: what strikes all of them at one time says little of
how wide an interval must be at another (measured: believing it at once took coverage from 93 to 80 % in such fleets).
`intervals.py` goes on with the trackers of the series when it is grown.

The size follows the value because series of one fleet differ by orders of magnitude, and most of what is to be known of
a series that has shown one value is that value.
"""

from __future__ import annotations

from math import exp, log
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

AGES: Final = (0, 1, 2, 4, 9, 20)  # residuals seen, at which an age begins; the last is grown
GROWN = AGES[-1]
SETTLED = 4.0  # residuals of the next age before an age is believed
START = 1.5  # of a Gaussian's quantile: few series are no distribution
PRIOR = 2.0  # residuals that the pooled size counts for
MEMORY = 2000.0  # young residuals
SLOWEST = 0.1  # step of a quantile tracker, in logarithms per miss
RANGE = 2.5  # logarithms that a single residual may lie off
HALF_NORMAL = 0.41  # log of the mean over the geometric mean of |residual|, Gaussian
COUNT, MEAN_VALUE, MEAN_SIZE, VARIANCE, COVARIANCE = range(5)


class PooledWidths(NamedTuple):
    """State of the partition; all zero at first."""

    sizes: Array  # (marks, targets, 5): COUNT, ... of the regression
    ratios: Array  # (marks, targets, ages + 1, 1 + 2 levels): residuals, then log below and log above of every level


def allocate(marks: int, targets: int, levels: int) -> PooledWidths:
    """State of a partition that has seen nothing."""
    return PooledWidths(np.zeros((marks, targets, 5)), np.zeros((marks, targets, len(AGES), 1 + 2 * levels)))


@kernel
def age_of(seen: int) -> int:
    """The age, 0 and on, of a series that has seen so many residuals; `len(AGES) - 1` where it is grown."""
    age = 0
    while age < len(AGES) - 1 and seen >= AGES[age + 1]:
        age += 1
    return age


@kernel
def is_known(ratios: Array, age: int) -> bool:
    """Whether enough series have been of this age, and are older."""
    return age < len(AGES) - 1 and ratios[age + 1, 0] >= SETTLED


@kernel
def _magnitude(sizes: Array, value: float) -> float:
    """The logarithm of |value|, kept within reach of those seen."""
    least = sizes[MEAN_VALUE] - 2.0 * RANGE if sizes[COUNT] > 0.0 else -700.0
    absolute = abs(value)
    found = log(absolute) if absolute > 1e-300 else least
    return max(found, least) if sizes[COUNT] == 0.0 else min(max(found, least), sizes[MEAN_VALUE] + 2.0 * RANGE)


@kernel
def _pooled_size(sizes: Array, value: float) -> float:
    """Logarithm of the size of residuals that belongs to a forecast of `value`."""
    slope = sizes[COVARIANCE] / (sizes[VARIANCE] + 0.1)
    slope = min(max(slope, 0.0), 1.0)
    return float(sizes[MEAN_SIZE] + slope * (_magnitude(sizes, value) - sizes[MEAN_VALUE]))


@kernel
def size_of(sizes: Array, value: float, seen: int, own: float) -> float:
    """The size of the residuals of a young series: pooled and its own running `own`, after `seen` residuals."""
    pooled = _pooled_size(sizes, value) + HALF_NORMAL
    if seen == 0:
        return exp(min(pooled, 690.0))
    mine = log(own) if own > 1e-300 else pooled - RANGE
    return exp(min((PRIOR * pooled + seen * mine) / (PRIOR + seen), 690.0))


@kernel
def learn(sizes: Array, ratios: Array, levels: Array, value: float, residual: float, seen: int, own: float) -> None:
    """Learn from a residual of the forecast `value` of a series that had seen `seen`, of running size `own`.

    Args:
        sizes: `(5,)` of a mark and target, changed.
        ratios: `(ages + 1, 1 + 2 levels)` of the same, changed.
        levels: `(2, levels)`, see `intervals.level_table`.
        value: what was forecast.
        residual: observed minus forecast.
        seen: residuals of the series before, at most `GROWN`.
        own: their running size.
    """
    count = levels.shape[1]
    if seen == GROWN:
        ratios[len(AGES) - 1, 0] += 1.0
        return
    if sizes[COUNT] > 0.0:
        one, size = ratios[age_of(seen)], size_of(sizes, value, seen, own)
        if one[0] == 0.0:
            for level in range(count):
                one[1 + level] = one[1 + count + level] = log(START * levels[1, level])
        one[0] += 1.0
        step = max(1.0 / one[0] ** 0.5, SLOWEST)
        for level in range(count):
            tail = 0.5 * (1.0 - levels[0, level])
            one[1 + level] += step * ((1.0 if -residual > exp(one[1 + level]) * size else 0.0) - tail)
            above = one[1 + count + level]
            one[1 + count + level] += step * ((1.0 if residual > exp(above) * size else 0.0) - tail)
    absolute = abs(residual)
    expected = _pooled_size(sizes, value)
    magnitude = _magnitude(sizes, value)
    if sizes[COUNT] == 0.0:
        if absolute == 0.0:
            return
        expected = log(absolute)
    found = log(absolute) if absolute > 1e-300 else expected - RANGE
    found = min(max(found, expected - RANGE), expected + RANGE)
    sizes[COUNT] += 1.0
    gain = max(1.0 / sizes[COUNT], 1.0 / MEMORY)
    off, further = magnitude - sizes[MEAN_VALUE], found - sizes[MEAN_SIZE]
    sizes[MEAN_VALUE] += gain * off
    sizes[MEAN_SIZE] += gain * further
    sizes[VARIANCE] += gain * ((1.0 - gain) * off * off - sizes[VARIANCE])
    sizes[COVARIANCE] += gain * ((1.0 - gain) * off * further - sizes[COVARIANCE])
