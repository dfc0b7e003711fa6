"""Where a series is in its cycles: sampling interval, seasons and phases.

The sampling interval follows the median of the gaps between events. A series has up to two seasons, the shorter one
first. A season is a cycle cut into `bins` phases, one per event where they fit; its kind says what its phase follows:

    BY_TIME    microseconds: declared periods, else the two shortest of day, week and year that fit the interval
    BY_EVENTS  sampling intervals: a period found in the values (`cycles.py`)
    BY_ROWS    rows of a calendar day, where days have a fixed number of rows and a long night without any

The bins of both together are at most `most_bins`; where there are more phases than that, several share a bin.

Positions are counted in sampling intervals by time, not in events, so a gap of missing events shifts no phase; where
gaps are no multiples of the interval every event counts as one. Bins are centered on multiples of period / bins, so
that events of a month or a week stay in theirs.

Days and weeks are those of local time: `offsets` (2, pieces) says from which instant on it is how far ahead of UTC, in
microseconds; without pieces it is UTC.

Event times may repeat or go back: the interval learns nothing from that, phases follow the time given.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

DAY: Final = 86_400_000_000
WEEK: Final = 7 * DAY
YEAR: Final = 31_556_952_000_000  # 365.2425 days

SETTLE: Final = 6
MOST_SEASONS: Final = 2
MOST_EVENTS: Final = 1500  # of a day
MOST_OF_WEEK: Final = 7 * MOST_EVENTS
MOST_OF_YEAR: Final = 400
EQUAL_DAYS: Final = 3  # calendar days of one number of rows that make it a season
MOST_TICKS: Final = 1 << 40
IRREGULAR_SHARE: Final = 300  # per mille of gaps that are no multiple of the interval: then events are counted

# Columns of a series' clock, (rows, CLOCK_SIZE).
EVENTS: Final = 0
LAST_TIME: Final = 1
INTERVAL: Final = 2
GAP: Final = 3  # microseconds since the event before, 0 when the clock stood still or went back
TICK: Final = 4  # sampling intervals since the first event
TICKS: Final = 5  # of the last gap
IRREGULAR: Final = 6  # running per mille of gaps that are no multiple of the interval
ROW: Final = 7  # events of this calendar day so far
ROWS: Final = 8  # of the calendar day before
DAYS: Final = 9  # calendar days in succession that had as many
SEASON: Final = 10  # from here three per season:
KIND: Final = 0
PERIOD: Final = 1  # microseconds, sampling intervals or rows
BINS: Final = 2
CLOCK_SIZE: Final = SEASON + 3 * MOST_SEASONS

NONE: Final = 0
BY_TIME: Final = 1
BY_EVENTS: Final = 2
BY_ROWS: Final = 3


@kernel
def season_at(season: int) -> slice:
    """Where a clock holds the three columns of a season."""
    return slice(SEASON + 3 * season, SEASON + 3 * season + 3)


@kernel
def offset_at(offsets: Int64, time: int) -> int:
    """How far local time is ahead of UTC at an instant, microseconds; before the first piece as in it."""
    pieces = offsets.shape[1]
    if pieces == 0:
        return 0
    low, high = 0, pieces
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[0, middle] <= time:
            low = middle
        else:
            high = middle
    return int(offsets[1, low])


@kernel
def observe_time(clock: Int64, time: int, declared: tuple[int, int], most_bins: int, offsets: Int64) -> int:
    """Move the clock to the event at `time`; returns which seasons changed, bit s for season s.

    Seasons by time are settled at the `SETTLE`th event and again at events 32, 64, 128 ..., because the first
    intervals of a series may not be typical of it.
    """
    out_of_line()
    events = clock[EVENTS]
    gap = np.int64(0)
    new_day = False
    if events > 0:
        gap = max(np.int64(0), time - clock[LAST_TIME])
        interval = clock[INTERVAL]
        if interval == 0:
            clock[INTERVAL] = gap
        elif gap > 0:
            reach = max(np.int64(1), interval // min(events, np.int64(50)))
            clock[INTERVAL] = interval + max(-reach, min(reach, gap - interval))
        today = (time + offset_at(offsets, time)) // DAY
        new_day = today != (clock[LAST_TIME] + offset_at(offsets, clock[LAST_TIME])) // DAY
        _count_ticks(clock, int(gap))
    clock[GAP] = gap
    clock[LAST_TIME] = time
    clock[EVENTS] = events + 1
    changed = np.int64(0)
    if new_day:
        changed |= _end_day(clock, declared, most_bins)
    clock[ROW] = 1 if new_day else clock[ROW] + 1
    n = events + 1
    if clock[INTERVAL] > 0 and (n == SETTLE or (n >= 32 and n & (n - 1) == 0)):
        changed |= _settle(clock, declared, most_bins)
    return int(changed)


@kernel
def _count_ticks(clock: Int64, gap: int) -> None:
    interval = clock[INTERVAL]
    ticks = np.int64(1)
    if gap > 0 and interval > 0 and clock[EVENTS] > SETTLE:
        multiple = max(np.int64(1), (gap + interval // 2) // interval)
        off = 1000 if abs(gap - multiple * interval) > interval // 5 else 0
        clock[IRREGULAR] += (off - clock[IRREGULAR]) // 16
        if clock[IRREGULAR] < IRREGULAR_SHARE:
            ticks = min(multiple, np.int64(MOST_TICKS))
    clock[TICKS] = ticks
    clock[TICK] = min(clock[TICK] + ticks, np.int64(1) << 60)


@kernel
def _end_day(clock: Int64, declared: tuple[int, int], most_bins: int) -> int:
    """A calendar day is over: does it have as many rows as those before, and a night without any?"""
    rows = clock[ROW]
    clock[DAYS] = clock[DAYS] + 1 if rows == clock[ROWS] else 1
    clock[ROWS] = rows
    season = clock[season_at(0)]
    # Long, and longer than the gaps of a day that is as short as the night lets it be.
    night = min(clock[GAP], 10 * np.int64(DAY))
    is_night = 10 * night >= DAY and night * (rows - 1) >= 3 * (DAY - min(night, np.int64(DAY)))
    known = season[KIND] == BY_ROWS and season[PERIOD] == rows
    if clock[DAYS] < EQUAL_DAYS or declared[0] > 0 or known or not is_night or rows < 4 or rows > MOST_EVENTS:
        return 0
    season[KIND], season[PERIOD], season[BINS] = BY_ROWS, rows, 0
    return give_bins(clock, most_bins)


@kernel
def _settle(clock: Int64, declared: tuple[int, int], most_bins: int) -> int:
    """Give every season that follows time its period and bins; those found in values or rows stay."""
    interval, changed, s = clock[INTERVAL], 0, 0
    low, high = min(declared[0], declared[1]), max(declared[0], declared[1])
    candidates = (low if low > 0 else high, high if low > 0 else 0, 0) if high > 0 else (DAY, WEEK, YEAR)
    for candidate in candidates:
        most = MOST_EVENTS if candidate == DAY else (MOST_OF_WEEK if candidate == WEEK else MOST_OF_YEAR)
        if s < MOST_SEASONS and candidate > 0 and (high > 0 or 2 * interval <= candidate <= most * interval):
            season = clock[season_at(s)]
            if season[KIND] == NONE or (season[KIND] == BY_TIME and season[PERIOD] != candidate):
                season[KIND], season[PERIOD], season[BINS] = BY_TIME, candidate, 0
            s += 1
    while s < MOST_SEASONS:
        season = clock[season_at(s)]
        if season[KIND] == BY_TIME:  # does not fit any more
            season[KIND] = season[PERIOD] = season[BINS] = 0
            changed |= 1 << s
        s += 1
    return changed | give_bins(clock, most_bins)


@kernel
def give_bins(clock: Int64, most_bins: int) -> int:
    """Share the bins between the seasons: one a phase where there is room, else a whole number of phases each.

    A season without bins is a new one. Returns which seasons have other bins than before; one whose number would change
    little keeps it, because interval and phases are never known exactly.
    """
    one, two = clock[season_at(0)], clock[season_at(1)]
    first, second = _phases(clock, one), _phases(clock, two)
    if first + second > most_bins:
        first = _shared(first, max(most_bins // 2, most_bins - second) if second > 0 else most_bins)
        second = _shared(second, most_bins - first)
    changed, full = 0, False
    for _ in range(2):
        if 10 * abs(one[BINS] - first) > first or (full and one[BINS] != first):
            one[BINS] = first
            changed |= 1
        if 10 * abs(two[BINS] - second) > second or (full and two[BINS] != second):
            two[BINS] = second
            changed |= 2
        full = one[BINS] + two[BINS] > most_bins
    return changed


@kernel
def _shared(phases: int, most: int) -> int:
    """Bins for so many phases, at most `most`."""
    return phases // ((phases + most - 1) // most) if phases > most else phases


@kernel
def _phases(clock: Int64, season: Int64) -> int:
    """Phases that a season has, one per event; 0: there is no such season."""
    if season[KIND] == NONE:
        return 0
    period = season[PERIOD]
    if season[KIND] != BY_TIME:
        return int(period)
    interval = max(np.int64(1), clock[INTERVAL])
    phases = (period + interval // 2) // interval
    if period == YEAR and 11 <= phases <= 13:  # months and weeks are not of one length
        return 12
    if period == YEAR and 51 <= phases <= 53:
        return 52
    return int(max(np.int64(2), phases))


@kernel
def phase_after(clock: Int64, season: Int64, steps: int, offsets: Int64) -> float:
    """Phase in [0, 1) of the event `steps` after the last one (0: the last one itself)."""
    period = season[PERIOD]
    if season[KIND] == BY_EVENTS:
        position = (clock[TICK] + steps) % period
    elif season[KIND] == BY_ROWS:
        position = (clock[ROW] - 1 + steps) % period
    else:
        time = clock[LAST_TIME] + steps * clock[INTERVAL]
        position = (time + offset_at(offsets, time)) % period
    share: float = position / period
    return share


@kernel
def fill_phases(clock: Int64, phases: Float64, offsets: Int64) -> None:
    """phases[s, k] = phase of season `s` at the event `k` after the last one; those of a season that is none stay."""
    for s in range(phases.shape[0]):
        season = clock[season_at(s)]
        if season[KIND] != NONE:
            for k in range(phases.shape[1]):
                phases[s, k] = phase_after(clock, season, k, offsets)


@kernel
def bin_of(phase: float, bins: int) -> int:
    """The bin a phase falls into."""
    return int(phase * bins + 0.5) % bins


def season_names(clock: Int64) -> list[str]:
    """What a person may read of a series' seasons, the shorter one first; `clock` (CLOCK_SIZE,)."""
    named = {DAY: "1 day", WEEK: "1 week", YEAR: "1 year"}
    names = []
    for s in range(MOST_SEASONS):
        kind, period, _ = (int(number) for number in clock[SEASON + 3 * s : SEASON + 3 * s + 3])
        if kind == BY_TIME:
            names.append(named.get(period, f"{period / 1e6:g} s"))
        elif kind == BY_EVENTS:
            names.append(f"{period} sampling intervals")
        elif kind == BY_ROWS:
            names.append(f"{period} rows of a calendar day")
    return names
