from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamrnn.errors import ConfigurationError
from streamrnn.forecasting.diagnostics import expert_names, expert_weights
from streamrnn.forecasting.forecaster import forecaster_config
from tests.forecasting.streams import HOUR, Forecaster, daily, error, flat

HOSTILE = {
    "spike up": (slice(500, 501), 1e100),
    "spike down": (slice(500, 501), -1e12),
    "constant": (slice(500, 700), 3.0),
    "missing": (slice(500, 700), np.nan),
}


def test_first_forecast_is_the_value() -> None:
    out = Forecaster(preset="lite", horizon=5).run([3.5])
    np.testing.assert_array_equal(out, 3.5)


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
def test_learns_a_day(preset: str) -> None:
    x = daily(2500)
    out = Forecaster(preset=preset, horizon=3).run(x)
    for step in (1, 2, 3):
        assert error(out, x, 1500, 2500, step) < 1.25 * 0.3 * np.sqrt(2 / np.pi)


def test_forecasts_do_not_know_the_future() -> None:
    x = daily(600)
    other = x.copy()
    other[400:] = 1e6
    settings: dict[str, Any] = {"preset": "lite", "horizon": 4}
    np.testing.assert_array_equal(Forecaster(**settings).run(x)[:400], Forecaster(**settings).run(other)[:400])


