"""The newest forecast of every series, as it was answered to the series' newest row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamrnn.forecasting.answers import Answers
from streamrnn.records.events import Int64


class Newest:
    """One row per series; rows are in the order in which series appeared."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]] | None = None, keys: Sequence[str] = ()) -> None:
        """Nothing yet, or what `arrays` of another one held for its `keys`."""
        self._rows = {key: row for row, key in enumerate(keys)}
        self._arrays: dict[str, npt.NDArray[Any]] = dict(arrays or {})

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def keys(self) -> list[str]:
        """The series."""
        return list(self._rows)

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name, one row per series: `time` and `interval` in microseconds, `mean`, `median`, `lower`, `upper`."""
        return {name: array[: len(self)] for name, array in self._arrays.items()}

    def older(self, keys: Sequence[str], times: Int64) -> int:
        """How many rows are older than the newest row of their series; `times` (rows,) in microseconds."""
        series = np.fromiter((self._rows.get(key, -1) for key in keys), np.int64, len(keys))
        known = series >= 0
        return int((times[known] < self._arrays["time"][series[known]]).sum()) if known.any() else 0

    def add(self, keys: Sequence[str], times: Int64, answers: Answers) -> None:
        """Take the answers to a batch."""
        on_time = (~answers.late).nonzero()[0].tolist()
        last = {keys[i]: i for i in on_time}
        if not last:
            return
        rows = [self._rows.setdefault(key, len(self._rows)) for key in last]
        events = np.fromiter(last.values(), np.int64, len(last))
        columns: dict[str, npt.NDArray[Any]] = {
            "time": times[events],
            "interval": answers.interval[events],
            "mean": answers.forecast[events],
            "median": answers.forecast_median[events],
            "lower": answers.forecast_lower[events, 0],
            "upper": answers.forecast_upper[events, 0],
        }
        for name, column in columns.items():
            held = self._arrays.get(name, column[:0])
            if len(held) < len(self):
                more = np.zeros((2 * len(self) - len(held), *column.shape[1:]), column.dtype)
                held = self._arrays[name] = np.concatenate([held, more])
            held[rows] = column
