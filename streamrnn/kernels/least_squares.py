"""Recursive least squares (RLS) with forgetting, on the packed upper triangle of its covariance.

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

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import (
    item,
    join,
    lanes,
    load,
    load_from,
    load_full,
    multiply_add,
    out_of_line,
    splat,
    store,
    store_full,
    total,
    until_aligned,
)

Floats = NDArray[np.float64] | NDArray[np.float32]

WINDUP = 10.0


def packed_size(features: int) -> int:
    """How many numbers the upper triangle of a (features, features) matrix has."""
    return features * (features + 1) // 2


@kernel
def start_covariance(covariance: Floats, features: int, initial: float) -> None:
    """P = initial I, packed."""
    out_of_line()
    for k in range(features * (features + 1) // 2):
        covariance[k] = 0.0
    k = 0
    for i in range(features):
        covariance[k] = initial
        k += features - i


@kernel
def dot(a: Floats, b: Floats) -> float:
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
def find_gain(covariance: Floats, phi: Floats, gain: Floats) -> float:
    """Write g = P phi to `gain` (m,) and return q = phi.g.

    One pass over P serves both triangles: a row's products with phi, and phi_i times the row. Four rows go at once, so
    that g is read and written once for all of them; every sum has the order it had with one row after the other.
    """
    out_of_line()
    m, n = phi.size, lanes(phi)
    zero = splat(phi, 0.0)
    for j in range(0, m, n):
        store(gain, j, m - j, zero)
    i, k = 0, 0
    while m - i >= n:
        # columns are counted from column i, where the second, third and fourth row have not begun yet
        w = m - i
        k0, k1, k2, k3 = k, k + w - 1, k + 2 * w - 3, k + 3 * w - 6
        p0, p1, p2, p3 = item(phi, i), item(phi, i + 1), item(phi, i + 2), item(phi, i + 3)
        r0, r1 = load_full(covariance, k0), load_from(covariance, k1, 1)
        r2, r3 = load_from(covariance, k2, 2), load_from(covariance, k3, 3)
        f, g = load_full(phi, i), load_full(gain, i)
        b0, b1, b2, b3 = r0 * f, r1 * f, r2 * f, r3 * f
        g = multiply_add(p3, r3, multiply_add(p2, r2, multiply_add(p1, r1, multiply_add(p0, r0, g))))
        store_full(gain, i, g)
        for j in range(n, w, n):
            left = w - j
            r0, r1 = load(covariance, k0 + j, left), load(covariance, k1 + j, left)
            r2, r3 = load(covariance, k2 + j, left), load(covariance, k3 + j, left)
            f, g = load(phi, i + j, left), load(gain, i + j, left)
            b0, b1 = multiply_add(r0, f, b0), multiply_add(r1, f, b1)
            b2, b3 = multiply_add(r2, f, b2), multiply_add(r3, f, b3)
            g = multiply_add(p3, r3, multiply_add(p2, r2, multiply_add(p1, r1, multiply_add(p0, r0, g))))
            store(gain, i + j, left, g)
        gain[i] += float(total(b0)) - p0 * covariance[k0]
        gain[i + 1] += float(total(b1)) - p1 * covariance[k1 + 1]
        gain[i + 2] += float(total(b2)) - p2 * covariance[k2 + 2]
        gain[i + 3] += float(total(b3)) - p3 * covariance[k3 + 3]
        i, k = i + 4, k3 + w
    while i < m:
        left, p = m - i, phi[i]
        row = load(covariance, k, left)
        store(gain, i, left, multiply_add(p, row, load(gain, i, left)))
        gain[i] += float(total(row * load(phi, i, left))) - p * covariance[k]
        i, k = i + 1, k + left
    return dot(phi, gain)


@kernel
def learn_weights(weights: Floats, gain: Floats, q: float, forgetting: float, error: float) -> None:
    """w += e g / (lam + q)."""
    step = error / (forgetting + q)
    if not (np.isfinite(step) and np.isfinite(q)):
        return
    for i in range(gain.size):
        weights[i] += step * gain[i]


@kernel
def learn_covariance(covariance: Floats, gain: Floats, q: float, forgetting: float, initial: float) -> None:
    """P <- (P - g g' / (lam + q)) / lam, guarded."""
    out_of_line()
    m = gain.size
    limit = WINDUP * m * initial
    if not move_covariance(covariance, gain, q, forgetting, _diagonal(covariance, m), dot(gain, gain), limit):
        start_covariance(covariance, m, initial)


@kernel
def move_covariance(
    covariance: Floats, gain: Floats, q: float, forgetting: float, trace: float, squares: float, limit: float
) -> bool:
    """The same of a P whose trace, and that of g g', are given; returns False, and does nothing, where it is no P."""
    out_of_line()
    m = gain.size
    inverse = 1.0 / forgetting
    factor = inverse / (forgetting + q)
    trace = inverse * trace - factor * squares
    if not (trace > 0.0 and trace < 1e300 and q >= 0.0):
        return False
    if trace > limit:  # after long forgetting that is at every event: scaled back in the same pass
        inverse *= limit / trace
        factor *= limit / trace
    i, k, n = 0, 0, lanes(gain)
    if m >= n:
        # Row after row, but in vectors that lie where the cache's lines do, whichever row their lanes belong to: one
        # that crosses a line costs twice, and rows begin anywhere.
        scaled, row, end = -gain[0] * factor, 0, m
        k = until_aligned(covariance)
        store(covariance, 0, k, multiply_add(scaled, load_full(gain, 0), load_full(covariance, 0) * inverse))
        while True:
            j = i + k - row
            while end - k >= n:
                store_full(covariance, k, multiply_add(scaled, load_full(gain, j), load_full(covariance, k) * inverse))
                j, k = j + n, k + n
            left, i, row = end - k, i + 1, end
            if m - i < n:
                before = load(covariance, k, left) * inverse
                store(covariance, k, left, multiply_add(scaled, load(gain, j, left), before))
                k = row
                break
            following = -gain[i] * factor
            if left > 0:
                both = join(left, splat(gain, scaled), splat(gain, following))
                gains = join(left, load(gain, j, left), load_from(gain, i - left, left))
                store_full(covariance, k, multiply_add(both, gains, load_full(covariance, k) * inverse))
                k += n
            scaled, end = following, row + m - i
    while i < m:
        scaled, left = -gain[i] * factor, m - i
        row = load(covariance, k, left) * inverse
        store(covariance, k, left, multiply_add(scaled, load(gain, i, left), row))
        i, k = i + 1, k + left
    return True


@kernel
def _diagonal(covariance: Floats, m: int) -> float:
    """The trace of P, as four sums so that none waits for another."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    i, k = 0, 0
    while i + 4 <= m:
        w = m - i
        a += covariance[k]
        b += covariance[k + w]
        c += covariance[k + 2 * w - 1]
        d += covariance[k + 3 * w - 3]
        i, k = i + 4, k + 4 * w - 6
    while i < m:
        a += covariance[k]
        i, k = i + 1, k + m - i
    return (a + b) + (c + d)


@kernel
def learn(
    covariance: Floats, weights: Floats, phi: Floats, gain: Floats, error: float, forgetting: float, initial: float
) -> None:
    """One whole update for one output; `gain` (m,) is working room."""
    q = find_gain(covariance, phi, gain)
    learn_weights(weights, gain, q, forgetting, error)
    learn_covariance(covariance, gain, q, forgetting, initial)


@kernel
def boost_covariance(covariance: Floats, features: int, amount: float) -> None:
    """P <- P + amount I: learn fast again, because what was learned may no longer hold."""
    k = 0
    for i in range(features):
        covariance[k] += amount
        k += features - i
