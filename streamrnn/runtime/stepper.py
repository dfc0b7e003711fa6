"""The fold one event, or one batch, at a time, for whoever keeps the state of every key in a store of their own.

    state, record = stepper.step(state, event)

A step is a pure function: what it answers and the state it returns depend on the state, the event and the
configuration, and on nothing else. The state is bytes (`state/series_state.py`). Records are those of `streamrnn run`
with `weights: series`, byte for byte: then a series depends on nothing but its own events.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import orjson

from streamrnn.config.event import FUTURE
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError, EventError, FeedbackRefused
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.events import Decoded
from streamrnn.records.feedback import Feedback
from streamrnn.records.log import Message, Partition, Record, headers_of
from streamrnn.records.payloads import plain
from streamrnn.runtime.task import task_of
from streamrnn.state.arrays import OneRow, get_rows, put_rows, row_bytes
from streamrnn.state.partition_model import PartitionModel
from streamrnn.state.series_state import SeriesStates

Int64 = npt.NDArray[np.int64]

ROWS_AT_ONCE = 256
"""States decoded together."""
EVENTS_AT_ONCE = 5_000
"""Events folded together: bounds the memory that the answers take."""
PLACE = Partition("step", 0)
"""Where an event was read that comes from no log."""


RowsOf: TypeAlias = Callable[[Sequence[str]], Mapping[str, int]]


class StepEvent(NamedTuple):
    """One event and where it was read; the record of a Kafka client fits in its place."""

    value: bytes | None
    key: bytes | None = None
    """The message key: names the series where the event does not."""
    timestamp: int | None = None
    """Milliseconds since 1970: the event's time where it names none."""
    offset: int = 0
    topic: str = PLACE.topic
    partition: int = PLACE.number
    headers: Sequence[tuple[str, bytes]] = ()


Event: TypeAlias = bytes | str | Mapping[str, Any] | Record
"""JSON, an object with an event's fields, or a record of a log that holds JSON."""


class Steps(NamedTuple):
    """The answers to a batch."""

    records: list[Message | None]
    """One per event; None: it was late, or no event at all."""
    alerts: list[Message]
    """What opened or closed, in the order of the events."""
    dead_letters: list[Message]
    """The events that could not be used, in order."""


class Table:
    """Rows of decoded states."""

    def __init__(self, model: PartitionModel[Any], rows: int) -> None:
        self.arrays = model.new_rows(rows)
        self.rows = rows
        self.blank = bytes(row_bytes(self.arrays))
        """The bytes of a row whose series has had no event."""

    def put(self, rows: Sequence[int], data: Sequence[Any]) -> None:
        """Fill the rows; None is a new series."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            put_rows(self.arrays, rows[some], [self.blank if one is None else one for one in data[some]])

    def get(self, rows: Sequence[int]) -> list[bytes]:
        """The rows' bytes."""
        starts = range(0, len(rows), ROWS_AT_ONCE)
        return [one for start in starts for one in get_rows(self.arrays, rows[start : start + ROWS_AT_ONCE])]


