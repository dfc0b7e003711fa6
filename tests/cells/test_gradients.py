"""Every cell, loss, depth and truncation: the way back is the derivative of the way forward."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from streamrnn.cells import catalog
from streamrnn.cells.catalog import maker
from streamrnn.cells.cell import output_size
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import LRU
from streamrnn.cells.lstm import LSTM
from streamrnn.cells.mlp import make_mlp
from streamrnn.cells.stack import Stack
from streamrnn.learning.losses import LOSSES, make_loss, predictions
from tests.cells.gradients import Case, has_reference

CELLS = {
    **{name: partial(maker(name), hidden_size=5) for name in catalog.CELLS},
    "elman": lambda inputs: make_mlp(inputs, (5, 4), feedback="hidden"),
    "elman_sigmoid": lambda inputs: make_mlp(inputs, (4, 6), feedback="hidden", activation="sigmoid"),
    "jordan": lambda inputs: make_mlp(inputs, (5, 4), feedback="output", output_size=2),
    "mlp": lambda inputs: make_mlp(inputs, (6, 4), feedback="none", activation="relu"),
}
"""Every cell of the catalog; a new one is found here by itself."""


def network(name: str, layers: int, loss: str, inputs: int = 3) -> Network:
    cells = [CELLS[name](inputs)]
    while len(cells) < layers:
        cells.append(CELLS[name](output_size(cells[-1])))
    body = cells[0] if layers == 1 else Stack(tuple(cells))
    return Network(body, Dense(output_size(body), predictions(loss_of(loss))))


def loss_of(name: str):
    return make_loss(name, targets=2 if name != "cross_entropy" else 1, classes=3)


def relative_error(a, b) -> float:
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_exact(name, layers, loss):
    for truncation in (1, 5, 9):
        case = Case(network(name, layers, loss), loss_of(loss), truncation)
        total, gradient, d_inputs = case.gradient()
        assert np.max(np.abs(gradient)) > 1e-3
        assert relative_error(gradient, case.finite_differences()) < 1e-6
        if not has_reference(case.cell):
            continue
        expected_total, expected, expected_inputs = case.automatic()
        assert total == pytest.approx(expected_total, rel=1e-12)
        assert relative_error(gradient, expected) < 1e-10
        assert relative_error(d_inputs, expected_inputs) < 1e-10


@pytest.mark.parametrize("name", ["elman", "gru", "lstm", "lru"])
def test_truncation_drops_what_lies_before_the_window(name):
    short = Case(network(name, 1, "squared"), loss_of("squared"), 1).gradient()[1]
    whole = Case(network(name, 1, "squared"), loss_of("squared"), 9).gradient()[1]
    assert relative_error(short, whole) > 1e-2


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("ring", [5, 6, 8, 20])
def test_gradient_does_not_depend_on_where_the_window_lies_on_the_ring(name, ring):
    case = Case(network(name, 1, "squared"), loss_of("squared"), 5)
    reference = case.gradient(ring=5)[1]
    assert relative_error(case.gradient(ring=ring)[1], reference) < 1e-14


@pytest.mark.parametrize("name", ["gru", "lstm", "lru", "elman"])
@pytest.mark.parametrize("size", [1, 7, 8, 16, 17, 40])
def test_gradient_at_sizes_that_do_not_fill_the_vectors(name, size):
    make = {"gru": GRU, "lstm": LSTM, "lru": LRU, "elman": lambda i, h: make_mlp(i, (h, h))}[name]
    body = Stack((make(size, size), make(size, size)))
    case = Case(Network(body, Dense(size, 2)), loss_of("squared"), 5)
    assert relative_error(case.gradient()[1], case.automatic()[1]) < 1e-10
