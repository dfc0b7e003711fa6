"""What an alert may say of itself: what was usual, and how unusual this was, as far as the series' own past tells.

    expected, lower, upper   of what the strongest channel holds the value against; about nine in ten values lie between
    errors                   the size over the usual error of the forecast
    record                   1: above all values so far, -1: below, 0: neither
    values, first            values seen before, and the time of the first
    weeks, days              so many weeks (2 to 6) has this hour of the week been seen; days for this hour of the day
    run                      how many values are equal or missing in a row; after a gap: its seconds
    recent                   the last values, the alert's own at the end; NaN where one was missing
    replaced                 largest size of the alert that was open, in whose place this one is; NaN: none was

The expected value is the forecast for what is far off it; the last value, the mean of the last fifty, that of this hour
of the day or that of this hour of the week for the other channels (`channels.py`).
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import hourly_profile, moments, residuals, runs, units, weekly_profile
from streamrnn.anomaly.channels import CHANGE, DISTANCE, ERROR, FROZEN, MISSING, RESIDUAL, WEEK
from streamrnn.anomaly.series import (
    ABSENT,
    FREEZE,
    LOWEST,
    NEAR,
    RECENT,
    RESIDUALS,
    VALUES,
    WEEKLY,
    WHOLE,
    AnomalySeries,
)
from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

EXPECTED, LOWER, UPPER, ERRORS, RECORD, SEEN, FIRST, WEEKS, DAYS, HOUR, RUN = range(11)
LAST_VALUES = 11
REPLACED = LAST_VALUES + RECENT
COLUMNS = REPLACED + 1
NINE_IN_TEN = 1.645  # deviations of a Gaussian


class AlertContext(NamedTuple):
    """The same for those who read it, by name."""

    expected: float
    lower: float
    upper: float
    errors: float
    record: float
    seen: float
    first: float  # microseconds since 1970
    weeks: float
    days: float
    hour: float  # since 1970, local time
    run: float
    recent: tuple[float, ...]
    replaced: float = np.nan


def read(context: Array) -> AlertContext:
    """Of one alert's `(COLUMNS,)`."""
    *told, replaced = context.tolist()
    return AlertContext._make((*told[:LAST_VALUES], tuple(told[LAST_VALUES:]), replaced))


@kernel
def describe(
    series: AnomalySeries, row: int, target: int, channel: int, hour: int, deviation: float, record: float,
    silence: float, x: float, expected: float, lower: float, upper: float, context: Array,
) -> None:  # fmt: skip
    """Write `context` `(COLUMNS,)` of an alert that `target` opens at the value `x`.

    Args:
        series: the state, after it has learned from the event; what it says of hours it knew before.
        row: which series.
        target: which target.
        channel: the strongest channel, -1: none.
        hour: hours since 1970, local time.
        deviation: how far x is off what the channel expected, NaN: no value is.
        record: see above.
        silence: microseconds since the event before, 0 for the first.
        x: the value, NaN where missing.
        expected: what was forecast for it.
        lower: of its interval.
        upper: of its interval.
        context: written.
    """
    numbers, unit = series.numbers[row, target], series.doubles[row, target, units.UNIT]
    errors = numbers[RESIDUALS : RESIDUALS + residuals.COLUMNS]
    weekly = numbers[WEEKLY : WEEKLY + weekly_profile.COLUMNS]
    day, week = hour % hourly_profile.HOURS, hour % weekly_profile.HOURS
    context[EXPECTED], context[LOWER], context[UPPER] = expected, lower, upper
    usual = errors[residuals.SCALE] * unit
    context[ERRORS] = abs(deviation) / usual if usual > 0.0 else np.nan
    if not np.isnan(deviation) and not (channel in (ERROR, RESIDUAL) or channel >= FROZEN):
        if channel == CHANGE:
            spread = errors[residuals.STEP] / residuals.MEAN_TO_SIGMAS
        elif channel == DISTANCE:
            spread = sqrt(numbers[NEAR + moments.VARIANCE])
        elif channel == WEEK:
            spread = weekly[weekly_profile.SCALE] / weekly_profile.MEAN_TO_SIGMAS
        else:
            whole = numbers[WHOLE : WHOLE + moments.COLUMNS]
            _, spread = hourly_profile.usual(series.hours[row, target], series.hour_visits[row, target], whole, day)
        reach = NINE_IN_TEN * spread * unit
        context[EXPECTED] = x - deviation
        context[LOWER], context[UPPER] = context[EXPECTED] - reach, context[EXPECTED] + reach
        if series.shown[row, target, LOWEST] >= 0.0:  # no value was ever negative
            context[LOWER] = max(context[LOWER], 0.0)
    context[RECORD] = record
    context[SEEN] = float(numbers[VALUES]) - (0.0 if np.isnan(deviation) else 1.0)
    context[FIRST] = series.times[row, runs.FIRST_TIME]
    visits = weekly_profile.seen(series.week_visits[row, target], week)
    context[WEEKS] = visits if visits >= weekly_profile.TRUSTED else 0
    visits = series.hour_visits[row, target, day]
    context[DAYS] = visits if visits > 1 else 0
    context[HOUR] = hour
    if channel == FROZEN:
        context[RUN] = numbers[FREEZE + runs.RUN] + 1.0
    elif channel == MISSING:
        context[RUN] = numbers[ABSENT + runs.RUN]
    else:
        context[RUN] = silence / 1e6
    for k in range(RECENT):
        context[LAST_VALUES + k] = series.shown[row, target, k]
