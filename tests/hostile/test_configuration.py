"""Configurations that nobody should write: one sentence each, no secret in it, no trace, no endless wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamrnn.config.loading import SECRETS, load, parse_set
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from tests.commands import Streamrnn

SECRET = "hunter2-gh&!*%@"


def loaded(text: str, folder: Path, environment: dict[str, str] | None = None) -> Config:
    file = folder / "pipeline.yaml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return load(file, None, environment or {})


def refusal(text: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        loaded(text, folder, environment)
    message = str(caught.value)
    assert message.isprintable() or "\n  - " in message
    return message


def test_the_secrets_are_known() -> None:
    assert {".".join(path) for path in SECRETS} == {
        "kafka.sasl_password", "kafka.ssl_keyfile_password", "monitor.token", "prometheus.token",
        "schema_registry.password",
    }  # fmt: skip


PASSWORDS = [
    "123456", "0123", "1e3", "true", "2026-01-01", "a: b", "x\n  input_topic: stolen", "- a", "{a: b}", "'", '"', "#1",
    "&a", "*a", "!x y", "%", "@", "`", "|", ">", "[", "null-ish", " inner space ", "${OTHER}", "\u2028", "π🔑", "\\n",
]  # fmt: skip


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_the_text_it_is(password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PASSWORD", password)
    texts = (
        "kafka:\n  sasl_password: ${TEST_PASSWORD}\n",
        "kafka: {sasl_password: ${TEST_PASSWORD}}\n",
        'kafka:\n  sasl_password: "${TEST_PASSWORD}" # not ${THIS}\n',
    )
    configs = [loaded(text, tmp_path) for text in texts]
    configs.append(load(None, None, {"STREAMRNN__KAFKA__SASL_PASSWORD": password}))
    for config in configs:
        assert config.kafka.sasl_password is not None
        assert config.kafka.sasl_password.get_secret_value() == password
        assert config.kafka.input_topic == "events"


@pytest.mark.parametrize("text", ["123456", "0123", "0x1F", "1e3", "yes", "2026-01-01", ".5"])
def test_a_password_in_the_file_is_not_parsed_either(text: str, tmp_path: Path) -> None:
    found = loaded(f"kafka:\n  sasl_password: {text}\n", tmp_path).kafka.sasl_password
    assert found is not None
    assert found.get_secret_value() == text


def test_a_variable_brings_no_key_and_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_NAME", "x\n  output_topic: stolen\nmodel: {horizon: 9}")
    config = loaded("kafka:\n  client_id: ${TEST_NAME}\n", tmp_path)
    assert config.kafka.output_topic == "forecasts"
    assert config.model.horizon == 1
    monkeypatch.setenv("TEST_NAME", "[a, b]")
    assert "event.targets" in refusal("event:\n  targets: ${TEST_NAME}\n", tmp_path)
    assert loaded("event:\n  targets: ['${TEST_NAME}']\n", tmp_path).event.targets == ("[a, b]",)


BROKEN = [
    "kafka:\n  sasl_password: {secret}: x\n",
    "kafka:\n  sasl_password: '{secret}\n",
    'kafka:\n  sasl_password: "{secret}\\q"\n',
    "kafka:\n  sasl_password: *{secret}\n",
    "kafka:\n  sasl_password: !{secret} x\n",
    "kafka:\n  sasl_password: !!python/object:{secret} x\n",
    "kafka:\n  sasl_password: [{secret}\n",
    "kafka:\n  sasl_password: @{secret}\n",
    "kafka:\n  sasl_password: ['{secret}']\n",
    "kafka:\n  sasl_password: {{a: '{secret}'}}\n",
    "kafka: sasl_password={secret}\n",
    "kafka:\n  sasl_password: '{secret}'\n\tx: 1\n",
    "kafka:\n  sasl_password: '{secret}\x00'\n",
    "kafka:\n  sasl_password: '{secret}'\n  nonsense: 1\n",
    "monitor:\n  port: 1\n  token: ['{secret}']\n",
    "- '{secret}'\n",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_breaks_the_file_is_named_by_line_and_no_secret_is_shown(text: str, tmp_path: Path) -> None:
    message = refusal(text.replace("{secret}", SECRET).replace("{{", "{").replace("}}", "}"), tmp_path)
    assert "hunter2" not in message
    assert "pipeline.yaml" in message


def test_a_wrong_value_is_named_with_its_line(tmp_path: Path) -> None:
    message = refusal("# first\nmodel:\n  horizon: 24\n  cell: gruu\nstate:\n\n  nonsense: 1\n", tmp_path)
    assert "(line 4)" in message
    assert "(line 7)" in message


@pytest.mark.parametrize(
    "assignment", ["kafka.sasl_password=hunter2", "monitor.token=hunter2", " monitor.token =hunter2"]
)
def test_a_secret_on_the_command_line_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigurationError, match=r"STREAMRNN__(KAFKA__SASL_PASSWORD|MONITOR__TOKEN)") as caught:
        parse_set(assignment)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["monitor:\n  token:\n", "monitor: {token: null}", "monitor: {token: ''}", "monitor: {token: ~}"]
)
def test_an_empty_secret_is_refused(text: str, tmp_path: Path) -> None:
    assert "monitor.token: is empty" in refusal(text, tmp_path)


def test_an_empty_variable_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "")
    assert "monitor.token: is empty" in refusal("monitor: {token: ${TEST_TOKEN}}", tmp_path)
    assert "monitor.token: is empty" in refusal("monitor: {port: 1}", tmp_path, {"STREAMRNN__MONITOR__TOKEN": " "})


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MONSTERS: dict[str, Any] = {
    "aliases of aliases": LAUGHS,
    "an alias of itself": "model: &a\n  b: *a\n",
    "a list in itself": "a: &a [*a]",
    "brackets": "model: " + "[" * 1500,
    "closed brackets": "model: " + "[" * 1500 + "]" * 1500,
    "braces": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
    "indents": "".join(" " * i + "a:\n" for i in range(300)),
    "a date that is none": "state:\n  series_ttl: 2026-99-99\n",
    "a number of a million digits": "model:\n  horizon: " + "9" * 200_000,
    "an octal of many digits": "model:\n  horizon: 0b" + "1" * 200_000,
    "a key that is a list": "? [a]\n: 1\n",
    "a key that is a mapping": "{a: b}: 1\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "merge of nonsense": "<<: 5\n",
    "no text": "\udcff\udcfe",
    "large": "#" * (1 << 20),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_monsters_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    message = refusal(MONSTERS[name], tmp_path)
    assert len(message) < 2000
    assert "Traceback" not in message


@pytest.mark.parametrize(
    "text", ["[" * 1500, LAUGHS, "9" * 100_000, "2026-99-99", "&a [*a]", "!!python/name:os.system x"]
)
def test_the_environment_and_the_command_line_are_no_better(text: str) -> None:
    with pytest.raises(ConfigurationError):
        load(None, None, {"STREAMRNN__MODEL__HORIZON": text})
    with pytest.raises(ConfigurationError):
        load(None, dict([parse_set(f"model.horizon={text}")]), {})


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nonexistent/x.yaml", "a\x00b", "/etc/hostname/x", "x" * 5000])
def test_a_file_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="configuration file"):
        load(Path(path), None, {})


DURATIONS = [
    "state.snapshot_interval",
    "state.series_ttl",
    "kafka.broker_timeout",
    "monitor.stall_timeout",
    "labels.label_ttl",
]


@pytest.mark.parametrize("path", DURATIONS)
@pytest.mark.parametrize("value", ["1e300d", "1e-300s", "101000d", "9" * 400 + "w", "1e400", "1e308w"])
def test_absurd_durations_are_refused(path: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=path):
        load(None, {path: value}, {})


def test_an_undecodable_name_is_refused_in_a_sentence(streamrnn: Streamrnn) -> None:
    for name in (b"\xff\xfe.yaml", b"a\nb.yaml", b""):
        done = streamrnn("check", "--config", name.decode("utf-8", "surrogateescape"))
        assert done.code == 2
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "kafka:\n  input_topic: a\n  output_topic: b\n  input_topic: c\n",
            "kafka.input_topic twice, in lines 2 and 4",
        ),
        ("model:\n  horizon: 3\nstate: {}\nmodel:\n  horizon: 4\n", "has model twice, in lines 1 and 4"),
        ("kafka: {sasl_password: hunter2, sasl_password: hunter2}", "kafka.sasl_password twice"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """YAML lets the last one win, and nobody sees which."""
    message = refusal(text, tmp_path)
    assert said in message
    assert "hunter2" not in message


def test_an_alias_is_no_second_key(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("event: {targets: &names [a, b]}\nanomaly: {}\nmonitor: {series: *names}\n")
    assert load(file, None, {}).monitor.series == ("a", "b")


def test_a_default_as_a_shell_writes_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the topic `-events`, or minus twelve."""
    message = refusal("kafka: {input_topic: '${TOPIC:-hunter2}'}", tmp_path)
    assert "${TOPIC:-...}" in message
    assert "hunter2" not in message
    monkeypatch.setenv("TOPIC", "set")  # the same with the variable as without
    assert "${TOPIC:-...}" in refusal("kafka: {input_topic: '${TOPIC:-hunter2}'}", tmp_path)
    file = tmp_path / "pipeline.yaml"
    file.write_text("event: {minimum: {value: '${LEAST: -5}'}}\n")
    assert load(file, None, {}).event.minimum == {"value": -5.0}


