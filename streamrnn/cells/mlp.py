"""The classic recurrent network of multi-layer-perceptron units, and the plain feed-forward perceptron.

    a_0 = [x f]                                     the element of the sequence, and what the previous unit gave
    a_l = phi(a_{l-1} W_l + b_l)    l = 1 ... n     phi = tanh, relu or sigmoid
    y   = a_n                                       feedback `none` or `hidden`
    y   = a_n V + c                                 feedback `output`
    f'  = y                                         the next unit's f; nothing with feedback `none`

`hidden` is Elman's network (1990), `output` Jordan's (1986): there the unit ends in a linear layer of `output_size`,
whose prediction is what the next unit sees. Shapes: x (input_size,), a_l (widths[l - 1],). Parameters: W_1, b_1, ...
then V, c, each W (inputs, outputs) followed by its b.
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.activation import rectify, sigmoid, tanh
from streamrnn.cells.cell import Floats, Window, implements, step_offset, unbroken_steps, uniform
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import add_outer, add_product, add_rows, copy, transpose
from streamrnn.kernels.vector import lanes, load, out_of_line, store

TANH, RELU, SIGMOID = range(3)
ACTIVATIONS = {"tanh": TANH, "relu": RELU, "sigmoid": SIGMOID}
NONE, HIDDEN, OUTPUT = range(3)
FEEDBACK = {"none": NONE, "hidden": HIDDEN, "output": OUTPUT}


class MLP(NamedTuple):
    """Sizes of a multi-layer-perceptron unit; `activation` and `feedback` by number, see `make_mlp`."""

    input_size: int
    widths: tuple[int, ...]
    output_size: int
    activation: int
    feedback: int


def make_mlp(
    input_size: int,
    widths: tuple[int, ...],
    *,
    feedback: str = "hidden",
    activation: str = "tanh",
    output_size: int | None = None,
) -> MLP:
    """A unit with hidden layers of the given widths; `output_size` counts with feedback `output` only.

    >>> make_mlp(3, (16, 8), feedback="none", activation="relu")
    MLP(input_size=3, widths=(16, 8), output_size=8, activation=1, feedback=0)
    """
    own = FEEDBACK[feedback] == OUTPUT and output_size is not None
    return MLP(
        input_size, tuple(widths), int(output_size) if own and output_size else widths[-1],
        ACTIVATIONS[activation], FEEDBACK[feedback],
    )  # fmt: skip


def elman(input_size: int, hidden_size: int) -> MLP:
    """One layer, fed back its hidden units."""
    return make_mlp(input_size, (hidden_size,), feedback="hidden")


def jordan(input_size: int, hidden_size: int) -> MLP:
    """One layer, fed back its output."""
    return make_mlp(input_size, (hidden_size,), feedback="output")


def feed_forward(input_size: int, hidden_size: int) -> MLP:
    """One layer without memory."""
    return make_mlp(input_size, (hidden_size,), feedback="none")


@kernel
def fed_back(cell: MLP) -> int:
    """Size of f, which is also the state."""
    return 0 if cell.feedback == NONE else cell.output_size


@kernel
def layer_count(cell: MLP) -> int:
    """Number of weight matrices."""
    return len(cell.widths) + (1 if cell.feedback == OUTPUT else 0)


@kernel
def width(cell: MLP, l: int) -> int:
    """Outputs of layer `l`, counted from 0."""
    return cell.widths[l] if l < len(cell.widths) else cell.output_size


@kernel
def total_width(cell: MLP) -> int:
    """Outputs of all layers together."""
    total = 0
    for l in range(layer_count(cell)):
        total += width(cell, l)
    return total


@implements(interface.input_size, MLP)
def _input_size(cell: MLP) -> int:
    return cell.input_size


@implements(interface.output_size, MLP)
def _output_size(cell: MLP) -> int:
    return cell.output_size


@implements(interface.state_size, MLP)
def _state_size(cell: MLP) -> int:
    return fed_back(cell)


@implements(interface.step_size, MLP)
def _step_size(cell: MLP) -> int:
    return cell.input_size + fed_back(cell) + total_width(cell)  # x f a_1 ... a_n (y)


@implements(interface.parameter_count, MLP)
def _parameter_count(cell: MLP) -> int:
    count, rows = 0, cell.input_size + fed_back(cell)
    for l in range(layer_count(cell)):
        count += (rows + 1) * width(cell, l)
        rows = width(cell, l)
    return count


@implements(interface.scratch_size, MLP)
def _scratch_size(cell: MLP, steps: int) -> int:
    return steps * total_width(cell) + cell.input_size + fed_back(cell) + interface.parameter_count(cell)


@implements(interface.initial_parameters, MLP)
def _initial_parameters(cell: MLP, random: np.random.Generator) -> NDArray[np.float64]:
    """Uniform, of the variance that keeps a signal's size: 1 / inputs, and 2 / inputs for relu (He et al. 2015).

    A recurrence of relu units would grow without bound from the latter, so it starts like the others.
    """
    parts, rows = [], cell.input_size + fed_back(cell)
    gain = np.sqrt(6.0 if cell.activation == RELU and cell.feedback == NONE else 3.0)
    for l in range(layer_count(cell)):
        columns = width(cell, l)
        parts += [gain * uniform(random, rows, rows * columns), np.zeros(columns)]
        rows = columns
    return np.concatenate(parts)


@implements(interface.rewind, MLP)
def rewind(cell: MLP, tape: Floats, t: int, state: Floats, s: int) -> None:
    """f of the step."""
    copy(tape, t + cell.input_size, fed_back(cell), state, s)


@implements(interface.forward, MLP)
def forward(
    cell: MLP, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """x at tape[t], f at state[s]  ->  y in outputs[o], f' in state[s]."""
    out_of_line()
    copy(state, s, fed_back(cell), tape, t + cell.input_size)
    below, rows = t, cell.input_size + fed_back(cell)
    for l in range(layer_count(cell)):
        columns = width(cell, l)
        a, b = below + rows, p + rows * columns
        copy(parameters, b, columns, tape, a)
        add_product(tape, below, parameters, p, rows, columns, tape, a)
        if l < len(cell.widths):
            for j in range(0, columns, lanes(tape)):
                v = load(tape, a + j, columns - j)
                if cell.activation == TANH:
                    v = tanh(v)
                elif cell.activation == RELU:
                    v = rectify(v, v)
                else:
                    v = sigmoid(v)
                store(tape, a + j, columns - j, v)
        p, below, rows = b + columns, a, columns
    copy(tape, below, rows, outputs, o)
    copy(tape, below, fed_back(cell), state, s)


