from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting.experts.readout import (
    Blocks,
    boost_covariance,
    forecast_step,
    learn_readout,
    make_blocks,
    readout_size,
    weights_of,
)


def run(phi: np.ndarray, y: np.ndarray, blocks: Blocks, forgetting: float = 0.999) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts (events,) and the readout's numbers."""
    m = phi.shape[1]
    f, gain = np.zeros(readout_size(blocks), np.float32), np.zeros(m, np.float32)
    made, phi = np.zeros(len(y)), phi.astype(np.float32)
    for t, value in enumerate(y):
        made[t] = forecast_step(f, 0, blocks, 0, phi[t])
        learn_readout(f, 0, blocks, phi[t], float(value), forgetting, gain)
    return made, f


@pytest.mark.parametrize("sizes", [(12,), (5, 7), (1, 3, 8)])
def test_finds_the_weights(sizes: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    phi, weights = random.normal(size=(3000, 12)), random.normal(size=12)
    y = phi @ weights + 0.1 * random.normal(size=3000)
    made, f = run(phi, y, make_blocks(*[(size, 0.05) for size in sizes]))
    assert np.sqrt(np.mean((made[1000:] - y[1000:]) ** 2)) < 0.12
    np.testing.assert_allclose(f[1:13], weights, atol=0.05)


def test_one_block_is_least_squares() -> None:
    random = np.random.default_rng(1)
    phi, y = random.normal(size=(400, 9)), random.normal(size=400)
    _, f = run(phi, y, make_blocks((9, 0.5)), forgetting=1.0)
    exact = np.linalg.solve(phi.T @ phi + np.eye(9) / 0.5, phi.T @ y)
    np.testing.assert_allclose(f[1:10], exact, atol=2e-3)


@pytest.mark.parametrize("what", ["constant", "zero", "collinear", "spikes", "tiny"])
def test_single_precision_stays_finite(what: str) -> None:
    random = np.random.default_rng(2)
    phi = random.normal(size=(20_000, 20))
    if what == "constant":
        phi[:] = 1.0
    elif what == "zero":
        phi[5000:] = 0.0
    elif what == "collinear":
        phi[:, 1:] = phi[:, :1]
    elif what == "spikes":
        phi[random.random(20_000) < 0.01] *= 8.0
    else:
        phi *= 1e-12
    y = phi[:, 0] + 0.1 * random.normal(size=20_000)
    y[::997] = 1e12
    blocks = make_blocks((8, 0.05), (12, 0.05))
    made, f = run(phi, y, blocks, 0.9997)
    assert np.isfinite(made).all()
    assert np.isfinite(f).all()
    covariance = f[1 + 20 : 1 + 20 + 36]
    assert covariance[[0, 8, 15, 21, 26, 30, 33, 35]].sum() <= 1.01 * 10 * 8 * 0.05


def test_blocks_of_nothing_are_left_out() -> None:
    blocks = make_blocks((0, 0.1), (3, 0.2))
    assert blocks.sizes[:2] == (3, 0)
    assert readout_size(blocks) == 1 + 3 + 6
    assert readout_size(make_blocks()) == 0


def test_a_boost_adds_to_the_diagonal() -> None:
    blocks = make_blocks((2, 0.1), (1, 0.2))
    f = np.zeros(readout_size(blocks), np.float32)
    boost_covariance(f, 0, blocks, 0.5)
    np.testing.assert_allclose(f[4:], [0.05, 0.0, 0.05, 0.1])


def test_heads_share_a_covariance_and_read_what_is_theirs() -> None:
    """Each head is what a readout of its own over its features would be, with the others' blocks of no account."""
    random = np.random.default_rng(3)
    phi, y = random.normal(size=(500, 9)).astype(np.float32), random.normal(size=500)
    parts = [(4, 0.5), (3, 0.5), (2, 0.5)]
    both = make_blocks(*parts, heads=((0, 7), (4, 9)))
    f, gain = np.zeros(readout_size(both), np.float32), np.zeros(9, np.float32)
    for t, value in enumerate(y):
        learn_readout(f, 0, both, phi[t], float(value), 0.999, gain)
    for head, (first, end, own) in enumerate([(0, 7, parts[:2]), (4, 9, parts[1:])]):
        _, alone = run(phi[:, first:end], y, make_blocks(*own))
        at = weights_of(0, both, head)
        np.testing.assert_allclose(f[at : at + end - first], alone[1 : 1 + end - first], rtol=1e-3, atol=1e-5)
