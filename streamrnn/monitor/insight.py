"""What a model says about itself, beyond its answers: whom it trusts, and how its learning goes.

Called on the worker's thread between two batches (the arrays change while a batch runs), so everything here costs
microseconds per series or, once a second, one pass over a column.
"""

from __future__ import annotations

import numpy as np

from streamrnn.events import Float64
from streamrnn.learning.optimizers import SKIPPED, UPDATES
from streamrnn.model import PartitionModel
from streamrnn.online import drift, forecaster, mixing


def expert_names(model: PartitionModel) -> tuple[str, ...]:
    """Names of the experts of the next step's mixture, in the order of their weights."""
    return forecaster.expert_names(model._config.forecaster)


def expert_weights(model: PartitionModel, key: str) -> Float64 | None:
    """Weights of the experts in the next step's mixture, `(targets, experts)`, rows adding up to 1.

    What is published is this mixture, drawn towards the last value where that has been safer (`mixing.py`). None if
    the series is not in memory, or not every target has had a forecast that met its value.
    """
    row = model.series.row_of(key)
    if row is None:
        return None
    config = model._config.forecaster
    experts, start = config.step_experts, config.at.mixtures
    numbers = model.series.arrays.forecaster.numbers[row]
    if not (numbers[:, start + 4 * experts + mixing.SETTLED] > 0).all():
        return None
    weights: Float64 = numbers[:, start + 3 * experts : start + 4 * experts].copy()
    return weights


def statistics(model: PartitionModel) -> dict[str, int]:
    """Cumulative counters: `updates`, `updates_skipped`, `drift_alarms`."""
    config, series = model._config.forecaster, model.series.arrays.forecaster
    counters = [
        weights.counters.reshape(-1, weights.counters.shape[-1]).sum(axis=0)
        for weights in (model.shared.forecaster.recurrent.weights, series.recurrent.weights)
    ]
    updates = counters[0] + counters[1]
    return {
        "updates": int(updates[UPDATES]),
        "updates_skipped": int(updates[SKIPPED]),
        "drift_alarms": int(np.sum(series.numbers[:, :, config.at.drift + drift.ALARMS])),
    }
