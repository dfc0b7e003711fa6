"""The cells by the names that configuration and estimators use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
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


def build_cell(name: str, inputs: int, hidden: Sequence[int]) -> Any:
    """One cell for every hidden size, each fed by the one before.

    >>> build_cell("gru", 3, (8, 4))
    Stack(layers=(GRU(input_size=3, hidden_size=8), GRU(input_size=8, hidden_size=4)))
    """
    layers = tuple(CELLS[name](below, above) for below, above in pairwise((inputs, *hidden)))
    return layers[0] if len(layers) == 1 else Stack(layers)
