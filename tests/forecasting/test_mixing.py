from __future__ import annotations

import numpy as np

from streamrnn.forecasting import mixing


def mixture(experts: np.ndarray, y: np.ndarray, steps: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Published forecasts, mixtures and the final weights; experts (events, K) with the last value's 0 first."""
    count = experts.shape[1]
    z = np.zeros(mixing.mixing_size(count))
    published, mixed = np.zeros(len(y)), np.zeros(len(y))
    for t, value in enumerate(y):
        mixed[t] = mixing.mix(z, 0, count, experts[t])
        published[t] = mixing.publish(z, 0, count, mixed[t], steps)
        mixing.settle(z, count, np.append(experts[t], [mixed[t], published[t]]).astype(np.float32), value, 0.99, 0.1)
    return published, mixed, z[3 * count : 4 * count]


def test_the_best_expert_gets_the_weight() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=2000)
    experts = np.stack([np.zeros(2000), y + 0.1 * random.normal(size=2000), random.normal(size=2000)], axis=1)
    published, _, weights = mixture(experts, y)
    assert weights[1] > 0.9
    np.testing.assert_allclose(weights.sum(), 1.0)
    assert np.mean((published[200:] - y[200:]) ** 2) < 0.05


def test_averages_what_is_better_averaged() -> None:
    random = np.random.default_rng(1)
    y = random.normal(size=5000)
    experts = np.stack([np.zeros(5000), *(y + 0.5 * random.normal(size=5000) for _ in range(3))], axis=1)
    published, _, _ = mixture(experts, y)
    assert np.mean((published[1000:] - y[1000:]) ** 2) < 0.7 * np.mean((experts[1000:, 1] - y[1000:]) ** 2)


def test_never_much_worse_than_the_last_value() -> None:
    """Rare bursts: the mean is better in squares, the last value in absolute error."""
    random = np.random.default_rng(2)
    y = np.where(random.random(4000) < 0.05, 30.0, 0.0) + 0.1 * random.normal(size=4000)
    experts = np.stack([np.zeros(4000), np.full(4000, 1.5)], axis=1)
    published, mixed, _ = mixture(experts, y)
    assert np.mean(np.abs(mixed - y)) > 1.05 * np.mean(np.abs(y))
    assert np.mean(np.abs(published - y)) < 1.01 * np.mean(np.abs(y))


def test_one_spike_does_not_settle_the_regrets() -> None:
    random = np.random.default_rng(3)
    y = random.normal(size=1000)
    experts = np.stack([np.zeros(1000), 0.9 * y], axis=1)
    y[500] = 1e100
    published, _, weights = mixture(experts, y)
    assert np.isfinite(published).all()
    assert weights[1] > 0.8
    assert np.mean(np.abs(published[550:] - y[550:])) < 0.5 * np.mean(np.abs(y[550:]))


def test_what_is_lost_stays_within_the_budget() -> None:
    """An expert that was right for long and then is always wrong, settled several steps late as well."""
    random = np.random.default_rng(4)
    y = random.normal(size=3000)
    experts = np.stack([np.zeros(3000), np.where(np.arange(3000) < 300, y, -5 * y)], axis=1)
    for steps in (1, 9):
        published, _, _ = mixture(experts, y, steps)
        wrong = slice(300, None)
        lost = np.sum(np.abs(published[wrong] - y[wrong])) - np.sum(np.abs(y[wrong]))
        assert lost < np.sum(np.abs(y[:300])) + 0.02 * np.sum(np.abs(y))  # what had been gained, and the budget
        assert np.sum(np.abs(published - y)) < 1.01 * np.sum(np.abs(y))


def test_a_rare_jump_that_an_expert_knows_is_published() -> None:
    """Between jumps the mixture is slightly off all the time; that must not use up what jumps are worth."""
    random = np.random.default_rng(5)
    y = np.where(np.arange(2000) % 25 == 0, 40.0, 0.0)
    experts = np.stack([np.zeros(2000), y + 0.02 * random.normal(size=2000)], axis=1)
    published, _, _ = mixture(experts, y)
    assert np.mean(np.abs(published[500:] - y[500:])) < 0.1 * np.mean(y)
