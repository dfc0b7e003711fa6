"""What the forecaster says about itself, for people who watch: whom it trusts, and how its learning goes.

Plain numpy on the arrays: microseconds per series, or one pass over a column for the counters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.experts import registry
from streamrnn.forecasting.forecaster import ForecasterSeries, ForecasterShared
from streamrnn.forecasting.presets import ForecasterConfig
from streamrnn.learning.optimizers import SKIPPED, UPDATES

Float64 = NDArray[np.float64]


def expert_names(config: ForecasterConfig) -> tuple[str, ...]:
    """Names of the experts of the next step, in the order of their weights."""
    return registry.expert_names(config.recurrent.networks, config.autoregression.lags > 0)


def expert_weights(config: ForecasterConfig, series: ForecasterSeries, row: int) -> Float64:
    """Their weights in the mean of the next step to about .2 %, `(targets, experts)`; zeros before the first forecast.

    The last one, zero, is the median's alone.
    """
    weights: Float64 = series.bytes[row, :, config.at.shown : config.at.bytes].astype(np.float64)
    total: Float64 = np.maximum(weights.sum(axis=-1, keepdims=True), 1.0)
    return np.divide(weights, total)


def statistics(shared: ForecasterShared, series: ForecasterSeries) -> dict[str, int]:
    """Cumulative counters: `updates`, `updates_skipped`."""
    weights = series.recurrent.weights or shared.recurrent.weights
    counters = weights.counters.sum(axis=(0, 1))
    return {
        "updates": int(counters[UPDATES]),
        "updates_skipped": int(counters[SKIPPED]),
    }