@pytest.mark.parametrize("cut", [1, 33, 250])
def test_where_the_stream_is_cut_changes_no_bit(cut: int) -> None:
    x = daily(500)
    whole, parts = Forecaster(preset="lite", horizon=3), Forecaster(preset="lite", horizon=3)
    times = np.arange(500) * HOUR
    once = whole.run(x, times)
    twice = np.concatenate([parts.run(x[:cut], times[:cut]), parts.run(x[cut:], times[cut:])])
    np.testing.assert_array_equal(once, twice)
    for a, b in zip(whole.arrays(), parts.arrays(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_scratch_carries_nothing() -> None:
    x = daily(400)
    clean, dirty = Forecaster(preset="lite", horizon=3), Forecaster(preset="lite", horizon=3)
    expected, got = [], []
    for t in range(400):
        when = np.array([t * HOUR])
        for array in (dirty.scratch.phases, dirty.scratch.phi, dirty.scratch.gain, dirty.scratch.experts,
                      dirty.scratch.recent, dirty.scratch.inputs, dirty.scratch.inverses,
                      dirty.scratch.past, dirty.scratch.multistep.phi, dirty.scratch.multistep.gain,
                      dirty.scratch.multistep.weights, dirty.scratch.multistep.seen, dirty.scratch.multistep.here,
                      dirty.scratch.multistep.next, dirty.scratch.multistep.experts,
                      dirty.scratch.multistep.mixing, dirty.scratch.multistep.joint_phi):  # fmt: skip
            array.fill(12345.0)
        expected.append(clean.run(x[t : t + 1], when))
        got.append(dirty.run(x[t : t + 1], when))
    np.testing.assert_array_equal(np.array(expected), np.array(got))


def test_a_row_of_zeros_is_a_new_series() -> None:
    x = daily(400)
    model = Forecaster(preset="lite", rows=2, weights="series")
    first = model.run(x, row=1)
    for array in model.arrays():
        if len(array) == 2:
            array[1] = 0
    np.testing.assert_array_equal(model.run(x, row=1), first)


def test_series_with_own_weights_do_not_meet() -> None:
    x, other = daily(600), daily(600, seed=1)
    alone = Forecaster(preset="lite", weights="series").run(x)
    model = Forecaster(preset="lite", rows=2, weights="series")
    both = np.stack([x, other], axis=1).ravel()
    out = model.run(both, times=np.repeat(np.arange(600), 2) * HOUR, row=np.arange(1200) % 2)
    np.testing.assert_array_equal(out[::2], alone)


def test_missing_values_teach_nothing() -> None:
    x = daily(700)
    model = Forecaster(preset="lite")
    model.run(x)
    weights = model.shared.recurrent.weights.parameters.copy()
    at = model.config.at
    kept = model.series.singles[0, 0, at.readouts : at.readouts + 1 + at.readout].copy()
    out = model.run(np.full(50, np.nan), times=np.arange(700, 750) * HOUR)
    np.testing.assert_array_equal(model.shared.recurrent.weights.parameters, weights)
    np.testing.assert_array_equal(model.series.singles[0, 0, at.readouts : at.readouts + 1 + at.readout], kept)
    truth = daily(750)[700:]
    assert np.mean(np.abs(out[:23, 0, 0] - truth[1:24])) < 1.0  # its own forecasts carry it through a day


def test_no_forecast_before_the_first_value() -> None:
    out = Forecaster(preset="lite", targets=2).run([[np.nan, 1.0], [np.nan, 2.0], [5.0, 3.0]])
    assert np.isnan(out[:2, 0, 0]).all()
    assert np.isfinite(out[:, 0, 1]).all()
    assert out[2, 0, 0] == 5.0


@pytest.mark.parametrize("what", HOSTILE)
def test_recovers_from_hostile_values(what: str) -> None:
    x = daily(1200)
    where, value = HOSTILE[what]
    spoiled = x.copy()
    spoiled[where] = value
    model = Forecaster(preset="lite", horizon=3)
    out = model.run(spoiled)
    assert np.isfinite(out).all()
    assert all(np.isfinite(array).all() for array in model.arrays())
    calm = Forecaster(preset="lite", horizon=3).run(x)
    first = where.stop + 100
    assert error(out, x, first, first + 100) < 1.3 * error(calm, x, first, first + 100) + 0.05


def test_spikes_all_along() -> None:
    """One value in a hundred is 40 standard deviations off: the forecasts of the clean series stay usable."""
    x = daily(3000)
    spoiled = x.copy()
    spoiled[np.random.default_rng(0).random(3000) < 0.01] += 100.0
    out = Forecaster(preset="lite").run(spoiled)
    squared = np.mean((out[1000:-1, 0, 0] - x[1001:]) ** 2)
    assert squared < 0.5 * np.mean((spoiled[1000:-1] - x[1001:]) ** 2)


def learned_is_finite(model: Forecaster) -> bool:
    """All of the state."""
    return all(np.isfinite(array).all() for array in flat((model.shared, model.series)))


@pytest.mark.parametrize("times", ["irregular", "backward", "repeated", "extreme"])
def test_any_times(times: str) -> None:
    random = np.random.default_rng(0)
    x = daily(1500)
    when = np.arange(1500) * HOUR
    if times == "irregular":
        when = np.cumsum(random.exponential(HOUR, 1500)).astype(np.int64)
    elif times == "backward":
        when[700:] -= 500 * HOUR
    elif times == "repeated":
        when[:] = 5
    else:
        when = random.integers(-(2**53), 2**53, 1500)
    model = Forecaster(preset="lite", horizon=3)
    out = model.run(x, when)
    assert np.isfinite(out).all()
    assert learned_is_finite(model)
    assert error(out, x, 1000, 1500) < 1.02 * np.mean(np.abs(np.diff(x[999:])))


@pytest.mark.parametrize("preset", ["lite", "standard", "full"])
def test_never_much_worse_than_the_last_value(preset: str) -> None:
    """The mean by 3 % in squared error (where there is one), the median by 2 % in absolute error."""
    random = np.random.default_rng(4)
    hard = {
        "walk": np.cumsum(random.normal(size=2000)),
        "jumps": np.cumsum(np.where(random.random(2000) < 0.02, random.normal(size=2000), 0.0)),
        "bursts": np.where(random.random(2000) < 0.03, 10.0, 0.0),
        "cauchy": np.cumsum(random.standard_cauchy(2000)),
    }
    for name, x in hard.items():
        model = Forecaster(preset=preset)
        out = model.run(x)
        if name != "cauchy":
            assert np.mean((out[:-1, 0, 0] - x[1:]) ** 2) < 1.03 * np.mean(np.diff(x) ** 2), name
        assert error(model.median, x, 1, 2000) < 1.02 * np.mean(np.abs(np.diff(x))), name


def test_a_series_that_falls_out_of_its_range_is_not_pulled_back_into_it() -> None:
    """Every expert used to be kept within the range seen, whatever the value was by now."""
    random = np.random.default_rng(0)
    x = 100.0 + np.cumsum(0.3 * random.normal(size=200))
    x[90:] -= 75.0
    model = Forecaster(horizon=1)
    out = model.run(x)[:, 0, 0]
    for made in (out, model.median[:, 0, 0]):
        assert np.abs(made[90:120] - x[90:120]).max() < 15.0


def test_a_week_that_begins_does_not_rule_the_forecast() -> None:
    """A random walk that stands still at night: when its first week is over, last week's steps have proved nothing."""
    random = np.random.default_rng(1)
    hours = np.arange(24 * 21)
    steps = random.normal(size=len(hours)) * np.where(hours % 24 < 8, 0.0, 1.0)
    steps[100::97] += 30.0 * random.choice([-1.0, 1.0], len(steps[100::97]))
    x = 100.0 + np.cumsum(steps)
    model = Forecaster(horizon=1)
    out = model.run(x)
    assert error(out, x, 1, len(x)) < 1.03 * np.mean(np.diff(x) ** 2)


def test_scale_and_offset_do_not_matter() -> None:
    x = daily(900)
    small = Forecaster(preset="lite").run(x)
    large = Forecaster(preset="lite").run(1e6 + 1e3 * x)
    np.testing.assert_allclose((large - 1e6) / 1e3, small, atol=0.02)


def test_features_are_used() -> None:
    random = np.random.default_rng(5)
    cause = random.normal(40.0, 5.0, size=(2500, 1))  # neither centered nor scaled
    x = np.zeros(2500)
    x[1:] = 0.4 * cause[:-1, 0] + 0.3 * random.normal(size=2499)
    blind = Forecaster(preset="lite").run(x)
    seeing = Forecaster(preset="lite", features=1).run(x, u=cause)
    assert error(seeing, x, 1500, 2500) < 0.3 * error(blind, x, 1500, 2500)
    gaps = cause.copy()
    gaps[::3] = np.nan
    assert np.isfinite(Forecaster(preset="lite", features=1).run(x, u=gaps)).all()


def test_finds_a_period_without_times() -> None:
    random = np.random.default_rng(6)
    shape = random.normal(size=30)
    x = 5 + shape[np.arange(900) % 30] + 0.1 * random.normal(size=900)
    out = Forecaster(preset="lite", horizon=2).run(x, np.arange(900) * 1_000_000)
    assert error(out, x, 600, 900, step=2) < 0.15


def test_repeats_what_repeats_exactly() -> None:
    """Two jumps a day and nothing else: no regression finds them, last week's shape does."""
    day = np.full(48, 20.0)
    day[18:36] = 80.0
    x = np.tile(day, 12)
    out = Forecaster(preset="lite", horizon=3).run(x, np.arange(len(x)) * HOUR // 2)
    for step in (1, 2, 3):
        assert error(out, x, 300, len(x), step) < 0.1 * np.mean(np.abs(x[300:] - x[300 - step : -step]))


def test_seasons_that_grow_with_the_level() -> None:
    """Monthly, growing by an eighth a year, as is the swing: the shape is relative."""
    months = np.arange(120)
    x = 100 * np.exp(months / 100 + 0.3 * np.sin(2 * np.pi * months / 12) + 0.2 * np.sin(4 * np.pi * months / 12))
    model = Forecaster(horizon=2)
    out = model.run(x, months * 30 * 24 * HOUR)
    assert error(out, x, 36, 120) < 0.25 * np.mean(np.abs(np.diff(x[35:])))
    assert error(model.median, x, 36, 120, step=2) < 0.3 * np.mean(np.abs(x[36:] - x[34:-2]))


def test_hidden_regime_needs_memory() -> None:
    """A pulse of one feature switches the sign of the response to the other; ten events later nothing shows it."""
    random = np.random.default_rng(7)
    events = 12_000
    pulse = np.where(random.random(events) < 0.02, random.choice([-1.0, 1.0], events), 0.0)
    drive = random.normal(size=events)
    regime, now = np.zeros(events), 1.0
    for t in range(events):
        now = pulse[t] or now
        regime[t] = now
    x = 0.3 * random.normal(size=events)
    x[1:] += (regime * drive)[:-1]
    u = np.stack([pulse, drive], axis=1)
    recurrent = Forecaster(features=2).run(x, u=u)
    frozen = Forecaster(features=2, learning_rate=0.0).run(x, u=u)

    def squared(out: np.ndarray) -> float:
        return float(np.mean((out[8000:-1, 0, 0] - x[8001:]) ** 2))

    assert squared(recurrent) < 0.5 * squared(frozen)


def test_weights_are_reported() -> None:
    model = Forecaster(preset="standard")
    model.run(daily(500))
    names = expert_names(model.config)
    weights = expert_weights(model.config, model.series, 0)
    assert names == (
        "last value", "network", "running mean", "season", "autoregression", "pooled", "pooled and own",
        "second season", "median of 9", "zero",
    )  # fmt: skip
    assert weights.shape == (1, len(names))
    np.testing.assert_allclose(weights.sum(), 1.0)


@pytest.mark.parametrize(
    "wrong", [{"preset": "huge"}, {"weights": "none"}, {"seasonality": (0,)}, {"seasonality": (1, 2, 3)}]
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        forecaster_config(**wrong)


def test_seed_decides() -> None:
    x = daily(500)
    one, same, other = (Forecaster(preset="lite", seed=seed).run(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_long_horizons_share_mixtures() -> None:
    x = daily(900)
    out = Forecaster(preset="lite", horizon=100).run(x)
    assert np.isfinite(out).all()
    assert error(out, x, 700, 900, step=97) < 0.6
