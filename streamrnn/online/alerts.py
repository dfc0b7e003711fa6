"""When a score becomes an alert.

An alert opens at the first event whose probability is at most `open_below`. It stays open while the probability is
at most `close_above` (hysteresis), and every event in it carries the alert's id. After an alert opens the series
rests: no other alert opens for `rest_share` of the events seen so far, at least `rest_least` and at most `rest_most`
events. The rest makes alerts a budget: they cannot come thick. Only an event a hundred times rarer than all since the
last alert opened breaks it. An ordinary event, one that no channel finds strange, opens none however low the threshold.
"""

from __future__ import annotations

from math import log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.compiled import kernel


class AlertConfig(NamedTuple):
    """When alerts open, close and rest. Probabilities are `1 - score`."""

    open_below: float = 1e-4
    close_above: float = 1e-2
    rest_share: float = 0.03
    rest_least: int = 30
    rest_most: int = 400


# Columns of an alert state row, int64; all zero is a new series.
EVENTS, ALERTS, OPEN, REST_UNTIL, RAREST = range(5)
COLUMNS = 5
BREAK = 2000  # thousandths of a decade, as is `RAREST`


@kernel
def observe(config: AlertConfig, state: npt.NDArray[np.int64], probability: float) -> int:
    """The id of the alert that this event belongs to, 1 for the first of a series, 0 for none.

    Args:
        config: when alerts open, close and rest.
        state: `(COLUMNS,)`, the row of one series; changes.
        probability: of an event at least as strange.
    """
    event = state[EVENTS]
    state[EVENTS] = event + 1
    rarity = int(-1000.0 * log10(max(probability, 1e-300)))
    breaks = rarity >= state[RAREST] + BREAK
    state[RAREST] = max(state[RAREST], rarity)
    if state[OPEN] == 1:
        if probability <= config.close_above:
            return int(state[ALERTS])
        state[OPEN] = 0
    if probability <= config.open_below and (event >= state[REST_UNTIL] or breaks):
        state[ALERTS] += 1
        state[OPEN] = 1
        state[RAREST] = rarity
        rest = int(config.rest_share * (event + 1))
        state[REST_UNTIL] = event + min(max(rest, config.rest_least), config.rest_most)
        return int(state[ALERTS])
    return 0
