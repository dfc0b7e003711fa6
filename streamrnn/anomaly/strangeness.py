"""How strange one target's value is: what every channel finds, and what they say together.

A young series knows little of its own tails and records: D is divided by 1 + .35 log10(1000 / n) while n < 1,000 values
have been seen, and the channels that look for records lose up to a decade until a week, or 2,016 events, but at least
1,500, have passed. Until an hour of the week has been seen twice, level, spread and jump lose `TOLD` decades for a day
after an alert. What a rule asks for (`rules.py`), a person has said (`feedback.py`) or comes again and again
(`recurring.py`) may make it count as less than an alert.
"""

from __future__ import annotations

from math import log10, sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import (
    alerts,
    baselines,
    escalation,
    feedback,
    hourly_profile,
    moments,
    record_range,
    recurring,
    residuals,
    rules,
    runs,
    tails,
    units,
    weekly_profile,
)
from streamrnn.anomaly.channels import (
    CHANGE,
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
    WEIGHTS,
    combined,
)
from streamrnn.anomaly.series import (
    ABSENT,
    AVERAGES,
    BASE,
    FREEZE,
    HIGHEST,
    LOWEST,
    NEAR,
    OFF_COUNT,
    OFF_MEAN,
    RANGES,
    RECENT,
    RESIDUALS,
    SINCE,
    SIZE,
    STILL,
    STRANGE,
    VALUES,
    WEEKLY,
    WHOLE,
    AnomalySeries,
)
from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

