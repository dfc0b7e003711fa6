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

Phi of one step is nearly phi of another, so all steps share one P, which one step's phi moves per event. A state of
bounded size: beyond `KNOTS` steps weights lie at knots spaced by logarithms with the rest interpolated, and an event
teaches one step (by a fixed scramble) of every knot. No forecast lies further from x_t than `BOUND` times the running
root mean square of the change over k steps, which grows with the step as the series does.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import (
    BY_TIME,
    DAY,
    KIND,
    MOST_SEASONS,
    NONE,
    PERIOD,
    bin_of,
    phase_after,
    season_at,
)
from streamrnn.forecasting.experts import season_tables
from streamrnn.forecasting.experts.season_tables import LEVELS, MOST_BINS
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

KNOTS: Final = 24
LAGS: Final = 8
JOINT_LAGS: Final = 24
HARMONICS: Final = 2
MEANS: Final = 3
MEAN_RATIO = 0.3
PERIOD_UNKNOWN = 24.0
FEATURES: Final = 1 + MEANS + 2 + LEVELS[0] + 2 + LEVELS[1] + LAGS + 1 + 8 * HARMONICS
JOINT_FEATURES: Final = 1 + JOINT_LAGS + 1
EXPERTS: Final = 4 + 5 * MOST_SEASONS + 4
WINDOW: Final = 24  # values of the drift and of the running median
BOUND = 8.0
LEAST_CHANGE = 0.5  # sigmas
LAG_CLIP = 6.0
STEP_ONE_CLIP = 8.0
ERROR_CLIP = 4.0
SUSTAINED = 8  # values that must be so far away
REBASE = 30_000.0  # sigmas between the series and the base of its tables
MOST = 1e15
DRIFT_BOUND = 2.0  # times the running change over k steps
WAVES: Final = 512

# What an origin keeps of what it saw, besides its values, in original units less its value.
STEP_ONE: Final = 0
MEAN: Final = 1  # MEANS
PERIOD_MEAN: Final = 4  # of both seasons
LEVEL: Final = 6  # slowest level of the first season
KNOWN: Final = 7
ORIGIN: Final = 8
# Numbers (doubles): events since the first value, base of the tables, then
COUNT: Final = 0
BASE: Final = 1
MEANS_AT: Final = 2
SEASONS_AT: Final = 5
RING_AT: Final = SEASONS_AT + MOST_SEASONS * season_tables.NUMBERS


class AheadConfig(NamedTuple):
    """Settings; None where only the next step is forecast: then nothing below is compiled."""

    horizon: int
    knots: int
    groups: int
    values: int  # of the ring
    forgetting: float
    initial_covariance: float
    # offsets into the singles
    tables: int
    origins: int
    changes: int
    errors: int
    weights: int
    covariance: int
    joint_weights: int
    joint_covariance: int
    mixtures: int
    slots: int
    singles: int


class MultistepSeries(NamedTuple):
    """State per series and target."""

    numbers: Float64  # (rows, targets, RING_AT + values)
    singles: Float32  # (rows, targets, AheadConfig.singles)


class MultistepScratch(NamedTuple):
    """Working room and constants."""

    knots: Int64  # (knots + 1,) first step of each knot's interval, and H + 1
    below: Int64  # (horizon + 1,) the knot at or below a step
    share: Float64  # (horizon + 1,) how far the step is on the way to the next
    bounds: Int64  # (groups + 1,) first step of every group of steps
    slots: Int64  # (groups + 1,)
    waves: Float64  # (WAVES, 2 HARMONICS)
    recent: Float64  # (values,) newest first
    phi: Float32
    joint_phi: Float32
    gain: Float32
    weights: Float32
    seen: Float64  # (MOST_SEASONS, 1 + LEVELS)
    here: Float64
    next: Float64
    experts: Float64  # (EXPERTS,)
    sorted: Float64  # (WINDOW,)
    mixing: Float64  # (2 groups, EXPERTS)


