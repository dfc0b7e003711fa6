"""Carrying the gradient forward gives what flowing back through the whole stream gives."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.cells.cell import parameter_count, step_size
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import LRU
from streamrnn.errors import ConfigurationError
from streamrnn.kernels.jit import kernel
from streamrnn.learning import rtrl, tbptt
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer


@kernel
def forward_gradient(cell, weights, series, traces, scratch, inputs, d_outputs):
    """The gradient of sum_t d_t . y_t with one pass forward."""
    for j in range(scratch.gradient.size):
        scratch.gradient[j] = 0.0
    for e in range(inputs.shape[0]):
        tbptt.step(cell, 1, weights, 0, series, 0, inputs[e], scratch.outputs)
        rtrl.carry_forward(cell, weights.parameters[0], series.tape[0], 0, traces)
        rtrl.gradient_now(
            cell, weights.parameters[0], series.tape[0], 0, traces, d_outputs[e], scratch.gradient, scratch.work
        )


@kernel
def backward_gradient(cell, weights, series, scratch, inputs, d_outputs):
    events = inputs.shape[0]
    for e in range(events):
        tbptt.step(cell, events, weights, 0, series, 0, inputs[e], scratch.outputs)
    for j in range(d_outputs.size):
        scratch.d_outputs[j] = d_outputs.flat[j]
    tbptt.flow_back(cell, events, weights, 0, series, 0, 0, events, scratch, False)


@pytest.mark.parametrize("cell", [LRU(3, 5), LRU(1, 8), LRU(2, 19), Network(LRU(3, 9), Dense(9, 2))])
def test_equals_full_back_propagation(cell):
    random = np.random.default_rng(0)
    events, count = 60, parameter_count(cell)
    weights = tbptt.new_weights(cell, 1, np.float64)
    weights.parameters[0, :count] = tbptt.initial_weights(cell, 1, np.float64) + 0.1 * random.normal(size=count)
    scratch = tbptt.new_scratch(cell, events, np.float64)
    inputs = random.normal(size=(events, scratch.inputs.size))
    d_outputs = random.normal(size=(events, scratch.outputs.size))
    series = tbptt.new_series(cell, 1, 1, np.float64)
    forward_gradient(cell, weights, series, np.zeros(rtrl.traces_size(cell)), scratch, inputs, d_outputs)
    carried = scratch.gradient.copy()
    backward_gradient(cell, weights, tbptt.new_series(cell, 1, events, np.float64), scratch, inputs, d_outputs)
    assert np.max(np.abs(carried - scratch.gradient)) / np.max(np.abs(carried)) < 1e-10
    assert series.tape.shape[1] == step_size(cell)


def recall_error(learning: str, truncation: int) -> float:
    """Recall of the input 20 steps ago: far outside a window of one."""
    random = np.random.default_rng(0)
    events, delay = 60_000, 20
    x = random.normal(size=events)
    y = np.full(events, np.nan)
    y[delay:] = x[:-delay]
    learner = Learner(
        Network(LRU(1, 16), Dense(16, 1)),
        make_settings(truncation_length=truncation, horizon=0, learning=learning),
        make_loss("squared"),
        make_optimizer("adam", 0.003, clip_norm=1.0),
    )
    _, losses = learner.learn_many(np.zeros(events, np.int64), x[:, None], y[:, None])
    return float(2 * losses[-10_000:].mean())


def test_learns_beyond_a_window():
    assert recall_error("rtrl", 1) < 0.8 * recall_error("tbptt", 1)


def test_is_refused_where_it_would_not_be_exact():
    with pytest.raises(ConfigurationError, match="single lru layer"):
        Learner(Network(GRU(1, 4), Dense(4, 1)), make_settings(learning="rtrl"), make_loss("squared"), make_optimizer())
    with pytest.raises(ConfigurationError, match="update_every"):
        make_settings(learning="rtrl", update_every=4)
