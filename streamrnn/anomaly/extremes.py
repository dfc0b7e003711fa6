"""Rarity of a value among the largest seen so far.

A list keeps the K largest values of a series, ascending. Beyond the smallest of them, u, lies a share K / n of the n
values seen; further out a tail fitted to the list continues it:

    y = value - u,  m and v the mean and variance of list - u
    -log10 P(value | beyond u) = y / m / ln 10                               light: exponential tail
    -log10 P(value | beyond u) = log(1 + xi y / (m (1 - xi))) / xi / ln 10   heavy: generalized Pareto tail with
                                 xi = (1 - m^2 / v) / 2 in [.001, .49]        the list's moments (Hosking, Wallis 1987)
    -log10 P(value | beyond u) = (value^2 - u^2) / m2 / ln 10                Gaussian: exponential in the squares,
                                 m2 the mean of list^2 - u^2

Anything smaller than u counts as 0, "not among the strangest". Windows of w rows overlap, so that 6 w kept values are
about six episodes, which is the point: it says "among the few strangest episodes of this series so far", an alarm
budget per series whatever its distribution.

Lists fade: values shrink by `FADE` every `FADE_EVERY` values, so that in the long run about the strangest of the last
30,000 are left.
"""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Values = npt.NDArray[np.float32]

FADE_EVERY = 256  # values between two applications
FADE = 1.0 - 256 * 5e-6
MEMORY = 32768.0  # values; n above does not count beyond
LOG10_E = 0.4342944819032518


@kernel
def rarity(largest: Values, seen: float, value: float, heavy: bool, least_scale: float) -> float:
    """-log10 P(`value` | beyond the list) after `seen` values, 0 when it is not beyond; nothing is learned.

    `least_scale` bounds the fitted mean excess from below: equal values must not make any other infinitely rare.
    """
    kept = len(largest)
    u = float(largest[0])
    if seen < kept or not value > u:
        return 0.0
    mean, square = 0.0, 0.0
    for i in range(kept):
        excess = largest[i] - u
        mean += excess
        square += excess * excess
    mean /= kept
    scale = max(mean, least_scale)
    if not heavy:
        return (value - u) / scale * LOG10_E
    variance = max(square / kept - mean * mean, 1e-12)
    shape = min(max(0.5 * (1.0 - mean * mean / variance), 0.001), 0.49)
    return log(1.0 + shape * (value - u) / (scale * (1.0 - shape))) / shape * LOG10_E


@kernel
def squares(largest: Values) -> tuple[float, float]:
    """Mean m2 and tail shape xi of list^2 - u^2; of a Gaussian's largest values xi is about 0."""
    kept = len(largest)
    u = float(largest[0])
    mean, square = 0.0, 0.0
    for i in range(kept):
        excess = largest[i] * largest[i] - u * u
        mean += excess
        square += excess * excess
    mean /= kept
    variance = max(square / kept - mean * mean, 1e-12)
    return mean, 0.5 * (1.0 - mean * mean / variance)


@kernel
def share(kept: int, seen: float) -> float:
    """-log10 of the share K / n of values beyond a list's smallest."""
    return log(max(min(seen, MEMORY) / kept, 1.0)) * LOG10_E


@kernel
def remember(largest: Values, seen: float, value: float) -> None:
    """Insert `value`, the (`seen` + 1)-th, if it belongs to the list."""
    kept = len(largest)
    if seen < kept:
        i = int(seen)
        while i > 0 and largest[i - 1] > value:
            largest[i] = largest[i - 1]
            i -= 1
        largest[i] = value
    elif value > largest[0]:
        i = 0
        while i < kept - 1 and largest[i + 1] < value:
            largest[i] = largest[i + 1]
            i += 1
        largest[i] = value
    if seen % FADE_EVERY == FADE_EVERY - 1:
        for i in range(kept):
            largest[i] *= FADE
