"""The contracts at both ends: the input event, the forecast record and the dead letter, with their codecs.

An event is validated by one compiled pydantic schema, record by record: that costs about a microsecond, and a broken
record can never lean on its neighbors to become valid. Good events become arrays (`Decoded`) and stay arrays through
the model; `encode` turns the answers into JSON. Event time is int64 microseconds since 1970 (UTC) everywhere inside.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import compress
from typing import Annotated, Any, NamedTuple, NotRequired, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import BaseModel, BeforeValidator, Field, Strict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from streamrnn.config import EventConfig
from streamrnn.connectors.base import Message, Partition, Record
from streamrnn.errors import EventError, EventInvalid, EventLate

Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]

LARGEST_VALUE = 1e100
"""Beyond it squares and products inside the model would leave float64; such a value is a dead letter."""

DEFAULT_TARGETS = ("value",)
DEFAULT_KEY = "default"
MISSING_TEXT = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""What an empty CSV cell may look like (any case)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)

Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
LONGEST_KEY = 1000
Key = Annotated[str, Field(max_length=LONGEST_KEY, coerce_numbers_to_str=True)]

_LAST_TIMESTAMP = 253_402_300_799_999
"""End of the year 9999, milliseconds since 1970: what a Kafka record claims beyond it is no time."""


class Decoded(NamedTuple):
    """The good events of a batch in log order, and the records that are none."""

    keys: list[str]
    times: Int64  # (events,) microseconds since 1970
    targets: Float64  # (events, targets), NaN where missing
    features: Float64  # (events, features), NaN where missing
    records: Sequence[Record]
    rejected: list[tuple[Record, EventError]]


def targets_of(event: EventConfig) -> tuple[str, ...]:
    """The names to forecast."""
    return event.targets or DEFAULT_TARGETS


def event_schema(event: EventConfig, *, text: bool = False) -> TypeAdapter[Any]:
    """The schema of one event; with `text` numbers may be written as strings (CSV)."""
    number: Any = Number if text else Annotated[Number, Strict()]
    time: Any = datetime
    if event.time_format is not None:
        time = Annotated[datetime, BeforeValidator(_strptime(event.time_format))]
    fields: dict[str, Any] = {event.key: NotRequired[Key | None], event.time: NotRequired[time | None]}
    fields |= dict.fromkeys(targets_of(event), number | None)
    fields |= dict.fromkeys(event.features, NotRequired[number | None])
    typed_dict: Any = TypedDict
    schema = typed_dict("Event", fields)
    schema.__doc__ = "One measurement of one series. Numbers may be null (missing); further fields are ignored."
    return TypeAdapter(schema)


class EventDecoder:
    """Turns raw records into arrays. `columns` names the cells of a CSV row; None means JSON objects."""

    def __init__(self, event: EventConfig, columns: Sequence[str] | None = None, delimiter: str = ",") -> None:
        self._event = event
        self._targets = targets_of(event)
        self._columns = columns
        self._delimiter = delimiter
        schema = event_schema(event, text=columns is not None)
        self._validate: Callable[[bytes], dict[str, Any]] = schema.validator.validate_json
        if columns is not None:
            validate_row = schema.validator.validate_python
            self._validate = lambda line: validate_row(self._cells(line))

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Validate every record; nothing raises for a bad one, it is returned in `rejected`."""
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
        return Decoded(
            keys,
            np.array(times, np.int64),
            self._columns_of(rows, self._targets),
            self._columns_of(rows, self._event.features),
            records,
            rejected,
        )

    def _fields(self, value: bytes | None) -> dict[str, Any]:
        if value is None:
            raise EventInvalid("the message is null (a tombstone), not an event")
        if len(value) > self._event.max_bytes:
            raise EventInvalid(
                f"the event has {len(value)} bytes, more than event.max_bytes = {self._event.max_bytes}; raise it "
                "if such events are meant"
            )
        try:
            return self._validate(value)
        except ValidationError as error:
            raise EventInvalid(_first_problem(error)) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise EventInvalid(f"not a row of text: {error}") from None

    def _key(self, fields: dict[str, Any], record: Record) -> str:
        key: str | None = fields.get(self._event.key)
        if key is not None:
            return key
        if record.key is None:
            return DEFAULT_KEY
        if len(record.key) > LONGEST_KEY:
            raise EventInvalid(f"no field {self._event.key!r}, and the message key has over {LONGEST_KEY} bytes")
        try:
            return record.key.decode()
        except UnicodeDecodeError:
            raise EventInvalid(f"no field {self._event.key!r}, and the message key is not UTF-8") from None

    def _time(self, fields: dict[str, Any], record: Record) -> int:
        time: datetime | None = fields.get(self._event.time)
        if time is not None:
            since = time - (_NAIVE_EPOCH if time.tzinfo is None else _EPOCH)
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        own = _own_time(record)
        if own is None:
            raise EventInvalid(f"no field {self._event.time!r}, and the record has no timestamp of its own")
        return own

    def _cells(self, line: bytes) -> dict[str, str | None]:
        assert self._columns is not None
        rows = list(csv.reader([line.decode()], delimiter=self._delimiter))
        cells = rows[0] if rows else []
        if len(cells) != len(self._columns):
            raise EventInvalid(f"the row has {len(cells)} cells, the header {len(self._columns)}")
        return {
            name: None if cell.strip().lower() in MISSING_TEXT else cell.strip()
            for name, cell in zip(self._columns, cells, strict=True)
        }

    @staticmethod
    def _columns_of(rows: list[dict[str, Any]], names: Sequence[str]) -> Float64:
        columns = np.empty((len(rows), len(names)), np.float64)
        for index, name in enumerate(names):
            columns[:, index] = [row.get(name) for row in rows]  # None becomes NaN
        return columns


