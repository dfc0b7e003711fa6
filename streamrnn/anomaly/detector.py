"""How strange was this event, before anything is learned from it: one strength, one score, alerts.

Every target's channels (`channels.py`) are rarities in decades by what was learned from the events before; together
they are its strangeness D, and an event's is that of its strangest target. A young series knows little of its own
tails and records: D is divided by 1 + .35 log10(1000 / n) while n < 1,000 values have been seen, and the
channels that look for records lose up to a decade until a week, or 2,016 events, but at least 1,500, have passed.

An alert opens where the strength, D within rests (`alerts.py`), reaches what the accepted rate of false alarms asks
for; the score is the same order as a probability (`rates.py`). A rule (`rules.py`) may ask for more: a side, a size, a
time that it lasts.

While an alert is open, the profiles that a strange target is held against (hour of day, hour of week) do not learn:
a fault that lasts stays one. What lasts for `new_normal` is plainly no fault: the baselines move to it, and the alert
is closed.

Everything is scored with what was known before the event; every statistic is updated after.
"""

from __future__ import annotations

from math import log10, sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import (
    alert_context,
    alerts,
    feedback,
    hourly_profile,
    moments,
    rates,
    record_range,
    residuals,
    rules,
    runs,
    tails,
    units,
    weekly_profile,
)
from streamrnn.anomaly.channels import (
    CHANGE,
    CHANNEL_NAMES,
    CHANNELS,
    DISTANCE,
    ERROR,
    FROZEN,
    GAP,
    JUMP,
    LEVEL,
    MISSING,
    RANGE,
    RESIDUAL,
    SPREAD,
    WEEK,
    combined,
)
from streamrnn.anomaly.series import (
    ABSENT,
    AVERAGES,
    BASE,
    FREEZE,
    HIGHEST,
    HOLD,
    HOUR_COUNT,
    HOUR_MEAN,
    HOUR_SQUARES,
    LOWEST,
    NEAR,
    OFF_COUNT,
    OFF_MEAN,
    ORDINARY,
    PEAK,
    RANGES,
    RECENT,
    RESIDUALS,
    SINCE,
    SIZE,
    STILL,
    STRANGE,
    VALUES,
    WEEK_MEAN,
    WEEKLY,
    WHOLE,
    AnomalyConfig,
    AnomalySeries,
    AnomalyShared,
    allocate,
    allocate_shared,
)
from streamrnn.kernels.jit import kernel

__all__ = [
    "CHANNELS",
    "CHANNEL_NAMES",
    "AnomalyConfig",
    "AnomalySeries",
    "AnomalyShared",
    "allocate",
    "allocate_shared",
    "observe",
    "pass_over",
]

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Entries of the `outcome` array that `observe` writes; what follows them is working memory.
SCORE, IS_ANOMALY, ALERT, DRIVER, STRENGTH, CHANNEL, DEVIATION = range(7)
_WORK = 7
OUTCOMES = _WORK + 3 * CHANNELS

YOUNG, YOUNG_SLOPE = 1000.0, 0.35  # values; per decade of these
WEEK_US, WEEK_EVENTS, LEAST_EVENTS = 7 * 86_400e6, 2016.0, 1500.0
HOUR_US = 3_600_000_000
DAY_US = 86_400e6
LARGEST_VALUE = 1e300
NO_LIMIT = 2**62
MEMORY = 10.0  # events; what is ordinary again is judged over about so many
OVER = 0.75  # share of ordinary values from which an alert is over
USUAL = 1.645  # deviations; nine in ten values lie within
KNOWN = 2  # days after which an hour of the day is a baseline that a fault must not drag along
LEAST_OPEN = 24  # events before an alert can be the new normal


@kernel
def _begin_again(series: AnomalySeries, row: int, target: int, x: float) -> None:
    """Forget what something absurd has measured; runs of equal and missing values are kept."""
    doubles = series.doubles[row, target]
    size = doubles[units.HIGH] - doubles[units.LOW]
    units.begin(doubles, x, size)
    series.numbers[row, target, :FREEZE] = 0.0
    series.tails[row, target] = 0.0
    series.lists[row, target] = 0.0
    series.hours[row, target] = 0.0
    series.hour_visits[row, target] = 0
    series.week[row, target] = 0
    series.week_visits[row, target] = 0


