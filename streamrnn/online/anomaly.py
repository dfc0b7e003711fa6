"""How strange was this event, as a probability, before anything is learned from it.

For each target the channels of `channels.py` are rarities in decades, d = -log10 P. Those over windows of what the
series does at this time of day, and new extremes, become one statistic, with l(d) = log(1 + d / .3),

    S = weighted mean of l(d) over the windows of both profiles         level, spread and jump channels
      + 7/2 log(1 + excess / .02)                                        range: a value outside all so far

which `calibration.py` turns into p = P(a past event was at least as strange); ordinary events, S about 0, are ordered
by the size of the forecast's error. The other channels state probabilities of their own (residual, blocks, frozen,
missing, gap); where one is beyond `EXTRAORDINARY`, p is at most 10^-(d - `ALLOWANCE`).

With several targets the smallest p is calibrated once more against its own past, whatever the dependence between
targets. `alerts.py` decides by p what is an anomaly; the score is 1 - p after `rates.py` has made its rate right.

Everything is scored with what was known before the event; every statistic is updated after.
"""

from __future__ import annotations

from math import exp, log, log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.compiled import kernel
from streamrnn.online import alerts, calibration, profile, rates, records
from streamrnn.online.channels import (
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
    errors,
    excess,
    likelihood,
    run_rarity,
    windows,
)
from streamrnn.online.size import PEAK_BLOCK, running_size

__all__ = ["CHANNELS", "CHANNEL_NAMES", "AnomalyConfig", "AnomalySeries", "allocate", "observe"]

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Entries of the `outcome` array that `observe` writes.
SCORE, IS_ANOMALY, ALERT, DRIVER, RARITY = range(5)
OUTCOMES = 5

WARM_UP = 100  # observed values before lists and range are used
RANGE_UNIT, RANGE_WEIGHT = 0.02, 3.5
# Decades from which a channel that states its own probability speaks, and that are taken off then, for there being
# many channels that look at every event. Repeats and silences gather decades quickly: they can wait for more.
EXTRAORDINARY, EXTRAORDINARY_RUN = 5.2, 8.0
ALLOWANCE = 2.0
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
    open_below: float = 1e-3
    close_above: float = 1e-2
    rest_share: float = 0.03
    rest_least: int = 30
    rest_most: int = 400
    false_alarms_per_day: float = 0.0  # > 0 replaces `open_below`: expected alerts a day on normal data


class AnomalySeries(NamedTuple):
    """Anomaly state, one row per series; an all-zero row is a new series."""

    numbers: Array  # (rows, targets, NUMBERS)
    whole: Array  # (rows, targets, profile.COLUMNS): moments of the whole series
    hours: Array  # (rows, targets, profile.MEMORIES, profile.HOURS, profile.COLUMNS)
    ring: Singles  # (rows, targets, profile.MEMORIES, WINDOW): profile residuals
    largest: Singles  # (rows, targets, profile.MEMORIES, LISTED): largest window statistics
    errors: Singles  # (rows, targets, ERROR_LISTS): largest forecast errors and blocks of them, in running sizes
    block: Singles  # (rows, targets, BLOCK_WINDOW): the last errors, signed
    counts: Singles  # (rows, targets, calibration.COUNTS): past of each target's statistic
    together: Singles  # (rows, calibration.COUNTS): past of the smallest probability, in decades
    rates: Array  # (rows, rates.LEVELS): what the score corrects
    times: Array  # (rows, TIMES)
    gaps: Singles  # (rows, GAPS_KEPT)
    alert: npt.NDArray[np.int64]  # (rows, alerts.COLUMNS)


