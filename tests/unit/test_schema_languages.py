"""Output records in Avro and Protobuf: what goes in comes out."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from streamrnn.records.alerts import AlertRecord
from streamrnn.records.forecasts import ForecastRecord
from streamrnn.records.schema_languages import avro, protobuf
from tests.inside import Inside

FIELDS = "time,a,b\n" + "".join(
    f"2024-01-{1 + at // 24:02} {at % 24:02}:00,{(at * 37 % 101) / 8},{'' if at % 5 == 3 else at % 24}\n"
    for at in range(300)
)
SETTINGS = (
    "--set", "model.horizon=3", "--set", "model.levels=[0.5,0.9]", "--set", "anomaly.explain=true",
    "--set", "anomaly.limits={a: {upper: 14}}", "--set", "anomaly.warn_at=0.5",
)  # fmt: skip


@pytest.fixture
def records(inside: Inside) -> list[dict[str, Any]]:
    """Forecasts with everything that there may be in them."""
    return inside.forecast(FIELDS.encode(), *SETTINGS).records


def test_avro_and_back(records: list[dict[str, Any]]) -> None:
    fastavro = pytest.importorskip("fastavro", reason="pip install 'streamrnn[registry]'")
    schema = fastavro.parse_schema(avro(ForecastRecord.model_json_schema()))
    for record in records:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, record)
        found = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema, None)
        assert _known(found) == _known(record)
    assert fastavro.parse_schema(avro(AlertRecord.model_json_schema()))


def test_protobuf_and_back(records: list[dict[str, Any]]) -> None:
    pytest.importorskip("grpc_tools", reason="pip install 'streamrnn[registry]'")
    from google.protobuf.json_format import MessageToDict, ParseDict

    from streamrnn.connectors.schema_registry import compiled

    text, fitted = protobuf(ForecastRecord.model_json_schema())
    file, message_class = compiled(text, [])
    make = message_class(next(iter(file.message_types_by_name.values())))
    assert next(iter(file.message_types_by_name)) == "ForecastRecord"
    for record in records:
        sent = ParseDict(fitted(record), make()).SerializeToString(deterministic=True)
        assert sent == ParseDict(fitted(json.loads(json.dumps(record))), make()).SerializeToString(deterministic=True)
        message = make()
        message.ParseFromString(sent)
        found = MessageToDict(message, preserving_proto_field_name=True)
        assert _known(_numbers(found)) == _known(_numbers(fitted(record)))
    compiled(protobuf(AlertRecord.model_json_schema())[0], [])


def _known(value: Any) -> Any:
    """Without what is null, false or empty: none of them is written."""
    if isinstance(value, dict):
        return {name: found for name, one in value.items() if (found := _known(one)) not in (None, False, {}, [])}
    if value == [None, None]:
        return []
    return [_known(one) for one in value] if isinstance(value, list) else value


def _numbers(value: Any, name: str = "") -> Any:
    """64-bit integers are text in Protobuf's JSON, and a number that is zero and not optional is left out."""
    if isinstance(value, dict):
        return {key: found for key, one in value.items() if (found := _numbers(one, key)) != 0 or "e" in key}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    if isinstance(value, str) and value.isdigit() and name in ("offset", "partition", "step", "alert"):
        return int(value) or None
    return (
        None if value == 0 and not isinstance(value, bool) and name in ("offset", "partition", "probability") else value
    )