@pytest.mark.parametrize(
    ("text", "seconds"), [("5 minutes", 300.0), ("1 hour", 3600.0), ("2days", 172800.0), ("'90'", 90.0), ("090", 90.0)]
)
def test_durations_are_what_they_seem(text: str, seconds: float, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"state:\n  snapshot_interval: {text}\n")
    assert load(file, None, {}).state.snapshot_interval == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [("1:30", "'1:30' is not a duration"), ("5 minuts", "did you mean 5 minutes?"), ("3 x", "for example")],
)
def test_durations_that_are_none_are_refused(text: str, said: str, tmp_path: Path) -> None:
    """`1:30` is ninety to YAML 1.1, and an hour and a half to whoever wrote it."""
    assert said in refusal(f"state:\n  snapshot_interval: {text}\n", tmp_path)


@pytest.mark.parametrize(
    "setting", ["input_topic", "output_topic", "alerts_topic", "dead_letter_topic", "changelog_topic"]
)
def test_a_name_that_no_topic_can_have_is_refused(setting: str) -> None:
    for name in ("a b", "a/b", "", "ä", "x" * 250, ".."):
        with pytest.raises(ConfigurationError, match=f"{setting}: is no name of a topic"):
            load(None, {f"kafka.{setting}": name}, {})


def test_a_variable_with_one_underscore_is_named(caplog: pytest.LogCaptureFixture) -> None:
    environment = {"STREAMRNN_MODEL_HORIZON": "3", "STREAMRNN_MONITOR_PORT": "tcp://10.0.0.1:80", "STREAMRNN_TAG": "x"}
    assert load(None, None, environment).model.horizon == 1
    [record] = caplog.records
    assert "STREAMRNN_MODEL_HORIZON in the environment is not read" in record.message
    assert "STREAMRNN__MODEL__HORIZON" in record.message
