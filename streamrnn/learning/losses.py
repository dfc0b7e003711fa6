"""Losses and their derivatives by the predictions, for one event.

    huber          (p - y)^2 / 2 up to |p - y| = delta, then linear   d = clip(p - y, -delta, delta)
    squared        the same with delta infinite                       d = p - y
    cross_entropy  -log softmax(p)[y], y the number of the class      d = softmax(p) - onehot(y)

Huber has one prediction a target, cross-entropy one a class for its single target. A missing target (NaN) costs nothing
and teaches nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel

Floats = NDArray[np.floating]

HUBER, CROSS_ENTROPY = range(2)
LOSSES = {"huber": HUBER, "squared": HUBER, "cross_entropy": CROSS_ENTROPY}


class Loss(NamedTuple):
    """Which loss, its delta, and the number of targets."""

    kind: int
    delta: float
    targets: int
    classes: int = 0


def make_loss(name: str, targets: int = 1, *, delta: float = 1.0, classes: int = 0) -> Loss:
    """A loss by name.

    >>> make_loss("huber", delta=0.9)
    Loss(kind=0, delta=0.9, targets=1, classes=0)
    """
    return Loss(LOSSES[name], math.inf if name == "squared" else delta, targets, classes)


def predictions(loss: Loss) -> int:
    """How many predictions the loss compares with its targets."""
    return loss.classes if loss.kind == CROSS_ENTROPY else loss.targets


@kernel
def differentiate(loss: Loss, p: Floats, at: int, y: Floats, to: int, d: Floats, out: int) -> tuple[float, float]:
    """Write d loss / d prediction to d[out:]; return the loss and the distance to the target along d.

    Predictions at p[at:], targets at y[to:]; `d` may be `p`. The distance, sum d (p - target), is what the first-order
    change of the loss must not exceed if the prediction is not to pass its target; infinite where there is no target
    to pass (a class).
    """
    value, reach = 0.0, 0.0
    if loss.kind == CROSS_ENTROPY:
        if not math.isfinite(y[to]):
            for k in range(loss.classes):
                d[out + k] = 0.0
            return 0.0, 0.0
        label = int(y[to])
        top = float(p[at])
        for k in range(loss.classes):
            top = max(top, float(p[at + k]))
        total = 0.0
        for k in range(loss.classes):
            total += math.exp(p[at + k] - top)
        value = math.log(total) + top - p[at + label]
        for k in range(loss.classes):
            d[out + k] = math.exp(p[at + k] - top) / total - (1.0 if k == label else 0.0)
        return value, math.inf
    for k in range(loss.targets):
        target = float(y[to + k])
        missing = math.isnan(target)
        e = float(p[at + k]) - target
        slope = min(max(e, -loss.delta), loss.delta)
        d[out + k] = 0.0 if missing else slope
        value += 0.0 if missing else slope * (e - 0.5 * slope)
        reach += 0.0 if missing else slope * e
    return value, reach
