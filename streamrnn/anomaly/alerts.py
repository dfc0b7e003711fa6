"""When strange events become an alert.

An alert opens at the first event whose level reaches `open_at`. It stays open while the level is at least
`CLOSE_SHARE` of that (hysteresis), and every event meanwhile belongs to it. After an alert opens the series
rests: no other alert opens for `rest_share` of the events seen so far, at least `rest_least` and at most `rest_most`
events. The rest makes alerts a budget: they cannot come thick. Only what a fast channel finds extraordinary breaks it,
the first since the last alert opened, or one a hundred times rarer than those before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel


class AlertConfig(NamedTuple):
    """How long a series rests."""

    rest_share: float = 0.04
    rest_least: int = 30
    rest_most: int = 400


# Columns of an alert state row, int64; all zero is a new series.
EVENTS, ALERTS, OPEN, REST_UNTIL, RAREST = range(5)
COLUMNS = 5
CLOSE_SHARE = 1 / 3
BREAK = 2000  # thousandths of a decade, as is `RAREST`


@kernel
def observe(
    config: AlertConfig, state: npt.NDArray[np.int64], level: float, open_at: float, extraordinary: float
) -> int:
    """The id of the alert that this event belongs to, 1 for the first of a series, 0 for none.

    Args:
        config: how long a series rests.
        state: `(COLUMNS,)`, the row of one series; changes.
        level: how strange the event is.
        open_at: the level that opens an alert.
        extraordinary: decades of the fast channels beyond what they need to speak, <= 0 when they have nothing to say.
    """
    event = state[EVENTS]
    state[EVENTS] = event + 1
    rarity = int(1000.0 * min(max(extraordinary, 0.0), 1e6))
    breaks = rarity > 0 and (state[RAREST] == 0 or rarity >= state[RAREST] + BREAK)
    state[RAREST] = max(state[RAREST], rarity)
    if state[OPEN] == 1:
        if level >= CLOSE_SHARE * open_at:
            return int(state[ALERTS])
        state[OPEN] = 0
    if level >= open_at and (event >= state[REST_UNTIL] or breaks):
        state[ALERTS] += 1
        state[OPEN] = 1
        state[RAREST] = rarity
        rest = int(config.rest_share * (event + 1))
        state[REST_UNTIL] = event + min(max(rest, config.rest_least), config.rest_most)
        return int(state[ALERTS])
    return 0


@kernel
def replay(
    config: AlertConfig,
    state: npt.NDArray[np.int64],
    levels: npt.NDArray[np.float64],
    open_at: float,
    opened: npt.NDArray[np.bool_],
) -> None:
    """Write to `opened` `(events,)` which events of a series open an alert, with nothing extraordinary among them."""
    for i in range(len(levels)):
        before = state[ALERTS]
        observe(config, state, levels[i], open_at, 0.0)
        opened[i] = state[ALERTS] > before
