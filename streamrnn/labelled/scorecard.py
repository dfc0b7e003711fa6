"""Running scores of labelled streams: every prediction was made before its label was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamrnn.labelled.answers import Predictions
from streamrnn.records.events import Decoded
from streamrnn.records.outcomes import PREDICTED, REFUSED, TOO_LATE, UNKNOWN


@dataclass
class LabelScorecard:
    """Sums over all series; `name` is that of the label."""

    name: str
    events: int = 0
    predictions: int = 0
    dead_letters: int = 0
    late: int = 0
    unknown: int = 0
    scored: int = 0
    correct: int = 0
    error: float = 0.0
    classifies: bool = False

    def add(self, decoded: Decoded, answers: Predictions, dead_letters: int) -> None:
        """Count one processed batch."""
        taken = ~answers.late & (answers.outcome < REFUSED)
        known = np.isfinite(answers.error)
        self.events += int(taken.sum())
        self.predictions += int((taken & (answers.outcome == PREDICTED)).sum())
        self.dead_letters += dead_letters
        self.late += int((answers.outcome == TOO_LATE).sum())
        self.unknown += int((answers.outcome == UNKNOWN).sum())
        self.scored += int(known.sum())
        self.error += float(answers.error[known].sum())
        self.classifies |= answers.predicted.shape[1] > 1
        self.correct += int(answers.correct.sum())

    @property
    def accuracy(self) -> float:
        """Share of the labels that had been predicted."""
        return self.correct / max(self.scored, 1)

    @property
    def mean_error(self) -> float:
        """Mean absolute error, or mean log loss."""
        return self.error / max(self.scored, 1)
