"""Layers: several cells of one kind, each fed by the outputs of the one below.

A stack is itself a cell: parameters, state and step are those of its layers, one after the other.
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.cell import Floats, Window, implements
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import out_of_line


class Stack(NamedTuple):
    """Cells from the inputs upward; all of one kind, so that a kernel can loop over them."""

    layers: tuple[Any, ...]


@implements(interface.input_size, Stack)
def _input_size(cell: Stack) -> int:
    return interface.input_size(cell.layers[0])


@implements(interface.output_size, Stack)
def _output_size(cell: Stack) -> int:
    return interface.output_size(cell.layers[-1])


@implements(interface.state_size, Stack)
def _state_size(cell: Stack) -> int:
    size = 0
    for layer in cell.layers:
        size += interface.state_size(layer)
    return size


@implements(interface.step_size, Stack)
def _step_size(cell: Stack) -> int:
    size = 0
    for layer in cell.layers:
        size += interface.step_size(layer)
    return size


@implements(interface.parameter_count, Stack)
def _parameter_count(cell: Stack) -> int:
    count = 0
    for layer in cell.layers:
        count += interface.parameter_count(layer)
    return count


@implements(interface.scratch_size, Stack)
def _scratch_size(cell: Stack, steps: int) -> int:
    widest, most = 0, 0
    for layer in cell.layers:
        widest = max(widest, interface.output_size(layer))
        most = max(most, interface.scratch_size(layer, steps))
    return 2 * steps * widest + most


@implements(interface.initial_parameters, Stack)
def _initial_parameters(cell: Stack, random: np.random.Generator) -> NDArray[np.float64]:
    return np.concatenate([interface.initial_parameters(layer, random) for layer in cell.layers])


@implements(interface.rewind, Stack)
def rewind(cell: Stack, tape: Floats, t: int, state: Floats, s: int) -> None:
    """The state of every layer."""
    for layer in cell.layers:
        interface.rewind(layer, tape, t, state, s)
        s += interface.state_size(layer)
        t += interface.step_size(layer)


@implements(interface.forward, Stack)
def forward(
    cell: Stack, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """Upward: each layer's outputs go straight to the next one's inputs on the tape."""
    out_of_line()
    top = len(cell.layers) - 1
    for l in range(top + 1):
        layer = cell.layers[l]
        above = t + interface.step_size(layer)
        if l < top:
            interface.forward(layer, parameters, p, state, s, tape, t, tape, above)
        else:
            interface.forward(layer, parameters, p, state, s, tape, t, outputs, o)
        p += interface.parameter_count(layer)
        s += interface.state_size(layer)
        t = above


@implements(interface.backward, Stack)
def backward(
    cell: Stack, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """Downward, a whole window at a time: a layer's d_inputs are the d_outputs of the one below."""
    out_of_line()
    top = len(cell.layers) - 1
    widest = 0
    at = window.at
    for l in range(top + 1):
        widest = max(widest, interface.output_size(cell.layers[l]))
        p += interface.parameter_count(cell.layers[l])
        at += interface.step_size(cell.layers[l])
    size = window.steps * widest
    inner = w + 2 * size
    for l in range(top, -1, -1):
        layer = cell.layers[l]
        p -= interface.parameter_count(layer)
        at -= interface.step_size(layer)
        part = Window(at, window.stride, window.ring, window.first, window.steps)
        above, below = w + (l % 2) * size, w + (1 - l % 2) * size
        if l == top:
            copy(d_outputs, o, window.steps * interface.output_size(layer), scratch, above)
        if l > 0:
            interface.backward(
                layer, parameters, p, tape, part, scratch, above, scratch, below, True, gradient, scratch, inner
            )
        else:
            interface.backward(
                layer, parameters, p, tape, part, scratch, above, d_inputs, i, wanted, gradient, scratch, inner
            )
