"""When strange events become an alert.

    D         how strange an event is (`detector.py`)
    A         the strength that opens an alert
    strength  D; within a rest, what is below A + 1.5 counts as less than A; after an alert at least the hold,
              A .95^k at the k-th event after the last one with D >= A

Where none is open, an alert opens at the first event whose strength reaches A, and on no other: what opens none is
never stronger than what opens one. It stays open while D is at least `CLOSE_SHARE` of A (hysteresis). An event that
goes beyond it (`escalation.py`) opens another in its place. After an alert opens the series rests for
`rest_share` of the events seen so far, at least `rest_least`, at most a day's and `rest_most`: only a clearly stronger
event breaks it. The rest makes alerts a budget: they cannot come thick.

A rule may ask that it lasts (`rules.py`): then the first such event begins a wait, which is over when D falls below
`CLOSE_SHARE` of A; what is still strange after so long opens the alert, whose beginning is that of the wait. Channels
remember a spike for a while: that it lasts means that half of the values since then are out of the ordinary themselves.
"""

from __future__ import annotations

from math import log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly.rules import squeezed
from streamrnn.kernels.jit import kernel

Int64 = npt.NDArray[np.int64]


class AlertConfig(NamedTuple):
    """How long a series rests, in events."""

    rest_share: float = 0.04
    rest_least: int = 24
    rest_most: int = 400


# Columns of an alert state row, int64; all zero is new.
EVENTS, ALERTS, OPEN, REST_UNTIL = range(4)
OPENED_AT, SINCE = 4, 5  # the event that opened the last alert; the time at which it began
WAITS, OFF = 6, 7  # events of what has to last before it is an alert; those of them that are off themselves
BEGAN = 8  # the time at which it began
COLUMNS = 9
CLOSE_SHARE = 0.6
BREAK = 1.5  # decades beyond A that an event within a rest needs
RESTING = 0.9  # share of A from which strengths within a rest are drawn together
HOLD = 0.95
DEFAULT = 3.5  # A for one alert per 1,000 events
PER_TARGET = 1.4


@kernel
def strength_for(per_thousand: float, targets: int) -> float:
    """A for at most `per_thousand` alerts per 1,000 normal events; measured (docs/anomalies.md)."""
    slope = 2.5 if per_thousand < 1.0 else 1.4
    return max(DEFAULT - slope * log10(per_thousand) + log10(float(targets)) / PER_TARGET, 0.3)


@kernel
def strength(state: Int64, strangeness: float, open_at: float, hold: float) -> float:
    """The strength of an event of strangeness D; `hold` as it is at this event. Nothing changes."""
    if state[OPEN] == 0 and state[EVENTS] < state[REST_UNTIL] and strangeness < open_at + BREAK:
        low = RESTING * open_at
        if strangeness > low:
            strangeness = low + (open_at - low) * (strangeness - low) / (open_at + BREAK - low)
    return max(strangeness, hold)


@kernel
def lasting(
    state: Int64, strangeness: float, own: float, open_at: float, wait: float, time_us: int, began_us: int, is_off: bool
) -> float:
    """The strength of an event where only what lasts is an alert.

    Args:
        state: `(COLUMNS,)`; its wait changes.
        strangeness: D.
        own: the event's strength.
        open_at: A.
        wait: microseconds that it must last.
        time_us: the event's time.
        began_us: when it would have begun.
        is_off: whether this event is out of the ordinary itself.
    """
    if state[OPEN] == 1:
        return own
    if strangeness < CLOSE_SHARE * open_at:
        state[WAITS] = 0
    if state[WAITS] == 0:
        if own < open_at:
            return own
        state[OFF], state[BEGAN] = 0, began_us
    state[WAITS] += 1
    state[OFF] += 1 if is_off else 0
    if time_us - state[BEGAN] >= wait and 2 * state[OFF] >= state[WAITS]:
        return max(own, open_at)
    return squeezed(own, open_at)


@kernel
def observe(
    config: AlertConfig, state: Int64, own: float, open_at: float, day: float, time_us: int, lasts: bool
) -> int:
    """The id of the alert that this event belongs to, 1 for the first of a series, 0 for none.

    Args:
        config: how long a series rests.
        state: `(COLUMNS,)`, the row of one series; changes.
        own: the event's strength.
        open_at: A.
        day: events of a day, about.
        time_us: the event's time.
        lasts: whether an alert that is open stays so.
    """
    event = state[EVENTS]
    state[EVENTS] = event + 1
    if state[OPEN] == 1:
        if lasts:
            return int(state[ALERTS])
        close(state)
    elif own >= open_at:
        state[ALERTS] += 1
        state[OPEN], state[OPENED_AT] = 1, event
        state[SINCE] = state[BEGAN] if state[WAITS] > 0 else time_us
        state[WAITS] = 0
        rest(config, state, event, day)
        return int(state[ALERTS])
    return 0


@kernel
def close(state: Int64) -> None:
    """The open alert closes, and what waited to go beyond it waits no longer."""
    state[OPEN], state[WAITS], state[OFF] = 0, 0, 0


@kernel
def goes_on(state: Int64, goes: bool, stays: bool, wait: float, time_us: int, began_us: int) -> bool:
    """Whether what goes beyond the alert that is open has lasted for `wait`; else the wait begins, goes on or ends.

    `stays`: it is still as far as it has been. The times are those of `lasting`.
    """
    if state[WAITS] == 0 and goes:
        state[BEGAN] = began_us
    state[WAITS] = state[WAITS] + 1 if goes or (stays and state[WAITS] > 0) else 0
    return bool(state[WAITS] > 0 and time_us - state[BEGAN] >= wait)


@kernel
def escalate(config: AlertConfig, state: Int64, day: float) -> int:
    """An alert opens in place of the one that is open, at the event observed last; its number."""
    event = state[EVENTS] - 1
    state[ALERTS] += 1
    state[OPENED_AT], state[SINCE], state[WAITS] = event, state[BEGAN], 0
    rest(config, state, event, day)
    return int(state[ALERTS])


@kernel
def rest(config: AlertConfig, state: Int64, event: int, day: float) -> None:
    """Rest from `event` on."""
    most = max(min(float(config.rest_most), day), float(config.rest_least))
    length = min(max(config.rest_share * (event + 1), float(config.rest_least)), most)
    state[REST_UNTIL] = event + int(length)


@kernel
def replay(
    config: AlertConfig,
    state: Int64,
    strengths: npt.NDArray[np.float64],
    open_at: float,
    opened: npt.NDArray[np.bool_],
) -> None:
    """Write to `opened` `(events,)` which events open an alert at `open_at`, where nothing breaks a rest."""
    for i in range(len(strengths)):
        before = state[ALERTS]
        own = strengths[i] if state[EVENTS] >= state[REST_UNTIL] else 0.0
        lasts = strengths[i] >= CLOSE_SHARE * open_at
        observe(config, state, own, open_at, float(config.rest_most), 0, lasts)
        opened[i] = state[ALERTS] > before