@kernel
def _hour_is_over(series: AnomalySeries, row: int, target: int, hour: int) -> None:
    """What was gathered in `hour` (since 1970) becomes part of the profiles."""
    numbers = series.numbers[row, target]
    count = numbers[HOUR_COUNT]
    if count == 0.0:
        return
    day, week = hour % hourly_profile.HOURS, hour % weekly_profile.HOURS
    variance = max(numbers[HOUR_SQUARES] / count, 0.0)
    memory = hourly_profile.memory(series.times[row, runs.INTERVAL] / HOUR_US)
    hourly_profile.learn(
        series.hours[row, target], series.hour_visits[row, target], day, float(numbers[HOUR_MEAN]), variance, memory
    )
    state = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
    weekly_profile.learn(
        state, series.week[row, target], series.week_visits[row, target], week, float(numbers[WEEK_MEAN])
    )
    numbers[HOUR_COUNT], numbers[HOUR_MEAN], numbers[HOUR_SQUARES], numbers[WEEK_MEAN] = 0.0, 0.0, 0.0, 0.0


@kernel
def _gather(series: AnomalySeries, row: int, target: int, hour: int, y: float, usual: float, deviation: float) -> None:
    """Add a value to what the hour that is going on will teach the profiles."""
    numbers = series.numbers[row, target]
    state = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
    numbers[HOUR_COUNT] += 1.0
    count = numbers[HOUR_COUNT]
    weekly = weekly_profile.moved(
        state, series.week[row, target], series.week_visits[row, target], hour % weekly_profile.HOURS, y
    )
    numbers[WEEK_MEAN] += (weekly - numbers[WEEK_MEAN]) / count
    y = moments.clipped(y, usual, deviation, float(numbers[VALUES]))
    step = y - numbers[HOUR_MEAN]
    numbers[HOUR_MEAN] += step / count
    numbers[HOUR_SQUARES] += step * (y - numbers[HOUR_MEAN])


@kernel
def _forget(series: AnomalySeries, row: int, target: int) -> None:
    """What is over says nothing of the next event: running means begin again."""
    numbers = series.numbers[row, target]
    numbers[AVERAGES : AVERAGES + 4] = 0.0
    numbers[RESIDUALS + residuals.LAST], numbers[RESIDUALS + residuals.BEFORE] = 0.0, 0.0
    numbers[WEEKLY + weekly_profile.AVERAGE] = 0.0


@kernel
def _new_normal(series: AnomalySeries, row: int, target: int) -> None:
    """Baselines move by what the series has been off them while the alert was open."""
    numbers = series.numbers[row, target]
    if numbers[STRANGE] > 0.0:
        by = float(numbers[OFF_MEAN])
        for hour in range(hourly_profile.HOURS):
            if series.hour_visits[row, target, hour] > 0:
                series.hours[row, target, hour, hourly_profile.MEAN] += by
                series.hour_visits[row, target, hour] = 1
        state = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
        weekly_profile.shift(state, series.week[row, target], series.week_visits[row, target], by)
        numbers[AVERAGES : AVERAGES + 4] = 0.0
    numbers[STRANGE], numbers[OFF_COUNT], numbers[OFF_MEAN] = 0.0, 0.0, 0.0


@kernel
def _holds(numbers: Singles, since: int, away: float, spread: float, error: float) -> bool:
    """Whether the series is still where the alert that opened `since` events ago saw it go, `away` from its profile.

    It is while a running mean of what it is away, less what was expected of it at the opening, is more than half of the
    opening's error, and more than the series would have gone of itself: errors that add up, or the profile's `spread`;
    or while it is out of the ordinary on that side, and was not before. One that came nearer to its profile is not.
    """
    if since < 0:
        return False
    if since == 0:
        numbers[BASE], numbers[SIZE], numbers[STILL] = away - error, error, error
        return False
    numbers[STILL] += max(1.0 / (since + 1.0), 1.0 / MEMORY) * (away - numbers[BASE] - numbers[STILL])
    one = numbers[RESIDUALS + residuals.SCALE] / residuals.MEAN_TO_SIGMAS
    half, ordinary, side = 0.5 * abs(float(numbers[SIZE])), USUAL * spread, np.sign(numbers[SIZE])
    before, now = float(numbers[BASE]), float(numbers[BASE] + numbers[STILL])
    if abs(now) < abs(before):
        return False  # it is nearer to what is usual than before
    if abs(before) <= ordinary and now * side > max(half, ordinary):
        return True
    return bool(numbers[STILL] * side > max(half, min(one * sqrt(float(since)), spread)))


