from __future__ import annotations

import numpy as np
import pytest

from streamrnn.kernels import least_squares


def unpack(packed: np.ndarray, m: int) -> np.ndarray:
    full = np.zeros((m, m))
    full[np.triu_indices(m)] = packed
    return full + np.triu(full, 1).T


@pytest.mark.parametrize("features", [1, 7, 33])
def test_equals_discounted_least_squares(features: int) -> None:
    random = np.random.default_rng(0)
    forgetting, initial, events = 0.98, 0.5, 120
    phi, y = random.normal(size=(events, features)), random.normal(size=events)
    covariance, weights, gain = np.zeros(least_squares.packed_size(features)), np.zeros(features), np.zeros(features)
    least_squares.start_covariance(covariance, features, initial)
    for f, target in zip(phi, y, strict=True):
        least_squares.learn(covariance, weights, f, gain, target - weights @ f, forgetting, initial)

    discounts = forgetting ** np.arange(events - 1, -1, -1)
    matrix = (phi * discounts[:, None]).T @ phi + np.eye(features) * forgetting**events / initial
    exact = np.linalg.solve(matrix, (phi * discounts[:, None]).T @ y)
    np.testing.assert_allclose(weights, exact, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(unpack(covariance, features), np.linalg.inv(matrix), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("features", [*range(1, 27), 40, 81])
def test_one_step_equals_the_matrix_form_and_touches_nothing_else(features: int) -> None:
    random = np.random.default_rng(features)
    size, forgetting, found = least_squares.packed_size(features), 0.97, []
    half = random.normal(size=(features, features))
    before = half @ half.T + np.eye(features)
    phi = random.normal(size=features)
    for offset in range(9):  # bits must not depend on where the numbers lie
        room = np.full(size + 25, 7.0)
        covariance, gain = room[offset : offset + size], np.full(features + 16, 7.0)
        covariance[:] = before[np.triu_indices(features)]
        q = least_squares.find_gain(covariance, phi, gain[8 : 8 + features])
        least_squares.learn_covariance(covariance, gain[8 : 8 + features], q, forgetting, 1e9)
        assert (np.delete(room, slice(offset, offset + size)) == 7.0).all()
        assert (np.delete(gain, slice(8, 8 + features)) == 7.0).all()
        found.append((q, gain[8 : 8 + features].tobytes(), covariance.tobytes()))
    assert len(set(found)) == 1
    exact = before @ phi
    np.testing.assert_allclose(np.frombuffer(found[0][1]), exact, rtol=1e-11, atol=1e-11)
    after = (before - np.outer(exact, exact) / (forgetting + phi @ exact)) / forgetting
    np.testing.assert_allclose(unpack(np.frombuffer(found[0][2]), features), after, rtol=1e-9, atol=1e-10)


def test_outputs_may_share_a_gain() -> None:
    random = np.random.default_rng(1)
    phi, y = random.normal(size=(50, 4)), random.normal(size=(50, 2))
    together, apart = np.zeros((2, 4)), np.zeros((2, 4))
    one, gain = np.zeros(10), np.zeros(4)
    each = np.zeros((2, 10))
    least_squares.start_covariance(one, 4, 1.0)
    for k in range(2):
        least_squares.start_covariance(each[k], 4, 1.0)
    for f, target in zip(phi, y, strict=True):
        q = least_squares.find_gain(one, f, gain)
        for k in range(2):
            least_squares.learn_weights(together[k], gain, q, 0.99, target[k] - together[k] @ f)
        least_squares.learn_covariance(one, gain, q, 0.99, 1.0)
        for k in range(2):
            least_squares.learn(each[k], apart[k], f, np.zeros(4), target[k] - apart[k] @ f, 0.99, 1.0)
    np.testing.assert_array_equal(together, apart)


def test_precision_does_not_wind_up_when_nothing_happens() -> None:
    covariance, weights, gain, phi = np.zeros(6), np.zeros(3), np.zeros(3), np.array([1.0, 0.0, 0.0])
    least_squares.start_covariance(covariance, 3, 0.05)
    for _ in range(20_000):
        least_squares.learn(covariance, weights, phi, gain, 0.1, 0.99, 0.05)
    assert np.trace(unpack(covariance, 3)) <= least_squares.WINDUP * 3 * 0.05 * (1 + 1e-9)


@pytest.mark.parametrize("features", [3, 21])
@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_starts_again_when_it_is_no_longer_finite(features: int, wrong: float) -> None:
    covariance, gain = np.ones(least_squares.packed_size(features)), np.zeros(features)
    covariance[features // 2] = wrong
    q = least_squares.find_gain(covariance, np.ones(features), gain)
    least_squares.learn_covariance(covariance, gain, q, 0.99, 0.05)
    np.testing.assert_array_equal(unpack(covariance, features), 0.05 * np.eye(features))
    weights = np.ones(features)
    least_squares.learn_weights(weights, gain, q, 0.99, 1.0)
    np.testing.assert_array_equal(weights, 1.0)
