"""Networks that predict classes from features, behind river's `Classifier`.

    p = (1 - s) softmax(W [1 z]) + s softmax(network(z, hidden state))

z are the features in deviations; s follows how well line and network have predicted of late (`labelled/linear.py`). A
class that was never seen before gets an output of its own when it first comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from river import base

from streamrnn.estimators.network import ClassNetwork, Plan
from streamrnn.estimators.parameters import FeedForward, Recurrent, RowByRow

if TYPE_CHECKING:
    import pandas as pd


class _Classifier(RowByRow, base.MiniBatchClassifier):
    """Two classes or more."""

    learning_rate: float
    _net: ClassNetwork

    def _network(self, plan: Plan) -> ClassNetwork:
        return ClassNetwork(plan)

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Mapping[Any, Any], y: Any) -> None:
        """Learn from the features `x` and the class `y`; one that is None or NaN teaches nothing."""
        self._net.learn(x, y, self.learning_rate)

    def predict_proba_one(self, x: Mapping[Any, Any], **_: Any) -> dict[Any, float]:
        """The probability of every class seen so far; empty before the first."""
        return self._net.predict(x)

    def predict_proba_many(self, X: pd.DataFrame) -> pd.DataFrame:
        """The probabilities for every row from where the model is now: no row follows another."""
        import pandas as pd

        return pd.DataFrame([self.predict_proba_one(row) for row in X.to_dict("records")], index=X.index)


class RNNClassifier(Recurrent, _Classifier):
    """Recurrent network for classification: a hidden state is carried from event to event.

    `learn_one` moves the state on, `predict_one` and `predict_proba_one` look ahead from it and change nothing.

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
    max_features
        Columns for features, at most; beyond, they are shared by hashing.
    seed
        Draws the network's first weights.

    Examples
    --------
    >>> model = RNNClassifier(hidden_size=8)
    >>> for t in range(400):
    ...     model.learn_one({"time": 0.0}, "even" if t % 2 == 0 else "odd")
    >>> model.predict_one({"time": 0.0})
    'even'

    """


class MLPClassifier(FeedForward, _Classifier):
    """Feed-forward network for classification; no event knows of another.

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
    >>> model = MLPClassifier()
    >>> for t in range(1000):
    ...     a, b = t % 2, t // 2 % 2
    ...     model.learn_one({"a": a, "b": b}, bool(a ^ b))
    >>> model.predict_one({"a": 1, "b": 0}), model.predict_one({"a": 1, "b": 1})
    (True, False)

    """
