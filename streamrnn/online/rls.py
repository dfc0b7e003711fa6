"""Recursive least squares (RLS) with forgetting, on the packed upper triangle of its precision.

For features phi (m,), weights w (m,) of one output and its error e = y - w.phi, with forgetting factor lam:

    g = P phi,   q = phi.g,   w += e g / (lam + q),   P <- (P - g g' / (lam + q)) / lam

Outputs with the same phi share one P and one gain g. P is symmetric: only its upper triangle is kept, row after row
(`m (m + 1) / 2` numbers), which halves memory and work and keeps it symmetric for ever. Forgetting lets P grow along
directions that are not excited: when trace(P) exceeds `WINDUP` times its initial value P is scaled back, and a P
that is no longer positive or finite starts again (Haykin, Adaptive Filter Theory, 2002, chapter 9).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamrnn.compiled import kernel

Float64 = NDArray[np.float64]

WINDUP = 10.0


def packed_size(features: int) -> int:
    """How many numbers the upper triangle of a (features, features) matrix has."""
    return features * (features + 1) // 2


@kernel
def start_precision(precision: Float64, features: int, initial: float) -> None:
    """P = initial I, packed."""
    for k in range(features * (features + 1) // 2):
        precision[k] = 0.0
    k = 0
    for i in range(features):
        precision[k] = initial
        k += features - i


@kernel
def dot(a: Float64, b: Float64) -> float:
    """Inner product of two vectors of one size."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@kernel
def find_gain(precision: Float64, phi: Float64, gain: Float64) -> float:
    """Write g = P phi to `gain` (m,) and return q = phi.g."""
    m = phi.size
    for i in range(m):
        gain[i] = 0.0
    k = 0
    for i in range(m):
        p = phi[i]
        row, right, below = precision[k : k + m - i], phi[i:], gain[i:]
        total = 0.0
        for j in range(1, m - i):
            total += row[j] * right[j]
            below[j] += row[j] * p
        gain[i] += total + row[0] * p
        k += m - i
    return dot(phi, gain)


@kernel
def learn_weights(weights: Float64, gain: Float64, q: float, forgetting: float, error: float) -> None:
    """w += e g / (lam + q)."""
    step = error / (forgetting + q)
    if not np.isfinite(step):
        return
    for i in range(gain.size):
        weights[i] += step * gain[i]


@kernel
def learn_precision(precision: Float64, gain: Float64, q: float, forgetting: float, initial: float) -> None:
    """P <- (P - g g' / (lam + q)) / lam, guarded."""
    m = gain.size
    inverse = 1.0 / forgetting
    factor = inverse / (forgetting + q)
    trace = 0.0
    k = 0
    for i in range(m):
        row, right = precision[k : k + m - i], gain[i:]
        scaled = gain[i] * factor
        for j in range(m - i):
            row[j] = row[j] * inverse - scaled * right[j]
        trace += row[0]
        k += m - i
    limit = WINDUP * m * initial
    if not (trace > 0.0 and trace < 1e300 and q >= 0.0):
        start_precision(precision, m, initial)
    elif trace > limit:
        shrink = limit / trace
        for k in range(m * (m + 1) // 2):
            precision[k] *= shrink


@kernel
def learn(
    precision: Float64, weights: Float64, phi: Float64, gain: Float64, error: float, forgetting: float, initial: float
) -> None:
    """One whole update for one output; `gain` (m,) is working room."""
    q = find_gain(precision, phi, gain)
    learn_weights(weights, gain, q, forgetting, error)
    learn_precision(precision, gain, q, forgetting, initial)
