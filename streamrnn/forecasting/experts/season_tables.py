"""What a target's seasons say of steps far ahead: per phase the last value and levels of several memories.

For every bin of a season, in original units less a base that follows the series (singles keep their precision then):

    last                 the value of the newest visit
    level_j += max(rate_j, 1 / visits) (x - level_j)        rates .3, .12, .048 of the first season, .3 of the second

A forecast made k events ago saw a bin before the visits that lay between; `seen` takes their updates back, so that what
is learned from is what was known. A bin that several events of one visit fall into is written once, with their mean,
when the visit is over: else an origin would find in it what came after.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, BY_TIME, INTERVAL, KIND, NONE, PERIOD, bin_of
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

LEVELS: Final = (3, 1)  # of the two seasons
RATE, RATIO = 0.3, 0.4
MOST_BINS: Final = (288, 168)
CLIP = 20.0  # sigmas one value moves a level at most
MOST = 1e37

# Numbers per season (doubles).
SUM: Final = 0  # of the bins' last values
FILLED: Final = 1  # bins with a value
AGO: Final = 2  # last value of the newest event's bin before that event, less the base
VISIT: Final = 3  # bin of the open visit + 1
TOTAL: Final = 4  # sum and
COUNT: Final = 5  # number of its values
NUMBERS: Final = 6


def table_size(season: int) -> int:
    """Singles of a season's table: last, levels and visits of every bin."""
    return (2 + LEVELS[season]) * MOST_BINS[season]


@kernel
def bins_used(season: Int64, most: int) -> int:
    """Bins of the table of a season that has more phases than there are bins: a whole number of phases each."""
    bins = season[BINS]
    return int(bins // ((bins + most - 1) // most)) if bins > most else int(bins)


@kernel
def events_of(clock: Int64, season: Int64) -> int:
    """Events of one period."""
    if season[KIND] == BY_TIME:
        interval = max(np.int64(1), clock[INTERVAL])
        return int(max(np.int64(1), (season[PERIOD] + interval // 2) // interval))
    return int(season[PERIOD])


@kernel
def forget(numbers: Float64, table: Float32) -> None:
    """Start a season's table again; numbers (NUMBERS,), table (table_size,)."""
    for j in range(numbers.size):
        numbers[j] = 0.0
    for j in range(table.size):
        table[j] = 0.0


@kernel
def observe(
    numbers: Float64, table: Float32, season: Int64, most: int, levels: int, events: int, phase: float, x: float,
    sigma: float,
) -> None:  # fmt: skip
    """Take in the value `x` (less the base) at `phase`; `events` of one period."""
    out_of_line()
    bins = bins_used(season, most)
    b = bin_of(phase, bins)
    if 2 * events > 3 * bins:  # several events a visit
        if numbers[VISIT] > 0 and numbers[VISIT] != b + 1:
            _write(numbers, table, most, levels, int(numbers[VISIT]) - 1, numbers[TOTAL] / numbers[COUNT], sigma)
            numbers[TOTAL] = numbers[COUNT] = 0.0
        numbers[VISIT] = b + 1
        numbers[TOTAL] += x
        numbers[COUNT] += 1.0
        visits = table[(1 + levels) * most + b]
        numbers[AGO] = float(table[b]) if visits > 0 else x
        return
    _write(numbers, table, most, levels, b, x, sigma)


@kernel
def _write(numbers: Float64, table: Float32, most: int, levels: int, b: int, x: float, sigma: float) -> None:
    visits = table[(1 + levels) * most + b]
    x = clip(x, MOST)
    if visits == 0:
        numbers[FILLED] += 1.0
        numbers[SUM] += x
        numbers[AGO] = x
        for j in range(1 + levels):
            table[j * most + b] = x
    else:
        last = float(table[b])
        numbers[SUM] += x - last
        numbers[AGO] = last
        table[b] = x
        rate, limit = RATE, CLIP * sigma if sigma > 0.0 else math.inf
        for j in range(levels):
            level = float(table[(1 + j) * most + b])
            table[(1 + j) * most + b] = level + max(rate, 1.0 / (visits + 1.0)) * clip(x - level, limit)
            rate *= RATIO
    table[(1 + levels) * most + b] = min(visits + np.float32(1.0), np.float32(1e6))


@kernel
def shift(numbers: Float64, table: Float32, most: int, levels: int, by: float) -> None:
    """The base moved by `by`."""
    filled = 0
    total = 0.0
    for b in range(most):
        if table[(1 + levels) * most + b] > 0:
            for j in range(1 + levels):
                table[j * most + b] = clip(float(table[j * most + b]) - by, MOST)
            filled += 1
            total += float(table[b])
    numbers[SUM] = total
    numbers[AGO] -= by
    numbers[TOTAL] -= by * numbers[COUNT]


@kernel
def seen(
    table: Float32, most: int, levels: int, b: int, back: int, recent: Float64, events: int, base: float, out: Float64
) -> bool:
    """out[0] = last, out[1:] = levels of bin `b` as they were `back` visits ago; whether there was any visit then.

    recent (values,) newest first: the newest visit's value lies `events` back, the one before twice as far.
    """
    visits = float(table[(1 + levels) * most + b])
    if visits <= back:
        return False
    for j in range(1 + levels):
        out[j] = float(table[j * most + b])
    for v in range(1, back + 1):
        age = v * events
        x = (recent[age] if age < recent.size else recent[recent.size - 1]) - base
        rate = RATE
        for j in range(levels):
            pace = max(rate, 1.0 / (visits - v + 1.0))
            if pace < 1.0:
                out[1 + j] = (out[1 + j] - pace * x) / (1.0 - pace)
            rate *= RATIO
    if back > 0:
        age = (back + 1) * events
        out[0] = (recent[age] if age < recent.size else recent[recent.size - 1]) - base
    return True


@kernel
def has(season: Int64) -> bool:
    """Whether there is such a season."""
    return bool(season[KIND] != NONE)
