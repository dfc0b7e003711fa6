"""Steps far ahead: seasons, ramps, what an origin knew, and a state of bounded size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import BY_EVENTS
from streamrnn.forecasting.experts import multistep, season_tables
from tests.forecasting.streams import HOUR, Forecaster


def mae(out: np.ndarray, x: np.ndarray, step: int, first: int) -> float:
    origins = np.arange(first, len(x) - step)
    return float(np.abs(out[origins, step - 1, 0] - x[origins + step]).mean())


def day_and_week(days: int, per_day: int, noise: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    t = np.arange(days * per_day)
    day = np.sin(2 * np.pi * t / per_day) + 0.5 * np.sin(4 * np.pi * t / per_day + 1)
    weekend = np.where(t // per_day % 7 >= 5, 0.3, 1.0)
    return 10 + 3 * weekend * day - 2 * (weekend < 1) + noise * random.standard_normal(len(t))


def test_a_day_and_a_week_are_seen_two_days_ahead() -> None:
    x = day_and_week(84, 24, 0.2)
    out = Forecaster(preset="lite", horizon=48).run(x)
    for step in (2, 12, 24, 48):
        assert mae(out, x, step, 56 * 24) < 1.6 * 0.2 * np.sqrt(2 / np.pi)


@pytest.mark.parametrize("declared", [(24, 168), (168, 24)])
def test_the_default_is_as_good_as_declaring_the_seasons(declared: tuple[int, int]) -> None:
    x = day_and_week(42, 24, 0.5)
    settings: dict[str, Any] = {"preset": "lite", "horizon": 48}
    found = Forecaster(**settings).run(x)
    told = Forecaster(**settings, seasonality=tuple(p * HOUR for p in declared)).run(x)
    for step in (24, 48):
        assert mae(found, x, step, 500) < 1.05 * mae(told, x, step, 500)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_ramp_is_followed_as_a_straight_line_would(noise: float) -> None:
    n = 2500
    x = 50_000 + 20.0 * np.arange(n) + noise * np.random.default_rng(5).standard_normal(n)
    model = Forecaster(preset="lite", horizon=72)
    model.run(x, times=np.arange(n) * HOUR // 12)
    for step in (36, 72):
        # Mean absolute error of the line through the values 24 apart: 3.2; without noise a tenth of a step.
        assert mae(model.median, x, step, 1000) < (1.5 * 3.2 if noise else 2.0)


def test_origins_see_a_table_as_it_was() -> None:
    random = np.random.default_rng(0)
    period, n = 6, 80
    x = random.standard_normal(n)
    most, levels = season_tables.MOST_BINS[0], season_tables.LEVELS[0]
    numbers = np.zeros(season_tables.NUMBERS)
    table = np.zeros(season_tables.table_size(0), np.float32)
    season = np.array([BY_EVENTS, period, period])
    before = []
    for t in range(n):
        before.append(table.copy())
        season_tables.observe(numbers, table, season, most, levels, period, t % period / period, x[t], 0.0)
    out = np.zeros(1 + levels)
    recent = np.concatenate([[np.nan], x[::-1]])  # the newest of all, n, has come and is not in the table
    for back in range(5):
        b = n % period
        assert season_tables.seen(table, most, levels, b, back, recent, period, 0.0, out)
        was = before[n - period * back] if back else table
        expected = [was[j * most + b] for j in range(1 + levels)]
        np.testing.assert_allclose(out, expected, atol=2e-6)


def test_a_bin_of_several_events_is_written_when_its_visit_is_over() -> None:
    numbers = np.zeros(season_tables.NUMBERS)
    table = np.zeros(season_tables.table_size(1), np.float32)
    season = np.array([BY_EVENTS, 8, 2])
    for t, x in enumerate([1.0, 3.0, 5.0, 7.0, 9.0, 9.0]):
        season_tables.observe(numbers, table, season, 168, 1, 8, (t + 2) % 8 / 8, x, 0.0)
        assert table[1] == (0.0 if t < 4 else 4.0), "the mean of the visit's four values, once it is left"


def test_groups_and_knots_cover_every_step_once() -> None:
    for horizon in [*range(2, 101), 168, 288, 1000]:
        config = multistep.ahead_config(horizon)
        assert config is not None
        bounds = step_groups.group_bounds(horizon)
        assert bounds[0] == 2
        assert bounds[-1] == horizon + 1
        assert (np.diff(bounds) > 0).all()
        knots = multistep.knot_steps(horizon, config.knots)
        assert knots[0] == 2
        assert knots[-1] == horizon
        assert (np.diff(knots) > 0).all()


def test_bytes_grow_slower_than_the_horizon() -> None:
    def size(horizon: int) -> int:
        config = multistep.ahead_config(horizon)
        series, _ = multistep.allocate(config, 1, 1)
        return series.numbers.nbytes + series.singles.nbytes

    assert size(1) == 0
    assert size(288) < 2.5 * size(12)
    assert size(1000) < 5 * size(12)


def test_means_and_medians_differ_where_the_noise_is_skewed() -> None:
    random = np.random.default_rng(0)
    x = random.exponential(1.0, 3000)
    model = Forecaster(preset="lite", horizon=6)
    mean = model.run(x)
    median = model.median
    for step in (3, 6):
        assert abs(mean[1500:, step - 1, 0].mean() - 1.0) < 0.1
        assert median[1500:, step - 1, 0].mean() < mean[1500:, step - 1, 0].mean() - 0.1
