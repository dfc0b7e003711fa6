"""From a strength to a score whose rate is right: of all normal events, a share a scores above 1 - a.

    score = 1 - 10^-q,   q = polygon through (0, 0) and (t_k, -log10 a_k), slope `SLOPE` beyond

From the strength A that opens an alert on, the map is a constant, measured on simulated series of all kinds: there a
strength has the same score in every series at every age, and no alert opens on a lower score than one that opened
none. Below, where a series shows its own shape, they are tracked so that the rate cannot drift for long:

    t_k += eta_k (1[strength > t_k] - a_k)

At each moment the map is increasing: it changes no order between events.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]

LEVELS = 6
TRACKED = 6
NOMINAL = (0.3010299956639812, 1.0, 1.5, 2.0, 2.5, 3.0)  # -log10 a_k
START = (0.3, 1.0, 1.6, 2.3, 2.8, 3.25)  # t_k of a new series
STEP = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)  # eta_k
LEAST_GAP = 0.02  # between thresholds
SLOPE = 1.2


@kernel
def constant(strength: float) -> float:
    """q of a strength by the constants alone."""
    before_t, before_q = 0.0, 0.0
    for k in range(LEVELS):
        if strength <= START[k]:
            return before_q + (strength - before_t) / (START[k] - before_t) * (NOMINAL[k] - before_q)
        before_t, before_q = START[k], NOMINAL[k]
    return before_q + SLOPE * (strength - before_t)


@kernel
def strength_of(score: float) -> float:
    """The strength whose score is `score` by the constants alone."""
    asked = -log10(max(1.0 - score, 1e-300))
    before_t, before_q = 0.0, 0.0
    for k in range(LEVELS):
        if asked <= NOMINAL[k]:
            return before_t + (asked - before_q) / (NOMINAL[k] - before_q) * (START[k] - before_t)
        before_t, before_q = START[k], NOMINAL[k]
    return before_t + (asked - before_q) / SLOPE


@kernel
def decades(offsets: Singles, strength: float, open_at: float) -> float:
    """q of an event; then learn from it.

    Args:
        offsets: `(TRACKED,)`, t_k less its start; all zero is a new series. Changes.
        strength: >= 0.
        open_at: A; from it on the constants hold.
    """
    top = constant(open_at)
    result, found = constant(strength), strength >= open_at
    before_t, before_q = 0.0, 0.0
    for k in range(TRACKED):
        if NOMINAL[k] >= top:
            break
        highest = open_at - (TRACKED - k) * LEAST_GAP
        threshold = max(min(START[k] + offsets[k], highest), before_t + LEAST_GAP)
        if not found and strength <= threshold:
            result = before_q + (strength - before_t) / (threshold - before_t) * (NOMINAL[k] - before_q)
            found = True
        before_t, before_q = threshold, NOMINAL[k]
        above = 1.0 if strength > threshold else 0.0
        offset = offsets[k] + STEP[k] * (above - 10.0 ** -NOMINAL[k])
        offsets[k] = min(max(offset, -0.8 * START[k]), highest - START[k])
    if not found:
        result = before_q + (strength - before_t) / max(open_at - before_t, LEAST_GAP) * (top - before_q)
    return max(result, 0.0)
