"""Numbers from a line and a network: the network predicts what the line leaves over.

    y = mean + deviation (W [1 z] + network)         recursive least squares for W

Source: `kernels/least_squares.py`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from streamrnn.kernels import least_squares
from streamrnn.kernels.by_type import implements
from streamrnn.labelled import linear
from streamrnn.labelled.linear import MEAN, VARIANCE, Float64, LinearModel, Predictor, learn_moments

INTENDED_ERROR = 20.0  # deviations the network's target may be away from the line at most
FORGETTING = 0.999
INITIAL = 1.0  # covariance of new weights


class Regression(NamedTuple):
    """Numbers are predicted."""

    outputs: int  # targets


@implements(linear.new_line, Regression)
def _new_line(kind: Regression, inputs: int) -> LinearModel:
    m = 1 + inputs
    covariance = np.zeros(least_squares.packed_size(m))
    least_squares.start_covariance(covariance, m, INITIAL)
    return LinearModel(np.zeros((kind.outputs, m)), covariance, np.zeros(m), np.zeros(m), np.zeros(2))


@implements(linear.grown_line, Regression)
def _grown_line(kind: Regression, line: LinearModel, inputs: int) -> LinearModel:
    grown = _new_line(kind, inputs)
    before, after = line.phi.size, grown.phi.size
    grown.weights[: len(line.weights), :before] = line.weights
    square = np.eye(after) * INITIAL
    square[np.triu_indices(before)] = line.covariance  # new features begin at the end of phi
    grown.covariance[:] = square[np.triu_indices(after)]
    return grown


@implements(linear.predict, Regression)
def _predict(kind: Regression, of: Predictor) -> None:
    line, moments = of.line, of.scales.targets
    for k in range(of.predicted.size):
        predicted = least_squares.dot(line.weights[k], line.phi)
        network = float(of.network[k])
        predicted += network if math.isfinite(network) else 0.0
        deviation = math.sqrt(moments[VARIANCE, k])
        of.predicted[k] = moments[MEAN, k] + (deviation * predicted if math.isfinite(predicted) else 0.0)


@implements(linear.leave_to_network, Regression)
def _leave_to_network(kind: Regression, of: Predictor, y: Float64) -> None:
    """What the line leaves of every target, in deviations learned with this one; NaN where it is missing."""
    line, moments = of.line, of.scales.targets
    learn_moments(moments, y)
    for k in range(y.size):
        variance = moments[VARIANCE, k]
        target = (y[k] - moments[MEAN, k]) / math.sqrt(variance) if variance > 0.0 else 0.0
        left = max(-INTENDED_ERROR, min(INTENDED_ERROR, target - least_squares.dot(line.weights[k], line.phi)))
        y[k] = left if math.isfinite(y[k]) else math.nan


@implements(linear.learn, Regression)
def _learn(kind: Regression, of: Predictor, y: Float64) -> None:
    """From the line's errors at phi; a missing one (NaN) teaches its target nothing."""
    line = of.line
    q = least_squares.find_gain(line.covariance, line.phi, line.gain)
    for k in range(y.size):
        if math.isfinite(y[k]):
            least_squares.learn_weights(line.weights[k], line.gain, q, FORGETTING, y[k])
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
