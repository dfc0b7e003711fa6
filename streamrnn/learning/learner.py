"""A network that learns from a stream: forward, loss, way back and update of one event after the other.

An event's target belongs to its own inputs: the network predicts, then learns. A missing target (NaN) teaches nothing.
Every `update_every` events of a series the residuals since the last update flow back through up to `truncation_length`
stored steps. Series share one network (`slot` 0) or own one each (`slot` = row).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.errors import ConfigurationError
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.linear import copy
from streamrnn.kernels.vector import out_of_line
from streamrnn.learning import tbptt
from streamrnn.learning.losses import CROSS_ENTROPY, Loss, differentiate, predictions
from streamrnn.learning.optimizers import SHORTENED, Optimizer, Weights, prepare, retreat, skip, update

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]

HALVINGS = 8


class Settings(NamedTuple):
    """How a network learns, as numbers for kernels; made by `make_settings`."""

    truncation_length: int
    update_every: int
    residual_steps: int  # newest steps whose residual an update takes
    clip: float


class LearnerSeries(NamedTuple):
    """What every series carries; first axis: row. An all-zero row is a new series."""

    steps: Rows  # (rows,)
    state: Floats  # (rows, state_size)
    tape: Floats  # (rows, truncation_length * step_size)
    pending: Floats  # (rows, truncation_length * (2 outputs + 1)) of every step predictions, derivatives, reach
    fresh: Rows  # (rows,) residuals since the last update


def make_settings(*, truncation_length: int = 16, update_every: int = 1, clip: float = math.inf) -> Settings:
    """Settings of a learner.

    Args:
        truncation_length: how many steps an error flows back.
        update_every: events of a series between two updates; every residual counts once.
        clip: inputs are brought into [-clip, clip].

    Raises:
        ConfigurationError: a setting is outside its range.
    """
    if min(truncation_length, update_every) < 1:
        raise ConfigurationError("truncation_length and update_every are at least 1")
    return Settings(truncation_length, update_every, min(update_every, truncation_length), clip)


def new_learner_series(cell: Any, rows: int, settings: Settings, dtype: Any = np.float32) -> LearnerSeries:
    """Zeros for `rows` new series."""
    base = tbptt.new_series(cell, rows, settings.truncation_length, dtype)
    each = 2 * interface.output_size(cell) + 1
    pending = tbptt.aligned_zeros((rows, settings.truncation_length * each), dtype)
    return LearnerSeries(*base, pending, np.zeros(rows, np.int64))


@kernel
def usable(x: float, clip: float) -> float:
    """An input brought into [-clip, clip]; 0, the middle, where it is missing or unbounded."""
    if math.isnan(x):
        return 0.0
    clipped = min(max(x, -clip), clip)
    return clipped if math.isfinite(clipped) else 0.0


@kernel
def learn_one(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights, slot: int,
    series: LearnerSeries, row: int, inputs: Floats, targets: Floats, output: Floats, scratch: tbptt.Scratch,
) -> float:  # fmt: skip
    """One event: `inputs` (input_size,), `targets` (targets,) to `output` (output_size,); returns the event's loss.

    The loss is that of `output`, the prediction before the targets were learned; NaN where the state had to be thrown
    away.
    """
    out_of_line()
    prepare(weights, slot, initial)
    if not _move(cell, settings, optimizer, weights, slot, series, row, inputs, output, scratch):
        return math.nan
    value = _settle(cell, settings, loss, series, row, targets)
    if series.fresh[row] > 0 and series.steps[row] % settings.update_every == 0:
        _learn(cell, settings, loss, optimizer, weights, slot, series, row, scratch)
        series.fresh[row] = 0
    return value


@kernel
def _move(
    cell: Any, settings: Settings, optimizer: Optimizer, weights: Weights, slot: int,
    series: LearnerSeries, row: int, inputs: Floats, output: Floats, scratch: tbptt.Scratch,
) -> bool:  # fmt: skip
    """One step forward; whether the state stayed within bounds."""
    out_of_line()
    outputs, taken = interface.output_size(cell), scratch.inputs
    for j in range(interface.input_size(cell)):
        taken[j] = usable(inputs[j], settings.clip)
    base = tbptt.Series(series.steps, series.state, series.tape)
    if not tbptt.step(cell, settings.truncation_length, weights, slot, base, row, taken, output):
        skip(optimizer, weights, slot)
        series.fresh[row] = 0
        return False
    at = ((series.steps[row] - 1) % settings.truncation_length) * (2 * outputs + 1)
    copy(output, 0, outputs, series.pending[row], at)
    for j in range(outputs + 1):
        series.pending[row, at + outputs + j] = 0.0
    return True


@kernel
def _settle(cell: Any, settings: Settings, loss: Loss, series: LearnerSeries, row: int, targets: Floats) -> float:
    """Compare the newest prediction with its targets (targets,); returns the loss."""
    outputs, pending = interface.output_size(cell), series.pending[row]
    at = ((series.steps[row] - 1) % settings.truncation_length) * (2 * outputs + 1)
    value, reach = differentiate(loss, pending, at, targets, 0, pending, at + outputs)
    pending[at + 2 * outputs] += reach
    if pending[at + 2 * outputs] > 0.0:
        series.fresh[row] += 1
    return value


@kernel
def _learn(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, weights: Weights, slot: int,
    series: LearnerSeries, row: int, scratch: tbptt.Scratch,
) -> None:  # fmt: skip
    """One update from the newest steps of a series."""
    out_of_line()
    base = tbptt.Series(series.steps, series.state, series.tape)
    outputs = interface.output_size(cell)
    stride, pending, ring = 2 * outputs + 1, series.pending[row], settings.truncation_length
    steps = tbptt.window_steps(ring, base, row)
    if steps == 0:
        return
    newest = series.steps[row] - 1
    d_outputs, reach = scratch.d_outputs, 0.0
    for k in range(steps):
        if k < steps - settings.residual_steps:
            for j in range(outputs):
                d_outputs[k * outputs + j] = 0.0
        else:
            at = ((newest - steps + 1 + k) % ring) * stride
            copy(pending, at + outputs, outputs, d_outputs, k * outputs)
            reach += pending[at + 2 * outputs]
    tbptt.flow_back(cell, ring, weights, slot, base, row, steps, scratch, False)
    if not update(optimizer, weights, slot, scratch.gradient, reach) or settings.residual_steps > 1:
        return
    if loss.kind == CROSS_ENTROPY:
        return
    # The cap on the step holds to first order only, so the newest prediction itself is made again. It has passed its
    # target when, measured along the derivative, it moved by more than the distance there was.
    t, kept = (newest % ring) * interface.step_size(cell), (newest % ring) * stride
    for attempt in range(HALVINGS + 1):
        copy(series.tape[row], t, interface.input_size(cell), scratch.tape, 0)
        interface.rewind(cell, series.tape[row], t, scratch.state, 0)
        interface.forward(cell, weights.parameters[slot], 0, scratch.state, 0, scratch.tape, 0, scratch.outputs, 0)
        moved = 0.0
        for j in range(outputs):
            moved += pending[kept + outputs + j] * (pending[kept + j] - scratch.outputs[j])
        if moved <= reach:
            return
        retreat(weights, slot, scratch.gradient, 0.5 if attempt < HALVINGS - 1 else 0.0)
        weights.counters[slot, SHORTENED] += 1


@kernel
def learn_many(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights,
    series: LearnerSeries, rows: Rows, inputs: Floats, targets: Floats, output: Floats, losses: NDArray[np.float64],
    scratch: tbptt.Scratch,
) -> None:  # fmt: skip
    """A batch, event by event: rows (events,), inputs (events, input_size), targets (events, targets).

    Writes `output` (events, output_size) and `losses` (events,). Where a batch ends changes no bit of any result.
    """
    last = weights.parameters.shape[0] - 1
    for e in range(rows.size):
        losses[e] = learn_one(
            cell, settings, loss, optimizer, initial, weights, min(rows[e], last), series, rows[e],
            inputs[e], targets[e], output[e], scratch,
        )  # fmt: skip


class Learner:
    """A network, its weights and its series, for callers that are not kernels.

    >>> from streamrnn.cells.dense import Dense, Network
    >>> from streamrnn.cells.gru import GRU
    >>> from streamrnn.learning.losses import make_loss
    >>> from streamrnn.learning.optimizers import make_optimizer
    >>> cell = Network(GRU(1, 8), Dense(8, 1))
    >>> learner = Learner(cell, make_settings(), make_loss("squared"), make_optimizer("adam", 0.01))
    >>> x = np.ones((200, 1))
    >>> output, losses = learner.learn_many(np.zeros(200, np.int64), x, 0.5 * x)
    >>> bool(losses[-1] < 0.01 * losses[0])
    True
    """

    def __init__(
        self,
        cell: Any,
        settings: Settings,
        loss: Loss,
        optimizer: Optimizer,
        *,
        rows: int = 1,
        slots: int = 1,
        seed: int = 0,
        dtype: Any = np.float32,
    ) -> None:
        expected = predictions(loss)
        if interface.output_size(cell) != expected:
            raise ConfigurationError(
                f"the network has {interface.output_size(cell)} outputs, the loss needs {expected}"
            )
        self.cell, self.settings, self.loss, self.optimizer = cell, settings, loss, optimizer
        self.dtype = np.dtype(dtype)
        self.initial = tbptt.initial_weights(cell, seed, dtype)
        self.weights = tbptt.new_weights(cell, slots, dtype)
        self.series = new_learner_series(cell, rows, settings, dtype)
        self.scratch = tbptt.new_scratch(cell, settings.truncation_length, dtype)

    def learn_many(
        self, rows: Rows, inputs: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Learn from a batch; predictions (events, output_size) made before, and losses (events,)."""
        events = len(rows)
        output = np.zeros((events, interface.output_size(self.cell)), self.dtype)
        losses = np.zeros(events)
        with np.errstate(over="ignore"):  # what overflows here is clipped or left out by the kernel
            x = np.ascontiguousarray(inputs, self.dtype)
        learn_many(
            self.cell, self.settings, self.loss, self.optimizer, self.initial, self.weights, self.series,
            np.ascontiguousarray(rows, np.int64), x, np.ascontiguousarray(targets, np.float64), output, losses,
            self.scratch,
        )  # fmt: skip
        return output, losses
