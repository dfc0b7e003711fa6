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

from streamrnn.cells.vector import (
    lanes,
    load,
    load_full,
    multiply_add,
    out_of_line,
    splat,
    store,
    store_full,
    total,
)
from streamrnn.compiled import kernel

Float64 = NDArray[np.float64]

WINDUP = 10.0


def packed_size(features: int) -> int:
    """How many numbers the upper triangle of a (features, features) matrix has."""
    return features * (features + 1) // 2


@kernel
def start_precision(precision: Float64, features: int, initial: float) -> None:
    """P = initial I, packed."""
    out_of_line()
    for k in range(features * (features + 1) // 2):
        precision[k] = 0.0
    k = 0
    for i in range(features):
        precision[k] = initial
        k += features - i


@kernel
def dot(a: Float64, b: Float64) -> float:
    """Inner product of two vectors of one size."""
    m, n = a.size, lanes(a)
    one, two = splat(a, 0.0), splat(a, 0.0)
    j = 0
    while m - j >= 2 * n:
        one = multiply_add(load_full(a, j), load_full(b, j), one)
        two = multiply_add(load_full(a, j + n), load_full(b, j + n), two)
        j += 2 * n
    while j < m:
        one = multiply_add(load(a, j, m - j), load(b, j, m - j), one)
        j += n
    return float(total(one + two))


@kernel
def find_gain(precision: Float64, phi: Float64, gain: Float64) -> float:
    """Write g = P phi to `gain` (m,) and return q = phi.g."""
    out_of_line()
    m, n = phi.size, lanes(phi)
    for i in range(m):
        gain[i] = 0.0
    k = 0
    for i in range(m):
        # one pass over the row serves both triangles: its products with phi, and phi_i times it
        p = phi[i]
        below = splat(phi, 0.0)
        j = i
        while m - j >= n:
            row = load_full(precision, k)
            below = multiply_add(row, load_full(phi, j), below)
            store_full(gain, j, multiply_add(p, row, load_full(gain, j)))
            j += n
            k += n
        if j < m:
            row = load(precision, k, m - j)
            below = multiply_add(row, load(phi, j, m - j), below)
            store(gain, j, m - j, multiply_add(p, row, load(gain, j, m - j)))
            k += m - j
        gain[i] += float(total(below)) - p * precision[k - (m - i)]
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
    out_of_line()
    m = gain.size
    inverse = 1.0 / forgetting
    factor = inverse / (forgetting + q)
    trace = 0.0
    k = 0
    n = lanes(gain)
    for i in range(m):
        scaled = -gain[i] * factor
        trace += precision[k] * inverse + scaled * gain[i]
        j = i
        while m - j >= n:
            store_full(precision, k, multiply_add(scaled, load_full(gain, j), load_full(precision, k) * inverse))
            j += n
            k += n
        if j < m:
            row = load(precision, k, m - j) * inverse
            store(precision, k, m - j, multiply_add(scaled, load(gain, j, m - j), row))
            k += m - j
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


@kernel
def reawaken(precision: Float64, features: int, amount: float) -> None:
    """P <- P + amount I: learn fast again, because what was learned may no longer hold."""
    k = 0
    for i in range(features):
        precision[k] += amount
        k += features - i
