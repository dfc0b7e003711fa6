"""A real cluster, a real broker: what is committed is what `streamrnn run` writes, whatever dies and however wide.

`STREAMRNN_FLINK=long pytest tests/flink/test_cluster.py` plays 200,000 events of 500 series and kills ten times.
"""

from __future__ import annotations

import os
import random
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.broker.client import Client, Written
from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.flink.cluster import Cluster
from tests.flink.environment import ROOT, environment
from tests.stepping.test_stepper import placed, spoiled
from tests.streams import configured, stream

pytestmark = [pytest.mark.kafka, pytest.mark.thorough, pytest.mark.timeout(3600)]
LONG = os.environ.get("STREAMRNN_FLINK") == "long"
EVENTS, SERIES, KILLS = (200_000, 500, 10) if LONG else (3_000, 50, 3)
PARTITIONS = 2
SETTINGS: dict[str, object] = {
    "model.preset": "lite", "model.hidden_size": 4, "model.truncation_length": 2, "model.weights": "series",
    "model.horizon": 1,
    "anomaly.threshold": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(environment(), tmp_path_factory.mktemp("flink"), 2) as found:
        yield found


class Pipeline:
    """Topics, events, and who answers them: a job, and a worker of the same packages to compare with."""

    def __init__(self, client: Client, cluster: Cluster) -> None:  # noqa: F811
        self.client, self.cluster = client, cluster
        self.topic = client.create_topic(client.unique("events"), PARTITIONS)
        self.of_job, self.of_run = self._topics(), self._topics()
        events = placed(spoiled(stream(configured(**{"model.preset": "lite"}), EVENTS, SERIES, late=0.05)))
        self.events: list[tuple[int, bytes | None, bytes | None]] = []
        for one in events:
            value, name = one.value, (one.value or b"")[:20]  # begins with the key
            whole = value is not None and value.endswith(b"}") and b"1e400" not in value
            self.events.append(
                (zlib.crc32(name) % PARTITIONS if whole else 0, b"key" if value is None else None, value)
            )

    def _topics(self) -> list[str]:
        return [self.client.create_topic(self.client.unique(name)) for name in ("forecasts", "alerts", "letters")]

    def flags(self, topics: list[str]) -> list[str]:
        settings = SETTINGS | {
            "application_id": topics[0], "kafka.bootstrap_servers": self.client.bootstrap,
            "kafka.input_topic": self.topic, "kafka.output_topic": topics[0], "kafka.alerts_topic": topics[1],
            "kafka.dead_letter_topic": topics[2], "monitor.port": "null",
        }  # fmt: skip
        return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]

    def submit(self, *arguments: str) -> str:
        return self.cluster.submit(*self.flags(self.of_job), "--checkpoint-interval", "2", *arguments)

    def produce(self, start: int, stop: int) -> None:
        self.client.produce(self.topic, self.events[start:stop])

    def answered(self, topics: list[str]) -> int:
        """Under `event.late: process` every event is answered, or is a dead letter."""
        return sum(len(self.client.read(topics[at])) for at in (0, 2))

    def until(self, count: int, topics: list[str] | None = None) -> None:
        self.cluster.wait_for(lambda: self.answered(topics or self.of_job) >= count or None, 1800 if LONG else 300)

    def run(self, until: int) -> None:
        """Let the worker answer so many events, and stop it."""
        worker = self.cluster.streamrnn("run", "--quiet", *self.flags(self.of_run))
        try:
            self.until(until, self.of_run)
        finally:
            worker.terminate()
            _, err = worker.communicate()
        assert worker.returncode == 0, err.decode()[-3000:]

    def is_a_run(self, before: Sequence[list[Written]] = ([], [], [])) -> None:
        """Every series has the records, alerts and dead letters of a run, in order, each of them once.

        `before`: what the worker had written before the job began.
        """
        self.run(EVENTS)
        assert "folded one by one" not in "".join(self.cluster.logs().values())
        kinds = ("forecasts", "alerts", "letters")
        for kind, ours, theirs, old in zip(kinds, self.of_job, self.of_run, before, strict=True):
            known = {one[:2] for one in old}
            found, expected = self.client.read(ours), [one for one in self.client.read(theirs) if one[:2] not in known]
            least = 0 if any(before) and kind != "forecasts" else 10 if kind == "alerts" else 1
            assert len(found) == len(expected) >= least
            if kind == "letters":  # what is no event has no series, and so no order
                found, expected = (sorted(some, key=lambda one: repr(one[2:])) for some in (found, expected))
            assert by_key(found) == by_key(expected)


