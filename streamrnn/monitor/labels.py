"""Labelled streams as the page shows them: what came beside what had been predicted, in the form of forecasts.

    regression       observed: the label; expected: what had been predicted for it
    classification   observed: the probability that the class that came had been given

Only labels that met a prediction are points of the chart; every series is in the list.
"""

from __future__ import annotations

import numpy as np

from streamrnn.config import Config
from streamrnn.events import Decoded, Float64, targets_of
from streamrnn.fold import KINDS
from streamrnn.forecasts import Answers
from streamrnn.labelled.records import Predictions
from streamrnn.online.anomaly import CHANNELS
from streamrnn.online.episodes import CHANGES
from streamrnn.online.warning import OUTCOMES


def shown(config: Config) -> tuple[str, ...]:
    """The names of what the page shows per series."""
    if not config.labelled:
        return targets_of(config.event)
    label = config.event.label
    return (label if config.task == "regression" else f"probability of {label}",)


def as_forecasts(decoded: Decoded, predictions: Predictions) -> tuple[Float64, Answers]:
    """The observed values (events, 1), and the predictions as if they were forecasts of them."""
    count = len(decoded.keys)
    if predictions.said.shape[1] == 1:
        observed, expected = decoded.targets[:, 0], predictions.said[:, 0]
    else:
        observed, expected = np.exp(-predictions.error), np.full(count, np.nan)
    unknown = np.full((count, 1, 1), np.nan)
    return observed[:, None], Answers(
        previous=np.full((count, 1), np.nan),
        expected=expected[:, None],
        lower=unknown,
        upper=unknown,
        forecast=unknown,
        forecast_lower=unknown[..., None],
        forecast_upper=unknown[..., None],
        score=np.zeros(count),
        is_anomaly=np.zeros(count, np.bool_),
        alert=np.zeros(count, np.int64),
        driver=np.full(count, -1),
        channel=np.full(count, -1, np.int8),
        late=np.isnan(predictions.error),
        drift=np.zeros((count, 1), np.bool_),
        strength=np.zeros(count),
        channels=np.zeros((count, CHANNELS)),
        warning=np.full((count, OUTCOMES), np.nan),
        warning_steps=unknown[:, 0],
        changes=np.zeros((count, KINDS, CHANGES), np.int64),
    )
