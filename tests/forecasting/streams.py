"""Running a forecaster over a whole stream, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import forecaster
from streamrnn.kernels.jit import kernel

HOUR = 3_600_000_000


@kernel
def run(
    config: Any, shared: Any, series: Any, scratch: Any, rows: Any, times: Any, x: Any, u: Any, out: Any, median: Any
) -> None:
    for t in range(times.size):
        forecaster.observe(config, shared, series, scratch, rows[t], times[t], x[t], u[t], out[t], median[t])


class Forecaster:
    """The forecaster of `rows` series over arrays of events."""

    def __init__(self, rows: int = 1, seed: int = 0, **settings: Any) -> None:
        self.config = forecaster.forecaster_config(**settings)
        self.shared, self.series, self.scratch = forecaster.allocate(self.config, rows, seed)

    def run(self, x: Any, times: Any = None, u: Any = None, row: Any = 0) -> NDArray[np.float64]:
        """Means (events, horizon, targets) after each event of x (events,) or (events, targets)."""
        values = np.asarray(x, float).reshape(len(x), self.config.targets)
        when = np.arange(len(values)) * HOUR if times is None else np.asarray(times, np.int64)
        features = np.zeros((len(values), self.config.features)) if u is None else np.asarray(u, float)
        rows = np.broadcast_to(np.asarray(row, np.int64), (len(values),)).copy()
        out = np.full((len(values), self.config.horizon, self.config.targets), np.inf)
        self.median = out.copy()  # of the last run
        run(self.config, self.shared, self.series, self.scratch, rows, when, values, features, out, self.median)
        return out

    def arrays(self) -> list[NDArray[Any]]:
        """Every array of the state."""
        return [*flat(self.shared), *flat(self.series)]


def flat(tree: Any) -> list[NDArray[Any]]:
    """The arrays of nested tuples; None stands for what a configuration has not."""
    parts = [part for part in tree if part is not None]
    return [array for part in parts for array in (flat(part) if isinstance(part, tuple) else [part])]


def daily(events: int, seed: int = 0, noise: float = 0.3) -> NDArray[np.float64]:
    """An hourly series with a day in it."""
    random = np.random.Generator(np.random.Philox(seed))
    hours = np.arange(events)
    angle = 2 * np.pi * hours / 24
    return 20 + 3 * np.sin(angle) + 1.5 * np.sin(2 * angle + 1) + noise * random.normal(size=events)


def error(out: NDArray[np.float64], x: NDArray[np.float64], first: int, last: int, step: int = 1) -> float:
    """Mean absolute error of the forecasts of x[first:last]."""
    return float(np.mean(np.abs(out[first - step : last - step, step - 1, 0] - x[first:last])))