@kernel
def _value(
    series: AnomalySeries, row: int, target: int, hour: int, x: float, expected: float, learns: bool, found: Array,
    off: Array, sides: Array, since: int,
) -> tuple[bool, bool]:  # fmt: skip
    """Decades `found` `(CHANNELS,)` of one observed target, how far it is `off` in units, and the `sides` they see.

    Then everything but the profiles' hours is learned from it. Returns whether the value is out of the ordinary, and
    whether it is still where an alert that opened `since` events ago (0: none is open, < 0: one waits) saw it go.
    """
    doubles, numbers = series.doubles[row, target], series.numbers[row, target]
    found[FROZEN] = runs.observe(
        numbers[FREEZE : FREEZE + runs.COLUMNS], numbers[VALUES] > 0.0 and x == doubles[units.LAST]
    )
    if numbers[VALUES] == 0.0 and doubles[units.UNIT] == 0.0:
        units.begin(doubles, x, 0.0)
    elif doubles[units.UNIT] == 0.0 and x != doubles[units.ANCHOR]:
        units.begin(doubles, doubles[units.ANCHOR], abs(x - doubles[units.ANCHOR]))
    doubles[units.LAST] = x
    whole = numbers[WHOLE : WHOLE + moments.COLUMNS]
    if units.outgrown(doubles, float(numbers[VALUES]), sqrt(whole[moments.VARIANCE]), x):
        _begin_again(series, row, target, x)
    seen, y = float(numbers[VALUES]), units.to_units(doubles, x)
    repeats = runs.share(numbers[FREEZE : FREEZE + runs.COLUMNS])
    least = residuals.grain(numbers[RESIDUALS : RESIDUALS + residuals.COLUMNS], repeats)
    error, of_errors = x - expected, numbers[RESIDUALS : RESIDUALS + residuals.COLUMNS]
    if abs(error) <= LARGEST_VALUE:  # false for NaN: nothing was expected
        unit = doubles[units.UNIT]
        error = min(max(error / unit, -units.LARGEST), units.LARGEST) if unit > 0.0 else 0.0
        side = residuals.observe(of_errors, series.tails[row, target], error, repeats, found[ERROR : RESIDUAL + 1])
        off[ERROR], off[RESIDUAL] = error, error
        sides[ERROR], sides[RESIDUAL] = side, side
    else:
        error = 0.0
    off[CHANGE] = y - of_errors[residuals.VALUE]
    found[CHANGE] = residuals.change(of_errors, series.tails[row, target, 1], y, seen)
    near = numbers[NEAR : NEAR + moments.COLUMNS]
    off[DISTANCE] = y - near[moments.MEAN]
    sides[CHANGE], sides[DISTANCE] = np.sign(off[DISTANCE]), np.sign(off[DISTANCE])
    found[DISTANCE] = moments.distance(near, series.tails[row, target, 2], y, seen, least)
    usual, deviation = hourly_profile.usual(
        series.hours[row, target], series.hour_visits[row, target], whole, hour % hourly_profile.HOURS
    )
    off[LEVEL], off[SPREAD], off[JUMP], off[RANGE] = y - usual, y - usual, y - usual, y - usual
    averages, lists = numbers[AVERAGES : AVERAGES + 4], series.lists[row, target]
    hourly_profile.observe(averages, lists, usual, deviation, y, seen, found[LEVEL : JUMP + 1])
    sides[LEVEL], sides[JUMP] = np.sign(averages[0]), np.sign(averages[2] - averages[3])
    record = numbers[RANGES : RANGES + record_range.COLUMNS]
    if y > record[record_range.HIGH]:
        sides[RANGE] = 1.0
    elif y < record[record_range.LOW]:
        sides[RANGE] = -1.0
    found[RANGE] = record_range.observe(record, y, seen)
    weekly = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
    means, visits, at = series.week[row, target], series.week_visits[row, target], hour % weekly_profile.HOURS
    off[WEEK] = y - means[at] * weekly[weekly_profile.QUANTUM]
    away, spread = y - usual, deviation
    if visits[at] >= weekly_profile.TRUSTED and weekly[weekly_profile.SCALE] > 0.0:
        away, spread = off[WEEK], weekly[weekly_profile.SCALE] / residuals.MEAN_TO_SIGMAS
    is_held = _holds(numbers, since, away, spread, error)
    interval = series.times[row, runs.INTERVAL]
    per_hour = max(HOUR_US / interval, 1.0) if interval > 0.0 else 1.0
    found[WEEK] = weekly_profile.observe(weekly, means, visits, lists[3], at, y, per_hour)
    sides[WEEK] = np.sign(weekly[weekly_profile.AVERAGE])
    if learns or series.hour_visits[row, target, hour % hourly_profile.HOURS] < KNOWN:
        _gather(series, row, target, hour, y, usual, deviation)
        moments.learn(whole, y, seen, moments.WHOLE_GAIN)
        numbers[OFF_COUNT], numbers[OFF_MEAN] = 0.0, 0.0
    else:
        numbers[OFF_COUNT] += 1.0
        numbers[OFF_MEAN] += (y - usual - numbers[OFF_MEAN]) / numbers[OFF_COUNT]
        if abs(y - usual) > feedback.OUT * deviation:
            feedback.withhold(series, row, target, hour, y - usual)
    numbers[VALUES] = min(seen + 1.0, tails.MOST_SEEN)
    return abs(away) > USUAL * spread, is_held


