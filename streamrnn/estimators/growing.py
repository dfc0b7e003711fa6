"""A network that gets more inputs or outputs keeps what it has learned.

All numbers lie in flat vectors (see `cells/cell.py`): a new input is a new row in every matrix the inputs go through, a
new output a new row of the dense layer on top. The old numbers move to their new places, new weights start as those of
a new network, and their moments at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as interface
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.lru import LRU
from streamrnn.cells.stack import Stack
from streamrnn.learning import tbptt
from streamrnn.learning.learner import Learner, new_learner_series
from streamrnn.learning.losses import Loss
from streamrnn.learning.optimizers import Weights

Places = NDArray[np.int64]


def with_inputs(cell: Any, inputs: int) -> Any:
    """The same cell for `inputs` inputs."""
    if isinstance(cell, Network):
        return Network(with_inputs(cell.body, inputs), cell.head)
    if isinstance(cell, Stack):
        return Stack((with_inputs(cell.layers[0], inputs), *cell.layers[1:]))
    return cell._replace(input_size=inputs)


def with_outputs(cell: Network, outputs: int) -> Network:
    """The same network with `outputs` outputs."""
    return Network(cell.body, Dense(cell.head.input_size, outputs))


def _input_rows(cell: Any) -> list[tuple[int, int]]:
    """Where the row of the first input begins, and how long it is, in every matrix that the inputs go through."""
    if isinstance(cell, Network):
        return _input_rows(cell.body)
    if isinstance(cell, Stack):
        return _input_rows(cell.layers[0])
    if isinstance(cell, LRU):
        columns = 2 * cell.hidden_size
        return [(0, columns), (cell.input_size * columns + columns, columns)]
    one_more = cell._replace(input_size=cell.input_size + 1)
    return [(0, interface.parameter_count(one_more) - interface.parameter_count(cell))]


def _new_inputs(cell: Any, added: int) -> Places:
    """Before which old parameter each new one belongs."""
    inputs = interface.input_size(cell)
    return np.concatenate(
        [np.full(added * columns, first + inputs * columns) for first, columns in _input_rows(cell)]
    ).astype(np.int64)


def _new_outputs(cell: Network, added: int) -> Places:
    head = interface.parameter_count(cell.body)
    matrix = cell.head.output_size * cell.head.input_size
    end = head + matrix + cell.head.output_size
    return np.array([head + matrix] * (added * cell.head.input_size) + [end] * added, np.int64)


def _moved(old: NDArray[Any], places: Places, new: NDArray[Any]) -> NDArray[Any]:
    """`new` with every number of `old` at the place it moves to."""
    origin = np.insert(np.arange(old.size), places, -1)
    result = tbptt.aligned_zeros(new.size, new.dtype)
    result[:] = np.where(origin >= 0, old[np.maximum(origin, 0)], new)
    return result


def grow_inputs(learner: Learner, inputs: int, seed: int) -> Learner:
    """The same learner, of one series, for more inputs."""
    cell = learner.cell
    added = inputs - interface.input_size(cell)
    grown = Learner(
        with_inputs(cell, inputs), learner.settings, learner.loss, learner.optimizer, seed=seed, dtype=learner.dtype
    )
    _move_weights(learner, grown, _new_inputs(cell, added))
    steps = learner.series.tape.reshape(learner.settings.truncation_length, -1)
    begin = interface.input_size(cell)
    tape = np.insert(steps, [begin] * added, 0.0, axis=1)  # a step on the tape begins with its inputs
    grown.series.tape[:] = tape.reshape(1, -1)
    grown.series.pending[:] = learner.series.pending
    _keep_state(learner, grown)
    return grown


def grow_outputs(learner: Learner, outputs: int, loss: Loss, seed: int) -> Learner:
    """The same learner, of one series, with more outputs."""
    cell: Network = learner.cell
    before = cell.head.output_size
    grown = Learner(
        with_outputs(cell, outputs), learner.settings, loss, learner.optimizer, seed=seed, dtype=learner.dtype
    )
    _move_weights(learner, grown, _new_outputs(cell, outputs - before))
    grown.series.tape[:] = learner.series.tape
    steps = learner.series.pending.reshape(learner.settings.truncation_length, -1)
    pending = grown.series.pending.reshape(learner.settings.truncation_length, -1)
    pending[:, :before] = steps[:, :before]
    pending[:, outputs : outputs + before] = steps[:, before : 2 * before]
    pending[:, 2 * outputs] = steps[:, 2 * before]
    _keep_state(learner, grown)
    return grown


def _keep_state(learner: Learner, grown: Learner) -> None:
    grown.series.state[:] = learner.series.state
    grown.series.steps[:] = learner.series.steps
    grown.series.fresh[:] = learner.series.fresh


def _move_weights(learner: Learner, grown: Learner, places: Places) -> None:
    count, after = learner.initial.size, grown.initial.size
    grown.initial[:] = _moved(learner.initial, places, grown.initial)
    nothing = np.zeros(after, learner.dtype)
    fill = Weights(grown.initial, nothing, nothing, grown.initial, nothing)
    for old, new, start in zip(learner.weights[:4], grown.weights[:4], fill[:4], strict=True):
        new[0, :after] = _moved(old[0, :count], places, start)
    grown.weights.counters[:] = learner.weights.counters


def forget_sequence(learner: Learner) -> None:
    """Begin a new sequence: no hidden state, and no step on the tape that an error could flow back to."""
    fresh = new_learner_series(learner.cell, 1, learner.settings, learner.dtype)
    for old, new in zip(learner.series, fresh, strict=True):
        old[:] = new
