"""The loop against a log in memory: whatever fails, the same bytes come out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.tree import Config
from streamrnn.connectors.base import Commit, Polled
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.errors import BrokerUnavailable, CommitFailed, ConnectorError, StateError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.observer import Observer
from streamrnn.runtime.recovery import Progress
from streamrnn.runtime.task import task_of
from streamrnn.runtime.worker import Worker
from tests.streams import Outcome, configured, restore, run, stream

COUNT = 200
POISON = [
    b"not json",
    b"[]",
    b"\xff",
    None,
    b'{"time": 0, "value": "x"}',
    b'{"time": 0, "value": 1e400}',
    b'{"time": 0}',
]
LATE = configured(event__late="dead-letter", state__snapshot_interval="1ms", anomaly__threshold=0.9)
CONFIG = configured(state__snapshot_interval="1ms")


def fed(config: Config, partitions: int = 2) -> MemoryLog:
    """A log with events in every partition, poison among them, at its end."""
    log = MemoryLog("events", partitions)
    for number in range(partitions):
        for index, record in enumerate(stream(config, COUNT, seed=number, late=0.1)):
            if index % 23 == number:
                log.append(number, Message(b"\xfe", POISON[index % len(POISON)]))
            log.append(number, Message(record.key, record.value))
    log.finish()
    return log


def outcome(config: Config, log: MemoryLog) -> list[Outcome]:
    """What is visible per partition, and the digest of the last snapshot brought up to the committed offset."""
    found = []
    for partition in log.partitions:
        model = ForecastModel(config)
        restored = restore(model, log.snapshots[partition])
        assert restored is not None
        model.process(EventDecoder(config.event).decode(log.inputs[partition][restored : log.offsets[partition]]))
        written = (tuple(kind[partition]) for kind in (log.outputs, log.alerts, log.dead_letters))
        found.append(Outcome(*written, model.digest()))
        model.close()
    return found


@cache
def expected(config: Config) -> list[Outcome]:
    """The same from the bare fold, one event at a time."""
    log = fed(config)
    return [run(config, log.inputs[partition], range(COUNT * 2), partition=partition) for partition in log.partitions]


class Ticks:
    """A clock that every look moves on: what takes time takes steps, not seconds."""

    def __init__(self, step: float) -> None:
        self._ticks: Iterator[float] = itertools.count(0.0, step)

    def __call__(self) -> float:
        return next(self._ticks)


class Failing(MemoryConnector):
    """Refuses the commits that `fails` says, or accepts them and claims not to know."""

    def __init__(
        self, log: MemoryLog, fails: Iterator[str], max_poll_records: int = 37, snapshot_slice: int | None = None
    ) -> None:
        super().__init__(log, max_poll_records, snapshot_slice)
        self._fails = fails

    def commit(self, commit: Commit) -> None:
        verdict = next(self._fails)
        if verdict == "refused":
            raise CommitFailed("fenced")
        super().commit(commit)
        if verdict == "unknown":
            raise CommitFailed("no answer: the outcome is unknown")


def work(config: Config, connect: Callable[[], MemoryConnector], **options: object) -> Worker:
    worker = Worker(task_of(config), connect, clock=Ticks(0.0001), **options)  # type: ignore[arg-type]
    worker.run()
    return worker


@pytest.mark.parametrize("config", [CONFIG, LATE], ids=["process", "dead-letter"])
@pytest.mark.parametrize("size", [1, 37, 10_000])
def test_the_worker_is_the_fold_with_ends(config: Config, size: int) -> None:
    log = fed(config)
    work(config, lambda: MemoryConnector(log, size))
    assert outcome(config, log) == expected(config)
    assert log.offsets == {partition: len(log.inputs[partition]) for partition in log.partitions}


@given(
    verdicts=st.lists(st.sampled_from(["good", "good", "refused", "unknown"]), max_size=30),
    size=st.integers(5, 300),
    config=st.sampled_from([CONFIG, LATE, configured(state__snapshot_interval=0.05, state__max_series=3)]),
    part=st.sampled_from([None, 1, 30_000]),
)
def test_commits_that_fail_change_nothing(verdicts: list[str], size: int, config: Config, part: int | None) -> None:
    log = fed(config)
    fails = itertools.chain(verdicts, itertools.repeat("good"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("streamrnn.runtime.worker._FIRST_PAUSE", 0.0)
        work(config, lambda: Failing(log, fails, size, part))
    assert outcome(config, log) == expected(config)


def test_snapshots_are_spread_over_commits_as_they_were_when_they_began() -> None:
    """Every commit is a moment to die at: what is stored brings the next owner to the committed offset, to the bit."""
    config = configured(state__snapshot_interval="4ms", state__max_series=5)
    log = fed(config)

    class Looking(MemoryConnector):
        def commit(self, commit: Commit) -> None:
            super().commit(commit)
            unfinished.extend(commit.unfinished)
            said = sum(len(one.key or b"") + len(one.value or b"") for one in itertools.chain(*commit.outputs.values()))
            for partition in commit.unfinished:  # full with its last record, and not before
                sizes = [len(one.key or b"") + len(one.value or b"") for one in commit.snapshots[partition]]
                assert sum(sizes[:-1]) < max(1, said)
            for partition in log.offsets:
                model = ForecastModel(config)
                restored = restore(model, log.snapshots[partition])
                assert restored is not None
                model.process(decoder.decode(log.inputs[partition][restored : log.offsets[partition]]))
                alone = ForecastModel(config)
                alone.process(decoder.decode(log.inputs[partition][: log.offsets[partition]]))
                assert model.digest() == alone.digest()
                model.close()
                alone.close()

    unfinished: list[Partition] = []
    decoder = EventDecoder(config.event)
    work(config, lambda: Looking(log, 10, snapshot_slice=1))
    assert len(unfinished) > 10
    assert outcome(config, log) == expected(config)


def test_a_stop_ends_a_snapshot_that_was_under_way() -> None:
    config = configured(state__snapshot_interval="1ms")
    log = fed(config)
    unfinished: list[Partition] = []
    stop = threading.Event()

    class StopWithin(Observer):
        def committed(self, commit: Commit, seconds: float) -> None:
            unfinished.extend(commit.unfinished)
            if len(unfinished) == 3:
                stop.set()

    work(config, lambda: MemoryConnector(log, 20, snapshot_slice=1), observer=StopWithin(), stop=stop)
    assert len(unfinished) == 3
    for partition, offset in log.offsets.items():
        model = ForecastModel(config)
        assert restore(model, log.snapshots[partition]) == offset
        model.close()
    work(config, lambda: MemoryConnector(log))
    assert outcome(config, log) == expected(config)


def test_a_failure_is_told_to_the_observer_and_everything_is_dropped() -> None:
    log = fed(CONFIG)
    seen: list[str] = []

    class Watching(Observer):
        def assigned(self, partition: Partition) -> None:
            seen.append(f"assigned {partition.number}")

        def revoked(self, partition: Partition) -> None:
            seen.append(f"revoked {partition.number}")

        def failed(self, error: Exception) -> None:
            seen.append(f"failed {error}")

    fails = iter(["refused", *["good"] * 1000])
    work(CONFIG, lambda: Failing(log, fails), observer=Watching())
    assert seen == [
        "assigned 0", "assigned 1", "failed fenced", "revoked 0", "revoked 1",
        "assigned 0", "assigned 1", "revoked 0", "revoked 1",
    ]  # fmt: skip


def test_commits_that_never_succeed_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is either working or gone, never alive and idle."""
    monkeypatch.setattr("streamrnn.runtime.worker._FIRST_PAUSE", 0.0)
    config = configured(kafka__broker_timeout="1s")
    log = fed(config)
    worker = Worker(task_of(config), lambda: Failing(log, itertools.repeat("refused")), clock=Ticks(0.02))
    with pytest.raises(BrokerUnavailable, match=r"nothing could be committed for .* \(kafka.broker_timeout\): fenced"):
        worker.run()
    assert not any(log.outputs.values())


