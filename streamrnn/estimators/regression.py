"""Networks that predict numbers from features, behind river's `Regressor` and `MultiTargetRegressor`.

    y = W [1 z] + network(z, hidden state)

in deviations of the target; z are the features in deviations, and with `feedback` also the targets of the event before
(Jordan 1986). The line learns by recursive least squares, the network what the line leaves over (`labelled/linear.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from river import base

from streamrnn.estimators.network import Plan, TargetNetwork
from streamrnn.estimators.parameters import FeedForward, Recurrent, RowByRow

if TYPE_CHECKING:
    import pandas as pd


class _OnTargets:
    learning_rate: float
    feedback = False  # a feed-forward network sees no target of the event before
    _net: TargetNetwork

    def _network(self, plan: Plan) -> TargetNetwork:
        return TargetNetwork(plan, feedback=self.feedback)


class _Regressor(_OnTargets, RowByRow, base.MiniBatchRegressor):
    """One target, whose name is of no interest."""

    def learn_one(self, x: Mapping[Any, Any], y: float) -> None:
        """Learn from the features `x` and the target `y`; a target that is None or NaN teaches nothing."""
        self._net.learn(x, {"y": y}, self.learning_rate)

    def predict_one(self, x: Mapping[Any, Any]) -> float:
        """Predict the target of the features `x`; 0 before anything was learned."""
        predicted = self._net.predict(x)
        return float(predicted[0]) if predicted.size else 0.0

    def predict_many(self, X: pd.DataFrame) -> pd.Series:
        """Predict every row from where the model is now: no row follows another."""
        import pandas as pd

        return pd.Series([self.predict_one(row) for row in X.to_dict("records")], index=X.index, dtype=float)


class _MultiTargetRegressor(_OnTargets, base.MultiTargetRegressor):
    """Several targets at once."""

    def learn_one(self, x: Mapping[Any, Any], y: Mapping[Any, float], **_: Any) -> None:
        """Learn from the features `x` and the targets `y`; targets may be missing, and new ones may come."""
        self._net.learn(x, y, self.learning_rate)

    def predict_one(self, x: Mapping[Any, Any]) -> dict[Any, float]:
        """Predict every target seen so far."""
        return dict(zip(self._net.targets, self._net.predict(x).tolist(), strict=True))


class _RecurrentWithFeedback(Recurrent):
    def __init__(
        self,
        cell: str = "gru",
        hidden_size: int = 32,
        layers: int = 1,
        truncation_length: int = 16,
        update_every: int = 1,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        feedback: bool = True,
        max_features: int = 256,
        seed: int = 0,
    ) -> None:
        self.feedback = feedback
        super().__init__(
            cell, hidden_size, layers, truncation_length, update_every, optimizer, learning_rate, max_features, seed
        )

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        first, second = super()._unit_test_params()
        yield first
        yield {**second, "feedback": False}


class RNNRegressor(_RecurrentWithFeedback, _Regressor):
    """Recurrent network for regression: a hidden state is carried from event to event.

    `learn_one` moves the state on, `predict_one` looks ahead from it and changes nothing.

    Parameters
    ----------
    cell
        `gru`, `lstm`, `lru`, `elman` or `jordan`.
    hidden_size
        Hidden units of each layer.
    layers
        Cells on top of each other.
    truncation_length
        Events that an error flows back through.
    update_every
        Events between two updates of the network.
    optimizer
        `adam`, `rmsprop` or `sgd`.
    learning_rate
        Of the optimizer; may be changed by `mutate`.
    feedback
        Whether the target of the event before is one of the inputs.
    max_features
        Columns for features, at most; beyond, they are shared by hashing.
    seed
        Draws the network's first weights.

    Examples
    --------
    >>> model = RNNRegressor()
    >>> for t in range(500):
    ...     model.learn_one({"x": float(t % 2)}, float(t % 4 > 1))
    >>> [round(model.predict_one({"x": 0.0})), round(model.predict_one({"x": 0.0}))]
    [0, 0]

    """


class MLPRegressor(FeedForward, _Regressor):
    """Feed-forward network for regression; no event knows of another.

    Parameters
    ----------
    hidden_sizes
        Hidden units of each layer.
    activation
        `relu`, `tanh` or `sigmoid`.
    optimizer
        `adam`, `rmsprop` or `sgd`.
    learning_rate
        Of the optimizer; may be changed by `mutate`.
    max_features
        Columns for features, at most; beyond, they are shared by hashing.
    seed
        Draws the network's first weights.

    Examples
    --------
    >>> model = MLPRegressor()
    >>> for t in range(1000):
    ...     a, b = t % 2, t // 2 % 2
    ...     model.learn_one({"a": a, "b": b}, a ^ b)
    >>> round(model.predict_one({"a": 1, "b": 0})), round(model.predict_one({"a": 1, "b": 1}))
    (1, 0)

    """


class RNNMultiTargetRegressor(_RecurrentWithFeedback, _MultiTargetRegressor):
    """Recurrent network for several targets at once; parameters as `RNNRegressor`.

    Examples
    --------
    >>> model = RNNMultiTargetRegressor(hidden_size=8)
    >>> for t in range(50):
    ...     model.learn_one({"x": t % 5}, {"double": 2 * (t % 5), "less": -(t % 5)})
    >>> {name: round(value) for name, value in model.predict_one({"x": 3}).items()}
    {'double': 6, 'less': -3}

    """


class MLPMultiTargetRegressor(FeedForward, _MultiTargetRegressor):
    """Feed-forward network for several targets at once; parameters as `MLPRegressor`.

    Examples
    --------
    >>> model = MLPMultiTargetRegressor()
    >>> for t in range(50):
    ...     model.learn_one({"x": t % 5}, {"double": 2 * (t % 5), "less": -(t % 5)})
    >>> {name: round(value) for name, value in model.predict_one({"x": 3}).items()}
    {'double': 6, 'less': -3}

    """
