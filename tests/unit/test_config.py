from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.kafka import KafkaConfig
from streamrnn.config.loading import load, parse_set
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError


def problems(overrides: dict[str, Any] | None = None, text: str | None = None, folder: Path | None = None) -> str:
    """The message of a configuration that must be refused."""
    file = None
    if text is not None and folder is not None:
        file = folder / "pipeline.yaml"
        file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, overrides, {})
    return str(caught.value)


def test_the_defaults_are_valid_and_need_nothing() -> None:
    assert load(None, None, {}) == Config()
    assert load(None, None, {}).changelog == "streamrnn-changelog"
    assert load(None, None, {}).kafka.dead_letters == "forecasts-dead-letters"


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("model: {horizon: 2, hidden_size: 20, seed: 9}\n")
    environment = {"STREAMRNN__MODEL__HORIZON": "3", "STREAMRNN__MODEL__HIDDEN_SIZE": "30", "PATH": "/bin"}
    config = load(file, {"model.horizon": 4}, environment)
    assert (config.model.horizon, config.model.hidden_size, config.model.seed) == (4, 30, 9)
    assert config.model.learning_rate == Config().model.learning_rate


def test_the_environment_can_hold_lists_and_null() -> None:
    config = load(None, {}, {"STREAMRNN__EVENT__TARGETS": "[a, b]", "STREAMRNN__KAFKA__CHANGELOG_TOPIC": "null"})
    assert config.event.targets == ("a", "b")
    assert config.kafka.changelog_topic is None


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("model.horizn", "model.horizon"),
        ("model.hiden_size", "model.hidden_size"),
        ("modle", "model"),
        ("kafka.bootstrap_server", "kafka.bootstrap_servers"),
        ("horizon", "model.horizon"),
        ("bootstrap_servers", "kafka.bootstrap_servers"),
        ("model.bootstrap_servers", "kafka.bootstrap_servers"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(path: str, nearest: str) -> None:
    message = problems({path: 1})
    assert f"{path}: no such key; did you mean {nearest}?" in message


def test_an_unknown_key_unlike_any_other_lists_what_is_valid() -> None:
    assert "log.zzzzzz: no such key; valid here: format, level" in problems({"log.zzzzzz": 1})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("model.horizon", "many", "integer"),
        ("model.horizon", 0, "greater than or equal to 1"),
        ("model.horizon", 1.5, "integer"),
        ("model.levels", [], "at least one"),
        ("model.levels", [0.9, 0.9], "only once"),
        ("model.levels", [1.0], "less than 1"),
        ("model.levels", 0.9, "tuple"),
        ("model.preset", "huge", "'lite', 'standard' or 'full'"),
        ("model.seasonality", ["1 fortnight"], "not a duration"),
        ("model.learning_rate", float("nan"), "less than or equal to 1"),
        ("state.snapshot_interval", 0, "greater than 0"),
        ("state.snapshot_interval", 0, "(given: 0)"),
        ("state.snapshot_interval", float("inf"), "finite"),
        ("state.snapshot_interval", "1e400s", "finite"),
        ("state.snapshot_interval", "1.2.3s", "not a duration"),
        ("monitor.port", 70000, "65535"),
        ("event.targets", [""], "at least 1 character"),
        ("application_id", "a b", "pattern"),
        ("model", 5, "dictionary"),
        ("model", [1], "dictionary"),
        ("kafka.start", None, "'earliest' or 'latest'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(path: str, value: object, words: str) -> None:
    message = problems({path: value})
    assert f"  - {path.split('.')[0]}" in message
    assert path.split(".")[-1] in message
    assert words in message
    assert "has 1 problem:" in message


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"event.targets": ["a"], "event.features": ["a"]}, "more than one purpose: a"),
        ({"event.targets": ["time"]}, "more than one purpose: time"),
        ({"event.key": "t", "event.time": "t"}, "more than one purpose: t"),
        ({"event.future": ["a"], "event.targets": ["future"]}, "more than one purpose: future"),
        ({"event.future": ["a"], "event.targets": ["a"]}, "more than one purpose: a"),
        ({"event.future": [f"f{i}" for i in range(17)]}, "at most 16 features can be known ahead, not 17"),
        ({"event.future": ["f"], "task": "regression"}, "event.future: only for task forecast"),
        ({"kafka.security_protocol": "SASL_SSL"}, "needs sasl_mechanism"),
        ({"kafka.sasl_mechanism": "PLAIN"}, "needs sasl_username"),
        ({"kafka.sasl_mechanism": "PLAIN", "kafka.sasl_username": "u"}, "needs sasl_password or sasl_password_file"),
        ({"kafka.input_topic": "x", "kafka.output_topic": "x"}, "would be read as events"),
        ({"event.targets": ["a"], "anomaly.limits": {"b": {"upper": 3}}}, "b not among the targets, which are a"),
    ],
)
def test_an_impossible_combination_is_refused(overrides: dict[str, Any], words: str) -> None:
    assert words in problems(overrides)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    text = """
    model: {horizon: none, hiden_size: 3, levels: [2]}
    event: {targets: [a], features: [a], tme: x}
    kafka: {security_protocol: SASL_SSL, port: 1}
    nonsense: true
    """
    message = problems({"log.level": "loud"}, text, tmp_path)
    assert f"in {tmp_path / 'pipeline.yaml'} has 9 problems:" in message
    for words in (
        "model.horizon", "model.hiden_size", "model.levels", "event.tme", "more than one purpose", "kafka.port",
        "needs sasl_mechanism", "nonsense", "log.level",
    ):  # fmt: skip
        assert words in message, words


