"""What time it is, by the events: the newest time that three series agree on.

The newest event time of all would be one series' word: a single event from 2099 would make every other series look
silent for decades. So three series with their newest times are kept, and the least of the three is the time. It never
goes back, and it depends on the events and their order alone, not on where batches end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WITNESSES = 3
"""Series that must agree."""

NONE = -(1 << 61)
"""No time yet: before every time there is, and far enough from what int64 can hold to reckon with."""

Witness = tuple[int, int]
"""Digest of the series' key and its newest event time, microseconds."""


class EventClock:
    """The time of one partition; `witnesses` is all of its state."""

    def __init__(self) -> None:
        self.witnesses: list[Witness] = []
        self._known: dict[str, int] = {}

    @property
    def now(self) -> int | None:
        """Microseconds; None as long as fewer than three series were seen."""
        return min(time for _, time in self.witnesses) if len(self.witnesses) == WITNESSES else None

    def read(self, keys: Sequence[str], times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Hear of events in order: (events,) the time after each, `NONE` where there is none yet."""
        read = np.full(len(keys), NONE)
        now = self.now
        for i, (key, time) in enumerate(zip(keys, times.tolist(), strict=True)):
            if now is None or time > now:
                self._hear(key, time)
                now = self.now
            if now is not None:
                read[i] = now
        return read

    def _hear(self, key: str, time: int) -> None:
        digest = self._digest(key)
        for i, (other, known) in enumerate(self.witnesses):
            if other == digest:
                self.witnesses[i] = digest, max(known, time)
                return
        if len(self.witnesses) < WITNESSES:
            self.witnesses.append((digest, time))
            return
        oldest = min(range(WITNESSES), key=lambda i: self.witnesses[i][1])
        self.witnesses[oldest] = digest, time

    def _digest(self, key: str) -> int:
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= 10_000:
                self._known.clear()
            found = self._known[key] = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())
        return found
