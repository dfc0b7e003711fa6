"""docker-compose.yml with a real engine: it starts, it scales, and what is killed leaves no gap and no double.

One stack; the tests are the steps of one story, in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.deploy import engine
from tests.deploy.engine import Stack, run, until

pytestmark = pytest.mark.compose

PARTITIONS = range(6)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    engine.need_engine()
    engine.need_kcat()
    engine.need_broker_image()
    made = Stack(tmp_path_factory.mktemp("clone"), "streamrnn-test", PRODUCER_RATE="200", PRODUCER_EVENTS="1000000")
    made.remove()
    yield made
    made.remove()


def goes_on(stack: Stack) -> None:
    """Every partition gets new forecasts."""
    before = stack.ends("forecasts", PARTITIONS)
    until("new forecasts in every partition", lambda: grown(before, stack.ends("forecasts", PARTITIONS)))


def grown(before: dict[int, int], after: dict[int, int]) -> bool:
    """By enough to be more than the marker of one transaction."""
    return all(after.get(partition, 0) > before.get(partition, 0) + 10 for partition in PARTITIONS)


def spread(stack: Stack, workers: int) -> bool:
    """Every partition has one owner, and every worker something to do."""
    owned = [stack.owned(worker) for worker in range(1, workers + 1)]
    return all(owned) and sorted(partition for one in owned for partition in one) == list(PARTITIONS)


def test_a_clean_clone_is_healthy_within_the_limit(stack: Stack) -> None:
    stack.up()
    assert stack.inspect(stack.container("streamrnn"), "{{.State.Health.Status}}") == "healthy"
    assert stack.inspect(stack.container("topics"), "{{.State.ExitCode}}") == "0"


def test_forecasts_are_read_by_a_client_of_this_machine(stack: Stack) -> None:
    goes_on(stack)
    command = [
        engine.need_kcat(),
        "-b",
        f"localhost:{stack.kafka}",
        "-C",
        "-t",
        "forecasts",
        "-o",
        "beginning",
        "-c",
        "1",
    ]
    found = json.loads(run(*command, "-q", "-p", "0", timeout=60).out)
    assert found["source"]["topic"] == "events"
    assert len(found["targets"]["value"]["forecast"]) == 12


def test_the_page_answers_on_loopback_only(stack: Stack) -> None:
    status, page = stack.get("/")
    assert status == 200
    assert "streamrnn" in page
    until("ready", lambda: stack.get("/readyz") == (200, "ok\n"))
    assert stack.get("/", worker=2)[0] == 503
    bound = run("docker", "ps", "--filter", f"name={stack.name}", "--format", "{{.Ports}}").out
    assert "0.0.0.0:" not in bound
    assert ":::" not in bound


def test_the_topics_fit_together(stack: Stack) -> None:
    tool = ["exec", "-T", "kafka", "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9091", "--describe"]
    told = stack.compose(*tool).out
    for topic in ("events", "forecasts", "dead-letters", "water-changelog"):
        line = next(line for line in told.splitlines() if line.startswith(f"Topic: {topic}\t"))
        assert "PartitionCount: 6" in line
        assert ("cleanup.policy=compact" in line) == (topic == "water-changelog")


def test_the_container_has_few_rights(stack: Stack) -> None:
    worker = stack.container("streamrnn")
    assert stack.inspect(worker, "{{.HostConfig.ReadonlyRootfs}}") == "true"
    assert stack.inspect(worker, "{{.HostConfig.CapDrop}}") == "[ALL]"
    assert stack.inspect(worker, "{{.HostConfig.Memory}}") != "0"
    assert stack.inspect(worker, "{{.Config.User}}") == "10001:10001"


def test_three_workers_share_the_partitions(stack: Stack) -> None:
    stack.up("--scale", "streamrnn=3")
    until("spread over three", lambda: spread(stack, 3))
    goes_on(stack)


def test_a_killed_worker(stack: Stack) -> None:
    run("docker", "kill", "-s", "KILL", stack.container("streamrnn", 2))
    goes_on(stack)  # the others have taken its partitions over
    stack.up("--scale", "streamrnn=3")
    until("spread over three again", lambda: spread(stack, 3))


def test_a_killed_broker(stack: Stack) -> None:
    run("docker", "kill", "-s", "KILL", stack.container("kafka"))
    stack.compose("up", "--detach", "--scale", "streamrnn=3")
    goes_on(stack)
    until("spread over three again", lambda: spread(stack, 3))


def test_a_stopped_worker_ends_in_order(stack: Stack) -> None:
    worker = stack.container("streamrnn", 3)
    run("docker", "stop", "--time", "30", worker)  # past that the engine kills, and the exit code is 137
    assert stack.inspect(worker, "{{.State.ExitCode}}") == "0"
    assert "Traceback" not in run("docker", "logs", worker).out


def test_down_and_up_keeps_what_was_learned(stack: Stack) -> None:
    stack.compose("down")
    stack.up()
    goes_on(stack)
    # Restored and not begun again: the counter is part of the state, and the log tells where each went on.
    taken_up = re.findall(r"live at offset (\d+)", stack.compose("logs", "--no-color", "streamrnn").out)
    assert len(taken_up) == len(PARTITIONS)
    assert min(map(int, taken_up)) > 100


def test_forecasts_are_complete_and_single(stack: Stack) -> None:
    stack.compose("stop", "producer")
    events = stack.events()
    assert sum(events.values()) > 1000
    until("an answer to every event", lambda: stack.forecasts().keys() >= events.keys())
    assert stack.forecasts() == events
    assert stack.kcat("dead-letters", "%p %o\\n") == []
