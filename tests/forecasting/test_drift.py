from __future__ import annotations

import numpy as np
import pytest
from river.drift import PageHinkley as RiverPageHinkley

from streamrnn.config.tree import Config
from streamrnn.forecasting import drift
from streamrnn.forecasting.forecaster import drift_alarms
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded
from tests.forecasting.streams import HOUR, Forecaster, daily, error


@pytest.mark.parametrize(("delta", "threshold", "alpha"), [(0.005, 20.0, 0.9999), (0.1, 8.0, 0.99)])
def test_alarms_where_river_does(delta: float, threshold: float, alpha: float) -> None:
    random = np.random.default_rng(3)
    stream = np.abs(random.normal(size=4000)) * np.repeat([1.0, 1.5, 1.0, 3.0], 1000)
    theirs = RiverPageHinkley(min_instances=30, delta=delta, threshold=threshold, alpha=alpha, mode="up")
    test, state = drift.PageHinkley(30, delta, threshold, alpha), np.zeros(drift.DRIFT_SIZE)
    river_alarms, alarms = [], []
    for k, value in enumerate(stream):
        theirs.update(value)
        if theirs.drift_detected:
            river_alarms.append(k)
        if drift.detect(test, state, value):
            alarms.append(k)
    assert alarms == river_alarms
    assert alarms


def change(kind: str, seed: int) -> tuple[np.ndarray, int]:
    before = after = 2000
    random = np.random.default_rng(seed)
    hours = np.arange(before + after)
    phase = 2 * np.pi * hours / 24
    noise = np.full(before + after, 0.5)
    level = np.zeros(before + after)
    if kind == "level":
        level[before:] = 25
    elif kind == "variance":
        noise[before:] = 1.5
    else:
        phase[before:] = phase[before - 1] + 2 * np.pi * (hours[before:] - before + 1) / 17
    x = level + 3 * np.sin(phase) + 1.5 * np.sin(2 * phase + 1)
    rest = np.zeros(before + after)
    for t in range(1, before + after):
        rest[t] = 0.7 * rest[t - 1] + noise[t] * random.normal()
    return x + rest, before


@pytest.mark.parametrize("kind", ["level", "variance", "period"])
def test_recovers_from_a_change(kind: str) -> None:
    late, settled, quiet = [], [], []
    for seed in range(4):
        x, at = change(kind, seed)
        out = Forecaster().run(x)
        late.append(error(out, x, at + 200, at + 300))
        settled.append(error(out, x, len(x) - 800, len(x)))
        quiet.append(error(out, x, at - 800, at))
    assert np.mean(late) < 1.2 * np.mean(settled)
    if kind != "variance":  # after which no forecast can be as good as before
        assert np.mean(late) < 1.2 * np.mean(quiet)


def test_adaptation_is_faster() -> None:
    adapting, deaf = [], []
    for seed in range(6):
        x, at = change("period", seed)
        model = Forecaster()
        adapting.append(error(model.run(x), x, at + 50, at + 300))
        model = Forecaster()
        model.config = model.config._replace(drift=model.config.drift._replace(threshold=0.0))
        deaf.append(error(model.run(x), x, at + 50, at + 300))
    assert np.mean(adapting) < 0.97 * np.mean(deaf)


def test_alarm_is_counted() -> None:
    x, at = change("variance", 0)
    model = Forecaster(preset="lite")
    model.run(x[:at])
    before = drift_counts(model)
    model.run(x[at:], times=np.arange(at, len(x)) * 3_600_000_000)
    assert drift_counts(model)[0] == before[0] + 1
    assert drift_counts(model)[1] < len(x) - at


def drift_counts(model: Forecaster) -> tuple[int, int]:
    from streamrnn.forecasting.forecaster import drift_alarms, since_alarm

    return int(drift_alarms(model.config, model.series)[0, 0]), int(since_alarm(model.config, model.series)[0, 0])


def test_no_alarm_on_a_calm_series() -> None:
    model = Forecaster(preset="lite")
    model.run(daily(4000))
    assert drift_counts(model)[0] == 0


def test_the_answer_says_which_event_raised_the_alarm() -> None:
    x = daily(1200)
    x[700:] = 20 + np.random.default_rng(1).normal(scale=6, size=500)
    x[710::7] = np.nan
    model = ForecastModel(Config.model_validate({"model": {"preset": "lite"}}))
    alarms = 0.0
    for t, value in enumerate(x):
        times = np.array([t * HOUR])
        answers = model.process(Decoded(["s"], times, np.array([[value]]), np.zeros((1, 0)), [], []))
        now = float(drift_alarms(model._config.forecaster, model.series.arrays.forecaster)[0, 0])
        assert answers.drift[0, 0] == (now > alarms)
        alarms = now
    assert alarms >= 1
