"""Truncated back-propagation through time with a carried state (Williams and Peng 1990).

`step` runs the cell for one event and leaves the step on the tape of its series, a ring of the last `ring` steps.
`flow_back` takes the derivatives of the loss by the outputs of the last steps and adds up the gradient of all weights
over the window that ends with the newest step. The gradient stops at the window's edge; the state does not: it is never
reset between windows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.cell import Window
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import all_finite, all_within, copy
from streamrnn.kernels.vector import out_of_line
from streamrnn.learning.optimizers import COUNTERS, Weights

Floats = NDArray[np.floating]

WILD = 1e6  # a state beyond this comes from weights that make the recurrence grow without bound


class Series(NamedTuple):
    """What every series carries; first axis: row. An all-zero row is a new series."""

    steps: NDArray[np.int64]  # (rows,) steps on the tape so far
    state: Floats  # (rows, state_size)
    tape: Floats  # (rows, ring * step_size)


class Scratch(NamedTuple):
    """Room for one event's arithmetic; nothing in it outlives the event."""

    gradient: Floats  # (parameter_count,) the gradient, then the step taken
    outputs: Floats  # (output_size,)
    d_outputs: Floats  # (truncation_length * output_size,)
    d_inputs: Floats  # (truncation_length * input_size,) or (1,) where not wanted
    work: Floats
    inputs: Floats  # (input_size,)
    state: Floats  # (state_size,)
    tape: Floats  # (step_size,)


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """Zeros that begin at a cache line: a vector that straddles two lines is loaded at half the speed."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    room = np.zeros(size + 64, np.uint8)
    begin = -room.ctypes.data % 64
    zeros: NDArray[Any] = room[begin : begin + size].view(kind).reshape(shape)
    return zeros


def padded(count: int) -> int:
    """The next multiple of 16 elements: rows of this length keep every slot on a cache line."""
    return -(-count // 16) * 16


def new_series(cell: Any, rows: int, ring: int, dtype: Any = np.float32) -> Series:
    """Zeros for `rows` new series whose tapes hold `ring` steps."""
    return Series(
        np.zeros(rows, np.int64),
        aligned_zeros((rows, interface.state_size(cell)), dtype),
        aligned_zeros((rows, ring * interface.step_size(cell)), dtype),
    )


def new_weights(cell: Any, slots: int, dtype: Any = np.float32) -> Weights:
    """Zeros for `slots` networks; `optimizers.prepare` gives each its initial weights when it is first used."""
    count = interface.parameter_count(cell)
    w, m, v, good = (aligned_zeros((slots, padded(count)), dtype) for _ in range(4))
    return Weights(w, m, v, good, np.zeros((slots, COUNTERS), np.int64))


def new_scratch(cell: Any, truncation_length: int, dtype: Any = np.float32, *, d_inputs: bool = False) -> Scratch:
    """Scratch for windows of up to `truncation_length` steps."""
    inputs, outputs = interface.input_size(cell), interface.output_size(cell)
    sizes = (
        interface.parameter_count(cell),
        outputs,
        truncation_length * outputs,
        truncation_length * inputs if d_inputs else 1,
        interface.scratch_size(cell, truncation_length),
        inputs,
        interface.state_size(cell),
        interface.step_size(cell),
    )
    return Scratch(*(aligned_zeros(max(size, 1), dtype) for size in sizes))


def initial_weights(cell: Any, seed: int, dtype: Any = np.float32) -> NDArray[Any]:
    """The initial weights, (parameter_count,), from the counter-based generator Philox: the same on every machine."""
    random = np.random.Generator(np.random.Philox(key=seed))
    initial = aligned_zeros(interface.parameter_count(cell), dtype)
    initial[:] = interface.initial_parameters(cell, random)
    return initial


@kernel
def step(
    cell: Any, ring: int, weights: Weights, slot: int, series: Series, row: int, inputs: Floats, outputs: Floats
) -> bool:
    """One event: `inputs` (input_size,) and the row's state to `outputs` (output_size,) and the next state.

    If the new state is wild (beyond 1e6) or anything is not finite, the row starts again (state zero, empty tape), the
    outputs are zero and the answer is False: one bad step poisons nothing.
    """
    out_of_line()
    size = interface.step_size(cell)
    number = series.steps[row]
    tape, state = series.tape[row], series.state[row]
    t = (number % ring) * size
    copy(inputs, 0, interface.input_size(cell), tape, t)
    interface.forward(cell, weights.parameters[slot], 0, state, 0, tape, t, outputs, 0)
    if all_within(state, 0, state.size, WILD) and all_finite(outputs, 0, interface.output_size(cell)):
        series.steps[row] = number + 1
        return True
    series.steps[row] = 0
    for j in range(state.size):
        state[j] = 0.0
    for j in range(interface.output_size(cell)):
        outputs[j] = 0.0
    return False


@kernel
def window_steps(ring: int, series: Series, row: int) -> int:
    """How many steps the window that ends with the newest one has: up to `ring`."""
    return min(ring, int(series.steps[row]))


@kernel
def flow_back(
    cell: Any, ring: int, weights: Weights, slot: int, series: Series, row: int, steps: int,
    scratch: Scratch, wanted: bool,
) -> None:  # fmt: skip
    """Fill scratch.gradient from scratch.d_outputs (steps, output_size), oldest step first.

    `steps` is at most `window_steps(...)`. Where `wanted`, scratch.d_inputs (steps, input_size) is filled too.
    """
    out_of_line()
    first = series.steps[row] - steps
    window = Window(0, interface.step_size(cell), ring, first, steps)
    gradient = scratch.gradient
    for j in range(gradient.size):
        gradient[j] = 0.0
    interface.backward(
        cell, weights.parameters[slot], 0, series.tape[row], window, scratch.d_outputs, 0,
        scratch.d_inputs, 0, wanted, gradient, scratch.work, 0,
    )  # fmt: skip
