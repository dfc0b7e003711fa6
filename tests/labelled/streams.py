"""Labelled streams to test with: labels at once, later, too late, never, twice, of nobody; and what is no event."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.log import Record
from tests.streams import PARTITION, START, run

CLASSES = ("up", "down", "sideways", "ντάξει")
TTL = 3600  # seconds
POISON = (
    b"not json",
    b"[]",
    None,
    b'{"time": 0}',
    b'{"time": 0, "a": "text"}',
    b'{"time": 0, "a": 1e400}',
    b'{"time": 0, "a": 1, "label": [1]}',
    b'{"time": 0, "label": 1}',
)


def configured(task: str = "classification", **overrides: Any) -> Config:
    """A small model; `model__seed=3` sets `model.seed`."""
    small: dict[str, object] = {
        "task": task,
        "event.features": ["a", "b"],
        "model.hidden_size": 4,
        "model.truncation_length": 3,
        "labels.pending": 8,
        "labels.label_ttl": TTL,
    }
    return load(None, small | {name.replace("__", "."): value for name, value in overrides.items()}, {})


def record(offset: int, event: dict[str, Any] | bytes | None) -> Record:
    return MemoryRecord(offset, None, None, orjson.dumps(event) if isinstance(event, dict) else event)


def records(*events: dict[str, Any] | bytes | None) -> list[Record]:
    return [record(offset, event) for offset, event in enumerate(events)]


def answers(config: Config, *events: dict[str, Any] | bytes | None) -> list[dict[str, Any]]:
    """The output records of these events."""
    return [orjson.loads(message.value or b"") for message in run(config, records(*events)).outputs]


def stream(config: Config, count: int, series: int = 5, seed: int = 0) -> list[Record]:
    """Events of several series in random turns; the label is the sign, or the size, of a step's two features."""
    random = np.random.Generator(np.random.Philox(key=seed))
    classifies = config.task == "classification"
    steps = dict.fromkeys(range(series), 0)
    waiting: list[tuple[int, dict[str, Any]]] = []
    events: list[dict[str, Any] | bytes | None] = []
    while len(events) < count:
        number = int(random.integers(series))
        steps[number] += 1
        step = steps[number] - (int(random.integers(2, 6)) if random.random() < 0.1 else 0)
        a, b = random.normal(size=2).tolist()
        name = CLASSES[min(int(random.integers(1 + len(events) // 60)), 1) + 2 * (b > 1) + (a > 0 and b <= 1)]
        label: str | float = name if classifies else 3 * a - math.copysign(b, a)
        event: dict[str, Any] = {"key": f"series {number} π", "time": START + step * 600_000, "a": a, "b": b}
        kind = random.random()
        if kind > 0.1:
            event["id"] = f"{number}/{step} ñ" if kind > 0.2 else int(random.integers(4))
        if kind < 0.4:
            event["label"] = label
        elif kind < 0.9:
            later = {
                "key": event["key"],
                "time": event["time"] + (99 * TTL * 1000 if kind > 0.8 else 5),
                "label": label,
            }
            waiting.append((len(events) + int(random.integers(1, 60)), later | {"id": event.get("id", "nobody")}))
        if random.random() < 0.1:
            event["a"] = None
        events.append(event)
        if random.random() < 0.05:
            events.append(POISON[int(random.integers(len(POISON)))])
        events += [late for due, late in waiting if due <= len(events)]
        waiting = [one for one in waiting if one[0] > len(events)]
    return records(*events[:count])


__all__ = ["CLASSES", "PARTITION", "START", "answers", "configured", "record", "records", "stream"]
