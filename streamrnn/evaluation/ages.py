"""Scores by the age of the series: how good forecasts are while little is known, and later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from streamrnn.evaluation.scores import IntervalScores, PointScores, Settled
from streamrnn.records.events import Float64

AGES: Final = ((1, 20), (21, 50), (51, 200), (201, 1000), (1001, None))
"""Events of the series, from and to, when a forecast was made; the last has no end."""


@dataclass
class AgeScores:
    """As `scores.py` has them, with one row per entry of `AGES` where those have one per step; all steps are pooled."""

    points: PointScores
    persistence: PointScores
    intervals: IntervalScores

    @classmethod
    def empty(cls, targets: int, levels: int, rows: int = len(AGES)) -> Self:
        """Nothing scored yet."""
        return cls(
            PointScores.empty(rows, targets),
            PointScores.empty(rows, targets),
            IntervalScores.empty(rows, targets, levels),
        )

    def add(self, before: int, levels: Float64, settled: Settled) -> None:
        """Count a block of events; `before` of the series came before it. Forecasts are mean, median, lower, upper."""
        count, horizon, _ = settled.known.shape
        age = before + np.arange(count)[:, None] - np.arange(horizon)  # when each forecast was made
        mean, median, low, high = settled.forecasts
        for row, (first, last) in enumerate(AGES):
            of_age = (age >= first) & (age <= (last or age.max(initial=0)))
            rows = of_age.any(axis=1)
            if not rows.any():
                continue
            known = settled.known[rows] & of_age[rows, :, None]
            observed = settled.observed[rows]
            steps = AgeScores.empty(known.shape[2], len(levels), horizon)
            steps.points.add(observed, mean[rows], known, median[rows])
            steps.persistence.add(observed, settled.persistence[rows], known)
            steps.intervals.add(levels, observed[..., None], low[rows], high[rows], known[..., None])
            for sums, found in zip(self._parts(), steps._parts(), strict=True):
                for name, array in vars(found).items():
                    getattr(sums, name)[row] += array.sum(axis=0)

    def __iadd__(self, other: Self) -> Self:
        self.points += other.points
        self.persistence += other.persistence
        self.intervals += other.intervals
        return self

    def _parts(self) -> tuple[PointScores, PointScores, IntervalScores]:
        return self.points, self.persistence, self.intervals


def age_name(row: int) -> str:
    """Of an entry of `AGES`.

    >>> age_name(0), age_name(4)
    ('1-20', '1001+')
    """
    first, last = AGES[row]
    return f"{first}+" if last is None else f"{first}-{last}"
