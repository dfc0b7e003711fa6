"""Linear recurrent unit: a diagonal complex recurrence with a gated output (Orvieto et al. 2023).

    m = sigmoid(nu),  lambda = m exp(i phi) with tan(phi / 2) = tau,  gamma = sqrt(1 - m^2)
    v  = x B                                  complex, (N,)
    s' = lambda * s + gamma * v               complex, (N,): the state; gamma keeps its size whatever m is
    [a g] = [x Re(s') Im(s')] C + c
    y  = tanh(a) * sigmoid(g)

sigmoid and the half-angle tangent parametrize the unit disc without exponentials or sines. Shapes: x (input_size,) =
(I,), y (hidden_size,) = (N,). Parameters: B (I, 2N) = [real imaginary], nu (N,), tau (N,), C (I + 2N, 2N), c (2N,).
State: [Re(s) Im(s)].
"""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.activation import sigmoid, tanh
from streamrnn.cells.cell import Floats, Window, implements, step_offset, unbroken_steps, uniform
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import add_outer, add_product, add_rows, copy, transpose
from streamrnn.kernels.vector import lanes, load, out_of_line, splat, square_root, store

EPSILON = 1e-6  # keeps gamma, and with it the derivative by nu, finite when m rounds to 1


class LRU(NamedTuple):
    """Sizes of a linear recurrent unit."""

    input_size: int
    hidden_size: int


@implements(interface.input_size, LRU)
def _input_size(cell: LRU) -> int:
    return cell.input_size


@implements(interface.output_size, LRU)
def _output_size(cell: LRU) -> int:
    return cell.hidden_size


@implements(interface.state_size, LRU)
def _state_size(cell: LRU) -> int:
    return 2 * cell.hidden_size


@implements(interface.step_size, LRU)
def _step_size(cell: LRU) -> int:
    return cell.input_size + 8 * cell.hidden_size  # x s'(2N) [a g](2N) s(2N) v(2N)


@implements(interface.parameter_count, LRU)
def _parameter_count(cell: LRU) -> int:
    I, N = cell.input_size, cell.hidden_size
    return I * 2 * N + 2 * N + (I + 2 * N + 1) * 2 * N


@implements(interface.scratch_size, LRU)
def _scratch_size(cell: LRU, steps: int) -> int:
    I, N = cell.input_size, cell.hidden_size
    return steps * 4 * N + I + 2 * N + 3 * N + (2 * I + 2 * N) * 2 * N


@implements(interface.initial_parameters, LRU)
def _initial_parameters(cell: LRU, random: np.random.Generator) -> NDArray[np.float64]:
    """Eigenvalues uniform over the ring .4 <= m <= .99 and the upper half plane; time scales of 1 to 100 steps."""
    I, N = cell.input_size, cell.hidden_size
    m = np.sqrt(random.uniform(0.4**2, 0.99**2, N))
    phi = random.uniform(0.0, 0.5 * np.pi, N)
    return np.concatenate([
        uniform(random, 2 * I, I * 2 * N), np.log(m / (1.0 - m)), np.tan(0.5 * phi),
        uniform(random, I + 2 * N, (I + 2 * N) * 2 * N), np.zeros(2 * N),
    ])  # fmt: skip


@kernel
def eigenvalues(parameters: Floats, nu: int, tau: int, left: int) -> Any:
    """m, cos(phi), sin(phi) and gamma of one vector of units."""
    m, half = sigmoid(load(parameters, nu, left)), load(parameters, tau, left)
    square = half * half
    return m, (1.0 - square) / (1.0 + square), 2.0 * half / (1.0 + square), square_root(1.0 - m * m + EPSILON)


@implements(interface.rewind, LRU)
def rewind(cell: LRU, tape: Floats, t: int, state: Floats, s: int) -> None:
    """s of the step."""
    copy(tape, t + cell.input_size + 4 * cell.hidden_size, 2 * cell.hidden_size, state, s)


@implements(interface.forward, LRU)
def forward(
    cell: LRU, parameters: Floats, p: int, state: Floats, s: int, tape: Floats, t: int, outputs: Floats, o: int
) -> None:
    """x at tape[t], s at state[s]  ->  s' in state[s], y in outputs[o]."""
    out_of_line()
    I, N = cell.input_size, cell.hidden_size
    nu, tau, C, c = p + I * 2 * N, p + I * 2 * N + N, p + I * 2 * N + 2 * N, p + I * 2 * N + 2 * N + (I + 2 * N) * 2 * N
    new, a, old, v = t + I, t + I + 2 * N, t + I + 4 * N, t + I + 6 * N
    n = lanes(tape)
    copy(state, s, 2 * N, tape, old)
    for j in range(0, 2 * N, n):
        store(tape, v + j, 2 * N - j, splat(tape, 0.0))
    add_product(tape, t, parameters, p, I, 2 * N, tape, v)
    for j in range(0, N, n):
        left = N - j
        m, cosine, sine, gamma = eigenvalues(parameters, nu + j, tau + j, left)
        real, imaginary = m * cosine, m * sine
        x, y = load(tape, old + j, left), load(tape, old + N + j, left)
        x_new = real * x - imaginary * y + gamma * load(tape, v + j, left)
        y_new = real * y + imaginary * x + gamma * load(tape, v + N + j, left)
        store(tape, new + j, left, x_new)
        store(tape, new + N + j, left, y_new)
        store(state, s + j, left, x_new)
        store(state, s + N + j, left, y_new)
    copy(parameters, c, 2 * N, tape, a)
    add_product(tape, t, parameters, C, I + 2 * N, 2 * N, tape, a)
    for j in range(0, N, n):
        left = N - j
        A, G = tanh(load(tape, a + j, left)), sigmoid(load(tape, a + N + j, left))
        store(tape, a + j, left, A)
        store(tape, a + N + j, left, G)
        store(outputs, o + j, left, A * G)


