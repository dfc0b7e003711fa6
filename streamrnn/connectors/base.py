"""What a worker needs of the outside world, as one narrow class.

A connector delivers raw records partition by partition and takes everything one step of the worker produced in one
atomic `commit`: forecasts, alerts, dead letters, snapshot records and the input offsets, all or none. Three exist:
Kafka, files and memory; one contract suite (`tests/contract`) runs over all three. Further ones come from packages of
their own, by an entry point (`plugins.py`, CONTRIBUTING.md).

Offsets are always *next to read*: committing 42 says that records up to 41 are done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Self

from streamrnn.records.log import Message, Partition, Record


@dataclass(frozen=True, slots=True)
class Polled:
    """What one `poll` brought: changes of ownership first, then records of running partitions in offset order."""

    assigned: Sequence[Partition] = ()
    revoked: Sequence[Partition] = ()
    records: Mapping[Partition, Sequence[Record]] = field(default_factory=dict)
    finished: bool = False  # the input has ended and everything was delivered (never with Kafka)


@dataclass(slots=True)
class Commit:
    """Everything that becomes visible together. Keys of each mapping are input partitions."""

    offsets: dict[Partition, int] = field(default_factory=dict)
    outputs: dict[Partition, Sequence[Message]] = field(default_factory=dict)
    alerts: dict[Partition, Sequence[Message]] = field(default_factory=dict)  # dropped where nobody asked for them
    dead_letters: dict[Partition, Sequence[Message]] = field(default_factory=dict)
    snapshots: dict[Partition, Sequence[Message]] = field(default_factory=dict)
    unfinished: set[Partition] = field(default_factory=set)
    """Partitions whose snapshot goes on with a later commit: until one ends it, no record of it counts."""


class Connector(ABC):
    """A log to read and to write. All methods are called from one thread.

    All but `lag` and `silence` may raise a `ConnectorError`. Making one touches nothing; `with` opens it.
    """

    state_is_named: ClassVar[bool] = True
    """Whether state is found by a name alone, a topic's for example, so that another application's could be found there
    by mistake. Recovery then refuses state of another application, topic or partition."""

    snapshot_slice: int | None = None
    """Bytes of snapshots that one commit should carry at most, so that events do not wait for them; None: whole
    snapshots only, and no commit has any `unfinished`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    @abstractmethod
    def poll(self, timeout: float) -> Polled:
        """Wait up to `timeout` seconds for records or a change of ownership.

        A newly assigned partition delivers nothing until `start` is called for it. When a partition is revoked,
        whatever was not committed is lost to this worker: it drops the partition's memory.
        """

    @abstractmethod
    def committed(self, partition: Partition) -> int | None:
        """The committed offset, None if this application never committed one."""

    @abstractmethod
    def bounds(self, partition: Partition) -> tuple[int, int]:
        """(first offset still in the log, offset the next record will get)."""

    def why_uncommitted(self, partition: Partition) -> str:
        """What is known of why a partition that has state has no committed offset, for the error that says so."""
        return "it was deleted, or it expired while the application was stopped"

    def beginning(self, partition: Partition) -> int:
        """The offset at which a partition begins that has neither a committed offset nor state."""
        return self.bounds(partition)[0]

    @abstractmethod
    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """The committed records of ended snapshots, oldest first; of a key the last one counts, a null deletes it."""

    def snapshot_records(self, partition: Partition) -> int | None:
        """How many records `snapshots` gives, if that is known."""
        return None

    @abstractmethod
    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """The records with start <= offset < end, again, in slices of any size; changes no position."""

    @abstractmethod
    def start(self, partition: Partition, offset: int) -> None:
        """Deliver the partition's records from `offset` on with the next `poll`."""

    @abstractmethod
    def commit(self, commit: Commit) -> None:
        """Make all of it visible, or none.

        Raises `CommitFailed` when it was refused or its outcome is unknown: drop the memory and recover.
        """

    @abstractmethod
    def close(self, timeout: float) -> None:
        """Leave in order (a consumer group at once, not by time-out), within `timeout` seconds."""

    # What whoever watches may ask at any time, once a second and more: answered at once, from memory.

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end of the log as last heard of; None where that is not known."""
        return None

    def silence(self) -> float:
        """Seconds since the log was asked something that it has not answered; 0 when it owes no answer."""
        return 0.0
