"""Whole series through the product, through the forecaster alone with parts changed, and through one plain network."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sources import HOUR, Float64, Int64

from streamrnn.cells.dense import Dense, Network
from streamrnn.config.tree import Config
from streamrnn.forecasting import forecaster
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.experts.readout import covariance_size, readout_size
from streamrnn.forecasting.model import ForecastModel
from streamrnn.forecasting.presets import with_layout
from streamrnn.kernels.jit import kernel
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer
from streamrnn.records.events import Decoded


def through_the_product(times: Int64, x: Float64, settings: dict[str, Any]) -> tuple[Answers, float, int]:
    """What `streamrnn run` answers to one series `(events,)` or `(events, targets)`, us per value, bytes per series."""
    values = np.ascontiguousarray(x.reshape(len(x), -1))
    names = [f"v{i}" for i in range(values.shape[1])]
    model = ForecastModel(Config.model_validate({"event": {"targets": names}, "model": settings}))
    try:
        begin = time.process_time()  # the machine may be busy
        answers = model.process(Decoded(["x"] * len(values), times, values, np.zeros((len(values), 0)), [], []))
        return answers, (time.process_time() - begin) * 1e6 / values.size, model.bytes_per_series
    finally:
        model.close()


@kernel
def _run(
    config: Any, shared: Any, series: Any, scratch: Any, times: Any, x: Any, u: Any, reset: bool, out: Any, median: Any
) -> None:
    """Forecasts (events, horizon, targets) after each event; `reset` empties the hidden state before every event."""
    for t in range(times.size):
        if reset:
            state = series.recurrent.state[0]
            for j in range(state.shape[0]):
                for k in range(state.shape[1]):
                    state[j, k] = 0.0
        forecaster.observe(config, shared, series, scratch, 0, times[t], x[t], u[t], out[t], median[t])


def forecast(
    x: Float64, times: Any = None, u: Float64 | None = None, *, seed: int = 0, reset: bool = False,
    change: Any = None, frozen_after: int | None = None, **settings: Any,
) -> Float64:  # fmt: skip
    """Forecasts (events, horizon, targets) of the forecaster alone.

    `change` edits its configuration, `settings` are those of `forecaster_config`. From event `frozen_after` on networks
    and least squares learn nothing (one network, one step ahead).
    """
    values = x.reshape(len(x), -1)
    features = np.zeros((len(x), 0)) if u is None else u
    when = np.arange(len(x)) * HOUR if times is None else times
    config = forecaster.forecaster_config(targets=values.shape[1], features=features.shape[1], **settings)
    if change is not None:
        config = change(config)
    shared, series, scratch = forecaster.allocate(config, 1, seed)
    out = np.full((len(x), config.horizon, values.shape[1]), np.nan)
    median = out.copy()
    end = len(x) if frozen_after is None else frozen_after
    _run(config, shared, series, scratch, when[:end], values[:end], features[:end], reset, out[:end], median[:end])
    if frozen_after is not None:
        at = config.at
        for first, blocks in (
            (at.readouts, config.recurrent.blocks), (at.autoregression, config.autoregression.blocks),
            (at.own, config.pooled.own_blocks),
        ):  # fmt: skip
            covariance = first + readout_size(blocks) - covariance_size(blocks)
            series.singles[:, :, covariance : first + readout_size(blocks)] = 0.0
        shared.pooled[:, 1 + sum(config.pooled.blocks.sizes) :] = 0.0
        _run(changed(config, **_still(config)), shared, series, scratch, when[end:], values[end:], features[end:],
             reset, out[end:], median[end:])  # fmt: skip
    return out


def changed(config: forecaster.ForecasterConfig, **fields: Any) -> forecaster.ForecasterConfig:
    """The configuration with some fields replaced and the sizes that follow from them."""
    return with_layout(config._replace(**fields))


def _still(config: forecaster.ForecasterConfig) -> dict[str, Any]:
    """Fields with which networks, least squares (once their precision is zero) and the drift detector stand still."""
    optimizer = make_optimizer("adam", 0.0)
    return {
        "first_covariance": 0.0,
        "recurrent": config.recurrent._replace(optimizer=optimizer),
        "drift": config.drift._replace(threshold=0.0),
    }


def alone(z: Float64, seed: int, *, increments: bool, cell: Any, truncation: int = 16) -> Float64:
    """Forecasts (events, 7) of one network with a linear head, all of it trained by Adam, over standardized values."""
    steps = np.diff(z, axis=0, prepend=z[:1])
    learner = Learner(
        Network(cell(14, 32), Dense(32, 7)),
        make_settings(truncation_length=truncation, clip=6.0),
        make_loss("squared", targets=7),
        make_optimizer("adam", 1e-3, clip_norm=3.0),
        rows=1,
        slots=1,
        seed=seed,
    )
    inputs = np.concatenate([z, steps], axis=1)
    following = np.full_like(z, np.nan)  # what comes next is an event's target
    following[:-1] = (steps if increments else z)[1:]
    made, _ = learner.learn_many(np.zeros(len(z), np.int64), inputs, following)
    forecasts: Float64 = made + z if increments else made
    return forecasts
