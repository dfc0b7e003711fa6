"""How strange was this event, before anything is learned from it: one strength, one calibrated score, alerts.

The channels of `channels.py` are rarities in decades, d = -log10 P, for each target. Those over windows of what the
series does at this time of day say "among the few strangest episodes of this series so far"; with new extremes and
whatever a fast channel (residual, blocks, frozen, missing, gap) finds extraordinary they are one strength, with
l(d) = log(1 + d / .66),

    S = mean over both profiles of l(level) + l(spread) + l(jump)       0 for all but few events
      + 3 log(1 + excess / .02)                                          range: a value outside all so far
      + 1 + 3 l(d - needed)                                              a fast channel beyond what is needed

and the strength of an event is that of its strangest target. An alert opens when S reaches what the accepted rate of
false alarms asks for (`strength_for`), then the series rests (`alerts.py`).

The score is another scale for the same order: `calibration.py` turns S into p = P(a past event was at least as
strange), ordering ordinary events, S about 0, by the size of the forecast's error; `rates.py` makes its rate right,
and the score is 1 - p.

Everything is scored with what was known before the event; every statistic is updated after.
"""

from __future__ import annotations

from math import exp, log, log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alerts, calibration, extremes, hourly_profile, rates
from streamrnn.anomaly.channels import (
    BLOCK_WINDOW,
    CHANNEL_NAMES,
    CHANNELS,
    ERROR_LISTS,
    FROZEN,
    GAP,
    LIKELIHOOD,
    LISTED,
    MISSING,
    RANGE,
    WINDOW,
    contribution,
    errors,
    excess,
    likelihood,
    run_rarity,
    windows,
)
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.running_scale import PEAK_BLOCK, running_size

__all__ = ["CHANNELS", "CHANNEL_NAMES", "AnomalyConfig", "AnomalySeries", "allocate", "observe"]

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Entries of the `outcome` array that `observe` writes.
SCORE, IS_ANOMALY, ALERT, DRIVER, STRENGTH = range(5)
OUTCOMES = 5

WARM_UP = 100  # observed values before lists and range are used
RANGE_UNIT, RANGE_WEIGHT = 0.02, 3.0
# Decades from which these speak: silences and repeats gather them quickly and can wait for more.
EXTRAORDINARY_GAP, EXTRAORDINARY_RUN = 8.0, 8.0
EXTRAORDINARY_RANGE = 10.0  # past ranges outside
FAST_LEAST, FAST_WEIGHT = 1.05, 3.0
OPENING, OPENING_SCALE, LEAST_OPENING = 1.05, 1.5, 0.05  # of `strength_for`
GAPS_KEPT = 32  # values of the list of gaps
SIZE_GAIN = 0.005  # memory of the error's size: 200 events
LARGEST_ERROR = 1e4  # sizes
BLOCK = 64  # values between two checks for a range that something absurd has blown up
EXTRAPOLATED = 0.8  # decades that a score may go beyond one in the number of events seen
ABSURD = 1e9  # block ranges
NORMAL_95 = 1.6448536269514722  # bounds of a 90 % interval, in deviations

# Columns of `numbers`, per target.
VALUES, LOW, HIGH, BLOCK_LOW, BLOCK_HIGH, ERRORS, SIZE, PEAK, LAST_PEAK = range(9)
LAST, RUN, REPEATS, LONGEST, EVENTS, GONE, GONE_RUN, GONE_LONGEST = range(9, 17)
NUMBERS = 17
# Columns of `times`, per series.
LAST_TIME, LOG_INTERVAL, INTERVALS = range(3)
TIMES = 3
LOG_2 = 0.6931471805599453
DAY_US = 86_400e6
LARGEST_VALUE = 1e300
LEAST_GAP_SCALE = 0.3  # of the binary logarithms of intervals


class AnomalyConfig(NamedTuple):
    """Sizes and rates of the scoring."""

    targets: int
    false_alarms: float = 1.0  # alerts to accept on normal data, per 1,000 events
    false_alarms_per_day: float = 0.0  # > 0: alerts a day instead
    threshold: float = -1.0  # in [0, 1]: alerts open from this score on instead
    rest_share: float = 0.04
    rest_least: int = 30
    rest_most: int = 400


