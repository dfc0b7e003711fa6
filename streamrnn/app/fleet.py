"""A simulated fleet of sensors with injected faults, and river's WaterFlow, as one deterministic stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from streamrnn.records.log import Message

FAULTS = ("spike", "level shift", "frozen", "noise")
_START = 1_767_225_600_000  # 2026-01-01T00:00:00Z in milliseconds
_INTERVAL = 300_000  # five minutes


class Reading(NamedTuple):
    """One event and what is wrong with it, if anything."""

    key: str
    time: int  # milliseconds since 1970
    value: float
    fault: str | None

    def message(self) -> Message:
        """As a Kafka message with a JSON value."""
        value = {"key": self.key, "time": self.time, "value": self.value}
        return Message(self.key.encode(), orjson.dumps(value), (), self.time)


class Sensor:
    """A daily pattern, a slow random walk and noise around a level, with a fault now and then.

    value_t = level + amplitude sin(2 pi t / day + phase) + walk_t + noise, faults every `fault_every` events or so.
    """

    def __init__(self, key: str, seed: int, fault_every: int = 700) -> None:
        self.key = key
        self._random = np.random.Generator(np.random.Philox(key=seed))
        self._level = float(self._random.uniform(20, 80))
        self._amplitude = self._level * float(self._random.uniform(0.1, 0.3))
        self._phase = float(self._random.uniform(0, 2 * np.pi))
        self._noise = self._amplitude * 0.06
        self._walk = 0.0
        self._fault_every = fault_every
        self._fault: str | None = None
        self._remaining = 0
        self._last = self._level

    def read(self, step: int) -> Reading:
        """The reading of one time step; call with increasing steps."""
        random = self._random
        self._walk = 0.995 * self._walk + float(random.normal(0, self._noise * 0.3))
        day = 2 * np.pi * step * _INTERVAL / 86_400_000
        value = self._level + self._amplitude * float(np.sin(day + self._phase)) + self._walk
        noise = float(random.normal(0, self._noise))
        if self._remaining == 0:
            self._fault = None
            if step > 300 and random.random() < 1 / self._fault_every:
                self._fault = FAULTS[int(random.integers(len(FAULTS)))]
                self._remaining = 1 if self._fault == "spike" else 40
        self._remaining = max(0, self._remaining - 1)
        if self._fault == "spike":
            value += 12 * self._noise
        elif self._fault == "level shift":
            value -= 10 * self._noise
        elif self._fault == "noise":
            noise *= 5
        value = self._last if self._fault == "frozen" else round(value + noise, 3)
        self._last = value
        return Reading(self.key, _START + step * _INTERVAL, value, self._fault)


def water_flow() -> Iterator[Reading]:
    """River's WaterFlow: hourly flow through a water main, 1,268 events."""
    from river import datasets

    flows: Any = datasets.WaterFlow
    for features, flow in flows():
        yield Reading("water-flow", int(features["Time"].timestamp() * 1000), float(flow), None)


def stream(sensors: int = 8, seed: int = 7) -> Iterator[Reading]:
    """WaterFlow and `sensors` pumps in turn, without end; the same for the same seed."""
    fleet = [Sensor(f"pump-{number}", seed * 1000 + number) for number in range(1, sensors + 1)]
    flow = water_flow()
    step = 0
    while True:
        for sensor in fleet:
            yield sensor.read(step)
        reading = next(flow, None)
        if reading is not None:
            yield reading
        step += 1
