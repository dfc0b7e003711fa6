"""Periods found in values: which, when, and what does not shift them."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting import calendar, cycles
from streamrnn.forecasting.calendar import season_names
from tests.forecasting.streams import Forecaster

SECOND = 1_000_000
HOUR = 3600 * SECOND


def seasons(x: np.ndarray, times: np.ndarray | None = None, **settings: object) -> list[str]:
    model = Forecaster(preset="lite", **settings)
    model.run(x, times=np.arange(len(x)) * SECOND if times is None else times)
    return season_names(model.series.clock[0])


def shape(period: int, seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=period)[np.arange(length) % period]


@pytest.mark.parametrize("period", [5, 12, 30])
def test_finds_a_period(period: int) -> None:
    n = 140
    noise = np.random.default_rng(1).normal(size=n)
    assert seasons(shape(period, period, n) + 0.1 * np.arange(n) + 0.2 * noise) == [f"{period} sampling intervals"]


@pytest.mark.parametrize(("short", "long"), [(12, 60), (24, 168), (9, 31)])
def test_finds_two_periods(short: int, long: int) -> None:
    n = 1100
    x = shape(short, 1, n) + shape(long, 2, n) + 0.2 * np.random.default_rng(3).normal(size=n)
    assert seasons(x) == [f"{short} sampling intervals", f"{long} sampling intervals"]


def test_a_period_of_more_than_a_hundred_intervals_is_found_later() -> None:
    x = shape(200, 4, 600)
    assert seasons(x[:250]) == []
    assert seasons(x) == ["200 sampling intervals"]


def test_a_period_that_is_no_day_is_found_beside_the_day_that_is_none() -> None:
    n = 600
    assert seasons(shape(37, 5, n), times=np.arange(n) * HOUR) == ["1 day", "37 sampling intervals"]


def test_a_day_and_a_week_stay() -> None:
    n = 1100
    x = shape(24, 1, n) + shape(168, 2, n)
    assert seasons(x, times=np.arange(n) * HOUR) == ["1 day", "1 week"]


def test_a_gap_shifts_no_phase() -> None:
    n, period = 700, 12
    keep = np.ones(n, bool)
    keep[401:418] = keep[503] = keep[550:555] = False
    x, times = shape(period, 6, n), np.arange(n) * SECOND
    model = Forecaster(preset="lite")
    model.run(x[keep], times=times[keep])
    clock = model.series.clock[0]
    assert season_names(clock) == [f"{period} sampling intervals"]
    assert clock[calendar.TICK] % period == (n - 1) % period


def test_none_in_noise() -> None:
    found = sum(bool(seasons(np.random.default_rng(seed).normal(size=520).cumsum())) for seed in range(12))
    assert found <= 1


def test_the_ring_has_nothing_where_nothing_was_known() -> None:
    clock = np.zeros(calendar.CLOCK_SIZE, np.int64)
    ring = np.full(cycles.RING_BYTES, 0x33, np.uint8)
    ring[-1] = 0
    was = cycles.step_at(ring, 6)
    assert was > 0.0
    clock[calendar.TICK], clock[calendar.TICKS] = 10, 4
    cycles.remember_step(ring, clock, 2.0)
    assert [cycles.step_at(ring, tick) for tick in range(6, 12)] == [was, 0.0, 0.0, 0.0, 0.0, was]
    clock[calendar.TICK], clock[calendar.TICKS] = 11, 1
    cycles.remember_step(ring, clock, 2.0)
    assert cycles.step_at(ring, 11) == 1.9, "the nearest of the sizes"


def test_sums_of_remembered_steps_stay_true() -> None:
    """However coarse a step is kept: the next ones make up for it."""
    random = np.random.default_rng(1)
    steps = random.normal(size=cycles.RING) * np.where(random.random(cycles.RING) < 0.05, 4.0, 0.7)
    clock, ring = np.zeros(calendar.CLOCK_SIZE, np.int64), np.zeros(cycles.RING_BYTES, np.uint8)
    for tick, step in enumerate(steps):
        clock[calendar.TICK], clock[calendar.TICKS] = tick, 1
        cycles.remember_step(ring, clock, step)
    kept = np.array([cycles.step_at(ring, tick) for tick in range(cycles.RING)])
    assert np.abs(np.cumsum(kept - np.clip(steps, -7.9, 7.9))).max() < 2.5
    assert np.corrcoef(kept, steps)[0, 1] > 0.95
