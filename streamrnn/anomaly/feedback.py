"""What a person says of an alert, and what it changes: `expected`, that was no fault, or `fault`, that was one.

A series remembers its last `REMEMBERED` alerts: on which target and side each was, how strange it became in the ways of
each kind, and by how much, in which hours, the values were off that the profiles did not learn. Kinds are groups of
channels (`channels.py`), each with a threshold R of its own per target and side:

    point     error, residual, change, distance, range        spread
    lasting   level, jump, week                               frozen, missing, gap

    expected   R = max(R, `SHARE` strangest + `MARGIN`) of each kind that the alert was strange in: what is no stranger,
               on the same side, opens no alert (it counts as `rules.py` has it), for as many events as the alert
               lasted. For `AFTERMATH` events the same R holds for all that values do: channels remember, and
               forecasts swing back. Profiles do not learn from it, as if an alert were open: what lasts longer is
               still strange then. The hours that were withheld are taught to them, once. An alert that is open ends
               with the next event.
    fault      R = 0 of those kinds if it was above their strangest: the like opens an alert again. What was withheld
               stays so, and an alert that is open never becomes the new normal. Nothing recurs (`recurring.py`) on that
               target until an alert is called expected.

The last word counts; the same word again changes nothing.
"""

from __future__ import annotations

from math import isnan

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alerts, hourly_profile, moments, recurring, rules, runs, weekly_profile
from streamrnn.anomaly.channels import CHANGE, DISTANCE, ERROR, FROZEN, GAP, MISSING, RANGE, RESIDUAL, SPREAD
from streamrnn.anomaly.series import (
    ALERT_NUMBER,
    ALERT_SIDE,
    ALERT_TARGET,
    FIRST_HOUR,
    HOURS_OFF,
    KINDS,
    LASTED,
    LONGEST,
    OFF,
    OFF_HOURS,
    REACH,
    REMEMBERED,
    SAID,
    SINCE,
    WEEKLY,
    WHOLE,
    AnomalySeries,
)
from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

POINT, LASTING, VARIES, STUCK, ABSENT, SILENT = range(KINDS)
HIGH, LOW = range(2)
UNTOLD, EXPECTED, FAULT = range(3)
HEARD, TO_COME, TOO_OLD = range(3)
SHARE, MARGIN = 1.5, 1.0  # decades; the same spike is stranger at one time than at another, by a third and more
AFTERMATH = 12  # events
OUT = 2.0  # deviations of its hour beyond which a value that was withheld is worth to be taught
HOUR_US = 3_600_000_000


@kernel
def _kind(channel: int) -> int:
    if channel in (ERROR, RESIDUAL, CHANGE, DISTANCE, RANGE):
        return POINT
    if channel == SPREAD:
        return VARIES
    if channel == FROZEN:
        return STUCK
    if channel == MISSING:
        return ABSENT
    if channel == GAP:
        return SILENT
    return LASTING


@kernel
def _side(deviation: float) -> int:
    """What is off in no direction counts as high."""
    return LOW if deviation < 0.0 else HIGH


@kernel
def kept_down(
    series: AnomalySeries, row: int, target: int, channel: int, off: float, strangeness: float, open_at: float
) -> float:
    """The strangeness of a target's value that is `off` so far, less where the like was said to be expected."""
    kind, after = _kind(channel), series.aftermath[row, target]
    most, of_values = series.allowed[row, target, kind, _side(off)], kind < STUCK
    if after[SINCE] > 0.0:
        after[SINCE] += 1.0
        if after[SINCE] > AFTERMATH and strangeness < alerts.CLOSE_SHARE * open_at:
            after[SINCE] = 0.0
        elif of_values:
            most = max(most, after[REACH])
    if strangeness > most:
        return strangeness
    if of_values:
        if after[SINCE] > max(AFTERMATH, after[LONGEST + _side(off)]):
            return strangeness
        if after[SINCE] == 0.0 and strangeness >= open_at:
            after[SINCE], after[REACH] = 1.0, most
    return rules.squeezed(strangeness, open_at)


@kernel
def _place(number: int) -> int:
    return int(number % REMEMBERED)


@kernel
def begin(series: AnomalySeries, row: int, number: int, target: int, deviation: float) -> None:
    """An alert of this number opens."""
    at = _place(number)
    memory = series.remembered[row, at]
    memory[:] = 0
    memory[ALERT_NUMBER], memory[ALERT_TARGET], memory[ALERT_SIDE] = number, target, _side(deviation)
    series.strangest[row, at] = 0.0
    series.withheld[row, :, at] = 0.0


