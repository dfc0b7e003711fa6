from __future__ import annotations

import datetime

import numpy as np
import pytest

from streamrnn.forecasting import calendar
from streamrnn.forecasting.calendar import (
    BY_TIME,
    CLOCK_SIZE,
    DAY,
    INTERVAL,
    KIND,
    NONE,
    WEEK,
    YEAR,
)

UTC = np.zeros((2, 0), np.int64)
HOUR = DAY // 24
MINUTE = HOUR // 60


def clock_after(times: np.ndarray, declared: tuple[int, int] = (0, 0)) -> np.ndarray:
    clock = np.zeros(CLOCK_SIZE, np.int64)
    for time in times:
        calendar.observe_time(clock, time, declared, 192, UTC)
    return clock


def months(count: int) -> np.ndarray:
    dates = [datetime.datetime(1949 + k // 12, 1 + k % 12, 1) for k in range(count)]
    return np.array([int((d - datetime.datetime(1970, 1, 1)).total_seconds()) * 1_000_000 for d in dates])


@pytest.mark.parametrize(
    ("interval", "periods"),
    [
        (MINUTE, [(DAY, 96), (WEEK, 96)]),
        (5 * MINUTE, [(DAY, 96), (WEEK, 96)]),
        (HOUR // 2, [(DAY, 48), (WEEK, 112)]),
        (HOUR, [(DAY, 24), (WEEK, 168)]),
        (12 * HOUR, [(DAY, 2), (WEEK, 14)]),
        (DAY, [(WEEK, 7), (YEAR, 182)]),
        (WEEK, [(YEAR, 52)]),
    ],
)
def test_natural_periods(interval: int, periods: list[tuple[int, int]]) -> None:
    clock = clock_after(np.arange(10) * interval)
    for s in range(2):
        expected = [BY_TIME, *periods[s]] if s < len(periods) else [NONE, 0, 0]
        assert clock[calendar.season_at.py_func(s)].tolist() == expected


def test_nothing_natural_in_seconds() -> None:
    assert clock_after(np.arange(10) * 1_000_000)[calendar.season_at.py_func(0)][KIND] == NONE


def test_months_keep_their_bin() -> None:
    times = months(144)
    clock = clock_after(times[:12])
    season = clock[calendar.season_at.py_func(0)]
    assert season.tolist() == [BY_TIME, YEAR, 12]
    for k, time in enumerate(times):
        clock[calendar.LAST_TIME] = time
        assert calendar.bin_of(calendar.phase_after(clock, season, 0, UTC), 12) == k % 12


@pytest.mark.parametrize("declared", [(7 * HOUR, WEEK), (WEEK, 7 * HOUR)])
def test_declared_periods_are_taken_the_shorter_one_first(declared: tuple[int, int]) -> None:
    clock = clock_after(np.arange(10) * HOUR, declared=declared)
    assert clock[calendar.season_at.py_func(0)].tolist() == [BY_TIME, 7 * HOUR, 7]
    assert clock[calendar.season_at.py_func(1)].tolist() == [BY_TIME, WEEK, 168]


def test_interval_follows_the_median_of_gaps() -> None:
    gaps = np.full(500, HOUR)
    gaps[::7] = 20 * HOUR  # outages
    gaps[::11] = 0  # repeats
    gaps[::13] = -HOUR  # the clock goes back
    assert abs(clock_after(np.cumsum(gaps))[INTERVAL] - HOUR) < HOUR // 5


def test_one_declared_period_stays_alone() -> None:
    clock = clock_after(np.arange(100) * HOUR, declared=(WEEK, 0))
    assert calendar.season_names(clock) == ["1 week"]


def test_seasons_are_settled_again_when_the_first_intervals_were_not_typical() -> None:
    times = np.concatenate([np.arange(8) * DAY // 2, 5 * DAY + np.arange(600) * HOUR])
    assert clock_after(times[:10])[calendar.season_at.py_func(0)].tolist() == [BY_TIME, DAY, 2]
    assert clock_after(times)[calendar.season_at.py_func(0)].tolist() == [BY_TIME, DAY, 24]


def test_rows_of_a_calendar_day() -> None:
    session = 9 * HOUR + np.arange(78) * 5 * MINUTE
    times = np.concatenate([day * DAY + session for day in (0, 1, 2, 3, 4, 7, 8)])
    clock = clock_after(times)
    assert calendar.season_names(clock)[0] == "78 rows of a calendar day"
    season = clock[calendar.season_at.py_func(0)]
    assert calendar.bin_of(calendar.phase_after(clock, season, 1, UTC), 78) == 0, (
        "after the last row comes the next morning"
    )
