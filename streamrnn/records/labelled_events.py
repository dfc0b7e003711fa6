"""How labelled events are read: features to predict from, an id, and the label, with them or later and alone.

{"key": "shop-7", "time": "2026-01-01T00:00:00Z", "id": "o-41", "amount": 12.5}     predicted; waits for its label
{"key": "shop-7", "time": "2026-01-03T09:00:00Z", "id": "o-41", "label": "fraud"}   that label
{"key": "shop-7", "time": "2026-01-03T09:01:00Z", "amount": 3.1, "label": "fine"}   predicted, then learned from
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NotRequired

import numpy as np
from pydantic import AfterValidator, Field, TypeAdapter

from streamrnn.config.tree import Config
from streamrnn.config.values import ClassName
from streamrnn.errors import EventInvalid
from streamrnn.records.event_schema import LONGEST_KEY, number_type, schema_of
from streamrnn.records.events import EventDecoder, Float64, Int64, Labels, Rows

LabelId = Annotated[str, Field(min_length=1, max_length=LONGEST_KEY, coerce_numbers_to_str=True)]


def labelled_schema(config: Config, *, text: bool = False, timed: bool = True) -> TypeAdapter[Any]:
    """The schema of one labelled event; see `event_schema`."""
    label: Any = number_type(text)
    if config.task == "classification":
        label = ClassName
        if declared := config.labels.classes:
            label = Annotated[ClassName, AfterValidator(_one_of(declared))]
    fields = {config.event.id: NotRequired[LabelId | None], config.event.label: NotRequired[label | None]}
    what = "Features to predict from, or the label of earlier ones, or both."
    return schema_of(what, config.event, fields, text, timed)


def _one_of(declared: tuple[str, ...]) -> Any:
    def check(name: str) -> str:
        if name not in declared:
            raise ValueError(f"not among labels.classes, which are {', '.join(declared):.200}")
        return name

    return check


class LabelledDecoder(EventDecoder):
    """Turns records into features, ids and labels; the labels become the targets, (events, 1)."""

    _hears = False  # there are no alerts

    def __init__(self, config: Config, rows: Rows | None = None, read: Callable[[bytes], Any] | None = None) -> None:
        self._config = config
        super().__init__(config.event, rows, read)

    def _plain(self, rows: Rows | None) -> None:
        """None: labels have a schema of their own."""

    def _names(self) -> list[str]:
        event = self._event
        return [event.key, event.time, event.id, event.label, *event.features]

    def _schema(self, *, text: bool, timed: bool) -> TypeAdapter[Any]:
        return labelled_schema(self._config, text=text, timed=timed)

    def _judged(self, fields: dict[str, Any]) -> dict[str, Any]:
        event = self._event
        if not self._is_alone(fields):
            if all(name not in fields for name in event.features):
                raise EventInvalid(
                    f"neither a feature ({', '.join(event.features):.100}) nor a label ({event.label!r})"
                )
        elif fields.get(event.id) is None:
            raise EventInvalid(f"a label without features needs the id of its prediction ({event.id!r})")
        return fields

    def _is_alone(self, fields: dict[str, Any]) -> bool:
        """Whether it is a label and nothing else."""
        features = self._event.features
        return fields.get(self._event.label) is not None and all(fields.get(name) is None for name in features)

    def _learned(self, rows: list[dict[str, Any]], features: Float64) -> tuple[Float64, Labels | None]:
        names = [row.get(self._event.id) for row in rows]
        classes: dict[str, int] = {}
        if self._config.task == "classification":
            came = [row.get(self._event.label) for row in rows]
            numbers = [None if name is None else classes.setdefault(name, len(classes)) for name in came]
            targets = np.array(numbers, np.float64).reshape(-1, 1)  # None becomes NaN
        else:
            targets = self._columns_of(rows, [self._event.label])
        alone = ~np.isnan(targets[:, 0]) & np.isnan(features).all(axis=1)
        return targets, Labels(digests(names), names, alone, list(classes))


def digests(names: Sequence[str | None]) -> Int64:
    """128 bits of every id, (ids, 2); zeros for None."""
    data = b"".join(
        bytes(16) if name is None else hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names
    )
    return np.frombuffer(data, "<i8").reshape(-1, 2).astype(np.int64)