def allocate(config: AnomalyConfig, rows: int) -> AnomalySeries:
    """State of `rows` new series."""
    targets = (rows, config.targets)
    return AnomalySeries(
        numbers=np.zeros((*targets, NUMBERS)),
        whole=np.zeros((*targets, profile.COLUMNS)),
        hours=np.zeros((*targets, profile.MEMORIES, profile.HOURS, profile.COLUMNS)),
        ring=np.zeros((*targets, profile.MEMORIES, WINDOW), np.float32),
        largest=np.zeros((*targets, profile.MEMORIES, LISTED), np.float32),
        errors=np.zeros((*targets, ERROR_LISTS), np.float32),
        block=np.zeros((*targets, BLOCK_WINDOW), np.float32),
        counts=np.zeros((*targets, calibration.COUNTS), np.float32),
        together=np.zeros((rows, calibration.COUNTS), np.float32),
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
    decades = records.rarity(series.gaps[row], seen, off, False, LEAST_GAP_SCALE)
    if decades > 0.0:
        decades += records.share(GAPS_KEPT, seen)
    records.remember(series.gaps[row], seen, off)
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
    """The forecast's |error| in running sizes, and its decades; then learn from it."""
    numbers = series.numbers[row, target]
    seen, size = numbers[ERRORS], numbers[SIZE]
    absolute = abs(error)
    relative = LARGEST_ERROR if absolute > 0.0 else 0.0
    if absolute < LARGEST_ERROR * size:
        relative = absolute / size
    newest = int(seen) % BLOCK_WINDOW
    series.block[row, target, newest] = relative if error > 0.0 else -relative
    decades = 0.0
    if seen >= WARM_UP:
        decades = errors(series.block[row, target], newest, series.errors[row, target], seen - WARM_UP, channels)
    numbers[SIZE] = running_size(size, numbers[LAST_PEAK], absolute, max(1.0 / (seen + 1.0), SIZE_GAIN))
    numbers[ERRORS] = seen + 1.0
    numbers[PEAK] = max(numbers[PEAK], absolute)
    if numbers[ERRORS] % PEAK_BLOCK == 0.0:
        numbers[LAST_PEAK] = numbers[PEAK]
        numbers[PEAK] = 0.0
    return relative, decades


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
    for memory in range(profile.MEMORIES):
        ring = series.ring[row, target, memory]
        ring[newest] = profile.residual(hours, whole, memory, hour, x)
        if seen >= WARM_UP:
            part = windows(ring, newest, series.largest[row, target, memory], seen - WARM_UP, channels)
            strangeness += part / profile.MEMORIES
    profile.learn(hours, whole, hour, x)
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
    """S of one observed target, the decades that speak for themselves, the error in running sizes; then learn."""
    numbers = series.numbers[row, target]
    strangeness = _profiles(series, row, target, hour, x, channels)
    relative, decades = 0.0, 0.0
    if abs(x - expected) <= LARGEST_VALUE:  # false for NaN: nothing was expected
        relative, decades = _error(series, row, target, x - expected, channels)
        channels[LIKELIHOOD] = max(channels[LIKELIHOOD], likelihood(x, expected, lower, upper, NORMAL_95))
    frozen = _frozen(numbers, x)
    channels[FROZEN] = max(channels[FROZEN], frozen)
    outside = _range(series, row, target, x)
    if outside > 0.0:
        strangeness += RANGE_WEIGHT * log(1.0 + outside / RANGE_UNIT)
        channels[RANGE] = max(channels[RANGE], log10(numbers[VALUES] / 2.0) + log10(1.0 + outside / RANGE_UNIT))
    numbers[VALUES] += 1.0
    return strangeness, max(decades, frozen if frozen > EXTRAORDINARY_RUN else 0.0), relative


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
        outcome: `(OUTCOMES,)`, written: score, 1.0 in an alert, its id (0: none), driving target's index (-1: none),
            decades -log10 p that alerts are decided by (0 for ordinary events).

    Returns:
        The score in [0, 1]: 1 - P(an event of this series is at least as strange).
    """
    for channel in range(CHANNELS):
        channels[channel] = 0.0
    gap = _gap(series, row, time_us)
    channels[GAP] = gap
    hour = (time_us // profile.HOUR_US) % profile.HOURS
    p = 1.0
    driver = -1
    strange = False
    for target in range(config.targets):
        statistic, relative = 0.0, 0.0
        if abs(x[target]) <= LARGEST_VALUE:
            statistic, decades, relative = _statistic(
                series, row, target, hour, x[target], expected[target], lower[target], upper[target], channels
            )
        else:
            decades = _absent(series.numbers[row, target])
            channels[MISSING] = max(channels[MISSING], decades)
            decades = decades if decades > EXTRAORDINARY_RUN else 0.0
        tie = relative / (1.0 + relative)
        counts = series.counts[row, target]
        own = calibration.probability(counts, statistic, tie)
        calibration.learn(counts, statistic, tie)
        decades = max(decades, gap if gap > EXTRAORDINARY_RUN else 0.0)
        if decades > EXTRAORDINARY:
            own = min(own, max(exp((ALLOWANCE - decades) / records.LOG10_E), calibration.SMALLEST))
        strange = strange or decades > EXTRAORDINARY or not calibration.ordinary(statistic)
        if own < p:
            p = own
            driver = target
    if config.targets > 1:
        decades = -log10(p)
        together = series.together[row]
        p = calibration.probability(together, decades, min(decades / calibration.BIN, 0.999))
        calibration.learn(together, decades, min(decades / calibration.BIN, 0.999))
    open_below = config.open_below
    if config.false_alarms_per_day > 0.0:
        open_below = min(config.false_alarms_per_day * exp(series.times[row, LOG_INTERVAL]) / DAY_US, 0.5)
    limits = alerts.AlertConfig(
        open_below, max(config.close_above, open_below), config.rest_share, config.rest_least, config.rest_most
    )
    alert = alerts.observe(limits, series.alert[row], p if strange else 2.0)
    # No past of n events tells apart what is much rarer than 1 / n.
    told_apart = min(-log10(p), log10(series.alert[row, alerts.EVENTS] + 1.0) + EXTRAPOLATED)
    score = 1.0 - exp(-rates.corrected(series.rates[row], told_apart) / records.LOG10_E)
    outcome[SCORE] = score
    outcome[IS_ANOMALY] = 1.0 if alert > 0 else 0.0
    outcome[ALERT] = float(alert)
    outcome[DRIVER] = float(driver)
    outcome[RARITY] = -log10(p) if strange else 0.0
    return score