@kernel
def _show(shown: Array, x: float, known: bool, seen: float) -> float:
    """Keep a value for an alert to show; 1 where it is above all `seen` before, -1 below, else 0."""
    for k in range(RECENT - 1):
        shown[k] = shown[k + 1]
    shown[RECENT - 1] = x
    if not known:
        return 0.0
    if seen == 0.0:
        shown[HIGHEST], shown[LOWEST] = x, x
    record = 1.0 if x > shown[HIGHEST] else -1.0 if x < shown[LOWEST] else 0.0
    shown[HIGHEST], shown[LOWEST] = max(shown[HIGHEST], x), min(shown[LOWEST], x)
    return record


@kernel
def _accepted(rule: Array, shared: AnomalyShared, interval: float) -> float:
    """Alerts per 1,000 events to accept."""
    per_thousand = rule[rules.FALSE_ALARMS]
    if rule[rules.PER_DAY] > 0.0:
        per_thousand = 1000.0 * rule[rules.PER_DAY] * interval / DAY_US
    if rule[rules.FOR_ALL] > 0.0:
        per_thousand /= float(max(shared.series[0], 1))
    return float(min(max(per_thousand, 1e-9), 1000.0))


@kernel
def _waits(times: Array) -> float:
    """Decades that the channels which look for records lose while they have seen little."""
    days = (times[runs.LAST_TIME] - times[runs.FIRST_TIME]) / WEEK_US
    age = min(max(days, times[runs.INTERVALS] / WEEK_EVENTS), times[runs.INTERVALS] / LEAST_EVENTS)
    return min(max(-log10(max(age, 1e-9)), 0.0), 1.0)


@kernel
def _strangeness(
    rule: Array, series: AnomalySeries, row: int, target: int, hour: int, x: float, expected: float, gap: float,
    open_at: float, found: Array, off: Array, sides: Array, channels: Array,
) -> tuple[float, int, float, bool, bool]:  # fmt: skip
    """D of one target, its strongest channel (-1: none), whether a record, out of the ordinary, still where it went.

    `channels` are raised to what was found.
    """
    numbers, alert = series.numbers[row, target], series.alert[row]
    for k in range(CHANNELS):
        found[k], off[k], sides[k] = 0.0, np.nan, 0.0
    suspect = alert[alerts.OPEN] == 1 or alert[alerts.WAITS] > 0 or series.aftermath[row, target, SINCE] > 0.0
    learns = not (suspect and numbers[STRANGE] > 0.0)
    known = abs(x) <= LARGEST_VALUE
    record = _show(series.shown[row, target], x, known, float(numbers[VALUES]))
    found[MISSING] = runs.observe(numbers[ABSENT : ABSENT + runs.COLUMNS], not known)
    found[GAP] = gap
    is_odd, is_held = False, False
    if known:
        since = alert[alerts.EVENTS] - alert[alerts.OPENED_AT] if alert[alerts.OPEN] == 1 else -alert[alerts.WAITS]
        is_odd, is_held = _value(series, row, target, hour, x, expected, learns, found, off, sides, since)
        waits = _waits(series.times[row])
        found[RANGE] = max(found[RANGE] - waits, 0.0)
        if series.hour_visits[row, target, hour % hourly_profile.HOURS] == 0:
            waits = 1.0  # what this hour of the day is like is not known yet
        for k in range(LEVEL, JUMP + 1):
            found[k] = max(found[k] - waits, 0.0)
    for k in range(CHANNELS):
        channels[k] = max(channels[k], found[k])
    rules.keep_side(rule, found, sides, off)
    seen = max(float(numbers[VALUES]), 1.0)
    strangeness, channel = combined(found, seen)
    if seen < YOUNG:
        strangeness /= 1.0 + YOUNG_SLOPE * log10(YOUNG / seen)
    if channel >= 0 and not rules.large_enough(rule, x, off[channel] * series.doubles[row, target, units.UNIT]):
        strangeness = rules.squeezed(strangeness, open_at)
    if channel >= 0:
        strangeness = feedback.kept_down(series, row, target, channel, off[channel], strangeness, open_at)
    is_odd = is_odd or max(found[FROZEN], found[MISSING], found[GAP]) > 0.0
    numbers[STRANGE] = 1.0 if strangeness >= alerts.CLOSE_SHARE * open_at or is_held else 0.0
    return strangeness, channel, record, is_odd, is_held


