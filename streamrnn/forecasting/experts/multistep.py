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
    BINS,
    BY_TIME,
    DAY,
    KIND,
    MOST_SEASONS,
    NONE,
    PERIOD,
    bin_of,
    season_at,
)
from streamrnn.forecasting.experts import season_tables
from streamrnn.forecasting.experts.readout import (
    Blocks,
    covariance_size,
    find_gains,
    learn_blocks,
    make_blocks,
    start_blocks,
)
from streamrnn.forecasting.experts.season_tables import LEVELS_OF, MOST
from streamrnn.forecasting.layout import AGO, FILLED, LEVELS, NOW_SIZE, SUM, Layout
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.half import Halves, half, store_halves, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

KNOTS: Final = 24
LAGS: Final = 8
JOINT_LAGS: Final = 24
HARMONICS: Final = 2
MEANS: Final = 3
MEAN_RATIO = 0.3
PERIOD_UNKNOWN = 24.0
FEATURES: Final = 1 + MEANS + 2 + LEVELS_OF[0] + 2 + LEVELS_OF[1] + LAGS + 1 + 8 * HARMONICS
JOINT_FEATURES: Final = 1 + JOINT_LAGS + 1
EXPERTS: Final = 4 + 5 * MOST_SEASONS + 4
WINDOW: Final = 24  # values of the drift and of the running median
BOUND = 8.0
LEAST_CHANGE = 0.5  # sigmas
LAG_CLIP = 6.0
STEP_ONE_CLIP = 8.0
ERROR_CLIP = 4.0
FARTHEST = 1e15  # sigmas
SIMPLE: Final = [0, 3, 4]  # last value, step 1 held, the first season's last value: they begin with a regret of 1
WINDOWS = 1.0  # events over steps, by which a group and the group before it count alike
DRIFT_BOUND = 2.0  # times the running change over k steps
WAVES: Final = 512

# What an origin keeps of what it saw, besides its values, in original units less its value.
STEP_ONE: Final = 0
MEAN: Final = 1  # MEANS
PERIOD_MEAN: Final = 4  # of both seasons
LEVEL: Final = 6  # slowest level of the first season
KNOWN: Final = 7
ORIGIN: Final = 8
# Numbers (doubles): events since the first value, and the running means.
COUNT: Final = 0
MEANS_AT: Final = 1
NUMBERS: Final = MEANS_AT + MEANS


class AheadConfig(NamedTuple):
    """Settings; None where only the next step is forecast: then nothing below is compiled."""

    horizon: int
    knots: int
    groups: int
    values: int  # that must be remembered
    forgetting: float
    blocks: Blocks
    joint_blocks: Blocks
    # offsets into the singles
    changes: int
    errors: int
    weights: int
    covariance: int
    joint_weights: int
    joint_covariance: int
    mixtures: int
    slots: int
    singles: int
    # offsets into the halves
    origins: int
    said: int  # of the slots' experts
    halves: int


class MultistepSeries(NamedTuple):
    """State per series and target."""

    numbers: Float64  # (rows, targets, NUMBERS)
    singles: Float32  # (rows, targets, AheadConfig.singles)
    halves: Halves  # (rows, targets, AheadConfig.halves)


class MultistepScratch(NamedTuple):
    """Working room and constants."""

    knots: Int64  # (knots + 1,) first step of each knot's interval, and H + 1
    below: Int64  # (horizon + 1,) the knot at or below a step
    share: Float64  # (horizon + 1,) how far the step is on the way to the next
    bounds: Int64  # (groups + 1,) first step of every group of steps
    slots: Int64  # (groups + 1,)
    waves: Float64  # (WAVES, 2 HARMONICS)
    phi: Float32
    joint_phi: Float32
    gain: Float32
    weights: Float32
    seen: Float64  # (MOST_SEASONS, 1 + levels)
    here: Float64
    next: Float64
    experts: Float64  # (EXPERTS,)
    origin: Float32  # (ORIGIN,)
    sorted: Float64  # (WINDOW,)
    prior: Float64  # (EXPERTS,) regrets to begin with
    mixing: Float64  # (2 groups, EXPERTS)
    shares: Float64  # (groups,) of the medians' mixtures that are published


