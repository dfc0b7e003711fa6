"""What a straight line can do, learned beside the network: its inputs' scales, and a linear model.

    z = (x - mean) / deviation                       0 where a feature is missing or has not varied
    regression       y = W [1 z], recursive least squares: as good as a line can be from the first events on
    classification   p = softmax(W [1 z]), stochastic gradients with a rate of their own for every weight (Adagrad)

A network needs thousands of events to find what a linear model finds in fifty. So the regressor's network learns only
what the line leaves over, and the classifier weighs line and network by how well each has predicted of late.
Sources: `kernels/least_squares.py`; Duchi, Hazan and Singer 2011; the weights are those of Vovk's aggregating
algorithm (1990) with a memory of 1 / (1 - discount) events.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]

CLIP = 8.0  # deviations
INTENDED_ERROR = 20.0  # deviations the network's target may be away from the line at most
MEMORY = 10_000.0  # events that means and deviations are over, at most
FORGETTING = 0.999
INITIAL = 1.0  # covariance of new weights
RATE = 0.1
DISCOUNT = 0.99
LEAST = 1e-9  # a probability

COUNT, MEAN, VARIANCE = range(3)


class Scales(NamedTuple):
    """Running moments."""

    inputs: Float64  # (3, inputs): count, mean, variance
    targets: Float64  # (3, targets)


class LinearModel(NamedTuple):
    """A linear model; m = 1 + inputs."""

    weights: Float64  # (outputs, m)
    covariance: Float64  # packed (m, m) for regression; (outputs, m) sums of squared gradients for classification
    phi: Float64  # (m,)
    gain: Float64  # (m,)
    trust: Float64  # (2,) discounted log likelihood of line and network; classification only


def new_scales(inputs: int, targets: int) -> Scales:
    """Nothing seen yet."""
    return Scales(np.zeros((3, inputs)), np.zeros((3, targets)))


def new_regression_line(inputs: int, targets: int) -> LinearModel:
    """A line that predicts 0."""
    m = 1 + inputs
    covariance = np.zeros(least_squares.packed_size(m))
    least_squares.start_covariance(covariance, m, INITIAL)
    return LinearModel(np.zeros((targets, m)), covariance, np.zeros(m), np.zeros(m), np.zeros(2))


def new_classification_line(inputs: int, classes: int) -> LinearModel:
    """A line that finds all classes equally likely."""
    m = 1 + inputs
    return LinearModel(np.zeros((classes, m)), np.zeros((classes, m)), np.zeros(m), np.zeros(m), np.zeros(2))


def grown_scales(scales: Scales, inputs: int, targets: int) -> Scales:
    """The same scales with room for more inputs or targets."""
    grown = new_scales(inputs, targets)
    grown.inputs[:, : scales.inputs.shape[1]] = scales.inputs
    grown.targets[:, : scales.targets.shape[1]] = scales.targets
    return grown


def grown_regression_line(line: LinearModel, inputs: int, targets: int) -> LinearModel:
    """The same line with room for more inputs or targets."""
    grown = new_regression_line(inputs, targets)
    before, after = line.phi.size, grown.phi.size
    grown.weights[: len(line.weights), :before] = line.weights
    square = np.eye(after) * INITIAL
    square[np.triu_indices(before)] = line.covariance  # new features begin at the end of phi
    grown.covariance[:] = square[np.triu_indices(after)]
    return grown


def grown_classification_line(line: LinearModel, inputs: int, classes: int) -> LinearModel:
    """The same line with room for more inputs or classes."""
    grown = new_classification_line(inputs, classes)
    before = line.phi.size
    grown.weights[: len(line.weights), :before] = line.weights
    grown.covariance[: len(line.weights), :before] = line.covariance
    grown.trust[:] = line.trust
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


@kernel
def predict_number(line: LinearModel, moments: Float64, k: int, network: float) -> float:
    """What line and network together predict of target k, in its own units."""
    predicted = least_squares.dot(line.weights[k], line.phi)
    predicted += network if math.isfinite(network) else 0.0
    deviation = math.sqrt(moments[VARIANCE, k])
    return float(moments[MEAN, k] + (deviation * predicted if math.isfinite(predicted) else 0.0))


@kernel
def left_over(line: LinearModel, moments: Float64, k: int, y: float) -> float:
    """What the line leaves of target k to the network, in deviations; NaN where the target is missing."""
    variance = moments[VARIANCE, k]
    target = (y - moments[MEAN, k]) / math.sqrt(variance) if variance > 0.0 else 0.0
    left = max(-INTENDED_ERROR, min(INTENDED_ERROR, target - least_squares.dot(line.weights[k], line.phi)))
    return left if math.isfinite(y) else math.nan


@kernel
def learn_regression(line: LinearModel, errors: Float64) -> None:
    """Learn from the line's errors (targets,) at phi; a missing one (NaN) teaches its target nothing."""
    q = least_squares.find_gain(line.covariance, line.phi, line.gain)
    for k in range(errors.size):
        if math.isfinite(errors[k]):
            least_squares.learn_weights(line.weights[k], line.gain, q, FORGETTING, errors[k])
    least_squares.learn_covariance(line.covariance, line.gain, q, FORGETTING, INITIAL)
    # Forgetting makes the covariance of what is never excited (a feature that is gone) grow for ever: it stops at the
    # value it began with, by scaling that row and column.
    m = line.phi.size
    at = 0
    for i in range(m):
        if line.covariance[at] > INITIAL:
            share = math.sqrt(INITIAL / line.covariance[at])
            for j in range(m - i):
                line.covariance[at + j] *= share
            above = i
            for r in range(i + 1):
                line.covariance[above] *= share
                above += m - r - 1
        at += m - i


