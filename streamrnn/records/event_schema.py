"""The schema of one event: which fields there are, what they may hold, and how times of other forms are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NotRequired
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, Strict, TypeAdapter
from typing_extensions import TypedDict

from streamrnn.config.event import EventConfig
from streamrnn.records.future import FUTURE, future_field

LARGEST_VALUE = 1e100
"""Beyond it squares and products inside the model would leave float64; such a value is a dead letter."""

DEFAULT_TARGETS = ("value",)
DEFAULT_KEY = "default"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
LONGEST_KEY = 1000
Key = Annotated[str, Field(max_length=LONGEST_KEY, coerce_numbers_to_str=True)]


def targets_of(event: EventConfig) -> tuple[str, ...]:
    """The names to forecast."""
    return event.targets or DEFAULT_TARGETS


def event_schema(event: EventConfig, horizon: int = 1, *, text: bool = False, timed: bool = True) -> TypeAdapter[Any]:
    """The schema of one event; with `text` numbers may be written as strings; not `timed`: its time is read already."""
    fields = dict.fromkeys(targets_of(event), number_type(text) | None)
    if event.future:
        fields[FUTURE] = NotRequired[future_field(event, horizon, number_type(text))]
    return schema_of("One measurement of one series.", event, fields, text, timed)


def number_type(text: bool) -> Any:
    """A number, which with `text` may be written as a string."""
    return Number if text else Annotated[Number, Strict()]


def schema_of(what: str, event: EventConfig, fields: dict[str, Any], text: bool, timed: bool) -> TypeAdapter[Any]:
    """The schema of an event with key, time, features and further `fields`; `what` says what it is."""
    time: Any = datetime
    if timed:  # the rows of a file come with their times read
        if event.time_format is not None:
            time = Annotated[datetime, BeforeValidator(_strptime(event.time_format))]
        elif event.time_unit is not None:
            time = Annotated[datetime, BeforeValidator(_since_1970(event.time_unit))]
        if event.time_zone is not None:
            time = Annotated[time, AfterValidator(_in_zone(event.time_zone))]
    common: dict[str, Any] = {event.key: NotRequired[Key | None], event.time: NotRequired[time | None]}
    features: dict[str, Any] = dict.fromkeys(event.features, NotRequired[number_type(text) | None])
    typed_dict: Any = TypedDict
    schema = typed_dict("Event", common | fields | features)
    schema.__doc__ = f"{what} Numbers may be null (missing); further fields are ignored."
    return TypeAdapter(schema)


def _strptime(form: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        return datetime.strptime(value, form) if isinstance(value, str) else value

    return parse


_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _since_1970(unit: str) -> Callable[[object], object]:
    per = _PER_SECOND[unit]

    def parse(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        micro = value * 1_000_000 // per if isinstance(value, int) else round(value * 1_000_000 / per)
        try:
            return EPOCH + timedelta(microseconds=micro)
        except OverflowError:
            raise ValueError(f"{value} {unit} since 1970 are outside the calendar") from None

    return parse


def _in_zone(name: str) -> Callable[[datetime], datetime]:
    zone = ZoneInfo(name)

    def parse(time: datetime) -> datetime:
        try:
            return time if time.tzinfo is not None else time.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:
            raise ValueError("outside the calendar") from None

    return parse