class Stepper:
    """A configuration, and the fold compiled for it.

    Args:
        config: a YAML file, or dotted settings such as `{"model.horizon": 12}`, or a configuration that was loaded.
            `model.weights` is `series`.

    Raises:
        ConfigurationError: a setting that does not exist, or one under which series depend on each other.

    Safe to use from several threads, one at a time inside.

    >>> stepper = Stepper({"model.preset": "lite"})
    >>> state = None
    >>> for hour in range(48):
    ...     event = {"key": "pump-7", "time": 1767225600 + 3600 * hour, "value": float(hour % 2)}
    ...     state, record = stepper.step(state, event)
    >>> round(record["targets"]["value"]["forecast"][0]["mean"])
    0
    """

    def __init__(self, config: str | Path | Mapping[str, object] | Config | None = None) -> None:
        self.config = _alone(config)
        self._task = task_of(self.config)
        model = self._task.model()
        model.close()  # its own rows are not used
        self.model: PartitionModel[Any] = model
        self._decoder = self._task.decoder()
        self.states = SeriesStates(model.settings, model.known_settings, model.layouts, row_bytes(model.new_rows(1)))
        self._one, self._many = OneRow(model.new_rows(1)), Table(model, 1)
        self._blank = self._one.get()
        self._fold_one: Callable[[Decoded], Any] | None = None  # compiled, or read from the cache, by the first event
        self.lock = threading.Lock()
        event = self.config.event
        names = [event.key, event.time, *event.features, *self._task.taught_by, *([FUTURE] if event.future else [])]
        self._names = None if event.envelope != "none" or any("." in name for name in names) else names

    @overload
    def step(
        self, state: bytes | None, event: Mapping[str, Any], *, key: str | None = None, timestamp: int | None = None
    ) -> tuple[bytes, dict[str, Any] | None]: ...

    @overload
    def step(
        self, state: bytes | None, event: bytes | str | Record, *, key: str | None = None, timestamp: int | None = None
    ) -> tuple[bytes, bytes | None]: ...

    def step(
        self, state: bytes | None, event: Event, *, key: str | None = None, timestamp: int | None = None
    ) -> tuple[bytes, bytes | dict[str, Any] | None]:
        """Fold one event into the state of its series.

        Args:
            state: what the last step of the same series returned; None or no bytes: the series is new.
            event: an object with the event's fields, or JSON, or a record of a log.
            key: the series, where the event does not name it.
            timestamp: milliseconds since 1970, where the event names no time.

        Returns the new state, and the record that `streamrnn run` would write: an object for an object, else JSON. It
        is None for an event older than the series' newest under `event.late: drop`, and the state is then as it was.

        Raises `EventError` for what is no event, and `StateError` for a state that must not be used: in both cases
        nothing has changed, and the old state is good.
        """
        record = self.record(event, key, timestamp)
        with self.lock:
            decoded = self._decoder.decode([record])
            if decoded.rejected:
                raise decoded.rejected[0][1]
            if decoded.feedback:
                return self._heard(state, decoded.feedback[0]), None
            series = decoded.keys[0]
            self._one.put(self.states.decode(series, state) if state else self._blank)
            if self._fold_one is None:
                self._fold_one = self.model.one_at_a_time(self._one.arrays)
            answers = self._fold_one(decoded)
            if unusable := self.model.unusable(decoded, answers):
                raise unusable[0][1]
            messages = self.model.encode(_place(record), decoded, answers)
            if not messages:
                return state or self.states.encode(series, self._one.get()), None
            found = messages[0].value
            after = self.states.encode(series, self._one.get())
        assert found is not None
        return after, orjson.loads(found) if isinstance(event, Mapping) else found

    def _heard(self, state: bytes | None, told: Feedback) -> bytes:
        """The state after feedback on one of the series' alerts. Raises `FeedbackRefused`."""
        self._one.put(self.states.decode(told.key, state) if state else self._blank)
        self.model.hear(self._one.arrays, 0, told)
        return self.states.encode(told.key, self._one.get())

    def step_many(self, states: Mapping[str, bytes | None], events: Sequence[Event]) -> tuple[dict[str, bytes], Steps]:
        """Fold a batch of events, of any series, in order: the same bytes as one step after the other, and far faster.

        `states` has the states of the batch's series; one that is not there is new. Returns those that changed, and
        the answers; an event that cannot be used is a dead letter there, and raises nothing.

        Raises `StateError`, and then nothing has changed.
        """
        with self.lock:
            records = distinct([self.record(event) for event in events])
            decoded = self.decode(records)
            keys = list(dict.fromkeys([*decoded.keys, *(told.key for told in decoded.feedback)]))
            if len(keys) > self._many.rows:
                self._many = Table(self.model, len(keys))
            held = [states.get(key) for key in keys]
            rows = range(len(keys))
            of = dict(zip(keys, rows, strict=True))
            self._many.put(
                rows, [self.states.decode(key, state) if state else None for key, state in zip(keys, held, strict=True)]
            )
            steps = self.fold(self._many, lambda _: of, decoded, records)
            data = self._many.get(rows)
        blank = self._many.blank  # of a series that was only heard of
        changed = {key: row for key, row in zip(keys, data, strict=True) if row != blank}
        return {key: self.states.encode(key, row) for key, row in changed.items()}, steps

    def decode(self, records: Sequence[Record]) -> Decoded:
        """The good events as arrays, and what is none."""
        return self._decoder.decode(records)

    def fold(self, table: Table, rows_of: RowsOf, decoded: Decoded, events: Sequence[Record]) -> Steps:
        """Fold a batch; `events` are all its records, those rejected, too.

        `rows_of` puts the states of some keys, at most as many as the table has rows, into the table.
        """
        messages: dict[int, Message] = {}
        alerts: list[Message] = []
        unusable: list[tuple[Record, EventError]] = list(decoded.rejected)
        for span in _spans(decoded.keys, table.rows, decoded.feedback):
            if isinstance(span, Feedback):
                try:
                    self.model.hear(table.arrays, rows_of([span.key])[span.key], span)
                except FeedbackRefused as error:
                    unusable.append((span.record, error))
                continue
            part = _some(decoded, span)
            rows = rows_of(list(dict.fromkeys(part.keys)))
            answers = self.model.fold_into(table.arrays, part, np.array([rows[key] for key in part.keys], np.int64))
            refused = self.model.unusable(part, answers)
            unusable += refused
            silent = {id(record) for record, _ in refused} | {id(part.records[i]) for i in answers.late.nonzero()[0]}
            for place, some, own in _by_place(part, answers):
                heard = [record for record in some.records if id(record) not in silent]
                for record, message in zip(heard, self.model.encode(place, some, own), strict=True):
                    messages[id(record)] = message
                alerts += self.model.alerts(place, some, own)
        where = {id(record): number for number, record in enumerate(events)}
        unusable.sort(key=lambda one: where[id(one[0])])
        letters = [dead_letter(_place(record), record, error) for record, error in unusable]
        return Steps([messages.get(id(record)) for record in events], alerts, letters)

    def warm_up(self) -> None:
        """Compile what the configuration needs, or load it from the cache, before the first event comes."""
        self._task.model().warm_up()

    def record(self, event: Event, key: str | None = None, timestamp: int | None = None) -> Record:
        """The event as the record of a log."""
        if isinstance(event, str):
            event = event.encode()
        if isinstance(event, Mapping):
            event = _json(event, self._names)
        if isinstance(event, bytes):
            return StepEvent(event, None if key is None else key.encode(), timestamp)
        if key is None and timestamp is None:
            return event
        own = event.key if key is None else key.encode()
        stamp = event.timestamp if timestamp is None else timestamp
        return StepEvent(event.value, own, stamp, event.offset, *_place(event), headers_of(event))


