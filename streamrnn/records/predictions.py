"""The contract of the output of labelled streams: predictions, and what labels said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel, Field, TypeAdapter

from streamrnn.records.events import Decoded, Float64, format_times
from streamrnn.records.forecasts import Source
from streamrnn.records.log import Message, Partition, headers_of
from streamrnn.records.outcomes import JOINED, PREDICTED, REFUSED, TOO_LATE, UNKNOWN

if TYPE_CHECKING:
    from streamrnn.labelled.answers import Predictions


class Score(BaseModel):
    """How good a prediction was, held against its label."""

    absolute_error: float | None = Field(None, description="regression")
    correct: bool | None = Field(None, description="classification: the class predicted is the one that came")
    log_loss: float | None = Field(
        None, description="classification: -log of the probability of the class that came, at most 20.7"
    )


class PredictionRecord(BaseModel):
    """The answer to features, published at once."""

    kind: Literal["prediction"]
    key: str
    time: datetime
    source: Source
    id: str | None = Field(None, description="under which the label may come later")
    prediction: float | str | None = Field(description="number or class; null before the first label was learned from")
    probabilities: dict[str, float] | None = Field(None, description="classification: of every class known so far")
    label: float | str | None = Field(None, description="where it came with the features: it was learned from after")
    score: Score | None = Field(None, description="where the label came with the features")


class LabelRecord(BaseModel):
    """The answer to a label that came without features."""

    kind: Literal["label"]
    key: str
    time: datetime
    source: Source
    id: str
    status: Literal["joined", "late", "unknown"] = Field(
        description="joined: scored and learned from; late: after labels.label_ttl, neither; unknown: no prediction of "
        "the series waits under this id (never made, labelled already, or expired)"
    )
    label: float | str
    prediction: float | str | None = Field(description="what had been predicted; null where unknown")
    predicted_at: datetime | None = Field(description="event time of that prediction; null where unknown")
    score: Score | None = Field(description="null unless joined, or where nothing had been predicted")


def output_schema() -> dict[str, Any]:
    """JSON Schema of an output record of a labelled stream."""
    either: TypeAdapter[Any] = TypeAdapter(PredictionRecord | LabelRecord)
    return either.json_schema()


_STATUS = {JOINED: "joined", TOO_LATE: "late", UNKNOWN: "unknown"}


def encode(
    partition: Partition, classes: Sequence[str] | None, decoded: Decoded, answers: Predictions
) -> list[Message]:
    """The output records of a batch, one per event that was taken in, in order; `classes` are the names of the classes
    known after it, None for regression.
    """
    labels = decoded.labels
    assert labels is not None
    topic, number = partition
    dumps = orjson.dumps
    messages = []
    columns = zip(
        decoded.keys,
        format_times(decoded.times),
        decoded.records,
        labels.names,
        _labels(labels.classes if classes is not None else None, decoded.targets[:, 0]),
        answers.outcome.tolist(),
        _predicted(classes, answers.predicted),
        format_times(answers.predicted_at),
        answers.correct.tolist(),
        answers.error.tolist(),
        answers.late.tolist(),
        (decoded.times // 1000).tolist(),
        strict=True,
    )
    for (
        key, time, record, name, label, outcome, (prediction, probabilities), made_at, right, error, late, stamp
    ) in columns:  # fmt: skip
        if late or outcome >= REFUSED:
            continue
        document: dict[str, Any] = {
            "kind": "prediction" if outcome == PREDICTED else "label",
            "key": key,
            "time": time,
            "source": {"topic": topic, "partition": number, "offset": record.offset},
        }
        if name is not None:
            document["id"] = name
        score: dict[str, Any] | None = None
        if error == error:  # not NaN
            score = {"absolute_error": error}
            if classes is not None:
                score = {"correct": right, "log_loss": error}
        if outcome == PREDICTED:
            document["prediction"] = prediction
            if classes is not None:
                document["probabilities"] = probabilities
            if label is not None:
                document |= {"label": label, "score": score}
        else:
            document |= {
                "status": _STATUS[outcome],
                "label": label,
                "prediction": prediction,
                "predicted_at": None if outcome == UNKNOWN else made_at,
                "score": score,
            }
        messages.append(Message(key.encode(), dumps(document), headers_of(record), stamp))
    return messages


def _labels(classes: Sequence[str] | None, targets: Float64) -> list[Any]:
    """The label of every event as it is published, None where there is none."""
    values = [None if value != value else value for value in targets.tolist()]
    return values if classes is None else [None if value is None else classes[int(value)] for value in values]


def _predicted(classes: Sequence[str] | None, predicted: Float64) -> list[tuple[Any, dict[str, float]]]:
    """Prediction, and the probabilities of the classes."""
    if classes is None:
        return [(None if value != value else value, {}) for (value,) in predicted.tolist()]
    known = (~np.isnan(predicted)).sum(axis=1).tolist()
    best = np.nan_to_num(predicted, nan=-1.0).argmax(axis=1).tolist()
    return [
        (classes[top] if count else None, dict(zip(classes[:count], row, strict=False)))
        for row, count, top in zip(predicted.tolist(), known, best, strict=True)
    ]
