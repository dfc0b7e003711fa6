"""A score reads as a probability: on normal data a share a of the events scores above 1 - a."""

from __future__ import annotations

import numpy as np
import pytest

from tests.anomaly.simulate import KINDS, scored, series

COUNT = 5000


def shares(kind: str, seeds: int) -> dict[float, float]:
    scores = np.array([scored(*series(kind, seed, COUNT)).score for seed in range(seeds)])
    assert scores.min() >= 0
    assert scores.max() <= 1
    return {a: float((scores > 1 - a).mean()) / a for a in (0.5, 0.1, 0.01, 0.001)}


def check(kind: str, rates: dict[float, float]) -> None:
    assert 0.8 < rates[0.5] < 1.25
    assert 0.8 < rates[0.1] < 1.25
    assert 1 / 1.5 < rates[0.01] < 1.5
    # What opens an alert has the score of all series: tails that are longer than most show beyond it.
    assert 1 / 2 < rates[0.001] < (3.5 if kind == "heavy tails" else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_false_alarm_rates(kind: str) -> None:
    check(kind, shares(kind, seeds=12))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_false_alarm_rates_over_a_hundred_seeds(kind: str) -> None:
    check(kind, shares(kind, seeds=100))


@pytest.mark.slow
def test_a_walk_scores_high_no_more_often_where_an_open_alert_counts_once() -> None:
    results = [scored(*series("random walk", seed, COUNT)) for seed in range(100)]
    is_open = np.array([result.is_open for result in results])
    goes_on = is_open & np.roll(is_open, 1, axis=1)
    goes_on[:, 0] = False
    scores = np.array([result.score for result in results])
    assert 1 / 2 < (scores[~goes_on] > 0.999).mean() / 0.001 < 2


@pytest.mark.parametrize(("factor", "shift"), [(1e-6, 0.0), (1e6, -1e9), (-3.0, 7.0)])
def test_scale_and_unit_do_not_matter(factor: float, shift: float) -> None:
    values, expected = series("AR(2)", 1, 2000)
    here = scored(values, expected).score
    there = scored(values * factor + shift, expected * factor + shift).score
    assert np.mean(np.abs(here - there) > 1e-3) < 0.02


def test_several_targets_have_one_score_that_is_calibrated_too() -> None:
    rates = []
    for seed in range(8):
        (a, expected_a), (b, expected_b) = series("AR(2)", seed, COUNT), series("heavy tails", seed, COUNT)
        both = scored(np.hstack([a, b, a + 0.1 * b]), np.hstack([expected_a, expected_b, expected_a]))
        rates.append([(both.score > 1 - a).mean() / a for a in (0.1, 0.01)])
    tenth, hundredth = np.mean(rates, axis=0)
    assert 0.75 < tenth < 1.3
    assert 1 / 1.5 < hundredth < 1.5