def _alone(config: str | Path | Mapping[str, object] | Config | None) -> Config:
    """The configuration, if its series do not depend on each other."""
    if isinstance(config, Config):
        found = config
    elif isinstance(config, str | Path):
        found = load(Path(config), environment={})
    else:
        found = load(None, config, environment={})
    said = "weights" in found.model.model_fields_set
    if found.model.weights == "partition" and not said:  # the default
        found = found.model_copy(update={"model": found.model.model_copy(update={"weights": "series"})})
    problems = []
    if found.model.weights != "series":
        problems.append("model.weights: partition shares one network between the series; set series")
    if found.anomaly.expected_false_alarms.over == "all":
        problems.append("anomaly.expected_false_alarms: over all counts the series of a partition; use over: series")
    if found.task == "classification" and not found.labels.classes:
        problems.append("labels.classes: name them; classes that appear are shared by the series of a partition")
    if found.state.forget_after:
        problems.append("state.forget_after: silence is told by the clock of a partition; let the store forget states")
    if found.event.array is not None:
        problems.append("event.array: a step is one event; take the array apart first")
    if found.event.format != "json":
        problems.append(f"event.format {found.event.format}: decode the message first, and step with its fields")
    if problems:
        raise ConfigurationError("a step knows one series alone:\n" + "\n".join(f"  - {one}" for one in problems))
    return found


