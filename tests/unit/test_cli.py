from __future__ import annotations

import gc
import io
import json
import signal
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from streamrnn.app.cli import cli
from streamrnn.config.tree import Config
from streamrnn.records.alerts import AlertRecord
from streamrnn.records.forecasts import ForecastRecord
from tests.inside import Inside

COMMANDS = sorted(cli.commands)


def test_the_commands_of_the_contract_are_there() -> None:
    assert {"run", "demo", "produce", "check", "inspect", "reset", "schema"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(inside: Inside, command: str) -> None:
    for flag in ("--help", "-h"):
        ended = inside(command, flag)
        assert ended.code == 0
        assert f"  streamrnn {command}" in ended.out
    assert all(option.help for option in cli.commands[command].params if isinstance(option, click.Option))


def test_help_and_version(inside: Inside) -> None:
    assert inside("--version").out.startswith("streamrnn, version ")
    ended = inside("--help")
    assert ended.code == 0
    for command in COMMANDS:
        assert f"  {command}" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["run", "--nonsense"],
        ["run", "--input", "x"],
        ["run", "--output", "x"],
        ["run", "--dead-letters", "x"],
        ["run", "--alerts", "x"],
        ["schema", "nonsense"],
        ["demo", "--duration", "0"],
        ["demo", "--duration", "soon"],
        ["produce", "missing.csv"],
        ["produce"],
        ["reset"],
        ["reset", "--to", "sometime"],
        ["check", "--set", "nonsense"],
        ["check", "--set", "model.horizn=1"],
        ["check", "--set", "model.horizon=x"],
        ["check", "--config", "missing.yaml"],
        ["run", "--config", "missing.yaml"],
        ["demo", "--set", "kafka.security_protocol=SASL_SSL"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_no_traceback(
    inside: Inside, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = inside(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert ended.err.strip()


def test_a_failure_exits_with_1_and_one_line(inside: Inside, tmp_path: Path) -> None:
    ended = inside("run", "--input", tmp_path / "missing.csv", "--output", tmp_path / "out")
    assert ended.code == 1
    assert ended.err == f"streamrnn: cannot read {tmp_path / 'missing.csv'}: No such file or directory\n"


def test_check_prints_the_whole_configuration_without_secrets(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("kafka: {sasl_mechanism: PLAIN, sasl_username: me, input_topic: a}\nmodel: {horizon: 2}\n")
    monkeypatch.setenv("STREAMRNN__KAFKA__SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("STREAMRNN__MONITOR__TOKEN", "hunter2")
    monkeypatch.setenv("STREAMRNN__MODEL__HORIZON", "3")
    monkeypatch.setenv("STREAMRNN__MODEL__SEED", "5")
    ended = inside("check", "--config", file, "--set", "model.horizon=4")
    assert ended.code == 0
    assert "hunter" not in ended.out + ended.err
    shown = yaml.safe_load(ended.out)
    assert shown["kafka"]["sasl_password"] == shown["monitor"]["token"] == "**********"
    assert (shown["model"]["horizon"], shown["model"]["seed"], shown["kafka"]["input_topic"]) == (4, 5, "a")
    assert set(shown) == set(Config.model_fields)


def test_what_check_prints_is_a_configuration(inside: Inside, tmp_path: Path) -> None:
    first = inside("check", "--set", "state.series_ttl=7d", "--set", "event.targets=[a]")
    (tmp_path / "again.yaml").write_text(first.out)
    assert inside("check", "--config", tmp_path / "again.yaml") == first


def test_flags_win_over_set_and_environment(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMRNN__EVENT__TARGETS", "[a]")
    rows = b"time,a,b,c\n0,1,2,3\n60,2,3,4\n"
    assert set(inside.forecast(rows).records[0]["targets"]) == {"a"}
    assert set(inside.forecast(rows, "--set", "event.targets=[b]").records[0]["targets"]) == {"b"}
    both = inside.forecast(rows, "--set", "event.targets=[b]", "--target", "c", "--target", "a")
    assert set(both.records[0]["targets"]) == {"a", "c"}


def test_whoever_calls_a_command_keeps_the_handlers_of_signals(inside: Inside) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), gc.get_threshold()
    assert inside("schema", "alert").code == 0
    assert inside("check", "--set", "nothing=1").code == 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), gc.get_threshold()) == before


def test_all_problems_are_shown_at_once(inside: Inside) -> None:
    ended = inside("check", "--set", "model.horizon=x", "--set", "kafka.nonsense=1", "--set", "log.level=loud")
    assert ended.code == 2
    assert "has 3 problems" in ended.err


@pytest.mark.parametrize("contract", ["event", "forecast", "alert", "dead-letter", "config"])
def test_schemas_are_json(inside: Inside, contract: str) -> None:
    ended = inside("schema", contract)
    assert ended.code == 0
    assert json.loads(ended.out)["properties"]


def test_the_schema_of_the_configuration_documents_every_field(inside: Inside) -> None:
    schema = json.loads(inside("schema", "config").out)
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["additionalProperties"] is False
    for name in ("EventConfig", "ModelConfig", "StateConfig", "MonitorConfig", "AnomalyConfig"):
        described = [field for field in schema["$defs"][name]["properties"].values() if "description" in field]
        assert len(described) >= len(schema["$defs"][name]["properties"]) - 1, name


def test_the_schema_of_the_event_follows_the_configuration(inside: Inside) -> None:
    schema = json.loads(inside("schema", "event", "--set", "event.targets=[a, b]", "--set", "event.time=t").out)
    assert set(schema["properties"]) == {"key", "t", "a", "b"}


def conforms(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """The part of JSON Schema that our schemas use, and nothing else."""
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return any(conforms(value, one, root) for one in schema["anyOf"])
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
        "null": type(None),
    }  # fmt: skip
    kind = schema["type"]
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind in ("number", "integer")):
        return False
    if kind == "object":
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        return set(schema.get("required", ())) <= set(value) and all(
            conforms(item, known[name], root) if name in known else other is True or conforms(item, other, root)
            for name, item in value.items()
        )
    if kind == "array":
        return all(conforms(item, schema["items"], root) for item in value)
    if kind in ("number", "integer"):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def test_what_is_written_is_what_the_schemas_say(inside: Inside) -> None:
    rows = (
        "".join(f"{60 * i},{i % 5 if i % 150 else 99},{'' if i % 7 == 0 else i % 9}\n" for i in range(600)) + "x,y,z\n"
    )
    path = inside.folder / "alerts"
    settings = ("model.horizon=2", "anomaly.threshold=0.1", "anomaly.warn_at=0.1")
    more = (part for setting in settings for part in ("--set", setting))
    done = inside.forecast(f"time,a,b\n{rows}".encode(), "--alerts", path, *more)
    alerts = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert {alert["kind"] for alert in alerts} == {"anomaly", "warning"}
    assert any(record["anomaly"]["is_anomaly"] for record in done.records)
    for contract, documents in (("forecast", done.records), ("alert", alerts), ("dead-letter", done.letters)):
        schema = json.loads(inside("schema", contract).out)
        assert documents
        assert all(conforms(document, schema, schema) for document in documents)
        assert not conforms({**documents[0], next(iter(documents[0])): []}, schema, schema)
    for record in done.records:
        ForecastRecord.model_validate(record)
    for alert in alerts:
        AlertRecord.model_validate(alert)


def test_a_run_ends_with_a_summary_unless_quiet(inside: Inside) -> None:
    rows = b"time,value\n" + b"".join(b"%d,%d\n" % (60 * i, i % 3) for i in range(20)) + b"bad\n"
    err = inside.forecast(rows).err
    for words in ("20 events in", "MAE", "skill", "coverage", "dead letters: 1"):
        assert words in err
    assert inside.forecast(rows, "--quiet").err == ""


def test_state_can_be_inspected_and_reset(inside: Inside, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert inside("inspect", "--state", state).code == 1
    assert inside("reset", "--state", state, "--yes").code == 1
    rows = b"time,key,value\n" + b"".join(b"%d,s%d,%d\n" % (60 * i, i % 3, i % 5) for i in range(40))
    first = inside.forecast(rows, "--state", state)
    ended = inside("inspect", "--state", state, "--json")
    assert ended.code == 0
    (row,) = json.loads(ended.out)
    assert (row["offset"], row["snapshot_offset"], row["series"], row["events"]) == (40, 40, 3, 40)
    assert len(row["digest"]) == 32
    assert row["bytes"] > 3 * row["bytes_per_series"] > 0
    assert "digest" in inside("inspect", "--state", state).out
    assert inside.forecast(rows, "--state", state).bytes == first.bytes
    assert inside("reset", "--state", state, "--yes").code == 0
    assert inside("inspect", "--state", state).code == 1
    again = inside.forecast(rows, "--state", state)
    assert again.bytes == first.bytes
    assert json.loads(inside("inspect", "--state", state, "--json").out)[0]["digest"] == row["digest"]


def test_reset_asks_first(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    inside.forecast(b"time,value\n0,1\n", "--state", state)
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert inside("reset", "--state", state).code != 0
    assert inside("inspect", "--state", state).code == 0