def by_key(messages: list[Written]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for one in messages:
        found.setdefault(one.key, []).append((one.value, dict(one.headers)))
    return found


def test_killed_task_managers_change_nothing_that_is_committed(client: Client, cluster: Cluster) -> None:  # noqa: F811
    pipeline, chance = Pipeline(client, cluster), random.Random(1)
    job = pipeline.submit("--parallelism", "2")
    bounds = [0, *sorted(chance.sample(range(1, EVENTS), KILLS)), EVENTS]
    for number in range(KILLS):
        pipeline.produce(bounds[number], bounds[number + 1])
        pipeline.until(bounds[number] + 1)
        time.sleep(chance.random() * 3)  # anywhere between two checkpoints
        cluster.kill(chance.randrange(2))
    pipeline.produce(bounds[-2], EVENTS)
    pipeline.until(EVENTS)
    pipeline.is_a_run()
    cluster.cancel(job)


def test_the_script_of_compose_submits_once_and_goes_on_from_the_newest_checkpoint(
    client: Client,  # noqa: F811
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    pipeline = Pipeline(client, cluster)
    flags = [*pipeline.flags(pipeline.of_job), "--checkpoint-interval", "1", "--jar", str(cluster.jar)]
    script = [str(ROOT / "deploy" / "compose" / "flink_job.py"), *flags]
    # One name for both jobs: the script finds its own by it.
    script[script.index(f"application_id={pipeline.of_job[0]}")] = "application_id=water-flink"
    environment = {"JOB_MANAGER": cluster.address, "CHECKPOINTS": str(tmp_path / "checkpoints")}
    (tmp_path / "checkpoints").mkdir()

    def submitted() -> str:
        out, err = cluster.python(*script, **environment).communicate()
        return (out or err).decode().strip().splitlines()[-1]

    first = submitted()
    assert submitted() == "the job runs already"
    pipeline.produce(0, EVENTS // 2)
    pipeline.until(EVENTS // 2)
    cluster.cancel(first)
    second = submitted()
    assert second != first
    pipeline.produce(EVENTS // 2, EVENTS)
    pipeline.until(EVENTS)
    pipeline.is_a_run()
    cluster.cancel(second)


def test_a_savepoint_goes_on_with_twice_the_tasks(client: Client, cluster: Cluster) -> None:  # noqa: F811
    pipeline = Pipeline(client, cluster)
    job = pipeline.submit("--parallelism", "2")
    pipeline.produce(0, EVENTS // 2)
    pipeline.until(EVENTS // 3)
    savepoint = cluster.stop(job)
    pipeline.produce(EVENTS // 2, EVENTS)
    job = pipeline.submit("--parallelism", "4", "--from-savepoint", savepoint)
    pipeline.until(EVENTS)
    pipeline.is_a_run()
    cluster.cancel(job)


def test_a_job_goes_on_with_what_a_worker_has_learned(client: Client, cluster: Cluster, tmp_path: Path) -> None:  # noqa: F811
    pipeline, learned = Pipeline(client, cluster), tmp_path / "learned.state"
    pipeline.produce(0, EVENTS // 2)
    pipeline.run(EVENTS // 2)
    before = [client.read(topic) for topic in pipeline.of_run]
    exporting = cluster.streamrnn("state", "export", str(learned), *pipeline.flags(pipeline.of_run))
    _, err = exporting.communicate()
    assert exporting.returncode == 0, err.decode()[-3000:]
    job = pipeline.submit("--parallelism", "2", "--state", str(learned))
    pipeline.produce(EVENTS // 2, EVENTS)
    pipeline.until(EVENTS - EVENTS // 2)
    pipeline.is_a_run(before)
    cluster.cancel(job)
