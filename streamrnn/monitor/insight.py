"""What a model says about itself, beyond its answers: expert weights of one series, counters of its learning.

Called on the worker's thread between two batches (the arrays change while a batch runs), so everything here costs
microseconds, and what a model does not offer is simply not shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamrnn.events import Float64
from streamrnn.model import PartitionModel
from streamrnn.online import forecaster


def expert_names(model: PartitionModel) -> tuple[str, ...]:
    """Names of the mixture's experts, in the order of their weights; empty if there is no mixture."""
    named: Any = getattr(forecaster, "expert_names", None)
    if named is not None:
        return tuple(named(model._config.forecaster))
    experts = int(getattr(model._config.forecaster, "experts", 0))
    networks = int(getattr(model._config.forecaster, "networks", 1))
    names = ["last value", *(f"network {n + 1}" if networks > 1 else "network" for n in range(networks))]
    if getattr(model._config.forecaster, "linear_size", 0):
        names.append("linear")
    return tuple([*names, *(f"expert {n + 1}" for n in range(len(names), experts))][:experts])


def expert_weights(model: PartitionModel, key: str) -> Float64 | None:
    """Weights of the one-step mixture of a series, `(targets, experts)`; None if it has no row or no mixture."""
    row = model.series.row_of(key)
    if row is None:
        return None
    series = model.series.arrays.forecaster
    read: Any = getattr(forecaster, "expert_weights", None)
    if read is not None:
        return np.array(read(model._config.forecaster, series, row), np.float64)
    mixing: Any = getattr(series, "mixing", None)
    experts = int(getattr(model._config.forecaster, "experts", 0))
    if mixing is None or not experts or mixing.shape[-1] < 4 * experts:
        return None
    weights: Float64 = mixing[row, :, 0, 3 * experts : 4 * experts].copy()
    return weights


def statistics(model: PartitionModel) -> dict[str, int]:
    """Cumulative counters: `updates`, `updates_skipped`, `drift_alarms`, as far as the model keeps them."""
    offered: Any = getattr(model, "statistics", None)
    if offered is not None:
        return dict(offered())
    step: Any = getattr(model.shared.forecaster, "step", None)
    return {} if step is None else {"updates": int(step.sum())}
