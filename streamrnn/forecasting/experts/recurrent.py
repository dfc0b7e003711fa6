"""The recurrent experts: networks whose hidden state is carried from event to event, read out by least squares.

Every network j of a target sees the inputs of `inputs.py` and gives the hidden output h'. Its readout forecasts the
next step from phi = [h', 1, own lags, inputs]. When the value comes, with error e and its running variance v,

    d loss / d h' = -clip(e, 3 sqrt(v)) / v  w_h          w_h: the readout's weights of h', before their own update

flows back through the truncation window into the network's weights; then the readout learns. Each target has its own
networks; the series of a partition share them unless `weights: series`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells import cell as cells
from streamrnn.forecasting.experts.readout import Blocks, forecast_step
from streamrnn.forecasting.inputs import fill_lags, fill_periodic
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line
from streamrnn.learning import optimizers, tbptt

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Floats = NDArray[np.floating]

ERROR_CLIP = 3.0


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
    tape: Floats  # (rows, N, truncation_length * step_size)
    weights: optimizers.Weights  # (rows, N or 0, parameters)


class RecurrentShared(NamedTuple):
    """State of the partition."""

    weights: optimizers.Weights  # (1, N or 0, parameters)


class RecurrentScratch(NamedTuple):
    """Working room and constants."""

    initial: Floats  # (networks, parameters)
    network: tbptt.Scratch
    inputs: Floats  # (inputs,) in the networks' precision


def allocate_recurrent(
    config: RecurrentConfig, rows: int, targets: int, inputs: int, seed: int, dtype: Any
) -> tuple[RecurrentShared, RecurrentSeries, RecurrentScratch]:
    """New networks for `targets` targets with `inputs` inputs each."""
    cell, count = config.cell, targets * config.networks
    series = RecurrentSeries(
        np.zeros((rows, count), np.int64),
        np.zeros((rows, count, cells.state_size(cell)), dtype),
        np.zeros((rows, count, config.truncation_length * cells.step_size(cell)), dtype),
        _weights(cell, rows, count if config.own_weights else 0, dtype),
    )
    shared = RecurrentShared(_weights(cell, 1, 0 if config.own_weights else count, dtype))
    scratch = RecurrentScratch(
        np.stack([tbptt.initial_weights(cell, seed * 1000 + j, dtype) for j in range(config.networks)]),
        tbptt.new_scratch(cell, config.truncation_length, dtype),
        tbptt.aligned_zeros(inputs, dtype),
    )
    return shared, series, scratch


def _weights(cell: Any, rows: int, count: int, dtype: Any) -> optimizers.Weights:
    size = tbptt.padded(cells.parameter_count(cell))
    w, m, v, good = (tbptt.aligned_zeros((rows, count, size), dtype) for _ in range(4))
    return optimizers.Weights(w, m, v, good, np.zeros((rows, count, optimizers.COUNTERS), np.int64))


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
    config: RecurrentConfig, weights: optimizers.Weights, tapes: tbptt.Series, scratch: tbptt.Scratch, net: int,
    f: Float32, at: int, m: int, step: float,
) -> None:  # fmt: skip
    """Teach network `net` that the step came (sigmas); its readout of m features lies at f[at] and does not change."""
    out_of_line()
    outputs = cells.output_size(config.cell)
    ring = config.truncation_length
    steps = tbptt.window_steps(ring, tapes, net)
    variance = max(f[at], 1e-6)
    slope = clip(step - forecast_step(f, at, m), ERROR_CLIP * math.sqrt(variance)) / variance
    if steps == 0 or not math.isfinite(slope):
        return
    d = scratch.d_outputs
    newest = (steps - 1) * outputs
    for k in range(newest):
        d[k] = 0.0
    for k in range(outputs):
        d[newest + k] = -slope * f[at + 1 + k]
    tbptt.flow_back(config.cell, ring, weights, net, tapes, net, steps, scratch, False)
    optimizers.update(config.optimizer, weights, net, scratch.gradient, math.inf)


@kernel
def advance_network(
    config: RecurrentConfig, weights: optimizers.Weights, tapes: tbptt.Series, scratch: RecurrentScratch, net: int,
    initial: Floats, inputs: Float64, seasons: int, harmonics: int, recent: Float64, inverse: float,
    f: Float32, at: int, m: int,
) -> float:  # fmt: skip
    """One step of network `net`; returns what its readout now expects, in sigmas."""
    out_of_line()
    outputs = cells.output_size(config.cell)
    hidden = scratch.network.outputs
    for k in range(inputs.size):
        scratch.inputs[k] = inputs[k]
    optimizers.prepare(weights, net, initial)
    tbptt.step(config.cell, config.truncation_length, weights, net, tapes, net, scratch.inputs, hidden)
    phi = at + 1 + m
    for k in range(outputs):
        f[phi + k] = hidden[k]
    phi += outputs
    fill_lags(f, phi, recent, config.lags, inverse)
    phi += 1 + config.lags
    for k in range(inputs.size):
        f[phi + k] = inputs[k]
    if config.periodic:
        fill_periodic(f, phi + inputs.size, inputs, seasons, harmonics)
    return forecast_step(f, at, m)
