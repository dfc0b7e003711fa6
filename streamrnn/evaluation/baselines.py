"""What the model is held against: forecasters of one series, with documented settings.

    seasonal      the value one season ago; the last value where there is no season
    holt-winters  river's HoltWinters(alpha=.3, beta=.1, gamma=.6), the rates of its documentation; without season,
                  with an additive, with a multiplicative one, whichever errs least on the whole series
    snarimax      river's SNARIMAX(p=12, d=1, q=0, sp=2) with its default regressor; no sp where there is no season.
                  The moving-average terms (q) of its documentation diverge on ETTh1
    deep-river    deep-river's GRUForecaster as it comes, over values standardized by their running mean and deviation
                  (on raw values it fails)

Persistence, the last value, is scored beside the model itself. Libraries fail on some streams; `Guarded` keeps such a
baseline in the race with the last value, so that every model is scored on the same events.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from streamrnn.errors import ConfigurationError

_FAILURES = (ArithmeticError, ValueError, LookupError, RuntimeError)

NAMES = ("persistence", "seasonal", "holt-winters", "snarimax", "deep-river")


class Forecaster(Protocol):
    """River's interface, as far as it is used here."""

    def learn_one(self, y: float) -> Any:
        """Take the next value."""

    def forecast(self, horizon: int) -> Sequence[float]:
        """The values of the next `horizon` events."""


class Seasonal:
    """The value one season ago, for every step of the next season."""

    def __init__(self, period: int) -> None:
        self._period = period
        self._values: deque[float] = deque(maxlen=period)

    def learn_one(self, y: float) -> None:
        """See `Forecaster`."""
        self._values.append(y)

    def forecast(self, horizon: int) -> list[float]:
        """See `Forecaster`; the last value until a season is known."""
        if len(self._values) < self._period:
            return [self._values[-1]] * horizon
        return [self._values[step % self._period] for step in range(horizon)]


class Standardized:
    """Another forecaster over values standardized by their running mean and standard deviation (Welford 1962)."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._count, self._mean, self._moment = 0, 0.0, 0.0

    @property
    def _deviation(self) -> float:
        return math.sqrt(self._moment / self._count) or 1.0

    def learn_one(self, y: float) -> None:
        """See `Forecaster`."""
        self._count += 1
        before = y - self._mean
        self._mean += before / self._count
        self._moment += before * (y - self._mean)
        self._forecaster.learn_one((y - self._mean) / self._deviation)

    def forecast(self, horizon: int) -> list[float]:
        """See `Forecaster`."""
        return [self._mean + self._deviation * value for value in self._forecaster.forecast(horizon)]


class Guarded:
    """A forecaster that always has an answer.

    Missing values are filled with its own one-step forecast. Where it raises, the last value stands in; where it gives
    infinity or NaN, or leaves the range seen by over ten times its width, it starts afresh too. Other forecasts are
    kept within the range seen, widened by its own width on either side. `replaced` counts the events where the last
    value stood in, warm-up included.
    """

    def __init__(self, make: Callable[[], Forecaster], horizon: int) -> None:
        self._make = make
        self._horizon = horizon
        self._forecaster = make()
        self._next = math.nan
        self._low, self._high = math.inf, -math.inf
        self.replaced = 0

    def step(self, value: float) -> Sequence[float]:
        """Learn the next value (NaN: missing) and forecast; NaN until a first value is known."""
        if math.isnan(value):
            value = self._next
            if math.isnan(value):
                return [math.nan] * self._horizon
        else:
            self._low, self._high = min(self._low, value), max(self._high, value)
        forecasts = self._ask(value)
        self._next = forecasts[0]
        return forecasts

    def _ask(self, value: float) -> Sequence[float]:
        reach = self._high - self._low
        try:
            self._forecaster.learn_one(value)
            forecasts = [float(forecast) for forecast in self._forecaster.forecast(self._horizon)]
        except _FAILURES:
            # River's own warm-up ends here too: it must keep what it has learned so far.
            forecasts = []
        else:
            # A series that never changed has no range to leave.
            far = 10 * reach if reach > 0 else math.inf
            if not all(math.isfinite(f) and self._low - far <= f <= self._high + far for f in forecasts):
                forecasts = []
                self._forecaster = self._make()
                with contextlib.suppress(*_FAILURES):
                    self._forecaster.learn_one(value)
        if not forecasts:
            self.replaced += 1
            return [value] * self._horizon
        return [min(max(forecast, self._low - reach), self._high + reach) for forecast in forecasts]


def settings(name: str, period: int) -> dict[str, Callable[[], Forecaster]]:
    """The settings of a baseline for a series with this season length, each with how to make it.

    Of several, the one that errs least on the whole series is reported: a choice in the baseline's favor.
    """
    seasonal = period > 1
    if name == "seasonal":
        return {f"season {period}" if seasonal else "no season": lambda: Seasonal(period)}
    if name == "holt-winters":
        found: dict[str, Callable[[], Forecaster]] = {"no season": _holt_winters}
        if seasonal:
            found[f"additive season {period}"] = partial(_holt_winters, gamma=0.6, seasonality=period)
            found[f"multiplicative season {period}"] = partial(
                _holt_winters, gamma=0.6, seasonality=period, multiplicative=True
            )
        return found
    if name == "snarimax":
        return {f"season {period}": partial(_snarimax, m=period, sp=2)} if seasonal else {"no season": _snarimax}
    if name == "deep-river":
        return {"GRU": _deep_river}
    raise ConfigurationError(f"no baseline {name!r}; there are: {', '.join(NAMES)}")


def _holt_winters(**more: Any) -> Forecaster:
    from river.time_series import HoltWinters

    make: Callable[..., Forecaster] = HoltWinters
    return make(alpha=0.3, beta=0.1, **more)


def _snarimax(**more: Any) -> Forecaster:
    from river.time_series import SNARIMAX

    make: Callable[..., Forecaster] = SNARIMAX
    return make(p=12, d=1, q=0, **more)


def _deep_river() -> Forecaster:
    import_module = importlib.import_module
    import_module("torch").set_num_threads(1)  # more change the order of sums, and are slower for nets this small
    return Standardized(import_module("deep_river.forecasting").GRUForecaster())


def unavailable(name: str) -> str | None:
    """Why a baseline cannot be run here; None when it can."""
    if name != "deep-river":
        return None
    if importlib.util.find_spec("deep_river") is None:
        return "deep-river is not installed (pip install deep-river)"
    try:
        importlib.import_module("deep_river.forecasting").GRUForecaster  # noqa: B018
    except (ImportError, AttributeError) as error:
        return f"the installed deep-river does not work or has no forecasters: {error}"
    return None
