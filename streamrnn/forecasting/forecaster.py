"""The point forecaster: what one event teaches about each target, and what is expected next.

Every target of a series has its own scale, seasonal tables, networks, linear experts and mixtures; the clock is the
series'. All experts forecast increments over the last value, in sigmas of `scaling.py`; persistence (increment 0) is
always one of them, and every other is kept within the range seen plus half its width. An event first teaches everything
that was waiting for it, then the state moves on and the next forecasts are made.

A missing value (NaN) is filled with the forecast made for it and teaches nothing. Forecasts are NaN only while a
target has not been seen at all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import blending, calendar, cycles, drift, future_inputs, memory
from streamrnn.forecasting.calendar import EVENTS, MOST_SEASONS
from streamrnn.forecasting.experts import multistep, pooled, season_storage, season_tables
from streamrnn.forecasting.experts.autoregression import fill_autoregression
from streamrnn.forecasting.experts.expert import Seen, all_steps, learn_all
from streamrnn.forecasting.experts.own_networks import put_back, put_back_regression, take_out, take_out_regression
from streamrnn.forecasting.experts.readout import (
    Stored,
    boost_covariance,
    boost_stored_covariance,
    forecast_step,
    learn_readout,
    learn_stored_readout,
    weights_of,
)
from streamrnn.forecasting.experts.recurrent import (
    advance_network,
    fill_network,
    learn_network,
    networks_of,
)
from streamrnn.forecasting.experts.registry import FURTHER
from streamrnn.forecasting.experts.season_storage import STEP_CLIP
from streamrnn.forecasting.forecaster_state import ForecasterScratch, ForecasterSeries, ForecasterShared, allocate
from streamrnn.forecasting.inputs import fill_inputs, load_inputs, newest_first, scale_features, store_inputs
from streamrnn.forecasting.presets import ForecasterConfig, forecaster_config
from streamrnn.forecasting.scaling import EXPECTED, HIGH, LOW, MEAN, SEEN, SIGMA, VARIANCE, clip
from streamrnn.kernels import half
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line
from streamrnn.learning import optimizers, tbptt

__all__ = [
    "ForecasterConfig",
    "ForecasterScratch",
    "ForecasterSeries",
    "ForecasterShared",
    "allocate",
    "drift_alarms",
    "forecaster_config",
    "has_drifted",
    "observe",
    "since_alarm",
]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

MOST_ERROR = 1e200
MOST = 1e30  # sigmas; what is remembered must fit a float32


@kernel
def observe(
    config: ForecasterConfig, shared: ForecasterShared, series: ForecasterSeries, scratch: ForecasterScratch,
    row: int, time: int, x: Float64, u: Float64, forecast: Float64, median: Float64,
) -> None:  # fmt: skip
    """Take in one event of the series in `row`.

    Args:
        config: sizes and rates.
        shared: the partition's networks; change.
        series: the series' state; the row changes.
        scratch: working room.
        row: of the series.
        time: microseconds since 1970.
        x: `(targets,)`, NaN where missing.
        u: `(features + known ahead x horizon,)`, what is not finite counts as 0, or as not known.
        forecast: `(horizon, targets)`, written: conditional means, in original units.
        median: `(horizon, targets)`, written: conditional medians, in original units.
    """
    out_of_line()
    clock, at, phases = series.clock[row], config.at, scratch.phases
    changed = calendar.observe_time(clock, time, config.periods, config.at.bins, scratch.offsets)
    calendar.fill_phases(clock, phases, scratch.offsets)
    scale_features(series.features[row], u[: config.features], config.memory, scratch.features)
    future_inputs.observe(config.future, series.future, scratch.future, row, u, config.features, clock)
    events = clock[EVENTS]
    recurrent = config.recurrent
    take_out(series.recurrent.weights, row, scratch.recurrent.weights)
    weights = networks_of(scratch.recurrent.weights if recurrent.own_weights else shared.recurrent.weights, 0)
    tapes = tbptt.Series(series.recurrent.steps[row], series.recurrent.state[row], scratch.recurrent.tapes)
    tape = series.recurrent.tape[row]
    take_out_regression(series.pooled, row, scratch.pooled)
    together = scratch.pooled if recurrent.own_weights else shared.pooled[0]
    experience = blending.Experience(shared.experience.seen[0], shared.experience.means[0])
    teach = recurrent.optimizer.rate > 0.0 and events > recurrent.learn_from and events % recurrent.update_every == 0
    for i in range(config.targets):
        z, recent = series.numbers[row, i], scratch.recent[i]
        t, v = series.shorts[row, i], series.bytes[row, i]
        memory.put(config, z, events, x[i])
        newest_first(z, at.history, at.values, events, recent)
        scratch.inverses[i] = 1.0 / z[at.scale + SIGMA] if z[at.scale + SIGMA] > 0.0 else 0.0
        for s in range(MOST_SEASONS):
            if changed >> s & 1:
                memory.replay(config, z, t, v, clock, s, scratch.offsets, recent, min(events, at.values) - 1, 1)
    for i in range(config.targets):
        z, f, recent = series.numbers[row, i], series.singles[row, i], scratch.recent[i]
        t, v = series.shorts[row, i], series.bytes[row, i]
        if not math.isnan(x[i]) and z[at.scale + SIGMA] > 0.0:
            sigma = z[at.scale + SIGMA]
            step = (x[i] - recent[1]) / sigma
            _learn(config, scratch, weights, tapes, tape, z, f, t, v, i, teach, clip(step, STEP_CLIP))
            seen = Seen(recent, events, 1.0 / sigma, z, f, t, v, at, clock, phases, scratch.room)
            learn_all(FURTHER, seen, at.singles, clip(step, STEP_CLIP))
            pooled.learn_pooled(
                config.pooled, together, f, t, at, clip(step, STEP_CLIP), scratch.own_phi, scratch.shared_phi,
                scratch.gain, scratch.gains, _stored_own(config, scratch, z, t, v),
            )  # fmt: skip
            blending.learn_blend(
                _mixtures(config, f, t, v), config.step_experts, not recurrent.own_weights, experience,
                z[at.scale + SEEN], step, sigma, season_storage.rounding(z, at), scratch.weights,
            )  # fmt: skip
            error = min(abs(x[i] - z[at.scale + EXPECTED]), MOST_ERROR)
            if drift.watch(config.drift, z, at.drift, error):
                _adapt(config, scratch, z, f, t, v)
        if z[at.scale + SEEN] > 0.0:
            multistep.learn(
                config.ahead, series.multistep, scratch.multistep, row, i, z, t, v, at, clock, phases, recent,
                math.isnan(x[i]), z[at.scale + SIGMA],
            )  # fmt: skip
            future_inputs.learn(config.future, series.future, scratch.future, row, i, recent, not math.isnan(x[i]))
        memory.remember(config, z, t, v, clock, phases, scratch.offsets, math.isnan(x[i]), recent)
    for i in range(config.targets):
        z = series.numbers[row, i]
        scratch.inverses[i] = 1.0 / z[at.scale + SIGMA] if z[at.scale + SIGMA] > 0.0 else 0.0
    step = (scratch.recent[0, 0] - scratch.recent[0, 1]) * scratch.inverses[0]
    cycles.remember_step(series.cycles[row], clock, math.nan if math.isnan(x[0]) else step)
    if config.periods[0] == 0:
        memory.look_for_periods(config, series, scratch, row)
    for i in range(config.targets):
        z, f = series.numbers[row, i], series.singles[row, i]
        t, v = series.shorts[row, i], series.bytes[row, i]
        recent, inverse = scratch.recent[i], scratch.inverses[i]
        if z[at.scale + SEEN] == 0.0:
            for k in range(config.horizon):
                forecast[k, i] = median[k, i] = math.nan
            continue
        fill_inputs(
            scratch.inputs, z, t, v, at, config.seasons, clock, phases[:, 1], recent, scratch.features,
            config.harmonics,
        )  # fmt: skip
        store_inputs(scratch.inputs, t, at.inputs)
        load_inputs(t, at.inputs, scratch.seen)
        phi, linear = scratch.phi[: at.readout], scratch.phi[: at.linear]
        for j in range(recurrent.networks):
            advance_network(
                recurrent, weights, tapes, tape, scratch.recurrent, i * recurrent.networks + j,
                scratch.recurrent.initial[j], scratch.seen, scratch.hidden[j],
            )  # fmt: skip
            _keep_hidden(config, scratch, t, j)
            _fill_network(config, scratch, i, j, 0)
            scratch.experts[1 + j] = forecast_step(f, at.readouts + j * at.readout_stride, recurrent.blocks, 0, phi)
        scratch.experts[1 + recurrent.networks] = (z[at.scale + MEAN] - recent[0]) * inverse
        e = 2 + recurrent.networks
        scratch.experts[e] = season_tables.step_of_season(z, t, v, at, clock, phases)
        e += 1
        if config.autoregression.lags > 0:
            if at.linear > 0:
                fill_autoregression(
                    config.autoregression, linear, i, scratch.recent, 0, scratch.inverses, scratch.seen, config.seasons,
                    config.harmonics,
                )  # fmt: skip
                scratch.experts[e] = forecast_step(f, at.autoregression, config.autoregression.blocks, 0, linear)
            else:
                scratch.experts[e] = forecast_step(f, at.readouts, recurrent.blocks, 1, phi)
            e += 1
        pooled.fill_pooled(z, scratch.own_phi, t, v, at, clock, phases, recent, inverse)
        scratch.experts[e] = pooled.pooled_step(together, f, at, scratch.own_phi)
        scratch.experts[e + 1] = scratch.experts[e] + pooled.own_step(config.pooled, f, at, scratch.own_phi)
        scratch.experts[e + 2] = season_tables.step_a_period_ago(z, t, v, at, clock, 1, phases[1, 1], inverse)
        seen = Seen(recent, events, inverse, z, f, t, v, at, clock, phases, scratch.room)
        e = all_steps(FURTHER, seen, at.singles, scratch.experts, e + 3)
        scratch.experts[e] = -recent[0] * inverse
        _blend(config, scratch, z, f, t, v, experience, recent[0], inverse, forecast, median, i)
        multistep.forecast_far(
            config.ahead, series.multistep, scratch.multistep, row, i, z, t, v, at, clock, phases, recent,
            math.isnan(x[i]), z[at.scale + SIGMA], forecast[0, i], forecast[:, i], median[:, i],
        )  # fmt: skip
        future_inputs.correct(
            config.future, series.future, scratch.future, row, i, clock, phases, recent[0], z[at.scale + MEAN],
            math.sqrt(z[at.scale + VARIANCE]), forecast[:, i], median[:, i],
        )  # fmt: skip
        z[at.scale + EXPECTED] = forecast[0, i]
    put_back(series.recurrent.weights, row, scratch.recurrent.weights, teach)
    put_back_regression(series.pooled, row, scratch.pooled)


@kernel
def _blend(
    config: ForecasterConfig, scratch: ForecasterScratch, z: Float64, f: Float32, t: Int16, v: UInt8,
    experience: blending.Experience, x: float, inverse: float, forecast: Float64, median: Float64, i: int,
) -> None:  # fmt: skip
    """Mean and median of the next step, from what the experts say."""
    out_of_line()
    at, count, said = config.at, config.step_experts, scratch.experts
    low, high = (z[at.scale + LOW] - x) * inverse, (z[at.scale + HIGH] - x) * inverse
    half = 0.5 * (high - low)
    least, most = min(low - half, 0.0), max(high + half, 0.0)  # a value beyond them may stay where it is
    said[0] = 0.0
    for k in range(1, count):
        said[k] = clip(max(least, min(most, said[k])), MOST) if math.isfinite(said[k]) else math.nan
    said[count - 1] = clip(max(low, min(high, said[count - 1])), MOST)
    mean, middle = blending.blend(
        _mixtures(config, f, t, v), count, not config.recurrent.own_weights, experience, z[at.scale + SEEN], said,
        scratch.weights, scratch.shown, 1.0 / inverse if inverse > 0.0 else 0.0,
    )  # fmt: skip
    forecast[0, i] = x + mean / inverse if inverse > 0.0 else x
    median[0, i] = x + middle / inverse if inverse > 0.0 else x
    z[at.scale + EXPECTED] = forecast[0, i]


@kernel
def _mixtures(config: ForecasterConfig, f: Float32, t: Int16, v: UInt8) -> blending.Mixtures:
    """Those of the next step."""
    at = config.at
    return blending.Mixtures(f[at.blend : at.singles], t[at.blend_halves : at.shorts], v[at.shown : at.bytes])


@kernel
def _keep_hidden(config: ForecasterConfig, scratch: ForecasterScratch, t: Int16, j: int) -> None:
    """Keep what network j gives in 16 bits, and go on with it as it is kept."""
    hidden = scratch.hidden[j]
    kept = config.at.hidden + j * hidden.size
    for k in range(hidden.size):
        t[kept + k] = np.int16(half.half(hidden[k]))
    _load_hidden(config, scratch, t, j)


@kernel
def _load_hidden(config: ForecasterConfig, scratch: ForecasterScratch, t: Int16, j: int) -> None:
    hidden = scratch.hidden[j]
    kept = config.at.hidden + j * hidden.size
    for k in range(hidden.size):
        hidden[k] = half.whole(int(np.uint16(t[kept + k])))


@kernel
def _fill_network(config: ForecasterConfig, scratch: ForecasterScratch, i: int, j: int, age: int) -> None:
    """scratch.phi = the features of network j of target i, for the event after the one `age` events ago.

    scratch.seen and scratch.hidden are what was kept for that event.
    """
    fill_network(
        config.recurrent, scratch.phi[: config.at.readout], scratch.hidden[j], scratch.recent[i, age:],
        scratch.inverses[i], scratch.seen, config.seasons, config.harmonics,
    )  # fmt: skip


@kernel
def _learn(
    config: ForecasterConfig, scratch: ForecasterScratch, weights: optimizers.Weights, tapes: tbptt.Series,
    tape: half.Quarters, z: Float64, f: Float32, t: Int16, v: UInt8, i: int, teach: bool, step: float,
) -> None:  # fmt: skip
    """Teach the networks and linear experts of target `i` the step that came (sigmas), from the phi it came after."""
    out_of_line()
    at, recurrent, linear = config.at, config.recurrent, config.autoregression
    phi = scratch.phi[: at.readout]
    load_inputs(t, at.inputs, scratch.seen)
    for j in range(recurrent.networks):
        readout = at.readouts + j * at.readout_stride
        _load_hidden(config, scratch, t, j)
        _fill_network(config, scratch, i, j, 1)
        if teach:
            net = i * recurrent.networks + j
            learn_network(recurrent, weights, tapes, tape, scratch.recurrent.network, net, f, readout, phi, step)
        if at.covariance_stride > 0:
            stored = _stored_readout(config, scratch, z, t, v, j)
            learn_stored_readout(f, readout, stored, recurrent.blocks, phi, step, recurrent.forgetting, scratch.gains)
        else:
            learn_readout(f, readout, recurrent.blocks, phi, step, recurrent.forgetting, scratch.gains)
    if at.linear > 0:
        phi = scratch.phi[: at.linear]
        fill_autoregression(
            linear, phi, i, scratch.recent, 1, scratch.inverses, scratch.seen, config.seasons, config.harmonics
        )
        learn_readout(f, at.autoregression, linear.blocks, phi, step, linear.forgetting, scratch.gains)


@kernel
def _stored(
    config: ForecasterConfig, scratch: ForecasterScratch, z: Float64, covariance: Int16, units: UInt8
) -> Stored:  # fmt: skip
    """Blocks of a target that are kept in `covariance` and `units`."""
    at = config.at
    return Stored(
        covariance, units, z[at.scale + SEEN], season_storage.rounding(z, at), scratch.covariance, scratch.scaled[0],
        scratch.scaled[1], scratch.scaled[2],
    )  # fmt: skip


@kernel
def _stored_readout(
    config: ForecasterConfig, scratch: ForecasterScratch, z: Float64, t: Int16, v: UInt8, j: int
) -> Stored:  # fmt: skip
    """The blocks of the readout of network j."""
    at = config.at
    first, units = at.covariances + j * at.covariance_stride, at.units + j * at.readout
    return _stored(config, scratch, z, t[first : first + at.covariance_stride], v[units : units + at.readout])


@kernel
def _stored_own(config: ForecasterConfig, scratch: ForecasterScratch, z: Float64, t: Int16, v: UInt8) -> Stored:
    """The blocks of the series' own regression."""
    at = config.at
    return Stored(
        t[at.own_covariance : at.own_covariance + at.own_stride], v[at.own_units : at.shown],
        z[at.scale + SEEN], season_storage.rounding(z, at), scratch.covariance, scratch.scaled[0], scratch.scaled[1],
        scratch.scaled[2],
    )  # fmt: skip


