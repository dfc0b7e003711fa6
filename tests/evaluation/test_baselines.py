from __future__ import annotations

import math
import sys
import types
from collections.abc import Sequence

import numpy as np
import pytest
from river import datasets, metrics, time_series

from streamrnn.errors import ConfigurationError
from streamrnn.evaluation.baselines import NAMES, Guarded, Seasonal, Standardized, settings, unavailable


class Scripted:
    """Forecasts what it is told to; an exception is raised."""

    def __init__(self, *answers: float | Exception) -> None:
        self.answers = list(answers)
        self.learned: list[float] = []

    def learn_one(self, y: float) -> None:
        self.learned.append(y)

    def forecast(self, horizon: int) -> Sequence[float]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * horizon


def test_the_last_value_stands_in_for_a_failure() -> None:
    guarded = Guarded(lambda: Scripted(IndexError("warm-up"), 4.0, ZeroDivisionError(), 5.0), 2)
    assert [list(guarded.step(value)) for value in (3.0, 4.0, 6.0, 5.0)] == [[3, 3], [4, 4], [6, 6], [5, 5]]
    assert guarded.replaced == 2


@pytest.mark.parametrize("wild", [math.nan, math.inf, 1e9])
def test_a_blown_up_model_starts_afresh(wild: float) -> None:
    made: list[Scripted] = []

    def make() -> Scripted:
        made.append(Scripted(0.5, wild) if not made else Scripted(0.7))
        return made[-1]

    guarded = Guarded(make, 1)
    guarded.step(0.0)
    assert guarded.step(1.0) == [1.0]
    assert guarded.step(1.0) == [0.7]
    assert made[1].learned == [1.0, 1.0]


def test_forecasts_stay_near_what_was_seen() -> None:
    guarded = Guarded(lambda: Scripted(0.0, 5.0, -5.0), 1)
    assert [guarded.step(value)[0] for value in (0.0, 1.0, 1.0)] == [0.0, 2.0, -1.0]


def test_missing_values_are_filled_with_the_own_forecast() -> None:
    inner = Scripted(2.0, 2.5, 3.0)
    guarded = Guarded(lambda: inner, 1)
    assert math.isnan(guarded.step(math.nan)[0])
    guarded.step(2.0)
    guarded.step(3.0)
    guarded.step(math.nan)
    assert inner.learned == [2.0, 3.0, 2.5]


def test_seasonal_persistence_repeats_the_season() -> None:
    seasonal = Seasonal(3)
    seasonal.learn_one(1.0)
    assert seasonal.forecast(2) == [1.0, 1.0]
    for value in (2.0, 3.0, 4.0):
        seasonal.learn_one(value)
    assert seasonal.forecast(5) == [2.0, 3.0, 4.0, 2.0, 3.0]


def test_standardizing_is_undone() -> None:
    class Last:
        def learn_one(self, y: float) -> None:
            self.y = y

        def forecast(self, horizon: int) -> list[float]:
            return [self.y] * horizon

    standardized = Standardized(Last())
    for value in (10.0, 30.0, 20.0, 70.0):
        standardized.learn_one(value)
        assert standardized.forecast(1) == pytest.approx([value])
    assert standardized._forecaster.y == pytest.approx((70 - 32.5) / np.std([10.0, 30.0, 20.0, 70.0]))


def test_holt_winters_is_rivers() -> None:
    """The guard changes nothing where nothing goes wrong."""
    values = [float(y) for _, y in datasets.AirlinePassengers()]
    guarded = Guarded(settings("holt-winters", 12)["multiplicative season 12"], 3)
    own, theirs = metrics.MAE(), metrics.MAE()
    model = time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.6, seasonality=12, multiplicative=True)
    for now, after in zip(values, values[3:], strict=False):
        forecasts = guarded.step(now)
        model.learn_one(now)
        if model._initialized:
            own.update(after, forecasts[2])
            theirs.update(after, model.forecast(3)[2])
    assert own.get() == theirs.get() < 14


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("persistence", "deep-river")])
@pytest.mark.parametrize("period", [1, 12])
def test_every_setting_can_be_made(name: str, period: int) -> None:
    for make in settings(name, period).values():
        guarded = Guarded(make, 2)
        for value in np.sin(np.arange(60.0)).tolist():
            assert np.isfinite(guarded.step(value)).all()


def test_unknown_baseline() -> None:
    with pytest.raises(ConfigurationError, match="there are: persistence, seasonal"):
        settings("prophet", 1)


def test_deep_river_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert unavailable("snarimax") is None
    assert "pip install deep-river" in (unavailable("deep-river") or "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    for name in ("deep_river", "deep_river.forecasting"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    assert "has no forecasters" in (unavailable("deep-river") or "")


def test_deep_river_where_installed() -> None:
    reason = unavailable("deep-river")
    if reason is not None:
        pytest.skip(reason)
    guarded = Guarded(settings("deep-river", 1)["GRU"], 2)
    forecasts = [guarded.step(value) for value in np.sin(np.arange(100.0)).tolist()]
    assert np.isfinite(forecasts).all()
    assert guarded.replaced < 5
