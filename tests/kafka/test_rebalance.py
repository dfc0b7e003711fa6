"""Workers come, go and fall silent; every record is answered once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.errors import CommitFailed, ConnectorError
from streamrnn.records.log import Partition
from tests.broker.client import Client
from tests.kafka.client_inside import crash, join_again, lose_membership
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = pytest.mark.kafka


class Member(threading.Thread):
    """A worker in its own thread (the client's rule: one thread, one consumer) that answers until told to stop."""

    def __init__(self, made: Pipeline, **settings: object) -> None:
        super().__init__(daemon=True)
        self.made, self.settings = made, settings
        self.owned: set[Partition] = set()
        self.events: list[tuple[str, Partition]] = []
        self.stop, self.crash = threading.Event(), threading.Event()
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                connector = self.made.connector(**self.settings)
                try:
                    with connector:
                        self.work(connector)
                except CommitFailed:
                    self.owned.clear()
        except BaseException as error:
            self.failure = error

    def work(self, connector: KafkaConnector) -> None:
        while not self.stop.is_set():
            polled = connector.poll(0.1)
            for partition in polled.revoked:
                self.owned.discard(partition)
                self.events.append(("revoked", partition))
            for partition in polled.assigned:
                assert partition not in self.owned
                self.events.append(("assigned", partition))
                self.owned.add(partition)
                connector.start(partition, connector.committed(partition) or 0)
            assert set(polled.records) <= self.owned
            if self.crash.is_set():
                crash(connector)
                self.stop.set()
                return
            if polled.records:
                connector.commit(echo({p: list(r) for p, r in polled.records.items()}, snapshot=b"state"))

    def end(self) -> None:
        self.stop.set()
        self.join(30)
        assert not self.is_alive()
        if self.failure is not None:
            raise self.failure


def wait_for(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_partitions_move_to_newcomers_and_back_and_every_record_is_answered_once(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(4, max_poll_records=20)
    fed = 0

    def feed(count: int = 50) -> None:
        nonlocal fed
        for number in range(4):
            made.feed(number, [(b"k", b"%d" % i) for i in range(fed, fed + count)])
        fed += count

    feed()
    first = Member(made)
    wait_for(lambda: len(first.owned) == 4)
    second = Member(made)
    feed()
    wait_for(lambda: len(first.owned) == 2 and len(second.owned) == 2)
    third = Member(made)
    feed()
    wait_for(lambda: len(third.owned) >= 1 and len(first.owned | second.owned | third.owned) == 4)
    second.end()
    feed()
    wait_for(lambda: len(first.owned) + len(third.owned) == 4)
    third.crash.set()
    third.join(30)
    feed()
    wait_for(lambda: len(first.owned) == 4)
    wait_for(lambda: client.group_lag(made.application_id, made.config.input_topic) == 0)
    first.end()
    expected = [b"%d:%d" % (i, i) for i in range(fed)]
    assert made.outputs() == dict.fromkeys(range(4), expected)
    # cooperative: what a member keeps is never taken from it in between
    kept = {p for kind, p in first.events if kind == "assigned"} - {p for kind, p in first.events if kind == "revoked"}
    assert kept, first.events


def test_leaving_in_order_hands_over_at_once(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    """By time-out it would take the session's 60 seconds, longer than this test waits."""
    made = pipeline(1, session_timeout=60.0)
    with made.connector() as connector:
        take_over(connector)
    with made.connector() as connector:
        take_over(connector)


def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(2, session_timeout=30.0)
    other = Member(made, group_instance_id="other")
    wait_for(lambda: len(other.owned) == 2)
    with made.connector(group_instance_id="one") as connector:
        [before] = take_over(connector)
    events = len(other.events)
    with made.connector(group_instance_id="one") as connector:
        assert take_over(connector) == [before]
    assert len(other.events) == events
    other.end()


@contextmanager
def displaced(pipeline: Callable[..., Pipeline]) -> Iterator[tuple[KafkaConnector, Commit]]:
    """A connector whose name another one has taken, and its commit; the other one answers the record then."""
    made = pipeline(1, group_instance_id="twin")
    made.feed(0, [(b"k", b"0")])
    with made.connector() as first:
        take_over(first)
        commit = echo(take(first, 1))
        with made.connector() as second:
            take_over(second)
            yield first, commit
            second.commit(echo(take(second, 1)))
    assert made.outputs()[0] == [b"0:0"]


def test_two_workers_of_the_same_name_are_told_apart(pipeline: Callable[..., Pipeline]) -> None:
    with displaced(pipeline) as (first, commit), pytest.raises(ConnectorError):
        first.commit(commit)


def never(_: object) -> bool:
    return False


@pytest.mark.parametrize("moment", ["committing", "idle"])
def test_a_worker_whose_name_is_taken_ends_by_name(pipeline: Callable[..., Pipeline], moment: str) -> None:
    """Two that recover instead displace each other for ever: both restore, and nobody says why."""
    with displaced(pipeline) as (first, commit):
        after = (lambda: first.commit(commit)) if moment == "committing" else (lambda: poll_until(first, never))
        with pytest.raises(ConnectorError, match=r"another worker runs as .*group_instance_id 'twin'") as refused:
            after()
        assert not isinstance(refused.value, CommitFailed)  # of that a worker recovers


def test_a_worker_that_joined_again_is_not_taken_for_another(pipeline: Callable[..., Pipeline]) -> None:
    """After its session has ended it has the name as before and another id: it recovers, as after any failed commit."""
    made = pipeline(1, group_instance_id="one")
    made.feed(0, [(b"k", b"0")])
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        lose_membership(connector)
        join_again(connector)
        with pytest.raises(CommitFailed, match="no member of the consumer group any more"):
            connector.commit(commit)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 1)))
    assert made.outputs()[0] == [b"0:0"]


def test_a_second_rebalance_while_the_first_is_being_restored(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    """A partition taken away before it was started is reported revoked, and cannot be started any more."""
    made = pipeline(2)
    for number in range(2):
        made.feed(number, [(b"k", b"0")])
    with made.connector() as slow:
        [polled] = poll_until(slow, lambda polled: bool(polled.assigned))[-1:]
        assert len(polled.assigned) == 2
        restoring = slow.replay(polled.assigned[0], 0, 1)
        newcomer = Member(made)
        [later] = poll_until(slow, lambda polled: bool(polled.revoked))[-1:]
        [gone] = later.revoked
        with pytest.raises(ConnectorError, match="not assigned"):
            slow.start(gone, 0)
        assert len(next(iter(restoring))) == 1
        [kept] = [partition for partition in polled.assigned if partition != gone]
        slow.start(kept, 0)
        slow.commit(echo(take(slow, 1)))
        wait_for(lambda: newcomer.owned == {gone})
        wait_for(lambda: client.group_lag(made.application_id, made.config.input_topic) == 0)
        newcomer.end()
    assert made.outputs() == {0: [b"0:0"], 1: [b"0:0"]}


def test_a_partition_that_was_lost_and_regained_is_reported_both_ways(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"0")])
    with made.connector() as connector:
        [partition] = take_over(connector)
        take(connector, 1)
        lose_membership(connector)
        polls = poll_until(connector, lambda polled: bool(polled.assigned))
        assert [p for polled in polls for p in polled.revoked] == [partition]
        assert not any(polled.records for polled in polls)
        connector.start(partition, connector.committed(partition) or 0)
        connector.commit(echo(take(connector, 1)))
    assert made.outputs()[0] == [b"0:0"]
