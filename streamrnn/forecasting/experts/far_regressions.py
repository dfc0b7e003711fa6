"""The least squares of the steps 2..H: their features, their weights at knots, and how they learn.

Phi of one step is nearly phi of another, so all steps share one P, which one step's phi moves per event. A state of
bounded size: beyond `KNOTS` steps weights lie at knots spaced by logarithms with the rest interpolated, and an event
teaches one step (by a fixed scramble) of every knot.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import BY_TIME, DAY, KIND, MOST_SEASONS, NONE, PERIOD, season_at
from streamrnn.forecasting.experts import season_tables
from streamrnn.forecasting.experts.far_state import (
    FEATURES,
    HARMONICS,
    JOINT_FEATURES,
    JOINT_LAGS,
    KNOWN,
    LAGS,
    LEVEL,
    MEAN,
    MEANS,
    ORIGIN,
    PERIOD_MEAN,
    STEP_ONE,
    WAVES,
    AheadConfig,
    MultistepScratch,
)
from streamrnn.forecasting.experts.readout import (
    Stored,
    find_loaded_gains,
    learn_stored_blocks,
    load_stored,
    start_stored,
)
from streamrnn.forecasting.experts.season_tables import LEVELS_OF
from streamrnn.forecasting.layout import Layout
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.half import Halves, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

BOUND = 8.0
LEAST_CHANGE = 0.5  # sigmas
LAG_CLIP = 6.0
STEP_ONE_CLIP = 8.0
ERROR_CLIP = 4.0


class Season(NamedTuple):
    """What a target's seasons are read from."""

    z: Float64
    t: Int16
    v: UInt8
    at: Layout
    clock: Int64
    phases: Float64


@kernel
def _back(k: int, events: int) -> int:
    """Visits of a phase that lie between an origin and the value k events after it."""
    return (k - 1) // events


@kernel
def fill_features(
    config: AheadConfig, scratch: MultistepScratch, origin: Halves, recent: Float64, age: int, base: float,
    has: tuple[bool, bool], wave: int, limit: float, inverse: float,
) -> None:  # fmt: skip
    """Phi of a step from the origin `age` events ago.

    scratch.seen holds the seasons' last values and levels at the step's phase, less `base`.
    """
    phi, x = scratch.phi, recent[age]
    phi[0] = 1.0
    for j in range(MEANS):
        phi[1 + j] = clip(whole(origin[MEAN + j]) * inverse, limit)
    o = 1 + MEANS
    fallback = phi[o - 1]
    for s in range(MOST_SEASONS):
        count = 1 + LEVELS_OF[s]
        for j in range(count):
            phi[o + j] = clip((scratch.seen[s, j] + base - x) * inverse, limit) if has[s] else fallback
        if has[s]:
            fallback = phi[o]
        o += count
        phi[o] = clip(whole(origin[PERIOD_MEAN + s]) * inverse, limit)
        o += 1
    for j in range(LAGS):
        phi[o + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)
    last = phi[o]
    o += LAGS
    phi[o] = clip(whole(origin[STEP_ONE]) * inverse, STEP_ONE_CLIP)
    o += 1
    if wave >= 0:
        level, mean = clip(whole(origin[LEVEL]) * inverse, limit), phi[1]
        for h in range(2 * HARMONICS):
            w = scratch.waves[wave, h]
            phi[o] = w
            phi[o + 1] = w * last
            phi[o + 2] = w * level
            phi[o + 3] = w * mean
            o += 4
    else:
        for j in range(8 * HARMONICS):
            phi[o + j] = 0.0


@kernel
def wave_of(clock: Int64, phases: Float64, k: int) -> int:
    """Row of the table of waves at the first season's phase of step k, -1: such a season has none (a year's harm)."""
    season = clock[season_at(0)]
    if season[KIND] == NONE or (season[KIND] == BY_TIME and season[PERIOD] != DAY):
        return -1
    return int(phases[0, k] * WAVES) % WAVES


@kernel
def weights_of(config: AheadConfig, f: Float32, at: int, m: int, scratch: MultistepScratch, k: int) -> None:
    """scratch.weights = the weights of step k, interpolated between knots."""
    j, share = scratch.below[k], np.float32(scratch.share[k])
    first = at + j * m
    if share == 0.0:
        for i in range(m):
            scratch.weights[i] = f[first + i]
    else:
        for i in range(m):
            scratch.weights[i] = f[first + i] + share * (f[first + m + i] - f[first + i])


@kernel
def _learn_weights(
    config: AheadConfig, f: Float32, at: int, m: int, scratch: MultistepScratch, k: int, rate: float
) -> None:
    """w_k += rate gain, by moving the knots beside step k."""
    if not math.isfinite(rate):
        return
    j, share = scratch.below[k], scratch.share[k]
    first = at + j * m
    if share == 0.0:
        for i in range(m):
            f[first + i] += np.float32(rate * scratch.gain[i])
        return
    norm = (1.0 - share) * (1.0 - share) + share * share
    one, two = rate * (1.0 - share) / norm, rate * share / norm
    for i in range(m):
        f[first + i] += np.float32(one * scratch.gain[i])
        f[first + m + i] += np.float32(two * scratch.gain[i])


@kernel
def usual_change(config: AheadConfig, f: Float32, k: int) -> float:
    """Running root mean square of the change over k steps, sigmas, at least LEAST_CHANGE."""
    change = float(f[config.changes + k])
    return max(math.sqrt(change), LEAST_CHANGE) if change > 0.0 else math.sqrt(k)


