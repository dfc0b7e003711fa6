"""What comes again by the clock and about as large each time is the series' way: a job, a backup, a report.

A series remembers its last `KEPT` strange episodes: when each began, how far the value was off its forecast then (or,
where the forecast has learned it, off what is usual at its hour), how many events it lasted and how strange it became.
(An error more than `SUDDEN` times as large begins an episode of its
own.) Two are alike where they are on the same side and neither is more than `ALIKE` times as large. A new one *recurs*
where, from it back, `BEFORE` others like it stand at intervals of m P,

    |interval - m P| <= `EXACT` P + 1.5 events,  m in 1..`SKIPPED`       some may have been too small

P being how long ago one of the last was: a time that schedulers count by, whole days or one of the `PARTS` of a day, to
within an event. Other intervals are no schedule: what crashes every 50 minutes is told each time. A few that are alike
may stand between, no more than fit so far.

What recurs opens no alert (`rules.squeezed`) for `STRETCH` times as long as the longest of those lasted, and a few
events, unless it becomes stranger than `SHARE` times the strangest of those, and `MARGIN`. What is still strange then
is as strange as it has been: a job that does not end is told late. So the first three are told, and later what is
larger than those before, what comes at another time and what lasts longer. Where a person has called an alert of the
series a fault, nothing recurs any more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import rules
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

KEPT = 8
BEFORE = 3
SUDDEN = 3.0
ALIKE, LARGER = 1.6, 1.25  # times as large; the largest of those before is what a new one is held against
EXACT, SKIPPED = 0.03, 3.0
CANDIDATES = 4
DAY, WEEK = 86_400e6, 7 * 86_400e6  # microseconds
PARTS = (2, 3, 4, 6, 8, 12, 24, 48, 72, 96, 144, 288)  # of a day: 12 hours to 5 minutes
EVENTS = 12.0  # of a shorter interval any would be near some part
BEGINS, LEAST = 0.8, 2.0  # an episode begins at this share of A, and at so many decades at least
APART = 6  # events below that before another begins
STRETCH, FEW = 1.5, 3.0  # events
SHARE, MARGIN = 1.25, 1.0  # decades
# Entries of the state; all zero is new.
COUNT, QUIET, LEFT, REACH, IS_FAULT = range(5)  # episodes; events since one; events to keep down, and up to where
SIZES = 5
LENGTHS = SIZES + KEPT
PEAKS = LENGTHS + KEPT
COLUMNS = PEAKS + KEPT


@kernel
def _alike(one: float, other: float) -> bool:
    """Whether two sizes are on one side and about as large."""
    return one * other > 0.0 and abs(one) <= ALIKE * abs(other) and abs(other) <= ALIKE * abs(one)


@kernel
def _place(state: Singles, back: int) -> int:
    """Where the last episode (1), the one before it (2) and so on are kept."""
    return int(state[COUNT] - back) % KEPT


@kernel
def _is_of_a_clock(period: float, apart: float) -> bool:
    """Whether schedulers count by such an interval; both in microseconds."""
    if period < EVENTS * apart:
        return False
    if period > DAY - apart:
        unit = DAY if EVENTS * apart <= DAY else WEEK
        return abs(period - max(round(period / unit), 1.0) * unit) <= apart
    off = DAY
    for part in PARTS:
        off = min(off, abs(period - DAY / part))
    return off <= apart


@kernel
def _fits(state: Singles, times: Doubles, now: float, size: float, period: float, reach: float) -> tuple[float, float]:
    """How long the longest of `BEFORE` episodes at such intervals lasted, -1: there are fewer; the strangest's D."""
    hits, misses, last, longest, largest, peak = 0, 0, now, 0.0, 0.0, 0.0
    for back in range(1, min(int(state[COUNT]), KEPT) + 1):
        at = _place(state, back)
        if not _alike(float(state[SIZES + at]), size):
            continue
        gap = last - times[at]
        steps = min(max(round(gap / period), 1.0), SKIPPED)
        if abs(gap - steps * period) <= reach:
            hits, last = hits + 1, times[at]
            longest, peak = max(longest, float(state[LENGTHS + at])), max(peak, float(state[PEAKS + at]))
            largest = max(largest, abs(float(state[SIZES + at])))
            if hits == BEFORE:
                return (longest if abs(size) <= LARGER * largest else -1.0), peak
        else:
            misses += 1
            if misses > hits + 1:
                break
    return -1.0, peak


@kernel
def _recurs(state: Singles, times: Doubles, now: float, apart: float, size: float) -> tuple[float, float]:
    """Events that the longest of those before lasted, -1 where this does not recur; how strange the strangest was."""
    for back in range(1, min(int(state[COUNT]), CANDIDATES) + 1):
        at = _place(state, back)
        period = now - times[at]
        if not _is_of_a_clock(period, apart) or not _alike(float(state[SIZES + at]), size):
            continue
        lasted, peak = _fits(state, times, now, size, period, EXACT * period + 1.5 * apart)
        if lasted >= 0.0:
            return lasted, peak
    return -1.0, 0.0


@kernel
def kept_down(
    state: Singles, times: Doubles, now: float, apart: float, size: float, strangeness: float, open_at: float
) -> float:
    """The strangeness of a value, less where it recurs; then remember it.

    Args:
        state: `(COLUMNS,)`; changes.
        times: `(KEPT,)`, when the remembered episodes began, microseconds; changes.
        now: the event's time, microseconds.
        apart: the usual time between two events, microseconds.
        size: how far the value is off its forecast or what is usual at its hour; NaN where there is none.
        strangeness: >= 0.
        open_at: A.
    """
    state[LEFT] = max(state[LEFT] - 1.0, 0.0)
    if strangeness < max(BEGINS * open_at, LEAST):
        state[QUIET] += 1.0
        return strangeness
    is_new = state[COUNT] == 0.0 or state[QUIET] >= APART
    is_new = is_new or abs(size) > SUDDEN * abs(float(state[SIZES + _place(state, 1)]))
    if is_new and state[LEFT] == 0.0 and size == size:
        lasted, peak = _recurs(state, times, now, apart, size)
        state[REACH] = 0.0
        if lasted >= 0.0 and state[IS_FAULT] == 0.0:
            state[LEFT], state[REACH] = STRETCH * lasted + FEW, SHARE * max(peak, strangeness) + MARGIN
        at = _place(state, 0)
        times[at], state[SIZES + at], state[LENGTHS + at], state[PEAKS + at] = now, size, 0.0, strangeness
        state[COUNT] += 1.0
        if state[COUNT] >= 2.0 * KEPT:
            state[COUNT] -= KEPT
    elif not is_new:
        at = _place(state, 1)
        state[LENGTHS + at] += state[QUIET] + 1.0
        state[PEAKS + at] = max(state[PEAKS + at], strangeness)
        if state[LEFT] == 0.0 and state[REACH] > 0.0:
            strangeness, state[REACH] = float(state[PEAKS + at]), 0.0
    state[QUIET] = 0.0
    if state[LEFT] > 0.0 and strangeness <= state[REACH]:
        return rules.squeezed(strangeness, open_at)
    return strangeness


@kernel
def told(state: Singles, expected: bool) -> None:
    """A person has called an alert of this target expected, or a fault."""
    state[IS_FAULT] = 0.0 if expected else 1.0
    state[LEFT] = 0.0
