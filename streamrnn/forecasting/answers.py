"""What the model answers to a batch of events, as arrays; `records/forecasts.py` turns them into bytes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alert_context
from streamrnn.anomaly.detector import CHANNELS
from streamrnn.anomaly.early_warning import OUTCOMES
from streamrnn.anomaly.episodes import ANOMALY, CHANGES, NUMBER, ROWS

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class Answers(NamedTuple):
    """What the model says to `events` events; see `model.PartitionModel.process`.

    `expected` and `forecast` are conditional means, `expected_median` and `forecast_median` conditional medians.
    Bounds come per interval level, in the order of `model.levels`; the first is what records show as lower and upper.
    """

    previous: Float64  # (events, targets) the last value seen before: what persistence would have forecast
    expected: Float64  # (events, targets)
    expected_median: Float64  # (events, targets)
    lower: Float64  # (events, levels, targets)
    upper: Float64  # (events, levels, targets)
    interval: Int64  # (events,) usual microseconds from one event of the series to the next, 0: not known yet
    forecast: Float64  # (events, horizon, targets)
    forecast_median: Float64  # (events, horizon, targets)
    forecast_lower: Float64  # (events, levels, horizon, targets)
    forecast_upper: Float64  # (events, levels, horizon, targets)
    score: Float64  # (events,) NaN: the event is to be ignored
    is_anomaly: npt.NDArray[np.bool_]  # (events,)
    alert: Int64  # (events,) number of the series' alert that the event belongs to, 0: none
    driver: Int64  # (events,) index of the target that drove the score, -1: none
    channel: npt.NDArray[np.int8]  # (events,) index of the strongest channel (`anomaly.CHANNEL_NAMES`), -1: none
    late: npt.NDArray[np.bool_]  # (events,) not processed: older than the series' newest event
    drift: npt.NDArray[np.bool_]  # (events, targets) the event raised a drift alarm
    strength: Float64  # (events,) what alerts are decided by
    deviation: Float64  # (events,) how far the driving target is off what its channel holds it against, NaN: no value
    context: Float64  # (events, alert_context.COLUMNS) where an alert opened: what it says of itself
    channels: Float64  # (events, anomaly channels) -log10 of the probability each gives the event
    warning: Float64  # (events, warning.OUTCOMES) NaN where early warning is off
    warning_steps: Float64  # (events, horizon) probability of being beyond a limit at each step
    changes: Int64  # (events, rows, 4) alerts and warnings that the event opened or closed (`anomaly/episodes.py`)

    def told(self, event: int) -> alert_context.AlertContext:
        """What the alert that an event opened says of itself."""
        return alert_context.read(self.context[event])

    def seen(self, observed: Float64) -> Float64:
        """`observed` `(events, targets)`, NaN where the event is to be ignored: what errors are counted on."""
        return np.where(np.isnan(self.score)[:, None], np.nan, observed)

    @property
    def opened(self) -> npt.NDArray[np.bool_]:
        """(events,) the event opened an alert."""
        return np.asarray(self.changes[:, ANOMALY, NUMBER] > 0)


def blank_answers(events: int, levels: int, horizon: int, targets: int) -> Answers:
    """Answers that say nothing, for the passes to write to."""

    def unknown(*shape: int) -> Float64:
        return np.full((events, *shape), np.nan)

    return Answers(
        previous=unknown(targets),
        expected=unknown(targets),
        expected_median=unknown(targets),
        lower=unknown(levels, targets),
        upper=unknown(levels, targets),
        interval=np.zeros(events, np.int64),
        forecast=unknown(horizon, targets),
        forecast_median=unknown(horizon, targets),
        forecast_lower=unknown(levels, horizon, targets),
        forecast_upper=unknown(levels, horizon, targets),
        score=np.zeros(events),
        is_anomaly=np.zeros(events, np.bool_),
        alert=np.zeros(events, np.int64),
        driver=np.full(events, -1),
        channel=np.full(events, -1, np.int8),
        late=np.zeros(events, np.bool_),
        drift=np.zeros((events, targets), np.bool_),
        strength=np.zeros(events),
        deviation=unknown(),
        context=unknown(alert_context.COLUMNS),
        channels=np.zeros((events, CHANNELS)),
        warning=unknown(OUTCOMES),
        warning_steps=unknown(horizon),
        changes=np.zeros((events, ROWS, CHANGES), np.int64),
    )