def ahead_config(horizon: int) -> AheadConfig | None:
    """Sizes that follow from the horizon."""
    if horizon < 2:
        return None
    knots, bounds = min(KNOTS, horizon - 1), step_groups.group_bounds(horizon)
    at: dict[str, int] = {}
    for total, sizes in (("singles", _singles(horizon, knots)), ("halves", _halves(horizon))):
        offset = 0
        for name, size in sizes.items():
            at[name] = offset
            offset += size
        at[total] = offset
    return AheadConfig(
        horizon, knots, len(bounds) - 1, horizon + JOINT_LAGS + 2, 0.9996, make_blocks(*_BLOCKS),
        make_blocks(*_JOINT_BLOCKS), **at,
    )  # fmt: skip


_BLOCKS = ((FEATURES, 0.05),)
_JOINT_BLOCKS = ((JOINT_FEATURES, 0.05),)


def _halves(horizon: int) -> dict[str, int]:
    """Halves of every part, in order."""
    slots = int(step_groups.slots_of(step_groups.group_bounds(horizon))[-1])
    return {"origins": (horizon + 1) * ORIGIN, "said": slots * EXPERTS}


def _singles(horizon: int, knots: int) -> dict[str, int]:
    """Singles of every part, in order."""
    bounds = step_groups.group_bounds(horizon)
    sizes = {
        "changes": horizon + 1,
        "errors": 2 * knots,
        "weights": knots * FEATURES,
        "covariance": covariance_size(make_blocks(*_BLOCKS)),
        "joint_weights": knots * JOINT_FEATURES,
        "joint_covariance": covariance_size(make_blocks(*_JOINT_BLOCKS)),
        "mixtures": (len(bounds) - 1) * step_groups.group_size(EXPERTS),
        "slots": int(step_groups.slots_of(bounds)[-1]) * step_groups.SLOT,
    }
    return {name: -(-size // 16) * 16 for name, size in sizes.items()}


def parts(config: AheadConfig) -> dict[str, int]:
    """Bytes of every part, by a name to be read."""
    found = {name: 4 * size for name, size in _singles(config.horizon, config.knots).items()}
    found |= {name: 2 * size for name, size in _halves(config.horizon).items()}
    found["slots"] += found.pop("said")
    return {name.replace("_", " "): size for name, size in found.items()}


def allocate(config: AheadConfig | None, rows: int, targets: int) -> tuple[MultistepSeries, MultistepScratch]:
    """State of `rows` new series, and working room."""
    if config is None:
        sizes, horizon, knots, groups = (0, 0, 0), 1, 1, 1
    else:
        sizes = (NUMBERS, config.singles, config.halves)
        horizon, knots, groups = config.horizon, config.knots, config.groups
    kinds = (np.float64, np.float32, np.uint16)
    empty = MultistepSeries(*(np.zeros((rows, targets, n), kind) for n, kind in zip(sizes, kinds, strict=True)))
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
        phi=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        joint_phi=np.zeros(JOINT_FEATURES, np.float32),
        gain=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        weights=np.zeros(max(FEATURES, JOINT_FEATURES), np.float32),
        seen=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        here=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        next=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        experts=np.zeros(EXPERTS),
        origin=np.zeros(ORIGIN, np.float32),
        sorted=np.zeros(WINDOW),
        prior=np.isin(np.arange(EXPERTS), SIMPLE).astype(float),
        mixing=np.zeros((2 * groups, EXPERTS)),
        shares=np.zeros(groups),
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
    slots = far[config.slots : config.singles]
    said = origins[config.said :]
    step_groups.come(far[config.mixtures :], slots, said, scratch.slots, EXPERTS, recent, inverse, known)
    if known:
        _learn(config, int(own[COUNT]), far, origins, scratch, Season(z, t, v, at, clock, phases), recent, inverse)
    if sigma > 0.0:
        _learn_joint(config, int(own[COUNT]), far, origins, scratch, recent, inverse)


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
    _forecast(config, own, far, origins, scratch, season, recent, sigma, inverse, forecast, median)


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
def _fill(
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
    config: AheadConfig, n: int, f: Float32, origins: Halves, scratch: MultistepScratch, season: Season,
    recent: Float64, inverse: float,
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
    covariance = f[config.covariance : config.joint_weights]
    if not covariance[0] > 0.0:
        start_blocks(covariance, config.blocks)
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
        origin = origins[_origin(config, n - 1 - k)]
        has = (
            _look(season, 0, phases[0, 0], _back(k, events_one), events_one, recent, scratch.seen[0]),
            _look(season, 1, phases[1, 0], _back(k, events_two), events_two, recent, scratch.seen[1]),
        )
        change = _bounded(config, f, k)
        _fill(config, scratch, origin, recent, k, base, has, wave, BOUND * max(change, 1.0), inverse)
        q = find_gains(covariance, config.blocks, phi, gain)
        _weights_of(config, f, config.weights, m, scratch, k)
        error = clip((x - recent[k]) * inverse, BOUND * change) - least_squares.dot(weights, phi)
        variance = float(f[config.errors + knot])
        if variance > 0.0:
            error = clip(error, ERROR_CLIP * math.sqrt(variance) + 1e-6)
        f[config.errors + knot] = variance + max(0.01, 1.0 / (n - k)) * (error * error - variance)
        _learn_weights(config, f, config.weights, m, scratch, k, error / (config.forgetting + q))
        if knot == chosen:
            learn_blocks(covariance, config.blocks, phi, gain, config.forgetting)


@kernel
def _look(season: Season, s: int, phase: float, back: int, events: int, recent: Float64, out: Float64) -> bool:
    """Last value and levels of season `s` at `phase`, as they were `back` visits ago; whether there were any."""
    return season_tables.seen(
        season.z, season.t, season.v, season.at, season.clock, s, phase, back, recent, events, out
    )


@kernel
def _origin(config: AheadConfig, number: int) -> slice:
    """Where the origin of that number keeps what it knew."""
    at = config.origins + number % (config.horizon + 1) * ORIGIN
    return slice(at, at + ORIGIN)


@kernel
def _learn_joint(
    config: AheadConfig, n: int, f: Float32, origins: Halves, scratch: MultistepScratch, recent: Float64,
    inverse: float,
) -> None:  # fmt: skip
    """Learn from the origin H events ago, all of whose steps have come: one phi and one gain for all of them."""
    out_of_line()
    H, m = config.horizon, JOINT_FEATURES
    if n <= H + 1:
        return
    covariance = f[config.joint_covariance : config.mixtures]
    if not covariance[0] > 0.0:
        start_blocks(covariance, config.joint_blocks)
    _fill_joint(scratch, recent, whole(origins[_origin(config, n - 1 - H)][STEP_ONE]), H, inverse)
    phi, gain, weights = scratch.phi[:m], scratch.gain[:m], scratch.weights[:m]
    q = find_gains(covariance, config.joint_blocks, phi, gain)
    any_known = False
    for knot in range(config.knots):
        k = scratch.knots[knot]
        if k < H and whole(origins[_origin(config, n - 1 - H + k)][KNOWN]) == 0.0:
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
        learn_blocks(covariance, config.joint_blocks, phi, gain, config.forgetting)


@kernel
def _fill_joint(scratch: MultistepScratch, recent: Float64, step_one: float, age: int, inverse: float) -> None:
    phi = scratch.phi
    phi[0] = 1.0
    for j in range(JOINT_LAGS):
        phi[1 + j] = clip((recent[age + j] - recent[age + j + 1]) * inverse, LAG_CLIP)
    phi[1 + JOINT_LAGS] = clip(step_one * inverse, STEP_ONE_CLIP)


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
        now = at.now + s * NOW_SIZE
        filled = season.z[now + FILLED]
        mean = base - x + season.z[now + SUM] / filled if filled > 0 else z[MEANS_AT] - x
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
    config: AheadConfig, z: Float64, f: Float32, origins: Halves, scratch: MultistepScratch, season: Season,
    recent: Float64, sigma: float, inverse: float, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Mix the experts of every step, and let each group of steps keep one of them until its value comes."""
    out_of_line()
    H, n, clock, phases, at = config.horizon, int(z[COUNT]), season.clock, season.phases, season.at
    x = recent[0]
    if not sigma > 0.0:
        for k in range(2, H + 1):
            forecast[k - 1] = median[k - 1] = x
        return
    _weigh(config, f, n, scratch)
    table_one, table_two = scratch.here, scratch.next
    has_here = (
        _look(season, 0, phases[0, 0], 0, 1, recent, table_one[0]),
        _look(season, 1, phases[1, 0], 0, 1, recent, table_one[1]),
    )
    has_next = (
        _look(season, 0, phases[0, 1], 0, 1, recent, table_two[0]),
        _look(season, 1, phases[1, 1], 0, 1, recent, table_two[1]),
    )
    origin, kept = scratch.origin, origins[_origin(config, n - 1)]
    experts, base = scratch.experts, season.z[at.base] - x
    window = max(H, WINDOW) if n > max(H, WINDOW) else WINDOW
    drift = (x - recent[window]) / window * inverse if n > window else 0.0
    usual = _median(recent, min(n, WINDOW), scratch.sorted) - x
    ago = season.z[at.now + AGO] + base + x
    held = float(origin[STEP_ONE]) * inverse
    phi, weights = scratch.phi[:FEATURES], scratch.weights[:FEATURES]
    joint_phi, joint_weights = scratch.joint_phi[:JOINT_FEATURES], scratch.weights[:JOINT_FEATURES]
    _fill_joint(scratch, recent, whole(kept[STEP_ONE]), 0, inverse)
    for j in range(JOINT_FEATURES):
        joint_phi[j] = scratch.phi[j]
    for g in range(config.groups):
        low, high = scratch.bounds[g], scratch.bounds[g + 1]
        chosen = low + step_groups.scrambled(n, 100 + g, high - low)
        for k in range(low, high):
            has = (
                _look(season, 0, phases[0, k], 0, 1, recent, scratch.seen[0]),
                _look(season, 1, phases[1, k], 0, 1, recent, scratch.seen[1]),
            )
            change = _bounded(config, f, k)
            limit = BOUND * change
            wave = _wave(clock, phases, k)
            _fill(config, scratch, kept, recent, 0, base + x, has, wave, BOUND * max(change, 1.0), inverse)
            _weights_of(config, f, config.weights, FEATURES, scratch, k)
            experts[0] = 0.0
            experts[1] = least_squares.dot(weights, phi)
            _weights_of(config, f, config.joint_weights, JOINT_FEATURES, scratch, k)
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
                        experts[e + 2] = (seen[0] - season.z[at.now + s * NOW_SIZE + AGO]) * inverse
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
                experts[j] = clip(experts[j], limit)
                mean += scratch.mixing[2 * g, j] * experts[j]
                middle += scratch.mixing[2 * g + 1, j] * experts[j]
                awake += scratch.mixing[2 * g, j]
                roused += scratch.mixing[2 * g + 1, j]
            mean = mean / awake if awake > 0.0 else 0.0
            middle = middle / roused if roused > 0.0 else 0.0
            forecast[k - 1], median[k - 1] = x + mean * sigma, x + scratch.shares[g] * middle * sigma
            if k == chosen:
                for place in range(scratch.slots[g], scratch.slots[g + 1]):
                    slot = config.slots + place * step_groups.SLOT
                    if f[slot + step_groups.LEFT] == 0.0:
                        f[slot + step_groups.LEFT] = f[slot + step_groups.STEP] = k
                        f[slot + step_groups.MIXED], f[slot + step_groups.MIXED + 1] = mean, middle
                        for j in range(EXPERTS):
                            away = clip(experts[j] - float(f[slot + step_groups.MIXED]), FARTHEST)
                            origins[config.said + place * EXPERTS + j] = half(
                                away if math.isfinite(experts[j]) else math.nan
                            )
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
def _weigh(config: AheadConfig, f: Float32, n: int, scratch: MultistepScratch) -> None:
    """Weights of every group's two mixtures after n events.

    Forecasts of k steps overlap, so n events hold n / k that tell something new. With few of these a group keeps to the
    weights of the group before, whose steps are shorter (measured with 0, 1, 2, 5 and 20 `WINDOWS`).
    """
    size, group = step_groups.size_of(EXPERTS), step_groups.group_size_of(EXPERTS)
    for a in range(2 * config.groups):
        at = config.mixtures + a // 2 * group + a % 2 * size
        if not step_groups.weigh(f[at : at + size], EXPERTS, scratch.prior, scratch.mixing[a]):
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
