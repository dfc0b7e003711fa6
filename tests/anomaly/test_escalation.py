"""What goes beyond an alert that is open is told as an alert of its own; what belongs to it, and its end, are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from streamrnn.anomaly import alerts, detector
from streamrnn.anomaly.channels import CHANNEL_NAMES
from streamrnn.anomaly.rules import Rule
from streamrnn.evaluation import nab
from tests.anomaly.simulate import DAY, INTERVAL, Scored, scored

Array = npt.NDArray[np.float64]

COUNT, FIRST, SECOND = 3000, 2500, 2560
SEEDS = range(5)


def ordinary(seed: int, targets: int = 1) -> tuple[Array, Array]:
    """A daily wave of 100 with noise 3, and its ideal forecast; `(COUNT, targets)`."""
    random = np.random.Generator(np.random.Philox(key=seed))
    expected = np.repeat(100.0 + 20.0 * np.sin(2 * np.pi * np.arange(COUNT) / DAY)[:, None], targets, axis=1)
    return expected + random.normal(0, 3, expected.shape), expected


def faulty(seed: int, first: float, second: float, targets: int = 1) -> tuple[Array, Array]:
    """A fault of the first target by `first`, from `SECOND` on by `second`; forecasts follow at once."""
    values, expected = ordinary(seed, targets)
    off = np.zeros(COUNT)
    off[FIRST:SECOND], off[SECOND : SECOND + 60] = first, second
    values[:, 0] += off
    expected[1:, 0] += off[:-1]
    return values, expected


def opened(result: Scored) -> list[int]:
    return [int(at) for at in np.flatnonzero(nab.first_events(result.alert)) if FIRST <= at < SECOND + 60]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("second", [-95.0, 60.0])
def test_a_stronger_fault_and_one_on_the_other_side_are_told_at_once(seed: int, second: float) -> None:
    result = scored(*faulty(seed, -30.0, second))
    first, then = opened(result)[:2]
    assert (first, then) == (FIRST, SECOND)
    assert result.is_open[first : then + 30].all()
    assert result.outcome[then, detector.REPLACES] == 1.0
    assert result.outcome[then, detector.STRENGTH] >= alerts.DEFAULT + alerts.BREAK
    assert len(opened(result)) <= 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("second", [-30.0, -36.0, -12.0, 0.0])
def test_what_goes_on_gets_a_little_worse_or_better_or_is_over_opens_no_other(seed: int, second: float) -> None:
    result = scored(*faulty(seed, -30.0, second))
    assert opened(result)[0] == FIRST
    assert not any(SECOND - 40 < at <= SECOND + 20 for at in opened(result))
    assert not (result.outcome[:, detector.REPLACES] > 0).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_onset_of_a_few_events_is_one_alert(seed: int) -> None:
    values, expected = ordinary(seed)
    for k, off in enumerate((-25.0, -60.0, *[-95.0] * 50)):
        values[FIRST + k] += off
        expected[FIRST + k + 1] += off
    assert opened(scored(values, expected)) == [FIRST]


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_within_a_fault_is_told_seldom(seed: int) -> None:
    values, expected = ordinary(seed)
    random = np.random.Generator(np.random.Philox(key=seed + 100))
    values[FIRST : FIRST + 120, 0] += random.normal(0, 25, 120)
    result = scored(values, expected)
    assert opened(result)[0] <= FIRST + 3
    assert (result.outcome[:, detector.REPLACES] > 0).sum() <= 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["frozen", "missing"])
def test_values_that_stop_within_a_fault_are_told_and_those_of_a_crash_are_not(seed: int, kind: str) -> None:
    values, expected = faulty(seed, -30.0, -30.0)
    values[SECOND : SECOND + 60] = values[SECOND - 1] if kind == "frozen" else np.nan
    result = scored(values, expected)
    first, then = opened(result)[:2]
    assert first == FIRST
    assert SECOND <= then < SECOND + 30
    assert CHANNEL_NAMES[int(result.outcome[then, detector.CHANNEL])] == kind
    values, expected = ordinary(seed)
    values[FIRST : FIRST + 100] = 0.0
    expected[FIRST + 1 : FIRST + 101] = 0.0
    assert opened(scored(values, expected)) == [FIRST]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_of_another_target_is_told_and_one_that_comes_with_the_first_is_not(seed: int) -> None:
    for later, found in ((60, [FIRST, FIRST + 60]), (2, [FIRST])):
        values, expected = faulty(seed, -30.0, -30.0, targets=2)
        values[FIRST + later :, 1] -= 50
        expected[FIRST + later + 1 :, 1] -= 50
        result = scored(values, expected)
        assert [at for at in opened(result) if at < FIRST + 100] == found
        if later == 60:
            assert result.outcome[FIRST + later, detector.DRIVER] == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_where_it_has_to_last_what_goes_beyond_has_to_as_well(seed: int) -> None:
    rule = Rule(lasting=10.0 * INTERVAL)
    result = scored(*faulty(seed, -30.0, -95.0), rule=rule)
    first, then = opened(result)[:2]
    assert FIRST + 9 <= first <= FIRST + 12
    assert then == SECOND + 10
    values, expected = faulty(seed, -30.0, -30.0)
    values[SECOND : SECOND + 4] -= 65
    expected[SECOND + 1 : SECOND + 5] -= 65
    assert len(opened(scored(values, expected, rule=rule))) == 1


def test_a_rule_of_one_side_holds_for_what_goes_beyond() -> None:
    rule = Rule(side=-1.0)
    assert opened(scored(*faulty(0, -30.0, 60.0), rule=rule)) == [FIRST]
    assert opened(scored(*faulty(0, -30.0, -95.0), rule=rule))[:2] == [FIRST, SECOND]


def test_what_waits_to_go_beyond_an_alert_waits_no_longer_when_that_closes() -> None:
    config, state = alerts.AlertConfig(0.1, 10, 20), np.zeros(alerts.COLUMNS, np.int64)
    assert alerts.observe(config, state, 4.0, 3.5, 1e9, 0, lasts=True) == 1
    assert not alerts.goes_on(state, goes=True, stays=True, wait=600e6, time_us=60_000_000, began_us=60_000_000)
    assert state[alerts.WAITS] == 1
    assert alerts.observe(config, state, 0.0, 3.5, 1e9, 120_000_000, lasts=False) == 0
    assert state[alerts.OPEN] == 0
    assert state[alerts.WAITS] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_no_alert_that_takes_the_place_of_another_is_weaker_than_one_that_opens(seed: int) -> None:
    for rule in (Rule(), Rule(lasting=10.0 * INTERVAL)):
        result = scored(*faulty(seed, -30.0, -95.0), rule=rule)
        replacing = result.outcome[:, detector.REPLACES] > 0
        assert replacing.any()
        silent = result.outcome[result.outcome[:, detector.ALERT] == 0, detector.STRENGTH]
        assert result.outcome[replacing, detector.STRENGTH].min() > silent.max()
