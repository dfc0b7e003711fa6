"""A network or a broker that fails: working or gone within the deadline, never alive and idle, never half a commit."""

from __future__ import annotations

import gc
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.kafka.writer import Writer
from streamrnn.errors import BrokerUnavailable, CommitFailed, ConnectorError
from streamrnn.records.log import Partition
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.client_inside import sender
from tests.kafka.helpers import Pipeline, echo, take, take_over
from tests.proxy import Mode, Proxy

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

DEADLINE = 3.0  # broker_timeout here
PATIENCE = 60.0  # of a test, before it says that something hangs: many times the deadline, for slow machines


def through(made: Pipeline, proxy: Proxy, **changes: object) -> KafkaConnector:
    return made.connector(**{"bootstrap_servers": f"127.0.0.1:{proxy.port}", "broker_timeout": DEADLINE, **changes})


def within_patience(task: Callable[[], object]) -> None:
    started = time.monotonic()
    task()
    assert time.monotonic() - started < PATIENCE


def poll_on(connector: KafkaConnector) -> None:
    while True:
        connector.poll(0.25)


BROKEN = [Mode.CLOSE, Mode.SILENT, Mode.REFUSE]


@pytest.mark.parametrize("mode", BROKEN, ids=lambda mode: mode.value)
def test_a_commit_ends_within_its_deadline_and_so_does_closing(
    pipeline: Callable[..., Pipeline], proxy: Proxy, mode: Mode
) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(5)])
    connector = through(made, proxy)
    connector.open()
    take_over(connector)
    commit = echo(take(connector, 5), snapshot=b"state")
    proxy.set(mode)

    def fail() -> None:
        with pytest.raises(ConnectorError):
            connector.commit(commit)

    within_patience(fail)
    within_patience(lambda: connector.close(2.0))
    proxy.set(Mode.PASS)
    with made.connector() as heir:
        [partition] = take_over(heir)
        assert heir.committed(partition) is None
        heir.commit(echo(take(heir, 5)))
    assert made.outputs()[0] == [b"%d:%d" % (i, i) for i in range(5)]


@pytest.mark.parametrize("mode", BROKEN, ids=lambda mode: mode.value)
def test_polling_does_not_go_on_for_ever(pipeline: Callable[..., Pipeline], proxy: Proxy, mode: Mode) -> None:
    made = pipeline(1)
    with through(made, proxy) as connector:
        take_over(connector)
        proxy.set(mode)

        def poll() -> None:
            with pytest.raises(BrokerUnavailable, match=r"kafka\.broker_timeout"):
                poll_on(connector)

        within_patience(poll)


@pytest.mark.parametrize("mode", [Mode.CLOSE, Mode.SILENT], ids=lambda mode: mode.value)
def test_restoring_does_not_wait_for_ever(pipeline: Callable[..., Pipeline], proxy: Proxy, mode: Mode) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"0")])
    [partition] = made.partitions
    for step in (
        lambda connector: connector.committed(partition),
        lambda connector: connector.bounds(partition),
        lambda connector: list(connector.snapshots(partition)),
        lambda connector: list(connector.replay(partition, 0, 1)),
    ):
        proxy.set(Mode.PASS)
        with through(made, proxy) as connector:
            take_over(connector)
            proxy.set(mode)

            def fail(step: Callable[[KafkaConnector], object] = step, connector: KafkaConnector = connector) -> None:
                with pytest.raises(BrokerUnavailable):
                    step(connector)

            within_patience(fail)


@pytest.mark.parametrize("mode", BROKEN, ids=lambda mode: mode.value)
def test_starting_does_not_hang(pipeline: Callable[..., Pipeline], proxy: Proxy, mode: Mode) -> None:
    made = pipeline(1)
    proxy.set(mode)

    def start() -> None:
        with pytest.raises(BrokerUnavailable, match=r"kafka\.bootstrap_servers"):
            through(made, proxy).open()

    within_patience(start)


def test_a_short_outage_is_survived_without_a_word(pipeline: Callable[..., Pipeline], proxy: Proxy) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(3)])
    with through(made, proxy, broker_timeout=30.0, session_timeout=30.0) as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 3)))
        for mode in BROKEN:
            proxy.set(mode)
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                assert not connector.poll(0.2).records
            proxy.set(Mode.PASS)
            made.feed(0, [(b"k", b"more")])
            records = take_with_changes(connector, 1)
            connector.commit(echo(records))
    assert made.outputs()[0] == [b"0:0", b"1:1", b"2:2", b"3:more", b"4:more", b"5:more"]


def take_with_changes(connector: KafkaConnector, count: int) -> dict[Partition, list]:
    """As a worker: partitions may be lost and come back meanwhile."""
    found: dict[Partition, list] = {}
    deadline = time.monotonic() + PATIENCE
    while sum(map(len, found.values())) < count:
        assert time.monotonic() < deadline
        polled = connector.poll(0.25)
        for partition in polled.revoked:
            found.pop(partition, None)
        for partition in polled.assigned:
            connector.start(partition, connector.committed(partition) or 0)
        for partition, records in polled.records.items():
            found.setdefault(partition, []).extend(records)
    return found


