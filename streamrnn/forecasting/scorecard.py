"""Prequential scores: every event is forecast before it is seen, so the running stream is the test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamrnn.forecasting.answers import Answers
from streamrnn.records.events import Decoded, Float64

_SUMS = (
    "scored", "absolute_error", "persistence_error", "squared_error", "persistence_squared_error", "inside",
)  # fmt: skip


@dataclass
class Scorecard:
    """Running one-step scores per target, over all series.

    `mae` and `skill` are the median's, `mse_skill` is the mean's. Skill is 1 - error / error of persistence (the last
    value): 0 is as good as doing nothing, 1 is perfect.
    """

    names: Sequence[str]
    events: int = 0
    dead_letters: int = 0
    anomalies: int = 0
    feedback: Counter[str] = field(default_factory=Counter)
    scored: Float64 = field(init=False)
    absolute_error: Float64 = field(init=False)
    persistence_error: Float64 = field(init=False)
    squared_error: Float64 = field(init=False)
    persistence_squared_error: Float64 = field(init=False)
    inside: Float64 = field(init=False)

    def __post_init__(self) -> None:
        for name in _SUMS:
            setattr(self, name, np.zeros(len(self.names)))

    def add(self, decoded: Decoded, answers: Answers, dead_letters: int) -> None:
        """Count one processed batch."""
        on_time = ~answers.late
        self.events += int(on_time.sum())
        self.dead_letters += dead_letters
        self.feedback.update(told.verdict for told in decoded.heard)
        self.anomalies += int(answers.opened[on_time].sum())
        observed = answers.seen(decoded.targets)[on_time]
        expected, previous = answers.expected[on_time], answers.previous[on_time]
        known = ~(np.isnan(observed) | np.isnan(expected) | np.isnan(previous))
        self.scored += known.sum(axis=0)
        median = answers.expected_median[on_time]
        self.absolute_error += np.where(known, np.abs(observed - median), 0.0).sum(axis=0)
        self.persistence_error += np.where(known, np.abs(observed - previous), 0.0).sum(axis=0)
        self.squared_error += (np.where(known, observed - expected, 0.0) ** 2).sum(axis=0)
        self.persistence_squared_error += (np.where(known, observed - previous, 0.0) ** 2).sum(axis=0)
        within = known & (observed >= answers.lower[on_time, 0]) & (observed <= answers.upper[on_time, 0])
        self.inside += within.sum(axis=0)

    @property
    def mae(self) -> Float64:
        """Mean absolute error of the one-step median, `(targets,)`."""
        return self.absolute_error / np.maximum(self.scored, 1)

    @property
    def skill(self) -> Float64:
        """1 - MAE / MAE of persistence, `(targets,)`."""
        return 1 - self.absolute_error / np.maximum(self.persistence_error, 1e-300)

    @property
    def mse_skill(self) -> Float64:
        """1 - MSE of the one-step mean / MSE of persistence, `(targets,)`."""
        return 1 - self.squared_error / np.maximum(self.persistence_squared_error, 1e-300)

    @property
    def coverage(self) -> Float64:
        """Share of values inside the first interval, `(targets,)`."""
        return self.inside / np.maximum(self.scored, 1)
