from __future__ import annotations

import numpy as np
import pytest
from river import datasets

from streamrnn.evaluation.season import season_length

HOUR = 3_600_000_000


def test_monthly_airline_passengers_have_a_year() -> None:
    months = [(x["month"], y) for x, y in datasets.AirlinePassengers()]
    times = np.array([np.datetime64(month, "us").astype(np.int64) for month, _ in months])
    assert season_length(times, np.array([float(y) for _, y in months])) == 12


@pytest.mark.parametrize("period", [7, 24, 50])
def test_a_period_that_no_calendar_knows(period: int) -> None:
    steps = np.arange(40 * period)
    random = np.random.default_rng(1)
    values = np.sin(2 * np.pi * steps / period) + 0.02 * random.normal(size=len(steps))
    assert season_length(steps * 1_000_000, values) == period


def test_a_random_walk_has_none() -> None:
    lengths = []
    for seed in range(20):
        walk = np.random.default_rng(seed).normal(size=1000).cumsum()
        lengths.append(season_length(np.arange(1000) * 1_000_000, walk))
    assert lengths.count(1) >= 17  # about one in twenty passes by chance


def test_declared_periods_are_taken() -> None:
    values = np.random.default_rng(2).normal(size=500)
    times = np.arange(500) * HOUR
    assert season_length(times, values, declared=[86_400.0]) == 24
    values += np.tile(np.arange(12.0), 42)[:500]
    assert season_length(times, values, declared=[86_400.0, 12 * 3600.0, 5 * 3600.0]) in (12, 24)


@pytest.mark.parametrize(
    "values", [np.zeros(0), np.ones(3), np.full(100, np.nan), np.full(100, 4.0), np.arange(100.0), np.full(50, 1e100)]
)
def test_degenerate_series_have_none(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert season_length(np.arange(len(values)) * 1_000_000, values) == 1
    assert season_length(np.zeros(len(values), np.int64), values) == 1