@implements(interface.backward, MLP)
def backward(
    cell: MLP, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """d_y of every step, and d_f of the step after it  ->  d of every layer, downward; then the weight gradients."""
    out_of_line()
    I, F, steps, layers, total = cell.input_size, fed_back(cell), window.steps, layer_count(cell), total_width(cell)
    d = w  # (steps, total): every layer's derivative before its activation
    d_a0 = d + steps * total  # [d_x d_f]
    transposed = d_a0 + I + F
    end, q, rows = transposed, p, I + F
    for l in range(layers):
        columns = width(cell, l)
        transpose(parameters, q, rows, columns, scratch, end)
        q, end, rows = q + (rows + 1) * columns, end + rows * columns, columns
    for j in range(I + F):
        scratch[d_a0 + j] = 0.0
    for k in range(steps - 1, -1, -1):
        a, above, matrix = step_offset(window, k) + I + F + total, d + (k + 1) * total, end
        above -= cell.output_size
        for j in range(cell.output_size):
            scratch[above + j] = d_outputs[o + k * cell.output_size + j]
        for j in range(F):
            scratch[above + j] += scratch[d_a0 + I + j]
        for l in range(layers - 1, -1, -1):
            columns = width(cell, l)
            rows = I + F if l == 0 else width(cell, l - 1)
            a -= columns
            matrix -= rows * columns
            if l < len(cell.widths):
                for j in range(0, columns, lanes(tape)):
                    A, D = load(tape, a + j, columns - j), load(scratch, above + j, columns - j)
                    if cell.activation == TANH:
                        D = D * (1.0 - A * A)
                    elif cell.activation == RELU:
                        D = rectify(A, D)
                    else:
                        D = D * A * (1.0 - A)
                    store(scratch, above + j, columns - j, D)
            below = d_a0 if l == 0 else above - rows
            for j in range(rows):
                scratch[below + j] = 0.0
            if l > 0 or wanted or (k > 0 and F > 0):
                add_product(scratch, above, scratch, matrix, columns, rows, scratch, below)
            above = below
        if wanted:
            copy(scratch, d_a0, I, d_inputs, i + k * I)
    q, rows, at, to = p, I + F, 0, d
    for l in range(layers):
        columns = width(cell, l)
        done = 0
        while done < steps:
            t, run = step_offset(window, done) + at, unbroken_steps(window, done)
            add_outer(
                tape, t, window.stride, scratch, to + done * total, total, run, rows, columns, gradient, q
            )  # fmt: skip
            done += run
        add_rows(scratch, to, total, steps, columns, gradient, q + rows * columns)
        q, at, to, rows = q + (rows + 1) * columns, at + rows, to + columns, columns
