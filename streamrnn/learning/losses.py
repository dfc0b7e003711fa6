"""Losses and their derivatives by the predictions, for one event.

    squared        (p - y)^2 / 2                                    d = p - y
    huber          squared up to |p - y| = delta, then linear       d = clip(p - y, -delta, delta)
    pinball        max(tau (y - p), (tau - 1) (y - p))              d = 1[p > y] - tau
    student_t      -log density of Student's t with nu degrees of freedom, location p, scale exp(s)
    cross_entropy  -log softmax(p)[y], y the number of the class    d = softmax(p) - onehot(y)

Squared, Huber and pinball have one prediction a target, Student-t two (all locations, then all log scales),
cross-entropy one a class for its single target. A missing target (NaN) costs nothing and teaches nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel

Floats = NDArray[np.floating]

SQUARED, HUBER, PINBALL, STUDENT_T, CROSS_ENTROPY = range(5)
LOSSES = {
    "squared": SQUARED,
    "huber": HUBER,
    "pinball": PINBALL,
    "student_t": STUDENT_T,
    "cross_entropy": CROSS_ENTROPY,
}


class Loss(NamedTuple):
    """Which loss, its parameter (Huber delta, quantile tau, degrees of freedom nu), and the number of targets."""

    kind: int
    parameter: float
    targets: int
    classes: int = 0


def make_loss(name: str, targets: int = 1, *, parameter: float | None = None, classes: int = 0) -> Loss:
    """A loss by name, with its usual parameter: delta 1, tau 0.5, nu 4.

    >>> make_loss("pinball", parameter=0.9)
    Loss(kind=2, parameter=0.9, targets=1, classes=0)
    """
    usual = {"huber": 1.0, "pinball": 0.5, "student_t": 4.0}
    value = usual.get(name, 0.0) if parameter is None else float(parameter)
    return Loss(LOSSES[name], value, targets, classes)


@kernel
def predictions(loss: Loss) -> int:
    """How many predictions the loss compares with its targets."""
    if loss.kind == CROSS_ENTROPY:
        return loss.classes
    if loss.kind == STUDENT_T:
        return 2 * loss.targets
    return loss.targets


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
        e = float(p[at + k]) - target
        missing = math.isnan(target)
        slope = 0.0
        if loss.kind == SQUARED:
            value += 0.0 if missing else 0.5 * e * e
            slope = e
        elif loss.kind == HUBER:
            slope = min(max(e, -loss.parameter), loss.parameter)
            value += 0.0 if missing else slope * (e - 0.5 * slope)
        elif loss.kind == PINBALL:
            slope = (1.0 if e > 0.0 else 0.0) - loss.parameter if e != 0.0 else 0.0
            value += 0.0 if missing else slope * e
        else:
            nu = loss.parameter
            log_scale = float(p[at + loss.targets + k])
            scale = math.exp(min(max(log_scale, -30.0), 30.0))
            u = e / scale
            ratio = u * u / nu
            slope = (nu + 1.0) * u / (nu * scale * (1.0 + ratio))
            d_scale = 1.0 - (nu + 1.0) * ratio / (1.0 + ratio)
            constant = math.lgamma(0.5 * nu) - math.lgamma(0.5 * (nu + 1.0)) + 0.5 * math.log(nu * math.pi)
            value += 0.0 if missing else constant + log_scale + 0.5 * (nu + 1.0) * math.log1p(ratio)
            d[out + loss.targets + k] = 0.0 if missing else d_scale
        d[out + k] = 0.0 if missing else slope
        reach += 0.0 if missing else slope * e
    return value, reach
