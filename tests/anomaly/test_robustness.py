"""Absurd values, missing values, strange times: every answer stays in range, and nothing is poisoned for long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamrnn.anomaly import detector
from tests.anomaly.simulate import START, bounded, scored, series, warned

values_of_any_kind = arrays.arrays(
    np.float64,
    (150, 2),
    elements=st.one_of(
        st.floats(-1e100, 1e100), st.just(float("nan")), st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e100, -1e100])
    ),
)


@given(values=values_of_any_kind, expected=values_of_any_kind, seed=st.integers(0, 99))
def test_any_input_gives_a_score_between_zero_and_one(values: np.ndarray, expected: np.ndarray, seed: int) -> None:
    times = np.cumsum(np.random.default_rng(seed).integers(-(10**9), 10**12, len(values)))
    result = scored(values, expected, START + times)
    assert ((result.score >= 0) & (result.score <= 1)).all()
    assert np.isfinite(result.channels).all()
    assert (result.channels >= 0).all()
    assert np.isfinite(result.outcome[:, : detector.DEVIATION]).all()


@given(values=values_of_any_kind, expected=values_of_any_kind)
def test_any_input_gives_bounds_that_hold_the_forecast(values: np.ndarray, expected: np.ndarray) -> None:
    forecasts = np.repeat(np.nan_to_num(expected)[:, None, :], 3, axis=1)
    lower, upper = bounded(values, forecasts, (0.9, 0.5, 0.99))
    assert np.isfinite(lower).all()
    assert np.isfinite(upper).all()
    assert (lower <= forecasts[:, None]).all()
    assert (upper >= forecasts[:, None]).all()
    for wide, narrow in ((0, 1), (2, 0)):
        assert (lower[:, wide] <= lower[:, narrow]).all()
        assert (upper[:, wide] >= upper[:, narrow]).all()
    steps, outcome = warned(values, forecasts, [(-1.0, None), (None, 10.0)])
    assert ((steps >= 0) & (steps <= 1)).all()
    assert ((outcome[:, 0] >= 0) & (outcome[:, 0] <= 1)).all()


@pytest.mark.parametrize("when", [0, 3, 150, 1000])
def test_one_absurd_value_does_not_blind_for_long(when: int) -> None:
    values, expected = series("seasonal", 0, 4000)
    values[when] = 1e100
    values[2500] += 9
    result = scored(values, expected)
    assert result.is_anomaly[2500]
    if when >= 150:
        assert result.is_anomaly[when]
    lower, upper = bounded(values, np.nan_to_num(expected)[:, None, :])
    assert (upper - lower)[when + 400].max() < 20


def test_a_series_begins_quietly() -> None:
    values, expected = series("white noise", 0, 100)
    result = scored(values * 1e6, expected)
    assert not result.is_anomaly.any()
    assert result.score[0] < 0.9


def test_rows_are_independent_and_zero_rows_are_new() -> None:
    values, expected = series("AR(2)", 0, 400)
    config = detector.AnomalyConfig(targets=1)
    state = detector.allocate(config, 1)
    first = scored(values, expected, config=config, state=state)
    for array in state:
        array[...] = 0
    again = scored(values, expected, config=config, state=state)
    assert first.score.tobytes() == again.score.tobytes()


def test_a_range_of_almost_nothing_is_left_by_far() -> None:
    values = np.zeros((150, 1))
    values[0], values[140] = 1e-300, 3.6e6
    result = scored(values, np.full((150, 1), np.nan))
    assert np.isfinite(result.channels).all()
    assert result.is_anomaly[140]
