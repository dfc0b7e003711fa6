"""The contract of the dead letters: the original bytes of what was no event, and why, as headers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from streamrnn.errors import EventError, EventLate
from streamrnn.records.events import own_time
from streamrnn.records.log import Message, Partition, Record, headers_of
from streamrnn.records.templates import time_text

PREFIX = "streamrnn.error."
FIELDS = ("class", "message", "topic", "partition", "offset", "time")


class DeadLetterRecord(BaseModel):
    """One dead letter as a JSON line (files). In Kafka the bytes are the message and the other fields its headers."""

    error_class: str = Field(alias="streamrnn.error.class")
    message: str = Field(alias="streamrnn.error.message")
    topic: str = Field(alias="streamrnn.error.topic")
    partition: str = Field(alias="streamrnn.error.partition")
    offset: str = Field(alias="streamrnn.error.offset")
    time: str = Field(alias="streamrnn.error.time", description="of the record in its log; empty if it has none")
    key: str | None = Field(description="the original key, base64")
    value: str | None = Field(description="the original bytes, base64")


def dead_letter(partition: Partition, record: Record, error: EventError) -> Message:
    """The original bytes, and why they are here, as headers."""
    time = own_time(record)
    headers = {
        "class": type(error).__name__,
        "message": str(error),
        "topic": partition.topic,
        "partition": str(partition.number),
        "offset": str(record.offset),
        # The record's own time, not the clock's: a replay must write the same bytes.
        "time": "" if time is None else time_text(time)[1:-1].decode(),
    }
    ours = [(PREFIX + name, headers[name].encode()) for name in FIELDS]
    return Message(record.key, record.value, [*headers_of(record), *ours], None if time is None else time // 1000)


def own_headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    """Of a dead letter's headers those that say why it is one; an input may have had others of these names."""
    found = dict(message.headers)
    return tuple((PREFIX + name, found[PREFIX + name]) for name in FIELDS if PREFIX + name in found)


def late_event(key: str, time: int) -> EventError:
    """The reason a late event is a dead letter."""
    moment = time_text(time)[1:-1].decode()
    return EventLate(f"series {key!r} already has an event newer than {moment} (event.late is dead-letter)")
