"""What a rule asks of an alert: a side, a size, a time that it lasts; and events that are to be ignored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from streamrnn.anomaly import alert_context, alerts, detector
from streamrnn.anomaly.rules import Rule, squeezed
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.evaluation import nab
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.key_rules import IgnoredEvents, KeyRules
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.alert_words import RULES, rule_of, sentence
from streamrnn.records.alerts import AlertRecord
from streamrnn.records.events import Decoded, EventDecoder
from streamrnn.records.forecasts import ForecastRecord
from streamrnn.records.log import Partition
from tests.anomaly.simulate import INTERVAL, KINDS, START, Scored, scored, series

COUNT = 4000
UP, DOWN = np.arange(1000, 4000, 500), np.arange(1250, 4000, 500)


def spiky(kind: str = "white noise", seed: int = 0) -> Scored | Any:
    values, expected = series(kind, seed, COUNT)
    values[UP] += 15
    values[DOWN] -= 15
    return values, expected


def opened(result: Scored) -> npt.NDArray[np.int64]:
    return np.flatnonzero(nab.first_events(result.alert))


@pytest.mark.parametrize("kind", ["white noise", "AR(2)", "seasonal"])
@pytest.mark.parametrize(("side", "asked", "other"), [(1.0, UP, DOWN), (-1.0, DOWN, UP)])
def test_only_the_asked_side_opens_alerts(
    kind: str, side: float, asked: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> None:
    values, expected = spiky(kind)
    both = opened(scored(values, expected))
    assert {*UP} <= {*both}
    assert {*DOWN} <= {*both}
    result = scored(values, expected, rule=Rule(side=side))
    found = opened(result)
    assert {*asked} <= {*found}
    assert not {*other} & {*found}
    assert (np.sign(result.outcome[found, detector.DEVIATION]) == side).all()


def test_a_value_that_comes_back_from_a_spike_is_not_on_the_other_side() -> None:
    """A forecast that holds the last value is as far off after the spike as in it."""
    values, _ = series("white noise", 3, COUNT)
    values[UP] += 20
    expected = np.vstack([[[np.nan]], values[:-1]])
    low = opened(scored(values, expected, rule=Rule(side=-1.0)))
    assert not {*UP, *(UP + 1), *(UP + 2)} & {*low}
    assert {*UP} <= {*opened(scored(values, expected, rule=Rule(side=1.0)))}


def test_a_value_on_its_way_back_opens_no_alert_on_the_side_it_comes_from() -> None:
    """Two values far below, a forecast that follows, and the usual value again, which is far above that forecast."""
    values, expected = series("white noise", 6, COUNT)
    for at in UP:
        values[at : at + 2] -= 40
        expected[at + 2] -= 40
    for rule in (Rule(side=-1.0), Rule(side=-1.0, lasting=2 * INTERVAL), Rule(side=1.0, lasting=2 * INTERVAL)):
        result = scored(values, expected, rule=rule)
        found = opened(result)
        off = result.outcome[found, detector.DEVIATION]
        assert (off * rule.side > 0).all()


def test_a_stuck_sensor_has_no_side() -> None:
    values, expected = series("white noise", 1, COUNT)
    values[2000:2100] = values[1999]
    for side in (1.0, -1.0):
        found = opened(scored(values, expected, rule=Rule(side=side)))
        assert ((found > 2000) & (found < 2050)).any()


def test_small_deviations_open_nothing() -> None:
    values, expected = series("white noise", 2, COUNT)
    values[UP] += 9
    values[DOWN] += 25
    found = opened(scored(values, expected, rule=Rule(least=18.0)))
    assert {*DOWN} <= {*found}
    assert not {*UP} & {*found}
    values, expected = values + 100, expected + 100
    assert not {*UP} & {*opened(scored(values, expected, rule=Rule(share=0.18)))}
    assert {*DOWN} <= {*opened(scored(values, expected, rule=Rule(share=0.18)))}


@pytest.mark.parametrize("rule", [Rule(side=1.0), Rule(least=13.0), Rule(lasting=3 * INTERVAL), Rule(share=2.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_no_alert_opens_on_a_lower_strength_than_an_event_that_opened_none(kind: str, rule: Rule) -> None:
    values, expected = spiky(kind)
    values[3400:3460] += 12
    result = scored(values, expected, rule=rule)
    strength, first = result.outcome[:, detector.STRENGTH], opened(result)
    assert first.size
    assert strength[first].min() > strength[~result.is_open].max()
    assert result.score[first].min() > result.score[~result.is_open].max()


def test_what_is_squeezed_keeps_its_order_and_stays_below() -> None:
    strengths = np.linspace(0, 30, 300)
    found = np.array([squeezed(strength, 3.5) for strength in strengths])
    assert (np.diff(found) >= 0).all()
    assert found.max() < 3.5
    assert found[1] == strengths[1]


def test_only_what_lasts_opens_an_alert_and_it_began_when_it_began() -> None:
    values, expected = series("seasonal", 1, COUNT)
    values[2000:2003] -= 12
    values[3000:3060] -= 12
    at_once = opened(scored(values, expected))
    assert (at_once == 2000).any()
    config = detector.AnomalyConfig(targets=1)
    state = detector.allocate(config, 1)
    minutes = 30
    result = scored(values, expected, config=config, state=state, rule=Rule(lasting=minutes * 60e6))
    found = opened(result)
    late = found[found >= 1990]
    assert late[0] == 3000 + minutes // 5
    assert state.alert[0, alerts.SINCE] == START + 3000 * INTERVAL


def test_a_silence_has_lasted_when_it_ends() -> None:
    values, expected = series("white noise", 4, COUNT)
    times = START + INTERVAL * np.arange(COUNT)
    times[2000:] += 40 * INTERVAL
    found = opened(scored(values, expected, times, rule=Rule(lasting=3600e6)))
    assert 2000 in found


def configured(**settings: object) -> Config:
    small: dict[str, object] = {"model.preset": "lite"}
    return load(None, small | {name.replace("__", "."): value for name, value in settings.items()}, {})


class Line:
    """A record of the log."""

    key, timestamp = None, None

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value = offset, value


def streamed(
    config: Config, keys: list[str], values: npt.NDArray[np.float64]
) -> tuple[Decoded, Answers, ForecastModel]:
    """Events of several series in turns, `values` `(steps, keys)`."""
    lines = [
        Line(
            i,
            json.dumps(
                {"key": key, "time": (START + INTERVAL * t) / 1e6, "value": None if np.isnan(value) else value}
            ).encode(),
        )
        for i, (t, key, value) in enumerate(
            (t, key, float(values[t, k])) for t in range(len(values)) for k, key in enumerate(keys)
        )
    ]
    model, decoded = ForecastModel(config), EventDecoder(config.event).decode(lines)
    return decoded, model.process(decoded), model


def told(model: ForecastModel, decoded: Decoded, answers: Answers) -> list[dict[str, Any]]:
    return [json.loads(message.value or b"") for message in model.alerts(Partition("t", 0), decoded, answers)]


def test_overrides_go_by_the_first_pattern_that_fits() -> None:
    config = configured(
        anomaly__direction="high",
        anomaly__overrides=[
            {"keys": "web-[12]", "direction": "low"},
            {"keys": "web-*", "threshold": 1.0},
            {"keys": "Web-9", "direction": "low"},
        ],
    )
    keys = ["web-1", "web-3", "db", "web-9"]
    random = np.random.default_rng(0)
    values = 50 + random.standard_normal((900, len(keys)))
    values[700] += 20
    values[800] -= 20
    decoded, answers, model = streamed(config, keys, values)
    found = {(one["key"], one["direction"]) for one in told(model, decoded, answers) if one["state"] == "opened"}
    assert found == {("web-1", "low"), ("db", "high")}
    rules = KeyRules(config.anomaly)
    assert rules.numbers(keys).tolist() == [1, 2, 0, 2]


def test_a_rate_of_its_own_goes_before_the_threshold_of_all() -> None:
    config = configured(anomaly__threshold=0.9, anomaly__overrides=[{"keys": "a", "expected_false_alarms": 0.5}])
    common, own = KeyRules(config.anomaly).table
    assert common[-1] == 0.9
    assert own[-1] == -1.0


def ignored(begin: int, end: int, **more: object) -> dict[str, object]:
    at = [datetime.fromtimestamp((START + INTERVAL * step) / 1e6, UTC).isoformat() for step in (begin, end)]
    return {"from": at[0], "to": at[1], **more}


def test_nothing_is_learned_from_ignored_events_and_they_open_no_alert() -> None:
    config = configured(event__ignore=[ignored(600, 640, keys="a*")])
    random = np.random.default_rng(1)
    values = 50 + random.standard_normal((800, 2))
    wild = values.copy()
    wild[600:640, 0] = 1e6 * random.standard_normal(40)
    decoded, answers, model = streamed(config, ["a1", "b"], values)
    _, others, another = streamed(config, ["a1", "b"], wild)
    assert model.digest() == another.digest()
    assert answers.forecast.tobytes() == others.forecast.tobytes()
    inside = np.zeros((800, 2), bool)
    inside[600:640, 0] = True
    inside = inside.ravel()
    assert np.isnan(others.score[inside]).all()
    assert not np.isnan(others.score[~inside]).any()
    assert not others.opened[1280:1290].any()  # nor is what follows a gap, or frozen
    records = [json.loads(message.value or b"") for message in another.encode(Partition("t", 0), decoded, others)]
    assert records[1200]["anomaly"] == {"score": None, "is_anomaly": False}
    assert records[1200]["targets"]["value"]["observed"] == values[600, 0]
    assert records[1200]["targets"]["value"]["expected"] is not None
    ForecastRecord.model_validate(records[1200])


def test_an_alert_that_is_open_when_a_range_begins_stays_open_until_it_ends() -> None:
    config = configured(event__ignore=[ignored(620, 640)])
    values = 50 + np.random.default_rng(2).standard_normal((800, 1))
    values[600:660] -= 30
    decoded, answers, model = streamed(config, ["a"], values)
    changes = [(one["state"], one["source"]["offset"]) for one in told(model, decoded, answers)]
    begins = [at for state, at in changes if state == "opened" and 595 < at < 610]
    assert begins
    assert not [at for _, at in changes if 620 <= at < 640]


def test_warnings_begin_and_end_outside_ignored_ranges() -> None:
    config = configured(
        event__ignore=[ignored(300, 400)], anomaly__limits={"value": {"upper": 2.0}}, anomaly__warn_at=0.3
    )
    values = 2 * np.sin(np.arange(500) / 10)[:, None] + 0.1 * np.random.default_rng(3).standard_normal((500, 1))
    decoded, answers, model = streamed(config, ["a"], values)
    changes = [one["source"]["offset"] for one in told(model, decoded, answers) if one["kind"] == "warning"]
    assert changes
    assert not [at for at in changes if 300 <= at < 400]


def test_times_of_a_range_without_a_zone_are_local() -> None:
    config = configured(
        event__time_zone="Europe/Berlin", event__ignore=[{"from": "2026-07-01", "to": "2026-07-02T00:00"}]
    )
    begin = datetime(2026, 6, 30, 22, tzinfo=UTC)
    times = np.array([(begin + timedelta(hours=hours)).timestamp() * 1e6 for hours in (-1, 0, 23, 24)], np.int64)
    assert IgnoredEvents(config.event).mask(["x"] * 4, times).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"event__ignore": [{"from": "2026-01-02", "to": "2026-01-01"}]}, "not after"),
        ({"event__ignore": [{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00"}]}, "zone"),
        ({"event__ignore": [{"from": "2026-01-01"}]}, "to"),
        ({"event__ignore": [{"from": "2026-01-01", "to": "2026-01-02", "key": "a"}]}, "no such key"),
        ({"anomaly__direction": "up"}, "direction"),
        ({"anomaly__min_deviation": "a lot"}, "10%"),
        ({"anomaly__min_deviation": -1}, "min_deviation"),
        ({"anomaly__min_deviation": float("nan")}, "min_deviation"),
        ({"anomaly__only_if_lasting": "soon"}, "15m"),
        ({"anomaly__overrides": [{"direction": "low"}]}, "keys"),
        ({"anomaly__overrides": [{"keys": "a", "directions": "low"}]}, "direction"),
        (
            {"task": "regression", "event__features": ["f"], "event__ignore": [ignored(1, 2)]},
            "event.ignore: only for task forecast",
        ),
    ],
)
def test_what_cannot_be_is_an_error(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configured(**settings)


@pytest.mark.parametrize(
    ("given", "absolute", "relative"),
    [(5, 5, 0), ("2.5", 2.5, 0), ("10%", 0, 0.1), ({"absolute": 1, "relative": 0.2}, 1, 0.2)],
)
def test_sizes_are_numbers_or_shares(given: object, absolute: float, relative: float) -> None:
    found = configured(anomaly__min_deviation=given).anomaly.min_deviation
    assert (found.absolute, found.relative) == (absolute, pytest.approx(relative))


def test_an_alert_says_what_was_usual_and_how_unusual_this_is() -> None:
    random = np.random.default_rng(5)
    values = 50 + random.standard_normal((900, 1))
    values[700] = 20.25
    values[799] = np.nan
    values[800] = 90
    decoded, answers, model = streamed(configured(), ["pump"], values)
    said = {one["source"]["offset"]: one for one in told(model, decoded, answers) if one["state"] == "opened"}
    for one in said.values():
        AlertRecord.model_validate(one)
    low = said[700]
    assert low["direction"] == "low"
    assert low["observed"] == 20.25
    assert low["size"] == pytest.approx(low["observed"] - low["expected"])
    assert low["lower"] < low["expected"] < low["upper"]
    assert 25 < low["size_in_errors"] < 60
    assert low["recent"] == [*values[696:700, 0], 20.25]
    assert low["text"].startswith("value is 20.2")
    assert "lower than any of the 700 values since 2026-01-01 00:00 UTC" in low["text"]
    assert said[800]["recent"][3] is None
    assert "higher than any of the 799 values" in said[800]["text"]
    closed = next(one for one in told(model, decoded, answers) if one["state"] == "closed")
    assert "text" not in closed


def test_a_smaller_spike_after_a_larger_one_is_no_record() -> None:
    random = np.random.default_rng(6)
    values = 50 + random.standard_normal((1500, 1))
    values[700], values[1200] = 500, 200
    decoded, answers, model = streamed(configured(), ["pump"], values)
    said = {one["source"]["offset"]: one for one in told(model, decoded, answers) if one["state"] == "opened"}
    assert "than any of" in said[700]["text"]
    assert "than any of" not in said[1200]["text"]


def test_a_day_of_the_week_is_named_where_its_hours_are_known() -> None:
    """Hourly, five weeks; then a Wednesday like a Sunday, which the forecast follows."""
    hours = np.arange(24 * 7 * 6)
    day, hour = hours // 24 % 7, hours % 24  # 2026-01-01 is a Thursday
    weekend = np.isin(day, (2, 3))
    values = 20 + 80 * np.clip(np.sin((hour - 6) / 14 * np.pi), 0, None) * np.where(weekend, 0.35, 1.0)
    wednesday = (day == 6) & (hours >= 24 * 35)
    usual = values[24 * 6 : 24 * 7]
    values = np.where(wednesday, 20 + (values - 20) * 0.35, values) + np.random.default_rng(7).standard_normal(
        len(hours)
    )
    expected = values + np.random.default_rng(8).standard_normal(len(hours))
    result = scored(values[:, None], expected[:, None], START + 3_600_000_000 * hours)
    at = next(i for i in opened(result) if wednesday[i])
    assert detector.CHANNEL_NAMES[int(result.outcome[at, detector.CHANNEL])] == "week"
    found = alert_context.read(result.context[at])
    assert abs(found.expected - usual[hour[at]]) < 4
    text = sentence("orders", "week", values[at], result.outcome[at, detector.DEVIATION], found)
    assert (
        f"that is usual on Wednesdays from {hour[at]:02d}:00 to {(hour[at] + 1) % 24:02d}:00, of which 5 are known"
        in text
    )


def test_words_do_not_contradict_the_numbers() -> None:
    told = alert_context.AlertContext(
        expected=184.0, lower=148.0, upper=221.0, errors=13.8, record=1.0, seen=4200.0, first=START, weeks=5.0,
        days=9.0, hour=24.0 * 6 + 23, run=0.0, recent=(180.0, 181.0, 150.0, 149.0, 206.0),
    )  # fmt: skip
    text = sentence("load", "range", 206.0, 22.0, told)
    assert text.startswith("load is 206.0, higher than any of the 4,200 values")
    assert "nine in ten" not in text, "the value lies between them"
    assert "error of a forecast" not in text, "nothing was held against a forecast"
    assert "from 23:00 to 00:00" in text
    assert rule_of("range", told) == RULES["range"]
    assert rule_of("range", told._replace(record=0.0)) == "a value outside nearly all so far"
    assert "nine in ten lie between 148.0 and 221.0" in sentence("load", "range", 230.0, 46.0, told)
    assert sentence("load", "residual", 206.0, 22.0, told).endswith("; after 181.0, 150.0, 149.0")


@pytest.mark.parametrize("channel", detector.CHANNEL_NAMES)
def test_every_channel_has_words(channel: str) -> None:
    known = alert_context.AlertContext(
        expected=40.0, lower=36.0, upper=44.0, errors=7.0, record=-1.0, seen=4200.0, first=START, weeks=5.0, days=9.0,
        hour=24.0 * 6 + 14, run=31.0, recent=(),
    )  # fmt: skip
    assert channel in RULES
    text = sentence("load", channel, 12.0, np.nan if channel in ("missing", "gap") else -28.0, known)
    assert "nan" not in text
    for first in (-1e15, 0.0, 4e17):  # 1938, 1970, 14645
        assert " UTC" in sentence("load", "range", 12.0, -28.0, known._replace(first=first))
    young = alert_context.AlertContext(*[np.nan] * 4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ())
    assert sentence("load", channel, 1e308, 1e308, young)
