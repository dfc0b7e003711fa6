"""What the plot of one series shows: the one-step forecasts beside what came, and the forecasts after the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.forecasting.answers import Answers
from streamrnn.records.events import Float64, Int64


class Block(NamedTuple):
    """Some events of a series; arrays are `(events, targets)` where nothing else is said."""

    times: Int64  # (events,) microseconds since 1970
    observed: Float64
    expected: Float64
    expected_median: Float64
    lower: Float64
    upper: Float64
    error: Float64  # absolute, of the median, summed from the first event on
    persistence: Float64
    anomaly: npt.NDArray[np.bool_]  # (events,)


class Trace:
    """The newest `MOST_EVENTS` events of a series; the sums behind the running skill start at its first event."""

    MOST_EVENTS: ClassVar[int] = 20_000
    MOST_SERIES: ClassVar[int] = 24

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._blocks: deque[Block] = deque()
        self._count = 0
        self._error = self._persistence = np.zeros(len(names))
        self.last: tuple[Float64, Float64, Float64, Float64] | None = None
        """Mean, median, lower, upper after the last event, each `(horizon, targets)`."""

    def add(self, times: Int64, observed: Float64, answers: Answers) -> None:
        """Take the next events `(events, targets)`."""
        known = ~(np.isnan(answers.seen(observed)) | np.isnan(answers.expected) | np.isnan(answers.previous))
        error = np.where(known, np.abs(observed - answers.expected_median), 0.0).cumsum(axis=0) + self._error
        persistence = np.where(known, np.abs(observed - answers.previous), 0.0).cumsum(axis=0) + self._persistence
        self._error, self._persistence = error[-1], persistence[-1]
        lower, upper = answers.lower[:, 0], answers.upper[:, 0]
        self._blocks.append(
            Block(
                times, observed, answers.expected, answers.expected_median, lower, upper, error, persistence,
                answers.is_anomaly,
            )
        )  # fmt: skip
        self.last = (
            answers.forecast[-1], answers.forecast_median[-1], answers.forecast_lower[-1, 0],
            answers.forecast_upper[-1, 0],
        )  # fmt: skip
        self._count += len(times)
        while self._count - len(self._blocks[0].times) >= self.MOST_EVENTS:
            self._count -= len(self._blocks.popleft().times)

    def columns(self) -> Block:
        """Every array, in order of time: one block of all that is kept."""
        joined = Block._make(np.concatenate(parts)[-self.MOST_EVENTS :] for parts in zip(*self._blocks, strict=True))
        order = np.argsort(joined.times, kind="stable")
        return Block._make(array[order] for array in joined)
