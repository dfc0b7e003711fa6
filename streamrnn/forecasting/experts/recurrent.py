"""The recurrent experts: networks whose hidden state is carried from event to event, read out by least squares.

Every network j of a target sees the inputs of `inputs.py` and gives the hidden output h'. Its readout forecasts the
next step from phi = [h', 1, own lags, inputs]. When the value comes, with error e and its running variance v,

    d loss / d h' = -clip(e, 3 sqrt(v)) / v  w_h          w_h: the readout's weights of h', before their own update

flows back through the truncation window into the network's weights; then the readout learns. Each target has its own
networks; the series of a partition share them unless `weights: series` (`own_networks.py`). The window is kept in 8
bits a number.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as cells
from streamrnn.forecasting.experts.own_networks import OwnNetworks, allocate_own, working_weights
from streamrnn.forecasting.experts.readout import Blocks, forecast_step, weights_of
from streamrnn.forecasting.inputs import LAG_CLIP, fill_periodic
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.half import Quarters, load_quarters, store_quarters
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line
from streamrnn.learning import optimizers, tbptt

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Floats = NDArray[np.floating]

ERROR_CLIP = 3.0
LEAST = -9  # power of two: in the window, what is smaller is kept as zero, and nothing is larger than 120


class RecurrentConfig(NamedTuple):
    """Settings of the recurrent experts."""

    cell: Any
    optimizer: optimizers.Optimizer
    networks: int  # per target
    truncation_length: int
    update_every: int
    learn_from: int  # events of a series before it teaches the networks
    lags: int
    forgetting: float
    periodic: bool  # readout weights that depend on the phase
    own_weights: bool  # every series its own
    blocks: Blocks


class RecurrentSeries(NamedTuple):
    """State per series; N = targets * networks, target by target."""

    steps: NDArray[np.int64]  # (rows, N)
    state: Floats  # (rows, N, state_size)
    tape: Quarters  # (rows, N, truncation_length * step_size)
    weights: OwnNetworks | None  # None: the partition's


class RecurrentShared(NamedTuple):
    """State of the partition."""

    weights: optimizers.Weights  # (1, N or 0, parameters)


class RecurrentScratch(NamedTuple):
    """Working room and constants."""

    initial: Floats  # (networks, parameters)
    network: tbptt.Scratch
    weights: optimizers.Weights  # (1, 0 or N, parameters) of one series, where each has its own
    inputs: Floats  # (inputs,) in the networks' precision
    tapes: Floats  # (N, truncation_length * step_size) of one series


def allocate_recurrent(
    config: RecurrentConfig, rows: int, targets: int, inputs: int, seed: int
) -> tuple[RecurrentShared, RecurrentSeries, RecurrentScratch]:
    """New networks for `targets` targets with `inputs` inputs each."""
    cell, count = config.cell, targets * config.networks
    tape, size = config.truncation_length * cells.step_size(cell), tbptt.padded(cells.parameter_count(cell))
    own = count if config.own_weights else 0
    initial = np.stack([tbptt.initial_weights(cell, seed * 1000 + j) for j in range(config.networks)])
    series = RecurrentSeries(
        np.zeros((rows, count), np.int64),
        np.zeros((rows, count, cells.state_size(cell)), np.float32),
        np.zeros((rows, count, tape), np.uint8),
        allocate_own(rows, own, size) if own else None,
    )
    shared = RecurrentShared(working_weights(count - own, size))
    working = working_weights(own, size)
    for net in range(own):
        working.good[0, net, : initial.shape[1]] = initial[net % config.networks]
    scratch = RecurrentScratch(
        initial,
        tbptt.new_scratch(cell, config.truncation_length),
        working,
        tbptt.aligned_zeros(inputs),
        tbptt.aligned_zeros((count, tape)),
    )
    return shared, series, scratch


@kernel
def networks_of(weights: optimizers.Weights, row: int) -> optimizers.Weights:
    """The networks in one row; the slot of each is its number."""
    out_of_line()
    return optimizers.Weights(
        weights.parameters[row], weights.first_moment[row], weights.second_moment[row], weights.good[row],
        weights.counters[row],
    )  # fmt: skip


@kernel
def learn_network(
    config: RecurrentConfig, weights: optimizers.Weights, tapes: tbptt.Series, stored: Quarters, scratch: tbptt.Scratch,
    net: int, f: Float32, at: int, phi: Float32, step: float,
) -> None:  # fmt: skip
    """Teach network `net` that the step came (sigmas); its readout lies at f[at], had phi (m,) and does not change."""
    out_of_line()
    outputs = cells.output_size(config.cell)
    ring = config.truncation_length
    steps = tbptt.window_steps(ring, tapes, net)
    variance = max(f[at], 1e-6)
    slope = clip(step - forecast_step(f, at, config.blocks, 0, phi), ERROR_CLIP * math.sqrt(variance)) / variance
    if steps == 0 or not math.isfinite(slope):
        return
    d = scratch.d_outputs
    newest, weights_at = (steps - 1) * outputs, weights_of(at, config.blocks, 0)
    for k in range(newest):
        d[k] = 0.0
    for k in range(outputs):
        d[newest + k] = -slope * f[weights_at + k]
    load_quarters(stored[net], tapes.tape[net], LEAST)
    tbptt.flow_back(config.cell, ring, weights, net, tapes, net, steps, scratch, False)
    optimizers.update(config.optimizer, weights, net, scratch.gradient, math.inf)


@kernel
def advance_network(
    config: RecurrentConfig, weights: optimizers.Weights, tapes: tbptt.Series, stored: Quarters,
    scratch: RecurrentScratch, net: int, initial: Floats, inputs: Float32, given: Float32,
) -> None:  # fmt: skip
    """One step of network `net`; what it gives is written to given (output_size,)."""
    out_of_line()
    hidden = scratch.network.outputs
    for k in range(inputs.size):
        scratch.inputs[k] = inputs[k]
    optimizers.prepare(weights, net, initial)
    ring, size = config.truncation_length, cells.step_size(config.cell)
    place = tapes.steps[net] % ring * size
    tbptt.step(config.cell, ring, weights, net, tapes, net, scratch.inputs, hidden)
    store_quarters(tapes.tape[net], place, size, stored[net], place, LEAST)
    for k in range(cells.output_size(config.cell)):
        given[k] = hidden[k]


@kernel
def fill_network(
    config: RecurrentConfig, phi: Float32, hidden: Float32, recent: Float64, inverse: float, inputs: Float32,
    seasons: int, harmonics: int,
) -> None:  # fmt: skip
    """Write phi (m,) of a readout: hidden (output_size,), recent (values,) newest first, inputs (inputs,).

    The last steps go from the oldest to the newest, so that the newest lie beside the inputs that resemble them.
    """
    out_of_line()
    for k in range(hidden.size):
        phi[k] = hidden[k]
    o = hidden.size
    for j in range(config.lags):
        phi[o + config.lags - 1 - j] = clip((recent[j] - recent[j + 1]) * inverse, LAG_CLIP)
    o += config.lags
    phi[o] = 1.0
    for k in range(inputs.size):
        phi[o + 1 + k] = inputs[k]
    if config.periodic:
        fill_periodic(phi, o + 1 + inputs.size, inputs, seasons, harmonics)
