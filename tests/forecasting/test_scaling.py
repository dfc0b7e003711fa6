from __future__ import annotations

import numpy as np

from streamrnn.forecasting import scaling
from streamrnn.forecasting.scaling import HIGH, LOW, MEAN, SCALE_SIZE, SIGMA, STEP_VARIANCE, VARIANCE


def observed(x: np.ndarray, warmup: float = 200.0, memory: float = 2000.0) -> np.ndarray:
    scale = np.zeros(SCALE_SIZE)
    for k, value in enumerate(x):
        scaling.observe_scale(scale, value, value - x[k - 1] if k else 0.0, warmup, memory)
    return scale


def test_warm_up_is_mean_and_variance_of_everything_seen() -> None:
    x = np.random.default_rng(0).normal(5.0, 2.0, 150)
    scale = observed(x)
    np.testing.assert_allclose(scale[MEAN], x.mean(), rtol=0.02)
    np.testing.assert_allclose(scale[VARIANCE], x.var(), rtol=0.05)
    np.testing.assert_allclose(scale[SIGMA], scaling.UNIT * np.sqrt(np.mean(np.diff(x) ** 2)), rtol=0.05)
    assert (scale[LOW], scale[HIGH]) == (x.min(), x.max())


def test_one_spike_moves_little() -> None:
    x = np.random.default_rng(0).normal(5.0, 2.0, 400)
    spiked = x.copy()
    spiked[300] = 1e100
    calm, after = observed(x), observed(spiked)
    assert abs(after[MEAN] - calm[MEAN]) < 0.1
    assert after[VARIANCE] < 1.1 * calm[VARIANCE]
    assert after[STEP_VARIANCE] < 1.1 * calm[STEP_VARIANCE]
    assert after[HIGH] <= calm[HIGH] + 2 * (calm[HIGH] - calm[LOW])


def test_a_lasting_change_is_followed() -> None:
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(0.0, 1.0, 1000), random.normal(100.0, 1.0, 12_000)])
    assert abs(observed(x)[MEAN] - 100.0) < 5.0


def test_the_first_change_sets_the_scale_of_a_constant() -> None:
    assert observed(np.full(500, 7.0))[SIGMA] == 0.0
    x = np.concatenate([np.full(500, 7.0), [9.0, 7.0]])
    assert 1.0 < observed(x)[SIGMA] < 10.0
