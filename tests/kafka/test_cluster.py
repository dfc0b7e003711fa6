"""Three brokers, one of which goes and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.errors import CommitFailed
from tests.broker.client import Client
from tests.broker.process import Broker, Cluster
from tests.kafka.client_inside import coordinating_node
from tests.kafka.helpers import Pipeline, echo, take_over
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
