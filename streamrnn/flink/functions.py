"""The functions that Flink calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, MapFunction, OutputTag
from pyflink.datastream.state import ValueStateDescriptor

from streamrnn.config.tree import Config
from streamrnn.flink.fold import ALERT, DEAD_LETTER, HELD, KeyOf, SeriesFold
from streamrnn.runtime.stepper import StepEvent

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
HEADERS = Types.MAP(Types.STRING(), BYTES)

EVENT = Types.ROW_NAMED(
    ["series", "value", "key", "timestamp", "offset", "topic", "partition", "headers"],
    [Types.STRING(), BYTES, BYTES, Types.LONG(), Types.LONG(), Types.STRING(), Types.INT(), HEADERS],
)
"""A record of the input, and the series it is of."""

MESSAGE = Types.ROW_NAMED(["key", "value", "headers", "timestamp"], [BYTES, BYTES, HEADERS, Types.LONG()])
"""A record to write; the timestamp is in milliseconds."""

TAGS = {ALERT: OutputTag("alerts", MESSAGE), DEAD_LETTER: OutputTag("dead-letters", MESSAGE)}


class NamesSeries(MapFunction):  # type: ignore[misc]
    """From a row of the source to an EVENT."""

    def __init__(self, config: str) -> None:
        self._config = config  # JSON: what is sent to the tasks holds no secret

    def open(self, runtime_context: Any) -> None:
        """Called once in every task."""
        self._key_of = KeyOf(Config.model_validate_json(self._config))

    def map(self, row: Any) -> Row:
        """See EVENT."""
        key, value, timestamp, offset, topic, partition, headers = row
        stamp = None if timestamp is None else timestamp.to_epoch_milli()
        event = StepEvent(value, key, stamp, offset, topic, partition)
        return Row(self._key_of(event), value, key, stamp, offset, topic, partition, headers or {})


class Forecasts(KeyedProcessFunction):  # type: ignore[misc]
    """Answers every EVENT, keyed by its series, with a MESSAGE; alerts and dead letters go to the side (TAGS)."""

    def __init__(self, config: str, held: int = HELD) -> None:
        self._config, self._held = config, held

    def open(self, runtime_context: Any) -> None:
        """Called once in every task."""
        state = runtime_context.get_state(ValueStateDescriptor("series", BYTES))
        # Decoded states are held until a bundle of Python ends, which is before a barrier passes. PyFlink has no hook
        # for that moment: its backend commits what it holds then. Without this part of it, every event is written.
        backend = getattr(runtime_context, "_keyed_state_backend", None)
        holds = all(hasattr(backend, name) for name in ("commit", "set_current_key"))
        states = _States(state, backend if holds else None)
        self._fold = SeriesFold(Config.model_validate_json(self._config), states, self._held if holds else 0)
        if holds and self._held:
            commit = backend.commit  # type: ignore[union-attr]

            def write_back_and_commit() -> None:
                self._fold.commit()
                commit()

            backend.commit = write_back_and_commit  # type: ignore[union-attr]

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        """Called for every event, with the state of its key at hand."""
        series, text, key, timestamp, offset, topic, partition, headers = value
        event = StepEvent(text, key, timestamp, offset, topic, partition, tuple((headers or {}).items()))
        for kind, message in self._fold.process(series, event):
            row = Row(message.key, message.value, dict(message.headers), message.timestamp)
            yield (TAGS[kind], row) if kind in TAGS else row


class _States:
    def __init__(self, state: Any, backend: Any) -> None:
        self._state, self._backend = state, backend

    def get(self, key: str) -> bytes | None:
        self._turn_to(key)
        found: bytes | None = self._state.value()
        return found

    def put(self, key: str, state: bytes) -> None:
        self._turn_to(key)
        self._state.update(state)

    def _turn_to(self, key: str) -> None:
        if self._backend is not None:
            self._backend.set_current_key(Row(key))
