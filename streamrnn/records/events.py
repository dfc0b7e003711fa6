"""The contract of the input: what an event is, and how records become arrays.

An event is validated by one compiled pydantic schema, record by record: a broken record can never lean on its neighbors
to become valid. Plain events, which is nearly all, are read a batch at a time (`scanning.py`), as the schema would read
them; all others are left to it. Good events become arrays (`Decoded`) and stay arrays through
the model; `forecasts.py` turns the answers into JSON, `dead_letters.py` puts aside what is no event. Event time is
int64 microseconds since 1970 (UTC) everywhere inside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from streamrnn.config.event import EventConfig
from streamrnn.errors import ConfigurationError, EventAhead, EventError, EventInvalid
from streamrnn.records import feedback
from streamrnn.records.event_schema import (
    DEFAULT_KEY,
    EPOCH,
    LARGEST_VALUE,
    LONGEST_KEY,
    Key,
    event_schema,
    targets_of,
)
from streamrnn.records.feedback import Feedback
from streamrnn.records.future import FUTURE, future_numbers
from streamrnn.records.log import Record
from streamrnn.records.payloads import FRAMED, Payloads, framed, needs_payloads, read_json
from streamrnn.records.scanning import ANY, PlainFields, Scanner

Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]

_NAIVE_EPOCH = datetime(1970, 1, 1)

FIRST_TIME, LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Of the years 1 to 9999 in UTC, microseconds since 1970: RFC 3339 has no others."""

_NOT_FINITE = frozenset({"inf", "-inf", "nan", "NaN", "Infinity", "-Infinity"})
"""What numbers that are none, or too large for one, become as text."""

_LAST_TIMESTAMP = 253_402_300_799_999
"""End of the year 9999, milliseconds since 1970: what a Kafka record claims beyond it is no time."""


Rows: TypeAlias = Callable[[bytes], dict[str, Any]]
"""The fields of one row of a file; raises `EventInvalid`."""


class Labels(NamedTuple):
    """What events say of labels (`task: regression` or `classification`); the labels themselves are the targets."""

    ids: Int64  # (events, 2) digest of the id; 0, 0 where there is none
    names: list[str | None]  # the ids
    alone: npt.NDArray[np.bool_]  # (events,) a label of an earlier event, without features
    classes: list[str]  # the texts that the targets are numbers of; empty for regression


class Decoded(NamedTuple):
    """The good events of a batch in log order, and the records that are none."""

    keys: list[str]
    times: Int64  # (events,) microseconds since 1970
    targets: Float64  # (events, targets), NaN where missing
    features: Float64
    """`(events, features + known ahead x horizon)`, NaN where missing: the features, then of each in `event.future` in
    turn its values at the steps to come."""
    records: Sequence[Record]
    rejected: list[tuple[Record, EventError]]
    labels: Labels | None = None
    feedback: Sequence[Feedback] = ()  # on alerts, in log order; what a model refuses of it is added to `rejected`

    @property
    def heard(self) -> list[Feedback]:
        """The feedback that was not refused; after the batch was processed."""
        refused = {id(record) for record, _ in self.rejected} if self.feedback else ()
        return [one for one in self.feedback if id(one.record) not in refused]


