"""Every horizon forecasts every step, in every preset."""

from __future__ import annotations

import numpy as np
import pytest

from tests.forecasting.streams import Forecaster, daily

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
    x = daily(EVENTS)
    for horizon in range(first, first + 20):
        step, ratio = worst(preset, horizon, x)
        assert ratio < 2.0, f"step {step} of horizon {horizon}"


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
@pytest.mark.parametrize("horizon", [168, 288, 1000])
def test_no_step_of_a_long_horizon_is_lost(preset: str, horizon: int) -> None:
    x = daily(EVENTS)
    step, ratio = worst(preset, horizon, x)
    # the day comes back at step 24, where nothing beats the last value
    assert ratio < 2.0, f"step {step}"
