"""What is known before the next event: the inputs of the networks and of the linear heads.

All in sigmas and clipped, of one target:

    level, x_t - x_{t-1}, x_t - x_{t-2}, x_t - x_{t-4}
    per season   value one period before the next event - x_t, the step then, the step usual at the next phase, the
                 surprise of the last step, and `HARMONICS` Fourier pairs of the next phase
    log(time since the event before / sampling interval)
    the event's features as given (not finite: 0)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.compiled import kernel
from streamrnn.online.calendar import BINS, GAP, INTERVAL, KIND, NONE, bin_of, season_of
from streamrnn.online.layout import LAST, NOW_SIZE, PERIOD_AGO, STEP, SURPRISE, TABLE_ROWS, Layout
from streamrnn.online.scaling import MEAN, SIGMA, VARIANCE, clip

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

CLIP = 4.0
LAG_CLIP = 6.0
FEATURE_CLIP = 100.0
HARMONICS = 3


def input_count(features: int, seasons: int) -> int:
    """How many inputs a target has."""
    return 4 + seasons * (4 + 2 * HARMONICS) + 1 + features


@kernel
def fill_inputs(
    out: Float64, z: Float64, f: Float32, at: Layout, seasons: int, bins: int, clock: Int64, phases: Float64,
    recent: Float64, u: Float64,
) -> None:  # fmt: skip
    """Write the inputs of one target; phases (2 seasons,) of the next event, recent (values,) newest first."""
    scale = at.scale
    sigma = z[scale + SIGMA]
    inverse = 1.0 / sigma if sigma > 0.0 else 0.0
    spread = math.sqrt(z[scale + VARIANCE])
    x = recent[0]
    out[0] = clip((x - z[scale + MEAN]) / spread, CLIP) if spread > 0.0 else 0.0
    out[1] = clip((x - recent[1]) * inverse, CLIP)
    out[2] = clip((x - recent[2]) * inverse, CLIP)
    out[3] = clip((x - recent[4]) * inverse, CLIP)
    k = 4
    for s in range(seasons):
        season = season_of(clock, s)
        table, now = at.table + s * TABLE_ROWS * bins, at.now + s * NOW_SIZE
        if season[KIND] == NONE:
            for j in range(4 + 2 * HARMONICS):
                out[k + j] = 0.0
        else:
            b = bin_of(phases[s], season[BINS])
            known = f[at.visits + s * bins + b] > 0
            before = z[table + LAST * bins + b]
            out[k] = clip((before - x) * inverse, CLIP) if known else 0.0
            out[k + 1] = clip((before - z[now + PERIOD_AGO]) * inverse, CLIP) if known else 0.0
            out[k + 2] = clip(z[table + STEP * bins + b], CLIP)
            out[k + 3] = clip(z[now + SURPRISE], CLIP)
            for j in range(HARMONICS):
                angle = 2.0 * math.pi * (j + 1) * phases[s]
                out[k + 4 + 2 * j] = math.sin(angle)
                out[k + 5 + 2 * j] = math.cos(angle)
        k += 4 + 2 * HARMONICS
    out[k] = clip(math.log(clock[GAP] / clock[INTERVAL]), CLIP) if clock[GAP] > 0 else 0.0
    k += 1
    for j in range(u.size):
        out[k + j] = clip(u[j], FEATURE_CLIP) if math.isfinite(u[j]) else 0.0


@kernel
def fill_lags(out: Float64, o: int, recent: Float64, lags: int, inverse: float) -> None:
    """At out[o]: 1, then the last `lags` steps of one target, newest first, in sigmas (`inverse` = 1 / sigma)."""
    out[o] = 1.0
    for j in range(lags):
        out[o + 1 + j] = clip((recent[j] - recent[j + 1]) * inverse, LAG_CLIP)


@kernel
def newest_first(z: Float64, ring: int, size: int, events: int, out: Float64) -> None:
    """out[j] = the value j events ago; the ring at z[ring] holds the newest of `events` at (events - 1) % size."""
    k = (events - 1) % size
    for j in range(size):
        out[j] = z[ring + k]
        k = k - 1 if k > 0 else size - 1
