"""What a target is held against, and how it changes: profiles of hours, the series as a whole, running means.

An hour teaches when it is over. What an alert has kept back they never learn, unless it lasts: then they move to it.
"""

from __future__ import annotations

from streamrnn.anomaly import hourly_profile, moments, residuals, runs, units, weekly_profile
from streamrnn.anomaly.series import (
    AVERAGES,
    FREEZE,
    HOUR_COUNT,
    HOUR_MEAN,
    HOUR_SQUARES,
    OFF_COUNT,
    OFF_MEAN,
    RESIDUALS,
    STRANGE,
    VALUES,
    WEEK_MEAN,
    WEEKLY,
    AnomalySeries,
)
from streamrnn.kernels.jit import kernel

HOUR_US = 3_600_000_000


@kernel
def begin_again(series: AnomalySeries, row: int, target: int, x: float) -> None:
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
    series.recurring[row, target] = 0.0


@kernel
def hour_is_over(series: AnomalySeries, row: int, target: int, hour: int) -> None:
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
def gather(series: AnomalySeries, row: int, target: int, hour: int, y: float, usual: float, deviation: float) -> None:
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
def forget(series: AnomalySeries, row: int, target: int) -> None:
    """What is over says nothing of the next event: running means begin again."""
    numbers = series.numbers[row, target]
    numbers[AVERAGES : AVERAGES + 4] = 0.0
    numbers[RESIDUALS + residuals.LAST], numbers[RESIDUALS + residuals.BEFORE] = 0.0, 0.0
    numbers[WEEKLY + weekly_profile.AVERAGE] = 0.0


@kernel
def new_normal(series: AnomalySeries, row: int, target: int) -> None:
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
