"""The functions that Flink calls."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, MapFunction, OutputTag
from pyflink.datastream.state import ValueStateDescriptor

from streamrnn.config.tree import Config
from streamrnn.flink.fold import ALERT, DEAD_LETTER, HELD, KeyedStates, KeyOf, SeriesFold, packed, unpacked
from streamrnn.flink.starting_states import StartingStates
from streamrnn.runtime.stepper import StepEvent

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
HEADERS = Types.MAP(Types.STRING(), BYTES)

EVENT = Types.ROW_NAMED(["series", "event"], [Types.STRING(), BYTES])
"""The series that a record of the input is of, and the `StepEvent` as bytes: Flink looks into the first field alone,
and each further field would cost every event on four ways between Java and Python."""

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
        event = StepEvent(value, key, stamp, offset, topic, partition, tuple((headers or {}).items()))
        return Row(self._key_of(event), packed(event))


AT_ONCE = 1_000
"""Events folded together at most."""


ONE_BY_ONE = "this PyFlink tells nobody the end of a bundle: events are folded one by one, which is many times slower"


class Forecasts(KeyedProcessFunction):  # type: ignore[misc]
    """Answers every EVENT, keyed by its series, with a MESSAGE; alerts and dead letters go to the side (TAGS).

    Events of a bundle are folded together, which is far faster than one by one, and what changed is written back at
    its end: Flink ends a bundle before a barrier passes, so a checkpoint holds every event before it and none after.
    PyFlink has no hook for that moment. What serves are its state backend, which commits then, and the way in which it
    calls timers. Without these parts every event is answered, and written back, by itself.
    """

    def __init__(self, config: str, held: int = HELD, *, begun: bool = False) -> None:
        """`begun`: with the job came states of series that a worker has learned (`starting_states.py`)."""
        self._config, self._held, self._begun = config, held, begun

    def open(self, runtime_context: Any) -> None:
        """Called once in every task."""
        state = runtime_context.get_state(ValueStateDescriptor("series", BYTES))
        backend = getattr(runtime_context, "_keyed_state_backend", None)
        holds = all(hasattr(backend, name) for name in ("commit", "set_current_key"))
        states: KeyedStates = _States(state, backend if holds else None)
        if self._begun:
            states = StartingStates(states)
        self._fold = SeriesFold(Config.model_validate_json(self._config), states, self._held if holds else 0)
        self._operation: Any = None
        self._last: _Timer | None = None
        self._looked = not holds
        if holds:
            commit = backend.commit  # type: ignore[union-attr]

            def answer_write_back_and_commit() -> None:
                if self._last is not None:
                    self._operation.process_timer(None, self._last)  # calls on_timer, and emits what that yields
                    self._last = None
                self._fold.commit()
                commit()

            backend.commit = answer_write_back_and_commit  # type: ignore[union-attr]

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        """Called for every event, with the state of its key at hand."""
        series, event = value
        if not self._looked:
            self._operation, self._looked = _operation(), True
            if self._operation is None:
                logging.getLogger(__name__).warning(ONE_BY_ONE)
        waiting = self._fold.add(series, unpacked(event))
        if self._operation is None or waiting >= AT_ONCE:
            self._last = None
            yield from self._rows()
        else:
            self._last = _Timer((1, ctx.timer_service().current_watermark(), ctx.timestamp(), Row(series), None))

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        """Called at the end of a bundle."""
        yield from self._rows()

    def _rows(self) -> Iterator[Any]:
        for kind, message in self._fold.answers():
            row = Row(message.key, message.value, dict(message.headers), message.timestamp)
            yield (TAGS[kind], row) if kind in TAGS else row


class _Timer(NamedTuple):
    """A timer as PyFlink gets it from Java: its kind (1: of processing time), watermark, timestamp, key, namespace."""

    user_key: tuple[int, int, int | None, Any, None]


def _operation() -> Any:
    """What calls this function, and emits what a timer of it yields; None where PyFlink is another than we know."""
    frame: Any = sys._getframe()
    while frame is not None and frame.f_code.co_name != "process_bundle":
        frame = frame.f_back
    found = [] if frame is None else getattr(frame.f_locals.get("self"), "ops", {}).values()
    able = [one for one in found if type(one).__name__ == "StatefulFunctionOperation" and hasattr(one, "process_timer")]
    return able[0] if len(able) == 1 else None


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