def ahead_config(horizon: int) -> AheadConfig | None:
    """Sizes that follow from the horizon."""
    if horizon < 2:
        return None
    knots, bounds = min(KNOTS, horizon - 1), step_groups.group_bounds(horizon)
    sizes = {
        "tables": season_tables.table_size(0) + season_tables.table_size(1),
        "origins": (horizon + 1) * ORIGIN,
        "changes": horizon + 1,
        "errors": 2 * knots,
        "weights": knots * FEATURES,
        "covariance": least_squares.packed_size(FEATURES),
        "joint_weights": knots * JOINT_FEATURES,
        "joint_covariance": least_squares.packed_size(JOINT_FEATURES),
        "mixtures": 2 * (len(bounds) - 1) * step_groups.mixture_size(EXPERTS),
        "slots": int(step_groups.slots_of(bounds)[-1]) * (step_groups.SLOT + EXPERTS),
    }
    at, offset = {}, 0
    for name, size in sizes.items():
        at[name] = offset
        offset += -(-size // 16) * 16
    return AheadConfig(horizon, knots, len(bounds) - 1, horizon + JOINT_LAGS + 2, 0.9996, 0.05, **at, singles=offset)


def allocate(config: AheadConfig | None, rows: int, targets: int) -> tuple[MultistepSeries, MultistepScratch]:
    """State of `rows` new series, and working room."""
    if config is None:
        empty = MultistepSeries(np.zeros((rows, targets, 0)), np.zeros((rows, targets, 0), np.float32))
        horizon, knots, groups, values = 1, 1, 1, 1
    else:
        horizon, knots, groups, values = config.horizon, config.knots, config.groups, config.values
        empty = MultistepSeries(
            np.zeros((rows, targets, RING_AT + values)), np.zeros((rows, targets, config.singles), np.float32)
        )
    at = knot_steps(horizon, knots)
    below = np.clip(np.searchsorted(at, np.arange(horizon + 1), "right") - 1, 0, knots - 1)
    above = np.minimum(below + 1, knots - 1)
    width = np.maximum(at[above] - at[below], 1)
    angle = 2 * np.pi * np.arange(WAVES) / WAVES
    bounds = step_groups.group_bounds(horizon) if config else np.array([2, 2])
    return empty, MultistepScratch(
        knots=np.append(at, horizon + 1).astype(np.int64),
        below=below.astype(np.int64),
        share=np.clip((np.arange(horizon + 1) - at[below]) / width, 0.0, 1.0),
        bounds=bounds.astype(np.int64),
        slots=step_groups.slots_of(bounds),
        waves=np.stack([f(h * angle) for h in range(1, HARMONICS + 1) for f in (np.sin, np.cos)], axis=1),
        recent=np.zeros(values),
        phi=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        joint_phi=np.zeros(JOINT_FEATURES, np.float32),
        gain=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        weights=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        seen=np.zeros((MOST_SEASONS, 1 + max(LEVELS))),
        here=np.zeros((MOST_SEASONS, 1 + max(LEVELS))),
        next=np.zeros((MOST_SEASONS, 1 + max(LEVELS))),
        experts=np.zeros(EXPERTS),
        sorted=np.zeros(WINDOW),
        mixing=np.zeros((2 * groups, EXPERTS)),
    )


def knot_steps(horizon: int, knots: int) -> NDArray[np.int64]:
    """The steps that have weights of their own: all from 2 on, or `knots` of them spaced by logarithms."""
    steps = [2]
    while len(steps) < knots:
        left = knots - len(steps)
        ratio = (max(horizon, 2) / steps[-1]) ** (1 / left)
        steps.append(max(steps[-1] + 1, round(steps[-1] * ratio)))
    return np.array(steps, np.int64)


@kernel
def observe(
    config: AheadConfig | None, series: MultistepSeries, scratch: MultistepScratch, row: int, i: int, clock: Int64,
    offsets: Int64, phases: Float64, changed: int, x: float, missing: bool, sigma: float, step_one: float,
    forecast: Float64,
    median: Float64,
) -> None:  # fmt: skip
    """Learn from one event of target `i`, then forecast.

    Args:
        config: sizes.
        series: the state; the row changes.
        scratch: working room.
        row: of the series.
        i: the target.
        clock: of the series.
        offsets: table of local time, see `calendar.py`.
        phases: `(MOST_SEASONS, horizon + 1)` from the newest event on.
        changed: bit s: season s is another than before.
        x: the newest value, filled in where missing.
        missing: whether it was.
        sigma: unit of the target's scale, 0 while it has none.
        step_one: forecast of the next step, original units.
        forecast: `(horizon,)`, means of steps 2.. are written.
        median: `(horizon,)`, the same for the medians.
    """
    out_of_line()
    if config is None:
        return
    z, f = series.numbers[row, i], series.singles[row, i]
    recent = scratch.recent
    _put(config, z, x, recent)
    inverse = 1.0 / sigma if sigma > 0.0 else 0.0
    _move_base(config, z, f, recent, x, sigma)
    if changed:
        for s in range(MOST_SEASONS):
            if changed >> s & 1:
                _replay(config, z, f, clock, offsets, s, recent, sigma)
    known = not missing and sigma > 0.0
    slots = f[config.slots : config.singles]
    step_groups.come(f[config.mixtures :], slots, scratch.slots, EXPERTS, recent, inverse, known)
    if known:
        _learn(config, z, f, scratch, clock, phases, sigma, inverse)
    if sigma > 0.0:
        _learn_joint(config, z, f, scratch, inverse)
    _remember(config, z, f, clock, phases, x, missing, sigma, step_one)
    _forecast(config, z, f, scratch, clock, phases, sigma, inverse, step_one, forecast, median)


@kernel
def _season(s: int) -> slice:
    """Where the numbers of season `s` lie."""
    return slice(SEASONS_AT + s * season_tables.NUMBERS, SEASONS_AT + (s + 1) * season_tables.NUMBERS)


@kernel
def _table(config: AheadConfig, s: int) -> slice:
    """Where the table of season `s` lies."""
    first = config.tables if s == 0 else config.tables + (2 + LEVELS[0]) * MOST_BINS[0]
    return slice(first, first + (2 + LEVELS[s]) * MOST_BINS[s])


@kernel
def _put(config: AheadConfig, z: Float64, x: float, recent: Float64) -> None:
    """Put the value into the ring and copy that to `recent`, newest first."""
    size, n = config.values, int(z[COUNT])
    if n == 0:
        for j in range(size):
            z[RING_AT + j] = x
        z[BASE] = x
    z[RING_AT + n % size] = x
    z[COUNT] = n + 1.0
    newest = n % size
    for j in range(newest + 1):
        recent[j] = z[RING_AT + newest - j]
    for j in range(newest + 1, size):
        recent[j] = z[RING_AT + size + newest - j]


@kernel
def _move_base(config: AheadConfig, z: Float64, f: Float32, recent: Float64, x: float, sigma: float) -> None:
    """Let the base follow a series that has gone far away, not one spike."""
    far, near = REBASE * sigma, math.inf
    for j in range(SUSTAINED):
        near = min(near, abs(recent[j] - z[BASE]))
    by = x - z[BASE]
    if sigma > 0.0 and near > far and abs(by) < MOST * sigma:
        z[BASE] = x
        for s in range(MOST_SEASONS):
            season_tables.shift(z[_season(s)], f[_table(config, s)], MOST_BINS[s], LEVELS[s], by)


@kernel
def _replay(
    config: AheadConfig, z: Float64, f: Float32, clock: Int64, offsets: Int64, s: int, recent: Float64, sigma: float
) -> None:
    """Fill the table of season `s`, which is another than before, from the ring; the newest value comes later."""
    season, numbers, table = clock[season_at(s)], z[_season(s)], f[_table(config, s)]
    season_tables.forget(numbers, table)
    if season[KIND] == NONE:
        return
    events = season_tables.events_of(clock, season)
    for age in range(min(int(z[COUNT]), recent.size) - 1, 0, -1):
        season_tables.observe(
            numbers, table, season, MOST_BINS[s], LEVELS[s], events, phase_after(clock, season, -age, offsets),
            recent[age] - z[BASE], sigma,
        )  # fmt: skip


@kernel
def _back(k: int, events: int) -> int:
    """Visits of a phase that lie between an origin and the value k events after it."""
    return (k - 1) // events


@kernel
def _fill(
    config: AheadConfig, scratch: MultistepScratch, origin: Float32, age: int, x: float, base: float,
    has: tuple[bool, bool], wave: int, limit: float, inverse: float,
) -> None:  # fmt: skip
    """Phi of a step from the origin `age` events ago whose value is `x`.

    scratch.seen holds the seasons' last values and levels at the step's phase, original units.
    """
    phi, recent = scratch.phi, scratch.recent
    phi[0] = 1.0
    for j in range(MEANS):
        phi[1 + j] = clip(float(origin[MEAN + j]) * inverse, limit)
    o = 1 + MEANS
    fallback = phi[o - 1]
    for s in range(MOST_SEASONS):
        count = 1 + LEVELS[s]
        for j in range(count):
            phi[o + j] = clip((scratch.seen[s, j] + base - x) * inverse, limit) if has[s] else fallback
        if has[s]:
            fallback = phi[o]
        o += count
        phi[o] = clip(float(origin[PERIOD_MEAN + s]) * inverse, limit)
        o += 1
    for j in range(LAGS):
        phi[o + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)
    last = phi[o]
    o += LAGS
    phi[o] = clip(float(origin[STEP_ONE]) * inverse, STEP_ONE_CLIP)
    o += 1
    if wave >= 0:
        level, mean = clip(float(origin[LEVEL]) * inverse, limit), phi[1]
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
def _wave(clock: Int64, phases: Float64, k: int) -> int:
    """Row of the table of waves at the first season's phase of step k, -1: such a season has none (a year's harm)."""
    season = clock[season_at(0)]
    if season[KIND] == NONE or (season[KIND] == BY_TIME and season[PERIOD] != DAY):
        return -1
    return int(phases[0, k] * WAVES) % WAVES


@kernel
def _weights_of(config: AheadConfig, f: Float32, at: int, m: int, scratch: MultistepScratch, k: int) -> None:
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
def _bounded(config: AheadConfig, f: Float32, k: int) -> float:
    """Running root mean square of the change over k steps, sigmas, at least LEAST_CHANGE."""
    change = float(f[config.changes + k])
    return max(math.sqrt(change), LEAST_CHANGE) if change > 0.0 else math.sqrt(k)


@kernel
def _learn(
    config: AheadConfig, z: Float64, f: Float32, scratch: MultistepScratch, clock: Int64, phases: Float64,
    sigma: float, inverse: float,
) -> None:  # fmt: skip
    """Learn from the newest value as step k of the origin k events ago; before tables and origins move on."""
    out_of_line()
    H, m, n, recent = config.horizon, FEATURES, int(z[COUNT]), scratch.recent
    x = recent[0]
    most = min(H, n - 1)
    for k in range(1, most + 1):
        change = float(f[config.changes + k])
        e = (x - recent[k]) * inverse
        e = min(e * e, 1e30)
        if change > 0.0 and n - k > 20:
            e = min(e, 36.0 * change)
        f[config.changes + k] = change + max(1.0 / (n - k), 0.001) * (e - change)
    covariance = f[config.covariance : config.covariance + m * (m + 1) // 2]
    if not covariance[0] > 0.0:
        least_squares.start_covariance(covariance, m, config.initial_covariance)
    chosen = step_groups.scrambled(n, 0, config.knots)
    wave = _wave(clock, phases, 0)
    phi, gain, weights = scratch.phi[:m], scratch.gain[:m], scratch.weights[:m]
    one, two = clock[season_at(0)], clock[season_at(1)]
    events_one, events_two = season_tables.events_of(clock, one), season_tables.events_of(clock, two)
    for knot in range(config.knots):
        low, high = scratch.knots[knot], min(scratch.knots[knot + 1], H + 1)
        k = low if high - low <= 1 else low + step_groups.scrambled(n, 1 + knot, high - low)
        if k >= n:
            break
        origin = f[_origin(config, n - 1 - k)]
        has = (
            _look(config, z, f, one, 0, phases[0, 0], _back(k, events_one), events_one, recent, scratch.seen[0]),
            _look(config, z, f, two, 1, phases[1, 0], _back(k, events_two), events_two, recent, scratch.seen[1]),
        )
        change = _bounded(config, f, k)
        _fill(config, scratch, origin, k, recent[k], z[BASE], has, wave, BOUND * max(change, 1.0), inverse)
        q = least_squares.find_gain(covariance, phi, gain)
        _weights_of(config, f, config.weights, m, scratch, k)
        error = clip((x - recent[k]) * inverse, BOUND * change) - least_squares.dot(weights, phi)
        variance = float(f[config.errors + knot])
        if variance > 0.0:
            error = clip(error, ERROR_CLIP * math.sqrt(variance) + 1e-6)
        f[config.errors + knot] = variance + max(0.01, 1.0 / (n - k)) * (error * error - variance)
        _learn_weights(config, f, config.weights, m, scratch, k, error / (config.forgetting + q))
        if knot == chosen:
            least_squares.learn_covariance(covariance, gain, q, config.forgetting, config.initial_covariance)


@kernel
def _look(
    config: AheadConfig, z: Float64, f: Float32, season: Int64, s: int, phase: float, back: int, events: int,
    recent: Float64, out: Float64,
) -> bool:  # fmt: skip
    """Last value and levels of season `s` at `phase`, as they were `back` visits ago; whether there were any."""
    if season[KIND] == NONE:
        return False
    b = bin_of(phase, season_tables.bins_used(season, MOST_BINS[s]))
    return season_tables.seen(f[_table(config, s)], MOST_BINS[s], LEVELS[s], b, back, recent, events, z[BASE], out)


@kernel
def _origin(config: AheadConfig, number: int) -> slice:
    """Where the origin of that number keeps what it knew."""
    at = config.origins + number % (config.horizon + 1) * ORIGIN
    return slice(at, at + ORIGIN)


@kernel
def _learn_joint(config: AheadConfig, z: Float64, f: Float32, scratch: MultistepScratch, inverse: float) -> None:
    """Learn from the origin H events ago, all of whose steps have come: one phi and one gain for all of them."""
    out_of_line()
    H, m, n, recent = config.horizon, JOINT_FEATURES, int(z[COUNT]), scratch.recent
    if n <= H + 1:
        return
    covariance = f[config.joint_covariance : config.joint_covariance + m * (m + 1) // 2]
    if not covariance[0] > 0.0:
        least_squares.start_covariance(covariance, m, config.initial_covariance)
    _fill_joint(scratch, f[_origin(config, n - 1 - H)], H, inverse)
    phi, gain, weights = scratch.phi[:m], scratch.gain[:m], scratch.weights[:m]
    q = least_squares.find_gain(covariance, phi, gain)
    any_known = False
    for knot in range(config.knots):
        k = scratch.knots[knot]
        if k < H and f[_origin(config, n - 1 - H + k)][KNOWN] == 0.0:
            continue
        any_known = True
        _weights_of(config, f, config.joint_weights, m, scratch, k)
        error = clip((recent[H - k] - recent[H]) * inverse, BOUND * _bounded(config, f, k))
        error -= least_squares.dot(weights, phi)
        at = config.errors + config.knots + knot
        variance = float(f[at])
        if variance > 0.0:
            error = clip(error, ERROR_CLIP * math.sqrt(variance) + 1e-6)
        f[at] = variance + max(0.01, 1.0 / (n - H)) * (error * error - variance)
        _learn_weights(config, f, config.joint_weights, m, scratch, k, error / (config.forgetting + q))
    if any_known:
        least_squares.learn_covariance(covariance, gain, q, config.forgetting, config.initial_covariance)


@kernel
def _fill_joint(scratch: MultistepScratch, origin: Float32, age: int, inverse: float) -> None:
    phi, recent = scratch.phi, scratch.recent
    phi[0] = 1.0
    for j in range(JOINT_LAGS):
        phi[1 + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)
    phi[1 + JOINT_LAGS] = clip(float(origin[STEP_ONE]) * inverse, STEP_ONE_CLIP)


@kernel
def _remember(
    config: AheadConfig, z: Float64, f: Float32, clock: Int64, phases: Float64, x: float, missing: bool, sigma: float,
    step_one: float,
) -> None:  # fmt: skip
    """Move means and tables, and keep what this event, as an origin, knows."""
    out_of_line()
    n = int(z[COUNT])
    one = clock[season_at(0)]
    rate = 1.0 / PERIOD_UNKNOWN
    if one[KIND] != NONE:
        rate = 1.0 / max(season_tables.events_of(clock, one), PERIOD_UNKNOWN)
    origin = f[_origin(config, n - 1)]
    for j in range(MEANS):
        at = MEANS_AT + j
        if n == 1:
            z[at] = x
        elif not missing:
            limit = season_tables.CLIP * sigma if sigma > 0.0 else math.inf
            z[at] += max(rate, 1.0 / n) * clip(x - z[at], limit)
        rate *= MEAN_RATIO
        origin[MEAN + j] = clip(z[at] - x, MOST)
    for s in range(MOST_SEASONS):
        season, numbers = clock[season_at(s)], z[_season(s)]
        if season[KIND] != NONE and not missing:
            season_tables.observe(
                numbers, f[_table(config, s)], season, MOST_BINS[s], LEVELS[s], season_tables.events_of(clock, season),
                phases[s, 0], x - z[BASE], sigma,
            )  # fmt: skip
        mean = (
            z[BASE] - x + numbers[season_tables.SUM] / numbers[season_tables.FILLED]
            if (numbers[season_tables.FILLED] > 0)
            else z[MEANS_AT] - x
        )
        origin[PERIOD_MEAN + s] = clip(mean, MOST)
    origin[LEVEL] = 0.0
    if one[KIND] != NONE:
        most = MOST_BINS[0]
        b = bin_of(phases[0, 0], season_tables.bins_used(one, most))
        table = f[_table(config, 0)]
        if table[(1 + LEVELS[0]) * most + b] > 0:
            origin[LEVEL] = clip(float(table[LEVELS[0] * most + b]) + z[BASE] - x, MOST)
    origin[STEP_ONE] = clip(step_one - x, MOST) if math.isfinite(step_one) else 0.0
    origin[KNOWN] = 0.0 if missing else 1.0


@kernel
def _forecast(
    config: AheadConfig, z: Float64, f: Float32, scratch: MultistepScratch, clock: Int64, phases: Float64,
    sigma: float, inverse: float, step_one: float, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Mix the experts of every step, and let each group of steps keep one of them until its value comes."""
    out_of_line()
    H, n, recent = config.horizon, int(z[COUNT]), scratch.recent
    x = recent[0]
    if not sigma > 0.0:
        for k in range(2, H + 1):
            forecast[k - 1] = median[k - 1] = x
        return
    _weigh(config, f, scratch)
    one, two = clock[season_at(0)], clock[season_at(1)]
    table_one, table_two = scratch.here, scratch.next
    has_here = (
        _look(config, z, f, one, 0, phases[0, 0], 0, 1, recent, table_one[0]),
        _look(config, z, f, two, 1, phases[1, 0], 0, 1, recent, table_one[1]),
    )
    has_next = (
        _look(config, z, f, one, 0, phases[0, 1], 0, 1, recent, table_two[0]),
        _look(config, z, f, two, 1, phases[1, 1], 0, 1, recent, table_two[1]),
    )
    origin = f[_origin(config, n - 1)]
    experts, base = scratch.experts, z[BASE] - x
    window = max(H, WINDOW) if n > max(H, WINDOW) else WINDOW
    drift = (x - recent[window]) / window * inverse if n > window else 0.0
    usual = _median(recent, min(n, WINDOW), scratch.sorted) - x
    ago = z[_season(0)][season_tables.AGO] + z[BASE]
    held = float(origin[STEP_ONE]) * inverse
    phi, weights = scratch.phi[:FEATURES], scratch.weights[:FEATURES]
    joint_phi, joint_weights = scratch.joint_phi[:JOINT_FEATURES], scratch.weights[:JOINT_FEATURES]
    _fill_joint(scratch, origin, 0, inverse)
    for j in range(JOINT_FEATURES):
        joint_phi[j] = scratch.phi[j]
    stride = step_groups.SLOT + EXPERTS
    for g in range(config.groups):
        low, high = scratch.bounds[g], scratch.bounds[g + 1]
        chosen = low + step_groups.scrambled(n, 100 + g, high - low)
        for k in range(low, high):
            has = (
                _look(config, z, f, one, 0, phases[0, k], 0, 1, recent, scratch.seen[0]),
                _look(config, z, f, two, 1, phases[1, k], 0, 1, recent, scratch.seen[1]),
            )
            change = _bounded(config, f, k)
            limit = BOUND * change
            wave = _wave(clock, phases, k)
            _fill(config, scratch, origin, 0, x, z[BASE], has, wave, BOUND * max(change, 1.0), inverse)
            _weights_of(config, f, config.weights, FEATURES, scratch, k)
            experts[0] = 0.0
            experts[1] = least_squares.dot(weights, phi)
            _weights_of(config, f, config.joint_weights, JOINT_FEATURES, scratch, k)
            experts[2] = least_squares.dot(joint_weights, joint_phi)
            experts[3] = held
            for s in range(MOST_SEASONS):
                at = 4 + 5 * s
                for j in range(5):
                    experts[at + j] = 0.0
                if has[s]:
                    seen = scratch.seen[s]
                    level = 2 if s == 0 else 1  # the level of the middle memory
                    experts[at] = (seen[0] + base) * inverse
                    experts[at + 1] = (seen[level] + base) * inverse
                    if has_here[s]:
                        experts[at + 2] = (seen[0] - z[_season(s)][season_tables.AGO]) * inverse
                        experts[at + 3] = (seen[level] - table_one[s, level]) * inverse
                    if has_next[s]:
                        experts[at + 4] = held + (seen[level] - table_two[s, level]) * inverse
            experts[EXPERTS - 4] = float(origin[MEAN + MEANS - 1]) * inverse
            there = scratch.seen[0, 0] + z[BASE]
            positive = has[0] and has_here[0] and x > 0.0 and ago > 0.0 and there > 0.0
            experts[EXPERTS - 3] = x * (there / ago - 1.0) * inverse if positive else experts[6]
            experts[EXPERTS - 2] = usual * inverse
            experts[EXPERTS - 1] = clip(k * drift, DRIFT_BOUND * change)
            mean, middle = 0.0, 0.0
            for j in range(EXPERTS):
                said = clip(experts[j], limit) if math.isfinite(experts[j]) else 0.0
                experts[j] = said
                mean += scratch.mixing[2 * g, j] * said
                middle += scratch.mixing[2 * g + 1, j] * said
            forecast[k - 1], median[k - 1] = x + mean * sigma, x + middle * sigma
            if k == chosen:
                for place in range(scratch.slots[g], scratch.slots[g + 1]):
                    slot = config.slots + place * stride
                    if f[slot + step_groups.LEFT] == 0.0:
                        f[slot + step_groups.LEFT] = f[slot + step_groups.STEP] = k
                        f[slot + step_groups.MIXED], f[slot + step_groups.MIXED + 1] = mean, middle
                        for j in range(EXPERTS):
                            f[slot + step_groups.SLOT + j] = clip(experts[j], MOST)
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
def _weigh(config: AheadConfig, f: Float32, scratch: MultistepScratch) -> None:
    """Weights of every group's two mixtures; a group that has settled nothing takes those of the group before."""
    size = step_groups.mixture_size_of(EXPERTS)
    for a in range(2 * config.groups):
        at = config.mixtures + a * size
        if not step_groups.weigh(f[at : at + size], EXPERTS, scratch.mixing[a]):
            for j in range(EXPERTS):
                scratch.mixing[a, j] = scratch.mixing[a - 2, j] if a >= 2 else (1.0 if j == 0 else 0.0)
