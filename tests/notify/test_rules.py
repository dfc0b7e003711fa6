"""Records, routes, mute windows, templates, and a configuration that says what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamrnn.config.notify import load_notify
from streamrnn.errors import ConfigurationError, EventInvalid
from streamrnn.notify.alerts import read_change
from streamrnn.notify.muting import muted_until, receivers_of
from streamrnn.notify.receivers import GROUP, text, title
from streamrnn.notify.templates import check, filled
from tests.notify.stage import change, configured, record


def test_an_alert_has_one_name_from_its_opening_to_its_end() -> None:
    opened, closed = change(), change(state="closed", minute=9, size=5.0, score=0.1)
    assert opened.id == closed.id
    others = [
        change(number=2),
        change("pump 2"),
        change(kind="warning"),
        change(since="2026-01-05T11:00:00Z"),
        change(source={"topic": "events", "partition": 1, "offset": 7}),
    ]
    assert len({opened.id, *(one.id for one in others)}) == 6


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"[" * 100_000, record()[:-2],
        record(state="broken"), record(kind=None), record(alert="1"), record(alert=True), record(source={}),
        record(time="yesterday"), record(since=None), record(time="2026-01-05T12:00:00"), record(key=7),
        record(time=float("nan")), record(target=["a"]), record("\ud800"), record(since="2026-13-05T12:00:00Z"),
        record(source={"topic": "t", "partition": 1e308}),
    ],
)  # fmt: skip
def test_what_is_no_alert_is_refused(value: bytes | None) -> None:
    with pytest.raises(EventInvalid):
        read_change(value)


def test_a_record_framed_for_a_registry_is_read() -> None:
    assert read_change(b"\0\0\0\0\7" + record()) == change()


@pytest.mark.parametrize("key", ["ü/π", "a b", "", "x" * 5000])
def test_any_key_has_a_text_and_a_link(key: str) -> None:
    one = change(key)
    assert len(one.text) <= 1000
    assert (one.link("https://pages/") or "").startswith("https://pages/#series=")


def test_words_and_link_of_the_record_go_first() -> None:
    one = change(text="lower than ever", link="https://elsewhere/x")
    assert (one.text, one.link("https://pages")) == ("pump: lower than ever", "https://elsewhere/x")
    assert change(link="javascript:alert(1)").link(None) is None


def test_routes() -> None:
    hook = {"webhook": {"url": "http://a/"}}
    config = configured(
        receivers={"all": hook, "pumps": hook, "warned": hook, "other": hook},
        routes=[
            {"to": ["all"]},
            {"keys": ["pump-*"], "to": ["pumps"]},
            {"kinds": ["warning"], "to": ["warned", "all"]},
            {"keys": ["PUMP-*"], "to": ["other"]},
            {"targets": ["pressure"], "to": ["other"]},
        ],
    )
    assert receivers_of(config, change("pump-7")) == ["all", "pumps"]
    assert receivers_of(config, change("valve", kind="warning")) == ["all", "warned"]
    assert receivers_of(config, change("valve", target="pressure")) == ["all", "other"]
    assert receivers_of(configured(receivers={"a": hook, "b": hook}), change()) == ["a", "b"]
    assert receivers_of(configured(routes=[{"keys": ["x"], "to": ["hook"]}]), change("y")) == []


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("window", "moment", "end"),
    [
        ({"from": "2026-01-05T11:00:00Z", "to": "2026-01-05T13:00:00Z"}, "2026-01-05T12:00Z", "2026-01-05T13:00Z"),
        ({"from": "2026-01-05T11:00:00Z", "to": "2026-01-05T13:00:00Z"}, "2026-01-05T13:00Z", None),
        ({"from": "2026-01-05T11:00", "to": "2026-01-05T13:00", "time_zone": "America/New_York"},
         "2026-01-05T17:00Z", "2026-01-05T18:00Z"),
        ({"between": "22:00-06:00"}, "2026-01-05T23:00Z", "2026-01-06T06:00Z"),
        ({"between": "22:00-06:00"}, "2026-01-06T05:59Z", "2026-01-06T06:00Z"),
        ({"between": "22:00-06:00"}, "2026-01-06T06:00Z", None),
        ({"days": ["fri"], "between": "22:00-06:00"}, "2026-01-10T01:00Z", "2026-01-10T06:00Z"),
        ({"days": ["fri"], "between": "22:00-06:00"}, "2026-01-09T01:00Z", None),
        ({"days": ["sat", "sun"], "time_zone": "Europe/Berlin"}, "2026-01-09T23:30Z", "2026-01-11T23:00Z"),
        ({"days": ["sat", "sun"], "time_zone": "Europe/Berlin"}, "2026-01-09T22:30Z", None),
        # The night in which clocks go forward: 02:30 does not exist, the window ends with the hour that follows.
        ({"between": "01:00-03:00", "time_zone": "Europe/Berlin"}, "2026-03-29T00:30Z", "2026-03-29T01:00Z"),
        # And back: 02:30 comes twice, both are muted.
        ({"between": "01:00-03:00", "time_zone": "Europe/Berlin"}, "2026-10-25T01:30Z", "2026-10-25T02:00Z"),
        ({"keys": ["valve"], "between": "00:00-23:59"}, "2026-01-05T12:00Z", None),
        ({"kinds": ["warning"], "between": "00:00-23:59"}, "2026-01-05T12:00Z", None),
        ({"days": ["mon"]}, "0001-01-01T00:00+00:00", None),
    ],
)  # fmt: skip
def test_mute_windows(window: dict[str, Any], moment: str, end: str | None) -> None:
    one = change("pump", time=moment.replace("Z", "+00:00"))
    assert muted_until(configured(mute=[window]), one) == (None if end is None else at(end.replace("Z", "+00:00")))


def test_windows_that_touch_are_one_and_those_without_end_end_all_the_same() -> None:
    config = configured(mute=[{"between": "22:00-00:00"}, {"between": "00:00-06:00"}])
    assert muted_until(config, change(time="2026-01-05T23:00:00Z")) == at("2026-01-06T06:00:00+00:00")
    always = configured(mute=[{"between": "00:00-12:00"}, {"between": "12:00-00:00"}])
    assert muted_until(always, change()) is not None


def test_templates_are_filled_without_code() -> None:
    facts = {"text": 'a "b"\nc', "count": 3, "alerts": [{"key": "x"}], "first": {"key": "x", "none": None}}
    tree = {"text": "*{{ text }}* {{count}}", "all": "{{alerts}}", "key": "{{first.key}}", "l": ["{{first.none}}!", 1]}
    found = filled(tree, facts)
    assert found == {"text": '*a "b"\nc* 3', "all": [{"key": "x"}], "key": "x", "l": ["!", 1]}
    assert json.loads(json.dumps(found)) == found
    assert filled("{{text.__class__}} {{nobody}} {{{count}}} {count}", facts) == "  {3} {count}"
    with pytest.raises(ConfigurationError, match=r"body: \{\{txt\}\} is not told; there are: alerts"):
        check({"a": ["{{txt}}"]}, GROUP, "body")


def test_titles_and_texts_of_many() -> None:
    changes = [change("a", number) for number in range(1, 31)] + [change("a", 31, "closed", 5)]
    assert title(changes, 30) == "30 alerts opened, 1 alert over"
    assert title(changes[:1], 1) == "a: anomaly"
    assert title(changes[-1:], 0) == "a: anomaly is over"
    lines = text(changes, None).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 11 more"
    assert lines[0] == "a: anomaly since 2026-01-05 12:00:00 UTC, value, off by +3.25, channel error"


WRONG = {
    "receivers: {}\ntopic: a": "receivers: dictionary should have at least 1 item",
    "receivers: {a: {webhook: {url: 'http://x/'}}}": "topic, file: give one of the two",
    "topic: a\nreceivers: {a: {}}": "receivers.a: give exactly one of alertmanager, webhook and apprise",
    "topic: a\nreceivers: {a: {webhook: {url: 'file:///x'}}}": "receivers.a.webhook.url: is no address",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/', secrets: b}}}": "webhook.secrets: no such key (line 2)",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/'}}}\nroutes: [{to: [b]}]": "routes.0.to: no receiver 'b'",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/'}}}\nmute: [{between: 25:00-26:00}]": "is no span",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/'}}}\nmute: [{days: [mon], to: 2026-01-01}]": "give from",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/'}, limit: 3 an hour}}": "receivers.a.limit",
    "topic: a\nkafka: {input_topic: b}\nreceivers: {a: {webhook: {url: 'http://x/'}}}": "kafka.input_topic: not here",
    "topic: a\nkafka: {strt: b}\nreceivers: {a: {webhook: {url: 'http://x/'}}}": "kafka.strt",
    "topic: a\nreceivers: {a: {alertmanager: {url: 'http://x/', expire: 1}}}": "expire: at least twice resend",
    "topic: a\nreceivers: {a: {webhook: {url: 'http://x/', headers: {A: \"b\\nC: d\"}}}}": "is no header",
    "7": "must hold `receivers:`",
}  # fmt: skip


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_a_wrong_configuration_says_where(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notify.yaml"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load_notify(file, {})
    assert WRONG[content] in str(caught.value)


def test_how_to_reach_the_brokers_may_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "notify.yaml"
    file.write_text(
        "topic: a\nkafka: {client_id: b, broker_timeout: 5s}\nreceivers: {a: {webhook: {url: 'http://x/'}}}"
    )
    environment = {
        "STREAMRNN__KAFKA__BOOTSTRAP_SERVERS": "k:1", "STREAMRNN__KAFKA__BROKER_TIMEOUT": "7",
        "STREAMRNN__KAFKA__INPUT_TOPIC": "not this", "STREAMRNN__KAFKA__SASL_PASSWORD": "0123",
    }  # fmt: skip
    broker = load_notify(file, environment).broker
    assert (broker.bootstrap_servers, broker.broker_timeout, broker.client_id, broker.input_topic) == (
        "k:1",
        7,
        "b",
        "a",
    )
    assert broker.sasl_password is not None
    assert broker.sasl_password.get_secret_value() == "0123"


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    file = tmp_path / "notify.yaml"
    file.write_text(
        "topic: a\nreceivers: {a: {webhook: {url: 'http://x/${S}', secret: '${S}', timeout: -1}, limit: 7}}"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_notify(file, {"S": "hunter2"})
    assert "hunter2" not in str(caught.value)
    file.write_text("topic: a\nreceivers: {a: {webhook: {url: 'http://x/${S}', secret: '${S}'}}}")
    config = load_notify(file, {"S": "12345678"})
    assert "12345678" not in repr(config)
    assert "12345678" not in config.model_dump_json()
