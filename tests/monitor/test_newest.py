"""`GET /series` and `/series/KEY`: what programs ask a page for."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from streamrnn.anomaly.episodes import ANOMALY, KINDS, WARNING
from streamrnn.forecasting.model import ForecastModel
from streamrnn.monitor.history import Identity
from streamrnn.monitor.newest import OpenAlerts
from streamrnn.records.events import Decoded
from streamrnn.records.latest import LatestRecord, Opened, SeriesList
from tests.monitor.stage import Stage, batch, configured, until

pytestmark = pytest.mark.usefixtures("free_model")


def series(stage: Stage, path: str) -> dict[str, Any]:
    answer = stage.get(path)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_the_newest_of_a_series_has_its_schema_and_what_was_fed() -> None:
    with Stage(configured(model__horizon=3)) as stage:
        stage.feed("pump/7 ü?", 1.0, 2.0, 3.5)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 1)
        found = series(stage, f"/series/{quote('pump/7 ü?', safe='')}")
        LatestRecord.model_validate(found, strict=False)
        assert (found["key"], found["events"], found["level"], found["horizon"]) == ("pump/7 ü?", 3, 0.9, 3)
        assert found["source"] == {"topic": "events", "partition": 0}
        assert found["time"] == "2026-01-01T00:30:00Z"
        target = found["targets"]["value"]
        assert (target["observed"], target["expected"], target["lower"], target["upper"]) == (3.5, 3.25, 2.5, 4.5)
        assert [step["time"] for step in target["forecast"]] == [f"2026-01-01T00:30:0{k}Z" for k in (1, 2, 3)]
        assert target["forecast"][2] == {
            "step": 3, "time": "2026-01-01T00:30:03Z", "mean": 3.5, "median": 3.5, "lower": 2.5, "upper": 4.5,
        }  # fmt: skip
        assert (found["score"], found["is_anomaly"], found["alerts"]) == (0.5, False, [])


def test_what_is_missing_is_null() -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0, None)
        stage.settled()
        until(lambda: stage.monitor.feed.history.count[:1].tolist() == [2])
        found = series(stage, "/series/pump")
        LatestRecord.model_validate(found)
        assert found["targets"]["value"]["observed"] is None
        assert found["targets"]["value"]["experts"] is None


def test_who_is_not_there_and_who_is_there_twice() -> None:
    with Stage(configured(), partitions=3) as stage:
        stage.feed("pump", 1.0, number=0)
        stage.feed("pump", 7.0, number=2)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 2)
        assert stage.get("/series/nobody").status == 404
        assert json.loads(stage.get("/series/nobody").text)["key"] == "nobody"
        both = stage.get("/series/pump")
        assert both.status == 409
        assert [one["partition"] for one in json.loads(both.text)["sources"]] == [0, 2]
        assert series(stage, "/series/pump?partition=2")["targets"]["value"]["observed"] == 7.0
        assert stage.get("/series/pump?partition=1").status == 404
        assert stage.get("/series/pump?topic=others").status == 404
        assert stage.get("/series/pump?partition=zwei").status == 400
        assert stage.get(f"/series/pump?partition={10**30}").status == 400


def test_the_list_comes_in_parts_and_by_search() -> None:
    with Stage(configured()) as stage:
        for number in range(25):
            stage.feed(f"pump {number:02d}", float(number))
        stage.feed("valve", 1.0)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 26)
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            part = series(stage, f"/series?search=PUMP&limit=10&after={quote(after)}")
            SeriesList.model_validate(part)
            assert (part["total"], part["matching"]) == (26, 25)
            seen += [one["key"] for one in part["series"]]
            after = part["next"]
        assert seen == [f"pump {number:02d}" for number in range(25)]
        assert series(stage, "/series?limit=-5")["series"][0]["observed"] == {"value": 0.0}
        assert len(series(stage, "/series?limit=x")["series"]) == 26


def test_a_key_of_several_partitions_is_not_lost_between_two_parts() -> None:
    with Stage(configured(), partitions=3) as stage:
        for number in range(3):
            stage.feed("a", 1.0, number=number)
            stage.feed("b", 2.0, number=number)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 6)
        part = series(stage, "/series?limit=1")
        assert [one["key"] for one in part["series"]] == ["a"] * 3
        assert [one["key"] for one in series(stage, f"/series?limit=1&after={part['next']}")["series"]] == ["b"] * 3


def test_the_token_guards_them() -> None:
    with Stage(configured(monitor__token="secret")) as stage:
        for path in ("/series", "/series/pump"):
            assert stage.get(path).status == 401
        assert stage.get("/series", Authorization="Bearer secret").status == 200


def changed(*changes: tuple[int, int, tuple[int, int, int, int]], events: int = 1) -> np.ndarray[Any, Any]:
    found = np.zeros((events, KINDS, 4), np.int64)
    for event, kind, change in changes:
        found[event, kind] = change
    return found


def test_alerts_are_open_from_their_first_event_to_their_last() -> None:
    alerts, first = OpenAlerts(), batch(["a"], [1], [1.0])
    who = Identity(first.partition, "a")
    alerts.add(batch(["a"], [1], [1.0], changes=changed((0, ANOMALY, (3, 1, 0, 2)))))
    alerts.add(batch(["a", "b"], [2, 2], [1.0, 1.0], changes=changed((0, WARNING, (1, 2, -1, -1)), events=2)))
    assert alerts.of(who) == [Opened(ANOMALY, 3, 1, 0, 2), Opened(WARNING, 1, 2, -1, -1)]
    alerts.add(batch(["a"], [3], [1.0], changes=changed((0, ANOMALY, (-3, 1, 0, 2)))))
    assert alerts.of(who) == [Opened(WARNING, 1, 2, -1, -1)]
    told = batch(["a"], [4], [1.0], changes=changed())._replace(opened=[("a", Opened(ANOMALY, 4, 4, 0, 0))])
    alerts.add(told)
    assert alerts.of(who) == [Opened(ANOMALY, 4, 4, 0, 0)]
    alerts.forget(first.partition)
    assert alerts.of(who) == []


def test_what_is_open_is_told_at_first_and_again_after_batches_were_dropped() -> None:
    with Stage(configured()) as stage:
        told: list[object] = []
        put = stage.monitor.backlog.put

        def noted(one: Any) -> int:
            told.append(one.opened)
            return put(one)

        stage.monitor.backlog.put = noted  # type: ignore[method-assign]
        stage.feed("pump", 1.0)
        stage.settled()
        stage.feed("pump", 1.0)
        stage.settled()
        until(lambda: len(told) == 2)
        assert told == [[], None]
        stage.monitor._untold.update(stage.monitor._models)
        stage.feed("pump", 1.0)
        stage.settled()
        until(lambda: len(told) == 3)
        assert told[2] == []


def test_a_model_says_what_is_open_in_it() -> None:
    model = ForecastModel(configured(model__preset="lite"))
    try:
        count = 600
        values = np.random.default_rng(0).normal(size=(count, 1))
        values[-5:] += 40.0
        times = np.arange(count, dtype=np.int64) * 60_000_000
        answers = model.process(Decoded(["ü"] * count, times, values, np.zeros((count, 0)), [], []))
        number, since, target, channel = answers.changes[-5, ANOMALY].tolist()
        assert number > 0
        assert model.open_alerts() == [("ü", Opened(ANOMALY, number, since, target, channel))]
    finally:
        model.close()
