"""No state depends on a value not yet seen."""

from __future__ import annotations

import numpy as np
import pytest

from tests.anomaly.simulate import START, bounded, scored, series, warned

COUNT, CUT = 1500, 1100


def garbage(values: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    replaced = values.copy()
    future = replaced[CUT:]
    future[...] = random.standard_normal(future.shape) * 10.0 ** random.integers(-30, 30, future.shape)
    future[random.random(future.shape) < 0.2] = np.nan
    future[random.random(future.shape) < 0.1] = 1e100
    return replaced


@pytest.mark.parametrize("seed", range(3))
def test_garbage_in_the_future_changes_no_byte_of_the_past(seed: int) -> None:
    values, expected = series("seasonal", seed, COUNT)
    times = START + 300_000_000 * np.arange(COUNT)
    later = times.copy()
    later[CUT:] = np.random.default_rng(seed).integers(0, 2**61, COUNT - CUT)
    here = scored(values, expected, times)
    there = scored(garbage(values, seed), garbage(expected, seed + 1), later)
    for mine, other in zip(here, there, strict=True):
        assert mine[:CUT].tobytes() == other[:CUT].tobytes()
        assert mine[CUT:].tobytes() != other[CUT:].tobytes()


def test_the_same_of_intervals_and_warnings() -> None:
    values, expected = series("AR(2)", 1, COUNT)
    forecasts = np.repeat(np.nan_to_num(expected)[:, None, :], 6, axis=1)
    ruined, other = garbage(values, 2), np.nan_to_num(garbage(expected, 3), nan=0.0)
    others = np.repeat(other[:, None, :], 6, axis=1)
    pairs = zip(bounded(values, forecasts), bounded(ruined, others), strict=True)
    for mine, theirs in pairs:
        assert mine[:CUT].tobytes() == theirs[:CUT].tobytes()
    for mine, theirs in zip(
        warned(values, forecasts, [(None, 4.0)]), warned(ruined, others, [(None, 4.0)]), strict=True
    ):
        assert mine[:CUT].tobytes() == theirs[:CUT].tobytes()


def test_an_event_is_scored_before_it_is_learned_from() -> None:
    values, expected = series("white noise", 5, COUNT)
    values[CUT] = 40.0
    assert scored(values, expected).score[CUT] > 0.999
