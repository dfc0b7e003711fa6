"""Alerts, explanations and early warnings as the product publishes them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from streamrnn.anomaly.detector import CHANNEL_NAMES
from streamrnn.config.anomaly import FalseAlarms
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.alerts import AlertRecord, encode_alerts
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import Decoded, EventDecoder
from streamrnn.records.forecasts import ForecastRecord, encode
from streamrnn.records.log import Partition
from tests.anomaly.simulate import INTERVAL, START

COUNT = 700


class Line:
    """A record of the log."""

    key, timestamp = None, None

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value = offset, value


def configured(**settings: object) -> Config:
    small: dict[str, object] = {"model.preset": "lite", "model.horizon": 3, "event.targets": ["a", "b"]}
    return load(None, small | {f"anomaly.{name}": value for name, value in settings.items()}, {})


def events(config: Config) -> Decoded:
    random = np.random.default_rng(0)
    values = np.sin(np.arange(COUNT) / 20)[:, None] * [1.0, 5.0] + 0.1 * random.standard_normal((COUNT, 2))
    values[650, 1] += 30
    times = (START + INTERVAL * np.arange(COUNT)) / 1e6
    lines = [
        Line(i, json.dumps({"key": "s", "time": times[i], "a": a, "b": b}).encode())
        for i, (a, b) in enumerate(values.tolist())
    ]
    return EventDecoder(config.event).decode(lines)


def records(config: Config) -> list[dict[str, Any]]:
    model = ForecastModel(config)
    decoded = events(config)
    names = targets_of(config.event)
    answers = model.process(decoded)
    messages = encode(Partition("t", 0), names, CHANNEL_NAMES, decoded, answers, explain=config.anomaly.explain)
    return [json.loads(message.value or b"") for message in messages]


def test_nothing_is_added_unless_asked_for() -> None:
    found = records(configured())
    assert not any("warning" in record or "channels" in record["anomaly"] for record in found)
    alarm = found[650]["anomaly"]
    assert (alarm["is_anomaly"], alarm["target"]) == (True, "b")
    assert alarm["alert"] >= 1
    assert alarm["channel"] in ("error", "residual", "change", "range")


def test_explain_publishes_every_channel_and_changes_nothing_else() -> None:
    plain, explained = records(configured()), records(configured(explain=True))
    for before, after in zip(plain, explained, strict=True):
        ForecastRecord.model_validate(after)
        assert after["anomaly"].keys() - before["anomaly"].keys() == {"strength", "channels"}
        assert tuple(after["anomaly"]["channels"]) == CHANNEL_NAMES
        assert before["anomaly"].items() <= after["anomaly"].items()
    strange = explained[650]["anomaly"]
    assert strange["strength"] > 1
    assert max(strange["channels"].values()) > 5


def test_limits_add_a_warning_to_every_record() -> None:
    config = configured(limits={"b": {"upper": 4.0}}, warn_at=0.4)
    found = [record["warning"] for record in records(config)]
    for warning in found:
        assert set(warning) == {"probability", "steps", "lead", "target", "is_warning"}
        assert len(warning["steps"]) == 3
        assert 0 <= warning["probability"] <= 1
    warned = [i for i in range(300, COUNT) if found[i]["is_warning"]]
    assert warned
    assert all(found[i]["probability"] >= 0.4 and found[i]["target"] == "b" for i in warned)
    assert not found[COUNT - 1]["is_warning"] or np.sin((COUNT - 1) / 20) > 0.5


def test_warn_at_alone_watches_the_usual_range() -> None:
    found = [record["warning"]["probability"] for record in records(configured(warn_at=0.9))]
    assert max(found[200:]) > 0


def test_alerts_of_a_strict_configuration_are_fewer() -> None:
    def alerts(**settings: object) -> int:
        return max(record["anomaly"].get("alert", 0) for record in records(configured(**settings)))

    assert alerts(threshold=1.0) == 0
    assert 0 < alerts(expected_false_alarms=0.001) <= alerts() < alerts(expected_false_alarms=20)
    assert alerts(expected_false_alarms={"number": 100, "per": "day"}) == alerts(expected_false_alarms=1000 / 2.88)


def test_a_number_alone_is_per_thousand_events() -> None:
    assert configured(expected_false_alarms=2).anomaly.expected_false_alarms == FalseAlarms(number=2)
    assert configured(expected_false_alarms={"number": 2}).anomaly.expected_false_alarms.per == "1000 events"


def test_a_configuration_with_limits_can_be_a_key() -> None:
    one, other = ({"b": {"upper": upper}} for upper in (4.0, 5.0))
    assert len({configured(limits=one), configured(limits=one), configured(limits=other)}) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"limits": {"b": {"upper": 1, "lower": 2}}}, "lower 2.0 is not below upper 1.0"),
        ({"expected_false_alarms": 0}, "expected_false_alarms"),
        ({"expected_false_alarms": {"number": 1, "per": "week"}}, "per"),
        ({"warn_at": 2}, "warn_at"),
    ],
)
def test_what_cannot_be_is_an_error(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configured(**settings)


def test_limits_of_what_is_no_target_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="temperature not among the targets, which are value"):
        ForecastModel(load(None, {"anomaly.limits": {"temperature": {"upper": 90}}}, {}))


def test_alert_records_say_where_alerts_and_warnings_begin_and_end() -> None:
    config = configured(limits={"b": {"upper": 4.0}}, warn_at=0.4, expected_false_alarms=20)
    model, decoded, names = ForecastModel(config), events(config), targets_of(config.event)
    answers = model.process(decoded)
    messages = encode(Partition("t", 0), names, CHANNEL_NAMES, decoded, answers)
    forecasts = [json.loads(message.value or b"") for message in messages]
    raised = encode_alerts(Partition("t", 0), names, CHANNEL_NAMES, decoded, answers)
    assert {message.key for message in raised} == {b"s"}
    said = [json.loads(message.value or b"") for message in raised]
    for one in said:
        AlertRecord.model_validate(one)
        assert one["time"] == forecasts[one["source"]["offset"]]["time"]
    for kind in ("anomaly", "warning"):
        mine = [one for one in said if one["kind"] == kind]
        assert [one["state"] for one in mine] == [("opened", "closed")[i % 2] for i in range(len(mine))]
        assert [one["alert"] for one in mine] == [i // 2 + 1 for i in range(len(mine))]
        for opened, closed in pairwise(mine):
            if opened["state"] == "opened":
                assert opened["since"] == opened["time"] == closed["since"] < closed["time"]
                assert (opened["target"], opened.get("channel")) == (closed["target"], closed.get("channel"))
    alerts = [forecast["anomaly"].get("alert", 0) for forecast in forecasts]
    firsts = {alert: alerts.index(alert) for alert in alerts if alert}
    opened = {one["alert"]: one for one in said if (one["kind"], one["state"]) == ("anomaly", "opened")}
    assert {alert: one["source"]["offset"] for alert, one in opened.items()} == firsts
    for alert, first in firsts.items():
        published = forecasts[first]["anomaly"]
        assert {name: opened[alert][name] for name in ("score", "target", "channel")} == {
            name: published[name] for name in ("score", "target", "channel")
        }
    warns = [forecast["warning"]["is_warning"] for forecast in forecasts]
    changes = [i for i, (before, now) in enumerate(pairwise([False, *warns])) if before != now]
    assert changes == [one["source"]["offset"] for one in said if one["kind"] == "warning"]
    assert len(changes) > 4
