"""Running levels of a target: per phase of its first season, and over one and several periods, in original units.

level_j[bin] += max(rate_j, 1 / visits) (x - level_j[bin])      rates .3, .12, .048
mean_j       += max(rate_j, 1 / values) (x - mean_j)            memories of 1, 3 and 11 periods
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, KIND, NONE, bin_of, season_at
from streamrnn.forecasting.layout import LEVELS, Layout
from streamrnn.forecasting.scaling import SEEN, SIGMA, clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

LEVEL_RATE, LEVEL_RATIO = 0.3, 0.4
MEAN_RATIO = 0.3
PERIOD_UNKNOWN = 24.0
CLIP = 20.0  # sigmas one value moves a level towards at most


@kernel
def observe_means(z: Float64, at: Layout, clock: Int64, x: float, missing: bool) -> None:
    """Move the running means towards `x`; a missing value leaves them where they were."""
    season = clock[season_at(0)]
    sigma, seen = z[at.scale + SIGMA], z[at.scale + SEEN]
    limit = CLIP * sigma if sigma > 0.0 else math.inf
    rate = 1.0 / season[BINS] if season[KIND] != NONE else 1.0 / PERIOD_UNKNOWN
    for j in range(LEVELS):
        pace = 0.0 if missing else max(rate, 1.0 / seen)
        mean = at.means + j
        z[mean] = x if seen <= 1.0 else z[mean] + pace * clip(x - z[mean], limit)
        rate *= MEAN_RATIO


@kernel
def observe_levels(z: Float64, f: Float32, at: Layout, bins: int, clock: Int64, phase: float, x: float) -> None:
    """Move the levels at `phase` towards `x`; before `observe_seasonal` counts the visit."""
    out_of_line()
    season = clock[season_at(0)]
    if season[KIND] == NONE:
        return
    b = bin_of(phase, season[BINS])
    visits, sigma = f[at.visits + b], z[at.scale + SIGMA]
    limit = CLIP * sigma if sigma > 0.0 else math.inf
    rate = LEVEL_RATE
    for j in range(LEVELS):
        level = at.levels + j * bins + b
        if visits == 0:
            z[level] = x
        else:
            z[level] += max(rate, 1.0 / (visits + 1.0)) * clip(x - z[level], limit)
        rate *= LEVEL_RATIO
