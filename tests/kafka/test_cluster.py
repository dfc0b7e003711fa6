"""Three brokers, one of which goes and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from streamrnn.errors import BrokerUnavailable, CommitFailed, StateError
from streamrnn.records.log import Partition
from tests.broker.client import Client
from tests.broker.process import Broker, Cluster
from tests.kafka.client_inside import coordinating_node
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over
from tests.kafka.test_outages import take_with_changes

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def cluster(tmp_path: Path, broker: Broker) -> Iterator[Cluster]:
    """Asks for the session's broker only to be skipped where that one is."""
    with Cluster(tmp_path) as started:
        yield started


def test_a_broker_of_three_is_killed_under_load_and_nothing_is_lost_or_doubled(cluster: Cluster) -> None:
    count = 120
    with Client(cluster.bootstrap) as client:
        made = Pipeline(client, 3, max_poll_records=5)
        for number in range(3):
            made.feed(number, [(b"k", b"%d" % i) for i in range(count)])
        victim: Broker | None = None
        done = commits = 0
        while done < 3 * count:
            with made.connector(broker_timeout=30.0) as connector:
                owned = take_over(connector, 3)
                done = sum(connector.committed(partition) or 0 for partition in owned)
                try:
                    while done < 3 * count:
                        records = take_with_changes(connector, 1)
                        if commits == 10 and victim is None:
                            victim = cluster.brokers[coordinating_node(connector) - 1]
                            victim.kill()
                        elif commits == 40 and victim is not None and not victim.running:
                            victim.start()
                        connector.commit(echo(records, snapshot=b"state"))
                        commits += 1
                        done += sum(map(len, records.values()))
                except CommitFailed:
                    continue
        assert commits > 40
        assert made.outputs() == {number: [b"%d:%d" % (i, i) for i in range(count)] for number in range(3)}


def test_partitions_that_move_to_other_brokers_are_followed(cluster: Cluster) -> None:
    """Also by what reads beside the group, which was told long ago who leads them."""
    with Client(cluster.bootstrap) as client:
        made = Pipeline(client, 1, broker_timeout=30.0)
        topic = made.config.input_topic
        with made.connector() as connector:
            [partition] = take_over(connector)
            assert connector.bounds(partition) == (0, 0)
            connector.lag(partition)
            for node in (1, 2, 3):
                client.admin.alter_partition_reassignments({TopicPartition(*partition): [node]})
                deadline = time.monotonic() + 60
                while leader(client, topic) != node:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                made.feed(0, [(b"k", b"%d" % node)])
                assert connector.bounds(partition) == (0, node)
                connector.commit(echo(take(connector, 1)))
        assert made.outputs()[0] == [b"0:1", b"1:2", b"2:3"]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("replicas", "said"),
    [(1, "has no leader"), (2, "has 1 of 2 replicas in sync, and its min.insync.replicas is 2")],
)
def test_an_output_that_lacks_its_brokers_is_named(cluster: Cluster, replicas: int, said: str) -> None:
    with Client(cluster.bootstrap) as client:
        made = Pipeline(client, broker_timeout=30.0)  # until the cluster has noticed that a broker is gone
        output = made.config.output_topic
        client.admin.create_topics({output: {"num_partitions": 1, "replication_factor": replicas}})
        made.feed(0, [(b"k", b"0")])
        with made.connector() as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1)))
            made.feed(0, [(b"k", b"1")])
            commit = echo(take(connector, 1))
            [described] = client.admin.describe_topics([output])
            victim = cluster.brokers[described["partitions"][0]["replica_nodes"][-1] - 1]
            victim.kill()
            with pytest.raises(BrokerUnavailable, match=rf"{output}\[0\] {said}"):
                connector.commit(commit)
        victim.start()
        with made.connector(broker_timeout=60.0) as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1)))
        assert made.outputs()[0] == [b"0:0", b"1:1"]


def leader(client: Client, topic: str) -> int:
    """Node of the leader; -1 while there is none."""
    with suppress(KafkaError):
        [described] = client.admin.describe_topics([topic])
        return int(described["partitions"][0]["leader_id"])
    return -1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_unclean_election_stops_the_worker_by_name(cluster: Cluster) -> None:
    """The replica that leads now was away when the last records were written, acknowledged, read and committed."""
    with Client(cluster.bootstrap) as client:
        topic = client.unique("unclean")
        settings = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
        client.admin.create_topics(
            {topic: {"num_partitions": 1, "replication_factor": 2, "configs": settings}}, wait_for_metadata=True
        )
        made = Pipeline(client, 1, input_topic=topic, broker_timeout=60.0)
        made.partitions = [Partition(topic, 0)]
        [described] = client.admin.describe_topics([topic])
        first = leader(client, topic)
        [second] = [node for node in described["partitions"][0]["replica_nodes"] if node != first]
        with made.connector() as connector:
            take_over(connector)
            made.feed(0, [(b"k", b"both have it")] * 5)
            connector.commit(echo(take(connector, 5)))
            cluster.brokers[second - 1].stop()
            made.feed(0, [(b"k", b"one has it")] * 5)
            connector.commit(echo(take(connector, 5)))
            cluster.brokers[first - 1].kill()
            cluster.brokers[second - 1].start()
            deadline = time.monotonic() + 60
            while leader(client, topic) != second:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            with pytest.raises(StateError, match=r"no longer in the broker's log: .*was cut at offset 5 .an unclean"):
                poll_until(connector, lambda _: False, seconds=90)
