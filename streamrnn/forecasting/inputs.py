"""What is known before the next event: the inputs of the networks and of the linear heads.

All in sigmas and clipped, of one target:

    level, x_t - x_{t-1}, x_t - x_{t-2}, x_t - x_{t-4}
    per season   value one period before the next event - x_t, the step then, the step usual at the next phase, the
                 surprise of the last step, and `harmonics` Fourier pairs of the next phase
    log(time since the event before / sampling interval)
    the event's features, less their running mean and over their running standard deviation (not finite: 0)
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, GAP, INTERVAL, KIND, NONE, bin_of, season_at
from streamrnn.forecasting.experts.season_storage import place, surprise_of, usual_step, value_ago
from streamrnn.forecasting.experts.season_tables import last_at, level_at
from streamrnn.forecasting.layout import LEVELS, Layout
from streamrnn.forecasting.scaling import MEAN, SIGMA, VARIANCE, clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Floats = NDArray[np.floating]

CLIP = 4.0  # no input is larger
UNIT: Final = CLIP / 32_767  # of an input that is kept
LAG_CLIP = 6.0


def input_count(features: int, seasons: int, harmonics: int) -> int:
    """How many inputs a target has."""
    return 4 + seasons * (4 + 2 * harmonics) + 2 * LEVELS + 1 + features


@kernel
def fill_inputs(
    out: Float64, z: Float64, t: Int16, v: UInt8, at: Layout, seasons: int, clock: Int64, phases: Float64,
    recent: Float64, u: Float64, harmonics: int,
) -> None:  # fmt: skip
    """Write the inputs of one target; phases (seasons,) of the next event, recent (values,) newest first, u scaled."""
    out_of_line()
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
        season = clock[season_at(s)]
        if season[KIND] == NONE:
            for j in range(4 + 2 * harmonics):
                out[k + j] = 0.0
        else:
            there = bin_of(phases[s], season[BINS])
            known, before = v[place(at, season, s, there)] > 0, last_at(z, t, v, at, clock, s, phases[s])
            out[k] = clip((before + z[at.base] - x) * inverse, CLIP) if known else 0.0
            ago = value_ago(z, t, at, s)
            out[k + 1] = clip((before - ago) * inverse, CLIP) if known and not math.isnan(ago) else 0.0
            out[k + 2] = clip(usual_step(t, at, season, s, there), CLIP)
            out[k + 3] = clip(surprise_of(t, at, s), CLIP)
            for j in range(harmonics):
                angle = 2.0 * math.pi * (j + 1) * phases[s]
                out[k + 4 + 2 * j] = math.sin(angle)
                out[k + 5 + 2 * j] = math.cos(angle)
        k += 4 + 2 * harmonics
    season = clock[season_at(0)]
    b = bin_of(phases[0], season[BINS]) if season[KIND] != NONE else 0
    known = season[KIND] != NONE and v[b] > 0
    for j in range(LEVELS):
        out[k + j] = 0.0
        if known:
            out[k + j] = clip((level_at(z, t, v, at, clock, 0, phases[0], j) + z[at.base] - x) * inverse, CLIP)
        out[k + LEVELS + j] = clip((z[at.means + j] - x) * inverse, CLIP)
    k += 2 * LEVELS
    out[k] = clip(math.log(clock[GAP] / clock[INTERVAL]), CLIP) if clock[GAP] > 0 else 0.0
    k += 1
    for j in range(u.size):
        out[k + j] = u[j]


@kernel
def store_inputs(inputs: Float64, t: Int16, at: int) -> None:
    """t[at:] = inputs (inputs,), in 16 bits."""
    for k in range(inputs.size):
        t[at + k] = np.int16(math.floor(clip(inputs[k], CLIP) / UNIT + 0.5))


@kernel
def load_inputs(t: Int16, at: int, inputs: Floats) -> None:
    """The inputs (inputs,) as they are kept."""
    for k in range(inputs.size):
        inputs[k] = float(t[at + k]) * UNIT


FACTORS: Final = 6


@kernel
def fill_periodic(out: Floats, o: int, inputs: Floats, seasons: int, harmonics: int) -> None:
    """At out[o]: products of the first season's Fourier pairs with six inputs: level, three increments,
    usual step and usual level.

    With them a linear model's coefficients depend on the phase: a load that falls by a tenth an hour at night and
    rises by a tenth in the morning has no single autoregression.
    """
    out_of_line()
    fourier, levels = 8, 4 + seasons * (4 + 2 * harmonics)
    for k in range(FACTORS):
        factor = inputs[k] if k < 4 else (inputs[6] if k == 4 else inputs[levels])
        for j in range(2 * harmonics):
            out[o] = factor * inputs[fourier + j]
            o += 1


@kernel
def fill_lags(out: Floats, o: int, recent: Float64, lags: int, inverse: float) -> None:
    """At out[o]: 1, then the last `lags` steps of one target, newest first, in sigmas (`inverse` = 1 / sigma)."""
    out[o] = 1.0
    for j in range(lags):
        out[o + 1 + j] = clip((recent[j] - recent[j + 1]) * inverse, LAG_CLIP)


@kernel
def newest_first(z: Float64, ring: int, size: int, events: int, out: Float64) -> None:
    """out[j] = the value j events ago; the ring at z[ring] holds the newest of `events` at (events - 1) % size."""
    newest = (events - 1) % size
    for j in range(newest + 1):
        out[j] = z[ring + newest - j]
    for j in range(newest + 1, size):
        out[j] = z[ring + size + newest - j]


@kernel
def scale_features(scale: Float64, u: Float64, memory: float, out: Float64) -> None:
    """Learn mean and variance of every feature, scale (features, 3) = count, mean, variance, and standardize it."""
    out_of_line()
    for j in range(u.size):
        out[j] = 0.0
        if not abs(u[j]) <= 1e100:
            continue
        n = min(scale[j, 0] + 1.0, memory)
        deviation = u[j] - scale[j, 1]
        spread = math.sqrt(scale[j, 2])
        if n > 10.0 and spread > 0.0:
            deviation = clip(deviation, 2.0 * CLIP * spread)
        scale[j, 0] = n
        scale[j, 1] += deviation / n
        scale[j, 2] += (deviation * deviation * (1.0 - 1.0 / n) - scale[j, 2]) / n
        spread = math.sqrt(scale[j, 2])
        out[j] = clip((u[j] - scale[j, 1]) / spread, CLIP) if spread > 0.0 else 0.0
