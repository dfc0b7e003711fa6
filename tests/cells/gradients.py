"""Two oracles for the cells' derivatives: central finite differences, and the library `autograd`."""

# ruff: noqa: E741 (I inputs and l layers, as in the equations)
from __future__ import annotations

import math
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from streamrnn.cells.cell import input_size, parameter_count, state_size
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import EPSILON, LRU
from streamrnn.cells.lstm import LSTM
from streamrnn.cells.mlp import MLP, NONE, OUTPUT, RELU, TANH
from streamrnn.cells.stack import Stack
from streamrnn.learning import tbptt
from streamrnn.learning.losses import CROSS_ENTROPY, Loss, differentiate
from tests.kernels import loop

Array = NDArray[np.float64]


# --- the code under test --------------------------------------------------------------------------------------------


@loop
def analytic(cell, ring, truncation, loss, weights, series, scratch, inputs, targets):
    """Run the stream; return the loss over its window and leave the gradient in scratch."""
    outputs, per_step = scratch.outputs, scratch.outputs.size
    total = 0.0
    for e in range(inputs.shape[0]):
        tbptt.step(cell, ring, weights, 0, series, 0, inputs[e], outputs)
        k = e - (inputs.shape[0] - truncation)
        if k >= 0:
            value, _ = differentiate(loss, outputs, 0, targets[e], 0, scratch.d_outputs, k * per_step)
            total += value
    steps = min(truncation, tbptt.window_steps(ring, series, 0))
    tbptt.flow_back(cell, ring, weights, 0, series, 0, steps, scratch, True)
    return total


@loop
def loss_from(cell, loss, weights, series, scratch, start, inputs, targets):
    """The window's loss when it starts from the state `start`."""
    series.steps[0] = 0
    series.state[0, :] = start
    total = 0.0
    for e in range(inputs.shape[0]):
        tbptt.step(cell, 1, weights, 0, series, 0, inputs[e], scratch.outputs)
        value, _ = differentiate(loss, scratch.outputs, 0, targets[e], 0, scratch.outputs, 0)
        total += value
    return total


@loop
def difference_quotients(cell, loss, weights, series, scratch, start, inputs, targets, step, result):
    """Central differences of the window's loss by every parameter."""
    w = weights.parameters[0]
    for j in range(result.size):
        kept = w[j]
        w[j] = kept + step
        high = loss_from(cell, loss, weights, series, scratch, start, inputs, targets)
        w[j] = kept - step
        low = loss_from(cell, loss, weights, series, scratch, start, inputs, targets)
        w[j] = kept
        result[j] = (high - low) / (2.0 * step)


