"""A network behind river's dictionaries: made when the first event shows its features, grown when new ones come.

`predict` looks ahead from the carried hidden state and changes nothing; `learn` moves the state on and learns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.catalog import CELLS, build_cell
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.mlp import ACTIVATIONS, make_mlp
from streamrnn.errors import ConfigurationError
from streamrnn.estimators import growing, kernels
from streamrnn.estimators.encoding import FeatureEncoder, LastTarget, target_of
from streamrnn.labelled import linear
from streamrnn.labelled.classification import Classification
from streamrnn.labelled.regression import Regression
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import Loss, make_loss
from streamrnn.learning.optimizers import OPTIMIZERS, STARTED, make_optimizer

Float64 = NDArray[np.float64]

CLIP_NORM = 3.0
FEED_FORWARD = "mlp"


class Plan(NamedTuple):
    """What a network is to be."""

    cell: str  # a name of `cells/catalog.py`
    widths: tuple[int, ...]  # hidden units of each layer
    activation: str = "tanh"  # of an `mlp`
    truncation_length: int = 1
    update_every: int = 1
    optimizer: str = "adam"
    learning_rate: float = 0.003
    most_features: int = 256
    seed: int = 0


def make_plan(plan: Plan) -> Plan:
    """The plan, checked. Raises `ConfigurationError` naming what does not fit."""
    if plan.cell not in CELLS:
        raise ConfigurationError(f"cell {plan.cell!r}: choose one of {', '.join(CELLS)}")
    if not plan.widths or min(plan.widths) < 1:
        raise ConfigurationError("hidden sizes and layers are at least 1")
    if plan.activation not in ACTIVATIONS:
        raise ConfigurationError(f"activation {plan.activation!r}: choose one of {', '.join(ACTIVATIONS)}")
    if plan.optimizer not in OPTIMIZERS:
        raise ConfigurationError(f"optimizer {plan.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}")
    if not plan.learning_rate >= 0.0:
        raise ConfigurationError("learning_rate is 0 or more")
    if plan.most_features < 1:
        raise ConfigurationError("max_features is at least 1")
    make_settings(truncation_length=plan.truncation_length, update_every=plan.update_every)
    return plan


def make_body(plan: Plan, inputs: int) -> Any:
    """The cell, or the cells on top of each other."""
    if plan.cell == FEED_FORWARD:
        return make_mlp(inputs, plan.widths, feedback="none", activation=plan.activation)
    return build_cell(plan.cell, inputs, plan.widths)


class OnlineNetwork:
    """What regressors and classifiers have in common: encoder, learner and predictor, all of one size."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.encoder = FeatureEncoder(plan.most_features)
        self.learner: Learner | None = None
        self.predictor: linear.Predictor
        self.kind: Regression | Classification  # what is predicted, and how many outputs that takes by now

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _inputs(self, x: Mapping[Any, Any]) -> Float64:
        """The raw inputs of an event, (inputs,)."""
        inputs = self.encoder.encode(x)
        return inputs if inputs.size else np.full(1, math.nan)

    def _predict(self, learner: Learner, x: Mapping[Any, Any]) -> Float64:
        """What every output predicts, (outputs,); the next call overwrites it."""
        kernels.predict(
            self.kind, learner.cell, learner.weights.parameters[0], learner.series.state[0], self.predictor,
            learner.scratch.state, learner.scratch.tape, self._inputs(x),
        )  # fmt: skip
        return self.predictor.predicted

    def _learn(self, learner: Learner, inputs: Float64, observed: Float64) -> None:
        kernels.learn(
            self.kind, learner.cell, learner.settings, learner.loss, learner.optimizer, learner.initial,
            learner.weights, learner.series, learner.scratch, self.predictor, inputs, observed,
        )  # fmt: skip

    def _fit(self, rate: float) -> Learner:
        """The learner, made, grown and set to the learning rate as needed."""
        learner, plan, kind = self.learner, self.plan, self.kind
        inputs, outputs = max(self.encoder.capacity, 1), kind.outputs
        if learner is None:
            learner = Learner(
                Network(make_body(plan, inputs), Dense(plan.widths[-1], outputs)),
                make_settings(
                    truncation_length=plan.truncation_length,
                    update_every=plan.update_every,
                    clip=linear.CLIP,
                ),
                self._loss(),
                make_optimizer(plan.optimizer, rate, clip_norm=CLIP_NORM),
                seed=plan.seed,
            )
            scales, line = linear.new_scales(inputs, outputs), linear.new_line(kind, inputs)
        elif interface.input_size(learner.cell) == inputs and interface.output_size(learner.cell) == outputs:
            if learner.optimizer.rate != rate:
                learner.optimizer = learner.optimizer._replace(rate=rate)
            return learner
        else:
            scales = linear.grown_scales(self.predictor.scales, inputs, outputs)
            line = linear.grown_line(kind, self.predictor.line, inputs)
        if interface.input_size(learner.cell) < inputs:
            learner = growing.grow_inputs(learner, inputs, plan.seed)
        if interface.output_size(learner.cell) < outputs:
            learner = growing.grow_outputs(learner, outputs, self._loss(), plan.seed)
        weights = learner.weights
        if weights.counters[0, STARTED] == 0:  # so that looking ahead needs no more than the parameters
            weights.parameters[0, : learner.initial.size] = learner.initial
            weights.good[0, : learner.initial.size] = learner.initial
            weights.counters[0, STARTED] = 1
        network = learner.scratch.outputs.copy()
        self.predictor = linear.Predictor(scales, line, network, np.zeros(outputs), np.zeros(outputs))
        self.learner = learner
        return learner

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of what is carried from event to event."""
        return np.zeros(0) if self.learner is None else self.learner.series.state[0].copy()

    def forget_sequence(self) -> None:
        """Begin a new sequence."""
        if self.learner is not None:
            growing.forget_sequence(self.learner)


class TargetNetwork(OnlineNetwork):
    """Predicts numbers; with `feedback` it sees what its targets were at the event before."""

    def __init__(self, plan: Plan, *, feedback: bool) -> None:
        super().__init__(plan)
        self.feedback = feedback
        self.targets: dict[Any, int] = {}
        self.kind = Regression(0)
        self.last = np.zeros(0)
        self._last_at = np.zeros(0, np.int64)

    def _loss(self) -> Loss:
        return make_loss("huber", len(self.targets))

    def _inputs(self, x: Mapping[Any, Any]) -> Float64:
        inputs = super()._inputs(x)
        if self.feedback:
            inputs[self._last_at] = self.last
        return inputs

    def predict(self, x: Mapping[Any, Any]) -> Float64:
        """The prediction of every target so far, (targets,); the next call overwrites it."""
        return np.zeros(len(self.targets)) if self.learner is None else self._predict(self.learner, x)

    def learn(self, x: Mapping[Any, Any], y: Mapping[Any, Any], rate: float) -> None:
        """Learn from an event; a target that is missing teaches nothing, but the state moves on."""
        y = {name: target_of(value) for name, value in y.items()}  # before anything is learned of the event
        if not y.keys() <= self.targets.keys():
            self._add_targets(y)
        if not self.targets:
            return
        self.encoder.learn(x)
        learner = self._fit(rate)
        observed = np.full(len(self.targets), math.nan)
        for name, value in y.items():
            observed[self.targets[name]] = value
        inputs = self._inputs(x)
        if self.feedback:
            self.last = np.where(np.isfinite(observed), observed, self.last)
        self._learn(learner, inputs, observed)

    def _add_targets(self, y: Mapping[Any, Any]) -> None:
        for name in sorted(y.keys() - self.targets.keys(), key=repr):
            self.targets[name] = len(self.targets)
        self.kind = Regression(len(self.targets))
        if self.feedback:
            self.encoder.add([LastTarget(name) for name in y if LastTarget(name) not in self.encoder.columns])
            at = [self.encoder.columns[LastTarget(name)] for name in self.targets]
            self._last_at = np.array(at, np.int64)
        grown = np.full(len(self.targets), math.nan)
        grown[: self.last.size] = self.last
        self.last = grown


class ClassNetwork(OnlineNetwork):
    """Predicts which of the classes seen so far it will be."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.classes: dict[Any, int] = {}
        self.kind = Classification(2)  # the least that a network tells apart

    def _loss(self) -> Loss:
        return make_loss("cross_entropy", classes=self.kind.outputs)

    def predict(self, x: Mapping[Any, Any]) -> dict[Any, float]:
        """The probability of every class seen so far."""
        if self.learner is None or len(self.classes) < 2:
            return dict.fromkeys(self.classes, 1.0)
        return dict(zip(self.classes, self._predict(self.learner, x).tolist(), strict=True))

    def learn(self, x: Mapping[Any, Any], y: Any, rate: float) -> None:
        """Learn from an event; a class that is not known (None) teaches nothing, but the state moves on."""
        label = np.full(1, math.nan)
        if y is not None and y == y:  # a missing label may also be NaN
            label[0] = self.classes.setdefault(y, len(self.classes))
            if len(self.classes) > self.kind.outputs:
                self.kind = Classification(len(self.classes))
        self.encoder.learn(x)
        learner = self._fit(rate)
        self._learn(learner, self._inputs(x), label)
