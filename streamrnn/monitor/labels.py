"""Labelled streams as the page shows them: what came beside what had been predicted, in the form of forecasts.

    regression       observed: the label; expected: what had been predicted for it
    classification   observed: the probability that the class that came had been given

Only labels that met a prediction are points of the chart; every series is in the list.
"""

from __future__ import annotations

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.forecasting.answers import Answers, blank_answers
from streamrnn.labelled.answers import Predictions
from streamrnn.records.events import Decoded, Float64, targets_of


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
    answers = blank_answers(count, levels=1, horizon=1, targets=1)
    expected = expected[:, None]
    return observed[:, None], answers._replace(
        expected=expected, expected_median=expected, late=np.isnan(predictions.error)
    )
