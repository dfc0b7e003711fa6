"""The channels: ways in which an event can be strange, each as -log10 of a probability ("decades"), and their weights.

| channel | strange is | catches |
|---|---|---|
| error | the forecast's error, where errors are a Gaussian's | spikes |
| residual | the forecast's error over the last three events | spikes, bursts |
| change | the change since the last value; counts while a series is young | spikes before there is a forecast |
| distance | the value, against the last fifty | values that leave where they were |
| level, spread, jump | a running mean, deviation, change of the distance to this hour of the day | odd episodes |
| range | a value outside all values so far | novelty |
| week | a running mean of the distance to what this hour of the week has been | the wrong kind of day |
| frozen | a run of equal values | stuck sensors |
| missing | a run of missing values | drop-out |
| gap | the time since the last event | drop-out, change of sampling rate |

Together they are one strangeness,

    D = max(sqrt(sum over k of min(w_k d_k, 30)^2),  w_run max(frozen, missing, gap))

in which what several channels see counts for more, and one that is certain is enough. Where a day has few values, level
and week hold them against means of the same values: the larger of the two counts.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

CHANNEL_NAMES = (
    "error", "residual", "change", "distance", "level", "spread", "jump", "range", "week", "frozen", "missing", "gap",
)  # fmt: skip
ERROR, RESIDUAL, CHANGE, DISTANCE, LEVEL, SPREAD, JUMP, RANGE, WEEK, FROZEN, MISSING, GAP = range(12)
CHANNELS = 12
WEIGHTS = (0.7, 0.22, 0.2, 0.4, 0.75, 0.3, 0.5, 1.0, 0.6, 0.5, 0.5, 0.5)
YOUNG = 1000.0  # values; `change` counts for less and less beyond
LARGEST = 30.0  # weighted decades of a channel
LARGEST_RUN = 1000.0


@kernel
def combined(decades: Array, seen: float, one_mean: bool) -> tuple[float, int]:
    """D of one target's `decades` `(CHANNELS,)` after `seen` values, and its strongest channel (-1: none).

    `one_mean`: level and week are about the same.
    """
    squares, longest, strongest, largest = 0.0, 0.0, -1, 0.0
    for k in range(CHANNELS):
        weighted = min(WEIGHTS[k] * decades[k], LARGEST_RUN if k >= FROZEN else LARGEST)
        if k == CHANGE and seen > YOUNG:
            weighted *= (YOUNG / seen) ** 2
        if one_mean and k == WEEK:
            level = min(WEIGHTS[LEVEL] * decades[LEVEL], LARGEST)
            squares += max(weighted * weighted - level * level, 0.0)
        elif k < FROZEN:
            squares += weighted * weighted
        else:
            longest = max(longest, weighted)
        if weighted > largest:
            strongest, largest = k, weighted
    return max(sqrt(squares), longest), strongest
