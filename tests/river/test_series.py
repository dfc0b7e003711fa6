"""The forecaster and the anomaly detector: the same answers as the service, steps, features, late targets."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from river import datasets, evaluate, metrics

import streamrnn
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded


def series(count: int) -> list[float]:
    source = random.Random(3)
    return [math.sin(t / 4) * 3 + t / 50 + source.gauss(0, 0.1) for t in range(count)]


@pytest.mark.parametrize("preset", ["lite", "standard"])
def test_forecasts_intervals_and_scores_are_those_of_the_service_bit_for_bit(preset: str) -> None:
    values = series(600)
    values[200] = math.nan
    values[550] += 20.0
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=t) for t in range(len(values))]
    times = np.array([round(hour.timestamp() * 1e6) for hour in hours])
    count = len(values)
    config = Config.model_validate(
        {"model": {"preset": preset, "horizon": 3, "weights": "series"}, "event": {"targets": ["value"]}},
    )
    partition = ForecastModel(config)
    answers = partition.process(
        Decoded(["key"] * count, times, np.array(values)[:, None], np.zeros((count, 0)), [], []),
    )
    partition.close()
    model = streamrnn.RNNForecaster(horizon=3, preset=preset)
    for t, value in enumerate(values):
        model.learn_one(value, {"hour": hours[t]})
        assert model.forecast(3) == answers.forecast[t, :, 0].tolist()
        assert model.forecast(3, point="median") == answers.forecast_median[t, :, 0].tolist()
        bounds = list(zip(answers.forecast_lower[t, 0, :, 0], answers.forecast_upper[t, 0, :, 0], strict=True))
        assert model.forecast_interval(3) == bounds

    config = Config.model_validate({"model": {"preset": preset, "weights": "series"}, "event": {"targets": ["value"]}})
    partition = ForecastModel(config)
    answers = partition.process(
        Decoded(["key"] * count, times, np.array(values)[:, None], np.zeros((count, 0)), [], []),
    )
    partition.close()
    detector = streamrnn.RNNAnomalyDetector(preset=preset)
    detector.learn_one({"value": values[0], "hour": hours[0]})
    for t in range(1, count):
        x = {"value": values[t], "hour": hours[t]}
        assert detector.score_one(x) == detector.score_one(x) == answers.score[t]
        detector.learn_one(x)
    assert answers.score[550] > 0.99


def test_looking_further_than_the_horizon_goes_on_from_step_to_step_and_changes_nothing() -> None:
    model, silent = streamrnn.RNNForecaster(horizon=2), streamrnn.RNNForecaster(horizon=2)
    for value in series(400):
        model.learn_one(value)
        silent.learn_one(value)
        model.forecast(5)
    far = model.forecast(12)
    assert far[:2] == model.forecast(2) == silent.forecast(2)
    assert far == silent.forecast(12)
    assert far == pytest.approx([math.sin((400 + k) / 4) * 3 + 8 for k in range(12)], abs=1.0)
    assert model.forecast(0) == []
    with pytest.raises(ValueError, match="horizon=3"):
        model.forecast_interval(3)
    with pytest.raises(ConfigurationError, match="mean"):
        model.forecast(3, point="mode")
    medians = model.forecast(12, point="median")
    model.mutate({"point": "median"})
    assert model.forecast(12) == medians


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_alone(horizon: int, copied: Callable[[Any], Any]) -> None:
    values = series(500)
    model, undisturbed = (streamrnn.RNNForecaster(horizon=horizon, preset="lite") for _ in range(2))
    for value in values[:400]:
        model.learn_one(value)
        undisturbed.learn_one(value)
    twin = copied(model)
    del model
    gc.collect()
    ballast = [np.full(100_000, math.nan) for _ in range(20)]  # where the arrays of the first one were
    for value in values[400:]:
        twin.learn_one(value)
        undisturbed.learn_one(value)
        assert twin.forecast(horizon) == undisturbed.forecast(horizon)
    assert all(np.isnan(one).all() for one in ballast)


def test_a_learning_rate_that_is_changed_is_used_at_once() -> None:
    fast, frozen = streamrnn.RNNForecaster(horizon=1), streamrnn.RNNForecaster(horizon=1)
    for value in series(300):
        fast.learn_one(value)
        frozen.learn_one(value)
    frozen.mutate({"learning_rate": 0.0})
    learned = frozen._model.series.recurrent.weights.parameters[0]
    weights = learned.copy()
    for value in series(320)[300:]:
        fast.learn_one(value)
        frozen.learn_one(value)
    assert weights.any()
    assert (learned == weights).all()
    assert not (fast._model.series.recurrent.weights.parameters[0] == weights).all()


def test_features_of_the_step_to_forecast_count() -> None:
    model = streamrnn.RNNForecaster(horizon=1)
    source = random.Random(5)
    for _ in range(600):
        wind = float(source.randrange(2))
        model.learn_one(10.0 * wind + source.gauss(0, 0.1), {"wind": wind})
    assert model.forecast(1, [{"wind": 1.0}])[0] == pytest.approx(10.0, abs=1.5)
    assert model.forecast(1, [{"wind": 0.0}])[0] == pytest.approx(0.0, abs=1.5)
    steps = model.forecast(4, [{"wind": 1.0}, {"wind": 0.0}, {"wind": 0.0}, {"wind": 1.0}])
    assert steps == pytest.approx([10.0, 0.0, 0.0, 10.0], abs=2.5)
    low, high = model.forecast_interval(1, [{"wind": 1.0}])[0]
    assert low <= model.forecast(1, [{"wind": 1.0}])[0] <= high
    with pytest.raises(ValueError, match="xs has 1 entries"):
        model.forecast(2, [{"wind": 1.0}])
    model.learn_one(3.0, {"wind": 0.0, "rain": 1.0})  # a new feature: a new model, which learns the last events first
    assert model.forecast(1, [{"wind": 1.0}])[0] == pytest.approx(10.0, abs=2.5)


@pytest.mark.parametrize("year", [1949, 2026])
@pytest.mark.parametrize("featured", [False, True])
def test_dates_say_which_steps_are_wanted(year: int, featured: bool) -> None:
    def day(number: int) -> dict[str, Any]:
        date = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=number)
        return {"day": date, "weekend": float(number % 7 > 4)} if featured else {"day": date}

    model = streamrnn.RNNForecaster(horizon=3)
    assert model.forecast(1, [day(5)]) == [0.0]
    model.learn_one(1.0, day(0))
    assert model.forecast(2, [day(4), day(5)]) == [1.0, 1.0]  # how far apart days are is not known yet
    values = series(400)
    for t, value in enumerate(values):
        model.learn_one(value, day(t))
    end = len(values) - 1
    next_five = model.forecast(5, [day(end + k) for k in range(1, 6)])
    assert len(set(next_five)) == 5
    assert model.forecast(3, [day(end + k) for k in (1, 3, 5)]) == pytest.approx(next_five[::2], rel=0.03)
    assert model.forecast(1, [day(end - 7)]) == pytest.approx(next_five[:1], rel=0.03)  # no step is in the past
    intervals = model.forecast_interval(3, [day(end + k) for k in (1, 2, 3)])
    assert model.forecast_interval(1, [day(end + 3)])[0] == pytest.approx(intervals[2], rel=0.03)
    with pytest.raises(ValueError, match="horizon=9"):
        model.forecast_interval(1, [day(end + 9)])
    with pytest.raises(ValueError, match="at most 10,000"):
        model.forecast(1, [day(end + 10_001)])


@pytest.mark.skipif(not hasattr(evaluate, "evaluate"), reason="river 0.25 has evaluate.evaluate")
def test_river_evaluates_the_steps_it_asks_for() -> None:
    """`evaluate.evaluate` asks for the steps after the next one; only their dates say so (see docs/accuracy.md)."""
    scores = evaluate.evaluate(datasets.AirlinePassengers(), streamrnn.RNNForecaster(horizon=3), metrics.MAE(), 3)
    assert max(scores.get()) < 20.0


def test_a_forecaster_without_values_and_with_missing_ones() -> None:
    model = streamrnn.RNNForecaster(horizon=2)
    assert model.forecast(2) == [0.0, 0.0]
    assert model.forecast(2, [{"a": 1.0}, {"a": 2.0}]) == [0.0, 0.0]
    model.learn_one(None)  # type: ignore[arg-type]
    model.learn_one(math.nan)
    model.learn_one(5.0)
    assert model.forecast(2) == [5.0, 5.0]


def test_a_number_that_comes_later_is_followed_from_then_on() -> None:
    model = streamrnn.RNNAnomalyDetector(preset="lite")
    assert model.score_one({"a": 1.0}) == 0.0
    model.learn_one({})
    source = random.Random(2)
    for _ in range(200):
        model.learn_one({"a": source.gauss(0, 1)})
    calm = model.score_one({"a": 0.1})
    assert model.score_one({"a": 0.1, "b": 1e6}) == calm  # not seen yet: nothing is known of it
    for _ in range(300):
        model.learn_one({"a": source.gauss(0, 1), "b": source.gauss(5, 1)})
    usual, strange = model.score_one({"a": 0.1, "b": 5.0}), model.score_one({"a": 0.1, "b": 60.0})
    assert usual < 0.95 < strange


def test_forecaster_and_detector_go_on_where_they_were_pickled() -> None:
    learn: list[tuple[Any, Callable[[Any, float], Any]]] = [
        (streamrnn.RNNForecaster(horizon=2), lambda m, v: (m.forecast(2), m.learn_one(v))),
        (streamrnn.RNNAnomalyDetector(), lambda m, v: (m.score_one({"v": v}), m.learn_one({"v": v}))),
    ]
    values = series(200)
    for model, step in learn:
        for value in values[:100]:
            step(model, value)
        restored = pickle.loads(pickle.dumps(model))
        for value in values[100:]:
            assert step(model, value) == step(restored, value)
