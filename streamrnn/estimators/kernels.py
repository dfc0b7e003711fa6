"""One compiled call per prediction and one per event: scales, line and network together.

A kernel call from Python spends most of its time on taking its arguments apart, so there is one, with as few arrays as
it can do with. What line and network do together is that of labelled streams (`labelled/linear.py`); there labels may
come later, and a window of predictions is run again for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.kernels.jit import kernel
from streamrnn.labelled import linear
from streamrnn.labelled.linear import Predictor
from streamrnn.learning import tbptt
from streamrnn.learning.learner import LearnerSeries, Settings, learn_one
from streamrnn.learning.losses import Loss
from streamrnn.learning.optimizers import Optimizer, Weights

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]


@kernel
def predict(
    kind: Any, cell: Any, parameters: Floats, state: Floats, of: Predictor, room: Floats, tape: Floats, x: Float64
) -> None:
    """The prediction for the raw inputs x (inputs,), to `of.predicted`; network and state stay as they are.

    `room` (state_size,) and `tape` (step_size,) are working room.
    """
    phi = of.line.phi
    linear.fill(of.scales.inputs, x, phi)
    for k in range(phi.size - 1):
        tape[k] = phi[1 + k]
    for k in range(state.size):
        room[k] = state[k]
    interface.forward(cell, parameters, 0, room, 0, tape, 0, of.network, 0)
    linear.predict(kind, of)


@kernel
def learn(
    kind: Any, cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights,
    series: LearnerSeries, scratch: tbptt.Scratch, of: Predictor, x: Float64, y: Float64,
) -> None:  # fmt: skip
    """Learn from the raw inputs x (inputs,) and what was observed, which is overwritten.

    y is the targets (outputs,), or the number of the class (1,); NaN where it is missing.
    """
    phi = of.line.phi
    linear.learn_moments(of.scales.inputs, x)
    linear.fill(of.scales.inputs, x, phi)
    linear.leave_to_network(kind, of, y)
    learn_one(cell, settings, loss, optimizer, initial, weights, 0, series, 0, phi[1:], y, of.network, scratch)
    linear.learn(kind, of, y)
