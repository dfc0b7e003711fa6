"""Framed messages and a real schema registry: Avro, Protobuf, JSON Schema, and what becomes of them as they evolve."""

from __future__ import annotations

import io
import json
import struct
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest

from streamrnn.config.tree import Config
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.connectors.schema_registry import RegistryUnavailable, SchemaRegistry, compiled, framer_of, reader_of
from streamrnn.errors import ConfigurationError
from streamrnn.runtime.task import task_of
from tests.broker.artifacts import BrokerMissing
from tests.broker.client import Client
from tests.broker.process import free_ports
from tests.broker.registry import put, registry
from tests.kafka.helpers import Pipeline, echo, take, take_over

pytestmark = pytest.mark.kafka

TIME = 1_767_225_600_000

AVRO: dict[str, Any] = {
    "type": "record", "name": "Reading", "namespace": "plant", "fields": [
        {"name": "key", "type": "string"},
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "value", "type": ["null", "double"]},
    ],
}  # fmt: skip
GROWN = {**AVRO, "fields": [*AVRO["fields"], {"name": "unit", "type": "string", "default": "C"}]}
RENAMED = {**AVRO, "fields": [*AVRO["fields"][:2], {"name": "reading", "type": "double"}]}
PROTO = 'syntax = "proto3"; package plant; import "google/protobuf/timestamp.proto"; ' \
    "message Other { int32 a = 1; } message Reading { string key = 1; google.protobuf.Timestamp time = 2; " \
    "double value = 3; int64 count = 4; message Inner { string key = 1; double value = 2; } }"  # fmt: skip