@kernel
def _adapt(
    config: ForecasterConfig, scratch: ForecasterScratch, z: Float64, f: Float32, t: Int16, v: UInt8
) -> None:  # fmt: skip
    """After a drift alarm: the experts of the next step learn fast again."""
    out_of_line()
    at, boost = config.at, config.covariance_boost
    blocks, linear = config.recurrent.blocks, config.autoregression.blocks
    for j in range(config.recurrent.networks):
        if at.covariance_stride > 0:
            boost_stored_covariance(_stored_readout(config, scratch, z, t, v, j), blocks, boost)
        else:
            boost_covariance(f[weights_of(at.readouts + j * at.readout_stride, blocks, blocks.heads) :], blocks, boost)
    if at.linear > 0:
        boost_covariance(f[weights_of(at.autoregression, linear, linear.heads) :], linear, boost)


@kernel
def has_drifted(config: ForecasterConfig, series: ForecasterSeries, row: int, target: int, x: float) -> bool:
    """Whether the value `x`, the newest of the target, raised a drift alarm."""
    state = series.numbers[row, target]
    at = config.at.drift
    return not math.isnan(x) and state[at + drift.ALARMS] > 0.0 and state[at + drift.SINCE] == 0.0


def drift_alarms(config: ForecasterConfig, series: ForecasterSeries) -> Float64:
    """Drift alarms since the series began, `(rows, targets)`."""
    return series.numbers[:, :, config.at.drift + drift.ALARMS].copy()


def since_alarm(config: ForecasterConfig, series: ForecasterSeries) -> Float64:
    """Values since the last drift alarm (0: the last value raised it) or since the series began, `(rows, targets)`."""
    return series.numbers[:, :, config.at.drift + drift.SINCE].copy()
