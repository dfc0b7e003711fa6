"""The contract of the output: the JSON record of each answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import orjson
from pydantic import BaseModel, Field

from streamrnn.records.events import Decoded, format_times
from streamrnn.records.log import Message, Partition
from streamrnn.records.step_times import format_steps, step_times

if TYPE_CHECKING:
    from streamrnn.forecasting.answers import Answers

Intervals: TypeAlias = dict[str, tuple[float | None, float | None]]
"""[lower, upper] by level, such as "0.9"."""


class StepForecast(BaseModel):
    """The forecast of one coming event of the series; null while the series never had a value."""

    step: int = Field(ge=1, description="1 is the next event")
    time: datetime | None = Field(description="when it is due by the series' usual interval; null while none is known")
    mean: float | None = Field(description="conditional mean: the forecast to judge by squared error")
    median: float | None = Field(description="conditional median: the forecast to judge by absolute error")
    lower: float | None
    upper: float | None
    intervals: Intervals | None = Field(None, description="one per level, where several are configured")


class TargetForecast(BaseModel):
    """One target: what was seen, what had been forecast for it, and what comes next."""

    observed: float | None
    expected: float | None = Field(description="mean forecast for this event before it was seen; null for the first")
    expected_median: float | None = Field(description="median forecast for it before it was seen")
    lower: float | None
    upper: float | None
    intervals: Intervals | None = Field(None, description="one per level, where several are configured")
    drift: bool = Field(False, description="the errors have risen: a change of regime was noticed (only when true)")
    forecast: list[StepForecast]


class Source(BaseModel):
    """Where the event was read."""

    topic: str
    partition: int
    offset: int


class Anomaly(BaseModel):
    """How surprising the event was."""

    score: float = Field(ge=0, le=1)
    is_anomaly: bool
    alert: int | None = Field(None, description="events of one alert of a series share its number (anomalies only)")
    target: str | None = Field(None, description="the target that drove the score (anomalies only)")
    channel: str | None = Field(None, description="the strongest of the channels that decide (anomalies only)")
    strength: float | None = Field(None, ge=0, description="what alerts are decided by (with anomaly.explain)")
    channels: dict[str, float] | None = Field(
        None, description="-log10 of the probability that each channel gives the event (with anomaly.explain)"
    )


class EarlyWarning(BaseModel):
    """Whether a limit will be crossed within the horizon."""

    probability: float = Field(ge=0, le=1, description="that some target crosses a limit within the horizon")
    steps: list[float] = Field(description="that some target is beyond a limit at each step")
    lead: float | None = Field(description="steps until the crossing, as far as one is expected")
    target: str | None = Field(description="the target most likely to cross")
    is_warning: bool = Field(description="the probability has reached anomaly.warn_at, and no limit is crossed yet")


class ForecastRecord(BaseModel):
    """One output record: the answer to one input event."""

    key: str
    time: datetime
    source: Source
    targets: dict[str, TargetForecast]
    anomaly: Anomaly
    warning: EarlyWarning | None = Field(None, description="with anomaly.limits or anomaly.warn_at")


def encode(
    partition: Partition,
    names: Sequence[str],
    channels: Sequence[str],
    decoded: Decoded,
    answers: Answers,
    *,
    levels: Sequence[float] = (),
    explain: bool = False,
) -> list[Message]:
    """The output records of a batch, one per event that was not late, in order.

    `names` are those of the targets, `channels` those of the anomaly channels (`explain` publishes all of them),
    `levels` those of the intervals; with more than one, every interval is published under its level.
    """
    topic, number = partition
    horizon = answers.forecast.shape[1]
    steps = range(1, horizon + 1)
    dumps = orjson.dumps
    messages = []
    columns = zip(
        decoded.keys,
        format_times(decoded.times),
        decoded.records,
        decoded.targets.tolist(),
        answers.expected.tolist(),
        answers.expected_median.tolist(),
        answers.lower[:, 0].tolist(),
        answers.upper[:, 0].tolist(),
        format_steps(step_times(decoded.times, answers.interval, horizon)),
        answers.forecast.transpose(0, 2, 1).tolist(),
        answers.forecast_median.transpose(0, 2, 1).tolist(),
        answers.forecast_lower[:, 0].transpose(0, 2, 1).tolist(),
        answers.forecast_upper[:, 0].transpose(0, 2, 1).tolist(),
        answers.score.tolist(),
        _alarms(names, channels, answers, explain),
        _warnings(names, answers),
        answers.late.tolist(),
        answers.drift.tolist(),
        range(len(answers.late)),
        strict=True,
    )
    for (
        key, time, record, observed, expected, middle, lower, upper, due, means, medians, lows, highs, score, alarm,
        warning, late, drift, i,
    ) in columns:  # fmt: skip
        if late:
            continue
        targets: dict[str, Any] = {
            name: {
                "observed": observed[k],
                "expected": expected[k],
                "expected_median": middle[k],
                "lower": lower[k],
                "upper": upper[k],
                "forecast": [
                    {"step": step, "time": at, "mean": mean, "median": median, "lower": low, "upper": high}
                    for step, at, mean, median, low, high in zip(
                        steps, due, means[k], medians[k], lows[k], highs[k], strict=True
                    )
                ],
            }
            for k, name in enumerate(names)
        }
        if len(levels) > 1:
            _add_intervals(targets, levels, answers, i)
        if True in drift:
            for name in compress(names, drift):
                targets[name]["drift"] = True
        document = {
            "key": key,
            "time": time,
            "source": {"topic": topic, "partition": number, "offset": record.offset},
            "targets": targets,
            "anomaly": {"score": score, **alarm},
            **warning,
        }
        messages.append(Message(key.encode(), dumps(document)))
    return messages


def _add_intervals(targets: dict[str, Any], levels: Sequence[float], answers: Answers, event: int) -> None:
    """Write the interval of every level into the targets of one record."""
    texts = [str(level) for level in levels]
    bounds = np.stack([answers.lower[event], answers.upper[event]], axis=-1)  # (levels, targets, 2)
    ahead = np.stack([answers.forecast_lower[event], answers.forecast_upper[event]], axis=-1)
    for k, target in enumerate(targets.values()):
        target["intervals"] = dict(zip(texts, bounds[:, k].tolist(), strict=True))
        for j, step in enumerate(target["forecast"]):
            step["intervals"] = dict(zip(texts, ahead[:, j, k].tolist(), strict=True))


def _alarms(names: Sequence[str], channels: Sequence[str], answers: Answers, explain: bool) -> list[dict[str, Any]]:
    quiet: dict[str, Any] = {"is_anomaly": False}
    alarms = [quiet] * len(answers.score)
    for i in answers.is_anomaly.nonzero()[0].tolist():
        driver, channel = int(answers.driver[i]), int(answers.channel[i])
        alarms[i] = {
            "is_anomaly": True,
            "alert": int(answers.alert[i]),
            "target": names[driver] if driver >= 0 else None,
            "channel": channels[channel] if channel >= 0 else None,
        }
    if explain:
        said = zip(answers.strength.tolist(), answers.channels.tolist(), strict=True)
        return [
            {**alarm, "strength": strength, "channels": dict(zip(channels, decades, strict=True))}
            for alarm, (strength, decades) in zip(alarms, said, strict=True)
        ]
    return alarms


def _warnings(names: Sequence[str], answers: Answers) -> list[dict[str, Any]]:
    """The early warning's part of each record, empty where it is off."""
    off: dict[str, Any] = {}
    parts = [off] * len(answers.warning)
    steps, outcomes = answers.warning_steps.tolist(), answers.warning.tolist()
    for i in np.flatnonzero(~np.isnan(answers.warning[:, 0])).tolist():
        probability, lead, driver, warns = outcomes[i]
        parts[i] = {
            "warning": {
                "probability": probability,
                "steps": steps[i],
                "lead": lead,
                "target": names[int(driver)] if driver >= 0 else None,
                "is_warning": warns > 0,
            }
        }
    return parts
