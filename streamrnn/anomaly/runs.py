"""Runs of equal values, of missing ones, and silences.

A repeat has the chance q = (repeats + 1) / (events + 2) seen so far, a run of r the chance q ** r. What is longer than
the longest run tolerated so far counts, in decades. One freeze raises what is tolerated to at most twice as much: the
next one is news again. A silence is |log2(interval / usual interval)|, among the largest so far (`peaks.py`).
"""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import peaks
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Entries of the state of the runs of one kind; all zero is new.
RUN, LONGEST, REPEATS, EVENTS = range(4)
COLUMNS = 4
MOST_EVENTS = 1e6  # then counts are halved: 32 bits count to 16 million
WARM_UP = 100.0
LOG10_E = 0.4342944819032518
LOG_2 = 0.6931471805599453
# Columns of a series' times.
LAST_TIME, INTERVAL, INTERVALS, FIRST_TIME = range(4)
TIMES = 4
INTERVAL_GAIN = 0.01
LARGEST_INTERVAL = 4.0  # usual intervals that one teaches at most
LEAST_GAP = 0.3  # binary logarithms


@kernel
def observe(state: Singles, repeats: bool) -> float:
    """Decades of the run that goes on where `repeats`, else 0; then learn from it."""
    decades = 0.0
    if repeats:
        state[RUN] += 1.0
        beyond = state[RUN] - state[LONGEST]
        if beyond > 0.0 and state[EVENTS] >= WARM_UP:
            decades = -beyond * log((state[REPEATS] + 1.0) / (state[EVENTS] + 2.0)) * LOG10_E
        state[REPEATS] += 1.0
    elif state[RUN] > 0.0:
        state[LONGEST] = max(state[LONGEST], min(state[RUN], 2.0 * state[LONGEST] + 8.0))
        state[RUN] = 0.0
    state[EVENTS] += 1.0
    if state[EVENTS] >= MOST_EVENTS:
        state[EVENTS] *= 0.5
        state[REPEATS] *= 0.5
    return decades


@kernel
def share(state: Singles) -> float:
    """Repeats among the events so far."""
    return float(state[REPEATS] / (state[EVENTS] + 1.0))


@kernel
def silence(times: Doubles, largest: Singles, time_us: int) -> float:
    """Decades of the time since the last event; then learn from it.

    Late and simultaneous events say nothing about the rate.
    """
    interval = float(time_us) - times[LAST_TIME]
    if times[LAST_TIME] == 0.0:
        times[LAST_TIME] = float(time_us)
        times[FIRST_TIME] = float(time_us)
        return 0.0
    if not interval > 0.0:
        return 0.0
    times[LAST_TIME] = float(time_us)
    seen = times[INTERVALS]
    if seen == 0.0:
        times[INTERVAL] = interval
    off = abs(log(interval / times[INTERVAL])) / LOG_2
    decades = peaks.rarity(largest, off, 2.0, LEAST_GAP)
    gain = max(1.0 / (seen + 1.0), INTERVAL_GAIN)
    capped = min(interval, LARGEST_INTERVAL * times[INTERVAL]) if seen >= 10.0 else interval
    times[INTERVAL] += gain * (capped - times[INTERVAL])
    times[INTERVALS] = seen + 1.0
    return decades
