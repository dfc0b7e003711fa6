"""What a network would say, leaving it as it is."""

from __future__ import annotations

import numpy as np

from streamrnn.cells import cell as interface
from streamrnn.learning.learner import Learner
from tests.kernels import loop


@loop
def _forward(cell, parameters, state, tape, outputs):
    interface.forward(cell, parameters, 0, state, 0, tape, 0, outputs, 0)


def look_ahead(learner: Learner, inputs: np.ndarray) -> np.ndarray:
    """The prediction (output_size,) of the first series for `inputs` (input_size,)."""
    outputs = np.zeros(interface.output_size(learner.cell), learner.dtype)
    tape = np.zeros(interface.step_size(learner.cell), learner.dtype)
    tape[: len(inputs)] = inputs
    weights = learner.weights.parameters[0] if learner.weights.parameters[0].any() else learner.initial
    _forward(learner.cell, weights, learner.series.state[0].copy(), tape, outputs)
    return outputs