@kernel
def learn_steps(
    config: AheadConfig, n: int, f: Float32, origins: Halves, stored: Stored, scratch: MultistepScratch,
    season: Season, recent: Float64, inverse: float,
) -> None:  # fmt: skip
    """Learn from the newest value as step k of the origin k events ago; before tables and origins move on."""
    out_of_line()
    H, m, clock, phases = config.horizon, FEATURES, season.clock, season.phases
    base = season.z[season.at.base]
    x = recent[0]
    most = min(H, n - 1)
    for k in range(1, most + 1):
        change = float(f[config.changes + k])
        e = (x - recent[k]) * inverse
        e = min(e * e, 1e30)
        if change > 0.0 and n - k > 20:
            e = min(e, 36.0 * change)
        f[config.changes + k] = change + max(1.0 / (n - k), 0.001) * (e - change)
    if stored.units[0] == 0:
        start_stored(stored, config.blocks)
    load_stored(stored)
    chosen = step_groups.scrambled(n, 0, config.knots)
    wave = wave_of(clock, phases, 0)
    phi, gain, weights = scratch.phi[:m], scratch.gain[:m], scratch.weights[:m]
    one, two = clock[season_at(0)], clock[season_at(1)]
    events_one, events_two = season_tables.events_of(clock, one), season_tables.events_of(clock, two)
    for knot in range(config.knots):
        low, high = scratch.knots[knot], min(scratch.knots[knot + 1], H + 1)
        k = low if high - low <= 1 else low + step_groups.scrambled(n, 1 + knot, high - low)
        if k >= n:
            break
        origin = origins[origin_of(config, n - 1 - k)]
        has = (
            look(season, 0, phases[0, 0], _back(k, events_one), events_one, recent, scratch.seen[0]),
            look(season, 1, phases[1, 0], _back(k, events_two), events_two, recent, scratch.seen[1]),
        )
        change = usual_change(config, f, k)
        fill_features(config, scratch, origin, recent, k, base, has, wave, BOUND * max(change, 1.0), inverse)
        q = find_loaded_gains(stored, config.blocks, phi, gain)
        weights_of(config, f, config.weights, m, scratch, k)
        error = clip((x - recent[k]) * inverse, BOUND * change) - least_squares.dot(weights, phi)
        variance = float(f[config.errors + knot])
        if variance > 0.0:
            error = clip(error, ERROR_CLIP * math.sqrt(variance) + 1e-6)
        f[config.errors + knot] = variance + max(0.01, 1.0 / (n - k)) * (error * error - variance)
        _learn_weights(config, f, config.weights, m, scratch, k, error / (config.forgetting + q))
        if knot == chosen:
            learn_stored_blocks(stored, config.blocks, config.forgetting)
            load_stored(stored)


@kernel
def look(season: Season, s: int, phase: float, back: int, events: int, recent: Float64, out: Float64) -> bool:
    """Last value and levels of season `s` at `phase`, as they were `back` visits ago; whether there were any."""
    return season_tables.seen(
        season.z, season.t, season.v, season.at, season.clock, s, phase, back, recent, events, out
    )


@kernel
def origin_of(config: AheadConfig, number: int) -> slice:
    """Where the origin of that number keeps what it knew."""
    at = config.origins + number % (config.horizon + 1) * ORIGIN
    return slice(at, at + ORIGIN)


@kernel
def learn_joint(
    config: AheadConfig, n: int, f: Float32, origins: Halves, stored: Stored, scratch: MultistepScratch,
    recent: Float64, inverse: float,
) -> None:  # fmt: skip
    """Learn from the origin H events ago, all of whose steps have come: one phi and one gain for all of them."""
    out_of_line()
    H, m = config.horizon, JOINT_FEATURES
    if n <= H + 1:
        return
    if stored.units[0] == 0:
        start_stored(stored, config.joint_blocks)
    load_stored(stored)
    fill_joint(scratch, recent, whole(origins[origin_of(config, n - 1 - H)][STEP_ONE]), H, inverse)
    phi, gain, weights = scratch.phi[:m], scratch.gain[:m], scratch.weights[:m]
    q = find_loaded_gains(stored, config.joint_blocks, phi, gain)
    any_known = False
    for knot in range(config.knots):
        k = scratch.knots[knot]
        if k < H and whole(origins[origin_of(config, n - 1 - H + k)][KNOWN]) == 0.0:
            continue
        any_known = True
        weights_of(config, f, config.joint_weights, m, scratch, k)
        error = clip((recent[H - k] - recent[H]) * inverse, BOUND * usual_change(config, f, k))
        error -= least_squares.dot(weights, phi)
        at = config.errors + config.knots + knot
        variance = float(f[at])
        if variance > 0.0:
            error = clip(error, ERROR_CLIP * math.sqrt(variance) + 1e-6)
        f[at] = variance + max(0.01, 1.0 / (n - H)) * (error * error - variance)
        _learn_weights(config, f, config.joint_weights, m, scratch, k, error / (config.forgetting + q))
    if any_known:
        learn_stored_blocks(stored, config.joint_blocks, config.forgetting)


@kernel
def fill_joint(scratch: MultistepScratch, recent: Float64, step_one: float, age: int, inverse: float) -> None:
    """Phi of the joint regression, from the origin `age` events ago."""
    phi = scratch.phi
    phi[0] = 1.0
    for j in range(JOINT_LAGS):
        phi[1 + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)
    phi[1 + JOINT_LAGS] = clip(step_one * inverse, STEP_ONE_CLIP)
