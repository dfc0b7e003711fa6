"""State without a committed offset: what the error says of the group; and the very first group of a broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kafka.structs import OffsetAndMetadata

from streamrnn.connectors.base import Polled
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_the_group_is_described_as_it_is(client: Client, delivery: str) -> None:
    made = Pipeline(client, 3, delivery=delivery)
    with made.connector() as connector:
        owned = sorted(partition for polled in poll_until(connector, _assigned) for partition in polled.assigned)
        told = connector.why_uncommitted(owned[0])
        assert f"group {made.application_id!r} has none of this topic: they were deleted, or expired" in told
        assert ("delivery is at-least-once" in told) == (delivery == "at-least-once")
        connector.start(owned[1], connector.committed(owned[1]) or 0)
        connector.poll(0.5)  # where it goes live is committed
        assert "has offsets of 1 other partitions of this topic" in connector.why_uncommitted(owned[0])
        assert "has none of this topic" in connector.why_uncommitted(owned[1])


def test_a_group_that_somebody_has_moved_is_said(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    made = Pipeline(client)
    made.feed(0, [(b"k", b"%d" % number) for number in range(10)])
    for _ in range(2):
        with made.connector(max_poll_records=3) as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 3)))
    assert not caplog.records
    [(partition, _)] = client.group_offsets(made.application_id).items()
    client.admin.alter_group_offsets(made.application_id, {partition: OffsetAndMetadata(8, "", -1)})
    with made.connector() as connector:
        take_over(connector)
    [warning] = caplog.records
    assert "[0]: the committed offset 8 has no mark of streamrnn: somebody has moved the group" in warning.getMessage()


def _assigned(polled: Polled) -> bool:
    return len(polled.assigned) == 3


def test_a_reset_waits_for_the_first_group_of_a_broker(tmp_path: Path, broker: Broker) -> None:
    """Asks for the session's broker only to be skipped where that one is."""
    fresh = Broker(tmp_path)
    fresh.start()
    try:
        with Client(fresh.bootstrap) as client:
            client.create_topic("events", 2)
        # In a process of its own: what the client leaves open there when the broker goes is nobody's here.
        command = [sys.executable, "-m", "streamrnn", "reset", "--to", "earliest", "--yes", "--set"]
        done = subprocess.run(
            [*command, f"kafka.bootstrap_servers={fresh.bootstrap}"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["events[0] begins at offset 0", "events[1] begins at offset 0"]
    finally:
        fresh.kill()


def test_events_are_read_in_the_rack_that_is_named(client: Client) -> None:
    made = Pipeline(client, 1, client_rack="eu-west-1a")
    made.feed(0, [(b"k", b"1"), (b"k", b"2")])
    with made.connector() as connector:
        take_over(connector)
        assert [len(some) for some in take(connector, 2).values()] == [2]
