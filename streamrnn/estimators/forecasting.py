"""The service's forecaster behind river's `Forecaster`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import time_series

from streamrnn.errors import ConfigurationError
from streamrnn.estimators.encoding import FeatureEncoder, target_of, time_in
from streamrnn.estimators.one_event import Answer
from streamrnn.estimators.one_series import SECOND, OneSeries, Settings
from streamrnn.labelled.linear import fill, grown_scales, learn_moments, new_scales

Float64 = NDArray[np.float64]

KEPT = 512  # events that a model with another number of features begins with
FARTHEST = 10_000  # steps ahead that a date may ask for


class RNNForecaster(time_series.base.Forecaster):
    """The forecaster of the streamrnn service: recurrent network, linear experts and seasonal tables, mixed online.

    The hidden state is carried from one `learn_one` to the next; `forecast` looks ahead from it and changes nothing.

    Parameters
    ----------
    horizon
        Steps that are forecast directly, each by experts of its own. Further ones may be asked for: they follow from
        step to step.
    preset
        `lite`, `standard` or `full`: how much machinery.
    hidden_size
        Hidden units of the network; None is the preset's own number.
    learning_rate
        Of the network; may be changed by `mutate`.
    level
        Share of the values that `forecast_interval` shall cover.
    seasonality
        Periods in seconds, at most two. None: day, week or year where times come with the events, else what the
        values show.
    max_features
        Columns for exogenous features, at most; beyond, they are shared by hashing.
    seed
        Draws the network's first weights.
    point
        What `forecast` gives: `mean`, to be judged by squared error, or `median`, by absolute error. A call may ask for
        the other one; may be changed by `mutate`.
    minimum
        No forecast and no bound is lower; None: 0 where the values show to be nonnegative, else there is none.
    maximum
        No forecast and no bound is higher.

    Notes
    -----
    A date or datetime among the features is the event's time; without one, events are one second apart. In `xs` it says
    which step is meant, by the usual time between two events: river's `evaluate` leaves the next one out. All
    other features belong to the value they come with, so `forecast` wants them for every step (`xs`); without `xs` the
    last ones are taken to stay. A feature that was never seen before makes a new model, which first learns the last
    512 events.

    Examples
    --------
    >>> import math
    >>> model = RNNForecaster(horizon=3)
    >>> for t in range(400):
    ...     model.learn_one(math.sin(t / 5))
    >>> all(abs(value - math.sin((400 + k) / 5)) < 0.1 for k, value in enumerate(model.forecast(3)))
    True

    """

    def __init__(
        self,
        horizon: int = 12,
        preset: str = "standard",
        hidden_size: int | None = None,
        learning_rate: float = 1e-3,
        level: float = 0.9,
        seasonality: tuple[float, ...] | None = None,
        max_features: int = 64,
        seed: int = 0,
        point: str = "mean",
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> None:
        _check(point)
        if max_features < 1:
            raise ConfigurationError("max_features is at least 1")
        self.horizon = horizon
        self.preset = preset
        self.hidden_size = hidden_size
        self.learning_rate = learning_rate
        self.level = level
        self.seasonality = seasonality
        self.max_features = max_features
        self.seed = seed
        self.point = point
        self.minimum = minimum
        self.maximum = maximum
        self._model = OneSeries(
            Settings(
                1,
                0,
                horizon,
                preset,
                hidden_size,
                learning_rate,
                level,
                tuple(seasonality or ()),
                seed,
                minimum,
                maximum,
            )
        )
        self._encoder = FeatureEncoder(max_features)
        self._scales = new_scales(0, 0)
        self._kept: deque[tuple[int, float, dict[Any, Any]]] = deque(maxlen=KEPT)
        # With features the newest value waits: the step that follows it is forecast with the features of that step.
        self._waiting: tuple[int, float] | None = None
        self._last = np.zeros(0)
        self._time = 0
        self._dated = False  # whether the newest time is a date rather than counted

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {}
        yield {"horizon": 1, "preset": "lite", "seasonality": (4.0,), "max_features": 1}

    @property
    def _mutable_attributes(self) -> set[str]:
        return {"learning_rate", "point"}

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of the hidden state: `learn_one` moves it on, `forecast` does not."""
        return self._model.hidden_state

    def learn_one(self, y: float, x: Mapping[Any, Any] | None = None) -> None:
        """Learn from the value `y` and the features `x` that belong to it; a missing value (None, NaN) is skipped."""
        value = target_of(y)
        seconds, features = (_time_in(x), _features_in(x)) if x else (None, {})
        time = self._next_time() if seconds is None else round(seconds * 1e6)
        self._dated = seconds is not None
        self._model.set_rate(self.learning_rate)
        if features:
            self._encoder.learn(features)
            if self._encoder.used > self._model.settings.features:
                self._grow()
        self._kept.append((time, value, features))
        self._learn(*self._kept[-1])

    def _learn(self, time: int, y: float, features: Mapping[Any, Any]) -> None:
        self._time = time
        if self._encoder.used == 0:
            self._model.learn(time, y)
            return
        raw = self._encoder.encode(features)[: self._encoder.used]
        learn_moments(self._scales.inputs, raw)
        self._last = self._scaled(raw)
        if self._waiting is not None:
            self._model.learn(*self._waiting, self._last)
        self._waiting = time, y

    def _grow(self) -> None:
        settings = self._model.settings._replace(features=self._encoder.used, learning_rate=self.learning_rate)
        self._model = OneSeries(settings)
        self._scales = grown_scales(new_scales(0, 0), self._encoder.used, 0)
        self._waiting = None
        for event in self._kept:
            self._learn(*event)

    def _scaled(self, raw: Float64) -> Float64:
        phi = np.empty(1 + raw.size)
        fill(self._scales.inputs, raw, phi)
        return phi[1:]

    def _next_time(self) -> int:
        return self._time + (self._model.interval or SECOND)

    def forecast(self, horizon: int, xs: list[dict[Any, Any]] | None = None, point: str | None = None) -> list[float]:
        """The values expected at the next `horizon` steps; `xs` are the features of each; 0 before the first value.

        `point` is "mean" or "median"; None is the estimator's own.

        Raises ValueError when `xs` has another length, or asks for a time more than 10,000 steps ahead.
        """
        point = _check(self.point if point is None else point)
        wanted = self._steps(horizon, xs)
        direct, step_by_step = self._ahead(wanted, xs or [], point)
        expected: list[float] = direct.points(point)[:, 0].tolist() if step_by_step is None else step_by_step
        return [value if math.isfinite(value := expected[step - 1]) else 0.0 for step in wanted]

    def forecast_interval(self, horizon: int, xs: list[dict[Any, Any]] | None = None) -> list[tuple[float, float]]:
        """Lower and upper bounds that shall hold `level` of the values, for up to the model's own `horizon` steps.

        Raises ValueError for more.
        """
        wanted = self._steps(horizon, xs)
        if wanted and wanted[-1] > self.horizon:
            raise ValueError(f"intervals are known for {self.horizon} steps: construct with horizon={wanted[-1]}")
        answer, _ = self._ahead([1], list(xs or [])[:1], "mean")
        return [(float(answer.lower[0, step - 1, 0]), float(answer.upper[0, step - 1, 0])) for step in wanted]

    def _steps(self, horizon: int, xs: list[dict[Any, Any]] | None) -> list[int]:
        """How many steps ahead each wanted value lies: one after the other, unless `xs` tells their times."""
        if xs is None:
            return list(range(1, horizon + 1))
        if len(xs) != horizon:
            raise ValueError(f"xs has {len(xs)} entries for a horizon of {horizon}")
        steps: list[int] = []
        interval = self._model.interval if self._dated else 0
        step = 0
        for x in xs:
            step += 1
            seconds = _time_in(x) if interval else None
            if seconds is not None:
                step = max(step, round((seconds * 1e6 - self._time) / interval))
            steps.append(step)
        if step > FARTHEST:
            raise ValueError(f"xs asks for {step:,} steps ahead; at most {FARTHEST:,}")
        return steps

    def _ahead(self, wanted: list[int], xs: list[dict[Any, Any]], point: str) -> tuple[Answer, list[float] | None]:
        """The direct answer and, where that is not enough for the `wanted` steps, the steps one by one."""
        farthest = wanted[-1] if wanted else 0
        if self._waiting is None and farthest <= self.horizon:
            return self._model.answer, None
        interval = self._model.interval or SECOND
        if self._waiting is None:
            ahead = [(self._time + k * interval, math.nan, self._last) for k in range(1, farthest)]
            later, _ = self._model.look_ahead(ahead, point)
            first = self._model.answer.points(point)[:, 0].tolist()
            return self._model.answer, first + [float(value[0]) for value in later[self.horizon - 1 :]]
        steps, after = [self._last] * max(farthest, 1), 0
        for step, x in zip(wanted, xs, strict=False):
            scaled = self._scaled(self._encoder.encode(_features_in(x))[: self._encoder.used])
            steps[after:step] = [scaled] * (step - after)  # a step that is left out takes those of the next
            after = step
        begin = (*self._waiting, steps[0])
        if (not xs or farthest == 1) and farthest <= self.horizon:
            return self._model.look_ahead([begin])[1], None
        ahead = [(self._time + k * interval, math.nan, steps[k]) for k in range(1, farthest)]
        expected, answer = self._model.look_ahead([begin, *ahead], point)
        return answer, [float(value[0]) for value in expected]


def _check(point: str) -> str:
    if point not in ("mean", "median"):
        raise ConfigurationError(f'point is "mean" or "median", not {point!r}')
    return point


def _time_in(x: Mapping[Any, Any]) -> float | None:
    """The event's time in seconds, where a date, a datetime or one as text tells it."""
    for value in x.values():
        if (seconds := time_in(value)) is not None:
            return seconds
    return None


def _features_in(x: Mapping[Any, Any]) -> dict[Any, Any]:
    """All that is no time."""
    return {
        name: value
        for name, value in x.items()
        if not isinstance(value, date | np.datetime64) and time_in(value) is None
    }
