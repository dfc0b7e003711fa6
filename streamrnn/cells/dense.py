"""Dense linear layer, and a network: any cell below, a dense layer on top.

    y = V h + c

Shapes: h (input_size,) = (F,), y (output_size,) = (O,). Parameters: V (O, F), c (O,). Rows of V are contiguous over the
inputs because a network has few outputs and many features.
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.cell import Floats, Window, implements, step_offset, unbroken_steps
from streamrnn.kernels.linear import add_outer, add_product, dot
from streamrnn.kernels.vector import out_of_line


class Dense(NamedTuple):
    """Sizes of a dense linear layer."""

    input_size: int
    output_size: int


class Network(NamedTuple):
    """A cell (or a stack of cells) and the dense layer that turns its outputs into predictions."""

    body: Any
    head: Dense


@implements(interface.input_size, Dense)
def _input_size(cell: Dense) -> int:
    return cell.input_size


@implements(interface.output_size, Dense)
def _output_size(cell: Dense) -> int:
    return cell.output_size


@implements(interface.state_size, Dense)
def _state_size(cell: Dense) -> int:
    return 0


@implements(interface.step_size, Dense)
def _step_size(cell: Dense) -> int:
    return cell.input_size


@implements(interface.parameter_count, Dense)
def _parameter_count(cell: Dense) -> int:
    return cell.output_size * cell.input_size + cell.output_size


@implements(interface.scratch_size, Dense)
def _scratch_size(cell: Dense, steps: int) -> int:
    return 0


@implements(interface.initial_parameters, Dense)
def _initial_parameters(cell: Dense, random: np.random.Generator) -> NDArray[np.float64]:
    """Zeros: a new network predicts 0, and learns its first features from the first errors."""
    return np.zeros(cell.output_size * cell.input_size + cell.output_size)


@implements(interface.rewind, Dense)
def rewind(cell: Dense, tape: Floats, t: int, state: Floats, s: int) -> None:
    """Nothing is carried."""


@implements(interface.forward, Dense)
def forward(
    cell: Dense, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """h at tape[t]  ->  y in outputs[o]."""
    F, O = cell.input_size, cell.output_size
    c = p + O * F
    for k in range(O):
        outputs[o + k] = parameters[c + k] + dot(tape, t, parameters, p + k * F, F)


@implements(interface.backward, Dense)
def backward(
    cell: Dense, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """d_y  ->  d_V = sum d_y (outer) h, d_c = sum d_y, d_h = d_y V."""
    out_of_line()
    F, O, steps = cell.input_size, cell.output_size, window.steps
    c = p + O * F
    done = 0
    while done < steps:
        t, run = step_offset(window, done), unbroken_steps(window, done)
        add_outer(d_outputs, o + done * O, O, tape, t, window.stride, run, O, F, gradient, p)
        done += run
    for k in range(steps):
        for j in range(O):
            gradient[c + j] += d_outputs[o + k * O + j]
    if wanted:
        for j in range(steps * F):
            d_inputs[i + j] = 0.0
        for k in range(steps):
            add_product(d_outputs, o + k * O, parameters, p, O, F, d_inputs, i + k * F)


@implements(interface.input_size, Network)
def _network_input_size(cell: Network) -> int:
    return interface.input_size(cell.body)


@implements(interface.output_size, Network)
def _network_output_size(cell: Network) -> int:
    return interface.output_size(cell.head)


@implements(interface.state_size, Network)
def _network_state_size(cell: Network) -> int:
    return interface.state_size(cell.body)


@implements(interface.step_size, Network)
def _network_step_size(cell: Network) -> int:
    return interface.step_size(cell.body) + interface.step_size(cell.head)


@implements(interface.parameter_count, Network)
def _network_parameter_count(cell: Network) -> int:
    return interface.parameter_count(cell.body) + interface.parameter_count(cell.head)


@implements(interface.scratch_size, Network)
def _network_scratch_size(cell: Network, steps: int) -> int:
    return steps * interface.output_size(cell.body) + interface.scratch_size(cell.body, steps)


@implements(interface.initial_parameters, Network)
def _network_initial_parameters(cell: Network, random: np.random.Generator) -> NDArray[np.float64]:
    return np.concatenate([interface.initial_parameters(part, random) for part in cell])


@implements(interface.rewind, Network)
def _network_rewind(cell: Network, tape: Floats, t: int, state: Floats, s: int) -> None:
    interface.rewind(cell.body, tape, t, state, s)


@implements(interface.forward, Network)
def _network_forward(
    cell: Network, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """The body writes its outputs straight to where the head reads its inputs: on the tape."""
    features = t + interface.step_size(cell.body)
    head = p + interface.parameter_count(cell.body)
    interface.forward(cell.body, parameters, p, state, s, tape, t, tape, features)
    interface.forward(cell.head, parameters, head, state, s, tape, features, outputs, o)


@implements(interface.backward, Network)
def _network_backward(
    cell: Network, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """Through the head, then through the body."""
    out_of_line()
    size = interface.step_size(cell.body)
    head = p + interface.parameter_count(cell.body)
    upper = Window(window.at + size, window.stride, window.ring, window.first, window.steps)
    inner = w + window.steps * interface.output_size(cell.body)
    interface.backward(
        cell.head, parameters, head, tape, upper, d_outputs, o, scratch, w, True, gradient, scratch, inner
    )
    interface.backward(
        cell.body, parameters, p, tape, window, scratch, w, d_inputs, i, wanted, gradient, scratch, inner
    )
