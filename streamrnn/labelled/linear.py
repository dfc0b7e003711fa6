"""What a straight line can do, learned beside the network: its inputs' scales, and a linear model.

    z = (x - mean) / deviation                       0 where a feature is missing or has not varied
    regression       y = W [1 z], recursive least squares: as good as a line can be from the first events on
    classification   p = softmax(W [1 z]), stochastic gradients with a rate of their own for every weight (Adagrad)

A network needs thousands of events to find what a linear model finds in fifty. So the regressor's network learns only
what the line leaves over, and the classifier weighs line and network by how well each has predicted of late. The type
of what is predicted, `Regression` or `Classification`, picks the code (`kernels/by_type.py`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.by_type import chosen_by_type, code_of
from streamrnn.kernels.jit import kernel

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]

CLIP = 8.0  # deviations
MEMORY = 10_000.0  # events that means and deviations are over, at most

COUNT, MEAN, VARIANCE = range(3)


class Scales(NamedTuple):
    """Running moments."""

    inputs: Float64  # (3, inputs): count, mean, variance
    targets: Float64  # (3, targets); not used in classification


class LinearModel(NamedTuple):
    """A linear model; m = 1 + inputs."""

    weights: Float64  # (outputs, m)
    covariance: Float64  # packed (m, m) for regression; (outputs, m) sums of squared gradients for classification
    phi: Float64  # (m,)
    gain: Float64  # (m,)
    trust: Float64  # (2,) discounted log likelihood of line and network; classification only


class Predictor(NamedTuple):
    """Line and network together."""

    scales: Scales
    line: LinearModel
    network: Floats  # (outputs,) what the network says
    own: Float64  # (outputs,) room for what the line says; classification only
    predicted: Float64  # (outputs,) what both predict


def new_line(kind: Any, inputs: int) -> LinearModel:
    """A line that predicts 0, or finds all classes equally likely."""
    made: LinearModel = code_of(new_line, kind)(kind, inputs)
    return made


def grown_line(kind: Any, line: LinearModel, inputs: int) -> LinearModel:
    """The same line with room for more inputs or outputs."""
    grown: LinearModel = code_of(grown_line, kind)(kind, line, inputs)
    return grown


@chosen_by_type
def predict(kind: Any, of: Predictor) -> None:
    """What line and network make of the inputs at `of.line.phi`, to `of.predicted`. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


@chosen_by_type
def leave_to_network(kind: Any, of: Predictor, y: Float64) -> None:
    """Learn the scales of what was observed, and make of it what the network learns from, in place. In kernels only."""
    raise NotImplementedError("only inside a kernel")


@chosen_by_type
def learn(kind: Any, of: Predictor, y: Float64) -> None:
    """Learn from what `leave_to_network` made, after the network has. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


def new_scales(inputs: int, targets: int) -> Scales:
    """Nothing seen yet."""
    return Scales(np.zeros((3, inputs)), np.zeros((3, targets)))


def grown_scales(scales: Scales, inputs: int, targets: int) -> Scales:
    """The same scales with room for more inputs or targets."""
    grown = new_scales(inputs, targets)
    grown.inputs[:, : scales.inputs.shape[1]] = scales.inputs
    grown.targets[:, : scales.targets.shape[1]] = scales.targets
    return grown


@kernel
def learn_moments(moments: Float64, x: Float64) -> None:
    """Learn the moments (3, n) from the values x (n,) that are there."""
    for k in range(x.size):
        if not math.isfinite(x[k]):
            continue
        moments[COUNT, k] = min(moments[COUNT, k] + 1.0, MEMORY)
        rate = 1.0 / moments[COUNT, k]
        off = x[k] - moments[MEAN, k]
        if moments[VARIANCE, k] > 0.0 and moments[COUNT, k] > 30.0:  # one spike of 1e100 moves nothing for long
            limit = 2.0 * CLIP * math.sqrt(moments[VARIANCE, k])
            off = max(-limit, min(limit, off))
        moments[MEAN, k] += rate * off
        moments[VARIANCE, k] += rate * ((1.0 - rate) * off * off - moments[VARIANCE, k])


@kernel
def fill(moments: Float64, x: Float64, phi: Float64) -> None:
    """phi = [1 z] of the inputs x."""
    phi[0] = 1.0
    for k in range(x.size):
        variance = moments[VARIANCE, k]
        phi[1 + k] = 0.0
        if math.isfinite(x[k]) and variance > 0.0:
            phi[1 + k] = max(-CLIP, min(CLIP, (x[k] - moments[MEAN, k]) / math.sqrt(variance)))
