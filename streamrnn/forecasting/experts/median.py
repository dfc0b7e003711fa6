"""The median of the newest values: what a series returns to after an outlier.

step = (median of the newest n values, of as many as there are  -  x_t) / sigma
"""

from __future__ import annotations

from typing import NamedTuple

from streamrnn.forecasting.experts import expert as interface
from streamrnn.forecasting.experts.expert import Seen, implements


class Median(NamedTuple):
    """How many values; at most `expert.ROOM`."""

    values: int


@implements(interface.step, Median)
def _step(expert: Median, seen: Seen, o: int) -> float:
    """By insertion into a sorted run."""
    n, room = min(int(seen.events), expert.values), seen.room
    for k in range(n):
        value, j = seen.recent[k], k
        while j > 0 and room[j - 1] > value:
            room[j] = room[j - 1]
            j -= 1
        room[j] = value
    return float((0.5 * (room[(n - 1) // 2] + room[n // 2]) - seen.recent[0]) * seen.inverse)
