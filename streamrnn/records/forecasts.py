"""The contract of the output: the JSON record of each answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import orjson
from pydantic import BaseModel, Field

from streamrnn.records.events import Decoded, Float64
from streamrnn.records.flat import flat
from streamrnn.records.log import Message, Partition, headers_of
from streamrnn.records.step_times import step_times, steps_of_one
from streamrnn.records.templates import (
    DUE,
    EXTRA,
    KEY,
    NUMBER,
    OFFSET,
    TIME,
    Contents,
    Extras,
    Template,
    fill,
    fill_one,
)

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

    score: float | None = Field(ge=0, le=1, description="null: the event is in a range of event.ignore")
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
    columns_only: bool = False,
) -> list[Message]:
    """The output records of a batch, one per event that was not late, in order.

    `names` are those of the targets, `channels` those of the anomaly channels (`explain` publishes all of them),
    `levels` those of the intervals; with more than one, every interval is published under its level.
    """
    horizon = answers.forecast.shape[1]
    several = tuple(levels) if len(levels) > 1 else ()
    template = _template(partition, tuple(names), tuple(channels) if explain else (), several, horizon)
    if len(decoded.keys) == 1 and horizon * len(names) < _FEW_STEPS:
        if answers.late[0]:
            return []
        return [_encode_one(template, names, channels, decoded, answers, len(several), explain, columns_only)]
    due = step_times(decoded.times, answers.interval, horizon)
    values = fill(
        template,
        Contents(
            decoded.keys,
            decoded.times,
            np.array([record.offset for record in decoded.records], np.int64),
            due if len(names) == 1 else np.tile(due, len(names)),
            _numbers(decoded, answers, len(several), explain and bool(channels)),
            _extras(names, channels, answers),
            answers.late,
        ),
    )
    if columns_only:
        values = [orjson.dumps(flat(orjson.loads(value))) for value in values]
    keys, records, times = decoded.keys, decoded.records, decoded.times
    if answers.late.any():
        heard = (~answers.late).nonzero()[0]
        keys, records, times = [keys[i] for i in heard.tolist()], [records[i] for i in heard.tolist()], times[heard]
    assert len(keys) == len(values)
    about = [key.encode() for key in keys], values, map(headers_of, records), (times // 1000).tolist()
    return list(map(_MESSAGE, zip(*about, strict=True)))


_MESSAGE = partial(tuple.__new__, Message)
"""A message of its fields, in a third of the time: no code of Python is called for it."""

_FEW_STEPS = 50
_BOUNDS = (NUMBER, NUMBER)


def _encode_one(
    template: Template, names: Sequence[str], channels: Sequence[str], decoded: Decoded, answers: Answers, levels: int,
    explain: bool, columns_only: bool,
) -> Message:  # fmt: skip
    """The record of one event, by lists: each of the dozen steps by arrays takes longer than all of it."""
    time, record, key = decoded.times.item(0), decoded.records[0], decoded.keys[0]
    due = steps_of_one(time, answers.interval.item(0), answers.forecast.shape[1]) * len(names)
    numbers = _numbers_of_one(decoded, answers, levels, explain and bool(channels))
    warns = answers.warning.item(0)
    quiet = warns != warns and not answers.is_anomaly.item(0) and True not in answers.drift[0].tolist()
    extras = _usual(len(names)) if quiet else _extras(names, channels, answers)
    value = fill_one(template, key, time, record.offset, due, numbers, extras)
    if columns_only:
        value = orjson.dumps(flat(orjson.loads(value)))
    return Message(key.encode(), value, headers_of(record), time // 1000)


@lru_cache(64)
def _template(
    partition: Partition, names: Sequence[str], channels: Sequence[str], levels: Sequence[float], horizon: int
) -> Template:
    """Of one record; `channels` where they are explained, `levels` where they are published by name."""
    intervals = {"intervals": {str(level): _BOUNDS for level in levels}} if levels else {}
    step = {"time": DUE, "mean": NUMBER, "median": NUMBER, "lower": NUMBER, "upper": NUMBER, **intervals}
    target = {
        "observed": NUMBER,
        "expected": NUMBER,
        "expected_median": NUMBER,
        "lower": NUMBER,
        "upper": NUMBER,
        "forecast": [{"step": number + 1, **step} for number in range(horizon)],
        **intervals,
        EXTRA: None,  # drift
    }
    explained = {"strength": NUMBER, "channels": dict.fromkeys(channels, NUMBER)} if channels else {}
    return Template(
        {
            "key": KEY,
            "time": TIME,
            "source": {"topic": partition.topic, "partition": partition.number, "offset": OFFSET},
            "targets": dict.fromkeys(names, target),
            "anomaly": {"score": NUMBER, EXTRA: None, **explained},
            EXTRA: None,  # warning
        }
    )


def _numbers(decoded: Decoded, answers: Answers, levels: int, explain: bool) -> Float64:
    """All numbers of the records in the order of the template, `(events, numbers)`."""
    events, horizon, targets = answers.forecast.shape
    every = [part[:, level] for level in range(levels) for part in (answers.lower, answers.upper)]
    now = [decoded.targets, answers.expected, answers.expected_median, answers.lower[:, 0], answers.upper[:, 0]]
    ahead = [
        answers.forecast, answers.forecast_median, answers.forecast_lower[:, 0], answers.forecast_upper[:, 0],
        *(part[:, level] for level in range(levels) for part in (answers.forecast_lower, answers.forecast_upper)),
    ]  # fmt: skip
    once = _once(answers, explain)
    first, last = len(now), len(now) + horizon * len(ahead)  # of what comes per step
    width = last + len(every)
    numbers = np.empty((events, targets * width + len(once)))
    own = numbers[:, : targets * width].reshape(events, targets, width)
    steps = own[:, :, first:last].reshape(events, targets, horizon, len(ahead))
    for column, part in [*enumerate(now), *enumerate(every, last)]:
        own[:, :, column] = part
    for column, part in enumerate(ahead):
        steps[..., column] = part.swapaxes(1, 2)
    for column, part in enumerate(once, targets * width):
        numbers[:, column] = part
    return numbers


def _numbers_of_one(decoded: Decoded, answers: Answers, levels: int, explain: bool) -> list[float]:
    """As `_numbers`, of a batch of one event."""
    lower, upper = answers.lower[0].tolist(), answers.upper[0].tolist()
    ahead = answers.forecast[0].tolist(), answers.forecast_median[0].tolist()
    below, above = answers.forecast_lower[0].tolist(), answers.forecast_upper[0].tolist()
    numbers: list[float] = []
    now = decoded.targets[0].tolist(), answers.expected[0].tolist(), answers.expected_median[0].tolist()
    for target, own in enumerate(zip(*now, lower[0], upper[0], strict=True)):
        numbers += own
        for step, (means, medians) in enumerate(zip(*ahead, strict=True)):
            numbers += (means[target], medians[target], below[0][step][target], above[0][step][target])
            for level in range(levels):
                numbers += (below[level][step][target], above[level][step][target])
        for level in range(levels):
            numbers += (lower[level][target], upper[level][target])
    return [*numbers, *(float(part[0]) for part in _once(answers, explain))]


def _once(answers: Answers, explain: bool) -> list[Float64]:
    """The numbers that a record has once, behind those of the targets, `(events,)` each."""
    once = [answers.score]
    if explain:
        once += [answers.strength, *answers.channels.T]
    return once


_QUIET = b',"is_anomaly":false'


def _extras(names: Sequence[str], channels: Sequence[str], answers: Answers) -> Extras:
    """What only some records have: per event the drift of each target, the alarm, the early warning."""
    slots = len(names) + 2
    texts: dict[int, bytes] = {}
    for event, target in zip(*(index.tolist() for index in answers.drift.nonzero()), strict=True):
        texts[event * slots + target] = b',"drift":true'
    for event in answers.is_anomaly.nonzero()[0].tolist():
        driver, channel = int(answers.driver[event]), int(answers.channel[event])
        texts[event * slots + len(names)] = _fields(
            {
                "is_anomaly": True,
                "alert": int(answers.alert[event]),
                "target": names[driver] if driver >= 0 else None,
                "channel": channels[channel] if channel >= 0 else None,
            }
        )
    said = answers.warning[:, 0]
    for event in (said == said).nonzero()[0].tolist():  # not NaN
        probability, lead, driver, warns = answers.warning[event].tolist()
        warning = {
            "probability": probability,
            "steps": answers.warning_steps[event].tolist(),
            "lead": lead,
            "target": names[int(driver)] if driver >= 0 else None,
            "is_warning": warns > 0,
        }
        texts[event * slots + slots - 1] = _fields({"warning": warning})
    return Extras(_usual(len(names)).usual, texts)


@lru_cache
def _usual(targets: int) -> Extras:
    """Of an event of which there is nothing to say."""
    return Extras([*[b""] * targets, _QUIET, b""], {})


def _fields(document: dict[str, Any]) -> bytes:
    """Further fields of an object that has some."""
    return b"," + orjson.dumps(document)[1:-1]
