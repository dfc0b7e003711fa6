"""The two questions that need one line: what comes next, and what was strange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from streamrnn.frames.model import StreamModel
from streamrnn.frames.other_libraries import refuse_arguments


class Options(TypedDict, total=False):
    """Arguments of `StreamModel`, which says what they mean."""

    preset: str
    levels: float | Sequence[float]
    seasonality: str | float | Sequence[str | float]
    time: str | None
    key: str | Sequence[str] | None
    target: str | Sequence[str] | None
    features: str | Sequence[str]
    future: str | Sequence[str]
    settings: Mapping[str, object] | None


def forecast(frame: Any, horizon: int = 12, **options: Unpack[Options]) -> Any:
    """Learn from the frame in one pass and forecast the `horizon` rows after the newest of every series.

    `options` are those of `StreamModel`: `time`, `key`, `target`, `features`, `future`, `preset`, `levels`,
    `seasonality`, `settings`.
    Returns what `StreamModel.forecast` returns. To go on with the next rows without learning the first again, keep a
    `StreamModel`.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=200, freq="h"), "y": [1.0, 5.0] * 100})
    >>> print(forecast(frame, horizon=2, preset="lite")["median"].round(1).tolist())
    [1.0, 5.0]
    """
    model = _model("forecast", horizon, options)
    model.update(frame)
    return model.forecast()


def detect(frame: Any, horizon: int = 1, **options: Unpack[Options]) -> Any:
    """Go through the frame as a stream and say of every row how strange it was before it was learned.

    `options` are those of `StreamModel`. Returns what `StreamModel.update` returns: among others `score`, `is_anomaly`
    and `alert` for every row. `StreamModel.alerts` says why each alert opened.
    """
    return _model("detect", horizon, options).update(frame)


def _model(function: str, horizon: int, options: Options) -> StreamModel:
    known = Options.__annotations__
    refuse_arguments(function, set(options) - set(known), ["horizon", *known])
    return StreamModel(horizon, **options)
