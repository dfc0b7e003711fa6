"""Simulated sensors with one injected fault each, run through the whole model (forecaster, intervals, scoring)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from streamrnn.app.fleet import Sensor
from streamrnn.config.tree import Config
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded

Array = npt.NDArray[np.float64]

COUNT, FAULT = 3000, 2500  # events per sensor, and where the fault begins
START, INTERVAL = 1_767_225_600_000_000, 300_000_000  # microseconds
DAY = 288


def sensors(number: int, count: int = COUNT, seed: int = 0) -> Array:
    """`(count, number)` readings in order, without a fault."""
    made = [Sensor(f"s{i}", seed=1000 * seed + i, fault_every=10**12) for i in range(number)]
    return np.array([[sensor.read(step).value for sensor in made] for step in range(count)])


def noise_of(values: Array) -> Array:
    """Deviation of each column's noise, from differences of its differences."""
    return np.asarray(np.median(np.abs(np.diff(values, n=2, axis=0)), axis=0) / 0.6745 / np.sqrt(6.0))


def _spike(values: Array, size: Array) -> None:
    values[FAULT] += 8 * size * np.where(np.arange(values.shape[1]) % 2, 1.0, -1.0)


def _shift(values: Array, size: Array) -> None:
    values[FAULT:] += 6 * size


def _drift(values: Array, size: Array) -> None:
    values[FAULT:] += 0.1 * size * np.arange(len(values) - FAULT)[:, None]


def _variance(values: Array, size: Array) -> None:
    random = np.random.default_rng(1)
    values[FAULT:] += 3 * size * random.standard_normal(values[FAULT:].shape)


def _frozen(values: Array, size: Array) -> None:
    values[FAULT:] = values[FAULT - 1]


def _period(values: Array, size: Array) -> None:
    steps = FAULT + 3 * (np.arange(len(values) - FAULT))  # the day passes three times as fast
    values[FAULT:] = values[steps % DAY + (FAULT // DAY - 3) * DAY] + 0.5 * size * np.random.default_rng(2).normal(
        size=values[FAULT:].shape
    )


def _missing(values: Array, size: Array) -> None:
    values[FAULT:] = np.nan


FAULTS: dict[str, Callable[[Array, Array], None]] = {
    "spike of 8 deviations": _spike,
    "level shift of 6": _shift,
    "drift of 0.1 an event": _drift,
    "noise trebled": _variance,
    "frozen": _frozen,
    "day three times as fast": _period,
    "drop-out": _missing,
}


def answers(values: Array, config: Config | None = None) -> tuple[ForecastModel, Answers]:
    """The model and what it says of `(count, sensors)` readings that arrive row by row; answers in that order."""
    count, number = values.shape
    model = ForecastModel(config or Config())
    keys = [f"s{i}" for i in range(number)] * count
    times = np.repeat(START + INTERVAL * np.arange(count), number)
    nothing: Any = []
    decoded = Decoded(keys, times, values.reshape(-1, 1).copy(), np.zeros((count * number, 0)), nothing, [])
    return model, model.process(decoded)
