from __future__ import annotations

import numpy as np

from streamrnn.forecasting import blending


def run(
    experts: np.ndarray, y: np.ndarray, pooled: bool = False, shared: blending.Experience | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, medians and the final weights of the mean; experts (events, K), the last value's 0 first, zero last."""
    count = experts.shape[1]
    kept = blending.Mixtures(
        np.zeros(blending.mixture_numbers(count), np.float32),
        np.zeros(blending.mixture_halves(count), np.int16),
        np.zeros(count, np.uint8),
    )
    known = blending.new_experience(1, count) if shared is None else shared
    one = blending.Experience(known.seen[0], known.means[0])
    mean, median, weights, room = np.zeros(len(y)), np.zeros(len(y)), np.zeros(count), np.zeros(count)
    for t, value in enumerate(y):
        mean[t], median[t] = blending.blend(
            kept, count, pooled, one, float(t), experts[t].astype(float), weights, room, 1.0
        )  # fmt: skip
        share = 0.6180339887498949 * t % 1.0
        blending.learn_blend(kept, count, pooled, one, float(t), float(value), 1.0, share, room)
    return mean, median, kept.shown / max(kept.shown.sum(), 1)


def test_the_best_expert_gets_the_weight() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=2000)
    experts = np.stack([0 * y, y + 0.1 * random.normal(size=2000), random.normal(size=2000), 0 * y], axis=1)
    mean, median, weights = run(experts, y)
    assert weights[1] > 0.9
    np.testing.assert_allclose(weights.sum(), 1.0, atol=1e-6)
    assert np.mean((mean[200:] - y[200:]) ** 2) < 0.05
    assert np.mean(np.abs(median[200:] - y[200:])) < 0.15


def test_averages_what_is_better_averaged() -> None:
    random = np.random.default_rng(1)
    y = random.normal(size=5000)
    experts = np.stack([0 * y, *(y + 0.5 * random.normal(size=5000) for _ in range(3)), 0 * y], axis=1)
    mean, _, _ = run(experts, y)
    assert np.mean((mean[1000:] - y[1000:]) ** 2) < 0.7 * np.mean((experts[1000:, 1] - y[1000:]) ** 2)


def test_rare_bursts_have_a_mean_and_a_median() -> None:
    random = np.random.default_rng(2)
    y = np.where(random.random(4000) < 0.05, 30.0, 0.0) + 0.1 * random.normal(size=4000)
    experts = np.stack([0 * y, 0 * y + 1.5, 0 * y], axis=1)
    mean, median, _ = run(experts, y)
    assert np.mean((mean - y) ** 2) < 0.995 * np.mean(y**2)
    assert np.mean(np.abs(mean - y)) > 1.05 * np.mean(np.abs(y))
    assert np.mean(np.abs(median - y)) < 1.02 * np.mean(np.abs(y))


def test_zero_is_for_the_median_alone() -> None:
    y = np.where(np.arange(600) % 4 == 0, 5.0, 0.0)
    last = np.concatenate([[0.0], y[:-1]])
    mean, median, weights = run(np.stack([0 * y, -last], axis=1), y - last)
    assert weights[1] == 0.0
    assert np.mean(np.abs(median[100:] + last[100:] - y[100:])) < 1.05 * np.mean(y[100:])
    np.testing.assert_array_equal(mean, 0.0)


def test_one_spike_does_not_settle_the_regrets() -> None:
    random = np.random.default_rng(3)
    y = random.normal(size=1000)
    experts = np.stack([0 * y, 0.9 * y, 0 * y], axis=1)
    y[500] = 1e100
    mean, _, weights = run(experts, y)
    assert np.isfinite(mean).all()
    assert weights[1] > 0.8
    assert np.mean(np.abs(mean[550:] - y[550:])) < 0.5 * np.mean(np.abs(y[550:]))


def test_a_change_is_followed() -> None:
    """The expert that was right becomes the one that is wrong: within a hundred events the other one is believed."""
    random = np.random.default_rng(4)
    y = random.normal(size=3000)
    turned = np.arange(3000) >= 2000
    experts = np.stack([0 * y, np.where(turned, -y, y), np.where(turned, y, -y), 0 * y], axis=1)
    mean, median, _ = run(experts, y)
    for made in (mean, median):
        assert np.mean((made[2150:] - y[2150:]) ** 2) < 0.35


def test_a_young_series_starts_from_what_the_partition_knows() -> None:
    random = np.random.default_rng(5)
    shared = blending.new_experience(1, 3)
    errors = []
    for _ in range(40):
        y = random.normal(size=30)
        mean, _, _ = run(np.stack([0 * y, y, 0 * y], axis=1), y, True, shared)
        errors.append(np.mean((mean[:3] - y[:3]) ** 2))
    assert np.mean(errors[20:]) < 0.3 * errors[0]


def test_an_expert_that_knows_nothing_yet_has_no_weight_and_inherits_none() -> None:
    random = np.random.default_rng(6)
    y = random.normal(size=900)
    asleep = np.where(np.arange(900) < 300, np.nan, 10.0)
    other = random.normal(size=900)
    mean, median, weights = run(np.stack([0 * y, other, asleep, 0 * y], axis=1), y)
    alone, _, _ = run(np.stack([0 * y, other, 0 * y], axis=1), y)
    np.testing.assert_allclose(mean[:300], alone[:300], atol=1e-6)
    assert np.isfinite(median).all()
    assert abs(mean[300]) < 1.0, "it was right in nothing so far"
    assert np.abs(mean[340:]).max() < 1.0
    np.testing.assert_allclose(weights.sum(), 1.0, atol=1e-6)


def test_one_that_wakes_and_is_right_is_followed() -> None:
    random = np.random.default_rng(7)
    y = random.normal(size=900)
    asleep = np.where(np.arange(900) < 300, np.nan, y)
    mean, median, _ = run(np.stack([0 * y, asleep, 0 * y], axis=1), y)
    for made in (mean, median):
        assert np.mean((made[330:] - y[330:]) ** 2) < 0.1


def test_small_steps_that_came_true_do_not_vouch_for_a_large_one() -> None:
    random = np.random.default_rng(8)
    y = random.normal(size=1000)
    said = y + 0.1 * random.normal(size=1000)
    said[500] = 80.0
    mean, _, _ = run(np.stack([0 * y, said, 0 * y], axis=1), y)
    assert abs(mean[500]) < 50.0
    assert np.mean((np.delete(mean, 500)[100:] - np.delete(y, 500)[100:]) ** 2) < 0.1


def test_large_steps_that_come_true_are_believed() -> None:
    random = np.random.default_rng(9)
    y = random.normal(size=3000)
    y[::100] *= 40.0
    mean, _, _ = run(np.stack([0 * y, y, 0 * y], axis=1), y)
    large = np.abs(y) > 30.0
    large[:1500] = False
    assert large.any()
    assert np.mean((mean[large] - y[large]) ** 2) < 0.02 * np.mean(y[large] ** 2)