class EventDecoder:
    """Turns raw records into arrays. `rows` gives the fields of a file's row; None means JSON objects."""

    def __init__(
        self,
        event: EventConfig,
        rows: Rows | None = None,
        read: Callable[[bytes], Any] | None = None,
        *,
        horizon: int = 1,
    ) -> None:
        """`read` makes an object of a message that is not plain JSON; see `payloads`.

        `horizon` steps are known ahead of what `event.future` names.
        """
        self._event, self._horizon = event, horizon
        self._targets = targets_of(event)
        self._max_ahead = None if event.max_ahead is None else round(event.max_ahead * 1e6)  # microseconds
        schema = self._schema(text=rows is not None, timed=rows is None)
        self._feedback = feedback.feedback_schema(event.key, Key)
        self._validate: Callable[[bytes], dict[str, Any]] = schema.validator.validate_json
        self._scanner = self._plain(rows)
        if rows is not None:
            validate_row = schema.validator.validate_python
            self._validate = lambda line: validate_row(rows(line))
        self._payloads: Payloads | None = None
        if rows is None and needs_payloads(event):
            lax = self._schema(text=event.text_numbers or event.format != "json", timed=True)
            self._validate_row: Callable[[Any], dict[str, Any]] = lax.validator.validate_python
            if read is None and event.format != "json":
                raise ConfigurationError(f"event.format {event.format} is for Kafka topics: files hold JSON or rows")
            self._payloads = Payloads(event, self._names(), read or read_json)

    def _names(self) -> list[str]:
        """The fields that are looked for in a message."""
        known = [FUTURE] if self._event.future else []
        return [self._event.key, self._event.time, *self._targets, *self._event.features, *known]

    def _schema(self, *, text: bool, timed: bool) -> TypeAdapter[Any]:
        return event_schema(self._event, self._horizon, text=text, timed=timed)

    def _plain(self, rows: Rows | None) -> Scanner | None:
        """What reads the plain events, where there are such."""
        event = self._event
        fields: PlainFields | None = getattr(rows, "plain", None)
        if rows is None and event.time_format is None:
            fields = PlainFields(event.key, event.time, event.time_zone is None, ANY)
        if fields is None or event.future:  # an object in the object is not plain
            return None
        return Scanner(fields, self._targets, event.features, longest_key=LONGEST_KEY, largest=LARGEST_VALUE)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Validate every record; nothing raises for a bad one, it is returned in `rejected`."""
        decoded = self._decode(records)
        return self._with_feedback(decoded, records) if decoded.rejected and self._hears else decoded

    _hears = True  # feedback

    def _with_feedback(self, decoded: Decoded, records: Sequence[Record]) -> Decoded:
        """Those that are no events because they are feedback, as such."""
        heard: list[Feedback] = []
        rejected: list[tuple[Record, EventError]] = []
        errors = {id(record): error for record, error in decoded.rejected}
        before, good = 0, decoded.records
        for record in records:
            error = errors.get(id(record))
            if error is None:
                while before < len(good) and good[before] is record:
                    before += 1
                continue
            try:
                value = record.value if record.value and len(record.value) <= self._event.max_bytes else None
                fields = feedback.read(self._feedback, self._targets, value)
                if fields is not None:
                    key = self._key(fields, record)
                    heard.append(Feedback(record, key, fields["alert"], fields[feedback.FIELD], before))
                    continue
            except EventError as better:
                error = better
            rejected.append((record, error))
        return decoded._replace(rejected=rejected, feedback=heard)

    def _decode(self, records: Sequence[Record]) -> Decoded:
        if self._payloads is not None:
            return self._decode_payloads(records, self._payloads)
        # One event is soonest read by the schema: to scan takes compiled code arrays of it.
        return self._each(records) if self._scanner is None or len(records) == 1 else self._scan(self._scanner, records)

    def _scan(self, scanner: Scanner, records: Sequence[Record]) -> Decoded:
        """The plain ones together, the others one by one."""
        longest = self._event.max_bytes
        found = scanner.scan([b"" if (v := record.value) is None or len(v) > longest else v for record in records])
        times, numbers = found.times, found.numbers
        sensible = found.plain & (times >= FIRST_TIME) & (times <= LAST_TIME)
        sensible &= ~self._ahead(times, records)  # the others get their message one by one
        good = sensible.copy()
        keys = [key for key in found.keys if key is not None]
        rejected: list[tuple[Record, EventError]] = []
        if len(keys) < len(records) or not good.all():
            keys = []
            names = (*self._targets, *self._event.features)
            columns = zip(records, found.keys, sensible.tolist(), strict=True)
            for i, (record, known, plain) in enumerate(columns):
                if plain and known is not None:
                    keys.append(known)
                    continue
                try:
                    row = {} if plain else self._fields(record.value)
                    key = self._key(row, record)
                    if not plain:
                        times[i] = self._time(row, record)
                        numbers[i] = [math.nan if (number := row.get(name)) is None else number for name in names]
                except EventError as error:
                    good[i] = False
                    rejected.append((record, error))
                    continue
                good[i] = True
                keys.append(key)
        if rejected:
            records = [records[i] for i in good.nonzero()[0].tolist()]
            times, numbers = times[good], numbers[good]
        targets, features = np.hsplit(numbers, [len(self._targets)])
        return Decoded(keys, times, targets, features, records, rejected)

    def _ahead(self, times: Int64, records: Sequence[Record]) -> npt.NDArray[np.bool_]:
        """Which `times` are too far ahead of their record's own timestamp, (records,)."""
        if self._max_ahead is None:
            return np.zeros(len(records), np.bool_)
        stamps = [record.timestamp for record in records]
        claimed = np.array([-1 if one is None or not 0 <= one <= _LAST_TIMESTAMP else one for one in stamps], np.int64)
        own = claimed * 1000
        ahead: npt.NDArray[np.bool_] = (claimed > 0) & (times - own > self._max_ahead)
        return ahead

    def _each(self, records: Sequence[Record]) -> Decoded:
        """One by one."""
        rejected: list[tuple[Record, EventError]] = []
        try:
            rows = [self._fields(record.value) for record in records]
            keys = [self._key(row, record) for row, record in zip(rows, records, strict=True)]
            times = [self._time(row, record) for row, record in zip(rows, records, strict=True)]
        except EventError:
            rows, keys, times, good = [], [], [], []
            for record in records:
                try:
                    row = self._fields(record.value)
                    key, time = self._key(row, record), self._time(row, record)
                except EventError as error:
                    rejected.append((record, error))
                    continue
                rows.append(row)
                keys.append(key)
                times.append(time)
                good.append(record)
            records = good
        return self._decoded(rows, keys, times, records, rejected)

    def _decode_payloads(self, records: Sequence[Record], payloads: Payloads) -> Decoded:
        """As `decode`, for messages that are no plain JSON objects; a message is taken whole or not at all."""
        rows: list[dict[str, Any]] = []
        keys: list[str] = []
        times: list[int] = []
        good: list[Record] = []
        rejected: list[tuple[Record, EventError]] = []
        for record in records:
            try:
                some = [self._validated(fields) for fields in payloads(self._checked(record.value))]
                own = [self._key(row, record) for row in some]
                moments = [self._time(row, record) for row in some]
            except EventError as error:
                rejected.append((record, error))
                continue
            rows += some
            keys += own
            times += moments
            good += [record] * len(some)
        return self._decoded(rows, keys, times, good, rejected)

    def _judged(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a valid object; raises EventInvalid for what is no event all the same."""
        return fields

    def _validated(self, fields: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._judged(self._validate_row(fields))
        except ValidationError as error:
            raise EventInvalid(first_problem(error)) from None

    def _decoded(
        self,
        rows: list[dict[str, Any]],
        keys: list[str],
        times: list[int],
        records: Sequence[Record],
        rejected: list[tuple[Record, EventError]],
    ) -> Decoded:
        features = self._columns_of(rows, self._event.features)
        targets, labels = self._learned(rows, features)
        if names := self._event.future:
            ahead = [future_numbers(names, self._horizon, row.get(FUTURE)) for row in rows]
            features = np.hstack([features, np.array(ahead).reshape(len(rows), len(names) * self._horizon)])
        return Decoded(keys, np.array(times, np.int64), targets, features, records, rejected, labels)

    def _learned(self, rows: list[dict[str, Any]], features: Float64) -> tuple[Float64, Labels | None]:
        """Targets (events, targets), and what the events say of labels; `features` is as in `Decoded`."""
        return self._columns_of(rows, self._targets), None

    def _checked(self, value: bytes | None) -> bytes:
        if value is None:
            raise EventInvalid("the message is null (a tombstone), not an event")
        if len(value) > self._event.max_bytes:
            raise EventInvalid(
                f"the event has {len(value)} bytes, more than event.max_bytes = {self._event.max_bytes}; raise it "
                "if such events are meant"
            )
        return value

    def _fields(self, message: bytes | None) -> dict[str, Any]:
        value = self._checked(message)
        try:
            return self._judged(self._validate(value))
        except ValidationError as error:
            hint = f"; {FRAMED}" if framed(value) else ""
            raise EventInvalid(f"{first_problem(error)}{hint}") from None

    def _key(self, fields: dict[str, Any], record: Record) -> str:
        key: str | None = fields.get(self._event.key)
        if key is not None:
            return key if key not in _NOT_FINITE else _as_written(key, self._event.key, record.value)
        if record.key is None:
            return DEFAULT_KEY
        if len(record.key) > LONGEST_KEY:
            raise EventInvalid(f"no field {self._event.key!r}, and the message key has over {LONGEST_KEY} bytes")
        try:
            return record.key.decode() if self._payloads is None else self._payloads.key(record.key)
        except UnicodeDecodeError:
            raise EventInvalid(f"no field {self._event.key!r}, and the message key is not UTF-8") from None

    def _time(self, fields: dict[str, Any], record: Record) -> int:
        time: datetime | None = fields.get(self._event.time)
        if time is not None:
            since = time - (_NAIVE_EPOCH if time.tzinfo is None else EPOCH)
            moment = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            if not FIRST_TIME <= moment <= LAST_TIME:
                raise EventInvalid(f"{self._event.time}: {time.isoformat()} is in UTC outside the years 1 to 9999")
            if self._max_ahead is not None and (own := own_time(record)) and moment - own > self._max_ahead:
                raise EventAhead(
                    f"the event's time {time} is {(moment - own) / 3.6e9:.1f} h ahead of its record's own timestamp, "
                    "more than event.max_ahead"
                )
            return moment
        own = own_time(record)
        if own is None:
            raise EventInvalid(f"no field {self._event.time!r}, and the record has no timestamp of its own")
        return own

    @staticmethod
    def _columns_of(rows: list[dict[str, Any]], names: Sequence[str]) -> Float64:
        if len(rows) == 1:  # soonest as it is
            own = rows[0]
            return np.array([[own.get(name) for name in names]], np.float64)
        columns = np.empty((len(rows), len(names)), np.float64)
        for index, name in enumerate(names):
            columns[:, index] = [row.get(name) for row in rows]  # None becomes NaN
        return columns


def own_time(record: Record) -> int | None:
    """The record's own timestamp in microseconds; whoever produced it may have written anything there."""
    stamp = record.timestamp
    return stamp * 1000 if stamp is not None and 0 <= stamp <= _LAST_TIMESTAMP else None


def _as_written(key: str, name: str, value: bytes | None) -> str:
    """A number of JSON that no float can hold, as a key: the text that it was (1e400 and 2e400 are two series)."""
    try:
        fields = json.loads(value or b"", parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return key
    text = fields.get(name) if isinstance(fields, dict) else None
    return text if isinstance(text, str) else key


def first_problem(error: ValidationError, *within: str) -> str:
    """The first thing wrong with a value, in words; `within` names the field that it is the value of."""
    detail = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in (*within, *detail["loc"]))
    said = "not among event.future" if detail["type"] == "extra_forbidden" else str(detail["msg"])
    message = f"{where}: {said}" if where else said
    if detail["type"] != "missing" and where:
        message += f" (given: {detail['input']!r:.80})"
    return message[:400]


def format_times(times: Int64) -> list[str]:
    """RFC 3339 in UTC, with a fraction only where there is one."""
    texts = np.datetime_as_string(times.astype("datetime64[us]")).tolist()
    return [text[: -len(".000000")] + "Z" if text.endswith(".000000") else text + "Z" for text in texts]
