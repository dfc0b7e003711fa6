"""Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    [i f o g] = [x h] W + b
    i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)      input, forget and output gate
    g = tanh(g)                                       the candidate
    c' = f * c + i * g                                the memory
    h' = o * tanh(c')                                 the output

Shapes: x (input_size,), all others (hidden_size,) = (H,). Parameters: W (input_size + H, 4H), b (4H,). State: [h c].
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.activation import sigmoid, tanh
from streamrnn.cells.cell import Floats, Window, implements, step_offset, unbroken_steps, uniform
from streamrnn.kernels.linear import add_outer, add_product, add_rows, copy, transpose
from streamrnn.kernels.vector import lanes, load, out_of_line, splat, store


class LSTM(NamedTuple):
    """Sizes of a long short-term memory."""

    input_size: int
    hidden_size: int


@implements(interface.input_size, LSTM)
def _input_size(cell: LSTM) -> int:
    return cell.input_size


@implements(interface.output_size, LSTM)
def _output_size(cell: LSTM) -> int:
    return cell.hidden_size


@implements(interface.state_size, LSTM)
def _state_size(cell: LSTM) -> int:
    return 2 * cell.hidden_size


@implements(interface.step_size, LSTM)
def _step_size(cell: LSTM) -> int:
    return cell.input_size + 7 * cell.hidden_size  # x h c [i f o g] tanh(c')


@implements(interface.parameter_count, LSTM)
def _parameter_count(cell: LSTM) -> int:
    return (cell.input_size + cell.hidden_size + 1) * 4 * cell.hidden_size


@implements(interface.scratch_size, LSTM)
def _scratch_size(cell: LSTM, steps: int) -> int:
    return (steps + cell.input_size + cell.hidden_size) * 4 * cell.hidden_size + 2 * cell.hidden_size


@implements(interface.initial_parameters, LSTM)
def _initial_parameters(cell: LSTM, random: np.random.Generator) -> NDArray[np.float64]:
    """Uniform weights; the forget gate starts open (bias 1; Jozefowicz et al. 2015)."""
    I, H = cell.input_size, cell.hidden_size
    W = np.concatenate([uniform(random, I, I * 4 * H), uniform(random, H, H * 4 * H)])
    b = np.zeros(4 * H)
    b[H : 2 * H] = 1.0
    return np.concatenate([W, b])


@implements(interface.rewind, LSTM)
def rewind(cell: LSTM, tape: Floats, t: int, state: Floats, s: int) -> None:
    """[h c] of the step."""
    copy(tape, t + cell.input_size, 2 * cell.hidden_size, state, s)


@implements(interface.forward, LSTM)
def forward(
    cell: LSTM, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """x at tape[t], [h c] at state[s]  ->  [h' c'] in state[s], h' in outputs[o]."""
    out_of_line()
    I, H = cell.input_size, cell.hidden_size
    b = p + (I + H) * 4 * H
    c, gates = t + I + H, t + I + 2 * H
    i, f, out, g, c_tanh = gates, gates + H, gates + 2 * H, gates + 3 * H, gates + 4 * H
    copy(state, s, 2 * H, tape, t + I)
    copy(parameters, b, 4 * H, tape, gates)
    add_product(tape, t, parameters, p, I + H, 4 * H, tape, gates)
    for j in range(0, H, lanes(tape)):
        left = H - j
        In, F = sigmoid(load(tape, i + j, left)), sigmoid(load(tape, f + j, left))
        O, G = sigmoid(load(tape, out + j, left)), tanh(load(tape, g + j, left))
        C = F * load(tape, c + j, left) + In * G
        T = tanh(C)
        store(tape, i + j, left, In)
        store(tape, f + j, left, F)
        store(tape, out + j, left, O)
        store(tape, g + j, left, G)
        store(tape, c_tanh + j, left, T)
        store(state, s + j, left, O * T)
        store(state, s + H + j, left, C)
        store(outputs, o + j, left, O * T)


@implements(interface.backward, LSTM)
def backward(
    cell: LSTM, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """d_h' of every step  ->  d[i f o g], then all weight gradients of the window as one matrix product."""
    out_of_line()
    I, H, steps = cell.input_size, cell.hidden_size, window.steps
    U, b = p + I * 4 * H, p + (I + H) * 4 * H
    d = w  # (steps, 4H)
    d_h = d + steps * 4 * H
    d_c = d_h + H
    U_transposed = d_c + H
    W_transposed = U_transposed + 4 * H * H
    if steps > 1:
        transpose(parameters, U, H, 4 * H, scratch, U_transposed)
    for j in range(2 * H):
        scratch[d_h + j] = 0.0
    for k in range(steps - 1, -1, -1):
        c = step_offset(window, k) + I + H
        gates, d_gates = c + H, d + k * 4 * H
        for j in range(0, H, lanes(tape)):
            left = H - j
            In, F = load(tape, gates + j, left), load(tape, gates + H + j, left)
            O, G = load(tape, gates + 2 * H + j, left), load(tape, gates + 3 * H + j, left)
            T = load(tape, gates + 4 * H + j, left)
            dH = load(scratch, d_h + j, left) + load(d_outputs, o + k * H + j, left)
            dC = load(scratch, d_c + j, left) + dH * O * (1.0 - T * T)
            store(scratch, d_gates + j, left, dC * G * In * (1.0 - In))
            store(scratch, d_gates + H + j, left, dC * load(tape, c + j, left) * F * (1.0 - F))
            store(scratch, d_gates + 2 * H + j, left, dH * T * O * (1.0 - O))
            store(scratch, d_gates + 3 * H + j, left, dC * In * (1.0 - G * G))
            store(scratch, d_c + j, left, dC * F)
            store(scratch, d_h + j, left, splat(scratch, 0.0))
        if k > 0:
            add_product(scratch, d_gates, scratch, U_transposed, 4 * H, H, scratch, d_h)
    done = 0
    while done < steps:
        t, run = step_offset(window, done), unbroken_steps(window, done)
        add_outer(tape, t, window.stride, scratch, d + done * 4 * H, 4 * H, run, I + H, 4 * H, gradient, p)
        done += run
    add_rows(scratch, d, 4 * H, steps, 4 * H, gradient, b)
    if wanted:
        transpose(parameters, p, I, 4 * H, scratch, W_transposed)
        for j in range(steps * I):
            d_inputs[i + j] = 0.0
        for k in range(steps):
            add_product(scratch, d + k * 4 * H, scratch, W_transposed, 4 * H, I, d_inputs, i + k * I)
