"""Gauges of listed series: bounded, and what the newest event was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamrnn.anomaly.episodes import ANOMALY, ROWS
from streamrnn.monitor.feed import Feed
from tests.monitor.stage import Stage, batch, configured, until

LABELS = ("topic", "partition", "key", "target")
pytestmark = pytest.mark.usefixtures("free_model")


def gauges(stage: Stage) -> dict[str, dict[tuple[str, ...], float]]:
    """Name -> labels -> value of all gauges of series."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(stage.get("/metrics").text):
        if family.name.startswith("streamrnn_series_") and family.name != "streamrnn_series_in_memory":
            name = family.name.removeprefix("streamrnn_series_")
            found[name] = {
                tuple(sample.labels[label] for label in LABELS if label in sample.labels): sample.value
                for sample in family.samples
            }
    return found


def test_what_is_listed_has_gauges_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrnn.monitor.series_gauges.PAUSE", 0.0)
    with Stage(configured(monitor__series=["pump-*", 'odd "\\\n ü*']), partitions=2) as stage:
        stage.feed("pump-1", 1.0, 2.0, number=1)
        stage.feed('odd "\\\n üx', None)
        stage.feed("valve", 7.0)
        stage.feed("PUMP-2", 7.0)
        stage.settled()
        until(lambda: len(gauges(stage)["score"]) == 2)
        found = gauges(stage)
        place = ("events", "1", "pump-1")
        assert found["observed"] == {(*place, "value"): 2.0}
        assert found["expected"] == {(*place, "value"): 1.75}
        assert (found["lower"], found["upper"]) == ({(*place, "value"): 1.0}, {(*place, "value"): 3.0})
        assert found["score"] == {place: 0.5, ("events", "0", 'odd "\\\n üx'): 0.5}
        assert found["alert_open"] == {place: 0.0, ("events", "0", 'odd "\\\n üx'): 0.0}
        assert found["timestamp_seconds"][place] == 1_767_225_600 + 1200
        assert found["omitted"] == {(): 0.0}
        stage.feed("pump-1", 5.0, number=1)
        until(lambda: gauges(stage)["observed"] == {(*place, "value"): 5.0})


def test_their_number_is_bounded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrnn.monitor.series_gauges.PAUSE", 0.0)
    with Stage(configured(monitor__series=["*"], monitor__most_series=10)) as stage:
        for number in range(300):
            stage.feed(f"series {number:03d}", 1.0)
        stage.settled()
        until(lambda: gauges(stage)["omitted"] == {(): 290.0})
        assert [key for _, _, key in gauges(stage)["score"]] == [f"series {number:03d}" for number in range(10)]


def test_without_a_list_there_are_none() -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 1)
        assert not any(found for name, found in gauges(stage).items() if name != "omitted")


def test_an_open_alert_is_one_and_a_closed_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrnn.monitor.series_gauges.PAUSE", 0.0)
    with Stage(configured(monitor__series=["a"])) as stage:
        stage.feed("a", 1.0)
        stage.settled()
        feed: Feed = stage.monitor.feed
        for number in (1, -1):
            changes = np.zeros((1, ROWS, 4), np.int64)
            changes[0, ANOMALY] = number, 5, 0, 0
            told: Any = batch(["a"], [5], [1.0], changes=changes)
            stage.monitor.backlog.put(told)
            wanted = 1.0 if number > 0 else 0.0
            until(lambda wanted=wanted: [*gauges(stage)["alert_open"].values()] == [wanted])  # type: ignore[misc]
            newest = json.loads(stage.get("/series/a").text)
            assert [one["alert"] for one in newest["alerts"]] == ([1] if number > 0 else [])
        assert len(feed.history) == 1
