"""Times at the ends of the calendar, and keys that are no numbers."""

from __future__ import annotations

import pytest

from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.events import Decoded
from streamrnn.runtime.task import make_decoder
from tests.streams import configured


def decoded(*events: str) -> Decoded:
    records = [MemoryRecord(i, None, None, event.encode()) for i, event in enumerate(events)]
    return make_decoder(configured()).decode(records)


@pytest.mark.parametrize("time", ['"9999-12-31T23:59:59-14:00"', '"0001-01-01T00:00:00+14:00"', "1e300"])
def test_a_time_outside_the_calendar_is_a_dead_letter(time: str) -> None:
    good = '{"key": "a", "time": 1767225600000, "value": 1}'
    found = decoded(good, f'{{"key": "a", "time": {time}, "value": 1}}', good)
    assert len(found.keys) == len(found.times) == len(found.targets) == 2
    ((record, error),) = found.rejected
    assert record.offset == 1
    assert "time" in str(error)


@pytest.mark.parametrize("time", ['"9999-12-31T23:59:59Z"', '"0001-01-01T00:00:00Z"', '"9999-12-31T09:59:59-14:00"'])
def test_the_ends_of_the_calendar_are_in_it(time: str) -> None:
    assert len(decoded(f'{{"key": "a", "time": {time}, "value": 1}}').keys) == 1


@pytest.mark.parametrize("key", ["NaN", "1e400", "-1e400", "2E+400", "Infinity", "5", "inf", "nan"])
def test_a_key_stays_the_text_it_was(key: str) -> None:
    events = [f'{{"key": "{key}", "time": 1767225600000, "value": 1}}']
    if key not in ("inf", "nan"):
        events.append(f'{{"key": {key}, "time": 1767225600000, "value": 1}}')
    found = decoded(*events)
    assert found.keys == [key] * len(events)