def _own_time(record: Record) -> int | None:
    """The record's own timestamp in microseconds; whoever produced it may have written anything there."""
    stamp = record.timestamp
    return stamp * 1000 if stamp is not None and 0 <= stamp <= _LAST_TIMESTAMP else None


def _strptime(form: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        return datetime.strptime(value, form) if isinstance(value, str) else value

    return parse


def _first_problem(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in detail["loc"])
    message = f"{where}: {detail['msg']}" if where else str(detail["msg"])
    if detail["type"] != "missing" and where:
        message += f" (given: {detail['input']!r:.80})"
    return message[:400]


# --- output -----------------------------------------------------------------------------------------------------------


Intervals: TypeAlias = dict[str, tuple[float | None, float | None]]
"""[lower, upper] by level, such as "0.9"."""


class StepForecast(BaseModel):
    """The forecast of one coming event of the series; null while the series never had a value."""

    step: int = Field(ge=1, description="1 is the next event")
    mean: float | None
    lower: float | None
    upper: float | None
    intervals: Intervals | None = Field(None, description="one per level, where several are configured")


class TargetForecast(BaseModel):
    """One target: what was seen, what had been forecast for it, and what comes next."""

    observed: float | None
    expected: float | None = Field(description="forecast for this event before it was seen; null for the first")
    lower: float | None
    upper: float | None
    intervals: Intervals | None = Field(None, description="one per level, where several are configured")
    drift: bool = Field(False, description="the errors have risen: a change of regime was noticed (only when true)")
    forecast: list[StepForecast]


class Source(BaseModel):
    """Where the event was read."""

    topic: str
    partition: int
    offset: int


class Anomaly(BaseModel):
    """How surprising the event was."""

    score: float = Field(ge=0, le=1)
    is_anomaly: bool
    alert: int | None = Field(None, description="events of one alert of a series share its number (anomalies only)")
    target: str | None = Field(None, description="the target that drove the score (anomalies only)")
    channel: str | None = Field(None, description="the strongest of the channels that decide (anomalies only)")
    strength: float | None = Field(None, ge=0, description="what alerts are decided by (with anomaly.explain)")
    channels: dict[str, float] | None = Field(
        None, description="-log10 of the probability that each channel gives the event (with anomaly.explain)"
    )


class EarlyWarning(BaseModel):
    """Whether a limit will be crossed within the horizon."""

    probability: float = Field(ge=0, le=1, description="that some target crosses a limit within the horizon")
    steps: list[float] = Field(description="that some target is beyond a limit at each step")
    lead: float | None = Field(description="steps until the crossing, as far as one is expected")
    target: str | None = Field(description="the target most likely to cross")
    is_warning: bool = Field(description="the probability has reached anomaly.warn_at, and no limit is crossed yet")


class ForecastRecord(BaseModel):
    """One output record: the answer to one input event."""

    key: str
    time: datetime
    source: Source
    targets: dict[str, TargetForecast]
    anomaly: Anomaly
    warning: EarlyWarning | None = Field(None, description="with anomaly.limits or anomaly.warn_at")


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


class Answers(NamedTuple):
    """What the model says to `events` events; see `model.PartitionModel.process`."""

    previous: Float64  # (events, targets) the last value seen before: what persistence would have forecast
    expected: Float64  # (events, targets)
    lower: Float64  # (events, targets)
    upper: Float64  # (events, targets)
    forecast: Float64  # (events, horizon, targets)
    forecast_lower: Float64  # (events, horizon, targets)
    forecast_upper: Float64  # (events, horizon, targets)
    score: Float64  # (events,)
    is_anomaly: npt.NDArray[np.bool_]  # (events,)
    alert: Int64  # (events,) number of the series' alert that the event belongs to, 0: none
    driver: Int64  # (events,) index of the target that drove the score, -1: none
    channel: npt.NDArray[np.int8]  # (events,) index of the strongest channel (`anomaly.CHANNEL_NAMES`), -1: none
    late: npt.NDArray[np.bool_]  # (events,) not processed: older than the series' newest event
    drift: npt.NDArray[np.bool_]  # (events, targets) the event raised a drift alarm
    # Bounds of the levels after the first, (events, levels - 1, ...):
    more_lower: Float64  # (events, levels - 1, targets)
    more_upper: Float64
    more_forecast_lower: Float64  # (events, levels - 1, horizon, targets)
    more_forecast_upper: Float64
    strength: Float64  # (events,) what alerts are decided by
    channels: Float64  # (events, anomaly channels) -log10 of the probability each gives the event
    warning: Float64  # (events, warning.OUTCOMES) NaN where early warning is off
    warning_steps: Float64  # (events, horizon) probability of being beyond a limit at each step


def format_times(times: Int64) -> list[str]:
    """RFC 3339 in UTC, with a fraction only where there is one."""
    texts = np.datetime_as_string(times.astype("datetime64[us]")).tolist()
    return [text[: -len(".000000")] + "Z" if text.endswith(".000000") else text + "Z" for text in texts]


def encode(
    partition: Partition,
    names: Sequence[str],
    channels: Sequence[str],
    decoded: Decoded,
    answers: Answers,
    *,
    levels: Sequence[float] = (),
    explain: bool = False,
) -> list[Message]:
    """The output records of a batch, one per event that was not late, in order.

    `names` are those of the targets, `channels` those of the anomaly channels (`explain` publishes all of them),
    `levels` those of the intervals.
    """
    topic, number = partition
    steps = range(1, answers.forecast.shape[1] + 1)
    dumps = orjson.dumps
    messages = []
    columns = zip(
        decoded.keys,
        format_times(decoded.times),
        decoded.records,
        decoded.targets.tolist(),
        answers.expected.tolist(),
        answers.lower.tolist(),
        answers.upper.tolist(),
        answers.forecast.transpose(0, 2, 1).tolist(),
        answers.forecast_lower.transpose(0, 2, 1).tolist(),
        answers.forecast_upper.transpose(0, 2, 1).tolist(),
        answers.score.tolist(),
        _alarms(names, channels, answers, explain),
        _warnings(names, answers),
        answers.late.tolist(),
        answers.drift.tolist(),
        _further_levels(answers),
        strict=True,
    )
    for (
        key, time, record, observed, expected, lower, upper, means, lows, highs, score, alarm, warning, late, drift,
        more,
    ) in columns:  # fmt: skip
        if late:
            continue
        document: dict[str, Any] = {
            "key": key,
            "time": time,
            "source": {"topic": topic, "partition": number, "offset": record.offset},
            "targets": {
                name: {
                    "observed": observed[i],
                    "expected": expected[i],
                    "lower": lower[i],
                    "upper": upper[i],
                    "forecast": [
                        {"step": step, "mean": mean, "lower": low, "upper": high}
                        for step, mean, low, high in zip(steps, means[i], lows[i], highs[i], strict=True)
                    ],
                }
                for i, name in enumerate(names)
            },
            "anomaly": {"score": score, **alarm},
            **warning,
        }
        if more is not None:
            _add_levels(document["targets"], names, levels, more)
        if any(drift):
            for name in compress(names, drift):
                document["targets"][name]["drift"] = True
        messages.append(Message(key.encode(), dumps(document)))
    return messages


class _Levels(NamedTuple):
    """Bounds of the further levels of one event, as lists: [level][target] and [level][step][target]."""

    lower: list[list[float]]
    upper: list[list[float]]
    forecast_lower: list[list[list[float]]]
    forecast_upper: list[list[list[float]]]


def _further_levels(answers: Answers) -> list[_Levels | None]:
    if not answers.more_lower.shape[1]:
        return [None] * len(answers.late)
    bounds = (answers.more_lower, answers.more_upper, answers.more_forecast_lower, answers.more_forecast_upper)
    return [_Levels(*parts) for parts in zip(*(bound.tolist() for bound in bounds), strict=True)]


def _add_levels(targets: dict[str, Any], names: Sequence[str], levels: Sequence[float], more: _Levels) -> None:
    """Write the intervals of every level into the document of one event."""
    first, *further = (str(level) for level in levels)
    for i, name in enumerate(names):
        target = targets[name]
        target["intervals"] = {first: [target["lower"], target["upper"]]} | {
            level: [more.lower[k][i], more.upper[k][i]] for k, level in enumerate(further)
        }
        for j, step in enumerate(target["forecast"]):
            step["intervals"] = {first: [step["lower"], step["upper"]]} | {
                level: [more.forecast_lower[k][j][i], more.forecast_upper[k][j][i]] for k, level in enumerate(further)
            }


def _alarms(names: Sequence[str], channels: Sequence[str], answers: Answers, explain: bool) -> list[dict[str, Any]]:
    quiet: dict[str, Any] = {"is_anomaly": False}
    alarms = [quiet] * len(answers.score)
    for i in answers.is_anomaly.nonzero()[0].tolist():
        driver, channel = int(answers.driver[i]), int(answers.channel[i])
        alarms[i] = {
            "is_anomaly": True,
            "alert": int(answers.alert[i]),
            "target": names[driver] if driver >= 0 else None,
            "channel": channels[channel] if channel >= 0 else None,
        }
    if explain:
        said = zip(answers.strength.tolist(), answers.channels.tolist(), strict=True)
        return [
            {**alarm, "strength": strength, "channels": dict(zip(channels, decades, strict=True))}
            for alarm, (strength, decades) in zip(alarms, said, strict=True)
        ]
    return alarms


def _warnings(names: Sequence[str], answers: Answers) -> list[dict[str, Any]]:
    """The early warning's part of each record, empty where it is off."""
    off: dict[str, Any] = {}
    parts = [off] * len(answers.warning)
    steps, outcomes = answers.warning_steps.tolist(), answers.warning.tolist()
    for i in np.flatnonzero(~np.isnan(answers.warning[:, 0])).tolist():
        probability, lead, driver, warns = outcomes[i]
        parts[i] = {
            "warning": {
                "probability": probability,
                "steps": steps[i],
                "lead": lead,
                "target": names[int(driver)] if driver >= 0 else None,
                "is_warning": warns > 0,
            }
        }
    return parts


def dead_letter(partition: Partition, record: Record, error: EventError) -> Message:
    """The original bytes, and why they are here, as headers."""
    time = _own_time(record)
    headers = {
        "class": type(error).__name__,
        "message": str(error),
        "topic": partition.topic,
        "partition": str(partition.number),
        "offset": str(record.offset),
        # The record's own time, not the clock's: a replay must write the same bytes.
        "time": format_times(np.array([time]))[0] if time is not None else "",
    }
    return Message(
        record.key, record.value, [(f"streamrnn.error.{name}", text.encode()) for name, text in headers.items()]
    )


def late_event(key: str, time: int) -> EventError:
    """The reason a late event is a dead letter."""
    moment = format_times(np.array([time]))[0]
    return EventLate(f"series {key!r} already has an event newer than {moment} (event.late is dead-letter)")


def schemas() -> dict[str, Callable[[EventConfig], str]]:
    """JSON Schema of each contract, by name."""

    def dump(schema: dict[str, Any]) -> str:
        return json.dumps(schema, indent=2)

    return {
        "event": lambda event: dump(event_schema(event).json_schema()),
        "forecast": lambda _: dump(ForecastRecord.model_json_schema()),
        "dead-letter": lambda _: dump(DeadLetterRecord.model_json_schema()),
    }
