"""The settings that regressors and classifiers share, under the names river's users pass them by.

River copies an estimator by the parameters of its `__init__`, each kept as an attribute of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from streamrnn.estimators.network import FEED_FORWARD, Plan, make_plan

if TYPE_CHECKING:
    import pandas as pd


class _OnNetwork:
    learning_rate: float
    _network: Any  # makes of a plan the network that regressors or classifiers want
    _net: Any

    @property
    def _mutable_attributes(self) -> set[str]:
        return {"learning_rate"}


class RowByRow:
    """Mini-batches are learned one row after the other."""

    learn_one: Callable[[Mapping[Any, Any], Any], None]

    def learn_many(self, X: pd.DataFrame, y: pd.Series) -> None:
        """Learn row after row, as `learn_one` does."""
        for row, value in zip(X.to_dict("records"), y.tolist(), strict=True):
            self.learn_one(row, value)


class Recurrent(_OnNetwork):
    """An estimator whose events follow one another: a hidden state is carried from one to the next."""

    def __init__(
        self,
        cell: str = "gru",
        hidden_size: int = 32,
        layers: int = 1,
        truncation_length: int = 16,
        update_every: int = 1,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        max_features: int = 256,
        seed: int = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.truncation_length = truncation_length
        self.update_every = update_every
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_features = max_features
        self.seed = seed
        plan = Plan(
            cell, (hidden_size,) * layers, "tanh", truncation_length, update_every, optimizer, learning_rate,
            max_features, seed,
        )  # fmt: skip
        self._net = self._network(make_plan(plan))

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {}
        yield {"cell": "lstm", "layers": 2, "hidden_size": 8, "truncation_length": 4}

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of the hidden state: `learn_one` moves it on, `predict_one` does not."""
        state: NDArray[Any] = self._net.hidden_state
        return state

    def start_sequence(self) -> None:
        """Begin a new sequence: forget the hidden state, keep what was learned."""
        self._net.forget_sequence()


class FeedForward(_OnNetwork):
    """An estimator none of whose events knows of another."""

    def __init__(
        self,
        hidden_sizes: tuple[int, ...] = (32, 32),
        activation: str = "relu",
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        max_features: int = 256,
        seed: int = 0,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_features = max_features
        self.seed = seed
        plan = Plan(
            FEED_FORWARD, tuple(hidden_sizes), activation, 1, 1, optimizer, learning_rate, max_features, seed
        )  # fmt: skip
        self._net = self._network(make_plan(plan))

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {}
        yield {"hidden_sizes": (8,), "activation": "tanh", "optimizer": "sgd", "max_features": 8}
