"""The two questions that need one line: what comes next, and what was strange."""

from __future__ import annotations

from typing import Any

from streamrnn.frames.model import StreamModel


def forecast(frame: Any, horizon: int = 12, **settings: Any) -> Any:
    """Learn from the frame in one pass and forecast the `horizon` rows after the newest of every series.

    `settings` are those of `StreamModel`: `time`, `key`, `target`, `features`, `future`, `preset`, `levels`,
    `seasonality`.
    Returns what `StreamModel.forecast` returns. To go on with the next rows without learning the first again, keep a
    `StreamModel`.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=200, freq="h"), "y": [1.0, 5.0] * 100})
    >>> print(forecast(frame, horizon=2, preset="lite")["median"].round(1).tolist())
    [1.0, 5.0]
    """
    model = StreamModel(horizon, **settings)
    model.update(frame)
    return model.forecast()


def detect(frame: Any, **settings: Any) -> Any:
    """Go through the frame as a stream and say of every row how strange it was before it was learned.

    `settings` are those of `StreamModel`. Returns what `StreamModel.update` returns: among others `score` and
    `is_anomaly` for every row.
    """
    return StreamModel(**{"horizon": 1, **settings}).update(frame)
