"""A series in two partitions is named, once, and only where messages have no key."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from streamrnn.app.spread_keys import SAMPLE, SpreadKeys
from streamrnn.records.log import Partition


def step(number: int, keys: list[str], *, message_key: bytes | None = None, topic: str = "events") -> Any:
    records = [SimpleNamespace(key=message_key)] * len(keys)
    return SimpleNamespace(partition=Partition(topic, number), decoded=SimpleNamespace(keys=keys, records=records))


def warnings(caplog: pytest.LogCaptureFixture, *steps: Any) -> list[str]:
    watching = SpreadKeys()
    with caplog.at_level(logging.WARNING):
        for one in steps:
            watching.step(one)
    return [record.getMessage() for record in caplog.records]


def test_a_series_in_two_partitions_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    said = warnings(caplog, step(3, ["a", "b"]), step(1, ["c", "b"]), step(2, ["a", "b"]))
    assert len(said) == 1
    assert said[0].startswith("events: both partition 1 and 3 hold series 'b': the messages have no key")


def test_no_key_at_all(caplog: pytest.LogCaptureFixture) -> None:
    [said] = warnings(caplog, step(0, ["default"] * 5), step(1, ["default"]))
    assert "events without any key" in said


def test_nothing_is_said_of_what_is_right(caplog: pytest.LogCaptureFixture) -> None:
    keyed = [step(number, ["a"], message_key=b"a") for number in range(3)]
    assert not warnings(caplog, *keyed, step(0, ["x"]), step(1, ["y"]), step(1, ["x"], topic="other"))


def test_the_sample_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    many = [f"s{i}" for i in range(2 * SAMPLE)]
    assert not warnings(caplog, step(0, many), step(1, many[SAMPLE:]))