@kernel
def observe(
    config: AnomalyConfig,
    rule: Array,
    shared: AnomalyShared,
    series: AnomalySeries,
    row: int,
    time_us: int,
    local_us: int,
    x: Array,
    expected: Array,
    lower: Array,
    upper: Array,
    channels: Array,
    outcome: Array,
    context: Array,
) -> float:
    """Score one event of one series, then learn from it.

    Args:
        config: sizes.
        rule: `(rules.COLUMNS,)`, what an alert of this series has to be.
        shared: of the partition; changes.
        series: the state; row `row` changes.
        row: which series.
        time_us: event time, microseconds since 1970.
        local_us: the same by the clock that people live by: hours of day and week are read from it.
        x: `(targets,)` observed values, NaN where missing.
        expected: `(targets,)` what was forecast for this event, NaN for the first.
        lower: `(targets,)` bounds of the first interval level, NaN for the first event.
        upper: `(targets,)`.
        channels: `(CHANNELS,)`, written: decades of each channel, the largest over the targets; 0 = nothing.
        outcome: `(OUTCOMES,)`, written: score, 1.0 for an anomaly, its alert (0: none), the driving target (-1: none),
            strength, the strongest channel (-1: none), how far the value is off what that channel holds it against
            (NaN: it says nothing of the value). The rest is working memory.
        context: `(alert_context.COLUMNS,)`, written where an alert opens: what it may say of itself.

    Returns:
        The score in [0, 1]: 1 - P(a normal event is at least as strange).
    """
    found, off = outcome[_WORK : _WORK + CHANNELS], outcome[_WORK + CHANNELS : _WORK + 2 * CHANNELS]
    sides = outcome[_WORK + 2 * CHANNELS :]
    alert, held = series.alert[row], series.held[row]
    last_us = int(series.times[row, runs.LAST_TIME])
    silence = float(time_us - last_us) if last_us != 0 else 0.0
    gap = runs.silence(series.times[row], series.gaps[row], time_us)
    interval = series.times[row, runs.INTERVAL]
    open_at = alerts.strength_for(_accepted(rule, shared, interval), config.targets)
    if rule[rules.THRESHOLD] >= 0.0:
        open_at = rates.strength_of(rule[rules.THRESHOLD])
    hour = local_us // HOUR_US
    if alert[alerts.EVENTS] == 0:
        shared.series[0] += 1
    if hour != series.hour[row]:
        for target in range(config.targets):
            _hour_is_over(series, row, target, series.hour[row])
        series.hour[row] = hour
    for channel in range(CHANNELS):
        channels[channel] = 0.0
    strangeness, driver, strongest, deviation, record = -1.0, -1, -1, np.nan, 0.0
    is_odd, is_held = False, False
    for target in range(config.targets):
        own, channel, extreme, odd, still = _strangeness(
            rule, series, row, target, hour, x[target], expected[target], gap, open_at, found, off, sides, channels
        )
        is_odd, is_held = is_odd or odd, is_held or still
        if own > strangeness:
            strangeness, driver, strongest, record = own, target, channel, extreme
            deviation = off[channel] * series.doubles[row, target, units.UNIT] if channel >= 0 else np.nan
    held[HOLD] *= alerts.HOLD
    strength = alerts.strength(alert, strangeness, open_at, float(held[HOLD]))
    if strangeness >= open_at:
        held[HOLD] = open_at
    began = last_us if strongest == GAP and 0 < last_us < time_us else time_us  # a silence has lasted when it ends
    if rule[rules.LASTING] > 0.0:
        is_off = strongest >= FROZEN
        if not is_off and driver >= 0 and strangeness >= alerts.CLOSE_SHARE * open_at:
            alert_context.describe(
                series, row, driver, strongest, hour, deviation, record, silence,
                x[driver], expected[driver], lower[driver], upper[driver], context,
            )  # fmt: skip
            is_off = not context[alert_context.LOWER] <= x[driver] <= context[alert_context.UPPER]
            is_off = is_off and not deviation * rule[rules.SIDE] < 0.0
        strength = alerts.lasting(
            alert, strangeness, strength, open_at, rule[rules.LASTING], time_us, began, is_off=is_off
        )
    day = DAY_US / interval if interval > 0.0 else 0.0
    rest = alerts.AlertConfig(config.rest_share, config.rest_least, config.rest_most)
    before, was_open = alert[alerts.ALERTS], alert[alerts.OPEN] == 1
    if was_open:
        gain = max(1.0 / (alert[alerts.EVENTS] - alert[alerts.OPENED_AT] + 1.0), 1.0 / MEMORY)
        held[ORDINARY] += gain * ((0.0 if is_odd else 1.0) - held[ORDINARY])
    lasts = is_held or (strangeness >= alerts.CLOSE_SHARE * open_at and held[ORDINARY] < OVER)
    number = alerts.observe(rest, alert, strength, open_at, day, time_us, lasts)
    if was_open and not lasts:
        strength = rules.squeezed(strength, open_at)  # what closes an alert opens none
        for target in range(config.targets):
            _forget(series, row, target)
    if alert[alerts.OPEN] == 1:
        lasted = alert[alerts.EVENTS] - alert[alerts.OPENED_AT]
        said = feedback.verdict(series, row) if number == before else feedback.UNTOLD
        if said == feedback.EXPECTED:
            alert[alerts.OPEN] = 0
            alerts.rest(rest, alert, alert[alerts.EVENTS], day)
        elif (
            said != feedback.FAULT
            and lasted > LEAST_OPEN
            and (time_us - alert[alerts.SINCE] >= config.new_normal or lasted > config.new_normal_events)
        ):
            alert[alerts.OPEN] = 0
            alerts.rest(rest, alert, alert[alerts.EVENTS], day)
            for target in range(config.targets):
                _new_normal(series, row, target)
    itself = number > before or strangeness >= open_at
    for target in range(config.targets):
        itself = itself or x[target] < lower[target] or x[target] > upper[target]
    # An alert's closing tells of the largest deviation while it was open.
    if number > before:
        held[PEAK], held[ORDINARY] = 0.0, 0.0
        for target in range(config.targets):
            if target != driver:
                series.numbers[row, target, SIZE] = 0.0
        feedback.begin(series, row, number, driver, deviation)
        alert_context.describe(
            series, row, driver, strongest, hour, deviation, record, silence,
            x[driver], expected[driver], lower[driver], upper[driver], context,
        )  # fmt: skip
    if number > 0:
        feedback.note(series, row, driver, strongest, deviation, strangeness)
    if number > 0 and abs(deviation) > abs(held[PEAK]):
        held[PEAK] = deviation
    elif before > 0 and alert[alerts.OPEN] == 0 and was_open and held[PEAK] != 0.0:
        deviation = float(held[PEAK])
    outcome[SCORE] = 1.0 - 10.0 ** -rates.decades(series.rates[row], strength, open_at)
    outcome[IS_ANOMALY] = 1.0 if number > 0 and itself else 0.0
    outcome[ALERT] = float(number) if itself else 0.0
    outcome[DRIVER] = float(driver)
    outcome[STRENGTH] = strength
    outcome[CHANNEL] = float(strongest)
    outcome[DEVIATION] = deviation
    return float(outcome[SCORE])


@kernel
def pass_over(series: AnomalySeries, row: int, time_us: int) -> None:
    """An event that is to be ignored: nothing is learned from it but that the series is not silent."""
    times = series.times[row]
    if times[runs.LAST_TIME] != 0.0:
        times[runs.LAST_TIME] = max(times[runs.LAST_TIME], float(time_us))
