"""What comes again by the clock and about as large is told a few times; what is otherwise is told always."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from streamrnn.anomaly import feedback
from streamrnn.anomaly.detector import AnomalyConfig, AnomalySeries, allocate
from streamrnn.evaluation import nab
from tests.anomaly.simulate import Scored, scored

Array = npt.NDArray[np.float64]

COUNT = 6000
CONFIG = AnomalyConfig(targets=1)


def noise(seed: int) -> tuple[np.random.Generator, Array]:
    random = np.random.Generator(np.random.Philox(key=seed))
    return random, random.normal(0.0, 3.0, COUNT)


def score(values: Array, expected: Array, state: AnomalySeries | None = None) -> Scored:
    return scored(values[:, None], expected[:, None], config=CONFIG, state=state)


def opened(result: Scored) -> npt.NDArray[np.int64]:
    """Events at which an alert opens."""
    return np.flatnonzero(nab.first_events(result.alert))


def told(result: Scored, begins: list[int], within: int = 24) -> list[bool]:
    at = opened(result)
    return [bool(((at >= begin) & (at <= begin + within)).any()) for begin in begins]


def jobs(random: np.random.Generator, values: Array, begins: list[int], length: int = 6) -> None:
    for begin in begins:
        values[begin : begin + length] += 60 * random.uniform(0.9, 1.1)


@pytest.mark.parametrize("every", [144, 288])  # times of 5 minutes: 12 hours, a day
@pytest.mark.parametrize("seed", range(3))
def test_a_job_at_regular_times_is_told_three_times(seed: int, every: int) -> None:
    random, values = noise(seed)
    begins = list(range(150, COUNT - 50, every))
    jobs(random, values, begins)
    found = told(score(values, np.zeros(COUNT)), begins)
    assert sum(found[:3]) >= 2
    assert sum(found) <= 5
    assert sum(found[6:]) <= 1


@pytest.mark.parametrize("every", [137, 250, 333])  # times of 5 minutes
def test_what_comes_regularly_but_by_no_clock_is_told(every: int) -> None:
    random, values = noise(0)
    begins = list(range(150, COUNT - 50, every))
    jobs(random, values, begins)
    by_clock = list(range(150, COUNT - 50, 288))
    random, others = noise(0)
    jobs(random, others, by_clock)
    found, known = (told(score(x, np.zeros(COUNT)), at) for x, at in ((values, begins), (others, by_clock)))
    assert np.mean(found[3:10]) > np.mean(known[3:10]) + 0.3


@pytest.mark.parametrize("seed", range(3))
def test_what_is_larger_or_comes_between_is_told(seed: int) -> None:
    random, values = noise(seed)
    begins = list(range(150, COUNT - 50, 288))
    jobs(random, values, begins)
    between, large = begins[4] + 130, begins[7]
    values[between : between + 6] += 60
    values[large : large + 6] += 60
    result = score(values, np.zeros(COUNT))
    assert told(result, [between, large], 12) == [True, True]
    assert not any(told(result, [begins[5], begins[8]])), "what stood between makes nothing forgotten"


def test_a_job_that_does_not_end_is_told() -> None:
    found = []
    for seed in range(6):
        random, values = noise(seed)
        begins = list(range(150, COUNT - 50, 288))
        jobs(random, values, begins)
        values[begins[7] : begins[7] + 60] += 60
        values[begins[7] : begins[7] + 6] -= 60
        found += told(score(values, np.zeros(COUNT)), begins[6:8], 60)
    assert not any(found[::2])
    assert sum(found[1::2]) >= 5


def test_what_comes_at_any_time_is_told_as_often_as_before() -> None:
    shares = []
    for seed in range(6):
        random, values = noise(seed)
        begins = np.cumsum(40 + random.exponential(300, 14).astype(int)).tolist()
        begins = [begin for begin in begins if begin < COUNT - 50]
        jobs(random, values, begins, 4)
        shares.append(np.mean(told(score(values, np.zeros(COUNT)), begins[3:10])))
    assert np.mean(shares) > 0.55


def test_what_a_person_calls_a_fault_never_recurs() -> None:
    random, values = noise(1)
    begins = list(range(150, COUNT - 50, 288))
    jobs(random, values, begins)
    at = begins[3] + 30
    heard, unheard = [], []
    for found, verdict in ((heard, True), (unheard, False)):
        state = allocate(CONFIG, 1)
        first = score(values[:at], np.zeros(at), state)
        if verdict:
            number = int(first.alert.max())
            assert feedback.tell(state, 0, number, False) == feedback.HEARD
        times = 1_767_225_600_000_000 + 300_000_000 * np.arange(at, COUNT)
        rest = scored(values[at:, None], np.zeros((COUNT - at, 1)), times, CONFIG, state)
        found += told(rest, [begin - at for begin in begins[4:10]])
    assert sum(heard) > sum(unheard) + 2
