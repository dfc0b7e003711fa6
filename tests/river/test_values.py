"""What river's readers and pandas give for a value: numbers as text, missing values of every kind, times as text."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streamrnn import RNNAnomalyDetector, RNNForecaster, RNNRegressor

VALUES = [50 + 10 * (at % 8) + at % 3 for at in range(100)]
START = datetime(2024, 1, 1)


def forecaster(more: list[Any]) -> list[float]:
    model = RNNForecaster(preset="lite")
    for value in [*VALUES, *more]:
        model.learn_one(value)
    return model.forecast(1)


@pytest.mark.parametrize("value", ["54.21", " 54.21 ", Decimal("54.21"), np.float64(54.21), np.str_("54.21")])
def test_a_number_is_a_number_however_it_comes(value: Any) -> None:
    assert forecaster([value]) == forecaster([54.21])


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, np.datetime64("NaT"), "", np.nan, "nan"])
def test_a_missing_target_is_missing(value: Any) -> None:
    assert forecaster([value]) == forecaster([None])


@pytest.mark.parametrize("value", ["bad", b"x", {"a": 1}, [1], START, np.datetime64("2024-01-01"), object()])
def test_a_target_that_is_no_number_raises_and_teaches_nothing(value: Any) -> None:
    before, model = forecaster([]), RNNForecaster(preset="lite")
    for one in VALUES:
        model.learn_one(one)
    with pytest.raises(TypeError, match=r"the target is (text|a \w+), not a number"):
        model.learn_one(value)
    assert model.forecast(1) == before
    regressor = RNNRegressor(hidden_size=4)
    with pytest.raises(TypeError, match="not a number"):
        regressor.learn_one({"a": 1.0}, value)


@pytest.mark.parametrize("form", [str, np.datetime64, pd.Timestamp, lambda time: time.isoformat() + "+00:00"])
def test_a_time_is_one_however_it_comes(form: Any) -> None:
    plain, other = RNNForecaster(preset="lite"), RNNForecaster(preset="lite")
    for at, value in enumerate(VALUES):
        time = START + timedelta(hours=at)
        plain.learn_one(value, {"time": time})
        other.learn_one(value, {"time": form(time)})
    ahead = START + timedelta(hours=len(VALUES))
    assert other.forecast(1, [{"time": form(ahead)}]) == plain.forecast(1, [{"time": ahead}])


def test_a_missing_time_among_the_features_is_missing() -> None:
    model = RNNForecaster(preset="lite")
    for value in VALUES[:20]:
        model.learn_one(value, {"time": pd.NaT, "wind": pd.NA})
    assert np.isfinite(model.forecast(1, [{"time": pd.NaT, "wind": 1.0}])).all()


def test_the_detector_takes_numbers_as_text() -> None:
    numbers, texts = RNNAnomalyDetector(preset="lite"), RNNAnomalyDetector(preset="lite")
    for value in VALUES:
        numbers.learn_one({"a": float(value)})
        texts.learn_one({"a": str(value)})
    assert texts.score_one({"a": "500"}) == numbers.score_one({"a": 500.0}) > 0.9
