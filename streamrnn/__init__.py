"""A stream processor that learns while it runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamrnn.estimators.anomalies import RNNAnomalyDetector
    from streamrnn.estimators.classification import MLPClassifier, RNNClassifier
    from streamrnn.estimators.forecasting import RNNForecaster
    from streamrnn.estimators.regression import (
        MLPMultiTargetRegressor,
        MLPRegressor,
        RNNMultiTargetRegressor,
        RNNRegressor,
    )

__version__ = "0.1.0"

__all__ = [
    "MLPClassifier",
    "MLPMultiTargetRegressor",
    "MLPRegressor",
    "RNNAnomalyDetector",
    "RNNClassifier",
    "RNNForecaster",
    "RNNMultiTargetRegressor",
    "RNNRegressor",
]

_HOMES = {
    "anomalies": ("RNNAnomalyDetector",),
    "classification": ("MLPClassifier", "RNNClassifier"),
    "forecasting": ("RNNForecaster",),
    "regression": ("MLPMultiTargetRegressor", "MLPRegressor", "RNNMultiTargetRegressor", "RNNRegressor"),
}


def __getattr__(name: str) -> Any:
    """The estimators, imported when they are first asked for: the commands must not wait for river and numba."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"streamrnn.estimators.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
