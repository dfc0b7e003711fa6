from __future__ import annotations

from streamrnn.monitor.health import Health
from streamrnn.records.log import Partition
from streamrnn.runtime.recovery import Progress

ONE, TWO = Partition("events", 0), Partition("events", 1)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def running(clock: Clock, stall_timeout: float = 60.0) -> Health:
    health = Health(stall_timeout, clock)
    health.assigned(ONE)
    health.recovering(ONE, Progress("ready", 0, 0, 5))
    health.beat()
    return health


def wait(health: Health, clock: Clock, seconds: int, lag: int | None = None, silence: bool = False) -> None:
    for passed in range(seconds):
        clock.now += 1
        health.beat(passed + 1.0 if silence else 0.0)
        if lag is not None:
            health.lag(ONE, lag)


def test_an_idle_worker_is_alive_and_ready() -> None:
    clock = Clock()
    health = running(clock)
    for lag in (None, 0):
        health.lag(ONE, lag)
        wait(health, clock, 1000, 0)
        assert health.alive().healthy
        assert health.ready().healthy


def test_a_loop_that_stands_still_is_not_ready_and_then_not_alive() -> None:
    clock = Clock()
    health = running(clock)
    health.lag(ONE, 0)
    clock.now += 16
    assert not health.ready().healthy
    assert health.alive().healthy
    clock.now += 46
    assert "has not gone round for 62 s" in health.alive().reasons[0]
    health.beat()
    health.moved(ONE, 6)
    assert health.ready().healthy


def test_lag_without_progress_is_a_stall_and_progress_heals_it() -> None:
    clock = Clock()
    health = running(clock)
    wait(health, clock, 61, lag=10)
    assert "events[0] has made no progress for 61 s (offset 5, lag 10)" in health.alive().reasons
    health.moved(ONE, 6)
    assert health.alive().healthy
    wait(health, clock, 61, lag=10)
    assert not health.alive().healthy
    health.lag(ONE, 0)
    assert health.alive().healthy


def test_progress_with_lag_is_fine() -> None:
    clock = Clock()
    health = running(clock)
    for offset in range(6, 200):
        wait(health, clock, 1, lag=1_000_000)
        health.moved(ONE, offset)
    assert health.alive().healthy


def test_a_log_that_does_not_answer_is_noticed_without_any_lag() -> None:
    clock = Clock()
    health = running(clock)
    health.lag(ONE, 0)
    wait(health, clock, 16, lag=0, silence=True)
    assert not health.ready().healthy
    assert health.alive().healthy
    wait(health, clock, 61, lag=0, silence=True)
    assert "the log has not answered for 61 s" in health.alive().reasons
    health.beat(0.0)
    assert health.alive().healthy
    assert health.ready().healthy


def test_ready_means_assigned_and_restored() -> None:
    clock = Clock()
    health = Health(60.0, clock)
    assert health.ready().reasons == ("no partition is assigned",)
    health.assigned(ONE)
    health.assigned(TWO)
    health.recovering(ONE, Progress("ready", 0, 0, 5))
    health.recovering(TWO, Progress("replay", 30, 40))
    assert health.ready().reasons == ("events[1] is in phase replay (75% replayed)",)
    assert health.alive().healthy
    health.revoked(TWO)
    assert health.ready().healthy


def test_a_recovery_that_hangs_is_a_stall() -> None:
    clock = Clock()
    health = Health(60.0, clock)
    health.assigned(ONE)
    health.recovering(ONE, Progress("replay", 30, 40))
    for _ in range(61):
        clock.now += 1
        health.beat()
        health.lag(ONE, None)
    assert "phase replay" in health.alive().reasons[0]
