"""When alerts open, how long they last, and how many there can be."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.anomaly import alerts, detector
from streamrnn.anomaly.rules import Rule
from streamrnn.evaluation import nab
from tests.anomaly.simulate import INTERVAL, KINDS, START, scored, series

COUNT = 20_000
DAY = 288.0


def ids(levels: list[float], **settings: float) -> list[int]:
    config = alerts.AlertConfig()._replace(**settings)
    state = np.zeros(alerts.COLUMNS, np.int64)
    found = []
    for level in levels:
        strength = alerts.strength(state, level, 1.0, 0.0)
        found.append(alerts.observe(config, state, strength, 1.0, DAY * 10, 0, level >= alerts.CLOSE_SHARE))
    return found


def test_an_alert_stays_open_until_the_level_falls_well_below() -> None:
    assert ids([0.9, 1.0, 0.7, 0.7, 0.5, 0.7]) == [0, 1, 1, 1, 0, 0]


def test_the_rest_grows_with_the_series_between_its_bounds() -> None:
    every = [2.0, 0.0] * 8000
    opened = np.flatnonzero(np.diff([0, *ids(every)]) > 0)
    distances = np.diff(opened)
    assert distances[0] == 24
    assert 195 < distances[np.searchsorted(opened, 5_000)] < 210
    assert distances[-1] == 400
    assert (np.diff(distances) >= 0).all()
    assert ids(every, rest_share=0.0, rest_least=0, rest_most=0)[:4] == [1, 0, 2, 0]


def test_a_clearly_stronger_event_breaks_a_rest() -> None:
    assert ids([2.0, 0.0, 2.0, 0.0, 2.4, 0.0]) == [1, 0, 0, 0, 0, 0]
    assert ids([2.0, 0.0, 2.5, 0.0, 2.5, 0.0]) == [1, 0, 2, 0, 3, 0]


@pytest.mark.parametrize("kind", [*KINDS])
def test_no_alert_opens_on_a_lower_score_than_one_that_opened_none(kind: str) -> None:
    for seed in range(5):
        values, expected = series(kind, seed, 8000)
        random = np.random.default_rng(seed)
        values[random.integers(500, 8000, 30)] += 12
        result = scored(values, expected)
        alert = result.outcome[:, detector.ALERT]
        opened = nab.first_events(alert.astype(np.int64))
        strength = result.outcome[:, detector.STRENGTH]
        inside = result.is_open
        assert opened.any()
        assert result.score[opened].min() > result.score[~inside].max()
        assert strength[opened].min() > strength[~inside].max()


def test_strength_and_score_order_events_the_same_at_each_moment_and_above_the_opening_always() -> None:
    values, expected = series("heavy tails", 3, 8000)
    result = scored(values, expected)
    strength = result.outcome[:, detector.STRENGTH]
    strong = strength >= alerts.DEFAULT
    order = np.argsort(strength[strong])
    assert (np.diff(result.score[strong][order]) >= 0).all()


@pytest.mark.parametrize("accepted", [1.0, 0.25])
def test_accepted_false_alarms_are_at_most_about_what_happens(accepted: float) -> None:
    rule = Rule(false_alarms=accepted)
    rates = [
        np.mean([scored(*series(kind, seed, COUNT), rule=rule).alert.max() for seed in range(6)]) / COUNT * 1000
        for kind in KINDS
    ]
    assert max(rates) < 1.5 * accepted
    assert np.mean(rates) > accepted / 20


@pytest.mark.parametrize("seconds", [1, 60, 3600, 86_400])
@pytest.mark.parametrize("kind", ["white noise", "AR(2)", "random walk"])
def test_the_rate_is_that_at_every_interval(kind: str, seconds: int) -> None:
    opened = np.zeros(2)
    for seed in range(6):
        values, expected = series(kind, seed, 5000)
        times = START + seconds * 1_000_000 * np.arange(5000)
        result = scored(values, expected, times)
        first = nab.first_events(result.alert)
        opened += first[50:600].sum(), first[600:].sum()
    young, grown = opened / 6 / np.array([0.55, 4.4])
    assert young < 1.5
    assert grown < 2.0


def test_false_alarms_a_day() -> None:
    # Five-minute events: 288 a day, so that these are .29 and 3.5 per 1,000.
    for per_day, per_thousand in ((0.0833, 0.29), (1.0, 3.5)):
        days, events = Rule(per_day=per_day), Rule(false_alarms=per_thousand)
        values, expected = series("AR(2)", 1, 5000)
        a, b = scored(values, expected, rule=days), scored(values, expected, rule=events)
        assert abs(int(a.alert.max()) - int(b.alert.max())) <= 1


def test_false_alarms_of_all_series_together_are_divided_among_them() -> None:
    shared = detector.allocate_shared()
    shared.series[0] = 9
    together, alone = Rule(false_alarms=10.0, for_all=1.0), Rule(false_alarms=1.0)
    values, expected = series("heavy tails", 1, 5000)
    a = scored(values, expected, rule=together, shared=shared)
    b = scored(values, expected, rule=alone)
    assert shared.series[0] == 10
    assert a.alert.tobytes() == b.alert.tobytes()


def test_a_threshold_is_one_on_the_score() -> None:
    values, expected = series("white noise", 0, 3000)
    for threshold in (0.9, 0.999, 1.0):
        result = scored(values, expected, rule=Rule(threshold=threshold))
        opened = nab.first_events(result.alert.astype(np.int64))
        assert opened.any() == (threshold < 1)
        assert (result.score[opened] >= threshold - 1e-12).all()
        above = np.flatnonzero(result.score >= threshold + 1e-12)
        assert not len(above) or opened[above[0]]


def test_an_alert_stays_open_while_a_level_lasts_and_closes_when_it_is_the_new_normal() -> None:
    values, expected = series("seasonal", 1, 4000)
    values[2600:] -= 8
    expected[2601:] -= 8  # the forecast has learned it at once
    for hours, longest in ((6, 75), (12, 147)):
        config = detector.AnomalyConfig(targets=1, new_normal=hours * 3600e6, new_normal_events=2**62)
        inside = scored(values, expected, config=config).is_open[2600:]
        began = int(np.flatnonzero(inside)[0])
        lasted = int(np.flatnonzero(~inside[began:])[0])
        assert began < 5
        assert longest - 5 < lasted <= longest
        assert inside[began + lasted :].mean() < 0.1


def test_an_alert_stays_open_while_a_series_that_wanders_is_still_where_it_went() -> None:
    """Only the error saw it go, and the forecast follows at once; where the series goes of itself it has to close."""
    for seed in range(6):
        noise, values = np.random.default_rng(seed).standard_normal(3000), np.zeros(3000)
        for i in range(1, 3000):
            values[i] = 0.9 * values[i - 1] + noise[i]
        expected = np.r_[np.nan, 0.9 * values[:-1]]
        values[2600:2700] += 9
        expected[2601:2701] += 9
        inside = scored(values[:, None], expected[:, None]).is_open
        assert inside[2602:2700].mean() > 0.9
        assert not inside[2725:2760].any()


def test_a_spike_closes_its_alert_at_once_and_a_large_shift_soon_after_its_end() -> None:
    for kind in ("white noise", "seasonal"):
        values, expected = series(kind, 7, 3000)
        values[2000] += 20
        values[2600:2700] += 20
        inside = scored(values, expected).is_open
        assert inside[2000]
        assert not inside[2008:2040].any()
        assert inside[2600:2700].all()
        assert not inside[2720:2760].any()


def test_a_fault_that_ends_closes_its_alert() -> None:
    values, expected = series("seasonal", 2, 4000)
    values[2600:2700] -= 8
    inside = scored(values, expected).is_open
    assert inside[2605:2690].all()
    assert not inside[2760:].any()
    assert INTERVAL == 300_000_000


@pytest.mark.parametrize("times", [0.3, 3.0])
def test_a_fault_that_has_come_back_is_no_new_normal(times: float) -> None:
    """Ten hours of hourly data: the means remember them for as long as `new_normal_after`, but the series is back."""
    for seed in range(4):
        random, at = np.random.default_rng(seed), np.arange(2400)
        begin = 2241 + seed
        hour = at % 24
        rate = np.where((hour >= 6) & (hour <= 20), np.sin((hour - 6) / 14 * np.pi), 0.0)
        expected = 20 + 80 * rate * np.where(at // 24 % 7 >= 5, 0.35, 1.0)
        values = expected + random.normal(0, 3, len(at))
        values[begin : begin + 10] *= times
        expected[begin + 1 : begin + 11] *= times
        result = scored(values[:, None], expected[:, None], START + 3600_000_000 * at)
        opened = nab.first_events(result.alert)
        assert opened[begin : begin + 3].any()
        assert opened[begin + 12 : begin + 112].sum() <= 1
        assert not result.is_open[begin + 30 : begin + 50].any()


def test_first_weekends_are_told_a_few_times_and_a_fault_meanwhile_is_told_too() -> None:
    """What a weekend is like is not known before the second one is over; what one value shows does not wait for it."""
    first, second = [], []
    for seed in range(6):
        random, at = np.random.default_rng(seed), np.arange(14 * 288)
        wave = 5 * np.sin(2 * np.pi * at / 288)
        expected = np.where(at // 288 % 7 < 5, wave + 2, 0.4 * wave - 2)
        values = expected + random.standard_normal(len(at))
        opened = nab.first_events(scored(values[:, None], expected[:, None]).alert)
        first.append(opened[5 * 288 : 7 * 288].sum())
        second.append(opened[12 * 288 :].sum())
        found = np.flatnonzero(opened[5 * 288 : 6 * 288]) + 5 * 288
        again = found[0] + 230 + seed
        values[again : again + 6] += 25
        opened = nab.first_events(scored(values[:, None], expected[:, None]).alert)
        assert opened[again : again + 3].any()
    assert np.mean(first) < 5
    assert np.mean(second) < 3
