"""Classes from a line and a network, weighed by how well each has predicted of late.

    p = (1 - s) softmax(W [1 z]) + s softmax(network)

W learns by stochastic gradients with a rate of their own for every weight (Adagrad: Duchi, Hazan and Singer 2011); s is
Vovk's aggregating algorithm (1990) with a memory of 1 / (1 - discount) events.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from streamrnn.kernels import least_squares
from streamrnn.kernels.by_type import implements
from streamrnn.kernels.jit import kernel
from streamrnn.labelled import linear
from streamrnn.labelled.linear import Float64, LinearModel, Predictor

RATE = 0.1
DISCOUNT = 0.99
LEAST = 1e-9  # a probability


class Classification(NamedTuple):
    """Classes are predicted."""

    outputs: int  # classes


@implements(linear.new_line, Classification)
def _new_line(kind: Classification, inputs: int) -> LinearModel:
    m = 1 + inputs
    shape = kind.outputs, m
    return LinearModel(np.zeros(shape), np.zeros(shape), np.zeros(m), np.zeros(m), np.zeros(2))


@implements(linear.grown_line, Classification)
def _grown_line(kind: Classification, line: LinearModel, inputs: int) -> LinearModel:
    grown = _new_line(kind, inputs)
    before = line.phi.size
    grown.weights[: len(line.weights), :before] = line.weights
    grown.covariance[: len(line.weights), :before] = line.covariance
    grown.trust[:] = line.trust
    return grown


@implements(linear.predict, Classification)
def _predict(kind: Classification, of: Predictor) -> None:
    """The probabilities of line and network mixed; `of.own` becomes the line's."""
    line, own, out = of.line, of.own, of.predicted
    classes = out.size
    for c in range(classes):
        own[c] = least_squares.dot(line.weights[c], line.phi)
        out[c] = float(of.network[c]) if math.isfinite(of.network[c]) else 0.0
    _softmax(own, classes)
    _softmax(out, classes)
    share = 1.0 / (1.0 + math.exp(max(-500.0, min(500.0, line.trust[0] - line.trust[1]))))
    for c in range(classes):
        out[c] = own[c] + share * (out[c] - own[c])


@implements(linear.leave_to_network, Classification)
def _leave_to_network(kind: Classification, of: Predictor, y: Float64) -> None:
    """The number of the class, as it is."""


@implements(linear.learn, Classification)
def _learn(kind: Classification, of: Predictor, y: Float64) -> None:
    """From the number of the class in y (1,), and what line and network say of it; NaN teaches nothing."""
    if not math.isfinite(y[0]):
        return
    label, line = int(y[0]), of.line
    linear.predict(kind, of)
    _learn_trust(line, of.own, of.network, label)
    for c in range(of.own.size):
        off = of.own[c] - (1.0 if c == label else 0.0)
        for k in range(line.phi.size):
            slope = off * line.phi[k]
            line.covariance[c, k] += slope * slope
            if slope != 0.0:
                line.weights[c, k] -= RATE * slope / math.sqrt(line.covariance[c, k])


@kernel
def _learn_trust(line: LinearModel, own: Float64, network: linear.Floats, label: int) -> None:
    """Learn how well the line's probabilities and the network's outputs had foretold the class that came."""
    top, total = float(network[0]), 0.0
    for k in range(own.size):
        top = max(top, float(network[k]))
    for k in range(own.size):
        total += math.exp(network[k] - top)
    likelihood = network[label] - top - math.log(total)
    line.trust[0] = DISCOUNT * line.trust[0] + math.log(max(own[label], LEAST))
    line.trust[1] = DISCOUNT * line.trust[1] + max(likelihood, math.log(LEAST))


@kernel
def _softmax(scores: Float64, classes: int) -> None:
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
