"""When alerts open, how long they last, and how many there can be."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.anomaly import alerts, detector
from streamrnn.evaluation import nab
from tests.anomaly.simulate import KINDS, scored, series

COUNT = 20_000


def ids(levels: list[float], extraordinary: dict[int, float] | None = None, **settings: float) -> list[int]:
    config = alerts.AlertConfig()._replace(**settings)
    state, spoken = np.zeros(alerts.COLUMNS, np.int64), extraordinary or {}
    return [alerts.observe(config, state, level, 1.0, spoken.get(i, 0.0)) for i, level in enumerate(levels)]


def test_an_alert_stays_open_until_the_level_falls_well_below() -> None:
    assert ids([0.9, 1.0, 0.4, 0.4, 0.3, 0.4]) == [0, 1, 1, 1, 0, 0]


def test_the_rest_grows_with_the_series_between_its_bounds() -> None:
    every = [2.0, 0.0] * 8000
    opened = np.flatnonzero(np.diff([0, *ids(every)]) > 0)
    distances = np.diff(opened)
    assert distances[0] == 30
    assert 195 < distances[np.searchsorted(opened, 5_000)] < 210
    assert distances[-1] == 400
    assert (np.diff(distances) >= 0).all()
    assert ids(every, rest_share=0.0, rest_least=0, rest_most=0)[:4] == [1, 0, 2, 0]


def test_only_what_is_extraordinary_breaks_a_rest_and_again_only_when_much_more_so() -> None:
    levels = [2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0]
    assert ids(levels) == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert ids(levels, {2: 0.5, 4: 1.0, 6: 2.4, 8: 2.6}) == [1, 0, 2, 0, 0, 0, 0, 0, 0]
    assert ids(levels, {2: 0.5, 4: 2.6}) == [1, 0, 2, 0, 3, 0, 0, 0, 0]


@pytest.mark.parametrize("accepted", [1.0, 0.25])
def test_accepted_false_alarms_are_about_what_happens(accepted: float) -> None:
    config = detector.AnomalyConfig(targets=1, false_alarms=accepted)
    rates = [
        np.mean([scored(*series(kind, seed, COUNT), config=config).alert.max() for seed in range(6)]) / COUNT * 1000
        for kind in KINDS
    ]
    assert max(rates) < 2 * accepted
    assert np.mean(rates) < 1.2 * accepted
    assert min(rates) > accepted / 4


def test_false_alarms_a_day() -> None:
    # Five-minute events: 288 a day, so that these are .29 and 3.5 per 1,000.
    for per_day, per_thousand in ((0.0833, 0.29), (1.0, 3.5)):
        days = detector.AnomalyConfig(targets=1, false_alarms_per_day=per_day)
        events = detector.AnomalyConfig(targets=1, false_alarms=per_thousand)
        values, expected = series("AR(2)", 1, 5000)
        a, b = scored(values, expected, config=days), scored(values, expected, config=events)
        assert abs(int(a.alert.max()) - int(b.alert.max())) <= 1


def test_alerts_do_not_change_what_is_scored() -> None:
    values, expected = series("heavy tails", 0, 3000)
    strict = scored(values, expected, config=detector.AnomalyConfig(targets=1, false_alarms=1e-3))
    loose = scored(values, expected, config=detector.AnomalyConfig(targets=1, false_alarms=100.0))
    assert strict.score.tobytes() == loose.score.tobytes()
    assert loose.alert.max() > strict.alert.max()


def test_a_threshold_is_one_on_the_score() -> None:
    values, expected = series("white noise", 0, 3000)
    for threshold in (0.0, 0.9, 0.999, 1.0):
        result = scored(values, expected, config=detector.AnomalyConfig(targets=1, threshold=threshold))
        opened = nab.first_events(result.alert.astype(np.int64))
        assert opened.any() == (threshold < 1)
        assert (result.score[opened] >= threshold).all()
        above = np.flatnonzero(result.score >= threshold)
        assert not len(above) or opened[above[0]]
