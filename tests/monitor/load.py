"""Thousands of series without end, and how much of them a worker gets through while something else goes on."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import orjson
import pytest

from streamrnn.connectors.base import Commit, Partition, Polled
from streamrnn.connectors.memory import MemoryConnector, MemoryLog, MemoryRecord
from tests.monitor.stage import START, Stage

SERIES = 5000
BATCH = 1000
ROUNDS = 8
PAIRS = 7
WINDOW = 1.5  # seconds
RATE = 20_000  # events per second


class Endless(MemoryConnector):
    """The same events of many series again and again, `rate` a second, or as fast as they are taken."""

    def __init__(self, rate: float | None) -> None:
        super().__init__(MemoryLog("events"))
        self._pause = BATCH / rate if rate else 0.0
        self._due = time.monotonic()
        values = (
            {"key": f"sensor {n}", "time": START + step * 1000, "value": n + 0.1 * step}
            for step in range(ROUNDS)
            for n in range(SERIES)
        )
        records = [MemoryRecord(offset, None, None, orjson.dumps(value)) for offset, value in enumerate(values)]
        self._batches = itertools.cycle([records[i : i + BATCH] for i in range(0, len(records), BATCH)])

    def poll(self, timeout: float) -> Polled:
        if not self._assigned:
            return super().poll(timeout)
        now = time.monotonic()
        self._due = max(self._due + self._pause, now - 0.5)  # as with a real log, a short delay is made up
        if self._due > now:
            time.sleep(self._due - now)
        return Polled(records={Partition("events", 0): next(self._batches)})

    def commit(self, commit: Commit) -> None:
        pass


def throughput(stage: Stage) -> float:
    """Events per second over a while."""
    before, began = stage.monitor.tally.events, time.monotonic()
    time.sleep(WINDOW)
    return (stage.monitor.tally.events - before) / (time.monotonic() - began)


class Compared(NamedTuple):
    """Events per second without a burden, one of each pair of windows, and what share of it was left with it."""

    alone: list[float]
    shares: list[float]

    def __str__(self) -> str:
        return (
            f"{statistics.median(self.alone):,.0f} events/s alone ({min(self.alone):,.0f} to {max(self.alone):,.0f}), "
            f"times {statistics.median(self.shares):.3f} with the burden; by turns "
            + " ".join(f"{share:.2f}" for share in sorted(self.shares))
        )


def compare(stage: Stage, without: Callable[[], object], with_it: Callable[[], object]) -> Compared:
    """Both by turns in one run, so that whatever else goes on meets both."""
    compared = Compared([], [])
    for _ in range(PAIRS):
        without()
        compared.alone.append(throughput(stage))
        with_it()
        compared.shares.append(throughput(stage) / compared.alone[-1])
    print(f"\n{compared}")
    assert stage.alive
    return compared


def costs_less_than_a_twentieth(compared: Compared) -> None:
    """Fails, or skips where the worker alone varies so much that a twentieth cannot be seen."""
    if min(compared.alone) < 0.95 * RATE:
        pytest.skip(f"other programs keep this machine too busy to tell: {compared}")
    assert statistics.median(compared.shares) >= 0.95, compared
