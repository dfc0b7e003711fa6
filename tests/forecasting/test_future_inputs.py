"""What is known ahead: it helps where it says something, costs nothing where not, and may be missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamrnn.forecasting import forecaster
from streamrnn.state.arrays import row_bytes
from tests.forecasting.streams import HOUR, Forecaster, flat, run

H = 6
EVENTS = 3000
FIRST = 1500

Float64 = NDArray[np.float64]


def weather(events: int, seed: int) -> Float64:
    """Hourly temperatures: a day, and weather that comes and goes within days."""
    random = np.random.default_rng(seed)
    front = np.zeros(events)
    for i in range(1, events):
        front[i] = 0.97 * front[i - 1] + random.normal()
    return 12 + 5 * np.sin(2 * np.pi * np.arange(events) / 24) + front


def load(temperature: Float64, seed: int) -> Float64:
    """What a grid takes: heating below 15 degrees, cooling above 20."""
    hours = np.arange(len(temperature))
    base = 100 + 20 * np.sin(2 * np.pi * (hours - 8) / 24)
    noise = np.random.default_rng(seed).normal(0, 2, len(hours))
    return base + 3 * np.maximum(15 - temperature, 0) + 4 * np.maximum(temperature - 20, 0) + noise


def known(u: Float64, horizon: int = H, upto: int | None = None) -> Float64:
    """Features (events,) with their own values ahead, as `observe` takes them; none are known from `upto` on."""
    table = np.full((len(u), 1 + horizon), np.nan)
    table[:, 0] = u
    for k in range(1, horizon + 1):
        table[: len(u) - k, k] = u[k:]
    table[upto if upto is not None else len(u) :, 1:] = np.nan
    return table


def forecasts(x: Float64, u: Float64, ahead: bool = True, **settings: Any) -> tuple[Float64, Forecaster]:
    """Means (events, H), and the model; u (events, 1 or 1 + H)."""
    model = Forecaster(preset="lite", horizon=H, features=1, known_ahead=[0] if ahead else (), rows=1, **settings)
    when, rows = np.arange(len(x)) * HOUR, np.zeros(len(x), np.int64)
    out = np.full((len(x), H, 1), np.inf)
    model.median = out.copy()
    table = u.reshape(len(x), -1)
    if ahead and table.shape[1] == 1:
        table = known(table[:, 0])
    run(
        model.config, model.shared, model.series, model.scratch, rows, when, x[:, None].copy(),
        np.ascontiguousarray(table), out, model.median,
    )  # fmt: skip
    return out[:, :, 0], model


def errors(out: Float64, x: Float64, first: int = FIRST) -> Float64:
    """Mean squared error of every step (H,)."""
    steps = range(1, out.shape[1] + 1)
    return np.array([np.mean((out[first:-k, k - 1] - x[first + k :]) ** 2) for k in steps])


@pytest.fixture(scope="module")
def day() -> tuple[Float64, Float64]:
    temperature = weather(EVENTS, 1)
    return load(temperature, 2), temperature


@pytest.fixture(scope="module")
def without(day: tuple[Float64, Float64]) -> Float64:
    return forecasts(day[0], day[1], ahead=False)[0]


def test_a_temperature_that_is_known_ahead_helps_at_every_step(day: tuple[Float64, Float64], without: Float64) -> None:
    x, temperature = day
    out, model = forecasts(x, temperature)
    ratio = errors(out, x) / errors(without, x)
    assert ratio[0] < 0.8
    assert (ratio[1:] < 0.6).all()
    absolute = np.abs(model.median[FIRST:-H, H - 1, 0] - x[FIRST + H :]).mean()
    assert absolute < 0.75 * np.abs(without[FIRST:-H, H - 1] - x[FIRST + H :]).mean()


@pytest.mark.parametrize("kind", ["white", "walk", "rare"])
def test_what_is_known_of_noise_costs_next_to_nothing(day: tuple[Float64, Float64], kind: str) -> None:
    x = day[0]
    noise = np.random.default_rng(3).normal(size=len(x))
    noise = {"white": noise, "walk": noise.cumsum(), "rare": (noise > 2).astype(float)}[kind]
    ratio = errors(forecasts(x, noise)[0], x, 300) / errors(forecasts(x, noise, ahead=False)[0], x, 300)
    assert ratio.mean() < 1.01


def test_where_nothing_is_known_forecasts_are_those_without(day: tuple[Float64, Float64], without: Float64) -> None:
    x, temperature = day
    out, _ = forecasts(x, known(temperature, upto=0))
    np.testing.assert_array_equal(out, without)


def test_what_is_known_may_stop_and_come_again(day: tuple[Float64, Float64], without: Float64) -> None:
    x, temperature = day
    table = known(temperature)
    table[1000:1500] = np.nan  # the temperature itself, too
    table[2000:2500, 3:] = np.nan
    out, _ = forecasts(x, table)
    np.testing.assert_array_equal(np.isfinite(out[5:]), True)
    late = errors(out[2500:], x[2500:], 0) / errors(without[2500:], x[2500:], 0)
    assert (late < 0.8).all()


@pytest.mark.parametrize("feature", ["constant", "huge", "a spike", "not finite", "another unit"])
def test_nothing_that_a_feature_may_do_breaks_a_forecast(day: tuple[Float64, Float64], feature: str) -> None:
    x, temperature = day[0][:1200], day[1][:1200].copy()
    if feature == "constant":
        temperature[:] = 3.0
    elif feature == "huge":
        temperature *= 1e98
    elif feature == "a spike":
        temperature[600] = 1e100
    elif feature == "not finite":
        temperature[500:600] = math.inf
    else:
        temperature[600:] = 32 + 1.8 * temperature[600:]
    out, model = forecasts(x, temperature)
    assert np.isfinite(out[1:]).all()
    assert all(np.isfinite(array).all() for array in flat(model.series.future))
    ratio = errors(out, x, 100) / errors(forecasts(x, day[1][:1200], ahead=False)[0], x, 100)
    assert ratio.max() < 1.1


def test_values_of_any_size_are_forecast(day: tuple[Float64, Float64]) -> None:
    x, temperature = day[0][:1000].copy(), day[1][:1000]
    x[500] = 1e100
    x[700:] *= 1e6
    out, model = forecasts(x, temperature)
    assert np.isfinite(out[1:]).all()
    assert all(np.isfinite(array).all() for array in flat(model.series.future))


def test_what_nobody_asked_for_takes_no_byte() -> None:
    sizes = [
        row_bytes(
            forecaster.allocate(forecaster.forecaster_config(features=2, horizon=24, known_ahead=which), 1, 0)[1].future
        )
        for which in ((), (0,), (0, 1))
    ]
    assert sizes[0] == 0
    assert 0 < sizes[1] < sizes[2] < 2.2 * sizes[1]
