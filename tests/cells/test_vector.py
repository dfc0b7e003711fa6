"""The arithmetic under the cells against numpy, at sizes that fill the vectors and sizes that do not."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.cells.activation import sigmoid, tanh
from streamrnn.kernels import linear
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import clamp, lanes, load, store

SHAPES = [(1, 1), (5, 3), (3, 16), (7, 33), (17, 130), (32, 96), (33, 40)]


@kernel
def activations(x, by_tanh, by_sigmoid, clipped):
    for j in range(0, x.size, lanes(x)):
        v = load(x, j, x.size - j)
        store(by_tanh, j, x.size - j, tanh(v))
        store(by_sigmoid, j, x.size - j, sigmoid(v))
        store(clipped, j, x.size - j, clamp(v, 2.5))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 4e-7), (np.float64, 4e-16)])
def test_activations(dtype, tolerance):
    x = np.linspace(-30, 30, 10_007).astype(dtype)
    t, s, c = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    activations(x, t, s, c)
    exact = x.astype(np.float64)
    assert np.max(np.abs(t - np.tanh(exact))) < tolerance
    assert np.max(np.abs(s - 1.0 / (1.0 + np.exp(-exact)))) < tolerance
    assert np.max(np.abs(t)) <= 1.0
    np.testing.assert_array_equal(c, np.clip(x, -2.5, 2.5).astype(dtype))
    x[5] = np.nan
    activations(x, t, s, c)
    assert np.isnan(t[5])
    assert np.isnan(s[5])
    assert np.isnan(c[5])
    assert np.isfinite(np.delete(t, 5)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrix_loops(shape, dtype):
    rows, columns = shape
    random = np.random.default_rng(0)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    M = random.normal(size=shape).astype(dtype)
    x, y = random.normal(size=rows + 2).astype(dtype), random.normal(size=columns + 3).astype(dtype)
    expected = y.copy()
    expected[2 : 2 + columns] += x[1 : 1 + rows] @ M
    linear.add_product(x, 1, M.ravel(), 0, rows, columns, y, 2)
    np.testing.assert_allclose(y, expected, atol=tolerance)
    turned = np.zeros(rows * columns, dtype)
    linear.transpose(M.ravel(), 0, rows, columns, turned, 0)
    np.testing.assert_array_equal(turned.reshape(columns, rows), M.T)
    steps = 7
    X = random.normal(size=(steps, rows + 1)).astype(dtype)
    D = random.normal(size=(steps, columns + 2)).astype(dtype)
    G = np.ones(rows * columns + 1, dtype)
    linear.add_outer(X.ravel(), 1, rows + 1, D.ravel(), 1, columns + 2, steps, rows, columns, G, 1)
    assert G[0] == 1.0
    np.testing.assert_allclose(G[1:].reshape(shape), 1 + X[:, 1:].T @ D[:, 1 : 1 + columns], atol=tolerance)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 6, 16, 20])
def test_one_bad_element_is_found(bad, place):
    x = np.ones(21, np.float32)
    assert linear.all_finite(x, 0, 21)
    assert linear.all_within(x, 0, 21, 1e6)
    x[place] = bad
    assert not linear.all_finite(x, 0, 21)
    assert not linear.all_within(x, 0, 21, 1e6)
    x[place] = 2e6
    assert linear.all_finite(x, 0, 21)
    assert not linear.all_within(x, 0, 21, 1e6)
