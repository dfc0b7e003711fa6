"""What a task of Flink does with the events of its keys; it knows nothing of Flink, so it is tested without one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from streamrnn.config.tree import Config
from streamrnn.errors import StreamRNNError
from streamrnn.records.event_schema import DEFAULT_KEY
from streamrnn.records.log import Message, Record
from streamrnn.records.payloads import needs_payloads
from streamrnn.runtime.state_cache import StateCache
from streamrnn.runtime.stepper import StepEvent, Stepper
from streamrnn.runtime.task import make_decoder

FORECAST, ALERT, DEAD_LETTER = "forecast", "alert", "dead letter"

HELD = 1_000
"""Decoded states that a task holds, unless told otherwise."""


class KeyedStates(Protocol):
    """The managed state of a task."""

    def get(self, key: str) -> bytes | None:
        """The state of a key of this task."""

    def put(self, key: str, state: bytes) -> None:
        """Keep it."""


def packed(event: StepEvent) -> bytes:
    """The event as bytes: the length of a head in JSON, the head, and the bytes that it tells the lengths of."""
    parts = [event.value, event.key, *(value for _, value in event.headers)]
    lengths = [None if part is None else len(part) for part in parts]
    names = [name for name, _ in event.headers]
    head = orjson.dumps([event.timestamp, event.offset, event.topic, event.partition, names, lengths])
    return b"".join((len(head).to_bytes(4, "little"), head, *(part for part in parts if part is not None)))


def unpacked(text: bytes) -> StepEvent:
    """What `packed` was given."""
    at = 4 + int.from_bytes(text[:4], "little")
    timestamp, offset, topic, partition, names, lengths = orjson.loads(text[4:at])
    parts: list[Any] = []
    for length in lengths:
        parts.append(None if length is None else text[at : at + length])
        at += length or 0
    value, key, *headers = parts
    return StepEvent(value, key, timestamp, offset, topic, partition, tuple(zip(names, headers, strict=True)))


class KeyOf:
    """Which series an event is of, before it is decoded: as `EventDecoder` finds it, and faster where it is plain."""

    def __init__(self, config: Config) -> None:
        self._decoder = make_decoder(config)
        self._field = config.event.key
        self._plain = not needs_payloads(config.event)
        self._quoted = orjson.dumps(self._field)

    def __call__(self, record: Record) -> str:
        """The key; empty for what is no event: wherever that goes it becomes a dead letter, and no state is touched."""
        value = record.value
        if self._plain and value is not None and value.count(self._quoted) <= 1 and b"\\" not in value:
            try:
                event = orjson.loads(value)
                found = event.get(self._field) if isinstance(event, dict) else self
                if isinstance(found, str):
                    return found
                if found is None:
                    return DEFAULT_KEY if record.key is None else record.key.decode()
            except ValueError:
                pass
        decoded = self._decoder.decode([record])
        return next(iter([*decoded.keys, *(told.key for told in decoded.feedback)]), "")


class SeriesFold:
    """Folds the events of a task's keys in batches."""

    def __init__(self, config: Config, states: KeyedStates, held: int = HELD) -> None:
        """`held`: decoded states to hold between commits; 0: every batch is written through to `states`."""
        self._states = states
        self._through = held == 0
        self._waiting: list[StepEvent] = []
        self._keys: set[str] = set()
        self._begun = False
        self._cache = StateCache(Stepper(config), self._load, states.put, max(1, held))

    def add(self, key: str, event: StepEvent) -> int:
        """An event under the key that Flink has set, to be folded with the next `answers`; returns how many wait."""
        self._waiting.append(event)
        self._keys.add(key)
        return len(self._waiting)

    def answers(self) -> Iterator[tuple[str, Message]]:
        """Fold what waits, and yield what comes of it."""
        if not self._waiting:
            return
        steps = self._cache.step_many(self._waiting)
        if not self._begun:
            # What the start has made stays to the end, and objects are made for each event: without this all of it is
            # looked through for garbage again and again, a seventh of an event's time.
            self._begun = True
            gc.freeze()
        self._waiting = []
        self._keys.clear()
        if self._through:
            self._cache.flush()
        yield from ((FORECAST, message) for message in steps.records if message is not None)
        yield from ((ALERT, message) for message in steps.alerts)
        yield from ((DEAD_LETTER, message) for message in steps.dead_letters)

    def commit(self) -> None:
        """Write back all that changed: before a bundle ends, and so before a barrier passes."""
        if self._waiting:
            raise StreamRNNError(
                f"{len(self._waiting)} events would be lost at the end of a bundle: please report this"
            )
        self._cache.flush()

    def _load(self, key: str) -> bytes | None:
        if key not in self._keys:  # its state is another task's
            raise StreamRNNError(f"an event of series {key!r} was sent to the task of another key: please report this")
        return self._states.get(key)
