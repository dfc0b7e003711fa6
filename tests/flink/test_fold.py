"""What a task of Flink does, without one: bundles, failures, another parallelism; and the job as text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamrnn.config.loading import load
from streamrnn.errors import ConfigurationError, StreamRNNError
from streamrnn.flink.fold import ALERT, DEAD_LETTER, FORECAST, KeyOf, SeriesFold, packed, unpacked
from streamrnn.flink.job import CONNECTOR, Plan, check, flink_settings, insertion, shipped, tables
from streamrnn.records.log import Message
from streamrnn.runtime.stepper import StepEvent
from streamrnn.runtime.task import make_decoder
from tests.stepping.test_stepper import of, placed, run, spoiled
from tests.streams import stream

ROOT = Path(__file__).parent.parent.parent


class Checkpointed:
    """Managed state: what was put since the last checkpoint is lost with the task."""

    def __init__(self) -> None:
        self.durable: dict[str, bytes] = {}
        self.now: dict[str, bytes] = {}
        self.puts = 0

    def get(self, key: str) -> bytes | None:
        return self.now.get(key)

    def put(self, key: str, state: bytes) -> None:
        self.puts += 1
        self.now[key] = state

    def checkpoint(self) -> None:
        self.durable = dict(self.now)

    def fail(self) -> None:
        self.now = dict(self.durable)


def by_key(messages: Sequence[Message]) -> dict[bytes, list[bytes | None]]:
    found: dict[bytes, list[bytes | None]] = {}
    for message in messages:
        found.setdefault(message.key or b"", []).append(message.value)
    return found


@pytest.mark.parametrize(("held", "most"), [(0, 1), (0, 10), (1, 1), (3, 10), (100, 1), (100, 1000)])
def test_bundles_failures_and_another_parallelism_change_no_byte(held: int, most: int) -> None:
    config = check(of("warnings, explained"))
    events = placed(spoiled(stream(config, 400, late=0.05)))
    forecasts, alerts, letters = run(config, events)
    chance, key_of, states = random.Random(held), KeyOf(config), Checkpointed()
    folds = [SeriesFold(config, states, held) for _ in range(2)]
    committed: list[tuple[str, Message]] = []
    pending: list[tuple[str, Message]] = []
    at = begun = failures = 0
    while begun < len(events):
        if at < len(events):
            key = key_of(events[at])
            fold = folds[sum(key.encode()) % len(folds)]
            if fold.add(key, events[at]) >= most:
                pending += fold.answers()
            at += 1
        if at == len(events) or chance.random() < 0.05:  # a bundle ends, and a barrier passes
            for fold in folds:
                pending += fold.answers()
                fold.commit()
            states.checkpoint()
            committed += pending
            pending, begun = [], at
        elif failures < 5 and chance.random() < 0.05:
            failures += 1
            states.fail()
            pending, at = [], begun
            folds = [SeriesFold(config, states, held) for _ in range(chance.choice((1, 2, 4)))]
    for kind, expected in ((FORECAST, forecasts), (ALERT, alerts), (DEAD_LETTER, letters)):
        assert by_key([message for told, message in committed if told == kind]) == by_key(expected)
    assert failures
    if held == 100:
        assert states.puts < 200  # a hot key is not encoded for every event


def test_an_event_at_another_key_is_not_folded() -> None:
    config, states = check(of("lite")), Checkpointed()
    fold = SeriesFold(config, states)
    fold.add("b", StepEvent(b'{"key":"a","time":0,"value":1}'))
    with pytest.raises(StreamRNNError, match="'a' was sent to the task of another key"):
        list(fold.answers())


def test_a_bundle_does_not_end_before_its_answers() -> None:
    fold = SeriesFold(check(of("lite")), Checkpointed())
    fold.add("a", StepEvent(b'{"key":"a","time":0,"value":1}'))
    with pytest.raises(StreamRNNError, match="1 events would be lost"):
        fold.commit()


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'{"key":"a","time":0,"value":1}', None), (b'{"key":7,"time":0,"value":1}', b"m"),
        (b'{"key":1.50,"time":0,"value":1}', None), (b'{"key":1e400,"time":0,"value":1}', None),
        (b'{"key":null,"time":0,"value":1}', b"m"), (b'{"time":0,"value":1}', b"m"), (b'{"time":0,"value":1}', None),
        (b'{"key":"a","time":0,"value":1,"key":"b"}', None), (b'{"k\\u0065y":"a","time":0,"value":1}', b"m"),
        (b'{"key":"\\u00e4","time":0,"value":1}', None), ('{"key":"π","time":0,"value":1}'.encode(), None),
        (b'{"key":"","time":0,"value":1}', b"m"), (b'{"key":"a b/c\\\\","time":0,"value":1}', None),
    ],
)  # fmt: skip
def test_the_key_is_the_decoders(value: bytes, key: bytes | None) -> None:
    config = check(of("lite"))
    event = StepEvent(value, key)
    assert [KeyOf(config)(event)] == make_decoder(config).decode([event]).keys


@pytest.mark.parametrize("value", [None, b"", b"{", b"[1]", b"\xff", b'{"key":[]}', b'{"key":true,"time":0,"value":1}'])
def test_what_has_no_key_goes_anywhere_as_a_dead_letter(value: bytes | None) -> None:
    config, states = check(of("lite")), Checkpointed()
    event = StepEvent(value, b"\xff")
    key = KeyOf(config)(event)
    fold = SeriesFold(config, states)
    fold.add(key, event)
    assert [kind for kind, _ in fold.answers()] == [DEAD_LETTER]
    assert states.puts == 0


@pytest.mark.parametrize(
    "event",
    [
        StepEvent(None),
        StepEvent(b"", b"", 0, 0, "", 0),
        StepEvent(
            bytes(range(256)), b"\xff\0", -(2**62), 2**62, "π", 2**31 - 1, (("a", b""), ("a", b"\0"), ("ä", b"x"))
        ),
        StepEvent(b"[" * 100_000, None, None, 7, "t", 1, (("none", None),)),  # type: ignore[arg-type]
    ],
)
def test_an_event_goes_over_the_bridge_as_it_is(event: StepEvent) -> None:
    assert unpacked(packed(event)) == event


def job(**settings: Any) -> Any:
    return load(None, {name.replace("__", "."): value for name, value in settings.items()}, {})


def test_the_job_reads_and_writes_what_the_configuration_says() -> None:
    config = check(
        job(application_id="app", kafka__input_topics=["a", "b"], kafka__alerts_topic="alarms", kafka__start="latest")
    )
    made = tables(config)
    assert made.keys() == {"events", "forecasts", "alerts", "dead_letters"}
    assert "'topic' = 'a;b'" in made["events"]
    assert "'scan.startup.mode' = 'latest-offset'" in made["events"]
    assert "'properties.isolation.level' = 'read_committed'" in made["events"]
    assert "'topic' = 'forecasts-dead-letters'" in made["dead_letters"]
    assert "'sink.transactional-id-prefix' = 'app-alerts'" in made["alerts"]
    assert "'properties.transaction.timeout.ms' = '900000'" in made["alerts"]
    assert "TO_TIMESTAMP_LTZ(`timestamp`, 3)" in insertion(config, "alerts")
    once = tables(check(job(kafka__delivery="at-least-once", kafka__record_time="processing")))["forecasts"]
    assert "transactional" not in once
    assert "timestamp" not in once
    moment = tables(check(job(kafka__start="2026-01-01T00:00:00Z")))["events"]
    assert "'scan.startup.timestamp-millis' = '1767225600000'" in moment


def test_secrets_go_to_the_connector_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    config = check(
        job(
            kafka__security_protocol="SASL_SSL", kafka__sasl_mechanism="SCRAM-SHA-512", kafka__sasl_username="alice",
            kafka__sasl_password="pa\"s's", kafka__ssl_cafile=str(tmp_path / "ca.pem"),
        )
    )  # fmt: skip
    assert r"""ScramLoginModule required username="alice" password="pa\"s''s";""" in tables(config)["events"]
    assert "alice" not in shipped(config)
    assert "kafka" not in json.loads(shipped(config))
    assert check(load(None, json.loads(shipped(config)), {})).model == config.model


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model__weights": "partition"}, "model.weights"),
        ({"output__format": "json-schema", "schema_registry__url": "http://r"}, "output.format"),
        ({"connector__name": "counter"}, "connector.name counter"),
    ],
)
def test_what_flink_cannot_do_is_refused_before_anything_is_submitted(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check(job(**settings))


def test_the_plan_becomes_settings_of_flink(tmp_path: Path) -> None:
    plan = Plan(parallelism=4, checkpoints="s3://b/c", job_manager="flink:8081", jars=[str(tmp_path / "a b.jar")])
    found = flink_settings(plan._replace(savepoint="s3://b/c/sp"))
    assert found["parallelism.default"] == "4"
    assert found["execution.checkpointing.interval"] == "10000 ms"
    assert found["rest.port"] == "8081"
    assert found["pipeline.jars"] == (tmp_path / "a b.jar").as_uri()
    assert found["execution.state-recovery.path"] == "s3://b/c/sp"
    with pytest.raises(ConfigurationError, match="no host:port"):
        flink_settings(Plan(job_manager="flink"))


def test_what_is_deployed_names_the_versions_and_options_that_there_are() -> None:
    from streamrnn.app.cli import cli

    _, name, version = CONNECTOR.split(":")
    image = (ROOT / "deploy" / "flink" / "Dockerfile").read_text()
    assert f"/{name}/{version}/{name}-{version}.jar" in image
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "flink" / "deployment.yaml").read_text()))
    [session] = [one for one in documents if one["kind"] == "FlinkDeployment"]
    assert session["apiVersion"] == "flink.apache.org/v1beta1"
    assert session["spec"]["flinkVersion"].replace("_", ".").lstrip("v") in image
    options = {option for parameter in cli.commands["flink-job"].params for option in parameter.opts}
    [submitting] = [one for one in documents if one["kind"] == "Job"]
    used = submitting["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {word for word in used if re.match(r"--\w", word)} <= options
