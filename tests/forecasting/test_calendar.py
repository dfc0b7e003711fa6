from __future__ import annotations

import datetime

import numpy as np
import pytest

from streamrnn.forecasting import calendar
from streamrnn.forecasting.calendar import (
    BINS,
    BY_EVENTS,
    BY_TIME,
    CLOCK_SIZE,
    DAY,
    INTERVAL,
    KIND,
    NONE,
    PERIOD,
    WEEK,
    YEAR,
)

HOUR = DAY // 24
MINUTE = HOUR // 60


def clock_after(times: np.ndarray, declared: tuple[int, int] = (0, 0), seasons: int = 1) -> np.ndarray:
    clock = np.zeros(CLOCK_SIZE, np.int64)
    for time in times:
        calendar.observe_time(clock, time, declared, seasons, 288)
    return clock


def months(count: int) -> np.ndarray:
    dates = [datetime.datetime(1949 + k // 12, 1 + k % 12, 1) for k in range(count)]
    return np.array([int((d - datetime.datetime(1970, 1, 1)).total_seconds()) * 1_000_000 for d in dates])


@pytest.mark.parametrize(
    ("interval", "period", "bins"),
    [
        (5 * MINUTE, DAY, 288),
        (MINUTE, DAY, 288),
        (HOUR, DAY, 24),
        (12 * HOUR, DAY, 2),
        (DAY, WEEK, 7),
        (WEEK, YEAR, 52),
    ],
)
def test_natural_periods(interval: int, period: int, bins: int) -> None:
    season = clock_after(np.arange(10) * interval)[calendar.season_at.py_func(0)]
    assert season.tolist() == [BY_TIME, period, bins]


def test_nothing_natural_in_seconds() -> None:
    assert clock_after(np.arange(10) * 1_000_000)[calendar.season_at.py_func(0)][KIND] == NONE


def test_months_keep_their_bin() -> None:
    times = months(144)
    clock = clock_after(times[:12])
    season = clock[calendar.season_at.py_func(0)]
    assert season.tolist() == [BY_TIME, YEAR, 12]
    for k, time in enumerate(times):
        clock[calendar.LAST_TIME] = time
        assert calendar.bin_of(calendar.phase_after(clock, season, 0), 12) == k % 12


def test_declared_periods_are_taken() -> None:
    clock = clock_after(np.arange(10) * HOUR, declared=(7 * HOUR, WEEK), seasons=2)
    assert clock[calendar.season_at.py_func(0)].tolist() == [BY_TIME, 7 * HOUR, 7]
    assert clock[calendar.season_at.py_func(1)].tolist() == [BY_TIME, WEEK, 168]


def test_interval_follows_the_median_of_gaps() -> None:
    gaps = np.full(500, HOUR)
    gaps[::7] = 20 * HOUR  # outages
    gaps[::11] = 0  # repeats
    gaps[::13] = -HOUR  # the clock goes back
    assert abs(clock_after(np.cumsum(gaps))[INTERVAL] - HOUR) < HOUR // 5


@pytest.mark.parametrize("period", [5, 12, 30])
def test_finds_a_period_in_the_values(period: int) -> None:
    random = np.random.default_rng(period)
    shape = random.normal(size=period)
    x = shape[np.arange(128) % period] + 0.1 * np.arange(128) + 0.2 * random.normal(size=128)
    season = np.zeros(3, np.int64)
    calendar.detect_period(season, x[::-1].copy(), 128, 288)
    assert season.tolist() == [BY_EVENTS, period, period]
    assert season[PERIOD] == season[BINS]


def test_finds_none_in_noise() -> None:
    for seed in range(20):
        season = np.zeros(3, np.int64)
        calendar.detect_period(season, np.random.default_rng(seed).normal(size=256), 256, 288)
        assert season[KIND] == NONE
