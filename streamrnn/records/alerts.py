"""The contract of the alerts: one record where an alert or an early warning begins, and one where it is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel, Field

from streamrnn.records.alert_words import rule_of, sentence
from streamrnn.records.events import Decoded, format_times
from streamrnn.records.forecasts import Source
from streamrnn.records.log import Message, Partition, headers_of

if TYPE_CHECKING:
    from streamrnn.forecasting.answers import Answers

KINDS: tuple[Literal["anomaly", "warning"], ...] = ("anomaly", "warning")
"""Names of the kinds of episodes, whose changes are the first rows of `Answers.changes` (`anomaly/episodes.py`)."""
_ANOMALY, _WARNING, _REPLACED = range(3)
_ORDER = np.array([_REPLACED, _ANOMALY, _WARNING])
"""Of the changes of one event: what is open is closed before another opens."""


class AlertRecord(BaseModel):
    """One change: `alert` of a series and `kind` was opened or closed by the event at `source`."""

    key: str
    time: datetime = Field(description="of the event that opened or closed it")
    source: Source
    kind: Literal["anomaly", "warning"] = Field(description="warning: a limit will probably be crossed")
    state: Literal["opened", "closed"]
    alert: int = Field(ge=1, description="counts the series' alerts of this kind; anomaly: `alert` of the forecasts")
    since: datetime = Field(description="time of the event that opened it")
    target: str | None = Field(description="the target that drove it when it opened")
    channel: str | None = Field(None, description="the strongest channel when it opened (anomaly)")
    score: float | None = Field(None, ge=0, le=1, description="of this event (anomaly)")
    strength: float | None = Field(None, ge=0, description="of this event: what alerts are decided by (anomaly)")
    direction: Literal["high", "low", "shape"] | None = Field(
        None,
        description="side on which the value lies; shape: it varies more than usual; null: neither (anomaly)",
    )
    size: float | None = Field(
        None, description="opened: the value less what its channel expected; closed: the largest such since (anomaly)"
    )
    size_in_errors: float | None = Field(
        None, description="size over the usual error of the forecast; null while none is known (opened anomaly)"
    )
    observed: float | None = Field(None, description="the target's value (opened anomaly)")
    expected: float | None = Field(None, description="what its channel held the value against (opened anomaly)")
    lower: float | None = Field(None, description="about nine in ten values lie above or at it, and below or at upper")
    upper: float | None = None
    recent: list[float | None] | None = Field(
        None, description="the target's last values, its own at the end; null where one was missing (opened anomaly)"
    )
    rule: str | None = Field(None, description="what the channel looks for, in words (opened anomaly)")
    text: str | None = Field(None, description="the alert in a sentence (opened anomaly)")
    replaces: int | None = Field(
        None,
        description="the alert that was open and is closed by the same event, which goes beyond it (opened anomaly)",
    )
    replaced_by: int | None = Field(None, description="the alert that goes on in its place (closed anomaly)")
    probability: float | None = Field(None, ge=0, le=1, description="of a crossing, at this event (warning)")
    lead: float | None = Field(None, description="steps until the crossing, as far as one is expected (warning)")


def encode_alerts(
    partition: Partition, names: Sequence[str], channels: Sequence[str], decoded: Decoded, answers: Answers
) -> list[Message]:
    """The alert records of a batch, in the order of its events; for `names` and `channels` see `alert_documents`."""
    messages = []
    for i, document in alert_documents(names, channels, decoded, answers):
        record, key, stamp = decoded.records[i], decoded.keys[i].encode(), int(decoded.times[i]) // 1000
        document["source"] = {"topic": partition.topic, "partition": partition.number, "offset": record.offset}
        messages.append(Message(key, orjson.dumps(document), headers_of(record), stamp))
    return messages


def alert_documents(
    names: Sequence[str], channels: Sequence[str], decoded: Decoded, answers: Answers
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of the event in its batch, and what an `AlertRecord` says, its `source` None; in the events' order.

    `names` are those of the targets, `channels` those of the anomaly channels.
    """
    events, rows = answers.changes[:, _ORDER, 0].nonzero()
    times = format_times(decoded.times[events])
    rows = _ORDER[rows]
    changes = answers.changes[events, rows]
    since = format_times(changes[:, 1])
    for i, row, time, (number, _, target, channel), began in zip(
        events.tolist(), rows.tolist(), times, changes.tolist(), since, strict=True
    ):
        kind = _ANOMALY if row == _REPLACED else row
        document: dict[str, Any] = {
            "key": decoded.keys[i],
            "time": time,
            "source": None,
            "kind": KINDS[kind],
            "state": "opened" if number > 0 else "closed",
            "alert": abs(number),
            "since": began,
            "target": names[target] if target >= 0 else None,
        }
        if KINDS[kind] == "anomaly":
            document["channel"] = channels[channel] if channel >= 0 else None
            document["score"], document["strength"] = float(answers.score[i]), float(answers.strength[i])
            size = float(answers.told(i).replaced if row == _REPLACED else answers.deviation[i])
            document |= _size(size, document["channel"])
            if row == _REPLACED:
                document["replaced_by"] = -number + 1
            elif number > 0:
                document |= _told(decoded, answers, i, names, document["channel"])
                if answers.changes[i, _REPLACED, 0] < 0:
                    document["replaces"] = number - 1
                    document["text"] += f"; this goes beyond alert {number - 1}, which was open"
        else:
            probability, lead, _, _ = answers.warning[i].tolist()
            document["probability"], document["lead"] = probability, None if np.isnan(lead) else lead
        yield i, document


def _size(size: float, channel: str | None) -> dict[str, Any]:
    """Direction and size: where an alert opens that of its channel, where it closes the largest since."""
    direction = "shape" if channel == "spread" else "high" if size > 0.0 else "low" if size < 0.0 else None
    return {"direction": None if np.isnan(size) else direction, "size": _number(size)}


def _told(decoded: Decoded, answers: Answers, i: int, names: Sequence[str], channel: str | None) -> dict[str, Any]:
    """What an alert says when it opens."""
    target, told = max(int(answers.driver[i]), 0), answers.told(i)
    observed = float(decoded.targets[i, target])
    return {
        "size_in_errors": _number(told.errors),
        "observed": _number(observed),
        "expected": _number(told.expected),
        "lower": _number(told.lower),
        "upper": _number(told.upper),
        "recent": [_number(value) for value in told.recent],
        "rule": rule_of(channel or "", told),
        "text": sentence(names[target], channel or "", observed, float(answers.deviation[i]), told),
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
