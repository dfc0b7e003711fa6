"""The interface of every recurrent cell.

A cell is a small NamedTuple of sizes, such as `GRU(input_size=8, hidden_size=32)`. Its *type* picks the code
(`kernels/by_type.py`), so only the cell in use is ever compiled.

All numbers live in flat arrays at offsets, so that optimizer, norm, finite check, copy and snapshot are one loop each:

    parameters  at p    (parameter_count,)    weights and biases
    state       at s    (state_size,)         what is carried from event to event; zeros at the start of a series
    tape        at t    (step_size,)          what one step leaves for the way back; begins with the step's inputs
    outputs     at o    (output_size,)        what the next layer, or the readout, sees

To add a cell: write one file with a NamedTuple and the functions marked `@implements(...)`, as in `gru.py`, and name it
in `catalog.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.by_type import chosen_by_type, code_of
from streamrnn.kernels.by_type import implements as implements
from streamrnn.kernels.jit import kernel

Floats = NDArray[np.floating]


class Window(NamedTuple):
    """Where the steps of a truncation window lie on the tape of one series, oldest first.

    The tape is a ring of `ring` steps, `stride` elements apart; the oldest step of the window is number `first`.
    """

    at: int
    stride: int
    ring: int
    first: int
    steps: int


@kernel
def step_offset(window: Window, k: int) -> int:
    """Offset of the window's step `k` on the tape."""
    return window.at + ((window.first + k) % window.ring) * window.stride


@kernel
def unbroken_steps(window: Window, k: int) -> int:
    """How many steps from step `k` on lie one behind the other on the tape, before the ring or the window ends."""
    return min(window.steps - k, window.ring - (window.first + k) % window.ring)


@chosen_by_type
def parameter_count(cell: Any) -> int:
    """Number of weights and biases."""
    count: int = code_of(parameter_count, cell)(cell)
    return count


@chosen_by_type
def state_size(cell: Any) -> int:
    """Number of elements carried from one event to the next."""
    size: int = code_of(state_size, cell)(cell)
    return size


@chosen_by_type
def step_size(cell: Any) -> int:
    """Number of elements a step leaves on the tape."""
    size: int = code_of(step_size, cell)(cell)
    return size


@chosen_by_type
def input_size(cell: Any) -> int:
    """Number of inputs."""
    size: int = code_of(input_size, cell)(cell)
    return size


@chosen_by_type
def output_size(cell: Any) -> int:
    """Number of outputs."""
    size: int = code_of(output_size, cell)(cell)
    return size


@chosen_by_type
def scratch_size(cell: Any, steps: int) -> int:
    """Number of scratch elements the way back over `steps` steps needs."""
    size: int = code_of(scratch_size, cell)(cell, steps)
    return size


def initial_parameters(cell: Any, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw the initial weights, (parameter_count,), from `random`."""
    drawn: NDArray[np.float64] = code_of(initial_parameters, cell)(cell, random)
    return drawn


@chosen_by_type
def forward(
    cell: Any, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """One step: the inputs at tape[t], and the state, to the outputs and the next state. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


@chosen_by_type
def rewind(cell: Any, tape: Floats, t: int, state: Floats, s: int) -> None:
    """Write the state a stored step began with to state[s]. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


@chosen_by_type
def backward(
    cell: Any, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """The way back through a window, newest step first. Only inside kernels.

    `d_outputs` (steps, output_size) holds the derivative of the loss by each step's outputs. Adds the derivative by
    the parameters to gradient[p:], and where `wanted` writes the derivative by each step's inputs to `d_inputs`
    (steps, input_size). What would flow past the oldest step is dropped: there the window ends.
    """
    raise NotImplementedError("only inside a kernel")


def uniform(random: np.random.Generator, fan_in: int, count: int) -> NDArray[np.float64]:
    """`count` weights, uniform in +-1 / sqrt(fan_in)."""
    bound = 1.0 / np.sqrt(max(fan_in, 1))
    return random.uniform(-bound, bound, count)