def test_one_failure_after_a_long_quiet_time_does_not_end_the_worker() -> None:
    log = MemoryLog("events")
    records = stream(CONFIG, 40)
    quiet = itertools.count()

    class Slow(Failing):
        def poll(self, timeout: float) -> Polled:
            # Nothing comes for much longer than the time-out: every look at the clock moves it on.
            if next(quiet) == 1000:
                for record in records:
                    log.append(0, Message(record.key, record.value))
                log.finish()
            return super().poll(0)

    fails = iter(["refused", *["good"] * 1000])
    config = configured(kafka__broker_timeout="1s")
    Worker(task_of(config), lambda: Slow(log, fails), clock=Ticks(0.02)).run()
    assert len(log.outputs[log.partitions[0]]) == 40


def test_without_state_nothing_is_stored() -> None:
    log = fed(CONFIG)
    work(CONFIG, lambda: MemoryConnector(log), keep_state=False)
    assert not any(log.snapshots.values())
    assert sum(map(len, log.outputs.values())) == 2 * COUNT


def test_snapshots_are_rarer_than_commits_and_the_last_one_comes_at_the_end() -> None:
    config = configured(state__snapshot_interval="1h")
    log = fed(config)
    snapshots: list[int] = []

    class Counting(MemoryConnector):
        def commit(self, commit: Commit) -> None:
            snapshots.append(len(commit.snapshots))
            super().commit(commit)

    work(config, lambda: Counting(log, 20))
    assert snapshots[0] == 1, "the first commit of a new partition carries its state: there is nothing to replay from"
    assert sum(snapshots[1:-1]) == 1
    assert snapshots[-1] == 2
    assert outcome(config, log) == expected(config)


