from __future__ import annotations

import numpy as np
import pytest

from streamrnn.online import rls


def unpack(packed: np.ndarray, m: int) -> np.ndarray:
    full = np.zeros((m, m))
    full[np.triu_indices(m)] = packed
    return full + np.triu(full, 1).T


@pytest.mark.parametrize("features", [1, 7, 33])
def test_equals_discounted_least_squares(features: int) -> None:
    random = np.random.default_rng(0)
    forgetting, initial, events = 0.98, 0.5, 120
    phi, y = random.normal(size=(events, features)), random.normal(size=events)
    precision, weights, gain = np.zeros(rls.packed_size(features)), np.zeros(features), np.zeros(features)
    rls.start_precision(precision, features, initial)
    for f, target in zip(phi, y, strict=True):
        rls.learn(precision, weights, f, gain, target - weights @ f, forgetting, initial)

    discounts = forgetting ** np.arange(events - 1, -1, -1)
    matrix = (phi * discounts[:, None]).T @ phi + np.eye(features) * forgetting**events / initial
    exact = np.linalg.solve(matrix, (phi * discounts[:, None]).T @ y)
    np.testing.assert_allclose(weights, exact, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(unpack(precision, features), np.linalg.inv(matrix), rtol=1e-7, atol=1e-10)


def test_outputs_may_share_a_gain() -> None:
    random = np.random.default_rng(1)
    phi, y = random.normal(size=(50, 4)), random.normal(size=(50, 2))
    together, apart = np.zeros((2, 4)), np.zeros((2, 4))
    one, gain = np.zeros(10), np.zeros(4)
    each = np.zeros((2, 10))
    rls.start_precision(one, 4, 1.0)
    for k in range(2):
        rls.start_precision(each[k], 4, 1.0)
    for f, target in zip(phi, y, strict=True):
        q = rls.find_gain(one, f, gain)
        for k in range(2):
            rls.learn_weights(together[k], gain, q, 0.99, target[k] - together[k] @ f)
        rls.learn_precision(one, gain, q, 0.99, 1.0)
        for k in range(2):
            rls.learn(each[k], apart[k], f, np.zeros(4), target[k] - apart[k] @ f, 0.99, 1.0)
    np.testing.assert_array_equal(together, apart)


def test_precision_does_not_wind_up_when_nothing_happens() -> None:
    precision, weights, gain, phi = np.zeros(6), np.zeros(3), np.zeros(3), np.array([1.0, 0.0, 0.0])
    rls.start_precision(precision, 3, 0.05)
    for _ in range(20_000):
        rls.learn(precision, weights, phi, gain, 0.1, 0.99, 0.05)
    assert np.trace(unpack(precision, 3)) <= rls.WINDUP * 3 * 0.05 * (1 + 1e-9)


def test_starts_again_when_it_is_no_longer_finite() -> None:
    precision, gain = np.full(6, np.inf), np.zeros(3)
    q = rls.find_gain(precision, np.ones(3), gain)
    rls.learn_precision(precision, gain, q, 0.99, 0.05)
    np.testing.assert_array_equal(unpack(precision, 3), 0.05 * np.eye(3))
    weights = np.ones(3)
    rls.learn_weights(weights, gain, q, 0.99, 1.0)
    np.testing.assert_array_equal(weights, 1.0)
