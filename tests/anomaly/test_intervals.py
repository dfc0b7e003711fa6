"""Intervals cover what they promise, through drift, at every step."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting import intervals
from streamrnn.kernels import step_marks
from streamrnn.state.arrays import row_bytes
from tests.anomaly.simulate import bounded

COUNT = 8000


def coverage(values: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: int, step: int) -> np.ndarray:
    """Whether value t + step + 1 lies in the interval made after value t."""
    target = values[step + 1 :, 0]
    made = slice(0, len(target))
    return (lower[made, level, step, 0] <= target) & (target <= upper[made, level, step, 0])


def rolling(covered: np.ndarray, width: int = 500) -> np.ndarray:
    sums = np.cumsum(np.concatenate([[0], covered]))
    return (sums[width:] - sums[:-width]) / width


def noise(kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    residuals = random.standard_normal(COUNT)
    t = np.arange(COUNT)
    if kind == "growing":
        residuals *= 1 + t / 500
    elif kind == "jumps":
        residuals *= np.where(t // 1000 % 2, 10.0, 1.0)
    elif kind == "heavy":
        residuals = random.standard_t(3, COUNT)
    elif kind == "skewed":
        residuals = random.exponential(1, COUNT) - 1
    elif kind == "daily":
        residuals *= 1 + 0.9 * np.sin(2 * np.pi * t / 288)
    return residuals


@pytest.mark.parametrize("kind", ["plain", "growing", "jumps", "heavy", "skewed", "daily"])
def test_ninety_percent_means_ninety_percent(kind: str) -> None:
    values = noise(kind, 1)[:, None]
    lower, upper = bounded(values, np.zeros((COUNT, 1, 1)))
    covered = coverage(values, lower, upper, 0, 0)
    assert 0.89 < covered.mean() < 0.91
    assert rolling(covered).min() > 0.85


def test_levels_and_steps_of_a_random_walk() -> None:
    values = np.cumsum(np.random.default_rng(0).standard_normal(COUNT))[:, None]
    forecasts = np.repeat(values[:, None, :], 12, axis=1)
    levels = (0.9, 0.5, 0.99)
    lower, upper = bounded(values, forecasts, levels)
    for number, level in enumerate(levels):
        for step in (0, 5, 11):
            assert abs(coverage(values, lower, upper, number, step).mean() - level) < 0.015
    widths = (upper - lower)[-1000:, 0, :, 0].mean(axis=0)
    assert 2.5 < widths[11] / widths[0] < 4.5  # sqrt(12) = 3.5


def test_a_series_turned_upside_down_has_its_intervals_turned() -> None:
    values, nothing = noise("skewed", 4)[:, None], np.zeros((COUNT, 1, 1))
    levels = (0.9, 0.5, 0.99)
    lower, upper = bounded(values, nothing, levels)
    below, above = bounded(-values, nothing, levels)
    np.testing.assert_array_equal(below, -upper)
    np.testing.assert_array_equal(above, -lower)


def test_better_than_a_split_that_stays_as_it_was() -> None:
    values = noise("jumps", 3)[:, None]
    lower, upper = bounded(values, np.zeros((COUNT, 1, 1)))
    split = COUNT // 4
    low, high = np.quantile(values[:split], [0.05, 0.95])
    x = values[split:, 0]

    def winkler(low: np.ndarray, high: np.ndarray) -> float:
        return float((high - low + 20 * np.maximum(low - x, 0) + 20 * np.maximum(x - high, 0)).mean())

    static = winkler(np.full_like(x, low), np.full_like(x, high))
    assert winkler(lower[split - 1 : -1, 0, 0, 0], upper[split - 1 : -1, 0, 0, 0]) < 0.95 * static


def test_a_series_of_which_nothing_is_known_has_wide_intervals() -> None:
    values = np.random.default_rng(0).standard_normal((50, 1))
    lower, upper = bounded(values, np.zeros((50, 4, 1)))
    widths = (upper - lower)[:, 0, :, 0]
    assert (widths > 0).all()
    assert (np.diff(widths[1]) > 0).all(), "steps that have not settled borrow the width of those that have"


@pytest.mark.parametrize("value", [0.0, 21.5, -3e-9, 1e300])
def test_what_never_changed_is_not_certain_before_the_level_is(value: float) -> None:
    """After n equal values another one comes with a probability of about 1 / (n + 1)."""
    levels = (0.9, 0.5, 0.99)
    values = np.full((200, 1), value)
    lower, upper = bounded(values, np.repeat(values[:, None, :], 3, axis=1), levels)
    assert np.isfinite(lower).all()
    assert np.isfinite(upper).all()
    for number, last in enumerate((10, 2, 100)):
        widths = (upper - lower)[:, number, :, 0]
        assert (widths[:last] > 0).all()
        assert (widths[last + 3 :] == 0).all(), "of step 3 as many outcomes are known two events later"
        assert (np.diff(widths[:, 0]) <= 0).all()


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1e30, 1e200])
def test_the_unit_of_a_series_is_of_no_account(factor: float) -> None:
    values = noise("heavy", 2)[:2000, None]
    plain = bounded(values, np.zeros((2000, 4, 1)))
    scaled = bounded(factor * values, np.zeros((2000, 4, 1)))
    for one, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(other[1:] / factor, one[1:], rtol=1e-3)


def test_steps_between_marks_are_covered_and_levels_nested() -> None:
    values = np.cumsum(np.random.default_rng(0).standard_normal(4000))[:, None]
    forecasts = np.repeat(values[:, None, :], 100, axis=1)
    levels = (0.9, 0.5, 0.99)
    lower, upper = bounded(values, forecasts, levels)
    for step in (4, 9, 40, 75, 99):
        assert abs(coverage(values, lower, upper, 0, step).mean() - 0.9) < 0.05
    for narrow, wide in ((1, 0), (0, 2)):
        assert (lower[:, wide] <= lower[:, narrow]).all()
        assert (upper[:, narrow] <= upper[:, wide]).all()


def test_the_state_grows_slower_than_the_horizon() -> None:
    def size(horizon: int) -> int:
        return row_bytes(intervals.allocate(intervals.IntervalConfig(1, horizon, 1, pooled=False), 1))

    assert size(12) < 1000
    assert size(48) < 2000
    assert size(288) < 4000


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 12, 13, 47, 48, 49, 288, 1000])
def test_the_last_mark_is_the_last_step(horizon: int) -> None:
    steps = [step_marks.mark_at(horizon, mark) for mark in range(step_marks.marks_of(horizon))]
    assert steps == sorted(set(steps))
    assert steps[0] == 1
    assert steps[-1] == horizon


def test_missing_values_teach_nothing() -> None:
    values = np.random.default_rng(0).standard_normal((400, 1))
    forecasts = np.zeros((400, 1, 1))
    lower, _ = bounded(values, forecasts)
    values[300:350] = np.nan
    holed, _ = bounded(values, forecasts)
    assert (holed[300:350] == lower[299]).all()


@pytest.mark.parametrize("levels", [(), (0.0,), (1.0,), (0.5, 1.5)])
def test_levels_that_cannot_be(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        intervals.level_table(levels)
