"""Experts for the steps beyond the first: direct forecasts, learned only from values that have arrived.

All forecast x_{t+k} - x_t in sigmas, for k = 2..H:

    joint     w_k . [1, own lags, inputs, hidden output], learned when step H of an origin has come: one phi, one P and
              one gain for all steps
    seasonal  w_k . [1, level, phase levels and running means less x_t, own lags], learned at every step's own arrival.
              Phase levels belong to the phase of t + k, so phi differs by step, but its second moments hardly: one P,
              updated with one step's phi per event, serves all steps (measured: as good as a P per step)
    level     what is usual at that phase
    profile   mean over the last period + deviation usual at that phase
    return    from here to the profile, 10 % of the way per step
    season    the step that the season's shape makes usual, from here
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, EVENTS, KIND, NONE, bin_of, season_at
from streamrnn.forecasting.experts import seasonal
from streamrnn.forecasting.inputs import FACTORS, LAG_CLIP, fill_lags, fill_periodic
from streamrnn.forecasting.layout import DEVIATION, LEVELS, PERIOD_MEAN, Layout
from streamrnn.forecasting.scaling import MEAN, SIGMA, clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

LAGS, SEASONAL_LAGS = 24, 24  # own lags of the two least squares
EXPERTS = 6
RETURN = 0.9
STEP_CLIP = 12.0  # sigmas, and one more per step: a straight line goes k steps in k steps
COMMON = 2 + 2 * LEVELS  # features of the seasonal expert before its lags


class AheadConfig(NamedTuple):
    """Settings; None where only the next step is forecast: then nothing below is compiled."""

    horizon: int
    forgetting: float
    initial_precision: float


@kernel
def learn_joint(
    config: AheadConfig | None, z: Float64, f: Float32, at: Layout, events: int, recent: Float64, phi: Float64,
    gain: Float64,
) -> None:  # fmt: skip
    """Learn from the origin H events ago, all of whose steps have come."""
    out_of_line()
    if config is None:
        return
    H, m = config.horizon, at.joint
    sigma = z[at.scale + SIGMA]
    precision = z[at.joint_precision : at.seasonal_weights]
    if precision[0] == 0.0:
        least_squares.start_precision(precision, m, config.initial_precision)
    stored = at.origins + (events % H) * m
    for k in range(m):
        phi[k] = f[stored + k]
    phi, gain = phi[:m], gain[:m]
    forgetting = config.forgetting
    q = least_squares.find_gain(precision, phi, gain)
    origin = events - 1 - H
    any_known = False
    for k in range(2, H + 1):
        if z[at.known + (origin + k) % (H + 1)] > 0.0:
            any_known = True
            w = z[at.joint_weights + (k - 2) * m : at.joint_weights + (k - 1) * m]
            y = clip((recent[H - k] - recent[H]) / sigma, STEP_CLIP + k)
            least_squares.learn_weights(w, gain, q, forgetting, y - least_squares.dot(w, phi))
    if any_known:
        least_squares.learn_precision(precision, gain, q, forgetting, config.initial_precision)


@kernel
def _fill_seasonal(
    config: AheadConfig, phi: Float64, z: Float64, at: Layout, events: int, recent: Float64, age: int, inverse: float
) -> None:
    """What an origin `age` events ago, when `events` had been seen, knows of every step: all but the levels."""
    x, means = recent[age], at.means + (events % config.horizon) * LEVELS
    phi[0] = 1.0
    phi[1] = clip((x - z[at.scale + MEAN]) * inverse, LAG_CLIP)
    for j in range(LEVELS):
        phi[2 + LEVELS + j] = clip((z[means + j] - x) * inverse, STEP_CLIP)
    for j in range(SEASONAL_LAGS):
        phi[COMMON + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)


@kernel
def _fill_levels(phi: Float64, z: Float64, x: float, levels: int, bins: int, inverse: float) -> None:
    """The levels, `bins` apart from z[levels] on, of the bin in which a step ends; -1 where there are none."""
    for j in range(LEVELS):
        phi[2 + j] = clip((z[levels + j * bins] - x) * inverse, STEP_CLIP) if levels >= 0 else 0.0


@kernel
def learn_seasonal(
    config: AheadConfig | None, z: Float64, f: Float32, at: Layout, bins: int, clock: Int64, phase: float,
    recent: Float64, phi: Float64, gain: Float64,
) -> None:  # fmt: skip
    """Learn from the newest value as step k of the origin k events ago, for every k; before `observe_levels`."""
    out_of_line()
    if config is None:
        return
    H, m, events = config.horizon, at.seasonal, clock[EVENTS]
    sigma = z[at.scale + SIGMA]
    inverse = 1.0 / sigma
    precision = z[at.seasonal_precision : at.levels]
    if precision[0] == 0.0:
        least_squares.start_precision(precision, m, config.initial_precision)
    season = clock[season_at(0)]
    b = bin_of(phase, season[BINS]) if season[KIND] != NONE else 0
    visits = f[at.visits + b]
    has_levels = season[KIND] != NONE and visits > 0
    phi, gain = phi[:m], gain[:m]
    forgetting = config.forgetting
    x = recent[0]
    # which step's phi moves P: a fixed scramble of the event number, so that it never keeps step with a season
    chosen = 2 + ((events * 40503) >> 4) % (H - 1)
    for k in range(2, min(H, events - 1) + 1):
        levels = -1
        if has_levels:
            # an origin more than one period ago saw this bin's levels before their last update
            levels = at.levels + b + (LEVELS * bins if k > season[BINS] and visits > 1 else 0)
        _fill_seasonal(config, phi, z, at, events - k, recent, k, inverse)
        _fill_levels(phi, z, recent[k], levels, bins, inverse)
        q = least_squares.find_gain(precision, phi, gain)
        w = z[at.seasonal_weights + (k - 2) * m : at.seasonal_weights + (k - 1) * m]
        y = clip((x - recent[k]) / sigma, STEP_CLIP + k)
        least_squares.learn_weights(w, gain, q, forgetting, y - least_squares.dot(w, phi))
        if k == chosen:
            least_squares.learn_precision(precision, gain, q, forgetting, config.initial_precision)


@kernel
def forecast_ahead(
    config: AheadConfig | None, z: Float64, f: Float32, at: Layout, bins: int, clock: Int64, phases: Float64,
    recent: Float64, inputs: Float64, seasons: int, harmonics: int, hidden: int, units: int, phi: Float64, out: Float64,
) -> None:  # fmt: skip
    """Write the experts' forecasts of steps 2..H to out[expert, k - 1], in sigmas.

    phases (horizon + 1,) of the first season; the networks' hidden output, `units` numbers, lies at z[hidden].
    """
    out_of_line()
    if config is None:
        return
    H, events, m = config.horizon, clock[EVENTS], at.joint
    sigma = z[at.scale + SIGMA]
    inverse = 1.0 / sigma if sigma > 0.0 else 0.0
    fill_lags(phi, 0, recent, LAGS, inverse)
    o = 1 + LAGS
    for k in range(inputs.size):
        phi[o + k] = inputs[k]
    o += inputs.size
    fill_periodic(phi, o, inputs, seasons, harmonics)
    o += 2 * FACTORS * harmonics
    for k in range(units):
        phi[o + k] = z[hidden + k]
    stored = at.origins + (events % H) * m
    for k in range(m):
        f[stored + k] = phi[k]
    joint = phi[:m]
    for k in range(2, H + 1):
        out[1, k - 1] = least_squares.dot(joint, z[at.joint_weights + (k - 2) * m : at.joint_weights + (k - 1) * m])
    season = clock[season_at(0)]
    has_season = season[KIND] != NONE
    x = recent[0]
    mean = (z[at.now + PERIOD_MEAN] - x) * inverse
    deviations = at.table + DEVIATION * bins
    here = bin_of(phases[0], season[BINS]) if has_season else 0
    rest = -(mean + z[deviations + here]) if has_season else 0.0
    m = at.seasonal
    own = phi[:m]
    _fill_seasonal(config, own, z, at, events, recent, 0, inverse)
    for k in range(2, H + 1):
        b = bin_of(phases[k], season[BINS]) if has_season else 0
        known = has_season and f[at.visits + b] > 0
        rest *= RETURN
        out[2, k - 1] = 0.0
        if inverse > 0.0:
            _fill_levels(own, z, x, at.levels + b if known else -1, bins, inverse)
            out[2, k - 1] = least_squares.dot(
                own, z[at.seasonal_weights + (k - 2) * m : at.seasonal_weights + (k - 1) * m]
            )
        profile = mean + z[deviations + b]
        out[3, k - 1] = (z[at.levels + b] - x) * inverse if known else 0.0
        out[4, k - 1] = profile if known else 0.0
        out[5, k - 1] = profile + rest if known else 0.0
        out[6, k - 1] = seasonal.step_of_season(z, f, at, bins, here, b, inverse) if known else 0.0
