"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the recurrent product as in cuDNN.

    r = sigmoid(x W_r + h U_r + b_r)         how much of the past the candidate sees
    z = sigmoid(x W_z + h U_z + b_z)         how much of the past stays
    q = h U_n + b_q
    n = tanh(x W_n + b_n + r * q)            the candidate
    h' = n + z * (h - n)                     the output, and the next state

Shapes: x (input_size,), all others (hidden_size,) = (H,). Parameters in this order: W (input_size, 3H) with columns
[n r z], U (H, 3H) with columns [r z q], b (4H,) = [n r z q], so that both products write runs of one array [n r z q].
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
from streamrnn.kernels.vector import lanes, load, out_of_line, store


class GRU(NamedTuple):
    """Sizes of a gated recurrent unit."""

    input_size: int
    hidden_size: int


@implements(interface.input_size, GRU)
def _input_size(cell: GRU) -> int:
    return cell.input_size


@implements(interface.output_size, GRU)
def _output_size(cell: GRU) -> int:
    return cell.hidden_size


@implements(interface.state_size, GRU)
def _state_size(cell: GRU) -> int:
    return cell.hidden_size


@implements(interface.step_size, GRU)
def _step_size(cell: GRU) -> int:
    return cell.input_size + 5 * cell.hidden_size  # x h [n r z q]


@implements(interface.parameter_count, GRU)
def _parameter_count(cell: GRU) -> int:
    return (cell.input_size + cell.hidden_size) * 3 * cell.hidden_size + 4 * cell.hidden_size


@implements(interface.scratch_size, GRU)
def _scratch_size(cell: GRU, steps: int) -> int:
    return steps * 4 * cell.hidden_size + cell.hidden_size + (cell.input_size + cell.hidden_size) * 3 * cell.hidden_size


@implements(interface.initial_parameters, GRU)
def _initial_parameters(cell: GRU, random: np.random.Generator) -> NDArray[np.float64]:
    H = cell.hidden_size
    W = uniform(random, cell.input_size, cell.input_size * 3 * H)
    U = uniform(random, H, H * 3 * H)
    return np.concatenate([W, U, np.zeros(4 * H)])


@implements(interface.rewind, GRU)
def rewind(cell: GRU, tape: Floats, t: int, state: Floats, s: int) -> None:
    """h of the step."""
    copy(tape, t + cell.input_size, cell.hidden_size, state, s)


@implements(interface.forward, GRU)
def forward(
    cell: GRU, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """x at tape[t], h at state[s]  ->  h' in state[s] and outputs[o]."""
    out_of_line()
    I, H = cell.input_size, cell.hidden_size
    W, U, b = p, p + I * 3 * H, p + (I + H) * 3 * H
    h, n, r, z, q = t + I, t + I + H, t + I + 2 * H, t + I + 3 * H, t + I + 4 * H
    copy(state, s, H, tape, h)
    copy(parameters, b, 4 * H, tape, n)
    add_product(tape, t, parameters, W, I, 3 * H, tape, n)
    add_product(tape, h, parameters, U, H, 3 * H, tape, r)
    for j in range(0, H, lanes(tape)):
        left = H - j
        R, Z = sigmoid(load(tape, r + j, left)), sigmoid(load(tape, z + j, left))
        N = tanh(load(tape, n + j, left) + R * load(tape, q + j, left))
        new = N + Z * (load(tape, h + j, left) - N)
        store(tape, n + j, left, N)
        store(tape, r + j, left, R)
        store(tape, z + j, left, Z)
        store(state, s + j, left, new)
        store(outputs, o + j, left, new)


@implements(interface.backward, GRU)
def backward(
    cell: GRU, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """d_h' of every step  ->  d[n r z q], then all weight gradients of the window as matrix products."""
    out_of_line()
    I, H, steps = cell.input_size, cell.hidden_size, window.steps
    W, U, b = p, p + I * 3 * H, p + (I + H) * 3 * H
    d = w  # (steps, 4H)
    d_h = d + steps * 4 * H
    U_transposed = d_h + H
    W_transposed = U_transposed + 3 * H * H
    if steps > 1:
        transpose(parameters, U, H, 3 * H, scratch, U_transposed)
    for j in range(H):
        scratch[d_h + j] = 0.0
    for k in range(steps - 1, -1, -1):
        t = step_offset(window, k)
        h, n, r, z, q = t + I, t + I + H, t + I + 2 * H, t + I + 3 * H, t + I + 4 * H
        d_n, d_r, d_z, d_q = d + k * 4 * H, d + (k * 4 + 1) * H, d + (k * 4 + 2) * H, d + (k * 4 + 3) * H
        for j in range(0, H, lanes(tape)):
            left = H - j
            N, R, Z = load(tape, n + j, left), load(tape, r + j, left), load(tape, z + j, left)
            dH = load(scratch, d_h + j, left) + load(d_outputs, o + k * H + j, left)
            dN = dH * (1.0 - Z) * (1.0 - N * N)
            store(scratch, d_n + j, left, dN)
            store(scratch, d_r + j, left, dN * load(tape, q + j, left) * R * (1.0 - R))
            store(scratch, d_z + j, left, dH * (load(tape, h + j, left) - N) * Z * (1.0 - Z))
            store(scratch, d_q + j, left, dN * R)
            store(scratch, d_h + j, left, dH * Z)
        if k > 0:
            add_product(scratch, d_r, scratch, U_transposed, 3 * H, H, scratch, d_h)
    done = 0
    while done < steps:  # the ring's window is one run of steps, or two
        t, run = step_offset(window, done), unbroken_steps(window, done)
        D = d + done * 4 * H
        add_outer(tape, t, window.stride, scratch, D, 4 * H, run, I, 3 * H, gradient, W)
        add_outer(tape, t + I, window.stride, scratch, D + H, 4 * H, run, H, 3 * H, gradient, U)
        done += run
    add_rows(scratch, d, 4 * H, steps, 4 * H, gradient, b)
    if wanted:
        transpose(parameters, W, I, 3 * H, scratch, W_transposed)
        for j in range(steps * I):
            d_inputs[i + j] = 0.0
        for k in range(steps):
            add_product(scratch, d + k * 4 * H, scratch, W_transposed, 3 * H, I, d_inputs, i + k * I)
