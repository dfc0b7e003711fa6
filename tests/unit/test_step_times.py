"""Every step has its time: by the usual interval, by the calendar where that is a month's."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.records.step_times import format_steps, step_times, steps_of_one

DAY = 86_400


@pytest.mark.parametrize(
    ("time", "seconds", "due"),
    [
        ("2026-03-01T00:00:00", 600, ["2026-03-01T00:10:00Z", "2026-03-01T00:20:00Z", "2026-03-01T00:30:00Z"]),
        ("2026-03-01T00:00:00.25", 1, [f"2026-03-01T00:00:0{k}.250000Z" for k in (1, 2, 3)]),
        ("2026-03-01T00:00:00", 0, [None] * 3),
        ("2026-01-31T00:00:00", 30.5 * DAY, ["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"]),
        ("2026-01-01T06:00:00", 31 * DAY, ["2026-02-01T06:00:00Z", "2026-03-01T06:00:00Z", "2026-04-01T06:00:00Z"]),
        ("2026-10-01T00:00:00", 91 * DAY, ["2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z", "2027-07-01T00:00:00Z"]),
        ("2026-12-31T00:00:00", 365 * DAY, ["2027-12-31T00:00:00Z", "2028-12-31T00:00:00Z", "2029-12-31T00:00:00Z"]),
        ("2026-01-10T00:00:00", 30 * DAY, ["2026-02-09T00:00:00Z", "2026-03-11T00:00:00Z", "2026-04-10T00:00:00Z"]),
        ("1969-12-31T23:59:59", 1, [f"1970-01-01T00:00:0{k}Z" for k in (0, 1, 2)]),
        ("9999-12-31T23:59:57", 1, ["9999-12-31T23:59:58Z", "9999-12-31T23:59:59Z", None]),
        ("9999-12-31T23:59:57", 9e12, [None] * 3),
    ],
)
def test_when_steps_are_due(time: str, seconds: float, due: list[str | None]) -> None:
    times = np.array([time], "datetime64[us]").astype(np.int64)
    intervals = np.array([round(seconds * 1e6)])
    assert format_steps(step_times(times, intervals, 3)) == [due]
    assert format_steps(step_times(times.repeat(2), intervals.repeat(2), 3)) == [due] * 2
    assert format_steps(np.array([steps_of_one(int(times[0]), int(intervals[0]), 3)])) == [due]
