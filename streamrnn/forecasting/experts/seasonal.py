"""What is usual at this phase of a season, per target.

For every bin: the last value seen in it (original units), the running mean step into it S, the running mean deviation D
of its values from the mean m over one period, both in sigmas, and their running mean ratio Q to it, where m > 0:

    S[bin] += rate (step - S[bin]),   D[bin] += rate ((x - m) / sigma - D[bin]),   rate = max(0.1, 1 / visits)
    Q[bin] += rate (x / m - Q[bin]),                                               rate = max(0.3, 1 / visits)

The step that is usual at the next event's phase is the most informative single input there is on daily data.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, KIND, NONE, bin_of, season_at
from streamrnn.forecasting.layout import (
    DEVIATION,
    LAST,
    LEVEL,
    NOW_SIZE,
    PERIOD_AGO,
    PERIOD_MEAN,
    RATIO,
    STEP,
    SURPRISE,
    TABLE_ROWS,
    VALUES,
    Layout,
)
from streamrnn.forecasting.scaling import LOW, clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

RATE = 0.1
RATIO_RATE = 0.3
MOST_RATIO = 100.0
CLIP = 8.0
LEVEL_CLIP = 20.0  # sigmas one value moves a level towards at most


@kernel
def observe_seasonal(
    z: Float64, f: Float32, at: Layout, bins: int, clock: Int64, s: int, phase: float, x: float, step: float,
    sigma: float,
) -> None:  # fmt: skip
    """Learn, for season `s`, from the value `x` at `phase`, `step` sigmas above the one before.

    A `step` of NaN says that the value is missing and `x` our own forecast.
    """
    out_of_line()
    season = clock[season_at(s)]
    if season[KIND] == NONE:
        return
    b = bin_of(phase, season[BINS])
    table, now, visit = at.table + s * TABLE_ROWS * bins + b, at.now + s * NOW_SIZE, at.visits + s * bins + b
    visits = f[visit]
    z[now + PERIOD_AGO] = z[table + LAST * bins] if visits > 0 else x
    z[table + LAST * bins] = x
    if visits < 1e6:
        f[visit] += 1
    if math.isnan(step):
        z[now + SURPRISE] = 0.0
        return
    rate = max(RATE, 1.0 / (visits + 1.0))
    level, limit = z[table + LEVEL * bins], LEVEL_CLIP * sigma if sigma > 0.0 else math.inf
    pace = max(RATIO_RATE, 1.0 / (visits + 1.0))
    z[table + LEVEL * bins] = level + pace * clip(x - level, limit) if visits > 0 else x
    usual = z[table + STEP * bins]
    z[now + SURPRISE] = step - usual
    z[table + STEP * bins] = usual + rate * (clip(step, CLIP) - usual)
    if z[now + VALUES] == 0.0:
        z[now + PERIOD_MEAN] = x
    z[now + VALUES] += 1.0
    mean = z[now + PERIOD_MEAN]
    change = max(1.0 / z[now + VALUES], 1.0 / season[BINS]) * (x - mean)
    if sigma > 0.0:
        mean += clip(change, CLIP * sigma)
        deviation = clip((x - mean) / sigma, 100.0)
        z[table + DEVIATION * bins] += rate * (deviation - z[table + DEVIATION * bins])
    else:
        mean += change
    z[now + PERIOD_MEAN] = mean
    if mean > 0.0:
        ratio = clip(x / mean, MOST_RATIO)
        z[table + RATIO * bins] += max(RATIO_RATE, 1.0 / (visits + 1.0)) * (ratio - z[table + RATIO * bins])


@kernel
def step_of_season(z: Float64, f: Float32, at: Layout, bins: int, here: int, there: int, inverse: float) -> float:
    """The step (sigmas) from bin `here`, the newest value's, to `there` that the first season's shape makes usual.

    m (Q[there] - Q[here]) / sigma where all values were positive (swings that grow with the level), else
    D[there] - D[here].
    """
    if f[at.visits + there] == 0.0:
        return 0.0
    mean = z[at.now + PERIOD_MEAN]
    if z[at.scale + LOW] > 0.0 and mean > 0.0:
        ratios = at.table + RATIO * bins
        return float(mean * inverse * (z[ratios + there] - z[ratios + here]))
    deviations = at.table + DEVIATION * bins
    return float(z[deviations + there] - z[deviations + here])


@kernel
def step_a_period_ago(
    z: Float64, f: Float32, at: Layout, bins: int, clock: Int64, s: int, phase: float, inverse: float
) -> float:
    """The step (sigmas) that was made one period of season `s` ago into `phase`, the next event's."""
    season = clock[season_at(s)]
    if season[KIND] == NONE:
        return 0.0
    there = bin_of(phase, season[BINS])
    if f[at.visits + s * bins + there] == 0.0:
        return 0.0
    before = z[at.table + (s * TABLE_ROWS + LAST) * bins + there]
    return float((before - z[at.now + s * NOW_SIZE + PERIOD_AGO]) * inverse)


@kernel
def forget_seasonal(z: Float64, f: Float32, at: Layout, bins: int, s: int) -> None:
    """Start season `s` again, because its period changed."""
    for b in range(TABLE_ROWS * bins):
        z[at.table + s * TABLE_ROWS * bins + b] = 0.0
    for b in range(bins):
        f[at.visits + s * bins + b] = 0.0
    for b in range(NOW_SIZE):
        z[at.now + s * NOW_SIZE + b] = 0.0