class AnomalySeries(NamedTuple):
    """Anomaly state, one row per series; an all-zero row is a new series."""

    numbers: Array  # (rows, targets, NUMBERS)
    whole: Array  # (rows, targets, hourly_profile.COLUMNS): moments of the whole series
    hours: Array  # (rows, targets, hourly_profile.MEMORIES, hourly_profile.HOURS, hourly_profile.COLUMNS)
    ring: Singles  # (rows, targets, hourly_profile.MEMORIES, WINDOW): profile residuals
    largest: Singles  # (rows, targets, hourly_profile.MEMORIES, LISTED): largest window statistics
    errors: Singles  # (rows, targets, ERROR_LISTS): largest forecast errors and blocks of them, in running sizes
    block: Singles  # (rows, targets, BLOCK_WINDOW): the last errors, signed
    counts: Singles  # (rows, calibration.COUNTS): past of the strength
    rates: Array  # (rows, rates.LEVELS): what the score corrects
    times: Array  # (rows, TIMES)
    gaps: Singles  # (rows, GAPS_KEPT)
    alert: npt.NDArray[np.int64]  # (rows, alerts.COLUMNS)


def allocate(config: AnomalyConfig, rows: int) -> AnomalySeries:
    """State of `rows` new series."""
    targets = (rows, config.targets)
    return AnomalySeries(
        numbers=np.zeros((*targets, NUMBERS)),
        whole=np.zeros((*targets, hourly_profile.COLUMNS)),
        hours=np.zeros((*targets, hourly_profile.MEMORIES, hourly_profile.HOURS, hourly_profile.COLUMNS)),
        ring=np.zeros((*targets, hourly_profile.MEMORIES, WINDOW), np.float32),
        largest=np.zeros((*targets, hourly_profile.MEMORIES, LISTED), np.float32),
        errors=np.zeros((*targets, ERROR_LISTS), np.float32),
        block=np.zeros((*targets, BLOCK_WINDOW), np.float32),
        counts=np.zeros((rows, calibration.COUNTS), np.float32),
        rates=np.zeros((rows, rates.LEVELS)),
        times=np.zeros((rows, TIMES)),
        gaps=np.zeros((rows, GAPS_KEPT), np.float32),
        alert=np.zeros((rows, alerts.COLUMNS), np.int64),
    )


@kernel
def _gap(series: AnomalySeries, row: int, time_us: int) -> float:
    """Decades of the time since the last event, by |log2(interval / usual interval)|; then learn from it."""
    times = series.times[row]
    interval = float(time_us) - times[LAST_TIME]
    first = times[LAST_TIME] == 0.0
    times[LAST_TIME] = max(float(time_us), times[LAST_TIME])
    if first or not interval > 0.0:  # late and simultaneous events say nothing about the rate
        return 0.0
    seen = times[INTERVALS]
    logarithm = log(interval)
    if seen == 0.0:
        times[LOG_INTERVAL] = logarithm
    off = abs(logarithm - times[LOG_INTERVAL]) / LOG_2
    decades = extremes.rarity(series.gaps[row], seen, off, False, LEAST_GAP_SCALE)
    if decades > 0.0:
        decades += extremes.share(GAPS_KEPT, seen)
    extremes.remember(series.gaps[row], seen, off)
    times[LOG_INTERVAL] += max(1.0 / (seen + 1.0), 0.01) * (logarithm - times[LOG_INTERVAL])
    times[INTERVALS] = seen + 1.0
    return decades


@kernel
def _absent(numbers: Array) -> float:
    """Decades of one more missing value in a row; then learn from it."""
    numbers[EVENTS] += 1.0
    numbers[GONE_RUN] += 1.0
    decades = run_rarity(numbers[GONE_RUN], numbers[GONE_LONGEST], numbers[GONE], numbers[EVENTS])
    numbers[GONE] += 1.0
    return decades if numbers[VALUES] >= WARM_UP else 0.0


@kernel
def _frozen(numbers: Array, x: float) -> float:
    """Decades of one more value equal to the last; then learn from it, also that a missing run is over."""
    numbers[EVENTS] += 1.0
    if numbers[GONE_RUN] > 0.0:
        numbers[GONE_LONGEST] = max(numbers[GONE_LONGEST], min(numbers[GONE_RUN], 2.0 * numbers[GONE_LONGEST] + 8.0))
        numbers[GONE_RUN] = 0.0
    decades = 0.0
    if numbers[VALUES] > 0.0 and x == numbers[LAST]:
        numbers[RUN] += 1.0
        decades = run_rarity(numbers[RUN], numbers[LONGEST], numbers[REPEATS], numbers[VALUES])
        numbers[REPEATS] += 1.0
    elif numbers[RUN] > 0.0:
        # One freeze raises what is tolerated to at most twice as much: the next one is news again.
        numbers[LONGEST] = max(numbers[LONGEST], min(numbers[RUN], 2.0 * numbers[LONGEST] + 8.0))
        numbers[RUN] = 0.0
    numbers[LAST] = x
    return decades if numbers[VALUES] >= WARM_UP else 0.0


