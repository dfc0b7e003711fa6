"""The compiled fold of labelled streams: predict from features, join labels, learn.

    prediction   z = scaled features, for a regression also the label that came last;  h, o = network(z, h)
                 Published is what line and network make of it (linear.py). z, the state before it, the id and what was
                 published are kept in the next place of the series' ring (ring.py).
    label        its place is found by the id. The window of predictions up to that place is run again with today's
                 weights from the state the oldest of them began with; the last one is learned from, and its error
                 flows back through the window (learner.py). The line learns from the same place.

The window is run again because weights may have changed ten thousand times since: a derivative taken at the old
prediction would push all those times in the same direction before its first effect is seen.

A batch is one call, event by event in log order: where it was cut changes no bit of any answer or state. Where
regression and classification differ, the type of `config.kind` picks the code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels import least_squares
from streamrnn.kernels.by_type import chosen_by_type, implements, overridden_by_type
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import out_of_line
from streamrnn.labelled import linear
from streamrnn.labelled.answers import Predictions
from streamrnn.labelled.classification import LEAST, Classification
from streamrnn.labelled.linear import COUNT, LinearModel, Predictor, Scales
from streamrnn.labelled.regression import INITIAL, Regression
from streamrnn.labelled.ring import count, join, recall, remember, teaches
from streamrnn.labelled.state import (
    BROUGHT,
    CLASSES,
    EVENTS,
    LABELS_JOINED,
    LATE,
    NEWEST,
    NEWEST_FEATURES,
    PREDICTIONS,
    Batch,
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
from streamrnn.records.outcomes import JOINED, OVER_SHARE, PREDICTED, REFUSED

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


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
def _predictor(learned: Learned, slot: int, outputs: int, scratch: LabelledScratch) -> Predictor:
    """Line and network of a slot, for the first `outputs` outputs."""
    return Predictor(
        Scales(learned.inputs[slot], learned.targets[slot]),
        LinearModel(learned.line[slot], learned.covariance[slot], scratch.phi, scratch.gain, learned.trust[slot]),
        scratch.output[:outputs], scratch.own[:outputs], scratch.both[:outputs],
    )  # fmt: skip


@kernel
def fold(
    config: LabelledConfig, shared: LabelledShared, series: LabelledSeries, scratch: LabelledScratch, batch: Batch,
    numbers_of: Int64, answers: Predictions,
) -> None:  # fmt: skip
    """Predict, join and learn, event by event.

    In classification `numbers_of` says of every class in the batch's labels which one it is, -1 for a new one. A new
    class gets the next number when its first label is learned from; when there is no number left, or its series has
    brought its share of them, the event is refused and changes nothing. In regression it is empty.
    """
    counters, target = shared.counters, scratch.target
    for i in range(len(batch.rows)):
        row = batch.rows[i]
        numbers = series.numbers[row]
        if _is_late(config, numbers, batch, i):
            counters[LATE] += 1
            answers.late[i] = True
            continue
        if _refuses(config.kind, config, counters, series, row, batch, i, numbers_of, answers):
            continue
        learned = series.learned if config.own_weights else shared.learned
        slot = row if config.own_weights else 0
        if learned.weights.counters[slot, STARTED] == 0:
            _start_line(config.kind, learned.covariance[slot], scratch.phi.size)
            prepare(learned.weights, slot, scratch.initial)
        _arrive(counters, numbers, batch, i)
        lag = 0
        if batch.alone[i]:
            lag = join(config, shared, series, row, batch, i, answers)
            if answers.outcome[i] != JOINED:
                continue
        else:
            _read_inputs(config.kind, series, row, batch, i, scratch.raw)
            linear.learn_moments(learned.inputs[slot], scratch.raw)
            linear.fill(learned.inputs[slot], scratch.raw, scratch.phi)
            place = remember(config, shared, series, row, batch, i, scratch)
            _step(config, learned, slot, series, row, place, scratch)
            of = _predictor(learned, slot, _known(config.kind, counters), scratch)
            _publish(config.kind, of, series.predicted[row, place])
            for k in range(series.predicted.shape[2]):
                answers.predicted[i, k] = series.predicted[row, place, k]
            answers.outcome[i] = PREDICTED
            if math.isnan(batch.labels[i]):
                continue
            count(counters, numbers, LABELS_JOINED)
        target[0] = _read_label(config.kind, counters, series, row, batch, i, numbers_of, answers)
        recall(series, row, (numbers[PREDICTIONS] - 1 - lag) % config.ring, scratch.phi)
        known = _known(config.kind, counters)
        of = _predictor(learned, slot, known, scratch)
        linear.leave_to_network(config.kind, of, target)
        loss = Loss(config.loss.kind, config.loss.delta, config.loss.targets, known)
        _replay(config, loss, learned, slot, series, row, lag, target[0], scratch)
        linear.learn(config.kind, of, target)


# What regression and classification do not do alike. These functions are only called inside kernels.


@chosen_by_type
def _known(kind: Any, counters: Int64) -> int:
    """How many outputs there are by now."""
    raise NotImplementedError


@overridden_by_type
def _start_line(kind: Any, covariance: Float64, size: int) -> None:
    """Give the line of a new slot the covariance it begins with, if that is not zero."""


@overridden_by_type
def _refuses(
    kind: Any, config: LabelledConfig, counters: Int64, series: LabelledSeries, row: int, batch: Batch, i: int,
    numbers_of: Int64, answers: Predictions,
) -> bool:  # fmt: skip
    """Whether the event is refused; then its outcome is in the answers."""
    return False


@chosen_by_type
def _read_inputs(kind: Any, series: LabelledSeries, row: int, batch: Batch, i: int, raw: Float64) -> None:
    """What the prediction is made from, to raw (inputs,)."""
    raise NotImplementedError


@chosen_by_type
def _publish(kind: Any, of: Predictor, out: NDArray[np.floating]) -> None:
    """What is said of the event, to out (outputs,); NaN where nothing is known yet."""
    raise NotImplementedError


@chosen_by_type
def _read_label(
    kind: Any, counters: Int64, series: LabelledSeries, row: int, batch: Batch, i: int, numbers_of: Int64,
    answers: Predictions,
) -> float:  # fmt: skip
    """The label as a number, and how good its prediction was, to the answers."""
    raise NotImplementedError


@implements(_known, Regression)
def _one(kind: Regression, counters: Int64) -> int:
    return 1


@implements(_start_line, Regression)
def _start_covariance(kind: Regression, covariance: Float64, size: int) -> None:
    least_squares.start_covariance(covariance, size, INITIAL)


@implements(_read_inputs, Regression)
def _read_features_and_last_label(
    kind: Regression, series: LabelledSeries, row: int, batch: Batch, i: int, raw: Float64
) -> None:
    last = raw.size - 1
    copy(batch.features[i], 0, last, raw, 0)
    raw[last] = series.last[row, 0] if series.numbers[row, LABELS_JOINED] > 0 else math.nan


@implements(_publish, Regression)
def _publish_number(kind: Regression, of: Predictor, out: NDArray[np.floating]) -> None:
    linear.predict(kind, of)
    out[0] = of.predicted[0] if of.scales.targets[COUNT, 0] > 0.0 else math.nan


@implements(_read_label, Regression)
def _read_number(
    kind: Regression, counters: Int64, series: LabelledSeries, row: int, batch: Batch, i: int, numbers_of: Int64,
    answers: Predictions,
) -> float:  # fmt: skip
    y = batch.labels[i]
    answers.error[i] = abs(y - answers.predicted[i, 0])
    series.last[row, 0] = y
    return float(y)


@implements(_known, Classification)
def _known_classes(kind: Classification, counters: Int64) -> int:
    return int(counters[CLASSES])


@implements(_refuses, Classification)
def _refuses_class(
    kind: Classification, config: LabelledConfig, counters: Int64, series: LabelledSeries, row: int, batch: Batch,
    i: int, numbers_of: Int64, answers: Predictions,
) -> bool:  # fmt: skip
    """One class too many."""
    if math.isnan(batch.labels[i]) or numbers_of[int(batch.labels[i])] >= 0:
        return False
    full = counters[CLASSES] == kind.outputs
    if not full and series.numbers[row, BROUGHT] < config.most_of_a_key:
        return False
    if not teaches(config, series, row, batch, i):
        return False
    answers.outcome[i] = REFUSED if full else OVER_SHARE
    return True


@implements(_read_inputs, Classification)
def _read_features(kind: Classification, series: LabelledSeries, row: int, batch: Batch, i: int, raw: Float64) -> None:
    copy(batch.features[i], 0, raw.size, raw, 0)


@implements(_publish, Classification)
def _publish_probabilities(kind: Classification, of: Predictor, out: NDArray[np.floating]) -> None:
    known = of.predicted.size
    if known > 0:
        linear.predict(kind, of)
    for k in range(out.size):
        out[k] = of.predicted[k] if k < known else math.nan


@implements(_read_label, Classification)
def _read_class(
    kind: Classification, counters: Int64, series: LabelledSeries, row: int, batch: Batch, i: int, numbers_of: Int64,
    answers: Predictions,
) -> float:  # fmt: skip
    """Number the class if it is new."""
    code = int(batch.labels[i])
    if numbers_of[code] < 0:
        numbers_of[code] = counters[CLASSES]
        counters[CLASSES] += 1
        series.numbers[row, BROUGHT] += 1
    label, predicted = numbers_of[code], answers.predicted[i]
    if not math.isnan(predicted[0]):
        top = 0
        for k in range(counters[CLASSES]):
            if predicted[k] > predicted[top]:
                top = k
        answers.correct[i] = top == label
        answers.error[i] = -math.log(LEAST)
        if predicted[label] > LEAST:  # not of a class that was unknown then
            answers.error[i] = abs(math.log(predicted[label]))
    return float(label)
