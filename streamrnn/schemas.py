"""JSON Schema of each contract, for `streamrnn schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from streamrnn.config import EventConfig
from streamrnn.dead_letters import DeadLetterRecord
from streamrnn.events import event_schema
from streamrnn.forecasts import ForecastRecord


def schemas() -> dict[str, Callable[[EventConfig], str]]:
    """JSON Schema of each contract, by name."""

    def dump(schema: dict[str, Any]) -> str:
        return json.dumps(schema, indent=2)

    return {
        "event": lambda event: dump(event_schema(event).json_schema()),
        "forecast": lambda _: dump(ForecastRecord.model_json_schema()),
        "dead-letter": lambda _: dump(DeadLetterRecord.model_json_schema()),
    }
