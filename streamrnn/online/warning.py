"""Early warning: the probability that declared limits, or the usual range, will be crossed.

STAGE A: final signatures, uncalibrated probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.compiled import kernel

Array = npt.NDArray[np.float64]

# Entries of the `outcome` array that `observe` writes, after the per-step probabilities.
PROBABILITY, LEAD_STEPS, DRIVER, WARN = 0, 1, 2, 3
OUTCOMES = 4


class WarningConfig(NamedTuple):
    """Sizes and rates of the early warning."""

    targets: int
    horizon: int
    levels: int
    warn_at: float = 0.5


class WarningSeries(NamedTuple):
    """Early-warning state, one row per series; an all-zero row is a new series."""

    events: npt.NDArray[np.int64]  # (rows,)


def allocate(config: WarningConfig, rows: int) -> WarningSeries:
    """State of `rows` new series."""
    return WarningSeries(events=np.zeros(rows, np.int64))


def limit_table(limits: Sequence[tuple[float | None, float | None]]) -> Array:
    """Declared `(lower, upper)` limits per target as the array that `observe` takes, `(2, targets)`; NaN: none."""
    return np.array(
        [[np.nan if bound is None else float(bound) for bound in side] for side in zip(*limits, strict=True)]
    )


@kernel
def observe(
    config: WarningConfig,
    levels: Array,
    limits: Array,
    series: WarningSeries,
    row: int,
    time_us: int,
    x: Array,
    forecast: Array,
    lower: Array,
    upper: Array,
    steps: Array,
    outcome: Array,
) -> float:
    """Probability that a limit is crossed, for the forecast written after seeing `x`.

    Args:
        config: sizes and rates.
        levels: `(2, levels)`, from `intervals.level_table`.
        limits: `(2, targets)`, from `limit_table`; NaN where undeclared. When no limit at all is declared, the usual
            range of the series stands in.
        series: the state; row `row` changes.
        row: which series.
        time_us: event time, microseconds since 1970.
        x: `(targets,)` observed values, NaN where missing.
        forecast: `(horizon, targets)`, the new forecast.
        lower: `(levels, horizon, targets)`, the new bounds.
        upper: `(levels, horizon, targets)`.
        steps: `(horizon,)`, written: probability that any target is beyond a limit at that step.
        outcome: `(OUTCOMES,)`, written: probability over the whole horizon, expected lead in steps until the first
            crossing given that there is one (NaN: none expected), index of the driving target (-1: none),
            1.0 when the probability is at least `warn_at`.

    Returns:
        The probability over the whole horizon.
    """
    widest = 0
    for level in range(config.levels):
        if levels[0, level] > levels[0, widest]:
            widest = level
    z = levels[1, widest] / sqrt(np.pi / 2)
    none = 1.0
    lead = 0.0
    best = 0.0
    driver = -1
    for step in range(config.horizon):
        keep = 1.0
        for target in range(config.targets):
            center = forecast[step, target]
            for side in range(2):
                limit = limits[side, target]
                if not abs(limit) <= 1e300:
                    continue
                width = upper[widest, step, target] - center if side == 1 else center - lower[widest, step, target]
                distance = (limit - center) if side == 1 else (center - limit)
                p = 0.5 * (1.0 - erf(distance / max(width / z, 1e-300) / sqrt(2.0)))
                keep *= 1.0 - p
                if p > best:
                    best = p
                    driver = target
        steps[step] = 1.0 - keep
        lead += none * (1.0 - keep) * (step + 1)
        none *= keep
    probability = 1.0 - none
    series.events[row] += 1
    outcome[PROBABILITY] = probability
    outcome[LEAD_STEPS] = lead / probability if probability > 0.0 else np.nan
    outcome[DRIVER] = float(driver)
    outcome[WARN] = 1.0 if probability >= config.warn_at else 0.0
    return probability
