"""Every horizon forecasts every step, in every preset."""

from __future__ import annotations

import numpy as np
import pytest

from tests.forecasting.streams import HOUR, Forecaster, daily

EVENTS = 260


def worst(preset: str, horizon: int, x: np.ndarray) -> tuple[int, float]:
    """The step whose mean absolute error is largest beside the last value's, and how many times it that is."""
    out = Forecaster(preset=preset, horizon=horizon).run(x)[:, :, 0]
    assert np.isfinite(out).all()
    ratios = []
    for k in range(1, min(horizon, 40) + 1):
        origins = np.arange(100, len(x) - k)
        last = np.abs(x[origins] - x[origins + k]).mean()
        ratios.append(float(np.abs(out[origins, k - 1] - x[origins + k]).mean() / last))
    return int(np.argmax(ratios)) + 1, max(ratios)


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
@pytest.mark.parametrize("first", range(1, 101, 20))
def test_no_step_of_any_horizon_up_to_a_hundred_is_lost(preset: str, first: int) -> None:
    x = 20 + np.random.default_rng(0).standard_normal(EVENTS)
    for horizon in range(first, first + 20):
        step, ratio = worst(preset, horizon, x)
        assert ratio < 1.15, f"step {step} of horizon {horizon}"


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
@pytest.mark.parametrize("horizon", [168, 288, 1000])
def test_no_step_of_a_long_horizon_is_lost(preset: str, horizon: int) -> None:
    x = daily(EVENTS)
    step, ratio = worst(preset, horizon, x)
    # the day comes back at step 24, where nothing beats the last value by much
    assert ratio < 1.5, f"step {step}"


def test_a_straight_line_is_followed_to_the_last_step() -> None:
    n = 2500
    x = 50_000 + 20.0 * np.arange(n) + 2 * np.random.default_rng(5).standard_normal(n)
    out = Forecaster(preset="lite", horizon=72).run(x, times=np.arange(n) * HOUR // 12)[:, :, 0]
    for k in (36, 72):
        origins = np.arange(1000, n - k)
        assert np.abs(out[origins, k - 1] - x[origins + k]).mean() < 20.0