YOUNG, YOUNG_SLOPE = 1000.0, 0.35  # values; per decade of these
WEEK_US, WEEK_EVENTS, LEAST_EVENTS = 7 * 86_400e6, 2016.0, 1500.0
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
TOLD, NEW = 2.0, 4032.0  # decades that level, spread and jump lose for a day after an alert; values
FEW_A_DAY = 1.5 * HOUR_US  # apart; then no hour of the day has a mean of its own
LARGEST_VALUE = 1e300
MEMORY = 10.0  # events over which it is judged whether a series is still where an alert saw it go
USUAL = 1.645  # deviations; nine in ten values lie within
KNOWN = 2  # days after which an hour of the day is a baseline that a fault must not drag along


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
    off: Array, sides: Array, since: int, is_driver: bool,
) -> tuple[bool, bool, int]:  # fmt: skip
    """Decades `found` `(CHANNELS,)` of one observed target, how far it is `off` in units, and the `sides` they see.

    Then everything but the profiles' hours is learned from it. Returns whether the value is out of the ordinary,
    whether it is still where an alert that opened `since` events ago (0: none is open, < 0: one waits) saw it go, and
    whether it goes beyond that.
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
        baselines.begin_again(series, row, target, x)
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
    # What a first day is off the mean of all hours says nothing of later days, and no list would forget it for months.
    if series.hour_visits[row, target, hour % hourly_profile.HOURS] > 0 or seen >= LEAST_EVENTS:
        of_week = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
        near_by = weekly_profile.nearest(
            of_week, series.week[row, target], series.week_visits[row, target], hour % weekly_profile.HOURS,
            usual, deviation, y,
        )  # fmt: skip
        hourly_profile.observe(averages, lists, near_by, deviation, y, seen, found[LEVEL : JUMP + 1])
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
    if weekly_profile.seen(visits, at) >= weekly_profile.TRUSTED and weekly[weekly_profile.SCALE] > 0.0:
        away, spread = off[WEEK], weekly[weekly_profile.SCALE] / residuals.MEAN_TO_SIGMAS
    is_held = _holds(numbers, since, away, spread, error)
    beyond = escalation.of_value(numbers, since, away, spread, error, is_driver=is_driver)
    interval = series.times[row, runs.INTERVAL]
    per_hour = max(HOUR_US / interval, 1.0) if interval > 0.0 else 1.0
    found[WEEK] = weekly_profile.observe(weekly, means, visits, lists[3], at, y, per_hour)
    sides[WEEK] = np.sign(weekly[weekly_profile.AVERAGE])
    if learns or series.hour_visits[row, target, hour % hourly_profile.HOURS] < KNOWN:
        baselines.gather(series, row, target, hour, y, usual, deviation)
        moments.learn(whole, y, seen, moments.WHOLE_GAIN)
        numbers[OFF_COUNT], numbers[OFF_MEAN] = 0.0, 0.0
    else:
        numbers[OFF_COUNT] += 1.0
        numbers[OFF_MEAN] += (y - usual - numbers[OFF_MEAN]) / numbers[OFF_COUNT]
        if abs(y - usual) > feedback.OUT * deviation:
            feedback.withhold(series, row, target, hour, y - usual)
    numbers[VALUES] = min(seen + 1.0, tails.MOST_SEEN)
    return abs(away) > USUAL * spread, is_held, beyond


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
def _waits(times: Array) -> float:
    """Decades that the channels which look for records lose while they have seen little."""
    days = (times[runs.LAST_TIME] - times[runs.FIRST_TIME]) / WEEK_US
    age = min(max(days, times[runs.INTERVALS] / WEEK_EVENTS), times[runs.INTERVALS] / LEAST_EVENTS)
    return min(max(-log10(max(age, 1e-9)), 0.0), 1.0)


@kernel
def _was_told(alert: Int64, time_us: int) -> bool:
    """Whether an alert opened within the last day and is over."""
    return bool(alert[alerts.OPEN] == 0 and alert[alerts.ALERTS] > 0 and time_us - alert[alerts.SINCE] < DAY_US)


@kernel
def _is_new(series: AnomalySeries, row: int, target: int, hour: int) -> bool:
    """Whether it is not known what this hour of the week is like, after at most `NEW` values."""
    visits = weekly_profile.seen(series.week_visits[row, target], hour % weekly_profile.HOURS)
    return bool(visits < weekly_profile.TRUSTED and series.numbers[row, target, VALUES] < NEW)


@kernel
def of_target(
    rule: Array, series: AnomalySeries, row: int, target: int, time_us: int, hour: int, x: float, expected: float,
    gap: float, open_at: float, found: Array, off: Array, sides: Array, channels: Array,
) -> tuple[float, int, float, bool, bool, int]:  # fmt: skip
    """D of one target, its strongest channel (-1: none), whether a record, out of the ordinary, still where it went.

    The last says whether it is beyond the alert that is open (`escalation.py`).

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
    is_odd, is_held, beyond = False, False, escalation.WITHIN
    since = alert[alerts.EVENTS] - alert[alerts.OPENED_AT] if alert[alerts.OPEN] == 1 else -alert[alerts.WAITS]
    if known:
        is_driver = feedback.driver(series, row) == target
        is_odd, is_held, beyond = _value(
            series, row, target, hour, x, expected, learns, found, off, sides, since, is_driver
        )
        waits = _waits(series.times[row])
        found[RANGE] = max(found[RANGE] - waits, 0.0)
        if series.hour_visits[row, target, hour % hourly_profile.HOURS] == 0:
            waits = 1.0  # what this hour of the day is like is not known yet
        elif _was_told(alert, time_us) and _is_new(series, row, target, hour):
            waits = max(waits, TOLD)  # nor what a weekend is: the first one is told, not every few hours
        for k in range(LEVEL, JUMP + 1):
            found[k] = max(found[k] - waits, 0.0)
    for k in range(CHANNELS):
        channels[k] = max(channels[k], found[k])
    rules.keep_side(rule, found, sides, off)
    seen = max(float(numbers[VALUES]), 1.0)
    strangeness, channel = combined(found, seen, one_mean=series.times[row, runs.INTERVAL] > FEW_A_DAY)
    run = escalation.of_run(numbers, since, found)
    if run >= 0 and beyond != escalation.GOES and WEIGHTS[run] * found[run] >= open_at + alerts.BREAK:
        beyond, channel = escalation.GOES, run
    if seen < YOUNG:
        strangeness /= 1.0 + YOUNG_SLOPE * log10(YOUNG / seen)
    if channel >= 0 and not rules.large_enough(rule, x, off[channel] * series.doubles[row, target, units.UNIT]):
        strangeness = rules.squeezed(strangeness, open_at)
    if channel >= 0:
        strangeness = feedback.kept_down(series, row, target, channel, off[channel], strangeness, open_at)
    strangeness = recurring.kept_down(
        series.recurring[row, target], series.recurred[row, target], float(time_us), series.times[row, runs.INTERVAL],
        off[channel] if channel in (LEVEL, WEEK) else off[ERROR], strangeness, open_at,
    )  # fmt: skip
    is_odd = is_odd or max(found[FROZEN], found[MISSING], found[GAP]) > 0.0
    numbers[STRANGE] = 1.0 if strangeness >= alerts.CLOSE_SHARE * open_at or is_held else 0.0
    return strangeness, channel, record, is_odd, is_held, beyond
