"""The section of an input event: which fields it has, and what becomes of one that is late, long or ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from streamrnn.config.holidays import days_named
from streamrnn.config.values import Finite, Names, Seconds, Section

FUTURE: Final = "future"
"""The field of an event with what is known ahead."""
MOST_FUTURE: Final = 16
"""Features that can be known ahead."""


class IgnoredRange(Section):
    """Events that are forecast, but neither learned from nor alerted on: a deployment, a load test."""

    model_config = ConfigDict(populate_by_name=True)

    begin: datetime = Field(alias="from")
    """The first moment; without a zone it is in `event.time_zone`."""
    end: datetime = Field(alias="to")
    """The first moment that is not ignored any more."""
    keys: Annotated[str, Field(min_length=1)] = "*"
    """For these series: a key, or a pattern with `*`, `?` and `[..]`."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if (self.begin.tzinfo is None) != (self.end.tzinfo is None):
            raise ValueError("write both times with their zone, or both without")
        if self.end <= self.begin:
            raise ValueError(f"ends at {self.end.isoformat()}, which is not after {self.begin.isoformat()}")
        return self


class EventConfig(Section):
    """How an input event is read (a JSON object, or a CSV row with the same names)."""

    format: Literal["json", "avro", "protobuf", "json-schema"] = "json"
    """Of Kafka messages: JSON, or framed for the schema registry of `schema_registry.url` (docs/formats.md)."""
    envelope: Literal["none", "connect", "debezium"] = "none"
    """What is around the event: schema and payload of Kafka Connect's JSON converter, or a change of Debezium, whose
    event is the row after it."""
    array: str | None = None
    """Path of an array of events in each message; `.`: the message is one."""
    text_numbers: bool = False
    """Whether numbers may be written as text in JSON (`"3.1"`)."""
    key: str = "key"
    """Field with the series key; where an event has none, the Kafka message key, else the series "default"."""
    time: str = "time"
    """Field with the event time; where an event has none, the record's own timestamp."""
    time_format: str | None = None
    """`strptime` format of the time; default: RFC 3339, or seconds or milliseconds since 1970; files: as found."""
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    """What numbers as times count since 1970; default: by their size."""
    time_zone: str | None = None
    """Zone of times that have none, such as `Europe/Berlin`; seasons follow its days and weeks. Default: UTC."""
    holidays: tuple[date, ...] = ()
    """Days that are like Sundays: a list, a file with a date per line, or a country such as `DE` or `US-CA` (extra
    `streamrnn[holidays]`)."""
    ignore: tuple[IgnoredRange, ...] = ()
    """Ranges of event time that are neither learned from nor alerted on: `[{from: 2026-03-01T22:00, to:
    2026-03-02T02:00, keys: "web-*"}]`, `keys` where it is not for all."""
    targets: Names = ()
    """Fields to forecast; default: `value` (files without it: every numeric column)."""
    features: Names = ()
    """Further numeric fields the model may use; they are inputs, not forecast."""
    future: Names = ()
    """Features whose future values are known (a weather forecast, a price, a promotion); an event gives them for the
    steps to come: `"future": {"temperature": [21.5, 22, ...]}`. They need not be named in `features` as well
    (docs/future.md)."""
    id: str = "id"
    """With `task: regression` or `classification`: field with the name under which a prediction's label comes later."""
    label: str = "label"
    """With `task: regression` or `classification`: field with the number or the class to learn."""
    late: Literal["process", "drop", "dead-letter"] = "process"
    """What to do with an event older than the newest one of its series."""
    max_ahead: Seconds | None = 86_400.0
    """An event whose time is further ahead of its record's own timestamp (in Kafka) than this is a dead letter: it
    would make every later event late. None: any time is believed."""
    max_bytes: int = Field(1_048_576, ge=64)
    """A longer event is a dead letter (bytes)."""
    minimum: Finite | dict[str, Finite] | None = None
    """No forecast and no bound of an interval is lower: one number for all targets, or by target."""
    maximum: Finite | dict[str, Finite] | None = None
    """No forecast and no bound is higher."""
    nonnegative: Literal["auto"] | bool = "auto"
    """Whether to keep forecasts and bounds from falling below 0; auto: where a target's own history says so."""
    integers: bool = False
    """The targets are whole numbers: medians and bounds are, too (a mean is not)."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"no time zone {name!r}; write for example Europe/Berlin, America/New_York or UTC"
            ) from None
        return name

    @field_validator("holidays", mode="before")
    @classmethod
    def _dates(cls, value: object) -> object:
        return days_named(value) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _future_are_features(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        features, future = given.get("features", ()), given.get("future", ())
        if not (isinstance(features, list | tuple) and isinstance(future, list | tuple)):
            return given
        return {**given, "features": [*features, *(name for name in future if name not in features)]}

    @field_validator("future")
    @classmethod
    def _not_too_many(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(names) > MOST_FUTURE:
            raise ValueError(f"at most {MOST_FUTURE} features can be known ahead, not {len(names)}")
        return names

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [*self.targets, *self.features, self.key, self.time, *([FUTURE] if self.future else [])]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"used for more than one purpose: {', '.join(doubled)}")
        if self.targets:  # else they are known when the input is
            self.check_bounds(self.targets)
        return self

    def __hash__(self) -> int:  # a dictionary has none
        return hash(tuple(tuple(value.items()) if isinstance(value, dict) else value for _, value in self))

    def bound(self, name: Literal["minimum", "maximum"], targets: Sequence[str]) -> list[float | None]:
        """The `minimum` or the `maximum` of every target, None where there is none."""
        declared: float | dict[str, float] | None = getattr(self, name)
        return [declared.get(target) if isinstance(declared, dict) else declared for target in targets]

    def check_bounds(self, targets: Sequence[str]) -> None:
        """Raise ValueError where bounds are declared for what is no target, or leave nothing between them."""
        for name, declared in (("minimum", self.minimum), ("maximum", self.maximum)):
            if isinstance(declared, dict) and (unknown := sorted(set(declared) - set(targets))):
                raise ValueError(f"{name}: {', '.join(unknown)} not among the targets, which are {', '.join(targets)}")
        for target, low, high in zip(
            targets, self.bound("minimum", targets), self.bound("maximum", targets), strict=True
        ):
            low = max(low or 0.0, 0.0) if self.nonnegative is True else low
            if low is not None and high is not None and not low < high:
                raise ValueError(f"minimum {low:g} of {target} is not below its maximum {high:g}")
