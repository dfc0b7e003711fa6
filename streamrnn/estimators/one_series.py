"""The service's model for one series: the same kernels in the same order, so it gives the same answers (`fold.py`).

Everything a series carries, its networks' weights included, lies in row 0 of its arrays. Row 1 is a copy of it to look
ahead from: what is learned there is thrown away.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.errors import ConfigurationError
from streamrnn.online import forecaster, intervals

Float64 = NDArray[np.float64]

SECOND = 1_000_000  # microseconds between two events whose times are not known

_LIVE, _AHEAD = 0, 1


class Settings(NamedTuple):
    """What the model is to be; names and defaults are those of the configuration's `model` section."""

    targets: int = 1
    features: int = 0
    horizon: int = 1
    preset: str = "standard"
    hidden_size: int | None = None
    learning_rate: float = 1e-3
    level: float = 0.9
    seasonality: tuple[float, ...] = ()  # seconds
    seed: int = 0


class Answer(NamedTuple):
    """What is expected after an event."""

    forecast: Float64  # (horizon, targets)
    lower: Float64  # (1, horizon, targets)
    upper: Float64  # (1, horizon, targets)


class OneSeries:
    """One series of the service.

    Raises:
        ConfigurationError: a setting is outside its range.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.horizon < 1 or not 0.0 < settings.level < 1.0:
            raise ConfigurationError("horizon is at least 1, level strictly between 0 and 1")
        self.settings = settings
        self.config = forecaster.forecaster_config(
            targets=settings.targets,
            features=settings.features,
            horizon=settings.horizon,
            preset=settings.preset,
            hidden_size=settings.hidden_size,
            learning_rate=settings.learning_rate,
            seasonality=tuple(round(period * 1e6) for period in settings.seasonality),
            weights="series",
        )
        self._shared, self.series, self._scratch = forecaster.allocate(self.config, 2, seed=settings.seed)
        self._interval_config = intervals.IntervalConfig(settings.targets, settings.horizon, levels=1)
        self._levels = intervals.level_table((settings.level,))
        self.intervals = intervals.allocate(self._interval_config, 2)
        self.last_time = 0
        self.events = 0
        self.answer = self._new_answer()

    def _new_answer(self) -> Answer:
        steps, targets = self.settings.horizon, self.settings.targets
        bounds = (1, steps, targets)
        return Answer(np.full((steps, targets), math.nan), np.full(bounds, math.nan), np.full(bounds, math.nan))

    def set_rate(self, rate: float) -> None:
        """Use another learning rate from the next event on."""
        recurrent = self.config.recurrent
        if recurrent.optimizer.rate != rate:
            optimizer = recurrent.optimizer._replace(rate=rate)
            self.config = self.config._replace(recurrent=recurrent._replace(optimizer=optimizer))

    def next_time(self, seconds: float | None) -> int:
        """Microseconds of the next event; where it does not say, one second, or the usual interval, after the last."""
        if seconds is not None and abs(seconds) < 9e12:
            return round(seconds * 1e6)
        interval = int(self.series.clock[_LIVE, 2])
        return self.last_time + (interval if interval > 0 else SECOND) if self.events else 0

    def learn(self, time: int, values: Float64, features: Float64) -> None:
        """Take in one event: values (targets,) and features (features,), NaN where missing."""
        self._observe(_LIVE, time, values, features, self.answer)
        intervals.observe(
            self._interval_config, self._levels, self.intervals, _LIVE, values, self.answer.forecast,
            self.answer.lower, self.answer.upper,
        )  # fmt: skip
        self.last_time = time
        self.events += 1

    def _observe(self, row: int, time: int, values: Float64, features: Float64, answer: Answer) -> None:
        forecaster.observe(
            self.config, self._shared, self.series, self._scratch, row, time, values, features, answer.forecast
        )

    def look_ahead(self, events: list[tuple[int, Float64, Float64]]) -> Float64:
        """The next value expected after each of these events that are to come: (events, targets)."""
        _copy_row(self.series)
        answer, made = self._new_answer(), np.empty((len(events), self.settings.targets))
        for number, (time, values, features) in enumerate(events):
            self._observe(_AHEAD, time, values, features, answer)
            made[number] = answer.forecast[0]
        return made


def _copy_row(tree: Any) -> None:
    for part in tree:
        if isinstance(part, np.ndarray):
            part[_AHEAD] = part[_LIVE]
        else:
            _copy_row(part)


def copy_row(tree: tuple[Any, ...]) -> None:
    """Make row 1 of every array what row 0 is."""
    _copy_row(tree)
