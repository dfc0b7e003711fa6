"""The service's model for one series: the same kernels in the same order, so it gives the same answers (`fold.py`).

Everything a series carries, its networks' weights included, lies in row 0 of its arrays. Row 1 is a copy of it to look
ahead from: what is learned there is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.errors import ConfigurationError
from streamrnn.estimators import one_event
from streamrnn.estimators.one_event import Answer, Event
from streamrnn.forecasting import bounds, forecaster, intervals
from streamrnn.forecasting.calendar import INTERVAL

Float64 = NDArray[np.float64]

SECOND = 1_000_000  # microseconds between events while nothing is known of their times
LIVE, AHEAD = 0, 1
ROWS = 2


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
    minimum: float | None = None
    maximum: float | None = None


def new_answer(horizon: int, targets: int) -> Answer:
    """Nothing is expected yet."""
    steps = (horizon, targets)
    return Answer(
        forecast=np.full(steps, math.nan), median=np.full(steps, math.nan),
        lower=np.full((1, *steps), math.nan), upper=np.full((1, *steps), math.nan),
    )  # fmt: skip


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
        self._shared, self.series, self._scratch = forecaster.allocate(self.config, ROWS, seed=settings.seed)
        self._interval_config = intervals.IntervalConfig(settings.targets, settings.horizon, levels=1, pooled=False)
        self._levels = intervals.level_table((settings.level,))
        self.intervals = intervals.allocate(self._interval_config, ROWS)
        self._pooled = intervals.allocate_shared(self._interval_config)
        bound = [settings.minimum] * settings.targets, [settings.maximum] * settings.targets
        self._sense = bounds.bounds_of(*bound, automatic=True, integers=False)
        self.history = np.zeros((ROWS, settings.targets, bounds.COLUMNS), np.int32)
        self._event = Event(np.full(settings.targets, math.nan), np.full(settings.features, math.nan))
        self.answer = new_answer(settings.horizon, settings.targets)
        self._ahead = new_answer(settings.horizon, settings.targets)
        self._keep()

    def __getstate__(self) -> dict[str, Any]:
        """Without the addresses of the arrays: a copy has arrays of its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With the addresses of these arrays."""
        self.__dict__.update(state)
        self._keep()

    def set_rate(self, rate: float) -> None:
        """Use another learning rate from the next event on."""
        recurrent = self.config.recurrent
        if recurrent.optimizer.rate != rate:
            optimizer = recurrent.optimizer._replace(rate=rate)
            self.config = self.config._replace(recurrent=recurrent._replace(optimizer=optimizer))
            self._keep()

    @property
    def interval(self) -> int:
        """Microseconds from one event to the next, 0 while they are not known."""
        return self.series.clock.item(LIVE, INTERVAL)

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of the hidden states of all targets' networks."""
        state: NDArray[Any] = self.series.recurrent.state[LIVE].ravel().copy()
        return state

    def learn(self, time: int, values: Float64 | float, features: Float64 | float = math.nan, row: int = LIVE) -> None:
        """Take in one event: values (targets,) and features (features,), NaN where missing.

        In row `LIVE`, whose answer is `answer`; `look_ahead` learns in row `AHEAD`, to throw it away.
        """
        settings = self.settings
        self._event.values[:] = values
        if settings.features:
            self._event.features[:] = features
        observe = one_event.observe_next if settings.horizon == 1 else one_event.observe_several
        observe(self._kept[row], time)

    def _keep(self) -> None:
        """Keep all that the events of each row have in common, for the kernels of `one_event.py`."""
        self._kept = [
            one_event.keep(
                one_event.Arguments(
                    row, self._event, answer, self.config, self._shared, self.series, self._scratch,
                    self._interval_config, self._levels, self._sense, self.history, self._pooled, self.intervals,
                )
            )
            for row, answer in ((LIVE, self.answer), (AHEAD, self._ahead))
        ]  # fmt: skip

    def look_ahead(
        self, events: Iterable[tuple[int, Float64 | float, Float64 | float]], point: str = "mean"
    ) -> tuple[list[Float64], Answer]:
        """What `learn` would answer to these events, leaving everything as it is.

        Returns the next values (targets,) expected after each of them, their `point` being "mean" or "median", and the
        whole answer to the last, which the next call overwrites.
        """
        copy_row((self.series, self.history, self.intervals))
        expected = []
        for time, values, features in events:
            self.learn(time, values, features, AHEAD)
            expected.append(self._ahead.points(point)[0].copy())
        return expected, self._ahead

    def with_targets(self, targets: int) -> OneSeries:
        """The same series with further targets, which were never seen.

        Raises ConfigurationError for the preset `full`, where every target sees the others.
        """
        grown = OneSeries(self.settings._replace(targets=targets))
        if grown.config.at != self.config.at:
            raise ConfigurationError(f"preset {self.settings.preset!r} cannot take further targets; choose standard")
        copy_corner(self.series, grown.series)
        copy_corner((self.history,), (grown.history,))
        copy_corner(self.intervals, grown.intervals)
        copy_corner(self.answer, grown.answer)
        return grown


def copy_row(tree: Iterable[Any]) -> None:
    """Make row `AHEAD` of every array what row `LIVE` is."""
    for part in tree:
        if isinstance(part, np.ndarray):
            part[AHEAD] = part[LIVE]
        else:
            copy_row(part)


def copy_corner(old: Iterable[Any], new: Iterable[Any]) -> None:
    """Copy every array to the beginning of one that is as large or larger along each axis."""
    for part, larger in zip(old, new, strict=True):
        if isinstance(part, np.ndarray):
            larger[tuple(slice(size) for size in part.shape)] = part
        else:
            copy_corner(part, larger)
