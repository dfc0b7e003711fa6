"""The holidays that are over give a state its meaning; those to come do not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamrnn.connectors.memory import MemoryRecord
from streamrnn.errors import SnapshotMismatch
from streamrnn.records.log import Message
from streamrnn.runtime.task import make_decoder, make_model
from tests.streams import START, configured, restore

OVER, COMING = ["2025-12-25", "2026-01-01"], ["2026-01-06", "2026-12-25"]
DAY = 86_400_000


def stored(holidays: list[str], last: int = START + 3 * DAY) -> list[Message]:
    """The state after events of three series up to the fourth of January, one of them from 2099."""
    config = configured(event__holidays=holidays)
    model = make_model(config)
    times = [("a", last), ("b", last), ("c", START + 73 * 365 * DAY)]
    values = [orjson.dumps({"key": key, "time": time, "value": 1.0}) for key, time in times]
    records = [MemoryRecord(i, None, None, value) for i, value in enumerate(values)]
    model.process(make_decoder(config).decode(records))
    messages = list(model.snapshot(len(records)))
    model.close()
    return messages


def into(holidays: list[str], messages: list[Message]) -> Any:
    model = make_model(configured(event__holidays=holidays))
    try:
        return restore(model, messages)
    finally:
        model.close()


def test_days_to_come_may_change() -> None:
    for days in (OVER, OVER + COMING, [*OVER, "2026-01-05"]):
        assert into(days, stored(OVER + COMING)) == 3


@pytest.mark.parametrize("days", [[], OVER[:1], [*OVER, "2026-01-02"], COMING])
def test_days_that_are_over_may_not(days: list[str]) -> None:
    with pytest.raises(SnapshotMismatch, match=r"event\.holidays was 2 days up to 2026-01-03") as refused:
        into(days, stored(OVER + COMING))
    assert "days to come may change" in str(refused.value)


def test_a_state_without_holidays_takes_any() -> None:
    assert into(OVER, stored([])) == 3