@kernel
def _error(series: AnomalySeries, row: int, target: int, error: float, channels: Array) -> tuple[float, float]:
    """The forecast's |error| in running sizes, and its decades beyond the extraordinary; then learn from it."""
    numbers = series.numbers[row, target]
    seen, size = numbers[ERRORS], numbers[SIZE]
    absolute = abs(error)
    relative = LARGEST_ERROR if absolute > 0.0 else 0.0
    if absolute < LARGEST_ERROR * size:
        relative = absolute / size
    newest = int(seen) % BLOCK_WINDOW
    series.block[row, target, newest] = relative if error > 0.0 else -relative
    beyond = 0.0
    if seen >= WARM_UP:
        beyond = errors(series.block[row, target], newest, series.errors[row, target], seen - WARM_UP, channels)
    numbers[SIZE] = running_size(size, numbers[LAST_PEAK], absolute, max(1.0 / (seen + 1.0), SIZE_GAIN))
    numbers[ERRORS] = seen + 1.0
    numbers[PEAK] = max(numbers[PEAK], absolute)
    if numbers[ERRORS] % PEAK_BLOCK == 0.0:
        numbers[LAST_PEAK] = numbers[PEAK]
        numbers[PEAK] = 0.0
    return relative, beyond


@kernel
def _range(series: AnomalySeries, row: int, target: int, x: float) -> float:
    """The excess of `x` over the range so far; then learn from it, also whether the range was blown up."""
    numbers = series.numbers[row, target]
    seen = numbers[VALUES]
    outside = 0.0
    if seen == 0.0:
        numbers[LOW] = x
        numbers[HIGH] = x
    elif seen >= WARM_UP:
        outside = excess(numbers[LOW], numbers[HIGH], x)
    numbers[LOW] = min(numbers[LOW], x)
    numbers[HIGH] = max(numbers[HIGH], x)
    if seen % BLOCK == 0.0:
        width = numbers[BLOCK_HIGH] - numbers[BLOCK_LOW]
        if width > 0.0 and numbers[HIGH] - numbers[LOW] > ABSURD * width:
            numbers[LOW] = min(numbers[BLOCK_LOW], x)
            numbers[HIGH] = max(numbers[BLOCK_HIGH], x)
            series.hours[row, target] = 0.0
            series.whole[row, target] = 0.0
        numbers[BLOCK_LOW] = x
        numbers[BLOCK_HIGH] = x
    numbers[BLOCK_LOW] = min(numbers[BLOCK_LOW], x)
    numbers[BLOCK_HIGH] = max(numbers[BLOCK_HIGH], x)
    return outside


@kernel
def _profiles(series: AnomalySeries, row: int, target: int, hour: int, x: float, channels: Array) -> float:
    """The windows' part of S; then learn from `x`."""
    seen = series.numbers[row, target, VALUES]
    hours, whole = series.hours[row, target], series.whole[row, target]
    strangeness = 0.0
    newest = int(seen) % WINDOW
    for memory in range(hourly_profile.MEMORIES):
        ring = series.ring[row, target, memory]
        ring[newest] = hourly_profile.residual(hours, whole, memory, hour, x)
        if seen >= WARM_UP:
            part = windows(ring, newest, series.largest[row, target, memory], seen - WARM_UP, channels)
            strangeness += part / hourly_profile.MEMORIES
    hourly_profile.learn(hours, whole, hour, x)
    return strangeness


@kernel
def _statistic(
    series: AnomalySeries,
    row: int,
    target: int,
    hour: int,
    x: float,
    expected: float,
    lower: float,
    upper: float,
    channels: Array,
) -> tuple[float, float, float]:
    """Strength of one observed target, how far a fast channel is beyond what is needed, the error in running sizes.

    Then all of it is learned from.
    """
    numbers = series.numbers[row, target]
    strangeness = _profiles(series, row, target, hour, x, channels)
    relative, beyond = 0.0, 0.0
    if abs(x - expected) <= LARGEST_VALUE:  # false for NaN: nothing was expected
        relative, beyond = _error(series, row, target, x - expected, channels)
        channels[LIKELIHOOD] = max(channels[LIKELIHOOD], likelihood(x, expected, lower, upper, NORMAL_95))
    frozen = _frozen(numbers, x)
    channels[FROZEN] = max(channels[FROZEN], frozen)
    outside = _range(series, row, target, x)
    if outside > 0.0:
        strangeness += RANGE_WEIGHT * log(1.0 + outside / RANGE_UNIT)
        channels[RANGE] = max(channels[RANGE], log10(numbers[VALUES] / 2.0) + log10(1.0 + outside / RANGE_UNIT))
    numbers[VALUES] += 1.0
    beyond = max(beyond, frozen - EXTRAORDINARY_RUN)
    if outside > EXTRAORDINARY_RANGE:
        beyond = max(beyond, log10(outside / EXTRAORDINARY_RANGE))
    return strangeness, beyond, relative


