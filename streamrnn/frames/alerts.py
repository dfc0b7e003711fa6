"""The alerts of the rows that a `StreamModel` has been given: what began when, and what it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrnn.records.event_schema import EPOCH

MOST: Final = 100_000
"""Alerts that are remembered; beyond, the oldest are forgotten."""
NAMES: Final = ("alert", "kind", "since", "until", "target", "direction", "size", "strength", "text")
"""Columns of the frame, after those of the key."""
_SAID: Final = NAMES[4:]


class Alerts:
    """One row per alert, in the order in which they opened. It is no part of the state: a saved model begins anew."""

    def __init__(self) -> None:
        self._alerts: dict[tuple[str, str, int], dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._alerts)

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take what alert records say (`records/alerts.py`)."""
        for document in documents:
            name = document["key"], document["kind"], document["alert"]
            if document["state"] == "opened":
                self._alerts[name] = {"since": document["since"], **{each: document.get(each) for each in _SAID}}
                if len(self._alerts) > MOST:
                    del self._alerts[next(iter(self._alerts))]
            else:  # one that was open when the model was loaded has only this record
                one = self._alerts.setdefault(name, {"since": document["since"], "target": document["target"]})
                one["until"] = document["time"]
                if document["kind"] == "anomaly":
                    one |= {"direction": document["direction"], "size": document["size"]}

    @property
    def keys(self) -> list[str]:
        """Of every alert its series."""
        return [key for key, _, _ in self._alerts]

    def times(self, name: str) -> npt.NDArray[np.int64]:
        """`since` or `until` of every alert in microseconds, NaT where it is still open."""
        found = (one.get(name) for one in self._alerts.values())
        nat = np.datetime64("NaT").astype(np.int64)
        return np.array([nat if text is None else _microseconds(text) for text in found], np.int64)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """All but keys and times."""
        ones = list(self._alerts.values())
        named: dict[str, list[Any]] = {"alert": [], "kind": []}
        for _, kind, alert in self._alerts:
            named["alert"].append(alert)
            named["kind"].append(kind)
        return named | {name: [one.get(name) for one in ones] for name in _SAID}


def _microseconds(text: str) -> int:
    since = datetime.fromisoformat(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
