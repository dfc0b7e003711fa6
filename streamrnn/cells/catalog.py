"""The cells by the names that configuration and estimators use.

The configuration reads the names, so nothing here loads a kernel before a cell is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

CELLS: Final[dict[str, str]] = {
    "gru": "gru.GRU",
    "lstm": "lstm.LSTM",
    "lru": "lru.LRU",
    "elman": "mlp.elman",
    "jordan": "mlp.jordan",
    "mlp": "mlp.feed_forward",
}
"""Name -> module of this package, and what makes the cell there of (input size, hidden size)."""


def maker(name: str) -> Callable[[int, int], Any]:
    """What makes a cell of (input size, hidden size).

    >>> maker("gru")(3, 8)
    GRU(input_size=3, hidden_size=8)
    """
    module, _, made = CELLS[name].partition(".")
    found: Callable[[int, int], Any] = getattr(import_module(f"streamrnn.cells.{module}"), made)
    return found


def build_cell(name: str, inputs: int, hidden: Sequence[int]) -> Any:
    """One cell for every hidden size, each fed by the one before.

    >>> build_cell("gru", 3, (8, 4))
    Stack(layers=(GRU(input_size=3, hidden_size=8), GRU(input_size=8, hidden_size=4)))
    """
    from streamrnn.cells.stack import Stack

    layers = tuple(maker(name)(below, above) for below, above in pairwise((inputs, *hidden)))
    return layers[0] if len(layers) == 1 else Stack(layers)
