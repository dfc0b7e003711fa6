"""A score whose rate is right: of all events of a series, a share a scores above 1 - a.

The probabilities of `calibration.py` compare an event with the past. Where the past was different (channels that look
for records find fewer and fewer of them, a calm month follows a wild one) their rate drifts from nominal. Here a
threshold t_k, in decades, is tracked for each of a few shares a_k so that the rate cannot drift for long:

    t_k += eta_k (1[d > t_k] - a_k),    d = -log10 p

and decades are mapped by the polygon through (0, 0) and (t_k, -log10 a_k), with slope 1 beyond. After T events the
share above t_k is a_k up to (change of t_k) / (eta_k T) (the tracker of `intervals.py`). At each moment the map is
increasing: it changes no order between events, only what their scores are called.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

LEVELS = 7
NOMINAL = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)  # -log10 a_k
START = (0.5, 1.0, 1.5, 1.9, 2.3, 2.7, 3.1)  # t_k of a new series: raw tails are a little too long on normal data
STEP = (0.05, 0.1, 0.15, 0.25, 0.5, 0.8, 0.8)  # eta_k, decades
REACH = 1.5  # decades that a threshold can be off its start: one long episode must not use up the budget of years
LEAST_GAP = 0.05  # decades between thresholds


@kernel
def corrected(offsets: Array, decades: float) -> float:
    """Decades of the score for an event of raw `decades`; then learn from it.

    Args:
        offsets: `(LEVELS,)`, t_k less its start; all zero is a new series. Changes.
        decades: -log10 p, >= 0.
    """
    result, found = 0.0, False
    before_t, before_d = 0.0, 0.0
    for k in range(LEVELS):
        threshold = max(START[k] + offsets[k], before_t + LEAST_GAP)
        if not found and decades <= threshold:
            result = before_d + (decades - before_t) / (threshold - before_t) * (NOMINAL[k] - before_d)
            found = True
        before_t, before_d = threshold, NOMINAL[k]
        above = 1.0 if decades > threshold else 0.0
        offset = offsets[k] + STEP[k] * (above - 10.0 ** -NOMINAL[k])
        offsets[k] = min(max(offset, -min(REACH, 0.8 * START[k])), REACH)
    return result if found else before_d + decades - before_t