@kernel
def strength_for(per_thousand: float) -> float:
    """The strength that opens about `per_thousand` alerts per 1,000 of the first 20,000 normal events of a series.

    Fitted to simulations (docs/anomalies.md). Alerts are denser in the first few thousand events, when records are
    frequent, and rarer in old series; more than about 3 per 1,000 the rests do not let through.
    """
    return max(LEAST_OPENING, OPENING - OPENING_SCALE * log(per_thousand))


@kernel
def _accepted(config: AnomalyConfig, log_interval: float) -> float:
    """Alerts per 1,000 events to accept for each target."""
    per_thousand = config.false_alarms
    if config.false_alarms_per_day > 0.0:
        per_thousand = 1000.0 * config.false_alarms_per_day * exp(log_interval) / DAY_US
    return min(max(per_thousand / config.targets, 1e-9), 1000.0)


@kernel
def _score(series: AnomalySeries, row: int, strength: float, tie: float) -> float:
    """1 - P(an event of this series is at least as strange), by the past; then learn from it."""
    counts = series.counts[row]
    decades = -log10(calibration.probability(counts, strength, tie))
    calibration.learn(counts, strength, tie)
    # No past of n events tells apart what is much rarer than 1 / n.
    told_apart = min(decades, log10(series.alert[row, alerts.EVENTS] + 1.0) + EXTRAPOLATED)
    return float(1.0 - exp(-rates.corrected(series.rates[row], told_apart) / extremes.LOG10_E))


@kernel
def observe(
    config: AnomalyConfig,
    series: AnomalySeries,
    row: int,
    time_us: int,
    x: Array,
    expected: Array,
    lower: Array,
    upper: Array,
    channels: Array,
    outcome: Array,
) -> float:
    """Score one event of one series, then learn from it.

    Args:
        config: sizes and rates.
        series: the state; row `row` changes.
        row: which series.
        time_us: event time, microseconds since 1970.
        x: `(targets,)` observed values, NaN where missing.
        expected: `(targets,)` what was forecast for this event, NaN for the first.
        lower: `(targets,)` bounds of the first interval level, NaN for the first event.
        upper: `(targets,)`.
        channels: `(CHANNELS,)`, written: decades of each channel, the largest over the targets; 0 = nothing.
        outcome: `(OUTCOMES,)`, written: score, 1.0 for an anomaly, its alert (0: none), the driving target (-1: none),
            strength.

    Returns:
        The score in [0, 1]: 1 - P(an event of this series is at least as strange).
    """
    for channel in range(CHANNELS):
        channels[channel] = 0.0
    gap = _gap(series, row, time_us)
    channels[GAP] = gap
    hour = (time_us // hourly_profile.HOUR_US) % hourly_profile.HOURS
    strength, beyond, tie, driver = -1.0, 0.0, 0.0, -1
    for target in range(config.targets):
        own, extraordinary, relative = 0.0, 0.0, 0.0
        if abs(x[target]) <= LARGEST_VALUE:
            own, extraordinary, relative = _statistic(
                series, row, target, hour, x[target], expected[target], lower[target], upper[target], channels
            )
        else:
            missing = _absent(series.numbers[row, target])
            channels[MISSING] = max(channels[MISSING], missing)
            extraordinary = missing - EXTRAORDINARY_RUN
        extraordinary = max(extraordinary, gap - EXTRAORDINARY_GAP)
        if extraordinary > 0.0:
            own += FAST_LEAST + FAST_WEIGHT * contribution(extraordinary)
        if own > strength or (own == strength and relative > tie):
            driver = target
        strength, beyond, tie = max(strength, own), max(beyond, extraordinary), max(tie, relative)
    score = _score(series, row, strength, tie / (1.0 + tie))
    level, open_at = strength, strength_for(_accepted(config, series.times[row, LOG_INTERVAL]))
    if config.threshold >= 0.0:
        level, open_at = -log10(max(1.0 - score, 1e-300)), -log10(max(1.0 - config.threshold, 1e-300))
    rest = alerts.AlertConfig(config.rest_share, config.rest_least, config.rest_most)
    before = series.alert[row, alerts.ALERTS]
    alert = alerts.observe(rest, series.alert[row], level, open_at, beyond)
    # Windows stay strange for as long as they are; an event after the one that opened an alert has to be so itself.
    itself = alert > before or beyond > 0.0 or (config.threshold >= 0.0 and level >= open_at)
    for target in range(config.targets):
        itself = itself or x[target] < lower[target] or x[target] > upper[target]
    outcome[SCORE] = score
    outcome[IS_ANOMALY] = 1.0 if alert > 0 and itself else 0.0
    outcome[ALERT] = float(alert) if itself else 0.0
    outcome[DRIVER] = float(driver)
    outcome[STRENGTH] = strength
    return score
