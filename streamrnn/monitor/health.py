"""Is the worker alive, is it ready: what `/livez` and `/readyz` say, and the worker's state on the page.

Alive (`/livez`, limit `monitor.stall_timeout`): the loop goes round, every partition with lag makes progress, and the
log answers. Ready (`/readyz`): partitions are assigned, all of them are restored, and nothing above has been overdue
for `READY_SHARE` of that limit, `READY_MOST` seconds at most. So a broker that goes away turns `/readyz` red first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from streamrnn.records.log import Partition
from streamrnn.runtime.recovery import Progress

READY_SHARE = 0.5
READY_MOST = 15.0  # seconds


class Verdict(NamedTuple):
    """Healthy when there are no reasons against it."""

    reasons: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons


@dataclass
class PartitionHealth:
    """How far one partition is. `moved` is the clock's reading when it last made progress or had no need to."""

    moved: float
    phase: str = "assigned"  # then restore, replay, ready
    progress: float = 0.0  # of the replay, 0 to 1
    offset: int = -1  # next to read
    lag: int | None = None  # events; None: not known

    @property
    def ready(self) -> bool:
        """Restored, replayed, live."""
        return self.phase == "ready"


class Health:
    """Written by the worker's thread, read by the server's."""

    def __init__(self, stall_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_timeout = stall_timeout
        self._ready_timeout = min(READY_MOST, READY_SHARE * stall_timeout)
        self._clock = clock
        self._lock = threading.Lock()
        self._beat = clock()
        self._silence = 0.0
        self._partitions: dict[Partition, PartitionHealth] = {}

    def beat(self, silence: float = 0.0) -> None:
        """The loop went round; the log has owed an answer for `silence` seconds (0: it has not)."""
        self._beat, self._silence = self._clock(), silence

    def assigned(self, partition: Partition) -> None:
        """A partition is being taken over."""
        with self._lock:
            self._partitions[partition] = PartitionHealth(self._clock())

    def revoked(self, partition: Partition) -> None:
        """A partition is gone."""
        with self._lock:
            self._partitions.pop(partition, None)

    def recovering(self, partition: Partition, progress: Progress) -> None:
        """A slice of a recovery was done."""
        with self._lock:
            found = self._partitions.setdefault(partition, PartitionHealth(self._clock()))
            found.moved, found.phase = self._clock(), progress.phase
            if progress.phase == "ready":
                found.progress, found.offset = 1.0, progress.offset
            elif progress.phase == "replay" and progress.total:
                found.progress = progress.done / progress.total

    def moved(self, partition: Partition, offset: int) -> None:
        """Events up to `offset` were committed."""
        with self._lock:
            if (found := self._partitions.get(partition)) is not None:
                found.moved, found.offset = self._clock(), offset

    def lag(self, partition: Partition, events: int | None) -> None:
        """The log is `events` ahead; without lag nothing can stall."""
        with self._lock:
            if (found := self._partitions.get(partition)) is not None:
                if found.ready and not events and (events is not None or not found.lag):
                    found.moved = self._clock()
                if events is not None:
                    found.lag = events

    def partitions(self) -> dict[Partition, PartitionHealth]:
        """A copy of all, in order."""
        with self._lock:
            return {partition: replace(self._partitions[partition]) for partition in sorted(self._partitions)}

    def alive(self) -> Verdict:
        """What `/livez` says."""
        return Verdict(tuple(self._overdue(self._stall_timeout)))

    def ready(self) -> Verdict:
        """What `/readyz` says."""
        partitions = self.partitions()
        reasons = [] if partitions else ["no partition is assigned"]
        for partition, found in partitions.items():
            if not found.ready:
                reasons.append(f"{_name(partition)} is in phase {found.phase} ({found.progress:.0%} replayed)")
        return Verdict((*reasons, *self._overdue(self._ready_timeout)))

    def _overdue(self, limit: float) -> list[str]:
        now = self._clock()
        reasons = []
        if (age := now - self._beat) > limit:
            reasons.append(f"the loop has not gone round for {age:.0f} s")
        if (silence := self._silence) and silence + age > limit:
            reasons.append(f"the log has not answered for {silence + age:.0f} s")
        for partition, found in self.partitions().items():
            if (age := now - found.moved) > limit:
                what = f"offset {found.offset}, lag {found.lag}" if found.ready else f"phase {found.phase}"
                reasons.append(f"{_name(partition)} has made no progress for {age:.0f} s ({what})")
        return reasons


def _name(partition: Partition) -> str:
    return f"{partition.topic}[{partition.number}]"
