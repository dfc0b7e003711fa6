"""The cells by the names a configuration uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import LRU
from streamrnn.cells.lstm import LSTM
from streamrnn.cells.mlp import make_mlp
from streamrnn.cells.stack import Stack


def _perceptron(feedback: str, inputs: int, hidden: int) -> Any:
    return make_mlp(inputs, (hidden,), feedback=feedback)


CELLS: Final[dict[str, Callable[[int, int], Any]]] = {
    "gru": GRU,
    "lstm": LSTM,
    "lru": LRU,
    "elman": partial(_perceptron, "hidden"),
    "jordan": partial(_perceptron, "output"),
    "mlp": partial(_perceptron, "none"),
}
"""Each is called with (input size, hidden size)."""


def build_cell(name: str, layers: int, inputs: int, hidden: int) -> Any:
    """`layers` cells of a kind on top of each other.

    >>> build_cell("gru", 2, 3, 8)
    Stack(layers=(GRU(input_size=3, hidden_size=8), GRU(input_size=8, hidden_size=8)))
    """
    make = CELLS[name]
    if layers == 1:
        return make(inputs, hidden)
    return Stack((make(inputs, hidden), *(make(hidden, hidden) for _ in range(layers - 1))))
