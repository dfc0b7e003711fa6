"""What a message holds: the object with an event's fields, out of envelopes, arrays and nesting.

A plain JSON object takes a shorter way (`events.py`). This one is for everything else: other formats, whose `read`
comes from outside; the envelopes of Kafka Connect and Debezium; an array of events in one message; fields by path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from streamrnn.config.event import EventConfig
from streamrnn.errors import EventInvalid

FRAMED = (
    "it begins with magic byte 0, as what a schema registry frames does: set event.format (avro, protobuf or "
    "json-schema) and schema_registry.url"
)


def needs_payloads(event: EventConfig) -> bool:
    """Whether messages are more than plain JSON objects."""
    named = (event.key, event.time, *event.targets, *event.features, event.id, event.label)
    nested = any("." in name for name in named)
    return event.format != "json" or event.envelope != "none" or event.array is not None or event.text_numbers or nested


def read_json(value: bytes) -> Any:
    """A JSON message."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        hint = f"; {FRAMED}" if framed(value) else ""
        raise EventInvalid(f"no JSON: {error}{hint}") from None


def framed(value: bytes) -> bool:
    """Whether it begins as a schema registry's clients begin: a zero, four bytes of the schema's id, something."""
    return len(value) > 5 and value[0] == 0


class Payloads:
    """The events in a message, each as a mapping of the `names` that the configuration asks for."""

    def __init__(self, event: EventConfig, names: Iterable[str], read: Callable[[bytes], Any]) -> None:
        self._event = event
        self._names = tuple(names)
        self._read = read

    def __call__(self, value: bytes) -> list[dict[str, Any]]:
        """Raises EventInvalid unless all of them can be had: a message is taken whole or not at all."""
        content = self._unwrapped(self._read(value))
        if self._event.array is None:
            return [self._fields(content)]
        found = content if self._event.array == "." else lookup(content, self._event.array)
        if not isinstance(found, list):
            raise EventInvalid(f"no array at event.array {self._event.array!r}, but {kind(found)}")
        return [self._fields(one, content) for one in found]

    def key(self, key: bytes) -> str:
        """The series that a message key names: framed as the value is, a single field of an object, or text."""
        if self._event.format != "json" and framed(key):
            content = self._read(key)
        elif self._event.envelope != "none" and key[:1] == b"{":
            content = read_json(key)
        else:
            content = key.decode()
        if self._event.envelope != "none" and isinstance(content, Mapping) and "payload" in content:
            content = content["payload"]
        if isinstance(content, Mapping) and len(content) == 1:
            [content] = content.values()
        return content if isinstance(content, str) else orjson.dumps(plain(content), default=str).decode()

    def _unwrapped(self, content: Any) -> Any:
        if self._event.envelope == "none" or not isinstance(content, Mapping):
            return content
        if "payload" in content:  # JsonConverter with schemas.enable
            content = content["payload"]
        if self._event.envelope == "debezium" and isinstance(content, Mapping):
            if "after" not in content:
                raise EventInvalid("no field 'after': not a change event of Debezium (event.envelope)")
            content = content["after"]
            if content is None:
                raise EventInvalid("the change is a deletion: there is no row after it (event.envelope is debezium)")
        return content

    def _fields(self, content: Any, message: Any = None) -> dict[str, Any]:
        """The event's own fields, and those that its message has for all."""
        if not isinstance(content, Mapping):
            raise EventInvalid(f"the event is {kind(content)}, not an object")
        fields = {}
        for name in self._names:
            found = lookup(content, name)
            if found is MISSING and isinstance(message, Mapping):
                found = lookup(message, name)
            if found is not MISSING:
                fields[name] = plain(found)
        return fields


MISSING = object()


def lookup(content: Any, path: str) -> Any:
    """The field with just this name, else what is reached by its parts between dots; `MISSING` if there is none."""
    if isinstance(content, Mapping) and path in content:
        return content[path]
    for part in path.split("."):
        if isinstance(content, Mapping) and part in content:
            content = content[part]
        elif isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            return MISSING
    return content


def plain(value: Any) -> Any:
    """Numbers and texts for what Avro and others have types of their own for."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def kind(value: Any) -> str:
    """What it is, in a message."""
    if value is MISSING:
        return "nothing"
    return "null" if value is None else f"a {type(value).__name__}"
