"""What the point forecaster keeps of a series and of a partition, and its working room."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import blending, cycles, future_inputs
from streamrnn.forecasting.calendar import CLOCK_SIZE, MOST_SEASONS
from streamrnn.forecasting.experts import far_state, pooled
from streamrnn.forecasting.experts.expert import ROOM
from streamrnn.forecasting.experts.readout import readout_size
from streamrnn.forecasting.experts.recurrent import (
    RecurrentScratch,
    RecurrentSeries,
    RecurrentShared,
    allocate_recurrent,
)
from streamrnn.forecasting.experts.registry import further_size
from streamrnn.forecasting.presets import ForecasterConfig

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


class ForecasterSeries(NamedTuple):
    """State per series; an all-zero row is a new series."""

    clock: Int64  # (rows, CLOCK_SIZE)
    cycles: UInt8  # (rows, cycles.RING_BYTES) last steps of the first target
    numbers: Float64  # (rows, targets, Layout.numbers)
    singles: Float32  # (rows, targets, Layout.singles and what the registry's experts remember)
    shorts: Int16  # (rows, targets, Layout.shorts)
    bytes: UInt8  # (rows, targets, Layout.bytes)
    features: Float64  # (rows, features, 3) count, mean and variance
    recurrent: RecurrentSeries
    pooled: Float32 | None  # (rows, numbers of a readout); None: the partition's
    multistep: far_state.MultistepSeries
    future: future_inputs.FutureSeries


class ForecasterShared(NamedTuple):
    """State of the partition."""

    recurrent: RecurrentShared
    pooled: Float64  # (1, numbers of a readout); none where every series has its own
    experience: blending.Experience


class ForecasterScratch(NamedTuple):
    """Working room and constants; nothing in it is carried from one event to the next."""

    offsets: Int64  # (2, pieces) of local time, see `calendar.py`
    phases: Float64  # (MOST_SEASONS, horizon + 1)
    cycles: tuple[Float64, Float64, Float64]  # working room of `look_for_periods`
    recent: Float64  # (targets, values) newest first
    past: Float64  # (cycles.RING + 1,) the same of the first target, the older ones from its steps
    inverses: Float64  # (targets,) 1 / sigma
    features: Float64  # standardized
    inputs: Float64  # of the next event
    seen: Float32  # (inputs,) as they are kept
    hidden: Float32  # (networks, outputs) as they are kept
    phi: Float32
    own_phi: Float32  # (pooled.FEATURES,)
    shared_phi: Float64
    gain: Float64
    gains: Float32
    covariance: Float32  # of the largest readout
    scaled: tuple[Float32, Float32, Float32]  # scales of its features, phi and gain in them
    experts: Float64  # (experts,)
    weights: Float64  # (experts,)
    shown: Float64  # (experts,)
    room: Float64  # (ROOM,) of experts
    recurrent: RecurrentScratch
    pooled: Float64  # (numbers of a readout,) of a series that has its own
    multistep: far_state.MultistepScratch
    future: future_inputs.FutureScratch


def allocate(
    config: ForecasterConfig, rows: int, seed: int, offsets: Int64 | None = None
) -> tuple[ForecasterShared, ForecasterSeries, ForecasterScratch]:
    """Arrays for `rows` new series; `seed` draws the networks' first weights.

    `offsets` (2, pieces) is the table of local time, see `calendar.py`; None: UTC.
    """
    T, H, at = config.targets, config.horizon, config.at
    own = config.recurrent.own_weights
    shared, recurrent, recurrent_scratch = allocate_recurrent(config.recurrent, rows, T, config.inputs, seed)
    far, far_scratch = far_state.allocate(config.ahead, rows, T)
    future, future_scratch = future_inputs.allocate(config.future, config.known_ahead, rows, T)
    series = ForecasterSeries(
        clock=np.zeros((rows, CLOCK_SIZE), np.int64),
        cycles=np.zeros((rows, cycles.RING_BYTES), np.uint8),
        numbers=np.zeros((rows, T, at.numbers)),
        singles=np.zeros((rows, T, at.singles + further_size()), np.float32),
        shorts=np.zeros((rows, T, at.shorts), np.int16),
        bytes=np.zeros((rows, T, at.bytes), np.uint8),
        features=np.zeros((rows, config.features, 3)),
        recurrent=recurrent,
        pooled=np.zeros((rows, readout_size(config.pooled.blocks)), np.float32) if own else None,
        multistep=far,
        future=future,
    )
    room = max(at.readout, at.linear, pooled.FEATURES)
    scratch = ForecasterScratch(
        offsets=np.zeros((2, 0), np.int64) if offsets is None else offsets,
        phases=np.zeros((MOST_SEASONS, H + 1)),
        cycles=(np.zeros(cycles.RING), np.zeros(cycles.RING // 2 + 2), np.zeros(cycles.RING // 2 + 2)),
        recent=np.zeros((T, at.values)),
        past=np.zeros(max(cycles.RING + 1, at.values)),
        inverses=np.zeros(T),
        features=np.zeros(config.features),
        inputs=np.zeros(config.inputs),
        seen=np.zeros(config.inputs, np.float32),
        hidden=np.zeros((config.recurrent.networks, recurrent_scratch.network.outputs.size), np.float32),
        phi=np.zeros(room, np.float32),
        own_phi=np.zeros(pooled.FEATURES, np.float32),
        shared_phi=np.zeros(pooled.FEATURES),
        gain=np.zeros(room),
        gains=np.zeros(room, np.float32),
        covariance=np.zeros(max(at.covariance_stride, at.own_stride), np.float32),
        scaled=(np.zeros(room, np.float32), np.zeros(room, np.float32), np.zeros(room, np.float32)),
        experts=np.zeros(config.experts),
        weights=np.zeros(config.experts),
        shown=np.zeros(config.experts),
        room=np.zeros(ROOM),
        recurrent=recurrent_scratch,
        pooled=np.zeros(readout_size(config.pooled.blocks)),
        multistep=far_scratch,
        future=future_scratch,
    )
    partition = ForecasterShared(
        shared,
        np.zeros((0 if own else 1, readout_size(config.pooled.blocks))),
        blending.new_experience(1, config.step_experts),
    )
    return partition, series, scratch
