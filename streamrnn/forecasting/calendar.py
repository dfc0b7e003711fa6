"""Where a series is in its cycles: sampling interval, seasons and phases.

The sampling interval follows the median of the gaps between events. A season is a cycle of `period` microseconds cut
into `bins` phases, one per event where they fit. Declared periods are taken as they are. Otherwise the shortest of day,
week and year is taken that holds at least two and at most `MOST_EVENTS` events, once `SETTLE` events were seen. Where
times fit none of them, the period is looked for in the values (see `detect_period`) and counted in events. Bins are
centered on multiples of period / bins, so that events of a month or a week stay in theirs.

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
MOST_EVENTS: Final = 1500
MOST_SEASONS: Final = 2

# Columns of a series' clock, (rows, CLOCK_SIZE).
EVENTS: Final = 0
LAST_TIME: Final = 1
INTERVAL: Final = 2
GAP: Final = 3  # microseconds since the event before, 0 when the clock stood still or went back
SEASON: Final = 4  # from here three per season:
KIND: Final = 0
PERIOD: Final = 1  # microseconds or events
BINS: Final = 2
CLOCK_SIZE: Final = SEASON + 3 * MOST_SEASONS

NONE: Final = 0
BY_TIME: Final = 1
BY_EVENTS: Final = 2


@kernel
def season_at(season: int) -> slice:
    """Where a clock holds the three columns of a season."""
    return slice(SEASON + 3 * season, SEASON + 3 * season + 3)


@kernel
def observe_time(clock: Int64, time: int, declared: tuple[int, int], seasons: int, most_bins: int) -> None:
    """Move the clock to the event at `time`; settle the seasons when enough events were seen."""
    out_of_line()
    events = clock[EVENTS]
    gap = np.int64(0)
    if events > 0:
        gap = max(np.int64(0), time - clock[LAST_TIME])
        interval = clock[INTERVAL]
        if interval == 0:
            clock[INTERVAL] = gap
        elif gap > 0:
            reach = max(np.int64(1), interval // min(events, np.int64(50)))
            clock[INTERVAL] = interval + max(-reach, min(reach, gap - interval))
    clock[GAP] = gap
    clock[LAST_TIME] = time
    clock[EVENTS] = events + 1
    if events + 1 == SETTLE and clock[INTERVAL] > 0:
        for season in range(seasons):
            _settle(clock[season_at(season)], clock[INTERVAL], declared[season], season, most_bins)


@kernel
def _settle(season: Int64, interval: int, declared: int, skip: int, most_bins: int) -> None:
    period = np.int64(declared)
    if period == 0:
        for candidate in (DAY, WEEK, YEAR):
            if period == 0 and 2 * interval <= candidate <= MOST_EVENTS * interval:
                if skip == 0:
                    period = np.int64(candidate)
                skip -= 1
    if period == 0:
        return
    bins = (period + interval // 2) // interval
    if period == YEAR and 11 <= bins <= 13:  # months and weeks are not of one length
        bins = np.int64(12)
    elif period == YEAR and 51 <= bins <= 53:
        bins = np.int64(52)
    season[KIND], season[PERIOD] = BY_TIME, period
    season[BINS] = max(np.int64(2), min(bins, np.int64(most_bins)))


@kernel
def detect_period(season: Int64, newest_first: Float64, values: int, most_bins: int) -> None:
    """Look for a period, in events, in the last `values` values: the highest peak of the steps' autocorrelation.

    A longer period must beat a shorter one by a tenth, so that a multiple of the true one is not taken for it.
    """
    out_of_line()
    n = values - 1
    mean = (newest_first[0] - newest_first[n]) / n
    power = 0.0
    for i in range(n):
        step = newest_first[i] - newest_first[i + 1] - mean
        power += step * step
    if not (power > 0.0 and power < 1e300):
        return
    best, found = 0.4, 0
    before, here = 1.0, 0.0
    for lag in range(2, min(n // 2, most_bins) + 2):
        total = 0.0
        for i in range(n - lag):
            step = newest_first[i] - newest_first[i + 1] - mean
            total += step * (newest_first[i + lag] - newest_first[i + lag + 1] - mean)
        after = total / power * n / (n - lag)
        if lag > 3 and here > before and here >= after and here > best:
            best, found = 1.1 * here, lag - 1
        before, here = here, after
    if found > 0 and season[PERIOD] != found:
        season[KIND], season[PERIOD], season[BINS] = BY_EVENTS, found, found


@kernel
def phase_after(clock: Int64, season: Int64, steps: int) -> float:
    """Phase in [0, 1) of the event `steps` after the last one (0: the last one itself)."""
    period = season[PERIOD]
    if season[KIND] == BY_EVENTS:
        position = (clock[EVENTS] - 1 + steps) % period
    else:
        position = (clock[LAST_TIME] + steps * clock[INTERVAL]) % period
    share: float = position / period
    return share


@kernel
def bin_of(phase: float, bins: int) -> int:
    """The bin a phase falls into."""
    return int(phase * bins + 0.5) % bins
