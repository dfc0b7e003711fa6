"""When the events to come are due: the time of every step that is forecast."""

from __future__ import annotations

import numpy as np

from streamrnn.records.events import Int64, format_times

_DAY = 86_400_000_000  # microseconds
_CALENDAR = ((29, 31, 1), (89, 92, 3), (365, 366, 12))
"""Usual intervals in days, from and to, that mean so many months."""
_UNKNOWN = int(np.iinfo(np.int64).min)  # numpy's NaT
_LAST = 253_402_300_799_999_999  # end of the year 9999: RFC 3339 has no later one


def step_times(times: Int64, intervals: Int64, horizon: int) -> Int64:
    """When the next `horizon` events after each are due, `(events, horizon)`; `_UNKNOWN` where it cannot be said.

    `times` and `intervals` are `(events,)` microseconds; an interval of 0 is not known. Step k is due k intervals after
    the event. Months differ in length: where the event is the first or the last day of one and the interval that of a
    month, a quarter or a year, the step is due on the first or the last day too.
    """
    steps = np.arange(1, horizon + 1, dtype=np.int64)
    # What does not fit the calendar would not fit 64 bits either: leave it out before it is multiplied.
    reach = times[:, None] + intervals[:, None].astype(np.float64) * steps
    fits = (intervals[:, None] > 0) & (reach <= _LAST)
    due = (times[:, None] + np.where(fits, intervals[:, None], 0) * steps).astype(np.int64)
    for least, most, months in _CALENDAR:
        usual = np.flatnonzero((intervals >= least * _DAY) & (intervals <= most * _DAY))
        if usual.size:
            due[usual] = np.where(fits[usual], _by_calendar(times[usual], due[usual], months * steps), due[usual])
    return np.where(fits & (due <= _LAST), due, _UNKNOWN)


def steps_of_one(time: int, interval: int, horizon: int) -> list[int]:
    """The same of one event, of which a dozen arrays would take longer than the arithmetic."""
    if not 0 < interval < _CALENDAR[0][0] * _DAY:
        found: list[int] = step_times(np.array([time]), np.array([interval]), horizon)[0].tolist()
        return found
    last = time + interval * horizon
    if last <= _LAST and time + float(interval) * horizon <= _LAST:
        return list(range(time + interval, last + 1, interval))
    reach = [time + float(interval) * step for step in range(1, horizon + 1)]
    due = [time + interval * step for step in range(1, horizon + 1)]
    return [one if far <= _LAST and one <= _LAST else _UNKNOWN for far, one in zip(reach, due, strict=True)]


def _by_calendar(times: Int64, due: Int64, months: Int64) -> Int64:
    """`due`, but the same end of the month so many months later where a time lies on the first or the last day."""
    moment = times.astype("datetime64[us]")
    day, month = moment.astype("datetime64[D]"), moment.astype("datetime64[M]")
    hours = moment - day
    starts = day == month
    ends = day + 1 == month + 1
    later = month[:, None] + months
    first = (later.astype("datetime64[us]") + hours[:, None]).astype(np.int64)
    last = ((later + 1).astype("datetime64[us]") + hours[:, None]).astype(np.int64) - _DAY
    return np.where(starts[:, None], first, np.where(ends[:, None], last, due))


def format_steps(due: Int64) -> list[list[str | None]]:
    """RFC 3339 in UTC; None where it is not known."""
    texts = format_times(due.ravel())
    width = due.shape[1]
    known: list[str | None] = [None if text == "NaTZ" else text for text in texts]
    return [known[i : i + width] for i in range(0, len(known), width)]