JSON_SCHEMA = {"type": "object", "properties": {"key": {"type": "string"}, "value": {"type": "number"}}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with registry(tmp_path_factory.mktemp("registry")) as started:
            yield started
    except BrokerMissing as error:
        pytest.skip(str(error))


def registered(url: str, subject: str, schema: Any, kind: str = "AVRO", **more: Any) -> int:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    content = {"schema": text, "schemaType": kind, **more}
    return int(put(url, f"subjects/{subject}/versions", content)["id"])


def framed(number: int, payload: bytes) -> bytes:
    return struct.pack(">bI", 0, number) + payload


def avro(number: int, schema: Any, row: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(json.loads(json.dumps(schema))), row)
    return framed(number, buffer.getvalue())


def config(url: str, form: str, **event: Any) -> Config:
    return Config.model_validate({"event": {"format": form, **event}, "schema_registry": {"url": url}})


def decode(config: Config, *values: bytes, key: bytes | None = None) -> Any:
    return (
        task_of(config)
        .decoder(read=reader_of(config))
        .decode([MemoryRecord(i, TIME, key, value) for i, value in enumerate(values)])
    )


def test_avro_and_its_evolution(url: str) -> None:
    first, grown, renamed = (registered(url, f"avro-{i}", schema) for i, schema in enumerate((AVRO, GROWN, RENAMED)))
    rows = [
        avro(first, AVRO, {"key": "a", "time": TIME, "value": 1.5}),
        avro(grown, GROWN, {"key": "b", "time": TIME + 1, "value": 2.5, "unit": "F"}),
        avro(renamed, RENAMED, {"key": "c", "time": TIME, "reading": 3.5}),
        avro(first, AVRO, {"key": "d", "time": TIME, "value": None}),
    ]
    found = decode(config(url, "avro"), *rows)
    assert found.keys == ["a", "b", "d"]
    assert found.times.tolist() == [TIME * 1000, (TIME + 1) * 1000, TIME * 1000]
    assert str(found.targets.tolist()) == "[[1.5], [2.5], [nan]]"
    [(record, error)] = found.rejected  # a schema that is not compatible: dead letters that name the field
    assert record.offset == 2
    assert "value" in str(error)


def test_what_the_frame_says_must_be_so(url: str) -> None:
    number = registered(url, "avro-0", AVRO)
    settings = config(url, "avro")
    reasons = [
        str(error)
        for _, error in decode(
            settings, b'{"value": 1}', framed(number, b"\x02"), framed(987654, b"\x02ab"), framed(number, b"\xff" * 9)
        ).rejected
    ]
    assert "not framed" in reasons[0]
    assert f"not what schema {number} says" in reasons[1]
    assert "knows no schema 987654" in reasons[2]
    assert f"schema {number}" in reasons[3]
    good = avro(number, AVRO, {"key": "a", "time": TIME, "value": 1.5})
    [(_, error)] = decode(config(url, "protobuf"), good).rejected
    assert f"schema {number} is avro, and event.format is protobuf" in str(error)


def test_decimals_and_keys_in_avro(url: str) -> None:
    from decimal import Decimal

    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
    schema = {"type": "record", "name": "Row", "fields": [{"name": "value", "type": decimal}]}
    key_schema = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
    key = avro(registered(url, "row-key", key_schema), key_schema, {"id": 42})
    number = registered(url, "row-value", schema)
    found = decode(config(url, "avro"), avro(number, schema, {"value": Decimal("3.25")}), key=key)
    assert (found.keys, found.targets.tolist()) == (["42"], [[3.25]])


def test_protobuf(url: str) -> None:
    number = registered(url, "proto", PROTO, "PROTOBUF")
    file, message_class = compiled(PROTO, [])
    reading = file.message_types_by_name["Reading"]
    message = message_class(reading)(key="p", value=4.5, count=7)
    message.time.FromMilliseconds(TIME)
    second = b"\x02\x02"  # one index, zigzag: the second message of the file
    settings = config(url, "protobuf", targets=["value", "count"])
    found = decode(settings, framed(number, second + message.SerializeToString()))
    assert (found.keys, found.targets.tolist(), found.times.tolist()) == (["p"], [[4.5, 7.0]], [TIME * 1000])
    inner = message_class(reading.nested_types_by_name["Inner"])(key="i", value=1.0)
    nested = decode(config(url, "protobuf"), framed(number, b"\x04\x02\x00" + inner.SerializeToString()))
    assert (nested.keys, nested.targets.tolist()) == (["i"], [[1.0]])
    assert len(decode(settings, framed(number, b"\x63")).rejected) == 1


def test_json_schema(url: str) -> None:
    number = registered(url, "json", JSON_SCHEMA, "JSON")
    found = decode(config(url, "json-schema"), framed(number, b'{"key": "j", "value": 2}'), framed(number, b"{"))
    assert (found.keys, found.targets.tolist(), len(found.rejected)) == (["j"], [[2.0]], 1)


def test_a_schema_that_refers_to_another(url: str) -> None:
    unit = {"type": "enum", "name": "Unit", "namespace": "plant", "symbols": ["C", "F"]}
    registered(url, "unit", unit)
    schema = {
        "type": "record", "name": "Measured", "namespace": "plant",
        "fields": [{"name": "unit", "type": "plant.Unit"}, {"name": "value", "type": "double"}],
    }  # fmt: skip
    whole = {**schema, "fields": [{"name": "unit", "type": unit}, schema["fields"][1]]}
    reference = {"name": "plant.Unit", "subject": "unit", "version": 1}
    number = registered(url, "measured", schema, references=[reference])
    found = decode(config(url, "avro"), avro(number, whole, {"unit": "F", "value": 8.0}))
    assert found.targets.tolist() == [[8.0]], found.rejected


def test_a_registry_that_does_not_answer_stops_the_worker_and_loses_nothing() -> None:
    [port] = free_ports(1)
    silent = Config.model_validate(
        {"event": {"format": "avro"}, "schema_registry": {"url": f"http://127.0.0.1:{port}", "timeout": 1}}
    )
    with pytest.raises(RegistryUnavailable, match=r"schema_registry\.url"):
        decode(silent, framed(1, b"\x02ab"))


def test_a_format_needs_its_registry() -> None:
    with pytest.raises(ValueError, match=r"event\.format is avro: set schema_registry\.url"):
        Config.model_validate({"event": {"format": "avro"}})


def test_a_schema_that_is_not_compatible_is_refused(url: str) -> None:
    put(url, "config", {"compatibility": "BACKWARD"}, "PUT")
    client = SchemaRegistry(config(url, "avro").schema_registry)
    number = client.register("out-value", json.dumps(AVRO), "AVRO")
    assert client.register("out-value", json.dumps(AVRO), "AVRO") == number
    assert client.register("out-value", json.dumps(GROWN), "AVRO") != number
    with pytest.raises(ConfigurationError, match="not compatible"):
        client.register("out-value", json.dumps({**AVRO, "fields": [{"name": "new", "type": "string"}]}), "AVRO")


def test_framed_input_over_the_broker_restarted_in_between(url: str, pipeline: Callable[..., Pipeline]) -> None:
    """The fold over framed records, in two runs with a replay, is that over one."""
    number = registered(url, "avro-0", AVRO)
    made = pipeline(1)
    [partition] = made.partitions
    rows = [avro(number, AVRO, {"key": "a", "time": TIME + i * 60_000, "value": float(i % 7)}) for i in range(40)]
    made.feed(0, [(None, row) for row in rows])
    settings = config(url, "avro")
    decoder = task_of(settings).decoder(read=reader_of(settings))
    with made.connector(max_poll_records=25) as connector:
        take_over(connector)
        first = take(connector, 25)[partition][:25]
        connector.commit(echo({partition: first}))
    with made.connector() as connector:
        take_over(connector)
        replayed = [record for some in connector.replay(partition, 0, 25) for record in some]
        rest = take(connector, 15)[partition]
    whole = decoder.decode([*replayed, *rest])
    assert whole.targets[:, 0].tolist() == [float(i % 7) for i in range(40)]
    assert whole.keys[:25] == decoder.decode(first).keys
    assert [record.offset for record in whole.records] == list(range(40))


def test_forecasts_are_framed_with_their_registered_schema(url: str, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    settings = Config.model_validate(
        {"output": {"format": "json-schema"}, "schema_registry": {"url": url}, "kafka": made.config.model_dump()}
    )
    made.feed(0, [(b"k", b'{"value": 1}')])
    connector = KafkaConnector(
        made.config, application_id=made.application_id, changelog_topic=made.changelog, framed=framer_of(settings)
    )
    with connector:
        take_over(connector)
        connector.commit(echo(take(connector, 1)))
    [value] = made.outputs()[0]
    assert value is not None
    magic, number = struct.unpack_from(">bI", value)
    assert (magic, value[5:]) == (0, b'0:{"value": 1}')
    with urllib.request.urlopen(f"{url}/subjects/{made.config.output_topic}-value/versions/1") as answer:
        found = json.load(answer)
    assert (found["id"], found["schemaType"]) == (number, "JSON")
    assert json.loads(found["schema"])["title"] == "ForecastRecord"


@pytest.mark.parametrize("form", ["avro", "protobuf"])
def test_forecasts_are_written_as_registered(url: str, client: Client, form: str) -> None:
    """What a consumer of that format reads of a forecast is what plain JSON says."""
    topic = client.unique("forecasts")
    settings = Config.model_validate(
        {"output": {"format": form}, "schema_registry": {"url": url}, "kafka": {"output_topic": topic}}
    )
    framed = framer_of(settings)
    assert framed is not None
    plain = {
        "key": "k",
        "time": "2026-01-01T00:00:00Z",
        "source": {"topic": "events", "partition": 0, "offset": 7},
        "targets": {"value": {"observed": 1.5, "expected": None, "forecast": [{"step": 1, "mean": 2.5}]}},
        "anomaly": {"score": 0.25, "is_anomaly": True},
    }
    value = framed(topic, json.dumps(plain).encode())
    assert framed(topic, json.dumps(plain).encode()) == value
    assert framed("another topic", b"{}") == b"{}"
    found = SchemaRegistry(settings.schema_registry).reader(form)(value)
    assert (found["key"], found["targets"]["value"]["observed"]) == ("k", 1.5)
    assert found["targets"]["value"].get("expected") is None
    assert found["targets"]["value"]["forecast"][0]["mean"] == 2.5
    assert found["anomaly"]["is_anomaly"] is True
    with urllib.request.urlopen(f"{url}/subjects/{topic}-value/versions/1") as answer:
        assert json.load(answer).get("schemaType", "AVRO") == form.upper()  # which Avro need not say
    # The same schema again is the same id: a restart registers nothing anew.
    again = framer_of(settings)
    assert again is not None
    assert again(topic, json.dumps(plain).encode()) == value
