"""A young series has intervals as wide as series of its age have needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamrnn.forecasting import intervals, pooled_widths
from streamrnn.kernels.jit import kernel

LEVELS = (0.5, 0.9, 0.99)


@kernel
def _bound(
    config: Any, levels: Any, shared: Any, series: Any, rows: Any, values: Any, forecasts: Any, lower: Any, upper: Any
) -> None:
    for i in range(len(rows)):
        intervals.observe(
            config, levels, shared, series, rows[i], values[i], forecasts[i], forecasts[i], lower[i], upper[i]
        )


def bounds_of(rows: np.ndarray, values: np.ndarray, horizon: int = 1, pooled: bool = True) -> tuple[Any, Any]:
    """Bounds (events, levels, horizon, 1) around the last value, made after each event."""
    config = intervals.IntervalConfig(1, horizon, len(LEVELS), pooled=pooled)
    lower = np.zeros((len(rows), len(LEVELS), horizon, 1))
    upper = np.zeros_like(lower)
    forecasts = np.repeat(np.nan_to_num(values)[:, None, None], horizon, axis=1)
    series = intervals.allocate(config, int(rows.max()) + 1)
    shared = intervals.allocate_shared(config)
    _bound(config, intervals.level_table(LEVELS), shared, series, rows, values[:, None], forecasts, lower, upper)
    return lower, upper


def fleet(count: int, length: int, seed: int, together: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Random walks whose sizes differ by orders of magnitude, one after another or all at once."""
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(-2, 4, count)
    walks = sizes[:, None] * (20 + np.cumsum(random.standard_t(4, (count, length)), axis=1))
    rows = np.repeat(np.arange(count), length)
    return (np.tile(np.arange(count), length), walks.T.ravel()) if together else (rows, walks.ravel())


@pytest.mark.parametrize("seed", range(3))
def test_the_first_forecast_of_a_new_series_is_covered(seed: int) -> None:
    count, length = 300, 40
    rows, values = fleet(count, length, seed)
    lower, upper = bounds_of(rows, values)
    x = values.reshape(count, length)
    low, high = (bound[:, 1, 0, 0].reshape(count, length) for bound in (lower, upper))
    covered = (low[:, :-1] <= x[:, 1:]) & (x[:, 1:] <= high[:, :-1])
    for age in (0, 1, 2, 4, 8, 16, 30):
        assert 0.82 < covered[20:, age].mean() < 0.98, age
    assert 0.87 < covered[20:].mean() < 0.93


def test_far_steps_of_a_new_series_are_covered() -> None:
    count, length, horizon = 300, 40, 12
    rows, values = fleet(count, length, 0)
    lower, upper = bounds_of(rows, values, horizon)
    x = values.reshape(count, length)
    low, high = (bound[:, 1, :, 0].reshape(count, length, horizon) for bound in (lower, upper))
    for step in (1, 3, 8, 12):
        covered = (low[:, 0, step - 1] <= x[:, step]) & (x[:, step] <= high[:, 0, step - 1])
        assert covered[20:].mean() > 0.8, step


def test_series_that_start_together_have_bounds_of_their_own() -> None:
    rows, values = fleet(100, 19, 1, together=True)
    for mine, alone in zip(bounds_of(rows, values), bounds_of(rows, values, pooled=False), strict=True):
        early = slice(0, 100)  # the first forecast of all
        assert (mine[early] == alone[early]).all()
    lower, upper = bounds_of(rows, values)
    x = values.reshape(19, 100)
    covered = (lower[:-100, 1, 0, 0].reshape(18, 100) <= x[1:]) & (x[1:] <= upper[:-100, 1, 0, 0].reshape(18, 100))
    assert covered[1:].mean() > 0.85


def test_own_weights_are_own_intervals() -> None:
    rows, values = fleet(30, 30, 2)
    lower, upper = bounds_of(rows, values, pooled=False)
    own = (upper - lower)[::30, 1, 0, 0] / np.abs(values[::30])
    assert np.ptp(own) < 1e-6 * own[0], "before its first residual a series knows nothing but its value"


@pytest.mark.parametrize("hostile", [0.0, 1e-308, 1e300, -1e300, np.nan])
def test_hostile_values_leave_the_widths_of_others_finite(hostile: float) -> None:
    rows, values = fleet(60, 25, 3)
    values[25 * 10 : 25 * 20] = hostile
    values[25 * 30 : 25 * 31 : 2] = hostile
    lower, upper = bounds_of(rows, values)
    assert np.isfinite(lower).all()
    assert np.isfinite(upper).all()
    assert (lower <= upper).all()
    widths, sizes = (upper - lower)[25 * 50 :: 25, 1, 0, 0], np.abs(values[25 * 50 :: 25])
    assert (widths < 1e3 * sizes).all()
    assert (lower[:, 2] <= lower[:, 1]).all()
    assert (upper[:, 1] <= upper[:, 2]).all()


def test_ages_are_those_of_the_table() -> None:
    ages = [pooled_widths.age_of(seen) for seen in range(25)]
    assert ages == [0, 1, 2, 2, *[3] * 5, *[4] * 11, *[5] * 5]
