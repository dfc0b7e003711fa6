"""The contract of feedback: what a person says of an alert, as a record of the input.

    {"feedback": "expected", "key": "pump-7", "alert": 3}     that was no fault: do not tell of the like again
    {"feedback": "fault", "key": "pump-7", "alert": 3}        that was one: do not get used to it

It is a record of the log like every other, in the partition of its series, and holds from its place in the log on. A
record that has the targets of an event is an event, whatever else it has.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import orjson
from pydantic import Field, Strict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from streamrnn.errors import EventInvalid
from streamrnn.records.log import Record

FIELD = "feedback"
VERDICTS = ("expected", "fault")
LARGEST_ALERT = 2**31 - 1

Verdict = Literal["expected", "fault"]
Number = Annotated[int, Strict(), Field(ge=1, le=LARGEST_ALERT)]


class Feedback(NamedTuple):
    """A good one, and where it stands."""

    record: Record
    key: str
    alert: int  # the number of the alert, counted by its series
    verdict: Verdict
    before: int  # events of the batch that stand before it


def feedback_schema(key_name: str, key: Any) -> TypeAdapter[Any]:
    """The schema of feedback where the key of a series is `key`, found in the field `key_name`."""
    typed_dict: Any = TypedDict
    kind = NotRequired[Annotated[Literal["anomaly"], Field(description="of the alert")]]
    fields = {FIELD: Verdict, key_name: NotRequired[key | None], "alert": Number, "kind": kind}
    schema = typed_dict("Feedback", fields)
    schema.__doc__ = "What a person says of an alert. Further fields are ignored."
    return TypeAdapter(schema)


def read(schema: TypeAdapter[Any], targets: tuple[str, ...], value: bytes | None) -> dict[str, Any] | None:
    """The fields of feedback; None where the bytes say nothing of any.

    Raises `EventInvalid` for what means to be feedback and is not.
    """
    if value is None or b'"feedback"' not in value:
        return None
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or FIELD not in found or any(name in found for name in targets):
        return None
    try:
        fields: dict[str, Any] = schema.validate_python(found)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in detail["loc"])
        given = "" if detail["type"] == "missing" else f" (given: {detail['input']!r:.80})"
        raise EventInvalid(f"feedback: {where}: {detail['msg']}{given}"[:400]) from None
    return fields
