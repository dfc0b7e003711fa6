"""The contract of the newest of a series: what a page answers to `GET /series/KEY`, and `streamrnn latest` prints.

The names are those of the output records (`forecasts.py`), and so are the values: the newest event as it was seen, what
had been forecast for it, and what comes next. An alert stands here as long as it is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from streamrnn.records.alerts import KINDS
from streamrnn.records.events import Float64, format_times
from streamrnn.records.forecasts import StepForecast
from streamrnn.records.log import Partition
from streamrnn.records.step_times import format_steps, step_times


class Origin(BaseModel):
    """Whose series it is: its key alone may occur in several partitions."""

    topic: str
    partition: int


class OpenAlert(BaseModel):
    """An alert or a warning that is open now."""

    kind: Literal["anomaly", "warning"]
    alert: int = Field(ge=1, description="its number, as in the alert records")
    since: datetime = Field(description="time of the event that opened it")
    target: str | None = Field(description="the target that drove it when it opened")
    channel: str | None = Field(description="the strongest channel when it opened (anomaly)")


class LatestTarget(BaseModel):
    """One target at the series' newest event."""

    observed: float | None = Field(description="of the newest event; null where it had none")
    expected: float | None = Field(description="mean forecast for that event before it was seen")
    expected_median: float | None
    lower: float | None
    upper: float | None
    forecast: list[StepForecast] = Field(
        description="the events to come; of a long horizon and many series a page remembers only the first steps, a "
        "state folder holds the first one"
    )
    experts: dict[str, float] | None = Field(
        description="weights of the experts in the mean of the next step, adding up to 1; null where they are not known"
    )


class LatestRecord(BaseModel):
    """The newest of one series."""

    key: str
    source: Origin
    time: datetime = Field(description="of the newest event")
    events: int = Field(ge=1, description="of the series, since whoever answers began to count")
    level: float = Field(description="coverage of lower and upper that was asked for")
    horizon: int = Field(description="steps that every event is answered with")
    targets: dict[str, LatestTarget]
    score: float | None = Field(description="of the newest event; null where it is not known, and within event.ignore")
    is_anomaly: bool | None
    alerts: list[OpenAlert] = Field(description="those that are open")


class SeriesLine(BaseModel):
    """One series of the list."""

    key: str
    source: Origin
    time: datetime
    events: int
    observed: dict[str, float | None] = Field(description="by target")
    score: float | None
    is_anomaly: bool
    alerts: list[OpenAlert]


class SeriesList(BaseModel):
    """What `GET /series` answers."""

    total: int = Field(description="series that are remembered")
    matching: int = Field(description="of those, whose key contains `search`")
    series: list[SeriesLine] = Field(description="by key, from `after` on, at most `limit`")
    next: str | None = Field(description="the `after` of the next part; null at the end")


class Opened(NamedTuple):
    """An open alert as the fold counts: indices, and microseconds since 1970."""

    kind: int
    alert: int
    since: int
    target: int  # -1: none
    channel: int  # -1: none


def open_alerts(opened: Sequence[Opened], names: Sequence[str], channels: Sequence[str]) -> list[dict[str, Any]]:
    """As they stand in a record; `names` are those of the targets."""
    since = format_times(np.array([one.since for one in opened], np.int64))
    return [
        {
            "kind": KINDS[one.kind],
            "alert": one.alert,
            "since": began,
            "target": names[one.target] if one.target >= 0 else None,
            "channel": channels[one.channel] if one.channel >= 0 else None,
        }
        for one, began in zip(opened, since, strict=True)
    ]


def origin(partition: Partition) -> dict[str, Any]:
    """See `Origin`."""
    return {"topic": partition.topic, "partition": partition.number}


def forecast_steps(time: int, interval: int, forecast: Float64) -> list[dict[str, Any]]:
    """The steps of one target: `forecast` is `(steps, 4)`, mean, lower, upper and median of each."""
    due = format_steps(step_times(np.array([time]), np.array([interval]), len(forecast)))[0]
    return [
        {"step": k + 1, "time": due[k], "mean": mean, "median": median, "lower": lower, "upper": upper}
        for k, (mean, lower, upper, median) in enumerate(map(numbers, forecast))
    ]


def numbers(values: Float64) -> list[float | None]:
    """As JSON has them: null for what is not known."""
    return [value if np.isfinite(value) else None for value in values.tolist()]
