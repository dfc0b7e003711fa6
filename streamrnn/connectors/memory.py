"""A log in memory with Kafka's semantics, for the demo and for tests without a broker.

>>> from streamrnn.connectors.base import Commit, Message, Partition
>>> log = MemoryLog("events", partitions=1)
>>> log.append(0, Message(b"pump-7", b'{"value": 3.1}'))
0
>>> with MemoryConnector(log) as connector:
...     (partition,) = connector.poll(0).assigned
...     connector.start(partition, 0)
...     [record.value for record in connector.poll(0).records[partition]]
[b'{"value": 3.1}']
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from streamrnn.connectors.base import Commit, Connector, Polled
from streamrnn.records.log import Message, Partition, Record


class MemoryRecord(NamedTuple):
    """One record of a `MemoryLog`."""

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None


class MemoryLog:
    """What outlives a connector: the input, and everything that was committed. Safe to append to from any thread."""

    def __init__(self, topic: str = "events", partitions: int = 1) -> None:
        self.partitions = [Partition(topic, number) for number in range(partitions)]
        self.inputs: dict[Partition, list[MemoryRecord]] = {p: [] for p in self.partitions}
        self.outputs: dict[Partition, list[Message]] = {p: [] for p in self.partitions}
        self.alerts: dict[Partition, list[Message]] = {p: [] for p in self.partitions}
        self.dead_letters: dict[Partition, list[Message]] = {p: [] for p in self.partitions}
        self.snapshots: dict[Partition, list[Message]] = {p: [] for p in self.partitions}
        self.offsets: dict[Partition, int] = {}
        self.finished = False
        self.changed = threading.Condition()

    def append(self, number: int, message: Message) -> int:
        """Add one input record; returns its offset."""
        with self.changed:
            records = self.inputs[self.partitions[number]]
            records.append(MemoryRecord(len(records), message.timestamp, message.key, message.value))
            self.changed.notify_all()
            return len(records) - 1

    def finish(self) -> None:
        """No more input will come."""
        with self.changed:
            self.finished = True
            self.changed.notify_all()


class MemoryConnector(Connector):
    """The connector protocol over a `MemoryLog`; owns all its partitions."""

    def __init__(self, log: MemoryLog, max_poll_records: int = 1000, snapshot_slice: int | None = None) -> None:
        self.log = log
        self.snapshot_slice = snapshot_slice
        self._unfinished: dict[Partition, list[Message]] = {}
        self._max_poll_records = max_poll_records
        self._assigned = False
        self._positions: dict[Partition, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    def poll(self, timeout: float) -> Polled:
        """See `Connector.poll`."""
        if not self._assigned:
            self._assigned = True
            return Polled(assigned=self.log.partitions)
        deadline = time.monotonic() + timeout
        with self.log.changed:
            while True:
                records = self._take()
                running = len(self._positions) == len(self.log.partitions)
                finished = self.log.finished and running and not records
                remaining = deadline - time.monotonic()
                if records or finished or remaining <= 0:
                    return Polled(records=records, finished=finished)
                self.log.changed.wait(remaining)

    def _take(self) -> dict[Partition, Sequence[Record]]:
        taken: dict[Partition, Sequence[Record]] = {}
        room = self._max_poll_records
        for partition, position in self._positions.items():
            records = self.log.inputs[partition][position : position + room]
            if records:
                taken[partition] = records
                self._positions[partition] = position + len(records)
                room -= len(records)
            if room == 0:
                break
        return taken

    def committed(self, partition: Partition) -> int | None:
        """See `Connector.committed`."""
        return self.log.offsets.get(partition)

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """See `Connector.bounds`."""
        return 0, len(self.log.inputs[partition])

    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """See `Connector.snapshots`."""
        self._unfinished.pop(partition, None)
        return iter(list(self.log.snapshots[partition]))

    def snapshot_records(self, partition: Partition) -> int:
        """See `Connector.snapshot_records`."""
        return len(self.log.snapshots[partition])

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """See `Connector.replay`."""
        for position in range(start, end, self._max_poll_records):
            yield self.log.inputs[partition][position : min(end, position + self._max_poll_records)]

    def start(self, partition: Partition, offset: int) -> None:
        """See `Connector.start`."""
        self._positions[partition] = offset

    def commit(self, commit: Commit) -> None:
        """See `Connector.commit`."""
        with self.log.changed:
            for partition, messages in commit.outputs.items():
                self.log.outputs[partition].extend(messages)
            for partition, messages in commit.alerts.items():
                self.log.alerts[partition].extend(messages)
            for partition, messages in commit.dead_letters.items():
                self.log.dead_letters[partition].extend(messages)
            for partition, some in commit.snapshots.items():
                messages = [*self._unfinished.pop(partition, ()), *some]
                if partition in commit.unfinished:
                    self._unfinished[partition] = messages
                    continue
                latest = {message.key: message for message in self.log.snapshots[partition]}
                for message in messages:
                    latest.pop(message.key, None)
                    latest[message.key] = message
                self.log.snapshots[partition] = list(latest.values())
            self.log.offsets.update(commit.offsets)

    def lag(self, partition: Partition) -> int | None:
        """See `Connector.lag`."""
        position = self._positions.get(partition)
        return None if position is None else len(self.log.inputs[partition]) - position

    def close(self, timeout: float) -> None:
        """See `Connector.close`."""
        self._positions.clear()
