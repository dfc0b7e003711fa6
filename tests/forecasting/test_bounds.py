"""Forecasts and intervals keep to what values can be, declared or found, wherever batches are cut."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

import streamrnn
from streamrnn.config.event import EventConfig
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.forecasting import bounds
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded


def configured(**event: object) -> Config:
    small: dict[str, object] = {"model.hidden_size": 4, "model.truncation_length": 2, "model.horizon": 2}
    return load(None, small | {"model.levels": [0.9, 0.5]} | {f"event.{k}": v for k, v in event.items()}, {})


def answers(config: Config, values: Sequence[float], size: int = 10_000) -> Answers:
    """To one series, `size` events at once."""
    model = ForecastModel(config)
    parts = []
    for start in range(0, len(values), size):
        x = np.array(values[start : start + size], np.float64)[:, None]
        times = (start + np.arange(len(x))) * 3_600_000_000
        parts.append(model.process(Decoded(["a"] * len(x), times, x, np.zeros((len(x), 0)), [], [])))
    model.close()
    return Answers._make(np.concatenate(part) for part in zip(*parts, strict=True))


def counts(count: int) -> list[float]:
    """Mostly zero."""
    values: list[float] = np.random.default_rng(1).poisson(0.4, count).astype(float).tolist()
    return values


def published(said: Answers, first: int = 0, last: int | None = None) -> list[npt.NDArray[np.float64]]:
    """All forecasts and bounds of the events from `first` to before `last`, what was expected of them included."""
    ahead = (said.forecast, said.forecast_median, said.forecast_lower, said.forecast_upper)
    before = (said.expected, said.expected_median, said.lower, said.upper)
    return [*(part[first:last] for part in ahead), *(part[first + 1 : last] for part in before)]


def test_a_series_that_shows_to_be_nonnegative_is_held_at_zero_until_it_is_not() -> None:
    values = [*counts(300), -3.0, *counts(50)]
    free = answers(configured(nonnegative=False), values)
    held = answers(configured(), values)
    assert free.forecast_lower[40:300].min() < 0.0, "else there is nothing to hold"
    assert min(part.min() for part in published(held, 40, 300)) >= 0.0
    assert held.forecast_lower[301:].min() < 0.0
    np.testing.assert_array_equal(held.forecast[:19], free.forecast[:19])
    always = answers(configured(nonnegative=True), values)
    assert min(part.min() for part in published(always)) >= 0.0


def test_what_is_rarely_zero_is_not_held() -> None:
    history = np.zeros((1, bounds.COLUMNS), np.int32)
    sense = bounds.bounds_of([None], [None], automatic=True, integers=False)
    for value in [5.0] * 18 + [0.0]:
        bounds.note(history, np.array([value]))
    assert bounds.lowest(sense, history, 0) == -math.inf, "one zero may be a temperature on its way down"
    bounds.note(history, np.array([0.0]))
    assert bounds.lowest(sense, history, 0) == 0.0
    for _ in range(200):
        bounds.note(history, np.array([5.0]))
    assert bounds.lowest(sense, history, 0) == -math.inf, "two in 220"
    bounds.note(history, np.array([math.nan]))
    assert history.tolist() == [[220, 2, 2, bounds.OFFSET + 3]]


def test_what_shrank_to_nearly_nothing_is_held() -> None:
    falling = [40_000.0 * 0.8**t + 20.0 for t in range(60)]  # never zero
    said = answers(configured(), falling)
    assert min(part.min() for part in published(said, 40)) >= 0.0
    assert answers(configured(nonnegative=False), falling).forecast_lower[40:].min() < 0.0
    history = np.zeros((1, bounds.COLUMNS), np.int32)
    sense = bounds.bounds_of([None], [None], automatic=True, integers=False)
    for value in [30.0 - t for t in range(30)] + [0.2, 0.1]:
        bounds.note(history, np.array([value]))
    assert bounds.lowest(sense, history, 0) == 0.0
    for value in [1e308, *[5.0] * 30, 1e-300]:  # three of 64: it only passed by, and a glitch makes nothing small
        bounds.note(history, np.array([value]))
    assert bounds.lowest(sense, history, 0) == -math.inf


def test_declared_bounds_hold_and_order_stays() -> None:
    values = (20 + 30 * np.sin(np.arange(300) / 4)).tolist()
    said = answers(configured(minimum=0, maximum=40, integers=True), values)
    for part in published(said):
        assert part.min() >= 0.0
        assert part.max() <= 40.0
    for part in (said.forecast_median, said.forecast_lower, said.forecast_upper):
        np.testing.assert_array_equal(part, np.round(part))
    wide, narrow = 0, 1
    low, high = said.forecast_lower, said.forecast_upper
    for point in (said.forecast, said.forecast_median):
        for level in (wide, narrow):
            assert (low[:, level] <= point).all()
            assert (point <= high[:, level]).all()
    assert (low[:, wide] <= low[:, narrow]).all()
    assert (high[:, narrow] <= high[:, wide]).all()
    assert (said.forecast != np.round(said.forecast)).any(), "a mean is no count"


@pytest.mark.parametrize("event", [{}, {"integers": True, "minimum": -1}])
def test_where_batches_are_cut_changes_nothing(event: dict[str, object]) -> None:
    values = [*counts(60), math.nan, -1.0, *counts(30)]
    whole, ones = (answers(configured(**event), values, size) for size in (10_000, 1))
    for name, one, other in zip(Answers._fields, whole, ones, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_the_estimator_holds_as_the_service_does() -> None:
    model = streamrnn.RNNForecaster(horizon=2)
    ceiling = streamrnn.RNNForecaster(horizon=2, maximum=0.25)
    for value in counts(200):
        model.learn_one(value)
        ceiling.learn_one(value)
    assert min(low for low, _ in model.forecast_interval(2)) >= 0.0
    assert max(*ceiling.forecast(2), *(high for _, high in ceiling.forecast_interval(2))) <= 0.25


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"minimum": 1, "maximum": 1, "targets": ["a"]}, "minimum 1 of a is not below its maximum 1"),
        ({"minimum": {"b": 1}, "targets": ["a"]}, "minimum: b not among the targets, which are a"),
        ({"maximum": -1, "nonnegative": True, "targets": ["a"]}, "minimum 0 of a is not below its maximum -1"),
        ({"minimum": math.nan}, "finite number"),
        ({"nonnegative": "sometimes"}, "auto"),
    ],
)
def test_bounds_that_make_no_sense(event: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EventConfig.model_validate(event)