def test_a_value_where_a_section_is_needed_is_named_once(tmp_path: Path) -> None:
    message = problems({"model.horizon.deep": 1}, "model: {horizon: 3}", tmp_path)
    assert "model.horizon is a value, not a section" in message


@pytest.mark.parametrize("text", ["{", "a: [", "\tx: 1", "a: b: c", "!!python/object/apply:os.system [id]"])
def test_broken_yaml_is_one_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    message = problems(None, text, tmp_path)
    assert "pipeline.yaml is not valid YAML" in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["- a\n- b", "just text", "5"])
def test_yaml_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "must hold `section:` blocks" in problems(None, text, tmp_path)


def test_yaml_keys_that_are_no_names_are_refused(tmp_path: Path) -> None:
    message = problems(None, "5: 1\nmodel: {7: x, true: y}\nkafka: {2020-01-01: z}", tmp_path)
    assert "has 4 problems:" in message


@pytest.mark.parametrize("text", ["", "# only a comment", "model:\n", "model: {}"])
def test_an_empty_file_and_an_empty_section_mean_the_defaults(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    assert load(file, None, {}) == Config()
    assert load(file, {"model.horizon": 2}, {}).model.horizon == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ConfigurationError, match=r"cannot read the configuration file .*: "):
            load(file, None, {})
    (tmp_path / "latin.yaml").write_bytes(b"application_id: \xe4")
    with pytest.raises(ConfigurationError, match=r"latin\.yaml"):
        load(tmp_path / "latin.yaml", None, {})


def test_variables_are_replaced_outside_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "# ${NOT_SET_IN_A_COMMENT}\n"
        "kafka:\n"
        "  bootstrap_servers: ${TEST_BROKERS}\n"
        "  input_topic: in-${TEST_STAGE:dev}-x\n"
        "  client_id: ${TEST_EMPTY:}c\n"
        "model: {horizon: ${TEST_HORIZON:7}}\n"
    )
    monkeypatch.setenv("TEST_BROKERS", "a:1,b:2")
    config = load(file, None, {})
    assert config.kafka.bootstrap_servers == "a:1,b:2"
    assert config.kafka.input_topic == "in-dev-x"
    assert config.kafka.client_id == "c"
    assert config.model.horizon == 7


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    message = problems(None, "application_id: ${TEST_SURELY_NOT_SET}", tmp_path)
    assert "${TEST_SURELY_NOT_SET}, which is not set" in message


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30", 30), ("30s", 30), ("1.5h", 5400), ("7d", 604_800), ("2 min", 120)]
)
def test_durations(text: str, seconds: float) -> None:
    assert load(None, {"state.snapshot_interval": text}, {}).state.snapshot_interval == seconds