@kernel
def note(series: AnomalySeries, row: int, target: int, channel: int, deviation: float, strangeness: float) -> None:
    """Note how strange an event of the open alert is, where it is so in the same target and on the same side."""
    at = _place(series.alert[row, alerts.ALERTS])
    memory = series.remembered[row, at]
    memory[LASTED] += 1
    if channel >= 0 and target == memory[ALERT_TARGET] and (isnan(deviation) or _side(deviation) == memory[ALERT_SIDE]):
        kind = _kind(channel)
        series.strangest[row, at, kind] = max(series.strangest[row, at, kind], strangeness)


@kernel
def withhold(series: AnomalySeries, row: int, target: int, hour: int, off: float) -> None:
    """Note that the profiles do not learn from a value far `off` what is usual, in units; an alert may be open."""
    if series.alert[row, alerts.OPEN] != 1:
        return
    at = _place(series.alert[row, alerts.ALERTS])
    memory = series.remembered[row, at]
    if memory[HOURS_OFF] == 0:
        memory[FIRST_HOUR] = hour
    since = hour - memory[FIRST_HOUR]
    if 0 <= since < OFF_HOURS:
        memory[HOURS_OFF] |= 1 << since
        own = series.withheld[row, target, at]
        own[0] += 1.0
        own[OFF] += (off - own[OFF]) / own[0]


@kernel
def driver(series: AnomalySeries, row: int) -> int:
    """The target that opened the newest alert."""
    return int(series.remembered[row, _place(series.alert[row, alerts.ALERTS]), ALERT_TARGET])


@kernel
def verdict(series: AnomalySeries, row: int) -> int:
    """What was said of the newest alert."""
    return int(series.remembered[row, _place(series.alert[row, alerts.ALERTS]), SAID])


@kernel
def _teach(series: AnomalySeries, row: int, target: int, at: int) -> None:
    """The hours that were withheld, each as usual but for what the values were off."""
    own, memory = series.withheld[row, target, at], series.remembered[row, at]
    if own[0] == 0.0:
        return
    numbers, off = series.numbers[row, target], float(own[OFF])
    hours, visits = series.hours[row, target], series.hour_visits[row, target]
    week, week_visits = series.week[row, target], series.week_visits[row, target]
    whole, weekly = numbers[WHOLE : WHOLE + moments.COLUMNS], numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
    days = hourly_profile.memory(series.times[row, runs.INTERVAL] / HOUR_US)
    for since in range(OFF_HOURS):
        if not (memory[HOURS_OFF] >> since) & 1:
            continue
        hour = memory[FIRST_HOUR] + since
        day, of_week = hour % hourly_profile.HOURS, hour % weekly_profile.HOURS
        mean, _ = hourly_profile.usual(hours, visits, whole, day)
        variance = float(hours[day, moments.VARIANCE] if visits[day] > 0 else whole[moments.VARIANCE])
        hourly_profile.learn(hours, visits, day, mean + off, variance, days)
        weekly_profile.learn(weekly, week, week_visits, of_week, mean + off)
    own[:] = 0.0


@kernel
def tell(series: AnomalySeries, row: int, number: int, expected: bool) -> int:
    """Take what was said of an alert.

    Args:
        series: the state; row `row` changes, if the alert is remembered.
        row: which series.
        number: of the alert.
        expected: else a fault.

    Returns:
        HEARD, TO_COME where the series has not had so many alerts, TOO_OLD where it has had too many since.
    """
    if number > series.alert[row, alerts.ALERTS]:
        return TO_COME
    at = _place(number)
    memory = series.remembered[row, at]
    if memory[ALERT_NUMBER] != number:
        return TOO_OLD
    memory[SAID] = EXPECTED if expected else FAULT
    recurring.told(series.recurring[row, memory[ALERT_TARGET]], expected)
    allowed = series.allowed[row, memory[ALERT_TARGET], :, memory[ALERT_SIDE]]
    for kind in range(KINDS):
        strangest = series.strangest[row, at, kind]
        if strangest > 0.0 and expected:
            allowed[kind] = max(allowed[kind], SHARE * strangest + MARGIN)
        elif strangest > 0.0 and allowed[kind] >= strangest:
            allowed[kind] = 0.0
    if expected:
        longest = series.aftermath[row, memory[ALERT_TARGET], LONGEST:]
        longest[memory[ALERT_SIDE]] = max(longest[memory[ALERT_SIDE]], memory[LASTED])
        for target in range(series.withheld.shape[1]):
            _teach(series, row, target, at)
    return HEARD