def test_closing_with_something_unsent_ends_the_clients_thread(pipeline: Callable[..., Pipeline], proxy: Proxy) -> None:
    made = pipeline(1)
    topic = made.partitions[0].topic
    config = made.config.model_copy(update={"bootstrap_servers": f"127.0.0.1:{proxy.port}"})
    writer = Writer(config, "closing", None, {topic: 1 << 20})
    producer, thread = writer._producer, sender(writer)
    producer.partitions_for(topic)
    proxy.set(Mode.SILENT)
    producer.send(topic, b"never acknowledged")
    writer.close(0.5)
    thread.join(30)
    assert not thread.is_alive()
    del writer, producer, thread
    gc.collect()  # the client's own close() raises here once more, which would print a traceback


def test_a_slow_network_only_takes_longer(pipeline: Callable[..., Pipeline], proxy: Proxy) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(3)])
    with through(made, proxy, broker_timeout=60.0, session_timeout=30.0) as connector:
        take_over(connector)
        commit = echo(take(connector, 3), snapshot=b"state")
        proxy.delay = 0.5
        proxy.set(Mode.DELAY)
        connector.commit(commit)
        proxy.set(Mode.PASS)
    assert made.outputs()[0] == [b"0:0", b"1:1", b"2:2"]


@pytest.fixture(scope="module")
def mortal(broker: Broker) -> Iterator[Broker]:
    """A broker that tests may kill; only where the session has its own as well."""
    folder = Path(tempfile.mkdtemp(prefix="streamrnn-mortal-"))
    with Broker(folder) as started:
        yield started
    shutil.rmtree(folder, ignore_errors=True)


def test_a_paused_broker_is_noticed(mortal: Broker) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, 1)
    with made.connector(broker_timeout=DEADLINE) as connector:
        take_over(connector)
        mortal.pause()
        try:
            with pytest.raises(BrokerUnavailable, match="has not answered"):
                poll_on(connector)
            within_patience(lambda: connector.close(1.0))
        finally:
            mortal.resume()


def test_a_broker_killed_between_commits_and_back_loses_and_doubles_nothing(mortal: Broker) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, 1)
        made.feed(0, [(b"k", b"%d" % i) for i in range(40)])
        connector = made.connector(broker_timeout=30.0, max_poll_records=4)
        connector.open()
        done, kills = 0, 0
        take_over(connector)
        while done < 40:
            records = take_with_changes(connector, 1)
            if done in (8, 24) and kills < 2:
                kills += 1
                mortal.kill()
                mortal.start()
            try:
                connector.commit(echo(records))
                done += sum(map(len, records.values()))
            except CommitFailed:
                connector.close(2.0)
                connector = made.connector(broker_timeout=30.0, max_poll_records=4)
                connector.open()
                [partition] = take_over(connector)
                done = connector.committed(partition) or 0
        connector.close(5.0)
    with Client(mortal.bootstrap) as client:
        made.client = client
        assert kills == 2
        assert made.outputs()[0] == [b"%d:%d" % (i, i) for i in range(40)]


def commit(connector: KafkaConnector, records: dict[Partition, list], failed: list[ConnectorError]) -> None:
    try:
        connector.commit(echo(records, b"state" * 20_000))
    except ConnectorError as error:
        failed.append(error)


def test_a_broker_killed_in_the_middle_of_commits_and_back_loses_and_doubles_nothing(mortal: Broker) -> None:
    """What became of a commit is not known to whoever asked for it: the next connector finds out."""
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, 1)
        made.feed(0, [(b"k", b"%d" % i * 50) for i in range(400)])
    moments = random.Random(3)
    kills = done = 0
    while done < 400:
        connector = made.connector(broker_timeout=30.0, max_poll_records=50)
        connector.open()
        [partition] = take_over(connector)
        done = connector.committed(partition) or 0
        while done < 400:
            records = take_with_changes(connector, 1)
            failed: list[ConnectorError] = []
            committing = threading.Thread(target=commit, args=(connector, records, failed))
            committing.start()
            if kills < 6:
                kills += 1
                time.sleep(moments.choice((0.001, 0.003, 0.01, 0.03)))  # a commit takes some 5 ms
                mortal.kill()
                mortal.start()
            committing.join()
            if failed:
                break
            done += sum(map(len, records.values()))
        connector.close(2.0)
    with Client(mortal.bootstrap) as client:
        made.client = client
        assert kills == 6
        assert made.outputs()[0] == [b"%d:%b" % (i, b"%d" % i * 50) for i in range(400)]


def test_a_worker_killed_while_its_broker_is_away_leaves_no_trace(mortal: Broker) -> None:
    """The threads of a connector that is given up must not keep the process; nothing is written afterwards."""
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, 1)
        made.feed(0, [(b"k", b"0")])
        connector = made.connector(broker_timeout=DEADLINE)
        connector.open()
        take_over(connector)
        commit = echo(take(connector, 1))
    mortal.kill()
    try:
        with pytest.raises(ConnectorError):
            connector.commit(commit)
        within_patience(lambda: connector.close(1.0))
    finally:
        mortal.start()
    with Client(mortal.bootstrap) as client:
        made.client = client
        with made.connector() as heir:
            take_over(heir)
            heir.commit(echo(take(heir, 1)))
        assert made.outputs()[0] == [b"0:0"]
