"""What is injected is found, and in time."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.anomaly import detector
from streamrnn.app.fleet import Sensor
from streamrnn.config.tree import Config
from streamrnn.evaluation import nab
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded
from tests.anomaly.simulate import INTERVAL, KINDS, START, scored, series

COUNT = 3000
NORMAL = KINDS[:4]


def test_a_spike_of_eight_deviations_is_flagged_at_once() -> None:
    found = []
    for kind in NORMAL:
        for seed in range(50):
            values, expected = series(kind, seed, COUNT)
            at = 1500 + 25 * seed
            values[at] += 8 if seed % 2 else -8
            found.append(scored(values, expected).is_anomaly[at])
    assert np.mean(found) > 0.99


def test_spikes_that_come_back_are_flagged_every_time() -> None:
    """One fault must not hide the next."""
    at = np.arange(1500, 3000, 300)
    found = []
    for kind in NORMAL:
        for seed in range(10):
            values, expected = series(kind, seed, COUNT)
            values[at] += 8 if seed % 2 else -8
            found.append(scored(values, expected).is_anomaly[at])
    assert np.mean(found, axis=0).min() > 0.97


@pytest.mark.slow
def test_a_spike_of_eight_deviations_in_a_simulated_fleet_is_flagged_at_once() -> None:
    """The whole model with its own forecasts; its error has 1.16 deviations of the noise, as an ideal one has here."""
    sensors, spike = 240, 2500
    fleet = [Sensor(f"s{i}", seed=300_000 + i, fault_every=10**12) for i in range(sensors)]
    values = np.array([[sensor.read(step).value for sensor in fleet] for step in range(spike + 1)])
    noise = np.median(np.abs(np.diff(values, n=2, axis=0)), axis=0) / 0.6745 / np.sqrt(6.0)
    values[spike] += 8 * noise * np.where(np.arange(sensors) % 2, 1.0, -1.0)
    keys = [f"s{i}" for i in range(sensors)] * (spike + 1)
    times = np.repeat(START + INTERVAL * np.arange(spike + 1), sensors)
    model = ForecastModel(Config())
    answers = model.process(Decoded(keys, times, values.reshape(-1, 1), np.zeros((values.size, 0)), [], []))
    flagged = answers.is_anomaly.reshape(spike + 1, sensors)
    assert flagged[spike, ~flagged[spike - 1]].mean() > 0.99


@pytest.mark.parametrize("kind", NORMAL)
def test_a_frozen_sensor_is_flagged_within_thirty_events(kind: str) -> None:
    for seed in range(10):
        values, expected = series(kind, seed, COUNT)
        values[2000:] = values[1999]
        result = scored(values, expected)
        assert result.is_anomaly[2000:2030].any()
        assert result.channels[2000:2030, detector.CHANNEL_NAMES.index("frozen")].max() > 5


def test_a_sensor_that_often_repeats_itself_is_not_frozen() -> None:
    values, expected = series("white noise", 0, COUNT)
    coarse = np.round(values * 0.7)
    assert scored(coarse, expected).channels[:, detector.CHANNEL_NAMES.index("frozen")].max() < 6


@pytest.mark.parametrize("kind", NORMAL)
def test_a_drop_out_is_flagged(kind: str) -> None:
    values, expected = series(kind, 3, COUNT)
    values[2000:2030] = np.nan
    result = scored(values, expected)
    assert result.is_anomaly[2000:2030].any()
    assert result.channels[2000:2030, detector.CHANNEL_NAMES.index("missing")].max() > 5


def test_a_gap_in_time_is_flagged_when_events_come_back() -> None:
    values, expected = series("white noise", 4, COUNT)
    times = START + INTERVAL * np.arange(COUNT)
    times[2000:] += 40 * INTERVAL
    result = scored(values, expected, times)
    assert result.is_anomaly[2000]
    assert result.channels[2000, detector.CHANNEL_NAMES.index("gap")] > 5


def test_a_variance_change_and_a_level_shift_are_flagged() -> None:
    for seed in range(10):
        values, expected = series("white noise", seed, COUNT)
        wilder = values.copy()
        wilder[2000:] *= 4
        assert scored(wilder, expected).is_anomaly[2000:2050].any()
        values[2000:] += 6
        assert scored(values, expected).is_anomaly[2000:2050].any()


def test_a_constant_that_changes_is_flagged() -> None:
    values = np.full((600, 1), 5.0)
    values[500:] = 6.0
    expected = np.vstack([[[np.nan]], values[:-1]])
    assert scored(values, expected).is_anomaly[500]


def test_the_target_that_drives_the_score_is_named() -> None:
    parts = [series("white noise", seed, COUNT) for seed in range(3)]
    values = np.hstack([values for values, _ in parts])
    expected = np.hstack([expected for _, expected in parts])
    values[2500, 1] += 9
    result = scored(values, expected)
    assert result.is_anomaly[2500]
    assert result.outcome[2500, detector.DRIVER] == 1


@pytest.mark.parametrize("seed", range(4))
def test_counts_that_fall_to_a_third_are_found(seed: int) -> None:
    """No single count says much. The first day, when no hour was known, must not set what a level may be off."""
    random = np.random.Generator(np.random.Philox(key=seed))
    at, fault = np.arange(4000), slice(3600 + 12 * seed, 3672 + 12 * seed)
    hour = at % 288 / 12
    rate = 3 + 9 * np.where((hour >= 6) & (hour <= 20), np.sin((hour - 6) / 14 * np.pi), 0.0)
    values = random.poisson(rate).astype(float)
    values[fault] = random.poisson(0.3 * rate[fault])
    opened = nab.first_events(scored(values[:, None], rate[:, None]).alert)
    assert opened[fault].any()
