"""Exact real-time recurrent learning for the linear recurrent unit (Zucchet et al. 2023).

The state is s' = lambda * s + gamma * (x B), each unit by itself. So the derivatives of the state by all that ever
entered it (the traces) follow the same recurrence and are carried forward, O(parameters) a step, with no window:

    E' = lambda * E + s             d s' / d lambda       (N,) complex
    G' = lambda * G + x B           d s' / d gamma        (N,) complex
    T' = lambda * T + gamma * x     d s' / d Re(B)        (I, N) complex; d s' / d Im(B) = i T'

The gradient of a loss of the newest output is its derivative by s' times these; the output layer has no memory and
goes through plain back-propagation. Exact for one layer whose weights do not change; with online updates the traces
hold the derivatives along the path the weights took. Traces of a row, all zero for a new series: [E G T_1 ... T_I],
each [real imaginary].
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.cell import Window
from streamrnn.cells.dense import Network
from streamrnn.cells.lru import LRU, add_recurrent_gradient, eigenvalues
from streamrnn.kernels.jit import CALLEE_OPTIONS
from streamrnn.kernels.linear import add_outer, add_product, add_rows, transpose
from streamrnn.kernels.vector import item, lanes, load, multiply_add, out_of_line, store

Floats = NDArray[np.floating]


def supports_rtrl(cell: Any) -> bool:
    """Whether exact forward gradients exist for this cell: one linear recurrent unit, with or without a head."""
    return isinstance(cell.body if isinstance(cell, Network) else cell, LRU)


def traces_size(cell: Any) -> int:
    """Number of trace elements of a series."""
    if not supports_rtrl(cell):
        return 0
    unit: LRU = cell.body if isinstance(cell, Network) else cell
    return (2 + unit.input_size) * 2 * unit.hidden_size


def carry_forward(cell: Any, parameters: Floats, tape: Floats, t: int, traces: Floats) -> None:
    """Advance the traces by the step just taken, which lies at tape[t]. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


def gradient_now(
    cell: Any, parameters: Floats, tape: Floats, t: int, traces: Floats, d_outputs: Floats, gradient: Floats,
    scratch: Floats,
) -> None:  # fmt: skip
    """Add the gradient of a loss of the newest step, d_outputs (output_size,), to `gradient`. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


def _carry_unit(cell: LRU, parameters: Floats, tape: Floats, t: int, traces: Floats) -> None:
    out_of_line()
    I, N = cell.input_size, cell.hidden_size
    nu, tau = I * 2 * N, I * 2 * N + N
    old, v = t + I + 4 * N, t + I + 6 * N
    for j in range(0, N, lanes(tape)):
        left = N - j
        m, cosine, sine, gamma = eigenvalues(parameters, nu + j, tau + j, left)
        real, imaginary = m * cosine, m * sine
        for k in range(2 + I):
            at = k * 2 * N + j
            x, y = load(traces, at, left), load(traces, at + N, left)
            x_new, y_new = real * x - imaginary * y, real * y + imaginary * x
            if k < 2:
                source = old if k == 0 else v
                x_new, y_new = x_new + load(tape, source + j, left), y_new + load(tape, source + N + j, left)
            else:
                x_new = multiply_add(item(tape, t + k - 2), gamma, x_new)
            store(traces, at, left, x_new)
            store(traces, at + N, left, y_new)


def _gradient_unit(
    cell: LRU, parameters: Floats, tape: Floats, t: int, traces: Floats, d_outputs: Floats, gradient: Floats,
    scratch: Floats,
) -> None:  # fmt: skip
    out_of_line()
    I, N = cell.input_size, cell.hidden_size
    C, c = I * 2 * N + 2 * N, I * 2 * N + 2 * N + (I + 2 * N) * 2 * N
    a, n = t + I + 2 * N, lanes(tape)
    d, d_below, d_lambda = 0, 2 * N, 4 * N + I  # in scratch: d[a g], [d_x d_s'], [d_lambda d_gamma]
    C_transposed = d_lambda + 3 * N
    for j in range(0, N, n):
        left = N - j
        A, G, dY = load(tape, a + j, left), load(tape, a + N + j, left), load(d_outputs, j, left)
        store(scratch, d + j, left, dY * G * (1.0 - A * A))
        store(scratch, d + N + j, left, dY * A * G * (1.0 - G))
    for j in range(I + 2 * N):
        scratch[d_below + j] = 0.0
    transpose(parameters, C, I + 2 * N, 2 * N, scratch, C_transposed)
    add_product(scratch, d, scratch, C_transposed, 2 * N, I + 2 * N, scratch, d_below)
    add_outer(tape, t, 0, scratch, d, 0, 1, I + 2 * N, 2 * N, gradient, C)
    add_rows(scratch, d, 0, 1, 2 * N, gradient, c)
    d_s = d_below + I
    for j in range(0, N, n):
        left = N - j
        dX, dY = load(scratch, d_s + j, left), load(scratch, d_s + N + j, left)
        x, y = load(traces, j, left), load(traces, N + j, left)
        store(scratch, d_lambda + j, left, dX * x + dY * y)
        store(scratch, d_lambda + N + j, left, dY * x - dX * y)
        x, y = load(traces, 2 * N + j, left), load(traces, 3 * N + j, left)
        store(scratch, d_lambda + 2 * N + j, left, dX * x + dY * y)
        for k in range(I):
            x, y, B = load(traces, (4 + 2 * k) * N + j, left), load(traces, (5 + 2 * k) * N + j, left), k * 2 * N + j
            store(gradient, B, left, load(gradient, B, left) + (dX * x + dY * y))
            store(gradient, B + N, left, load(gradient, B + N, left) + (dY * x - dX * y))
    add_recurrent_gradient(cell, parameters, 0, scratch, d_lambda, gradient)


def _carry_network(cell: Network, parameters: Floats, tape: Floats, t: int, traces: Floats) -> None:
    carry_forward(cell.body, parameters, tape, t, traces)


def _gradient_network(
    cell: Network, parameters: Floats, tape: Floats, t: int, traces: Floats, d_outputs: Floats, gradient: Floats,
    scratch: Floats,
) -> None:  # fmt: skip
    features, head = t + interface.step_size(cell.body), interface.parameter_count(cell.body)
    width = interface.output_size(cell.body)
    window = Window(features, 0, 1, 0, 1)
    interface.backward(
        cell.head, parameters, head, tape, window, d_outputs, 0, scratch, 0, True, gradient, scratch, width
    )
    gradient_now(cell.body, parameters, tape, t, traces, scratch[:width], gradient, scratch[width:])


def _nothing(cell: Any, *_: Any) -> None:
    pass


def _by_body(unit: Callable[..., Any], network: Callable[..., Any]) -> Callable[..., Any]:
    def choose(cell: Any, *_: Any) -> Any:
        kind = getattr(cell, "instance_class", None)
        if kind is LRU:
            return unit
        if kind is Network and getattr(cell.types[0], "instance_class", None) is LRU:
            return network
        return _nothing

    return choose


overload(carry_forward, strict=False, jit_options=CALLEE_OPTIONS)(_by_body(_carry_unit, _carry_network))
overload(gradient_now, strict=False, jit_options=CALLEE_OPTIONS)(_by_body(_gradient_unit, _gradient_network))
