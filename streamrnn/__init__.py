"""A stream processor that learns while it runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamrnn.errors import StreamRNNError

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
    from streamrnn.frames.front import detect, forecast
    from streamrnn.frames.model import StreamModel
    from streamrnn.runtime.step import step
    from streamrnn.runtime.stepper import Stepper

__version__ = "0.2.0"

__all__ = [
    "MLPClassifier",
    "MLPMultiTargetRegressor",
    "MLPRegressor",
    "RNNAnomalyDetector",
    "RNNClassifier",
    "RNNForecaster",
    "RNNMultiTargetRegressor",
    "RNNRegressor",
    "Stepper",
    "StreamModel",
    "StreamRNNError",
    "detect",
    "forecast",
    "step",
]

_HOMES = {
    "estimators.anomalies": ("RNNAnomalyDetector",),
    "estimators.classification": ("MLPClassifier", "RNNClassifier"),
    "estimators.forecasting": ("RNNForecaster",),
    "frames.front": ("detect", "forecast"),
    "frames.model": ("StreamModel",),
    "runtime.step": ("step",),
    "runtime.stepper": ("Stepper",),
    "estimators.regression": ("MLPMultiTargetRegressor", "MLPRegressor", "RNNMultiTargetRegressor", "RNNRegressor"),
}


def __getattr__(name: str) -> Any:
    """The library, imported when it is first asked for: the commands must not wait for river and numba."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"streamrnn.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
