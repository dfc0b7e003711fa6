"""Where something begins and where it is over: an alert, or a warning, from its first event to the first one after it.

The event that begins an episode and the one that ends it each leave a row of `CHANGES` numbers,

    n, or -n where it ends      the number of the episode, 1 for the first of a series; 0: nothing changed
    since                       time of the event that began it, microseconds since 1970
    target, channel             what drove it then; -1: nothing in particular
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Int64 = npt.NDArray[np.int64]

# What has episodes, in every series.
ANOMALY, WARNING = range(2)
KINDS = 2
# Entries of a row of changes.
NUMBER, SINCE, TARGET, CHANNEL = range(4)
CHANGES = 4
# Columns of an episode's state: those of the change that began the last one, and whether it lasts; all zero is new.
LASTS = CHANGES
COLUMNS = CHANGES + 1


@kernel
def observe(state: Int64, lasts: bool, time_us: int, target: int, channel: int, change: Int64) -> None:
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
        state[SINCE], state[TARGET], state[CHANNEL] = time_us, target, channel
    state[LASTS] = 1 if lasts else 0
    for i in range(CHANGES):
        change[i] = state[i]
    if not lasts:
        change[NUMBER] = -change[NUMBER]
