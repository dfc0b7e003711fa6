"""The compiled fold of labelled streams: predict from features, join labels, learn.

    prediction   z = scaled features, for a regression also the label that came last;  h, o = network(z, h)
                 Published is what line and network make of it (linear.py). z, the state before it, the id and what was
                 published are kept in the next place of the series' ring.
    label        its place is found by the id. The window of predictions up to that place is run again with today's
                 weights from the state the oldest of them began with; the last one is learned from, and its error
                 flows back through the window (learner.py). The line learns from the same place.

The window is run again because weights may have changed ten thousand times since: a derivative taken at the old
prediction would push all those times in the same direction before its first effect is seen.

A batch is one call, event by event in log order: where it was cut changes no bit of any answer or state.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import out_of_line
from streamrnn.labelled.answers import Predictions
from streamrnn.labelled.linear import (
    COUNT,
    INITIAL,
    LEAST,
    LinearModel,
    fill,
    learn_classification,
    learn_moments,
    learn_regression,
    learn_trust,
    left_over,
    predict_number,
    weigh,
)
from streamrnn.labelled.state import (
    BROUGHT,
    CLASSES,
    EVENTS,
    LABELS_EXPIRED,
    LABELS_JOINED,
    LABELS_LATE,
    LABELS_UNKNOWN,
    LATE,
    NEWEST,
    NEWEST_FEATURES,
    PREDICTIONS,
    LabelledConfig,
    LabelledScratch,
    LabelledSeries,
    LabelledShared,
    Learned,
)
from streamrnn.learning import tbptt
from streamrnn.learning.learner import learn_one
from streamrnn.learning.losses import Loss
from streamrnn.learning.optimizers import STARTED, prepare, skip
from streamrnn.records.outcomes import JOINED, OVER_SHARE, PREDICTED, REFUSED, TOO_LATE, UNKNOWN

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Batch(NamedTuple):
    """The events of one call."""

    rows: Int64  # (events,) row of each event's series
    times: Int64  # (events,) microseconds since 1970
    features: Float64  # (events, features), NaN where missing
    labels: Float64  # (events,) the number, or the number of the class's text; NaN where missing
    ids: Int64  # (events, 2), 0 where there is none
    alone: NDArray[np.bool_]  # (events,) a label without features


@kernel
def _is_late(config: LabelledConfig, numbers: Int64, batch: Batch, i: int) -> bool:
    """Whether features are older than the newest of their series and to be left out; labels may come when they like."""
    if not config.skip_late or batch.alone[i] or numbers[PREDICTIONS] == 0:
        return False
    return bool(batch.times[i] < numbers[NEWEST_FEATURES])


@kernel
def _arrive(counters: Int64, numbers: Int64, batch: Batch, i: int) -> None:
    """Count an event and keep its time."""
    time = batch.times[i]
    if not batch.alone[i] and (numbers[PREDICTIONS] == 0 or time > numbers[NEWEST_FEATURES]):
        numbers[NEWEST_FEATURES] = time
    if numbers[EVENTS] == 0 or time > numbers[NEWEST]:
        numbers[NEWEST] = time
    if counters[EVENTS] == 0 or time > counters[NEWEST]:
        counters[NEWEST] = time
    numbers[EVENTS] += 1
    counters[EVENTS] += 1


@kernel
def _count(counters: Int64, numbers: Int64, what: int) -> None:
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
def _remember(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, row: int, batch: Batch, i: int,
    scratch: LabelledScratch,
) -> int:  # fmt: skip
    """Give the event in phi the next place of the ring; returns it."""
    out_of_line()
    numbers, ids, ring = series.numbers[row], series.ids[row], config.ring
    steps = numbers[PREDICTIONS]
    if steps >= config.pending and _clear(ids, (steps - config.pending) % ring):
        _count(shared.counters, numbers, LABELS_EXPIRED)
    first, second = batch.ids[i, 0], batch.ids[i, 1]
    waits = (first != 0 or second != 0) and math.isnan(batch.labels[i])
    if first != 0 or second != 0:
        lag = _find(config, series, row, first, second)
        if lag >= 0:  # the id is used again: the label will be that of the newest
            _clear(ids, (steps - 1 - lag) % ring)
            _count(shared.counters, numbers, LABELS_EXPIRED)
    place = steps % ring
    ids[place, 0] = first if waits else 0
    ids[place, 1] = second if waits else 0
    series.times[row, place] = batch.times[i]
    for k in range(series.inputs.shape[2]):
        series.inputs[row, place, k] = scratch.phi[1 + k]
    copy(series.state[row], 0, series.state.shape[1], series.states[row, place], 0)
    _count(shared.counters, numbers, PREDICTIONS)
    return int(place)


@kernel
def _step(
    config: LabelledConfig, learned: Learned, slot: int, series: LabelledSeries, row: int, place: int,
    scratch: LabelledScratch,
) -> None:  # fmt: skip
    """Move the network of the series on by the inputs in `place`; its output is in `scratch.output`."""
    out_of_line()
    now, size = scratch.now, series.state.shape[1]
    copy(series.state[row], 0, size, now.state[0], 0)
    tame = tbptt.step(config.cell, 1, learned.weights, slot, now, 0, series.inputs[row, place], scratch.output)
    if not tame:  # the state begins again
        skip(config.optimizer, learned.weights, slot)
    copy(now.state[0], 0, size, series.state[row], 0)


@kernel
def _recall(series: LabelledSeries, row: int, place: int, phi: Float64) -> None:
    """phi = [1 z] as it was at that place."""
    phi[0] = 1.0
    for k in range(series.inputs.shape[2]):
        phi[1 + k] = series.inputs[row, place, k]


@kernel
def _replay(
    config: LabelledConfig, loss: Loss, learned: Learned, slot: int, series: LabelledSeries, row: int, lag: int,
    target: float, scratch: LabelledScratch,
) -> None:  # fmt: skip
    """Run the window up to the prediction made `lag` ago again and learn the target from its last step."""
    out_of_line()
    replay, ring = scratch.replay, config.ring
    newest = series.numbers[row, PREDICTIONS] - 1 - lag
    oldest = max(0, newest + 1 - config.settings.truncation_length)
    replay.steps[0] = 0
    replay.fresh[0] = 0
    copy(series.states[row, oldest % ring], 0, series.states.shape[2], replay.state[0], 0)
    for number in range(oldest, newest + 1):
        scratch.target[0] = target if number == newest else math.nan
        learn_one(
            config.cell, config.settings, loss, config.optimizer, scratch.initial, learned.weights, slot, replay, 0,
            series.inputs[row, number % ring], scratch.target, scratch.output, scratch.network,
        )  # fmt: skip


@kernel
def regress(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, scratch: LabelledScratch, batch: Batch,
    numbers_of: Int64, answers: Predictions,
) -> None:  # fmt: skip
    """Regression. `numbers_of` is that of `classify`, and empty."""
    counters, target = shared.counters, scratch.target
    for i in range(len(batch.rows)):
        row, y = batch.rows[i], batch.labels[i]
        numbers = series.numbers[row]
        if _is_late(config, numbers, batch, i):
            counters[LATE] += 1
            answers.late[i] = True
            continue
        learned = series.learned if config.own_weights else shared.learned
        slot = row if config.own_weights else 0
        line = LinearModel(learned.line[slot], learned.covariance[slot], scratch.phi, scratch.gain, learned.trust[slot])
        if learned.weights.counters[slot, STARTED] == 0:
            least_squares.start_covariance(line.covariance, line.phi.size, INITIAL)
            prepare(learned.weights, slot, scratch.initial)
        _arrive(counters, numbers, batch, i)
        moments = learned.targets[slot]
        lag = 0
        if batch.alone[i]:
            lag = _join(config, shared, series, row, batch, i, answers)
            if answers.outcome[i] != JOINED:
                continue
        else:
            raw, last = scratch.raw, config.inputs - 1
            copy(batch.features[i], 0, last, raw, 0)
            raw[last] = series.last[row, 0] if numbers[LABELS_JOINED] > 0 else math.nan
            learn_moments(learned.inputs[slot], raw)
            fill(learned.inputs[slot], raw, scratch.phi)
            place = _remember(config, shared, series, row, batch, i, scratch)
            _step(config, learned, slot, series, row, place, scratch)
            predicted = predict_number(line, moments, 0, float(scratch.output[0]))
            series.predicted[row, place, 0] = predicted if moments[COUNT, 0] > 0.0 else math.nan
            answers.predicted[i, 0] = series.predicted[row, place, 0]
            answers.outcome[i] = PREDICTED
            if math.isnan(y):
                continue
            _count(counters, numbers, LABELS_JOINED)
        answers.error[i] = abs(y - answers.predicted[i, 0])
        series.last[row, 0] = y
        target[0] = y
        learn_moments(moments, target)
        _recall(series, row, (numbers[PREDICTIONS] - 1 - lag) % config.ring, scratch.phi)
        left = left_over(line, moments, 0, y)
        _replay(config, config.loss, learned, slot, series, row, lag, left, scratch)
        target[0] = left
        learn_regression(line, target)


@kernel
def _join(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, row: int, batch: Batch, i: int,
    answers: Predictions,
) -> int:  # fmt: skip
    """Find the prediction a label belongs to, say what it was, end its waiting; returns how long ago it was."""
    out_of_line()
    numbers = series.numbers[row]
    lag = _find(config, series, row, batch.ids[i, 0], batch.ids[i, 1])
    if lag < 0:
        answers.outcome[i] = UNKNOWN
        _count(shared.counters, numbers, LABELS_UNKNOWN)
        return 0
    place = (numbers[PREDICTIONS] - 1 - lag) % config.ring
    _clear(series.ids[row], place)
    answers.predicted_at[i] = series.times[row, place]
    for k in range(series.predicted.shape[2]):
        answers.predicted[i, k] = series.predicted[row, place, k]
    if batch.times[i] - series.times[row, place] > config.ttl:
        answers.outcome[i] = TOO_LATE
        _count(shared.counters, numbers, LABELS_LATE)
    else:
        answers.outcome[i] = JOINED
        _count(shared.counters, numbers, LABELS_JOINED)
    return lag


@kernel
def _teaches(config: LabelledConfig, series: LabelledSeries, row: int, batch: Batch, i: int) -> bool:
    """Whether the event has a label that will be learned from."""
    if not batch.alone[i]:
        return not math.isnan(batch.labels[i])
    lag = _find(config, series, row, batch.ids[i, 0], batch.ids[i, 1])
    if lag < 0:
        return False
    made_at = series.times[row, (series.numbers[row, PREDICTIONS] - 1 - lag) % config.ring]
    return bool(batch.times[i] - made_at <= config.ttl)


@kernel
def classify(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, scratch: LabelledScratch, batch: Batch,
    numbers_of: Int64, answers: Predictions,
) -> None:  # fmt: skip
    """Classification. `numbers_of` says of every class in the batch's labels which one it is, -1 for a new one.

    A new class gets the next number when its first label is learned from; when there is no number left, or its series
    has brought its share of them, the event is refused and changes nothing.
    """
    counters = shared.counters
    for i in range(len(batch.rows)):
        row = batch.rows[i]
        code = -1 if math.isnan(batch.labels[i]) else int(batch.labels[i])
        numbers = series.numbers[row]
        if _is_late(config, numbers, batch, i):
            counters[LATE] += 1
            answers.late[i] = True
            continue
        full, over = counters[CLASSES] == config.most_classes, numbers[BROUGHT] >= config.most_of_a_key
        one_more = code >= 0 and numbers_of[code] < 0 and (full or over)
        if one_more and _teaches(config, series, row, batch, i):
            answers.outcome[i] = REFUSED if full else OVER_SHARE
            continue
        learned = series.learned if config.own_weights else shared.learned
        slot = row if config.own_weights else 0
        prepare(learned.weights, slot, scratch.initial)
        _arrive(counters, numbers, batch, i)
        lag = 0
        if batch.alone[i]:
            lag = _join(config, shared, series, row, batch, i, answers)
            if answers.outcome[i] != JOINED:
                continue
        else:
            learn_moments(learned.inputs[slot], batch.features[i])
            fill(learned.inputs[slot], batch.features[i], scratch.phi)
            place = _remember(config, shared, series, row, batch, i, scratch)
            _step(config, learned, slot, series, row, place, scratch)
            known = counters[CLASSES]
            if known > 0:
                _mix(learned, slot, known, scratch)
            for k in range(config.most_classes):
                series.predicted[row, place, k] = scratch.both[k] if k < known else math.nan
                answers.predicted[i, k] = series.predicted[row, place, k]
            answers.outcome[i] = PREDICTED
            if code < 0:
                continue
            _count(counters, numbers, LABELS_JOINED)
        if numbers_of[code] < 0:
            numbers_of[code] = counters[CLASSES]
            counters[CLASSES] += 1
            numbers[BROUGHT] += 1
        label, known = numbers_of[code], counters[CLASSES]
        if not math.isnan(answers.predicted[i, 0]):
            top = 0
            for k in range(known):
                if answers.predicted[i, k] > answers.predicted[i, top]:
                    top = k
            answers.correct[i] = top == label
            answers.error[i] = -math.log(LEAST)
            if answers.predicted[i, label] > LEAST:  # not of a class that was unknown then
                answers.error[i] = abs(math.log(answers.predicted[i, label]))
        _recall(series, row, (numbers[PREDICTIONS] - 1 - lag) % config.ring, scratch.phi)
        loss = Loss(config.loss.kind, config.loss.delta, config.loss.targets, known)
        _replay(config, loss, learned, slot, series, row, lag, float(label), scratch)
        _mix(learned, slot, known, scratch)
        line = LinearModel(learned.line[slot], learned.covariance[slot], scratch.phi, scratch.gain, learned.trust[slot])
        learn_trust(line, scratch.own[:known], scratch.output[:known], label)
        learn_classification(line, scratch.own[:known], label)


@kernel
def _mix(learned: Learned, slot: int, known: int, scratch: LabelledScratch) -> None:
    """What line and network make of the known classes, to the first entries of `scratch.both`."""
    out_of_line()
    line = LinearModel(learned.line[slot], learned.covariance[slot], scratch.phi, scratch.gain, learned.trust[slot])
    weigh(line, scratch.own[:known], scratch.output[:known], scratch.both[:known])