def _json(event: Mapping[str, Any], names: Sequence[str] | None) -> bytes:
    """The object as a JSON event: NaN is missing; what is infinite or no JSON stays what it is, and is refused."""
    values = event if names is None else {name: event[name] for name in names if name in event}
    fields = {}
    for name, value in values.items():
        if type(value) is str or type(value) is int:
            fields[name] = value
            continue
        value = plain(value)
        if isinstance(value, float | np.floating):
            if value != value:
                value = None
            elif math.isinf(value):
                return json.dumps({**values, name: float(value)}, default=str).encode()
        fields[name] = value
    try:
        return orjson.dumps(fields, default=_plainly, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # such as an integer of more than 64 bits
        return json.dumps(fields, default=str).encode()


def _plainly(value: object) -> str:
    """Times of other libraries, such as pandas, say it in ISO 8601."""
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if callable(isoformat) else str(value)


def distinct(records: list[Record]) -> list[Record]:
    """The same, none of them twice the same object: answers find their events by these."""
    if len(set(map(id, records))) == len(records):
        return records
    return [StepEvent(one.value, one.key, one.timestamp, one.offset, *_place(one), headers_of(one)) for one in records]


def _place(record: Record) -> Partition:
    return Partition(getattr(record, "topic", PLACE.topic), getattr(record, "partition", PLACE.number))


def _spans(keys: Sequence[str], most: int, feedback: Sequence[Feedback] = ()) -> Iterator[slice | Feedback]:
    """Cut events into spans of at most EVENTS_AT_ONCE, and of at most so many keys, with the feedback in between."""
    start, seen = 0, set[str]()
    waiting = deque(feedback)
    for at, key in enumerate(keys):
        while waiting and waiting[0].before == at:
            if at > start:
                yield slice(start, at)
            yield waiting.popleft()
            start, seen = at, set()
        if at - start == EVENTS_AT_ONCE or (len(seen) == most and key not in seen):
            yield slice(start, at)
            start, seen = at, set()
        seen.add(key)
    if keys:
        yield slice(start, len(keys))
    yield from waiting


def _some(decoded: Decoded, part: slice | Int64) -> Decoded:
    """Some of the good events."""
    if isinstance(part, slice) and part.start == 0 and part.stop >= len(decoded.keys):
        return decoded._replace(rejected=[], feedback=())
    chosen = range(len(decoded.keys))[part] if isinstance(part, slice) else part.tolist()
    labels = decoded.labels
    if labels is not None:
        names = [labels.names[i] for i in chosen]
        labels = labels._replace(ids=labels.ids[part], names=names, alone=labels.alone[part])
    return Decoded(
        [decoded.keys[i] for i in chosen], decoded.times[part], decoded.targets[part], decoded.features[part],
        [decoded.records[i] for i in chosen], [], labels,
    )  # fmt: skip


def _by_place(decoded: Decoded, answers: Any) -> Iterator[tuple[Partition, Decoded, Any]]:
    """The events of each partition, as records name theirs."""
    places: dict[Partition, list[int]] = {}
    for number, record in enumerate(decoded.records):
        places.setdefault(_place(record), []).append(number)
    if len(places) == 1:
        yield next(iter(places)), decoded, answers
        return
    for place, numbers in places.items():
        some = np.array(numbers, np.int64)
        yield place, _some(decoded, some), type(answers)._make(array[some] for array in answers)
