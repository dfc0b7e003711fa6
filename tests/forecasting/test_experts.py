"""What every expert of the registry keeps to; a new one is found here by itself."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting.calendar import CLOCK_SIZE, MOST_SEASONS
from streamrnn.forecasting.diagnostics import expert_names, expert_weights
from streamrnn.forecasting.experts import expert as interface
from streamrnn.forecasting.experts.expert import ROOM, Seen
from streamrnn.forecasting.experts.registry import EXPERTS, FURTHER
from tests.forecasting.streams import Forecaster, daily
from tests.kernels import loop

SHORT = Forecaster(preset="lite", horizon=1)
VALUES = SHORT.config.at.values


@loop
def run(experts, seen, o, came, steps, values):
    """The step of every expert after each of `values`."""
    for n in range(values.size):
        for k in range(seen.recent.size - 1, 0, -1):
            seen.recent[k] = seen.recent[k - 1] if n > 0 else values[0]
        seen.recent[0] = values[n]
        now = Seen(
            seen.recent,
            n + 1,
            seen.inverse,
            seen.z,
            seen.f,
            seen.t,
            seen.v,
            seen.at,
            seen.clock,
            seen.phases,
            seen.room,
        )
        if n > 0:
            interface.learn_all(experts, now, o, came[n])
        interface.all_steps(experts, now, o, steps[n], 0)


def steps(values: np.ndarray, inverse: float) -> np.ndarray:
    """(values, experts), in sigmas; sigma is 1 / `inverse` all along."""
    at, size = SHORT.config.at, sum(interface.size(one) for one in FURTHER)
    room = np.full(ROOM, np.nan)  # what an expert finds there means nothing
    seen = Seen(
        np.zeros(VALUES), 0, inverse, np.zeros(at.numbers), np.zeros(at.singles + size, np.float32),
        np.zeros(at.shorts, np.int16), np.zeros(at.bytes, np.uint8), at, np.zeros(CLOCK_SIZE, np.int64),
        np.zeros((MOST_SEASONS, 2)), room,
    )  # fmt: skip
    came = np.clip(np.diff(values, prepend=values[0]) * inverse, -8.0, 8.0)
    found = np.zeros((len(values), len(FURTHER)))
    run(FURTHER, seen, at.singles, came, found, values)
    assert np.isfinite(seen.f).all()
    return found


@pytest.mark.parametrize("name", EXPERTS)
def test_an_expert_knows_no_unit(name: str) -> None:
    """Four times the values are the same steps in sigmas: to the bit, since four is a power of two."""
    x, k = np.random.default_rng(0).normal(size=200).cumsum(), list(EXPERTS).index(name)
    np.testing.assert_array_equal(steps(x, 2.0)[:, k], steps(4.0 * x, 0.5)[:, k])


@pytest.mark.parametrize("name", EXPERTS)
@pytest.mark.parametrize("value", [0.0, -3.5, 1e200])
def test_a_series_that_stands_still_has_a_finite_step(name: str, value: float) -> None:
    assert np.isfinite(steps(np.full(100, value), 1.0)[:, list(EXPERTS).index(name)]).all()


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
def test_every_expert_has_a_name_and_a_weight(preset: str) -> None:
    forecaster = Forecaster(preset=preset, horizon=1)
    forecaster.run(daily(400))
    weights, names = expert_weights(forecaster.config, forecaster.series, 0), expert_names(forecaster.config)
    assert len(set(names)) == len(names) == weights.shape[1]
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    assert set(EXPERTS) <= set(names)


def test_the_median_is_that_of_the_newest_values() -> None:
    x = np.random.default_rng(1).normal(size=50)
    found = steps(x, 2.0)[:, list(EXPERTS).index("median of 9")]
    expected = [(np.median(x[max(0, n - 8) : n + 1]) - x[n]) * 2.0 for n in range(50)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
