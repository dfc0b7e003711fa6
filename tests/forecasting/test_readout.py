from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting.experts.readout import (
    Blocks,
    Stored,
    boost_covariance,
    boost_stored_covariance,
    covariance_size,
    forecast_step,
    heads_size,
    learn_readout,
    learn_stored_readout,
    load_stored,
    make_blocks,
    readout_size,
    start_stored,
    weights_of,
)


def stored_blocks(blocks: Blocks) -> Stored:
    """Room for blocks in 16 bits a number."""
    m, size = sum(blocks.sizes), covariance_size(blocks)
    singles = [np.zeros(count, np.float32) for count in (size, m, m, m)]
    return Stored(np.zeros(size, np.int16), np.zeros(m, np.uint8), 0.0, 0.5, *singles)


def covariance_of(stored: Stored, blocks: Blocks) -> np.ndarray:
    """(m, m), zeros outside of the blocks."""
    load_stored(stored)
    full, o, p = np.zeros((len(stored.units), len(stored.units))), 0, 0
    for size in (one for one in blocks.sizes if one):
        block = np.zeros((size, size))
        block[np.triu_indices(size)] = stored.room[p : p + size * (size + 1) // 2]
        full[o : o + size, o : o + size] = block + np.triu(block, 1).T
        o, p = o + size, p + size * (size + 1) // 2
    return full * stored.scales[:, None] * stored.scales


def run_stored(
    phi: np.ndarray, y: np.ndarray, blocks: Blocks, forgetting: float = 0.999
) -> tuple[np.ndarray, np.ndarray, Stored]:
    """Forecasts (events,), the heads' numbers and the blocks, with covariances in 16 bits."""
    f, gain = np.zeros(heads_size(blocks), np.float32), np.zeros(phi.shape[1], np.float32)
    made, phi, stored = np.zeros(len(y)), phi.astype(np.float32), stored_blocks(blocks)
    for t, value in enumerate(y):
        made[t] = forecast_step(f, 0, blocks, 0, phi[t])
        rounded = stored._replace(age=float(t), share=0.6180339887498949 * (t + 1) % 1.0)
        learn_stored_readout(f, 0, rounded, blocks, phi[t], float(value), forgetting, gain)
    return made, f, stored


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


KINDS = ["constant", "zero", "collinear", "spikes", "tiny"]


def hostile(what: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (events, 20) and values (events,)."""
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
    return phi, y


@pytest.mark.parametrize("what", KINDS)
def test_single_precision_stays_finite(what: str) -> None:
    phi, y = hostile(what)
    blocks = make_blocks((8, 0.05), (12, 0.05))
    made, f = run(phi, y, blocks, 0.9997)
    assert np.isfinite(made).all()
    assert np.isfinite(f).all()
    covariance = f[1 + 20 : 1 + 20 + 36]
    assert covariance[[0, 8, 15, 21, 26, 30, 33, 35]].sum() <= 1.01 * 10 * 8 * 0.05


@pytest.mark.parametrize("what", KINDS)
def test_covariances_in_16_bits_forecast_as_well(what: str) -> None:
    phi, y = hostile(what)
    blocks = make_blocks((8, 0.05), (12, 0.05))
    made, f, stored = run_stored(phi, y, blocks, 0.9997)
    assert np.isfinite(made).all()
    assert np.isfinite(f).all()
    covariance = covariance_of(stored, blocks)
    assert (np.diag(covariance) > 0.0).all()
    assert np.trace(covariance[:8, :8]) <= 1.01 * 10 * 8 * 0.05
    whole, _ = run(phi, y, blocks, 0.9997)
    calm = np.arange(20_000) % 997 > 0
    calm[:1000] = False
    errors = [np.mean((one[calm] - y[calm]) ** 2) for one in (made, whole)]
    assert errors[0] <= 1.02 * errors[1]


def test_a_covariance_in_16_bits_is_that_of_least_squares() -> None:
    """Features of sizes from 1e-3 to 30, two of them nearly the same."""
    random = np.random.default_rng(5)
    phi = random.normal(size=(3000, 9)) * np.array([1e-3, 0.01, 0.1, 1.0, 1.0, 1.0, 3.0, 10.0, 30.0])
    phi[:, 4] = phi[:, 3] + 0.05 * phi[:, 4]
    blocks = make_blocks((9, 0.5))
    y = phi @ random.normal(size=9) / 10 + random.normal(size=3000)
    _, f, stored = run_stored(phi, y, blocks)
    discounts = 0.999 ** np.arange(2999, -1, -1)
    information = (phi * discounts[:, None]).T @ phi + 0.999**3000 / 0.5 * np.eye(9)
    exact, found = np.linalg.inv(information), covariance_of(stored, blocks)
    scale = np.sqrt(np.diag(exact))
    np.testing.assert_allclose(found / scale / scale[:, None], exact / scale / scale[:, None], atol=0.05)
    _, whole = run(phi, y, blocks)
    np.testing.assert_allclose(f[1:] / scale, whole[1:10] / scale, atol=0.5)


def test_a_boost_adds_to_a_covariance_in_16_bits() -> None:
    blocks = make_blocks((2, 0.1), (1, 0.2))
    stored = stored_blocks(blocks)
    start_stored(stored, blocks)
    np.testing.assert_allclose(covariance_of(stored, blocks), np.diag([0.1, 0.1, 0.2]), rtol=1e-4)
    boost_stored_covariance(stored, blocks, 30.0)
    np.testing.assert_allclose(covariance_of(stored, blocks), np.diag([3.1, 3.1, 6.2]), rtol=1e-3)


def test_blocks_of_nothing_are_left_out() -> None:
    blocks = make_blocks((0, 0.1), (3, 0.2))
    assert blocks.sizes[:2] == (3, 0)
    assert readout_size(blocks) == 1 + 3 + 6
    assert readout_size(make_blocks()) == 0


def test_a_boost_adds_to_the_diagonal() -> None:
    blocks = make_blocks((2, 0.1), (1, 0.2))
    covariance = np.zeros(4, np.float32)
    boost_covariance(covariance, blocks, 0.5)
    np.testing.assert_allclose(covariance, [0.05, 0.0, 0.05, 0.1])


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