def test_set_takes_yaml_values() -> None:
    assert parse_set("model.levels=[0.5, 0.9]") == ("model.levels", [0.5, 0.9])
    assert parse_set("kafka.input_topic=a=b") == ("kafka.input_topic", "a=b")
    assert parse_set("kafka.input_topic={broken") == ("kafka.input_topic", "{broken")
    for wrong in ("model.horizon", "=3", ""):
        with pytest.raises(ConfigurationError, match=r"section\.key=value"):
            parse_set(wrong)


def test_secrets_are_never_shown() -> None:
    secrets = {
        "kafka.sasl_password": "hunter2",
        "kafka.ssl_keyfile_password": "hunter3",
        "monitor.token": "hunter4",
        "kafka.sasl_mechanism": "PLAIN",
        "kafka.sasl_username": "u",
    }
    config = load(None, secrets, {})
    for shown in (repr(config), str(config), config.model_dump_json(), yaml.safe_dump(config.model_dump(mode="json"))):
        assert "hunter" not in shown
    assert config.kafka.sasl_password is not None
    assert config.kafka.sasl_password.get_secret_value() == "hunter2"


@pytest.mark.parametrize("path", ["kafka.sasl_password", "kafka.ssl_keyfile_password", "monitor.token"])
@pytest.mark.parametrize("value", [["hunter2"], {"a": "hunter2"}])
def test_a_wrong_secret_is_not_repeated_in_the_error(path: str, value: object) -> None:
    message = problems({path: value, "kafka.sasl_mechanism": "PLAIN"})
    assert path in message
    assert "hunter" not in message


def test_a_bad_neighbor_does_not_reveal_a_secret() -> None:
    message = problems({"kafka.sasl_password": "hunter2", "kafka.security_protocol": "SASL_SSL", "kafka.nonsense": 1})
    assert "hunter" not in message


def test_a_secret_section_given_as_text_is_not_repeated() -> None:
    assert "hunter" not in problems({"kafka": "sasl_password=hunter2"})


def test_the_tree_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().model.horizon = 3  # type: ignore[misc]


def test_every_key_of_the_tree_can_be_set_to_its_own_default() -> None:
    tree = Config().model_dump()
    flat = {
        f"{section}.{key}": value
        for section, keys in tree.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }
    assert load(None, flat, {}) == Config()
    assert set(KafkaConfig.model_fields) <= {name.split(".", 1)[1] for name in flat}


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["model", "kafka", "event", "state", "horizon", "levels", "targets", "x"]) | st.integers(),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@given(tree=st.dictionaries(st.sampled_from(["model", "kafka", "event", "state", "log", "zzz"]), TREES, max_size=4))
def test_whatever_the_tree_holds_it_is_a_configuration_or_one_named_error(tree: dict[str, Any]) -> None:
    message = "the configuration has"
    try:
        load(None, tree, {})
    except ConfigurationError as error:
        message = str(error)
    assert message.startswith("the configuration has")


@given(text=st.text(max_size=60))
def test_whatever_is_set_it_is_a_value_or_one_named_error(text: str) -> None:
    try:
        path, value = parse_set(text)
        load(None, {path: value}, {})
    except ConfigurationError:
        pass


@pytest.mark.parametrize("bounds", [{"x": "much"}, {"x": {"y": 1}}, [1], {"x": None, "y": 3.0}])
def test_a_mapping_that_is_no_number_is_one_named_error(bounds: object) -> None:
    with pytest.raises(ConfigurationError, match=r"event\.minimum"):
        load(None, {"event.minimum": bounds}, {})


def test_iam_needs_neither_user_nor_password_but_tls() -> None:
    found = load(None, {"kafka.sasl_mechanism": "AWS_MSK_IAM", "kafka.security_protocol": "SASL_SSL"}, {})
    assert found.kafka.sasl_username is None
    with pytest.raises(ConfigurationError, match="needs security_protocol SASL_SSL"):
        load(None, {"kafka.sasl_mechanism": "AWS_MSK_IAM", "kafka.security_protocol": "SASL_PLAINTEXT"}, {})


def test_what_is_known_ahead_is_a_feature() -> None:
    config = load(None, {"event.features": ["b", "a"], "event.future": ["a", "c"]}, {})
    assert config.event.features == ("b", "a", "c")
    assert config.event.future == ("a", "c")