class Case:
    """A network with random weights, a random stream, and the window over its last `truncation` steps."""

    def __init__(self, cell: Any, loss: Loss, truncation: int, events: int = 9, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.cell, self.loss, self.truncation = cell, loss, truncation
        self.inputs = random.normal(size=(events, input_size(cell)))
        self.targets = random.normal(size=(events, max(loss.targets, 1)))
        if loss.kind == CROSS_ENTROPY:
            self.targets = random.integers(0, loss.classes, (events, 1)).astype(float)
        self.weights = tbptt.new_weights(cell, 1, np.float64)
        count = parameter_count(cell)
        self.parameters = tbptt.initial_weights(cell, seed, np.float64) + random.normal(size=count) * 0.2
        self.weights.parameters[0, :count] = self.parameters

    def gradient(self, ring: int | None = None) -> tuple[float, Array, Array]:
        """Loss, gradient by parameters, gradient by the window's inputs."""
        ring = ring or self.truncation
        series = tbptt.new_series(self.cell, 1, ring, np.float64)
        scratch = tbptt.new_scratch(self.cell, self.truncation, np.float64, d_inputs=True)
        total = analytic(
            self.cell, ring, self.truncation, self.loss, self.weights, series, scratch, self.inputs, self.targets
        )
        return total, scratch.gradient.copy(), scratch.d_inputs.reshape(self.truncation, -1).copy()

    def start(self) -> Array:
        """The state the window starts from."""
        series = tbptt.new_series(self.cell, 1, 1, np.float64)
        scratch = tbptt.new_scratch(self.cell, 1, np.float64)
        before = len(self.inputs) - self.truncation
        for e in range(before):
            tbptt.step(self.cell, 1, self.weights, 0, series, 0, self.inputs[e], scratch.outputs)
        return series.state[0].copy()

    def finite_differences(self, step: float = 1e-5) -> Array:
        series = tbptt.new_series(self.cell, 1, 1, np.float64)
        scratch = tbptt.new_scratch(self.cell, 1, np.float64)
        before, result = len(self.inputs) - self.truncation, np.zeros(parameter_count(self.cell))
        difference_quotients(
            self.cell, self.loss, self.weights, series, scratch, self.start(),
            self.inputs[before:], self.targets[before:], step, result,
        )  # fmt: skip
        return result

    def automatic(self) -> tuple[float, Array, Array]:
        """Loss and gradients of the independent implementation below, by autograd."""
        before = len(self.inputs) - self.truncation
        start = reference_run(self.cell, self.parameters, np.zeros(state_size(self.cell)), self.inputs[:before])[1]

        def total(parameters: Any, inputs: Any) -> Any:
            outputs, _ = reference_run(self.cell, parameters, start, inputs)
            return sum(reference_loss(self.loss, y, t) for y, t in zip(outputs, self.targets[before:], strict=True))

        inputs = self.inputs[before:]
        return (
            float(total(self.parameters, inputs)),
            autograd.grad(total, 0)(self.parameters, inputs),
            autograd.grad(total, 1)(self.parameters, inputs),
        )


# --- the independent implementation ---------------------------------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + anp.exp(-x))


def _take(parameters: Any, *shapes: tuple[int, ...]) -> list[Any]:
    parts, at = [], 0
    for shape in shapes:
        size = math.prod(shape)
        parts.append(anp.reshape(parameters[at : at + size], shape))
        at += size
    return parts


def has_reference(cell: Any) -> bool:
    """Whether `reference_step` has the equations of the cell."""
    if isinstance(cell, Network):
        return has_reference(cell.body)
    return all(map(has_reference, cell.layers)) if isinstance(cell, Stack) else isinstance(cell, GRU | LSTM | LRU | MLP)


def reference_step(cell: Any, w: Any, s: Any, x: Any) -> tuple[Any, Any]:
    """(output, next state) of one step, written from the equations in the cells' docstrings."""
    if isinstance(cell, Network):
        split = parameter_count(cell.body)
        y, s = reference_step(cell.body, w[:split], s, x)
        return reference_step(cell.head, w[split:], s[:0], y)[0], s
    if isinstance(cell, Stack):
        states, at, used = [], 0, 0
        for layer in cell.layers:
            size, count = state_size(layer), parameter_count(layer)
            x, after = reference_step(layer, w[used : used + count], s[at : at + size], x)
            states.append(after)
            at, used = at + size, used + count
        return x, anp.concatenate(states)
    if isinstance(cell, Dense):
        V, c = _take(w, (cell.output_size, cell.input_size), (cell.output_size,))
        return anp.dot(V, x) + c, s
    if isinstance(cell, GRU):
        I, H = cell
        W, U, b = _take(w, (I, 3 * H), (H, 3 * H), (4 * H,))
        xn, xr, xz = (anp.dot(x, W)[k * H : (k + 1) * H] for k in range(3))
        hr, hz, hq = (anp.dot(s, U)[k * H : (k + 1) * H] for k in range(3))
        bn, br, bz, bq = (b[k * H : (k + 1) * H] for k in range(4))
        r, z = _sigmoid(xr + hr + br), _sigmoid(xz + hz + bz)
        n = anp.tanh(xn + bn + r * (hq + bq))
        h = (1 - z) * n + z * s
        return h, h
    if isinstance(cell, LSTM):
        I, H = cell
        W, b = _take(w, (I + H, 4 * H), (4 * H,))
        i, f, o, g = (v for v in anp.split(anp.dot(anp.concatenate([x, s[:H]]), W) + b, 4))
        c = _sigmoid(f) * s[H:] + _sigmoid(i) * anp.tanh(g)
        h = _sigmoid(o) * anp.tanh(c)
        return h, anp.concatenate([h, c])
    if isinstance(cell, LRU):
        I, N = cell
        B, nu, tau, C, c = _take(w, (I, 2 * N), (N,), (N,), (I + 2 * N, 2 * N), (2 * N,))
        m, phi = _sigmoid(nu), 2.0 * anp.arctan(tau)
        gamma = anp.sqrt(1 - m * m + EPSILON)
        v = anp.dot(x, B)
        re = m * anp.cos(phi) * s[:N] - m * anp.sin(phi) * s[N:] + gamma * v[:N]
        im = m * anp.cos(phi) * s[N:] + m * anp.sin(phi) * s[:N] + gamma * v[N:]
        ag = anp.dot(anp.concatenate([x, re, im]), C) + c
        return anp.tanh(ag[:N]) * _sigmoid(ag[N:]), anp.concatenate([re, im])
    assert isinstance(cell, MLP)
    phi_of = {TANH: anp.tanh, RELU: lambda v: anp.maximum(v, 0.0)}.get(cell.activation, _sigmoid)
    a, used = anp.concatenate([x, s]), 0
    widths = [*cell.widths, *([cell.output_size] if cell.feedback == OUTPUT else [])]
    for l, width in enumerate(widths):
        W, b = _take(w[used:], (len(a), width), (width,))
        used += (len(a) + 1) * width
        a = anp.dot(a, W) + b
        a = phi_of(a) if l < len(cell.widths) else a
    return a, (s if cell.feedback == NONE else a)


def reference_run(cell: Any, w: Any, s: Any, inputs: Any) -> tuple[list[Any], Any]:
    outputs = []
    for x in inputs:
        y, s = reference_step(cell, w, s, x)
        outputs.append(y)
    return outputs, s


def reference_loss(loss: Loss, p: Any, y: Any) -> Any:
    if loss.kind == CROSS_ENTROPY:
        top = anp.max(p)
        return anp.log(anp.sum(anp.exp(p - top))) + top - p[int(y[0])]
    e = p - y
    if loss.delta == math.inf:
        return anp.sum(0.5 * e * e)
    inside = anp.abs(e) <= loss.delta
    return anp.sum(anp.where(inside, 0.5 * e * e, loss.delta * (anp.abs(e) - 0.5 * loss.delta)))
