"""Batches on their way from the worker to the page: a queue that forgets the oldest before it grows or blocks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from streamrnn.forecasting.answers import Answers
from streamrnn.records.events import Float64, Int64
from streamrnn.records.feedback import Feedback
from streamrnn.records.latest import Opened
from streamrnn.records.log import Partition

LIMIT = 32 << 20  # bytes


class Batch(NamedTuple):
    """What the page needs of one `observer.Step`: references, nothing is copied on the worker's thread."""

    partition: Partition
    keys: Sequence[str]
    times: Int64  # (events,) microseconds
    targets: Float64  # (events, targets)
    answers: Answers
    experts: Mapping[str, Float64]  # of the watched series: (targets, experts) weights after this batch
    opened: Sequence[tuple[str, Opened]] | None = None  # all alerts open after this batch; None: the answers tell
    heard: Sequence[Feedback] = ()  # what was taken of alerts, in the order of the log

    @property
    def bytes(self) -> int:
        """Of all arrays; keys count as if they were short."""
        arrays = (self.times, self.targets, *self.answers)
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) + 64 * len(self.keys)


class Backlog:
    """At most `limit` bytes of batches, but always the newest one."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._batches: deque[tuple[Batch, int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, batch: Batch) -> int:
        """Add the newest; returns how many old ones had to go. The lock is only ever held for a moment."""
        size = batch.bytes
        dropped = 0
        with self._lock:
            self._batches.append((batch, size))
            self._bytes += size
            while self._bytes > self._limit and len(self._batches) > 1:
                self._bytes -= self._batches.popleft()[1]
                dropped += 1
            self.dropped += dropped
        return dropped

    def take(self) -> Batch | None:
        """The oldest, None when there is none."""
        with self._lock:
            if not self._batches:
                return None
            batch, size = self._batches.popleft()
            self._bytes -= size
            return batch

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._batches.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._batches)
