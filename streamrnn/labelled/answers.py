"""What the model of a labelled stream answers to a batch of events, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.records.outcomes import PREDICTED

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class Predictions(NamedTuple):
    """What the model answers to `events` events."""

    late: npt.NDArray[np.bool_]  # (events,) not processed: features older than the newest of the series
    outcome: npt.NDArray[np.int8]  # (events,) PREDICTED, JOINED, TOO_LATE, UNKNOWN, REFUSED or OVER_SHARE
    predicted: Float64
    """(events, outputs) The number, or the classes' probabilities, NaN beyond those known; of labels: what was then."""
    predicted_at: Int64  # (events,) of labels: time of the prediction, microseconds
    correct: npt.NDArray[np.bool_]  # (events,) the likeliest class is the one that came
    error: Float64  # (events,) absolute error or log loss, NaN where no label met a prediction


def blank_predictions(events: int, outputs: int) -> Predictions:
    """Room for the answers to so many events."""
    return Predictions(
        late=np.zeros(events, np.bool_),
        outcome=np.full(events, PREDICTED, np.int8),
        predicted=np.full((events, outputs), np.nan),
        predicted_at=np.zeros(events, np.int64),
        correct=np.zeros(events, np.bool_),
        error=np.full(events, np.nan),
    )
