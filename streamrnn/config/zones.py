"""Local time as a table: from which instant on it is how far ahead of UTC.

Phases of day and week follow local time through changes of the clock. The table is made once, from the configuration
and the time zone database, so the fold itself knows no zones. A holiday is a piece of its own in the table: local time
is set back by whole days to the Sunday before, so that the day counts as a Sunday at every hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Beyond, the first and the last offset are taken to hold."""
_STEP = timedelta(days=7)  # no zone changes its clock twice within


def local_offsets(time_zone: str | None = None, holidays: Iterable[date] = ()) -> Int64:
    """`(2, pieces)`, microseconds: instants since 1970 (UTC), and how far local time is ahead from each on.

    Without zone and holidays there are no pieces: local time is UTC.

    Raises `ZoneInfoNotFoundError` for a zone that does not exist.

    >>> local_offsets("Europe/Berlin")[:, -1].tolist()[1] / 3.6e9
    1.0
    """
    days = sorted(set(holidays))
    if time_zone is None and not days:
        return np.zeros((2, 0), np.int64)
    pieces = dict(_transitions(time_zone or "UTC"))
    zone = ZoneInfo(time_zone or "UTC")
    starts = np.array(sorted(pieces), dtype=np.int64)

    def offset(instant: int) -> int:
        return pieces[int(starts[max(0, int(np.searchsorted(starts, instant, side="right")) - 1)])]

    shifted: dict[int, int] = {}
    for day in days:
        begin, end = (_instant(datetime(d.year, d.month, d.day, tzinfo=zone)) for d in (day, day + timedelta(days=1)))
        back = -(day.weekday() + 1) % -7 * 86_400_000_000  # to the Sunday before; a Sunday stays
        inside = [begin, *(int(s) for s in starts if begin < s < end)]
        shifted |= {instant: offset(instant) + back for instant in inside}
        shifted[end] = offset(end)  # unless the next day is one, too: then its own piece replaces this one
    pieces |= shifted
    ordered = sorted(pieces.items())
    return np.array(ordered, dtype=np.int64).reshape(-1, 2).T.copy()


@cache
def _transitions(name: str) -> tuple[tuple[int, int], ...]:
    """Every instant at which the zone's offset changes, with the offset from there on."""
    zone = ZoneInfo(name)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(zone).utcoffset() or timedelta()

    found = [(_instant(FIRST), _microseconds(offset(FIRST)))]
    moment, before = FIRST, offset(FIRST)
    while moment < LAST:
        after = offset(moment + _STEP)
        if after != before:
            low, high = moment, moment + _STEP
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            found.append((_instant(high), _microseconds(after)))
        moment, before = moment + _STEP, after
    return tuple(found)


def _instant(moment: datetime) -> int:
    return _microseconds(moment - datetime(1970, 1, 1, tzinfo=UTC))


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
