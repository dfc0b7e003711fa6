"""One compiled call per prediction and one per event: scales, line and network together.

A kernel call from Python spends most of its time on taking its arguments apart, so there is one, with as few arrays as
it can do with.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.kernels.jit import kernel
from streamrnn.labelled.linear import (
    LinearModel,
    Scales,
    fill,
    learn_classification,
    learn_moments,
    learn_regression,
    learn_trust,
    left_over,
    predict_number,
    weigh,
)
from streamrnn.learning import tbptt
from streamrnn.learning.learner import LearnerSeries, Settings, learn_one
from streamrnn.learning.losses import Loss
from streamrnn.learning.optimizers import Optimizer, Weights

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]


class Room(NamedTuple):
    """Room for one prediction."""

    tape: Floats  # (step_size,)
    state: Floats  # (state_size,)
    output: Floats  # (outputs,) of the network
    inputs: Floats  # (inputs,)


@kernel
def _ask_network(cell: Any, parameters: Floats, state: Floats, phi: Float64, room: Room) -> None:
    """What the network would say to the scaled inputs in `phi`, leaving it as it is."""
    for k in range(phi.size - 1):
        room.tape[k] = phi[1 + k]
    for k in range(state.size):
        room.state[k] = state[k]
    interface.forward(cell, parameters, 0, room.state, 0, room.tape, 0, room.output, 0)


@kernel
def predict_targets(
    cell: Any,
    parameters: Floats,
    state: Floats,
    scales: Scales,
    line: LinearModel,
    room: Room,
    x: Float64,
    out: Float64,
) -> None:
    """The prediction (targets,) for the raw inputs x (inputs,), to `out`."""
    fill(scales.inputs, x, line.phi)
    _ask_network(cell, parameters, state, line.phi, room)
    for k in range(out.size):
        out[k] = predict_number(line, scales.targets, k, float(room.output[k]))


@kernel
def learn_targets(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights,
    series: LearnerSeries, scratch: tbptt.Scratch, scales: Scales, line: LinearModel, room: Room, x: Float64,
    y: Float64,
) -> None:  # fmt: skip
    """Learn from the raw inputs x (inputs,) and targets y (targets,), which are overwritten."""
    learn_moments(scales.inputs, x)
    learn_moments(scales.targets, y)
    fill(scales.inputs, x, line.phi)
    for k in range(y.size):
        y[k] = left_over(line, scales.targets, k, y[k])
    for k in range(x.size):
        room.inputs[k] = line.phi[1 + k]
    learn_one(cell, settings, loss, optimizer, initial, weights, 0, series, 0, room.inputs, y, room.output, scratch)
    learn_regression(line, y)


@kernel
def predict_classes(
    cell: Any, parameters: Floats, state: Floats, scales: Scales, line: LinearModel, room: Room, x: Float64,
    own: Float64, out: Float64,
) -> None:  # fmt: skip
    """The probabilities (classes,) of the classes for the raw inputs x (inputs,), to `out`; `own` is working room."""
    fill(scales.inputs, x, line.phi)
    _ask_network(cell, parameters, state, line.phi, room)
    weigh(line, own, room.output, out)


@kernel
def learn_classes(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights,
    series: LearnerSeries, scratch: tbptt.Scratch, scales: Scales, line: LinearModel, room: Room, x: Float64,
    label: Float64, own: Float64, predicted: Float64,
) -> None:  # fmt: skip
    """Learn from the raw inputs x (inputs,) and the number of the class in label (1,), NaN where it is not known."""
    learn_moments(scales.inputs, x)
    fill(scales.inputs, x, line.phi)
    for k in range(x.size):
        room.inputs[k] = line.phi[1 + k]
    learn_one(cell, settings, loss, optimizer, initial, weights, 0, series, 0, room.inputs, label, room.output, scratch)
    if not math.isfinite(label[0]):
        return
    c = int(label[0])
    weigh(line, own, room.output, predicted)
    learn_trust(line, own, room.output, c)
    learn_classification(line, own, c)
