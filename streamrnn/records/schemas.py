"""JSON Schema of each contract, for `streamrnn schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from streamrnn.config.tree import Config
from streamrnn.records.alerts import AlertRecord
from streamrnn.records.dead_letters import DeadLetterRecord
from streamrnn.records.event_schema import Key, event_schema
from streamrnn.records.feedback import feedback_schema
from streamrnn.records.forecasts import ForecastRecord
from streamrnn.records.labelled_events import labelled_schema
from streamrnn.records.latest import LatestRecord, SeriesList
from streamrnn.records.predictions import output_schema


def schemas() -> dict[str, Callable[[Config], str]]:
    """JSON Schema of each contract, by name."""

    def dump(schema: dict[str, Any]) -> str:
        return json.dumps(schema, indent=2)

    return {
        "event": lambda config: dump(_event(config).json_schema()),
        "forecast": lambda _: dump(ForecastRecord.model_json_schema()),
        "prediction": lambda _: dump(output_schema()),
        "alert": lambda _: dump(AlertRecord.model_json_schema()),
        "feedback": lambda config: dump(feedback_schema(config.event.key, Key).json_schema()),
        "latest": lambda _: dump(LatestRecord.model_json_schema()),
        "series": lambda _: dump(SeriesList.model_json_schema()),
        "dead-letter": lambda _: dump(DeadLetterRecord.model_json_schema()),
    }


def answer_schema(config: Config) -> str:
    """JSON Schema of what is written for each event."""
    return schemas()["prediction" if config.labelled else "forecast"](config)


def _event(config: Config) -> TypeAdapter[Any]:
    return labelled_schema(config) if config.labelled else event_schema(config.event, config.model.horizon)
