"""What an event says of the steps to come: `"future": {"temperature": [21.5, null, 22]}`.

The first number is of the next step. A list may be shorter than the horizon, and what is null or not there is unknown:
then a forecast does without it. A longer one is refused, since its first number may be of the event itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from streamrnn.config.event import FUTURE, EventConfig

__all__ = ["FUTURE", "RowsToCome", "future_field", "future_numbers", "future_of", "future_schema"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def future_field(event: EventConfig, horizon: int, number: Any) -> Any:
    """The type of the field; `number` is that of its numbers."""

    def no_longer(values: list[Any]) -> list[Any]:
        if len(values) > horizon:
            raise ValueError(
                f"{len(values)} numbers for a horizon of {horizon}: the first is of the next step, not of the event"
            )
        return values

    steps = Annotated[list[number | None], AfterValidator(no_longer), Field(json_schema_extra={"maxItems": horizon})]
    typed_dict: Any = TypedDict
    fields = typed_dict("Future", dict.fromkeys(event.future, NotRequired[steps | None]))
    return with_config(ConfigDict(extra="forbid"))(fields) | None


def future_schema(event: EventConfig, horizon: int, number: Any) -> TypeAdapter[Any]:
    """What reads the field alone."""
    return TypeAdapter(future_field(event, horizon, number))


def future_numbers(names: Sequence[str], horizon: int, field: Mapping[str, Any] | None) -> list[float]:
    """The numbers of a valid field: `horizon` of each name in turn, NaN where one is unknown."""
    found: list[float] = []
    for name in names:
        steps = (field or {}).get(name) or ()
        found += [math.nan if number is None else number for number in steps]
        found += [math.nan] * (horizon - len(steps))
    return found


def future_of(names: Sequence[str], numbers: Sequence[float]) -> dict[str, list[float | None]]:
    """The field that `future_numbers` reads as these: no name of which nothing is known, no end that is unknown."""
    found: dict[str, list[float | None]] = {}
    horizon = len(numbers) // len(names)
    for place, name in enumerate(names):
        steps = [None if math.isnan(step) else step for step in numbers[place * horizon : (place + 1) * horizon]]
        while steps and steps[-1] is None:
            steps.pop()
        if steps:
            found[name] = steps
    return found


class RowsToCome:
    """The features of the `horizon` rows of its series after each row."""

    def __init__(self, offsets: Int64, series: Int64, values: Float64, horizon: int) -> None:
        """`offsets` (rows,) rising, `series` (rows,) numbers of the series, `values` (rows, known ahead)."""
        order = np.argsort(series, kind="stable")
        self._offsets, self._values, self._horizon = offsets, values[order], horizon
        self._place = np.empty(len(order), np.int64)  # of each event among the values, one series after the other
        self._place[order] = np.arange(len(order))
        self._end = np.searchsorted(series[order], series, side="right")  # of its series there

    def __call__(self, offsets: Int64) -> Float64:
        """`(rows, known ahead x horizon)`: of each feature in turn, NaN where there is no such row."""
        found = np.full((len(offsets), self._values.shape[1], self._horizon), np.nan)
        if len(self._offsets):
            at = np.minimum(np.searchsorted(self._offsets, offsets), len(self._offsets) - 1)
            places = self._place[at][:, None] + 1 + np.arange(self._horizon)
            there = (places < self._end[at][:, None]) & (self._offsets[at] == offsets)[:, None]
            values = self._values[np.minimum(places, len(self._values) - 1)]
            found = np.where(there[:, None, :], values.transpose(0, 2, 1), np.nan)
        return found.reshape(len(offsets), self._values.shape[1] * self._horizon)
