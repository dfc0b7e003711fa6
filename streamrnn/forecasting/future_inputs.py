"""What is known ahead of some features: what it adds to the forecasts made without it.

A feature known ahead (a weather forecast, a price, a promotion) is standardized, z, and seen through three curves, so
that what bends once on either side of its mean is linear in them (a load rises with heat and with cold):

    c(z) = z, max(z - BEND, 0), max(-BEND - z, 0)

The other experts know the past alone: they expect what followed a feature that was like now's, or like yesterday's.
What they cannot know is told by how the feature will differ. Of step k after event t:

    phi = 1, and of each feature   c(z_t+k) - c(z_t);  c(z_t);  c(z_t+k) - c(z one whole period before t + k);
                                   c(z_t+k) times sine and cosine of the time of day;
                                   c(z_t+k) times the forecast without it, less the target's mean and over its deviation

The last one lets a feature act more on the hours when there is more of the target.

Step 1 and each group of steps (`step_groups.py`) has weights of its own, found by recursive least squares on what the
forecast without phi missed, with a covariance in blocks, one per feature. What was known when the forecast was made is
what is learned from, so that a feature whose own forecasts are poor is believed less.

Published is the forecast without it plus a share of w . phi. The share is least squares, too, of what was missed on
what w . phi had said before it was learned, less two standard errors, kept between 0 and 1: a feature that does not
help costs next to nothing. For the median it is dropped where it has made absolute errors larger.

A group learns from one of its steps per event, as long as one of its places is free for what waits for its value. Where
a feature's value at a step is not known its part of phi is 0; where none is, nothing is added and nothing learned.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import BY_TIME, DAY, EVENTS, KIND, NONE, PERIOD, season_at
from streamrnn.forecasting.experts.readout import (
    Blocks,
    covariance_size,
    find_gains,
    learn_blocks,
    make_blocks,
    start_blocks,
)
from streamrnn.forecasting.experts.season_tables import events_of
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.half import Halves, half, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

CURVES: Final = 3
BEND = 0.7  # standard deviations
PARTS: Final = 6
PER_FEATURE: Final = PARTS * CURVES
HEIGHT_CLIP = 3.0  # deviations of the target
RING: Final = 288  # events that a feature is remembered for: a day of five minutes
SLOTS: Final = 24  # forecasts of a group that may wait for their value
FORGETTING: Final = 0.9993
FIRST_COVARIANCE: Final = 0.05
MEMORY = 20_000.0  # events of mean and deviation of a feature
FEATURE_CLIP = 6.0  # standard deviations
LARGEST = 1e100
MOST = 1e15  # units
ERROR_CLIP = 4.0  # running deviations of the error
MISS_CLIP = 8.0
SHARE_DISCOUNT = 0.9995
SHARE_PRIOR = 0.05  # of the error's variance
DOUBT = 2.0  # standard errors

# Of a feature, doubles: values seen, mean and variance, the newest standardized value that was known.
SEEN: Final = 0
MEAN: Final = 1
VARIANCE: Final = 2
NEWEST: Final = 3
MOMENTS: Final = 4
# Of a target's unit: values, and the running mean square of its steps. The unit of the other experts follows a spike
# too fast: what is added would be of its size for a while.
COUNT: Final = 0
STEPS: Final = 1
UNITS: Final = 2
UNIT_MEMORY = 2000.0
STEP_CLIP = 15.0  # units
# Of a group: settled forecasts, running variance of the error, sums for the share, absolute errors of the median
# without and with it; then the weights and the covariance.
SETTLED: Final = 0
ERROR: Final = 1
PRODUCT: Final = 2
SQUARE: Final = 3
WITHOUT: Final = 4
WITH: Final = 5
WEIGHTS: Final = 6
# Of a slot: events left (0: free), step, mean and median without it less the value at the origin, w . phi, all in the
# unit of the origin, and its logarithm: where it has moved meanwhile another one would make errors of nothing.
LEFT: Final = 0
STEP: Final = 1
BASE: Final = 2
MIDDLE: Final = 3
ADDED: Final = 4
UNIT: Final = 5
SLOT: Final = 6


class FutureConfig(NamedTuple):
    """Settings; None where nothing is known ahead: then nothing below is compiled."""

    features: int  # known ahead
    horizon: int
    groups: int
    m: int  # numbers of phi
    blocks: Blocks
    forgetting: float
    stride: int  # of a group
    slots: int  # where they begin
    singles: int
    halves: int


class FutureSeries(NamedTuple):
    """State per series."""

    moments: Float64  # (rows, known ahead, MOMENTS)
    ring: Halves  # (rows, known ahead, RING) standardized values by number of the event
    units: Float64  # (rows, targets, UNITS or 0)
    singles: Float32  # (rows, targets, FutureConfig.singles)
    halves: Halves  # (rows, targets, FutureConfig.halves) phi of the slots


class FutureScratch(NamedTuple):
    """Working room and constants."""

    which: Int64  # (known ahead,) their places among the features
    bounds: Int64  # (groups + 1,) first step of every group of steps
    slots: Int64  # (groups + 1,)
    curves: Float64  # (known ahead, horizon + 1, CURVES) of now and the steps to come
    before: Float64  # (known ahead, horizon + 1, CURVES) a whole period before
    known: NDArray[np.bool_]  # (known ahead, horizon + 1)
    phi: Float32  # (m,)
    gain: Float32


def bounds_of(horizon: int) -> Int64:
    """First step of every group, and one past the last step."""
    return np.append([1], step_groups.group_bounds(horizon)) if horizon > 1 else np.array([1, 2])


def slots_of(bounds: Int64) -> Int64:
    """First slot of every group, and one past the last."""
    return np.append([0], np.cumsum(np.minimum(SLOTS, bounds[1:] - 1))).astype(np.int64)


def future_config(features: int, horizon: int) -> FutureConfig | None:
    """Sizes that follow from how many features are known ahead, and how far."""
    if features == 0:
        return None
    bounds = bounds_of(horizon)
    groups, slots = len(bounds) - 1, int(slots_of(bounds)[-1])
    blocks = make_blocks(
        *[(PER_FEATURE + (feature == 0), FIRST_COVARIANCE) for feature in range(features)],
    )
    m = 1 + features * PER_FEATURE
    stride = WEIGHTS + m + covariance_size(blocks)
    return FutureConfig(
        features, horizon, groups, m, blocks, FORGETTING, stride, groups * stride, groups * stride + slots * SLOT,
        slots * m,
    )  # fmt: skip


def allocate(
    config: FutureConfig | None, which: tuple[int, ...], rows: int, targets: int
) -> tuple[FutureSeries, FutureScratch]:
    """State of `rows` new series, and working room; `which` features are known ahead."""
    features, steps, m, singles, halves = 0, 1, 1, 0, 0
    bounds = np.array([1, 2])
    if config is not None:
        features, steps, m = config.features, config.horizon + 1, config.m
        singles, halves, bounds = config.singles, config.halves, bounds_of(config.horizon)
    series = FutureSeries(
        moments=np.zeros((rows, features, MOMENTS)),
        ring=np.zeros((rows, features, RING), np.uint16),
        units=np.zeros((rows, targets, UNITS if features else 0)),
        singles=np.zeros((rows, targets, singles), np.float32),
        halves=np.zeros((rows, targets, halves), np.uint16),
    )
    return series, FutureScratch(
        which=np.array(which, np.int64),
        bounds=bounds.astype(np.int64),
        slots=slots_of(bounds),
        curves=np.zeros((features, steps, CURVES)),
        before=np.zeros((features, steps, CURVES)),
        known=np.zeros((features, steps), np.bool_),
        phi=np.zeros(m, np.float32),
        gain=np.zeros(m, np.float32),
    )


@kernel
def observe(
    config: FutureConfig | None, series: FutureSeries, scratch: FutureScratch, row: int, u: Float64, features: int,
    clock: Int64,
) -> None:  # fmt: skip
    """Take in one event's features and what is known of them ahead.

    Args:
        config: sizes.
        series: the state; the row changes.
        scratch: working room; `curves`, `before` and `known` are written.
        row: of the series.
        u: `(features + known ahead x horizon,)`, what is not finite is not known.
        features: how many there are.
        clock: of the series, see `calendar.py`; the event is counted.
    """
    out_of_line()
    if config is None:
        return
    H, number, season = config.horizon, int(clock[EVENTS]) - 1, clock[season_at(0)]
    period = events_of(clock, season) if season[KIND] != NONE else 0
    for j in range(config.features):
        moments, ring = series.moments[row, j], series.ring[row, j]
        _learn_moments(moments, u[scratch.which[j]])
        ring[number % RING] = half(moments[NEWEST])
        _bend(moments[NEWEST], scratch.curves[j, 0])
        for k in range(1, H + 1):
            value = u[features + j * H + k - 1]
            scratch.known[j, k] = abs(value) <= LARGEST and moments[SEEN] > 0.0
            _bend(_standardized(moments, value) if scratch.known[j, k] else 0.0, scratch.curves[j, k])
            back = period * ((k - 1) // period + 1) - k if period > 0 else RING
            if back < RING and back <= number:
                _bend(whole(ring[(number - back) % RING]), scratch.before[j, k])
            else:
                for c in range(CURVES):
                    scratch.before[j, k, c] = scratch.curves[j, 0, c]


@kernel
def _learn_moments(moments: Float64, value: float) -> None:
    if not abs(value) <= LARGEST:
        return
    n = min(moments[SEEN] + 1.0, MEMORY)
    deviation, spread = value - moments[MEAN], math.sqrt(moments[VARIANCE])
    if n > 10.0 and spread > 0.0:
        deviation = clip(deviation, 2.0 * FEATURE_CLIP * spread)
    moments[SEEN] = n
    moments[MEAN] += deviation / n
    moments[VARIANCE] += (deviation * deviation * (1.0 - 1.0 / n) - moments[VARIANCE]) / n
    moments[NEWEST] = _standardized(moments, value)


@kernel
def _standardized(moments: Float64, value: float) -> float:
    spread = math.sqrt(moments[VARIANCE])
    return clip((value - moments[MEAN]) / spread, FEATURE_CLIP) if spread > 0.0 else 0.0


@kernel
def _bend(z: float, out: Float64) -> None:
    out[0], out[1], out[2] = z, max(z - BEND, 0.0), max(-BEND - z, 0.0)


@kernel
def learn(
    config: FutureConfig | None, series: FutureSeries, scratch: FutureScratch, row: int, i: int, recent: Float64,
    known: bool,
) -> None:  # fmt: skip
    """The newest value of target `i` came (`known`: it was not missing): what waited for it is learned from.

    recent (values,) newest first, filled in where missing.
    """
    out_of_line()
    if config is None:
        return
    f, waiting, m = series.singles[row, i], series.halves[row, i], config.m
    phi = scratch.phi
    if known:
        _learn_unit(series.units[row, i], recent[0] - recent[1])
    for g in range(config.groups):
        for place in range(scratch.slots[g], scratch.slots[g + 1]):
            slot = f[config.slots + place * SLOT : config.slots + (place + 1) * SLOT]
            if slot[LEFT] == 0.0:
                continue
            slot[LEFT] -= np.float32(1.0)
            if slot[LEFT] > 0.0 or not known:
                continue
            came = clip((recent[0] - recent[int(slot[STEP])]) / math.exp(slot[UNIT]), MOST)
            for j in range(m):
                phi[j] = whole(waiting[place * m + j])
            _settle(config, f[g * config.stride : (g + 1) * config.stride], slot, phi, scratch.gain, came)


@kernel
def _learn_unit(unit: Float64, step: float) -> None:
    unit[COUNT] = min(unit[COUNT] + 1.0, UNIT_MEMORY)
    if unit[COUNT] > 10.0 and unit[STEPS] > 0.0:
        step = clip(step, STEP_CLIP * math.sqrt(unit[STEPS]))
    unit[STEPS] += (step * step - unit[STEPS]) / unit[COUNT]


@kernel
def _settle(config: FutureConfig, group: Float32, slot: Float32, phi: Float32, gain: Float32, came: float) -> None:
    """One group learns the change `came` (units) that followed phi."""
    out_of_line()
    weights, covariance = group[WEIGHTS : WEIGHTS + config.m], group[WEIGHTS + config.m :]
    if group[SETTLED] == 0.0:
        start_blocks(covariance, config.blocks)
    group[SETTLED] = min(float(group[SETTLED]) + 1.0, 1e6)
    missed, added = came - float(slot[BASE]), float(slot[ADDED])
    if group[ERROR] > 0.0:
        missed = clip(missed, MISS_CLIP * math.sqrt(group[ERROR]) + 1e-6)
    away, share = came - float(slot[MIDDLE]), _share(group)
    limit = MISS_CLIP * math.sqrt(group[ERROR]) + 1e-6
    group[WITHOUT] = SHARE_DISCOUNT * float(group[WITHOUT]) + min(abs(away), limit)
    group[WITH] = SHARE_DISCOUNT * float(group[WITH]) + min(abs(away - share * added), limit)
    group[PRODUCT] = SHARE_DISCOUNT * float(group[PRODUCT]) + added * missed
    group[SQUARE] = SHARE_DISCOUNT * float(group[SQUARE]) + added * added
    q = find_gains(covariance, config.blocks, phi, gain)
    error = missed - least_squares.dot(weights, phi)
    if not (math.isfinite(error) and math.isfinite(q)):  # it starts again
        for j in range(group.size):
            group[j] = 0.0
        return
    if group[ERROR] > 0.0:
        error = clip(error, ERROR_CLIP * math.sqrt(group[ERROR]) + 1e-6)
    group[ERROR] += max(0.01, 1.0 / float(group[SETTLED])) * (error * error - float(group[ERROR]))
    least_squares.learn_weights(weights, gain, q, config.forgetting, error)
    learn_blocks(covariance, config.blocks, phi, gain, config.forgetting)


@kernel
def _share(group: Float32) -> float:
    """How much of w . phi is believed, 0 to 1."""
    square, error = float(group[SQUARE]), float(group[ERROR])
    against = square + SHARE_PRIOR * error
    return (
        max(0.0, min(1.0, (float(group[PRODUCT]) - DOUBT * math.sqrt(error * square)) / against))
        if against > 0.0
        else 0.0
    )


@kernel
def correct(
    config: FutureConfig | None, series: FutureSeries, scratch: FutureScratch, row: int, i: int, clock: Int64,
    phases: Float64, x: float, mean: float, spread: float, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Add to the forecasts of target `i` what the features known ahead say; arguments besides those of `learn`:

    Args:
        clock: of the series.
        phases: `(MOST_SEASONS, horizon + 1)` from the newest event on.
        x: the newest value.
        mean: of the target.
        spread: its standard deviation.
        forecast: `(horizon,)` means without it; changed.
        median: `(horizon,)` medians without it; changed.
    """
    out_of_line()
    if config is None:
        return
    unit = math.sqrt(series.units[row, i, STEPS])
    if not unit > 0.0:
        return
    f, waiting, m, phi = series.singles[row, i], series.halves[row, i], config.m, scratch.phi
    season = clock[season_at(0)]
    daily = season[KIND] != NONE and not (season[KIND] == BY_TIME and season[PERIOD] != DAY)
    for g in range(config.groups):
        group = f[g * config.stride : (g + 1) * config.stride]
        weights, share = group[WEIGHTS : WEIGHTS + m], _share(group)
        low, high = scratch.bounds[g], scratch.bounds[g + 1]
        chosen = low + step_groups.scrambled(clock[EVENTS], 200 + g, high - low)
        for k in range(low, high):
            height = clip((forecast[k - 1] - mean) / spread, HEIGHT_CLIP) if spread > 0.0 else 0.0
            if not _fill(config, scratch, k, 2.0 * math.pi * phases[0, k] if daily else math.nan, height):
                continue
            added = clip(least_squares.dot(weights, phi), MOST)
            base, middle = clip((forecast[k - 1] - x) / unit, MOST), clip((median[k - 1] - x) / unit, MOST)
            forecast[k - 1] += share * added * unit
            if group[WITH] <= group[WITHOUT]:
                median[k - 1] += share * added * unit
            if k != chosen:
                continue
            for place in range(scratch.slots[g], scratch.slots[g + 1]):
                slot = f[config.slots + place * SLOT : config.slots + (place + 1) * SLOT]
                if slot[LEFT] == 0.0:
                    slot[LEFT] = slot[STEP] = k
                    slot[BASE], slot[MIDDLE], slot[ADDED], slot[UNIT] = base, middle, added, math.log(unit)
                    for j in range(m):
                        waiting[place * m + j] = half(phi[j])
                    break


@kernel
def _fill(config: FutureConfig, scratch: FutureScratch, k: int, angle: float, height: float) -> bool:
    """Phi of step k; False where nothing is known of the step.

    `angle` is its time of day (NaN: there is none), `height` the forecast without it, in deviations from the mean.
    """
    phi, o, any_known = scratch.phi, 1, False
    sine, cosine = (math.sin(angle), math.cos(angle)) if math.isfinite(angle) else (0.0, 0.0)
    phi[0] = 1.0
    for j in range(config.features):
        if scratch.known[j, k]:
            any_known = True
            for c in range(CURVES):
                then, now = scratch.curves[j, k, c], scratch.curves[j, 0, c]
                phi[o + c] = then - now
                phi[o + CURVES + c] = now
                phi[o + 2 * CURVES + c] = then - scratch.before[j, k, c]
                phi[o + 3 * CURVES + c] = then * sine
                phi[o + 4 * CURVES + c] = then * cosine
                phi[o + 5 * CURVES + c] = then * height
        else:
            for c in range(PER_FEATURE):
                phi[o + c] = 0.0
        o += PER_FEATURE
    return any_known
