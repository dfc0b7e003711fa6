"""Forecasts of the steps 2..H: direct, learned only from values that have arrived.

All are increments over the newest value x_t, in sigmas of `scaling.py`. The experts of step k:

    last value           0
    least squares        w_k . phi_k: 1; three running means; of the first season at t + k its last value, three levels
                         and its mean over a period, of the second its last value, one level and mean, all less x_t;
                         the last 8 steps; the forecast of step 1; products of two harmonics of the season with the
                         last step and with the deviations of level and mean
    joint least squares  w_k . [1, the last 24 steps, the forecast of step 1], learned when step H of an origin has come
    step 1 held          the forecast of step 1
    of each season       last value at t + k;  a level at t + k;  x_t + last value at t + k - a period ago;
                         x_t + level at t + k - level at t;  step 1 + level at t + k - level at t + 1
    running mean         the slowest
    ratio                x_t times last value at t + k over last value at t, of the first season, where all are positive
    running median       of the last 24 values
    drift                k times the mean of the last max(24, H) steps, or of 24 while there are no more

`far_regressions.py` has the least squares, `step_groups.py` the mixtures, `far_state.py` what they keep. A forecast
lies within the range seen, or no further from x_t than `BOUND` times the running root mean square of the change over k
steps, which grows with the step as the series does. (Without the range, a spike of heavy-tailed noise, which the
running change has hardly seen, was expected to stay.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import BINS, KIND, MOST_SEASONS, NONE, bin_of, season_at
from streamrnn.forecasting.experts import season_storage, season_tables
from streamrnn.forecasting.experts.far_regressions import (
    BOUND,
    Season,
    fill_features,
    fill_joint,
    learn_joint,
    learn_steps,
    look,
    origin_of,
    usual_change,
    wave_of,
    weights_of,
)
from streamrnn.forecasting.experts.far_state import (
    COUNT,
    EXPERTS,
    FEATURES,
    JOINT_FEATURES,
    KNOWN,
    LEVEL,
    MEAN,
    MEANS,
    MEANS_AT,
    ORIGIN,
    PERIOD_MEAN,
    STEP_ONE,
    WINDOW,
    AheadConfig,
    MultistepScratch,
    MultistepSeries,
)
from streamrnn.forecasting.experts.readout import Stored
from streamrnn.forecasting.experts.season_tables import MOST
from streamrnn.forecasting.layout import LEVELS, Layout
from streamrnn.forecasting.scaling import HIGH, LOW, clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.half import Halves, store_halves, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

MEAN_RATIO = 0.3
PERIOD_UNKNOWN = 24.0
FARTHEST = 1e15  # sigmas
WINDOWS = 1.0  # events over steps, by which a group and the group before it count alike
DRIFT_BOUND = 2.0  # times the running change over k steps


@kernel
def learn(
    config: AheadConfig | None, series: MultistepSeries, scratch: MultistepScratch, row: int, i: int, z: Float64,
    t: Int16, v: UInt8, at: Layout, clock: Int64, phases: Float64, recent: Float64, missing: bool, sigma: float,
) -> None:  # fmt: skip
    """Learn from one event of target `i`, before the seasons' tables do.

    Args:
        config: sizes.
        series: the state; the row changes.
        scratch: working room.
        row: of the series.
        i: the target.
        z: its numbers at `at`, with the seasons' tables.
        t: the seasons' table.
        v: visits of the tables' bins.
        at: where things lie in them.
        clock: of the series.
        phases: `(MOST_SEASONS, horizon + 1)` from the newest event on.
        recent: `(values,)` newest first, filled in where missing.
        missing: whether the newest is.
        sigma: unit of the target's scale, 0 while it has none.
    """
    out_of_line()
    if config is None:
        return
    own, far, origins = series.numbers[row, i], series.singles[row, i], series.halves[row, i]
    own[COUNT] += 1.0
    inverse = 1.0 / sigma if sigma > 0.0 else 0.0
    known = not missing and sigma > 0.0
    shorts, units, share = series.shorts[row, i], series.bytes[row, i], season_storage.rounding(z, at)
    step_groups.come(
        far[config.mixtures :], origins[config.variances :], far[config.slots :], origins[config.waiting :],
        units[config.said :], scratch.slots, EXPERTS, recent, inverse, known, share,
    )  # fmt: skip
    if known:
        stored = _stored(shorts[: config.joint_covariance], units[: config.joint_units], own[COUNT], share, scratch)
        season = Season(z, t, v, at, clock, phases)
        learn_steps(config, int(own[COUNT]), far, origins, stored, scratch, season, recent, inverse)
    if sigma > 0.0:
        units = units[config.joint_units : config.said]
        stored = _stored(shorts[config.joint_covariance :], units, own[COUNT], share, scratch)
        learn_joint(config, int(own[COUNT]), far, origins, stored, scratch, recent, inverse)


@kernel
def _stored(covariance: Int16, units: UInt8, age: float, share: float, scratch: MultistepScratch) -> Stored:
    """A regression's covariance as it is kept, with room to work in."""
    scaled = scratch.scaled
    return Stored(covariance, units, age, share, scratch.covariance, scaled[0], scaled[1], scaled[2])


