"""The settings that give stored state its meaning, and what a state that does not name one was made with.

A setting on this list shapes what is stored: a state made with another value is refused. A setting that is on no list
is free to change between two runs. To add one: one line here, its value the one that older states were made with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Settings = dict[str, Any]
"""Dotted names and their values, as JSON has them."""

FORECAST: Mapping[str, Any] = {
    "task": "forecast",
    "event.targets": ["value"],
    "event.features": [],
    "event.future": [],
    "event.time_zone": None,
    "partitions": 1,
    "model.preset": "standard",
    "model.horizon": 1,
    "model.levels": [0.9],
    "model.cell": "gru",
    "model.layers": 1,
    "model.hidden_size": None,
    "model.truncation_length": None,
    "model.weights": "partition",
    "model.seasonality": [],
    "model.seed": 0,
}
LABELLED: Mapping[str, Any] = {
    "task": "regression",
    "event.features": [],
    "model.cell": "gru",
    "model.layers": 1,
    "model.hidden_size": 32,
    "model.truncation_length": 16,
    "model.weights": "partition",
    "model.seed": 0,
    "labels.pending": 256,
    "labels.classes": [],
    "labels.max_classes": 16,
}
FREE = frozenset({"model.learning_rate", "model.gradient_clip", "model.update_every"})
"""Settings of the model that are free to change; a setting that no longer shapes the state moves here."""


def unknown(stored: Settings, present: Settings, known: Mapping[str, Any]) -> list[str]:
    """Names that only a newer streamrnn can have stored, of the same task."""
    if stored.get("task", present["task"]) != present["task"]:
        return []
    return [name for name in sorted({*stored} - FREE) if name not in known and name not in present]


def differences(stored: Settings, present: Settings, known: Mapping[str, Any]) -> list[str]:
    """What differs, as `name was ..., is ...`; a name that only one side has stands for its value in `known`.

    A stored name that is not known belongs to a newer streamrnn and differs, whatever its value.
    """
    if stored.get("task", present["task"]) != present["task"]:
        return [f"task was {stored['task']!r}, is {present['task']!r}"]
    found = []
    for name in sorted({*stored, *present} - FREE):
        if name not in known and name not in present:
            found.append(f"{name} was {stored[name]!r}, which this version does not know")
        elif (was := stored.get(name, known.get(name))) != (now := present.get(name, known.get(name))):
            found.append(f"{name} was {was!r}, is {now!r}")
    return found
