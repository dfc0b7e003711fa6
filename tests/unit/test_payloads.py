"""Envelopes, arrays, nesting: what is no plain JSON object."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from streamrnn.config.tree import Config
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.events import Decoded
from streamrnn.runtime.task import task_of

TIME = "2026-01-01T00:00:00Z"


def decoded(*messages: Any, message_key: bytes | None = None, **event: Any) -> Decoded:
    config = Config.model_validate({"event": event})
    values = [message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages]
    records = [MemoryRecord(i, 1_767_225_600_000, message_key, value) for i, value in enumerate(values)]
    return task_of(config).decoder().decode(records)


def reason(result: Decoded) -> str:
    [(_, error)] = result.rejected
    return str(error)


def test_fields_by_path() -> None:
    names = {"key": "device.id", "time": "meta.at", "targets": ["reading.temperature.value", "list.1"]}
    message = {
        "device": {"id": "d7"}, "meta": {"at": TIME}, "reading": {"temperature": {"value": 21.5}}, "list": [1, 2.5],
    }  # fmt: skip
    found = decoded(message, **names)
    assert found.keys == ["d7"]
    assert found.targets.tolist() == [[21.5, 2.5]]
    literal = decoded({"a.b": 1.0, "time": TIME}, targets=["a.b"])
    assert literal.targets.tolist() == [[1.0]]
    assert "reading.temperature.value" in reason(decoded({"device": {"id": "x"}}, **names))


def test_connects_envelope() -> None:
    row = {"key": "a", "time": TIME, "value": 3.0}
    found = decoded({"schema": {"type": "struct"}, "payload": row}, row, envelope="connect")
    assert found.keys == ["a", "a"]  # with and without schemas.enable
    assert found.targets.tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize("wrapped", [True, False], ids=["with schema", "without"])
def test_debezium(wrapped: bool) -> None:
    def change(**content: Any) -> Any:
        return {"schema": {}, "payload": content} if wrapped else content

    row = {"id": 7, "time": TIME, "value": 3.0}
    event = {"envelope": "debezium", "key": "id"}
    found = decoded(
        change(op="c", before=None, after=row),
        change(op="u", before=row, after={**row, "value": 4.0}),
        change(op="d", before=row, after=None),
        **event,
    )
    assert found.keys == ["7", "7"]
    assert found.targets.tolist() == [[3.0], [4.0]]
    assert "deletion" in reason(found)
    assert "not a change event" in reason(decoded(change(value=1), **event))
    keyed = decoded(change(after={"value": 1.0}), message_key=json.dumps(change(id=9)).encode(), envelope="debezium")
    assert keyed.keys == ["9"]


def test_an_array_of_events_is_taken_whole_or_not_at_all() -> None:
    good = [{"key": "a", "value": 1.0}, {"key": "b", "value": 2.0}, {"key": "a", "value": 3.0}]
    found = decoded(good, [], [*good, {"key": "c", "value": "x"}], array=".")
    assert found.keys == ["a", "b", "a"]
    assert [record.offset for record in found.records] == [0, 0, 0]
    [(refused, _)] = found.rejected
    assert refused.offset == 2
    assert decoded({"data": {"points": good}}, array="data.points").targets.tolist() == [[1.0], [2.0], [3.0]]
    assert "no array at event.array" in reason(decoded({"data": {}}, array="data.points"))


def test_numbers_as_text_where_they_are_asked_for() -> None:
    message = {"time": TIME, "value": "3.25"}
    assert decoded(message).rejected
    assert decoded(message, text_numbers=True).targets.tolist() == [[3.25]]
    assert decoded({"time": TIME, "value": "much"}, text_numbers=True).rejected


def test_framed_bytes_without_a_registry_say_so() -> None:
    assert "magic byte 0" in reason(decoded(b"\0\0\0\0\7" + b"\x06abc"))
    assert "schema_registry.url" in reason(decoded(b"\0\0\0\0\7" + b"\x06abc", array="."))
    assert "magic" not in reason(decoded(b"no event"))


def test_the_longer_way_reads_plain_events_as_the_shorter_does() -> None:
    messages = [{"key": "a", "time": TIME, "value": 1.5}, {"value": None}, {"value": "x"}, {"key": 5, "value": 2}]
    short, long = decoded(*messages), decoded(*messages, envelope="connect")
    assert short.keys == long.keys
    assert np.array_equal(short.targets, long.targets, equal_nan=True)
    assert short.times.tolist() == long.times.tolist()
    assert [str(error) for _, error in short.rejected] == [str(error) for _, error in long.rejected]