@kernel
def softmax(scores: Float64, classes: int) -> None:
    """Scores to probabilities, in place."""
    top = scores[0]
    for k in range(classes):
        top = max(top, scores[k])
    total = 0.0
    for k in range(classes):
        scores[k] = math.exp(scores[k] - top)
        total += scores[k]
    for k in range(classes):
        scores[k] /= total


@kernel
def learn_classification(line: LinearModel, probabilities: Float64, label: int) -> None:
    """Learn from the probabilities that the line gave the classes, and the class that came."""
    for c in range(probabilities.size):
        off = probabilities[c] - (1.0 if c == label else 0.0)
        for k in range(line.phi.size):
            slope = off * line.phi[k]
            line.covariance[c, k] += slope * slope
            if slope != 0.0:
                line.weights[c, k] -= RATE * slope / math.sqrt(line.covariance[c, k])


@kernel
def weigh(line: LinearModel, own: Float64, network: Floats, out: Float64) -> None:
    """Mix what line and network say of the classes; `own` becomes the line's probabilities."""
    classes = out.size
    for c in range(classes):
        own[c] = least_squares.dot(line.weights[c], line.phi)
        out[c] = float(network[c]) if math.isfinite(network[c]) else 0.0
    softmax(own, classes)
    softmax(out, classes)
    share = 1.0 / (1.0 + math.exp(max(-500.0, min(500.0, line.trust[0] - line.trust[1]))))
    for c in range(classes):
        out[c] = own[c] + share * (out[c] - own[c])


@kernel
def learn_trust(line: LinearModel, own: Float64, network: Floats, label: int) -> None:
    """Learn how well the line's probabilities and the network's outputs had foretold the class that came."""
    top, total = float(network[0]), 0.0
    for k in range(own.size):
        top = max(top, float(network[k]))
    for k in range(own.size):
        total += math.exp(network[k] - top)
    likelihood = network[label] - top - math.log(total)
    line.trust[0] = DISCOUNT * line.trust[0] + math.log(max(own[label], LEAST))
    line.trust[1] = DISCOUNT * line.trust[1] + max(likelihood, math.log(LEAST))