@implements(interface.backward, LRU)
def backward(
    cell: LRU, parameters: Floats, p: int, tape: Floats, window: Window, d_outputs: Floats, o: int,
    d_inputs: Floats, i: int, wanted: bool, gradient: Floats, scratch: Floats, w: int,
) -> None:  # fmt: skip
    """d_y of every step  ->  d[a g]  ->  d_s', carried back by conj(lambda)  ->  d_v, d_lambda, d_gamma."""
    out_of_line()
    I, N, steps = cell.input_size, cell.hidden_size, window.steps
    nu, tau, C, c = p + I * 2 * N, p + I * 2 * N + N, p + I * 2 * N + 2 * N, p + I * 2 * N + 2 * N + (I + 2 * N) * 2 * N
    d = w  # (steps, 4N): d[a g], d_v
    d_below = d + steps * 4 * N  # [d_x d_s'] of one step
    d_lambda = d_below + I + 2 * N  # real, imaginary, and d_gamma
    C_transposed = d_lambda + 3 * N
    B_transposed = C_transposed + (I + 2 * N) * 2 * N
    d_s = d_below + I
    n = lanes(tape)
    transpose(parameters, C, I + 2 * N, 2 * N, scratch, C_transposed)
    if wanted:
        transpose(parameters, p, I, 2 * N, scratch, B_transposed)
    for j in range(I + 5 * N):
        scratch[d_below + j] = 0.0
    for k in range(steps - 1, -1, -1):
        t, d_a, d_v = step_offset(window, k), d + k * 4 * N, d + k * 4 * N + 2 * N
        a, old, v = t + I + 2 * N, t + I + 4 * N, t + I + 6 * N
        for j in range(0, N, n):
            left = N - j
            A, G, dY = load(tape, a + j, left), load(tape, a + N + j, left), load(d_outputs, o + k * N + j, left)
            store(scratch, d_a + j, left, dY * G * (1.0 - A * A))
            store(scratch, d_a + N + j, left, dY * A * G * (1.0 - G))
        for j in range(I):
            scratch[d_below + j] = 0.0
        add_product(scratch, d_a, scratch, C_transposed, 2 * N, I + 2 * N, scratch, d_below)
        for j in range(0, N, n):
            left = N - j
            m, cosine, sine, gamma = eigenvalues(parameters, nu + j, tau + j, left)
            real, imaginary = m * cosine, m * sine
            dX, dY = load(scratch, d_s + j, left), load(scratch, d_s + N + j, left)
            x, y = load(tape, old + j, left), load(tape, old + N + j, left)
            by_gamma = dX * load(tape, v + j, left) + dY * load(tape, v + N + j, left)
            store(scratch, d_lambda + j, left, load(scratch, d_lambda + j, left) + (dX * x + dY * y))
            store(scratch, d_lambda + N + j, left, load(scratch, d_lambda + N + j, left) + (dY * x - dX * y))
            store(scratch, d_lambda + 2 * N + j, left, load(scratch, d_lambda + 2 * N + j, left) + by_gamma)
            store(scratch, d_v + j, left, gamma * dX)
            store(scratch, d_v + N + j, left, gamma * dY)
            store(scratch, d_s + j, left, real * dX + imaginary * dY)
            store(scratch, d_s + N + j, left, real * dY - imaginary * dX)
        if wanted:
            add_product(scratch, d_v, scratch, B_transposed, 2 * N, I, scratch, d_below)
            copy(scratch, d_below, I, d_inputs, i + k * I)
    add_recurrent_gradient(cell, parameters, p, scratch, d_lambda, gradient)
    done = 0
    while done < steps:
        t, run, D = step_offset(window, done), unbroken_steps(window, done), d + done * 4 * N
        add_outer(tape, t, window.stride, scratch, D, 4 * N, run, I + 2 * N, 2 * N, gradient, C)
        add_outer(tape, t, window.stride, scratch, D + 2 * N, 4 * N, run, I, 2 * N, gradient, p)
        done += run
    add_rows(scratch, d, 4 * N, steps, 2 * N, gradient, c)


@kernel
def add_recurrent_gradient(
    cell: LRU, parameters: Floats, p: int, scratch: Floats, d_lambda: int, gradient: Floats
) -> None:
    """From [d_Re(lambda) d_Im(lambda) d_gamma] at scratch[d_lambda] to the derivatives by nu and tau."""
    I, N = cell.input_size, cell.hidden_size
    nu, tau = p + I * 2 * N, p + I * 2 * N + N
    for j in range(0, N, lanes(parameters)):
        left = N - j
        m, cosine, sine, gamma = eigenvalues(parameters, nu + j, tau + j, left)
        half = load(parameters, tau + j, left)
        dX, dY = load(scratch, d_lambda + j, left), load(scratch, d_lambda + N + j, left)
        d_m = dX * cosine + dY * sine - load(scratch, d_lambda + 2 * N + j, left) * m / gamma
        d_phi = m * (dY * cosine - dX * sine)  # d phi / d tau = 2 / (1 + tau^2)
        store(gradient, nu + j, left, load(gradient, nu + j, left) + d_m * m * (1.0 - m))
        store(gradient, tau + j, left, load(gradient, tau + j, left) + d_phi * 2.0 / (1.0 + half * half))
