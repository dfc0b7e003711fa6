"""Thousands of series without end, and how much of them a worker gets through while something else goes on."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import orjson
import pytest

from streamrnn.connectors.base import Commit, Polled
from streamrnn.connectors.memory import MemoryConnector, MemoryLog, MemoryRecord
from streamrnn.records.log import Partition
from tests.monitor.stage import START, Stage

SERIES = 5000
BATCH = 500
ROUNDS = 8
PAIRS = 7
WINDOW = 3.0  # seconds; a batch more or less at its ends is one in 120 of it
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


class Window(NamedTuple):
    """What happened in a while."""

    rate: float  # events per second that the worker got through
    server: float  # of one processor, what the server's thread took


def window(stage: Stage) -> Window:
    """Watch for a while."""
    clock = time.pthread_getcpuclockid(stage.monitor.server._thread.ident or 0)
    before, used, began = stage.monitor.tally.events, time.clock_gettime(clock), time.monotonic()
    time.sleep(WINDOW)
    seconds = time.monotonic() - began
    return Window((stage.monitor.tally.events - before) / seconds, (time.clock_gettime(clock) - used) / seconds)


class Compared(NamedTuple):
    """Windows without and with a burden, by turns."""

    alone: list[Window]
    burdened: list[Window]

    @property
    def share(self) -> float:
        """Of the worker's throughput, what is left with the burden."""
        return statistics.median(
            with_it.rate / without.rate for without, with_it in zip(self.alone, self.burdened, strict=True)
        )

    @property
    def server(self) -> float:
        """Of one processor, what the server takes with the burden: more than that the worker cannot lose to it."""
        return statistics.median(with_it.server for with_it in self.burdened)

    def __str__(self) -> str:
        alone, burdened = ([round(window.rate) for window in windows] for windows in self)
        return (
            f"{self.share:.1%} of the throughput is left, the server takes {self.server:.1%} of a processor; "
            f"events/s without {alone}, with {burdened}"
        )


def compare(stage: Stage, without: Callable[[], object], with_it: Callable[[], object]) -> Compared:
    """Both by turns in one run, so that whatever else goes on meets both."""
    compared = Compared([], [])
    for _ in range(PAIRS):
        without()
        compared.alone.append(window(stage))
        with_it()
        compared.burdened.append(window(stage))
    print(f"\n{compared}")
    assert stage.alive
    return compared


def costs_less_than_a_twentieth(compared: Compared) -> None:
    """Fails, or skips where the worker alone varies so much that a twentieth cannot be seen."""
    assert compared.server <= 0.05, compared
    if min(window.rate for window in compared.alone) < 0.95 * RATE:
        pytest.skip(f"other programs keep this machine too busy to tell: {compared}")
    assert compared.share >= 0.95, compared
