"""The profile `cluster`: one of three brokers may go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy import engine
from tests.deploy.engine import Stack, run, until

pytestmark = pytest.mark.compose


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    engine.need_engine()
    engine.need_kcat()
    engine.need_broker_image()
    made = Stack(tmp_path_factory.mktemp("clone"), "streamrnn-cluster", "cluster")
    made.remove()
    made.compose("up", "--detach", "--wait")
    yield made
    made.remove()


def test_every_record_is_on_three_brokers(stack: Stack) -> None:
    until("a first transaction", lambda: any(stack.ends("forecasts", range(6)).values()))
    tool = ["exec", "-T", "kafka", "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9091", "--describe"]
    lines = [line for line in stack.compose(*tool).out.splitlines() if line.startswith("Topic: ")]
    found = {line.split("\t")[0].removeprefix("Topic: "): line for line in lines}
    for topic in (
        "events",
        "forecasts",
        "dead-letters",
        "water-changelog",
        "__transaction_state",
        "__consumer_offsets",
    ):
        assert "ReplicationFactor: 3" in found[topic]
        assert "min.insync.replicas=2" in found[topic]


def test_a_killed_broker_stops_nothing(stack: Stack) -> None:
    until("forecasts in every partition", lambda: all(stack.ends("forecasts", [p]).get(p, 0) > 10 for p in range(6)))
    run("docker", "kill", "-s", "KILL", stack.container("kafka-2"))
    before = stack.ends("forecasts", range(6))
    until(
        "new forecasts in every partition without it",
        lambda: (
            all(end > before.get(p, 0) + 20 for p, end in stack.ends("forecasts", range(6)).items())
            and len(stack.ends("forecasts", range(6))) == 6
        ),
    )
    assert stack.inspect(stack.container("kafka-2"), "{{.State.Running}}") == "false"


def test_forecasts_are_complete_and_single(stack: Stack) -> None:
    stack.compose("stop", "producer")
    events = stack.events()
    assert sum(events.values()) > 500
    until("an answer to every event", lambda: stack.forecasts().keys() >= events.keys())
    assert stack.forecasts() == events