class Rebalancing(MemoryConnector):
    """Gives partitions and takes them away as `script` says, one entry per poll."""

    def __init__(self, log: MemoryLog, script: Iterable[Polled], max_poll_records: int = 10) -> None:
        super().__init__(log, max_poll_records)
        self._script = iter(script)

    def poll(self, timeout: float) -> Polled:
        change = next(self._script, None)
        if change is None:
            return super().poll(0)
        self._assigned = True
        for partition in change.revoked:
            self._positions.pop(partition, None)
        return change


@pytest.mark.parametrize("moment", range(6))
def test_a_partition_taken_away_at_any_moment_goes_on_elsewhere(moment: int) -> None:
    """Also while it is being recovered: that is what most of the moments are."""
    config = configured(state__snapshot_interval="1h")  # so that there is something to replay
    log = fed(config)
    both = log.partitions
    first = Rebalancing(log, [Polled(assigned=both)])
    stop = threading.Event()

    class StopAfter(Observer):
        commits = 0

        def committed(self, commit: Commit, seconds: float) -> None:
            self.commits += 1
            if self.commits == 12:
                raise KeyboardInterrupt  # a crash: no last snapshot

    with pytest.raises(KeyboardInterrupt):
        Worker(task_of(config), lambda: first, observer=StopAfter(), stop=stop, clock=Ticks(0.02)).run()
    assert 0 < log.offsets[both[0]] < len(log.inputs[both[0]])
    seen: list[str] = []

    class Phases(Observer):
        def recovering(self, partition: Partition, progress: Progress) -> None:
            seen.append(progress.phase)

    script = [Polled(assigned=both), *[Polled()] * moment, Polled(revoked=both), Polled(), Polled(assigned=both)]
    Worker(task_of(config), lambda: Rebalancing(log, script), observer=Phases(), clock=Ticks(0.02)).run()
    assert "replay" in seen
    assert outcome(config, log) == expected(config)


def test_revoking_what_one_does_not_own_is_nothing() -> None:
    log = fed(CONFIG)
    script = [Polled(revoked=log.partitions), Polled(assigned=log.partitions[:1]), Polled(assigned=log.partitions[1:])]
    work(CONFIG, lambda: Rebalancing(log, script))
    assert outcome(CONFIG, log) == expected(CONFIG)


def test_a_stop_ends_with_a_snapshot_and_the_next_worker_goes_on() -> None:
    log = fed(CONFIG)
    for after in (3, 5, 1000):
        stop = threading.Event()

        class StopAfter(Observer):
            left = after
            stop_now = stop

            def committed(self, commit: Commit, seconds: float) -> None:
                self.left -= 1
                if self.left == 0:
                    self.stop_now.set()

        work(CONFIG, lambda: MemoryConnector(log, 20), observer=StopAfter(), stop=stop)
        for partition, offset in log.offsets.items():
            model = ForecastModel(CONFIG)
            assert restore(model, log.snapshots[partition]) == offset
            model.close()
    assert outcome(CONFIG, log) == expected(CONFIG)


def test_a_stop_before_the_start_does_nothing() -> None:
    log = fed(CONFIG)
    stop = threading.Event()
    stop.set()
    work(CONFIG, lambda: MemoryConnector(log), stop=stop)
    assert not log.offsets


def test_contradictory_facts_end_the_worker_and_change_nothing() -> None:
    log = fed(CONFIG)
    log.offsets[log.partitions[0]] = 5
    with pytest.raises(StateError, match="there is no state"):
        work(CONFIG, lambda: MemoryConnector(log))
    assert log.offsets == {log.partitions[0]: 5}
    assert not any(log.outputs.values())


def test_another_error_of_the_connector_ends_the_worker() -> None:
    class Broken(MemoryConnector):
        def poll(self, timeout: float) -> Polled:
            raise ConnectorError("gone for good")

    with pytest.raises(ConnectorError, match="gone for good"):
        work(CONFIG, lambda: Broken(fed(CONFIG)))


def test_the_connector_is_closed_whatever_happens() -> None:
    closed: list[float] = []

    class Closing(MemoryConnector):
        def commit(self, commit: Commit) -> None:
            raise ConnectorError("no")

        def close(self, timeout: float) -> None:
            closed.append(timeout)
            super().close(timeout)

    with pytest.raises(ConnectorError):
        work(CONFIG, lambda: Closing(fed(CONFIG)))
    assert closed


@pytest.mark.parametrize("workers", [2, 5])
def test_threads_that_fold_partitions_change_no_byte(workers: int) -> None:
    logs = []
    for config in (CONFIG, configured(state__snapshot_interval="1ms", workers=workers)):
        log = fed(config, partitions=4)
        Worker(task_of(config), lambda log=log: MemoryConnector(log, max_poll_records=50)).run()  # type: ignore[misc]
        logs.append(log)
    one, other = logs
    assert one.outputs == other.outputs
    assert one.dead_letters == other.dead_letters
    assert one.snapshots == other.snapshots
