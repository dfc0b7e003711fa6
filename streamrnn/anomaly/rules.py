"""What an alert of a series has to be: how rare, on which side, how large, and lasting for how long.

A row of `COLUMNS` numbers per rule; which rule holds for a series is a matter of its key and the configuration
(`forecasting/key_rules.py`). What a rule rules out is no alert, and counts as less strange than what is one: so no
alert opens on a lower strength or score than an event that opened none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly.channels import FROZEN, SPREAD
from streamrnn.kernels.jit import kernel

Float64 = npt.NDArray[np.float64]

# Entries of a rule.
SIDE, LEAST, SHARE, LASTING, FALSE_ALARMS, PER_DAY, FOR_ALL, THRESHOLD = range(8)
COLUMNS = 8
SQUEEZED_FROM, SQUEEZED_TO = 0.9, 0.999  # shares of A between which what opens no alert is drawn together


class Rule(NamedTuple):
    """The entries of a rule, in order."""

    side: float = 0.0  # 1: only alerts on values that are too high, -1: too low
    least: float = 0.0  # how far off the value must be, in its units
    share: float = 0.0  # the same, over what was expected
    lasting: float = 0.0  # microseconds that it must be strange for
    false_alarms: float = 1.0  # alerts to accept on normal data, per 1,000 events
    per_day: float = 0.0  # > 0: alerts a day instead
    for_all: float = 0.0  # 1: these are for all series of the partition together
    threshold: float = -1.0  # in [0, 1]: alerts open from this score on instead


def table(*rules: Rule) -> Float64:
    """`(rules, COLUMNS)` for the kernels."""
    return np.array(rules, np.float64)


@kernel
def keep_side(rule: Float64, decades: Float64, sides: Float64, off: Float64) -> None:
    """Leave in `decades` `(CHANNELS,)` what lies on the asked side.

    `sides` `(CHANNELS,)` are 1 where a channel sees values above what is usual, -1 below; the value itself, `off` by so
    much, must not lie on the other side: it may be on its way back. Runs and silences have no side and stay; a changed
    spread is on both and goes.
    """
    if rule[SIDE] == 0.0:
        return
    for k in range(FROZEN):
        if k == SPREAD or sides[k] != rule[SIDE] or off[k] * rule[SIDE] < 0.0:
            decades[k] = 0.0


@kernel
def large_enough(rule: Float64, x: float, deviation: float) -> bool:
    """Whether the value `x`, so far off what was expected, may open an alert; NaN: nothing is off in size."""
    if np.isnan(deviation):
        return True
    size = abs(deviation)
    return bool(size >= rule[LEAST] and size >= rule[SHARE] * abs(x - deviation))


@kernel
def squeezed(strangeness: float, open_at: float) -> float:
    """The strangeness of what must not open an alert: in order, and below A."""
    low = SQUEEZED_FROM * open_at
    if strangeness <= low:
        return strangeness
    return float(low + (SQUEEZED_TO * open_at - low) * (1.0 - 10.0 ** (low - strangeness)))
