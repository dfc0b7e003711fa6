"""How strange was this event, before anything is learned from it: one strength, one score, alerts.

Every target's channels (`channels.py`) are rarities in decades by what was learned from the events before; together
they are its strangeness D (`strangeness.py`), and an event's is that of its strangest target.

An alert opens where the strength, D within rests (`alerts.py`), reaches what the accepted rate of false alarms asks
for; the score is the same order as a probability (`rates.py`). A rule (`rules.py`) may ask for more: a side, a size, a
time that it lasts. What goes beyond an alert that is open (`escalation.py`) opens another in its place.

While an alert is open, the profiles that a strange target is held against (hour of day, hour of week) do not learn:
a fault that lasts stays one. What lasts for `new_normal` is plainly no fault: the baselines move to it, and the alert
is closed; one that has come back meanwhile only closes.

Everything is scored with what was known before the event; every statistic is updated after.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import (
    alert_context,
    alerts,
    baselines,
    escalation,
    feedback,
    rates,
    rules,
    runs,
    units,
)
from streamrnn.anomaly.channels import CHANNEL_NAMES, CHANNELS, ERROR, FROZEN, GAP, WEIGHTS
from streamrnn.anomaly.series import (
    HOLD,
    ORDINARY,
    PEAK,
    SIZE,
    AnomalyConfig,
    AnomalySeries,
    AnomalyShared,
    allocate,
    allocate_shared,
)
from streamrnn.anomaly.strangeness import HOUR_US, MEMORY, of_target
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
Int64 = npt.NDArray[np.int64]

# Entries of the `outcome` array that `observe` writes; what follows them is working memory.
SCORE, IS_ANOMALY, ALERT, DRIVER, STRENGTH, CHANNEL, DEVIATION, REPLACES = range(8)
_WORK = 8
OUTCOMES = _WORK + 3 * CHANNELS

DAY_US = 86_400e6
NO_LIMIT = 2**62
OVER = 0.75  # share of ordinary values from which an alert is over
HALF = 0.5  # share of ordinary values from which what is over is no new normal
LEAST_OPEN = 24  # events before an alert can be the new normal


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
def _is_new_normal(config: AnomalyConfig, alert: Int64, said: int, time_us: int) -> bool:
    """Whether the open alert has lasted so long that it is no fault; `said` is what was said of it."""
    lasted = alert[alerts.EVENTS] - alert[alerts.OPENED_AT]
    if said == feedback.FAULT or lasted <= LEAST_OPEN:
        return False
    return bool(time_us - alert[alerts.SINCE] >= config.new_normal or lasted > config.new_normal_events)


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
            (NaN: it says nothing of the value), 1.0 where its alert takes the place of an open one. The rest is working
            memory.
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
            baselines.hour_is_over(series, row, target, series.hour[row])
        series.hour[row] = hour
    for channel in range(CHANNELS):
        channels[channel] = 0.0
    strangeness, driver, strongest, deviation, record = -1.0, -1, -1, np.nan, 0.0
    is_odd, is_held = False, False
    beyond, second, second_channel, second_record, second_deviation, stays = -1.0, -1, -1, 0.0, np.nan, False
    for target in range(config.targets):
        own, channel, extreme, odd, still, goes = of_target(
            rule,
            series,
            row,
            target,
            time_us,
            hour,
            x[target],
            expected[target],
            gap,
            open_at,
            found,
            off,
            sides,
            channels,
        )
        is_odd, is_held = is_odd or odd, is_held or still
        away = off[channel] * series.doubles[row, target, units.UNIT] if channel >= 0 else np.nan
        if own > strangeness:
            strangeness, driver, strongest, record, deviation = own, target, channel, extreme, away
        stays = stays or goes != escalation.WITHIN
        if goes == escalation.GOES and own >= open_at + alerts.BREAK and own > beyond:
            beyond, second, second_channel, second_record, second_deviation = own, target, channel, extreme, away
    held[HOLD] *= alerts.HOLD
    strength = alerts.strength(alert, strangeness, open_at, float(held[HOLD]))
    if strangeness >= open_at and WEIGHTS[ERROR] * channels[ERROR] >= open_at:
        strength = max(strength, strangeness)  # an error that a Gaussian practically never makes waits for no rest
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
            baselines.forget(series, row, target)
    if alert[alerts.OPEN] == 1:
        said = feedback.verdict(series, row) if number == before else feedback.UNTOLD
        if said == feedback.EXPECTED or _is_new_normal(config, alert, said, time_us):
            alerts.close(alert)
            alerts.rest(rest, alert, alert[alerts.EVENTS], day)
            if said != feedback.EXPECTED:
                has_come_back = not is_held and held[ORDINARY] >= HALF  # channels alone remember it
                for target in range(config.targets):
                    if has_come_back:
                        baselines.forget(series, row, target)
                    else:
                        baselines.new_normal(series, row, target)
    replaces, replaced = False, np.nan
    if was_open and number == before and alert[alerts.OPEN] == 1:
        if second >= 0:
            driver, strongest, record, deviation = second, second_channel, second_record, second_deviation
            began = last_us if strongest == GAP and 0 < last_us < time_us else time_us
        if alerts.goes_on(alert, second >= 0, stays, rule[rules.LASTING], time_us, began):
            replaces, replaced = True, held[PEAK] if held[PEAK] != 0.0 else np.nan
            strength = max(strength, open_at)  # no alert opens on less, also where it had to last
            number = alerts.escalate(rest, alert, day)
            escalation.begin_from(series, row, driver)
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
        context[alert_context.REPLACED] = replaced
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
    outcome[REPLACES] = 1.0 if replaces else 0.0
    return float(outcome[SCORE])


@kernel
def pass_over(series: AnomalySeries, row: int, time_us: int) -> None:
    """An event that is to be ignored: nothing is learned from it but that the series is not silent."""
    times = series.times[row]
    if times[runs.LAST_TIME] != 0.0:
        times[runs.LAST_TIME] = max(times[runs.LAST_TIME], float(time_us))
