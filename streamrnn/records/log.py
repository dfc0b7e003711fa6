"""What a log holds and what is written to one: partitions, records, messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """One totally ordered log of the input: the unit of scale and of state."""

    topic: str
    number: int

    def __str__(self) -> str:
        """`events[0]`, as messages name it."""
        return f"{self.topic}[{self.number}]"


class Record(Protocol):
    """One raw input record. Kafka's own consumer record fits as it is."""

    @property
    def offset(self) -> int:
        """Position in the partition's log (files: zero-based data row)."""

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since 1970 that the log itself gave the record, if it did."""

    @property
    def key(self) -> bytes | None:
        """The message key, None where the record has none."""

    @property
    def value(self) -> bytes | None:
        """The message; None is a null message (a tombstone)."""


class Message(NamedTuple):
    """One record to write."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None  # milliseconds since 1970


def headers_of(record: Record) -> Sequence[tuple[str, bytes]]:
    """The record's headers; only Kafka's have any."""
    found: Sequence[tuple[str, bytes]] = getattr(record, "headers", ())
    return found


def offsets_after(records: Sequence[Record]) -> int:
    """The offset to commit after `records` (not empty, in order)."""
    return records[-1].offset + 1
