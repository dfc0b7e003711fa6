"""The ring of a series: its newest predictions, and which of them wait for their label.

A prediction takes the next place; its label finds the place by the id. A place is kept long enough for the window of
steps behind the oldest prediction that may still wait.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import out_of_line
from streamrnn.labelled.answers import Predictions
from streamrnn.labelled.state import (
    LABELS_EXPIRED,
    LABELS_JOINED,
    LABELS_LATE,
    LABELS_UNKNOWN,
    PREDICTIONS,
    Batch,
    LabelledConfig,
    LabelledScratch,
    LabelledSeries,
    LabelledShared,
)
from streamrnn.records.outcomes import JOINED, TOO_LATE, UNKNOWN

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@kernel
def count(counters: Int64, numbers: Int64, what: int) -> None:
    """Count it for the partition and for the series."""
    counters[what] += 1
    numbers[what] += 1


@kernel
def _find(config: LabelledConfig, series: LabelledSeries, row: int, first: int, second: int) -> int:
    """How many predictions ago the newest one with this id that waits for its label was made; -1: there is none."""
    steps, ids = series.numbers[row, PREDICTIONS], series.ids[row]
    place = steps % config.ring
    for lag in range(min(config.pending, steps)):
        place = place - 1 if place > 0 else config.ring - 1
        if ids[place, 0] == first and ids[place, 1] == second:
            return lag
    return -1


@kernel
def _clear(ids: Int64, place: int) -> bool:
    """End the waiting of a place; whether it did wait."""
    waited = ids[place, 0] != 0 or ids[place, 1] != 0
    ids[place, 0] = 0
    ids[place, 1] = 0
    return bool(waited)


@kernel
def remember(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, row: int, batch: Batch, i: int,
    scratch: LabelledScratch,
) -> int:  # fmt: skip
    """Give the event in phi the next place of the ring; returns it."""
    out_of_line()
    numbers, ids, ring = series.numbers[row], series.ids[row], config.ring
    steps = numbers[PREDICTIONS]
    if steps >= config.pending and _clear(ids, (steps - config.pending) % ring):
        count(shared.counters, numbers, LABELS_EXPIRED)
    first, second = batch.ids[i, 0], batch.ids[i, 1]
    waits = (first != 0 or second != 0) and math.isnan(batch.labels[i])
    if first != 0 or second != 0:
        lag = _find(config, series, row, first, second)
        if lag >= 0:  # the id is used again: the label will be that of the newest
            _clear(ids, (steps - 1 - lag) % ring)
            count(shared.counters, numbers, LABELS_EXPIRED)
    place = steps % ring
    ids[place, 0] = first if waits else 0
    ids[place, 1] = second if waits else 0
    series.times[row, place] = batch.times[i]
    for k in range(series.inputs.shape[2]):
        series.inputs[row, place, k] = scratch.phi[1 + k]
    copy(series.state[row], 0, series.state.shape[1], series.states[row, place], 0)
    count(shared.counters, numbers, PREDICTIONS)
    return int(place)


@kernel
def recall(series: LabelledSeries, row: int, place: int, phi: Float64) -> None:
    """phi = [1 z] as it was at that place."""
    phi[0] = 1.0
    for k in range(series.inputs.shape[2]):
        phi[1 + k] = series.inputs[row, place, k]


@kernel
def join(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, row: int, batch: Batch, i: int,
    answers: Predictions,
) -> int:  # fmt: skip
    """Find the prediction a label belongs to, say what it was, end its waiting; returns how long ago it was."""
    out_of_line()
    numbers = series.numbers[row]
    lag = _find(config, series, row, batch.ids[i, 0], batch.ids[i, 1])
    if lag < 0:
        answers.outcome[i] = UNKNOWN
        count(shared.counters, numbers, LABELS_UNKNOWN)
        return 0
    place = (numbers[PREDICTIONS] - 1 - lag) % config.ring
    _clear(series.ids[row], place)
    answers.predicted_at[i] = series.times[row, place]
    for k in range(series.predicted.shape[2]):
        answers.predicted[i, k] = series.predicted[row, place, k]
    if batch.times[i] - series.times[row, place] > config.ttl:
        answers.outcome[i] = TOO_LATE
        count(shared.counters, numbers, LABELS_LATE)
    else:
        answers.outcome[i] = JOINED
        count(shared.counters, numbers, LABELS_JOINED)
    return lag


@kernel
def teaches(config: LabelledConfig, series: LabelledSeries, row: int, batch: Batch, i: int) -> bool:
    """Whether the event has a label that will be learned from."""
    if not batch.alone[i]:
        return not math.isnan(batch.labels[i])
    lag = _find(config, series, row, batch.ids[i, 0], batch.ids[i, 1])
    if lag < 0:
        return False
    made_at = series.times[row, (series.numbers[row, PREDICTIONS] - 1 - lag) % config.ring]
    return bool(batch.times[i] - made_at <= config.ttl)