@kernel
def forecast_far(
    config: AheadConfig | None, series: MultistepSeries, scratch: MultistepScratch, row: int, i: int, z: Float64,
    t: Int16, v: UInt8, at: Layout, clock: Int64, phases: Float64, recent: Float64, missing: bool, sigma: float,
    step_one: float, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Forecast the steps 2.. once the seasons' tables have seen the event; arguments besides those of `learn`:

    Args:
        step_one: forecast of the next step, original units.
        forecast: `(horizon,)`, means of steps 2.. are written.
        median: `(horizon,)`, the same for the medians.
    """
    out_of_line()
    if config is None:
        return
    own, far, origins = series.numbers[row, i], series.singles[row, i], series.halves[row, i]
    inverse = 1.0 / sigma if sigma > 0.0 else 0.0
    season = Season(z, t, v, at, clock, phases)
    _remember(config, own, origins, scratch, season, recent[0], missing, sigma, step_one)
    said = series.bytes[row, i, config.said :]
    _forecast(config, own, far, origins, said, scratch, season, recent, sigma, inverse, forecast, median)


@kernel
def _remember(
    config: AheadConfig, z: Float64, origins: Halves, scratch: MultistepScratch, season: Season, x: float,
    missing: bool, sigma: float, step_one: float,
) -> None:  # fmt: skip
    """Move the means, and keep what this event, as an origin, knows."""
    out_of_line()
    clock, at, base = season.clock, season.at, season.z[season.at.base]
    n = int(z[COUNT])
    one = clock[season_at(0)]
    rate = 1.0 / PERIOD_UNKNOWN
    if one[KIND] != NONE:
        rate = 1.0 / max(season_tables.events_of(clock, one), PERIOD_UNKNOWN)
    origin = scratch.origin
    for j in range(MEANS):
        if n == 1:
            z[MEANS_AT + j] = x
        elif not missing:
            limit = season_tables.CLIP * sigma if sigma > 0.0 else math.inf
            z[MEANS_AT + j] += max(rate, 1.0 / n) * clip(x - z[MEANS_AT + j], limit)
        rate *= MEAN_RATIO
        origin[MEAN + j] = clip(z[MEANS_AT + j] - x, MOST)
    for s in range(MOST_SEASONS):
        mean = season_storage.mean_of(season.z, season.t, at, s) + base - x
        mean = z[MEANS_AT] - x if math.isnan(mean) else mean
        origin[PERIOD_MEAN + s] = clip(mean, MOST)
    origin[LEVEL] = 0.0
    if one[KIND] != NONE:
        b = bin_of(season.phases[0, 0], one[BINS])
        if season.v[b] > 0:
            level = season_tables.level_at(season.z, season.t, season.v, at, clock, 0, season.phases[0, 0], LEVELS - 1)
            origin[LEVEL] = clip(level + base - x, MOST)
    origin[STEP_ONE] = clip(step_one - x, MOST) if math.isfinite(step_one) else 0.0
    origin[KNOWN] = 0.0 if missing else 1.0
    store_halves(origin, 0, ORIGIN, origins, config.origins + (n - 1) % (config.horizon + 1) * ORIGIN)


@kernel
def _forecast(
    config: AheadConfig, z: Float64, f: Float32, origins: Halves, said: UInt8, scratch: MultistepScratch,
    season: Season, recent: Float64, sigma: float, inverse: float, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Mix the experts of every step, and let each group of steps keep one of them until its value comes."""
    out_of_line()
    H, n, clock, phases, at = config.horizon, int(z[COUNT]), season.clock, season.phases, season.at
    x = recent[0]
    if not sigma > 0.0:
        for k in range(2, H + 1):
            forecast[k - 1] = median[k - 1] = x
        return
    _weigh(config, f, origins[config.variances :], n, scratch)
    table_one, table_two = scratch.here, scratch.next
    has_here = (
        look(season, 0, phases[0, 0], 0, 1, recent, table_one[0]),
        look(season, 1, phases[1, 0], 0, 1, recent, table_one[1]),
    )
    has_next = (
        look(season, 0, phases[0, 1], 0, 1, recent, table_two[0]),
        look(season, 1, phases[1, 1], 0, 1, recent, table_two[1]),
    )
    origin, kept = scratch.origin, origins[origin_of(config, n - 1)]
    experts, base = scratch.experts, season.z[at.base] - x
    window = max(H, WINDOW) if n > max(H, WINDOW) else WINDOW
    drift = (x - recent[window]) / window * inverse if n > window else 0.0
    usual = _median(recent, min(n, WINDOW), scratch.sorted) - x
    ago = season_storage.value_ago(season.z, season.t, at, 0) + base + x
    held = float(origin[STEP_ONE]) * inverse
    least = clip((season.z[at.scale + LOW] - x) * inverse, FARTHEST)
    most = clip((season.z[at.scale + HIGH] - x) * inverse, FARTHEST)
    phi, weights = scratch.phi[:FEATURES], scratch.weights[:FEATURES]
    joint_phi, joint_weights = scratch.joint_phi[:JOINT_FEATURES], scratch.weights[:JOINT_FEATURES]
    fill_joint(scratch, recent, whole(kept[STEP_ONE]), 0, inverse)
    for j in range(JOINT_FEATURES):
        joint_phi[j] = scratch.phi[j]
    for g in range(config.groups):
        low, high = scratch.bounds[g], scratch.bounds[g + 1]
        chosen = low + step_groups.scrambled(n, 100 + g, high - low)
        for k in range(low, high):
            has = (
                look(season, 0, phases[0, k], 0, 1, recent, scratch.seen[0]),
                look(season, 1, phases[1, k], 0, 1, recent, scratch.seen[1]),
            )
            change = usual_change(config, f, k)
            limit = BOUND * change
            wave = wave_of(clock, phases, k)
            fill_features(config, scratch, kept, recent, 0, base + x, has, wave, BOUND * max(change, 1.0), inverse)
            weights_of(config, f, config.weights, FEATURES, scratch, k)
            experts[0] = 0.0
            experts[1] = least_squares.dot(weights, phi)
            weights_of(config, f, config.joint_weights, JOINT_FEATURES, scratch, k)
            experts[2] = least_squares.dot(joint_weights, joint_phi)
            experts[3] = held
            for s in range(MOST_SEASONS):
                e = 4 + 5 * s
                for j in range(5):
                    experts[e + j] = math.nan
                if has[s]:
                    seen = scratch.seen[s]
                    level = 2 if s == 0 else 1  # the level of the middle memory
                    experts[e] = (seen[0] + base) * inverse
                    experts[e + 1] = (seen[level] + base) * inverse
                    if has_here[s]:
                        experts[e + 2] = (seen[0] - season_storage.value_ago(season.z, season.t, at, s)) * inverse
                        experts[e + 3] = (seen[level] - table_one[s, level]) * inverse
                    if has_next[s]:
                        experts[e + 4] = held + (seen[level] - table_two[s, level]) * inverse
            experts[EXPERTS - 4] = float(origin[MEAN + MEANS - 1]) * inverse
            there = scratch.seen[0, 0] + base + x
            positive = has[0] and has_here[0] and x > 0.0 and ago > 0.0 and there > 0.0
            experts[EXPERTS - 3] = x * (there / ago - 1.0) * inverse if positive else experts[6]
            experts[EXPERTS - 2] = usual * inverse
            experts[EXPERTS - 1] = clip(k * drift, DRIFT_BOUND * change)
            mean, middle, awake, roused = 0.0, 0.0, 0.0, 0.0
            for j in range(EXPERTS):
                if not math.isfinite(experts[j]):
                    experts[j] = math.nan
                    continue
                experts[j] = max(min(least, -limit), min(max(most, limit), experts[j]))
                mean += scratch.mixing[2 * g, j] * experts[j]
                middle += scratch.mixing[2 * g + 1, j] * experts[j]
                awake += scratch.mixing[2 * g, j]
                roused += scratch.mixing[2 * g + 1, j]
            mean = mean / awake if awake > 0.0 else 0.0
            middle = middle / roused if roused > 0.0 else 0.0
            forecast[k - 1], median[k - 1] = x + mean * sigma, x + scratch.shares[g] * middle * sigma
            if k == chosen:
                waiting = origins[config.waiting :]
                for place in range(scratch.slots[g], scratch.slots[g + 1]):
                    if waiting[place * step_groups.WAITING + step_groups.LEFT] == 0:
                        step_groups.wait(f[config.slots :], waiting, said, place, k, mean, middle, experts)
                        break


@kernel
def _median(recent: Float64, count: int, room: Float64) -> float:
    """Median of the newest `count` values, sorted into `room`."""
    for i in range(count):
        value, j = recent[i], i
        while j > 0 and room[j - 1] > value:
            room[j] = room[j - 1]
            j -= 1
        room[j] = value
    return float(0.5 * (room[(count - 1) // 2] + room[count // 2]))


@kernel
def _weigh(config: AheadConfig, f: Float32, variances: Halves, n: int, scratch: MultistepScratch) -> None:
    """Weights of every group's two mixtures after n events.

    Forecasts of k steps overlap, so n events hold n / k that tell something new. With few of these a group keeps to the
    weights of the group before, whose steps are shorter (measured with 0, 1, 2, 5 and 20 `WINDOWS`).
    """
    size, group = step_groups.size_of(EXPERTS), step_groups.group_size(EXPERTS)
    for a in range(2 * config.groups):
        at = config.mixtures + a // 2 * group + a % 2 * size
        spread = variances[a * EXPERTS : (a + 1) * EXPERTS]
        if not step_groups.weigh(f[at : at + size], spread, EXPERTS, scratch.prior, scratch.mixing[a]):
            for j in range(EXPERTS):
                scratch.mixing[a, j] = scratch.mixing[a - 2, j] if a >= 2 else (1.0 if j == 0 else 0.0)
        elif a >= 2:
            far = float(scratch.bounds[a // 2 + 1] - 1)
            own = max(n - far, 0.0) / (max(n - far, 0.0) + WINDOWS * far)
            for j in range(EXPERTS):
                scratch.mixing[a, j] = own * scratch.mixing[a, j] + (1.0 - own) * scratch.mixing[a - 2, j]
    for g in range(config.groups):
        at = config.mixtures + g * group + 2 * size
        scratch.shares[g] = step_groups.share(f[at : at + step_groups.SHARES])
