"""A network that learns from a stream: forward, loss, way back and update of one event after the other.

With `horizon` 0 an event's target belongs to its own inputs (regression, classification): the network predicts, then
learns. With `horizon` h > 0 an event's target is what the last h events predicted, `h` steps ahead and less: first the
pending predictions it settles are learned from, then the network moves on and predicts the next h targets. Only
targets that have arrived are learned from; a missing one (NaN) teaches nothing.

Every `update_every` events of a series the residuals of its newest `residual_steps` settled steps flow back through up
to `truncation_length` stored steps. Series share one network (`slot` 0) or own one each (`slot` = row).
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
from streamrnn.kernels.vector import out_of_line, prefetch
from streamrnn.learning import rtrl, tbptt
from streamrnn.learning.losses import CROSS_ENTROPY, Loss, differentiate, predictions
from streamrnn.learning.optimizers import SHORTENED, Optimizer, Weights, prepare, retreat, skip, update

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]

HALVINGS = 8
AHEAD = 48  # events between asking for a row's memory and using it
TOGETHER = 8  # events whose tapes are touched in one go: a page is waited for, but several are looked up side by side
LINES = 32  # cache lines asked for at an event, besides an event's share of the tapes


class Settings(NamedTuple):
    """How a network learns, as numbers for kernels; made by `make_settings`."""

    truncation_length: int
    update_every: int
    residual_steps: int
    horizon: int
    ring: int
    clip: float
    forward_gradient: int
    carry_state: int


class LearnerSeries(NamedTuple):
    """What every series carries; first axis: row. An all-zero row is a new series."""

    steps: Rows  # (rows,)
    state: Floats  # (rows, state_size)
    tape: Floats  # (rows, ring * step_size)
    pending: Floats  # (rows, ring * (2 outputs + 1)) of every step its predictions, their derivatives, the reach
    fresh: Rows  # (rows,) residuals since the last update
    traces: Floats  # (rows, traces_size) of real-time recurrent learning


def make_settings(
    *,
    truncation_length: int = 16,
    update_every: int = 1,
    residual_steps: int | None = None,
    horizon: int = 1,
    clip: float = math.inf,
    learning: str = "tbptt",
    carry_state: bool = True,
) -> Settings:
    """Settings of a learner.

    Args:
        truncation_length: how many steps an error flows back.
        update_every: events of a series between two updates.
        residual_steps: how many of the newest settled steps give their residual to an update; by default those since
            the last one, so that every residual counts once. At most `truncation_length`.
        horizon: how many events ahead the targets lie; 0: the target belongs to the event's own inputs.
        clip: inputs are brought into [-clip, clip].
        learning: `tbptt`, or `rtrl` (exact, only for one `lru` layer, an update every event, horizon 0 or 1).
        carry_state: False forgets the hidden state at every event, to measure what it is worth.

    Raises:
        ConfigurationError: these settings do not fit together.
    """
    if min(truncation_length, update_every) < 1 or horizon < 0:
        raise ConfigurationError("truncation_length and update_every are at least 1, horizon is at least 0")
    if learning not in ("tbptt", "rtrl"):
        raise ConfigurationError(f"learning is tbptt or rtrl, not {learning!r}")
    if learning == "rtrl" and (update_every != 1 or horizon > 1):
        raise ConfigurationError("learning: rtrl needs update_every: 1 and horizon: 1 (or 0)")
    counted = min(update_every if residual_steps is None else residual_steps, truncation_length)
    ring = truncation_length + max(horizon - 1, 0)
    return Settings(
        truncation_length, update_every, counted, horizon, ring, clip, int(learning == "rtrl"), int(carry_state)
    )


def new_learner_series(cell: Any, rows: int, settings: Settings, dtype: Any = np.float32) -> LearnerSeries:
    """Zeros for `rows` new series."""
    base = tbptt.new_series(cell, rows, settings.ring, dtype)
    outputs = interface.output_size(cell)
    traces = rtrl.traces_size(cell) if settings.forward_gradient else 0
    return LearnerSeries(
        *base,
        tbptt.aligned_zeros((rows, settings.ring * (2 * outputs + 1)), dtype),
        np.zeros(rows, np.int64),
        tbptt.aligned_zeros((rows, traces), dtype),
    )


@kernel
def usable(x: float, clip: float) -> float:
    """An input brought into [-clip, clip]; 0, the middle, where it is missing or unbounded."""
    if math.isnan(x):
        return 0.0
    clipped = min(max(x, -clip), clip)
    return clipped if math.isfinite(clipped) else 0.0


@kernel
def learn(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, weights: Weights, slot: int,
    series: LearnerSeries, row: int, lag: int, scratch: tbptt.Scratch,
) -> None:  # fmt: skip
    """One update from the settled steps of a series; the newest of them was taken `lag` steps ago."""
    out_of_line()
    base = tbptt.Series(series.steps, series.state, series.tape)
    outputs = interface.output_size(cell)
    stride, pending, ring = 2 * outputs + 1, series.pending[row], settings.ring
    steps = tbptt.window_steps(ring, base, row, lag, settings.truncation_length)
    if steps == 0:
        return
    newest = series.steps[row] - 1 - lag
    d_outputs, reach = scratch.d_outputs, 0.0
    for k in range(steps):
        if k < steps - settings.residual_steps:
            for j in range(outputs):
                d_outputs[k * outputs + j] = 0.0
        else:
            at = ((newest - steps + 1 + k) % ring) * stride
            copy(pending, at + outputs, outputs, d_outputs, k * outputs)
            reach += pending[at + 2 * outputs]
    size = interface.step_size(cell)
    t = (newest % ring) * size
    if settings.forward_gradient == 1:
        for j in range(scratch.gradient.size):
            scratch.gradient[j] = 0.0
        d_newest = d_outputs[(steps - 1) * outputs : steps * outputs]
        rtrl.gradient_now(
            cell, weights.parameters[slot], series.tape[row], t, series.traces[row], d_newest, scratch.gradient,
            scratch.work,
        )  # fmt: skip
    else:
        tbptt.flow_back(cell, ring, weights, slot, base, row, lag, steps, scratch, False)
    if not update(optimizer, weights, slot, scratch.gradient, reach) or settings.residual_steps > 1:
        return
    if loss.kind == CROSS_ENTROPY:
        return
    # The cap on the step holds to first order only, so the newest prediction itself is made again. It has passed its
    # target when, measured along the derivative, it moved by more than the distance there was.
    made = (newest % ring) * stride
    for attempt in range(HALVINGS + 1):
        copy(series.tape[row], t, interface.input_size(cell), scratch.tape, 0)
        interface.rewind(cell, series.tape[row], t, scratch.state, 0)
        interface.forward(cell, weights.parameters[slot], 0, scratch.state, 0, scratch.tape, 0, scratch.outputs, 0)
        moved = 0.0
        for j in range(outputs):
            moved += pending[made + outputs + j] * (pending[made + j] - scratch.outputs[j])
        if moved <= reach:
            return
        retreat(weights, slot, scratch.gradient, 0.5 if attempt < HALVINGS - 1 else 0.0)
        weights.counters[slot, SHORTENED] += 1


@kernel
def settle(
    loss: Loss, settings: Settings, cell: Any, series: LearnerSeries, row: int, targets: Floats, total: float
) -> float:
    """Compare `targets` (targets,) with every pending prediction of them; return the loss of the newest one."""
    outputs, each = interface.output_size(cell), predictions(loss)
    stride, pending, steps = 2 * outputs + 1, series.pending[row], series.steps[row]
    leads = max(settings.horizon, 1)
    for lead in range(leads):
        number = steps - 1 - lead
        if number >= 0 and number >= steps - settings.ring:
            at = (number % settings.ring) * stride
            made = at + lead * each
            value, reach = differentiate(loss, pending, made, targets, 0, pending, made + outputs)
            pending[at + 2 * outputs] += reach
            if lead == 0:
                total = value
            if lead == leads - 1 and pending[at + 2 * outputs] > 0.0:
                series.fresh[row] += 1
    return total


@kernel
def learn_one(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights, slot: int,
    series: LearnerSeries, row: int, inputs: Floats, targets: Floats, made: Floats, scratch: tbptt.Scratch,
) -> float:  # fmt: skip
    """One event: `inputs` (input_size,), `targets` (targets,) to `made` (output_size,); returns the event's loss.

    The loss is that of the newest prediction of these targets, made before they were seen; NaN when there is none.
    """
    prepare(weights, slot, initial)
    lag = max(settings.horizon - 1, 0)
    value = math.nan
    if settings.horizon > 0:
        value = _settle_and_learn(cell, settings, loss, optimizer, weights, slot, series, row, lag, targets, scratch)
    _move(cell, settings, optimizer, weights, slot, series, row, inputs, made, scratch)
    if settings.horizon == 0:
        value = _settle_and_learn(cell, settings, loss, optimizer, weights, slot, series, row, lag, targets, scratch)
    return value


@kernel
def _settle_and_learn(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, weights: Weights, slot: int,
    series: LearnerSeries, row: int, lag: int, targets: Floats, scratch: tbptt.Scratch,
) -> float:  # fmt: skip
    out_of_line()
    value = settle(loss, settings, cell, series, row, targets, math.nan)
    if series.fresh[row] > 0 and series.steps[row] % settings.update_every == 0:
        learn(cell, settings, loss, optimizer, weights, slot, series, row, lag, scratch)
        series.fresh[row] = 0
    return value


@kernel
def _move(
    cell: Any, settings: Settings, optimizer: Optimizer, weights: Weights, slot: int,
    series: LearnerSeries, row: int, inputs: Floats, made: Floats, scratch: tbptt.Scratch,
) -> None:  # fmt: skip
    out_of_line()
    outputs, size = interface.output_size(cell), interface.step_size(cell)
    taken = scratch.inputs
    for j in range(interface.input_size(cell)):
        taken[j] = usable(inputs[j], settings.clip)
    if settings.carry_state == 0:
        for j in range(series.state.shape[1]):
            series.state[row, j] = 0.0
    base = tbptt.Series(series.steps, series.state, series.tape)
    if not tbptt.step(cell, settings.ring, weights, slot, base, row, taken, made):
        skip(optimizer, weights, slot)
        series.fresh[row] = 0
        for j in range(series.traces.shape[1]):
            series.traces[row, j] = 0.0
        return
    place = (series.steps[row] - 1) % settings.ring
    at = place * (2 * outputs + 1)
    copy(made, 0, outputs, series.pending[row], at)
    for j in range(outputs + 1):
        series.pending[row, at + outputs + j] = 0.0
    if settings.forward_gradient == 1:
        rtrl.carry_forward(cell, weights.parameters[slot], series.tape[row], place * size, series.traces[row])


@kernel
def ask_ahead(
    cell: Any, settings: Settings, series: LearnerSeries, rows: Rows, e: int, asked: int, place: int
) -> tuple[int, int]:
    """Have the memory of the next events fetched while event `e` is computed, a few cache lines at every event.

    `asked` is the first event whose memory was not all asked for, `place` how far its tape was; returns what they are
    now. A row that is due for an update needs its whole tape: asked for in one go, it would be waited for.
    """
    line, size, each = 64 // series.tape.itemsize, interface.step_size(cell), 2 * interface.output_size(cell) + 1
    tape, pending, state = series.tape.shape[1], series.pending.shape[1], series.state.shape[1]
    lines = LINES + tape // (line * settings.update_every)
    if asked < e:
        asked, place = e, 0
    if e % TOGETHER == 0:
        for k in range(e + AHEAD, min(e + AHEAD + TOGETHER, rows.size)):
            prefetch(series.tape, rows[k] * tape + series.steps[rows[k]] % settings.ring * size)
    while asked < min(e + AHEAD, rows.size) and lines > 0:
        row = rows[asked]
        number = series.steps[row]
        if place == 0:
            if asked + AHEAD + 2 * TOGETHER < rows.size:
                prefetch(series.steps, rows[asked + AHEAD + 2 * TOGETHER])
            prefetch(series.fresh, row)
            prefetch(series.pending, row * pending + (number - 1) % settings.ring * each)
            prefetch(series.pending, row * pending + number % settings.ring * each)
            for j in range(0, state, line):
                prefetch(series.state, row * state + j)
            for j in range(0, size, line):
                prefetch(series.tape, row * tape + number % settings.ring * size + j)
            lines -= 4 + (state + size) // line
        end = tape if number % settings.update_every == 0 else 0
        while place < end and lines > 0:
            prefetch(series.tape, row * tape + place)
            place += line
            lines -= 1
        if place >= end:
            asked, place = asked + 1, 0
    return asked, place


@kernel
def learn_many(
    cell: Any, settings: Settings, loss: Loss, optimizer: Optimizer, initial: Floats, weights: Weights,
    series: LearnerSeries, rows: Rows, inputs: Floats, targets: Floats, made: Floats, losses: NDArray[np.float64],
    scratch: tbptt.Scratch,
) -> None:  # fmt: skip
    """A batch, event by event: rows (events,), inputs (events, input_size), targets (events, targets).

    Writes `made` (events, output_size) and `losses` (events,). Where a batch ends changes no bit of any result.
    """
    last = weights.parameters.shape[0] - 1
    asked, place = 0, 0
    for e in range(rows.size):
        asked, place = ask_ahead(cell, settings, series, rows, e, asked, place)
        losses[e] = learn_one(
            cell, settings, loss, optimizer, initial, weights, min(rows[e], last), series, rows[e],
            inputs[e], targets[e], made[e], scratch,
        )  # fmt: skip


@kernel
def look_ahead(
    cell: Any, initial: Floats, weights: Weights, slot: int, series: LearnerSeries, row: int, inputs: Floats,
    made: Floats, scratch: tbptt.Scratch, settings: Settings,
) -> None:  # fmt: skip
    """What the network would predict for `inputs`, leaving everything as it is."""
    prepare(weights, slot, initial)
    for j in range(inputs.size):
        scratch.tape[j] = usable(inputs[j], settings.clip)
    for j in range(scratch.state.size):
        scratch.state[j] = series.state[row, j] if settings.carry_state == 1 and j < series.state.shape[1] else 0.0
    interface.forward(cell, weights.parameters[slot], 0, scratch.state, 0, scratch.tape, 0, made, 0)


class Learner:
    """A network, its weights and its series, for callers that are not kernels.

    >>> from streamrnn.cells.dense import Dense, Network
    >>> from streamrnn.cells.gru import GRU
    >>> from streamrnn.learning.losses import make_loss
    >>> from streamrnn.learning.optimizers import make_optimizer
    >>> cell = Network(GRU(1, 8), Dense(8, 1))
    >>> learner = Learner(cell, make_settings(horizon=0), make_loss("squared"), make_optimizer("adam", 0.01))
    >>> x = np.ones((200, 1))
    >>> made, losses = learner.learn_many(np.zeros(200, np.int64), x, 0.5 * x)
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
        expected = predictions.py_func(loss) * max(settings.horizon, 1)  # type: ignore[attr-defined]
        if interface.output_size(cell) != expected:
            raise ConfigurationError(
                f"the network has {interface.output_size(cell)} outputs, the loss needs {expected}"
            )
        if settings.forward_gradient and not rtrl.supports_rtrl(cell):
            raise ConfigurationError("learning: rtrl needs a single lru layer; use tbptt for this network")
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
        made = np.zeros((events, interface.output_size(self.cell)), self.dtype)
        losses = np.zeros(events)
        with np.errstate(over="ignore"):  # what overflows here is clipped or left out by the kernel
            x = np.ascontiguousarray(inputs, self.dtype)
        learn_many(
            self.cell, self.settings, self.loss, self.optimizer, self.initial, self.weights, self.series,
            np.ascontiguousarray(rows, np.int64), x, np.ascontiguousarray(targets, np.float64), made, losses,
            self.scratch,
        )  # fmt: skip
        return made, losses

    def look_ahead(self, inputs: NDArray[Any], row: int = 0) -> NDArray[Any]:
        """The prediction (output_size,) for `inputs` (input_size,), without learning or moving on."""
        made = np.zeros(interface.output_size(self.cell), self.dtype)
        slot = min(row, self.weights.parameters.shape[0] - 1)
        look_ahead(
            self.cell, self.initial, self.weights, slot, self.series, row,
            np.ascontiguousarray(inputs, self.dtype), made, self.scratch, self.settings,
        )  # fmt: skip
        return made
