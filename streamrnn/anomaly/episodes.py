"""Where something begins and where it is over: an alert, or a warning, from its first event to the first one after it.

The event that begins an episode and the one that ends it each leave a row of `CHANGES` numbers,

    n, or -n where it ends      the number of the episode, 1 for the first of a series; 0: nothing changed
    since                       time of the event that began it, microseconds since 1970
    target, channel             what drove it then; -1: nothing in particular

Where an alert opens in place of one that is open (`escalation.py`) both have a row, the one that it ends in `REPLACED`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

# What has episodes, in every series.
ANOMALY, WARNING = range(2)
KINDS = 2
REPLACED = 2  # the row of changes of an alert that another one ends
ROWS = 3
# Entries of a row of changes.
NUMBER, SINCE, TARGET, CHANNEL = range(4)
CHANGES = 4
# Columns of an episode's state, 32 bits each: the change that began the last one, and whether it lasts; zeros are new.
HIGH, LOW, DRIVER, LASTS = 1, 2, 3, 4  # halves of the time; (target + 1) * CHANNELS + channel + 1
COLUMNS = 5
CHANNELS = 256


@kernel
def replace(state: Int32, time_us: int, target: int, channel: int, replaced: Int64, change: Int64) -> None:
    """Note that an episode ends and another begins at this event: see `observe`; both rows are written."""
    observe(state, False, time_us, target, channel, replaced)
    observe(state, True, time_us, target, channel, change)


@kernel
def observe(state: Int32, lasts: bool, time_us: int, target: int, channel: int, change: Int64) -> None:
    """Note whether an episode lasts at this event.

    Args:
        state: `(COLUMNS,)`, of one series; changes.
        lasts: whether the event belongs to an episode.
        time_us: the event's time.
        target: index of what drives it, -1: nothing in particular.
        channel: the same.
        change: `(CHANGES,)`, zeros; written where an episode begins or ends.
    """
    if lasts == (state[LASTS] == 1):
        return
    if lasts:
        state[NUMBER] += 1
        state[HIGH], state[LOW] = time_us >> 32, np.int32(np.int64(time_us & 0xFFFFFFFF) - (1 << 31))
        state[DRIVER] = (target + 1) * CHANNELS + channel + 1
    state[LASTS] = 1 if lasts else 0
    change[NUMBER] = state[NUMBER] if lasts else -state[NUMBER]
    change[SINCE] = (np.int64(state[HIGH]) << 32) + state[LOW] + (1 << 31)
    change[TARGET], change[CHANNEL] = state[DRIVER] // CHANNELS - 1, state[DRIVER] % CHANNELS - 1


def began(state: Int32) -> Int64:
    """The changes `(episodes, CHANGES)` that the episodes `(episodes, COLUMNS)` began with."""
    wide = state.astype(np.int64)
    driver = wide[:, DRIVER]
    since = (wide[:, HIGH] << 32) + wide[:, LOW] + (1 << 31)
    return np.stack([wide[:, NUMBER], since, driver // CHANNELS - 1, driver % CHANNELS - 1], axis=1)
