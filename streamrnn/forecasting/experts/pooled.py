"""Two regressions on the same few features: one that all series of a partition share, and what a series adds to it.

    pooled   step = W . phi           W, P learned from every series and target: a new series has it at once
    own      step = (W + w) . phi     w, P learned from what the pooled one left, of this series alone, and quickly

phi, in sigmas: 1, the last steps, for each of two seasons the value one period before the next event less x_t, the
step then, the step usual at the next phase, the surprise of the last step, the usual level less x_t and its change, and
the running mean of about ten events less x_t. Features without units make series comparable. The pooled one remembers
for long, the series' own for short: a change of manner costs a hundred events.

With `weights: series` the pooled one is the series' own, over all of its targets.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, KIND, MOST_SEASONS, NONE, bin_of, season_at
from streamrnn.forecasting.experts.readout import (
    Blocks,
    Stored,
    forecast_step,
    learn_readout,
    learn_stored_readout,
    make_blocks,
)
from streamrnn.forecasting.experts.season_storage import place, surprise_of, usual_step, value_ago
from streamrnn.forecasting.experts.season_tables import last_at, level_at
from streamrnn.forecasting.inputs import LAG_CLIP, fill_lags
from streamrnn.forecasting.layout import Layout
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

LAGS: Final = 8
PER_SEASON: Final = 6
UNIT: Final = 2.0**-12  # of what is kept of phi, in 16 bits
FEATURES: Final = 1 + LAGS + MOST_SEASONS * PER_SEASON + 1
LEVEL_CLIP = 8.0
AVERAGE_RATE = 0.1


class PooledConfig(NamedTuple):
    """Rates of the two."""

    forgetting: float
    blocks: Blocks
    own_forgetting: float
    own_blocks: Blocks


def own_blocks(full: bool) -> Blocks:
    """Of the series' own: one, or the last steps, each season and the running mean apart."""
    sizes = (FEATURES,) if full else (1 + LAGS, *(PER_SEASON,) * MOST_SEASONS, 1)
    return make_blocks(*[(size, 0.02) for size in sizes])


@kernel
def learn_pooled(
    config: PooledConfig, shared: Float64, f: Float32, t: Int16, at: Layout, step: float, own: Float32, phi: Float64,
    gain: Float64, gains: Float32, stored: Stored,
) -> None:  # fmt: skip
    """Learn from the step that came (sigmas): `shared` is the pooled readout, the series' own lies at f[at.own].

    `stored` are its blocks, where they do not follow its head; `own`, `phi` (FEATURES,) are to work in.
    """
    out_of_line()
    _load_phi(t, at, own)
    for k in range(FEATURES):
        phi[k] = own[k]
    rest = step - f[at.pooled_step]
    if at.own_stride > 0:
        learn_stored_readout(f, at.own, stored, config.own_blocks, own, rest, config.own_forgetting, gains)
    else:
        learn_readout(f, at.own, config.own_blocks, own, rest, config.own_forgetting, gains)
    learn_readout(shared, 0, config.blocks, phi[:FEATURES], step, config.forgetting, gain)


@kernel
def _load_phi(t: Int16, at: Layout, phi: Float32) -> None:
    """phi (FEATURES,) as it is kept."""
    for k in range(FEATURES):
        phi[k] = t[at.own_phi + k] * UNIT


@kernel
def fill_pooled(
    z: Float64, f: Float32, t: Int16, v: UInt8, at: Layout, clock: Int64, phases: Float64, recent: Float64,
    inverse: float,
) -> None:  # fmt: skip
    """Write phi (FEATURES,) of the next event to f and keep it; phases (MOST_SEASONS, horizon + 1)."""
    out_of_line()
    o, x = 1 + LAGS, recent[0]
    fill_lags(f, 0, recent, LAGS, inverse)
    for s in range(MOST_SEASONS):
        for j in range(PER_SEASON):
            f[o + j] = 0.0
        season = clock[season_at(s)]
        if season[KIND] != NONE:
            here, there = bin_of(phases[s, 0], season[BINS]), bin_of(phases[s, 1], season[BINS])
            base, k = z[at.base] - x, place(at, season, s, there)
            if v[k] > 0:
                before = last_at(z, t, v, at, clock, s, phases[s, 1])
                level = level_at(z, t, v, at, clock, s, phases[s, 1], 0)
                f[o] = clip((before + base) * inverse, LEVEL_CLIP)
                ago = value_ago(z, t, at, s)
                if not math.isnan(ago):
                    f[o + 1] = clip((before - ago) * inverse, LAG_CLIP)
                f[o + 2] = clip(usual_step(t, at, season, s, there), LAG_CLIP)
                f[o + 3] = clip(surprise_of(t, at, s), LAG_CLIP)
                f[o + 4] = clip((level + base) * inverse, LEVEL_CLIP)
                if v[place(at, season, s, here)] > 0:
                    f[o + 5] = clip((level - level_at(z, t, v, at, clock, s, phases[s, 0], 0)) * inverse, LEVEL_CLIP)
        o += PER_SEASON
    f[o] = clip((z[at.average] - x) * inverse, LEVEL_CLIP)
    for k in range(FEATURES):
        t[at.own_phi + k] = np.int16(min(math.floor(f[k] / UNIT + 0.5), 32_767.0))
    _load_phi(t, at, f)


@kernel
def pooled_step(shared: Float64, f: Float32, at: Layout, phi: Float32) -> float:
    """The step that the pooled regression expects of phi; kept for the series' own to learn the rest."""
    step = 0.0
    for k in range(FEATURES):
        step += shared[1 + k] * phi[k]
    f[at.pooled_step] = clip(step, LEVEL_CLIP)
    return float(f[at.pooled_step])


@kernel
def own_step(config: PooledConfig, f: Float32, at: Layout, phi: Float32) -> float:
    """What the series' own adds to it."""
    return forecast_step(f, at.own, config.own_blocks, 0, phi)


@kernel
def observe_average(z: Float64, at: Layout, x: float, seen: float) -> None:
    """Move the running mean of about ten events to `x`, the `seen`th value."""
    z[at.average] += max(AVERAGE_RATE, 1.0 / max(seen, 1.0)) * (x - z[at.average])
