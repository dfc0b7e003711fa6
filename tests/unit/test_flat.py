"""The flat shape, and the log of dead letters."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from streamrnn.app.dead_letter_log import LOUD, DeadLetterLog
from streamrnn.errors import EventInvalid
from streamrnn.records.flat import flat
from streamrnn.records.log import Partition


def test_one_level_of_columns() -> None:
    document = {
        "key": "a", "time": "2026-01-01T00:00:00Z", "source": {"topic": "t", "partition": 0, "offset": 7},
        "targets": {
            "oil temp": {
                "observed": 1.0, "expected": None,
                "forecast": [{"step": 1, "mean": 2.0, "intervals": {"0.9": [1.0, 3.0]}}, {"step": 2, "mean": 2.5}],
            }
        },
        "anomaly": {"score": 0.5, "is_anomaly": False},
    }  # fmt: skip
    assert flat(document) == {
        "key": "a", "time": "2026-01-01T00:00:00Z", "source_topic": "t", "source_partition": 0, "source_offset": 7,
        "oil_temp_observed": 1.0, "oil_temp_expected": None,
        "oil_temp_mean_1": 2.0, "oil_temp_intervals_1_0_9_1": 1.0, "oil_temp_intervals_1_0_9_2": 3.0,
        "oil_temp_mean_2": 2.5, "anomaly_score": 0.5, "anomaly_is_anomaly": False,
    }  # fmt: skip


def step(partition: Partition, good: int, refused: int) -> Any:
    error = EventInvalid("value: field required")
    letters = [(SimpleNamespace(offset=i), error) for i in range(refused)]
    return SimpleNamespace(partition=partition, decoded=SimpleNamespace(keys=["k"] * good), unusable=letters)


def test_dead_letters_are_said_once_and_a_topic_of_nothing_else_loudly(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = Partition("events", 0), Partition("events", 1)
    told = DeadLetterLog()
    told.assigned(bad)
    told.assigned(good)
    with caplog.at_level(logging.WARNING):
        told.step(step(good, 5, 1))
        told.step(step(good, 0, 10 * LOUD))
        for _ in range(10 * LOUD):
            told.step(step(bad, 0, 1))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "ERROR", "ERROR"]
    assert "field required" in caplog.records[0].getMessage()
    assert "events[0]: EVERY record is refused, 100 so far" in caplog.records[1].getMessage()
