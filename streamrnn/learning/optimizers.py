"""From a gradient to new weights: one vectorized pass over the flat parameters.

    g <- g min(1, clip_norm / |g|)                                   at most this long
    sgd        m <- beta1 m + g                                      step = -rate m
    rmsprop    v <- beta2 v + (1 - beta2) g^2                        step = -rate g / (sqrt(v) + epsilon)
    adam       m <- beta1 m + (1 - beta1) g,  v as above             step = -rate m^ / (sqrt(v^) + epsilon)
    w <- w + step - rate weight_decay w                              (decoupled decay: AdamW)

m^ and v^ are divided by 1 - beta^t, t the number of updates. Sources: Tieleman and Hinton 2012; Kingma and Ba 2015;
Loshchilov and Hutter 2019; the norm clip is Pascanu et al. 2013.

Guards. A gradient that is not finite changes nothing and is counted; after `patience` of them in a row the last good
weights come back and the moments start again. (Weights that blow the state up do so every few dozen events, with
finite updates in between: so one success does not clear that count, 32 take one off. Weights are good when a whole
`keep_every` updates passed without a skip.) A step is shortened when, to first order, it would move
the prediction, either way, by more than `reach`, the distance to the target (see `losses.differentiate`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import lanes, load, multiply_add, out_of_line, splat, square_root, store, total

Floats = NDArray[np.floating]

SGD, RMSPROP, ADAM = range(3)
OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSPROP, "adam": ADAM}

UPDATES, SKIPPED, SKIPPED_IN_A_ROW, RESTORED, SHORTENED, STARTED, SKIPPED_WHEN_KEPT = range(7)
COUNTERS = 7
FORGIVE_EVERY = 32


class Optimizer(NamedTuple):
    """Settings of the weight update; rates are per update, `clip_norm` is a length (infinite: no clip)."""

    kind: int
    rate: float
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    clip_norm: float
    patience: int
    keep_every: int


class Weights(NamedTuple):
    """The parameters and all that their updates need; first axis: slot (one, or one per series).

    An all-zero slot is a new network: the first `prepare` gives it its initial weights.
    """

    parameters: Floats
    first_moment: Floats
    second_moment: Floats
    good: Floats
    counters: NDArray[np.int64]


def make_optimizer(
    name: str = "adam",
    rate: float = 1e-3,
    *,
    momentum: float = 0.9,
    decay: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float = math.inf,
    patience: int = 10,
    keep_every: int = 256,
) -> Optimizer:
    """An optimizer by name (`sgd`, `rmsprop`, `adam`); the good weights are kept every `keep_every` updates.

    >>> make_optimizer("sgd", 0.1).beta1
    0.9
    """
    return Optimizer(OPTIMIZERS[name], rate, momentum, decay, epsilon, weight_decay, clip_norm, patience, keep_every)


@kernel
def prepare(weights: Weights, slot: int, initial: Floats) -> None:
    """Give a new slot its initial weights."""
    if weights.counters[slot, STARTED] == 0:
        copy(initial, 0, initial.size, weights.parameters[slot], 0)
        copy(initial, 0, initial.size, weights.good[slot], 0)
        weights.counters[slot, STARTED] = 1


@kernel
def skip(optimizer: Optimizer, weights: Weights, slot: int) -> None:
    """Count an update that must not happen; after `patience` in a row go back to the last good weights."""
    out_of_line()
    counters = weights.counters[slot]
    counters[SKIPPED] += 1
    counters[SKIPPED_IN_A_ROW] += 1
    if counters[SKIPPED_IN_A_ROW] >= optimizer.patience:
        count = weights.good.shape[1]
        copy(weights.good[slot], 0, count, weights.parameters[slot], 0)
        for j in range(count):
            weights.first_moment[slot, j] = 0.0
            weights.second_moment[slot, j] = 0.0
        counters[SKIPPED_IN_A_ROW] = 0
        counters[UPDATES] = 0
        counters[RESTORED] += 1


@kernel
def update(optimizer: Optimizer, weights: Weights, slot: int, gradient: Floats, reach: float) -> bool:
    """Change the weights of `slot` along `gradient` (parameter_count,); afterwards `gradient` holds the step taken.

    Returns False when the gradient is not finite and nothing was changed. `reach` is the loss distance to the target,
    infinite for no such guard.
    """
    out_of_line()
    w, m, v = weights.parameters[slot], weights.first_moment[slot], weights.second_moment[slot]
    counters = weights.counters[slot]
    count = gradient.size
    n = lanes(gradient)
    squares = splat(gradient, 0.0)
    for j in range(0, count, n):
        g = load(gradient, j, count - j)
        squares = multiply_add(g, g, squares)
    norm = math.sqrt(total(squares))
    if not math.isfinite(norm):
        skip(optimizer, weights, slot)
        return False
    counters[UPDATES] += 1
    if counters[UPDATES] % FORGIVE_EVERY == 0 and counters[SKIPPED_IN_A_ROW] > 0:
        counters[SKIPPED_IN_A_ROW] -= 1
    scale = min(1.0, optimizer.clip_norm / norm) if norm > 0.0 else 1.0
    rate, beta1, beta2, epsilon = optimizer.rate, optimizer.beta1, optimizer.beta2, optimizer.epsilon
    decay = -rate * optimizer.weight_decay
    gain = splat(gradient, 0.0)
    if optimizer.kind == ADAM:
        rate /= 1.0 - beta1 ** counters[UPDATES]
        correction = 1.0 / (1.0 - beta2 ** counters[UPDATES])
        for j in range(0, count, n):
            left = count - j
            raw, old = load(gradient, j, left), load(w, j, left)
            g = raw * scale
            first = load(m, j, left) * beta1 + g * (1.0 - beta1)
            second = load(v, j, left) * beta2 + g * g * (1.0 - beta2)
            step = first * -rate / (square_root(second * correction) + epsilon) + old * decay
            gain = multiply_add(raw, step, gain)
            store(m, j, left, first)
            store(v, j, left, second)
            store(gradient, j, left, step)
    elif optimizer.kind == RMSPROP:
        for j in range(0, count, n):
            left = count - j
            raw, old = load(gradient, j, left), load(w, j, left)
            g = raw * scale
            second = load(v, j, left) * beta2 + g * g * (1.0 - beta2)
            step = g * -rate / (square_root(second) + epsilon) + old * decay
            gain = multiply_add(raw, step, gain)
            store(v, j, left, second)
            store(gradient, j, left, step)
    else:
        for j in range(0, count, n):
            left = count - j
            raw, old = load(gradient, j, left), load(w, j, left)
            first = load(m, j, left) * beta1 + raw * scale
            step = first * -rate + old * decay
            gain = multiply_add(raw, step, gain)
            store(m, j, left, first)
            store(gradient, j, left, step)
    change = abs(float(total(gain)))
    if change > reach:
        share = reach / change
        counters[SHORTENED] += 1
        for j in range(0, count, n):
            store(gradient, j, count - j, load(gradient, j, count - j) * share)
            if optimizer.kind == SGD:  # the velocity is what was really moved, or it would run away
                store(m, j, count - j, load(m, j, count - j) * share)
    for j in range(0, count, n):
        store(w, j, count - j, load(w, j, count - j) + load(gradient, j, count - j))
    if counters[UPDATES] % optimizer.keep_every == 0:
        if counters[SKIPPED] == counters[SKIPPED_WHEN_KEPT]:
            copy(w, 0, count, weights.good[slot], 0)
        counters[SKIPPED_WHEN_KEPT] = counters[SKIPPED]
    return True


@kernel
def retreat(weights: Weights, slot: int, step: Floats, share: float) -> None:
    """Take back all but `share` of a step just made; `step` becomes what is left of it."""
    out_of_line()
    w = weights.parameters[slot]
    n = lanes(step)
    for j in range(0, step.size, n):
        left = step.size - j
        taken = load(step, j, left)
        kept = taken * share
        store(w, j, left, load(w, j, left) + (kept - taken))
        store(step, j, left, kept)
