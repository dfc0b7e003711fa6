"""What a labelled model keeps, per series and per partition, and the numbers that configure its fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.dense import Dense, Network
from streamrnn.kernels import least_squares
from streamrnn.labelled import linear
from streamrnn.labelled.classification import Classification
from streamrnn.labelled.regression import Regression
from streamrnn.learning import tbptt
from streamrnn.learning.learner import LearnerSeries, Settings, make_settings, new_learner_series
from streamrnn.learning.losses import Loss, make_loss
from streamrnn.learning.optimizers import COUNTERS as UPDATE_COUNTERS
from streamrnn.learning.optimizers import Optimizer, Weights, make_optimizer

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]
Int64 = NDArray[np.int64]

# Columns of LabelledSeries.numbers; the first ones are also what the partition counts.
COUNTERS = (
    "events",
    "late",
    "watermark",
    "predictions",
    "labels_joined",
    "labels_late",
    "labels_unknown",
    "labels_expired",
    "classes",
)
EVENTS, LATE, NEWEST, PREDICTIONS, LABELS_JOINED, LABELS_LATE, LABELS_UNKNOWN, LABELS_EXPIRED, CLASSES = range(9)
NEWEST_FEATURES = 8  # of a series: the newest event time of its features
BROUGHT = LATE  # of a series: classes that came with its labels first; late events are the partition's number alone
NUMBERS = 9
NAME = 65  # bytes of a class's name in the state: its length, and the name


class Batch(NamedTuple):
    """The events of one call."""

    rows: Int64  # (events,) row of each event's series
    times: Int64  # (events,) microseconds since 1970
    features: Float64  # (events, features), NaN where missing
    labels: Float64  # (events,) the number, or the number of the class's text; NaN where missing
    ids: Int64  # (events, 2), 0 where there is none
    alone: NDArray[np.bool_]  # (events,) a label without features


class LabelledConfig(NamedTuple):
    """Settings as numbers."""

    kind: Any  # `Regression` or `Classification`
    cell: Any
    inputs: int  # the features, and for regression the label that came last
    settings: Settings  # of the replayed window
    loss: Loss
    optimizer: Optimizer
    pending: int  # predictions that may wait for a label
    ring: int  # predictions that are kept: those, and the window behind the oldest of them
    ttl: int  # microseconds
    own_weights: bool
    skip_late: bool
    most_of_a_key: int  # classes that one series may bring


class Learned(NamedTuple):
    """What labels teach; first axis: slot, one for the partition or one per series. Zeros are a new slot."""

    inputs: Float64  # (slots, 3, inputs) moments
    targets: Float64  # (slots, 3, 1) moments of the label; regression only
    line: Float64  # (slots, outputs, m) a linear model's weights, m = 1 + inputs
    covariance: Float64  # (slots, packed) for regression; (slots, outputs, m) sums of squared gradients else
    trust: Float64  # (slots, 2) in line and network; classification only
    weights: Weights  # of the network


class LabelledSeries(NamedTuple):
    """State per series; an all-zero row is a new one. `ring` places hold the newest predictions."""

    numbers: Int64  # (rows, NUMBERS)
    state: Floats  # (rows, state_size) carried from one prediction to the next
    ids: Int64  # (rows, ring, 2) of predictions that wait for their label, 0 for others
    times: Int64  # (rows, ring) microseconds
    last: Float64  # (rows, 1) the label that came last, whichever prediction it was of; regression only
    inputs: Floats  # (rows, ring, inputs) as the network saw them
    states: Floats  # (rows, ring, state_size) what the network began with
    predicted: Floats  # (rows, ring, outputs) what was published
    learned: Learned  # with `weights: series`


class LabelledShared(NamedTuple):
    """State of the partition."""

    counters: Int64  # (COUNTERS,)
    classes: NDArray[np.uint8]  # (most classes, NAME) in the order they appeared
    learned: Learned  # with `weights: partition`


class LabelledScratch(NamedTuple):
    """Working room and constants; nothing in it outlives an event."""

    initial: Floats  # (parameters,)
    now: tbptt.Series  # one row: the step of this event
    replay: LearnerSeries  # one row: the window behind a prediction, made again
    network: tbptt.Scratch
    raw: Float64  # (inputs,)
    output: Floats  # (outputs,) of the network
    phi: Float64  # (m,)
    gain: Float64  # (m,)
    own: Float64  # (outputs,) what the line says
    both: Float64  # (outputs,)
    target: Float64  # (1,)


def labelled_config(
    *,
    features: int,
    most_classes: int,
    most_of_a_key: int,
    cell: Callable[[int], Any],
    hidden_size: int,
    truncation_length: int,
    learning_rate: float,
    gradient_clip: float,
    pending: int,
    ttl: int,
    own_weights: bool,
    skip_late: bool,
) -> LabelledConfig:
    """The numbers for `features` features; `cell` makes the recurrent part for so many inputs, `ttl` is in
    microseconds, and without `most_classes` a number is predicted.
    """
    kind = Classification(most_classes) if most_classes else Regression(1)
    inputs = features if most_classes else features + 1
    return LabelledConfig(
        kind=kind,
        cell=Network(cell(inputs), Dense(hidden_size, kind.outputs)),
        inputs=inputs,
        settings=make_settings(truncation_length=truncation_length, clip=linear.CLIP),
        loss=make_loss("cross_entropy", classes=most_classes) if most_classes else make_loss("squared"),
        optimizer=make_optimizer("adam", learning_rate, clip_norm=gradient_clip),
        pending=pending,
        ring=pending + truncation_length - 1,
        ttl=ttl,
        own_weights=own_weights,
        skip_late=skip_late,
        most_of_a_key=most_of_a_key,
    )


def allocate(config: LabelledConfig, seed: int) -> tuple[LabelledShared, LabelledSeries, LabelledScratch]:
    """One new series and its partition; `seed` draws the network's first weights."""
    cell, ring, inputs, outputs = config.cell, config.ring, config.inputs, config.kind.outputs
    classes = outputs if isinstance(config.kind, Classification) else 0
    state = interface.state_size(cell)
    series = LabelledSeries(
        numbers=np.zeros((1, NUMBERS), np.int64),
        state=np.zeros((1, state), np.float32),
        ids=np.zeros((1, ring, 2), np.int64),
        times=np.zeros((1, ring), np.int64),
        last=np.zeros((1, 0 if classes else 1)),
        inputs=np.zeros((1, ring, inputs), np.float32),
        states=np.zeros((1, ring, state), np.float32),
        predicted=np.zeros((1, ring, outputs), np.float32 if classes else np.float64),
        learned=_new_learned(config, empty=not config.own_weights),
    )
    shared = LabelledShared(
        counters=np.zeros(len(COUNTERS), np.int64),
        classes=np.zeros((classes, NAME), np.uint8),
        learned=_new_learned(config, empty=config.own_weights),
    )
    scratch = LabelledScratch(
        initial=tbptt.initial_weights(cell, seed),
        now=tbptt.new_series(cell, 1, 1),
        replay=new_learner_series(cell, 1, config.settings),
        network=tbptt.new_scratch(cell, config.settings.truncation_length),
        raw=np.zeros(inputs),
        output=tbptt.aligned_zeros(outputs),
        phi=np.zeros(1 + inputs),
        gain=np.zeros(1 + inputs),
        own=np.zeros(outputs),
        both=np.zeros(outputs),
        target=np.zeros(1),
    )
    return shared, series, scratch


def _new_learned(config: LabelledConfig, *, empty: bool) -> Learned:
    """One slot; `empty` keeps the shape's length and none of its room."""
    outputs, m = (0, 0) if empty else (config.kind.outputs, 1 + config.inputs)
    classifies = isinstance(config.kind, Classification)
    parameters = 0 if empty else tbptt.padded(interface.parameter_count(config.cell))
    w, first, second, good = (tbptt.aligned_zeros((1, parameters)) for _ in range(4))
    return Learned(
        inputs=np.zeros((1, 3, 0 if empty else config.inputs)),
        targets=np.zeros((1, 3, 0 if empty else 1)),
        line=np.zeros((1, outputs, m)),
        covariance=np.zeros((1, outputs, m) if classifies else (1, least_squares.packed_size(m))),
        trust=np.zeros((1, 0 if empty else 2)),
        weights=Weights(w, first, second, good, np.zeros((1, 0 if empty else UPDATE_COUNTERS), np.int64)),
    )
