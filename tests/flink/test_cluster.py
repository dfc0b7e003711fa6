"""A real cluster, a real broker: what is committed is what a run writes, whatever dies."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.broker.client import Client
from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.flink.test_fold import by_key
from tests.stepping.test_stepper import PARTITION, placed, run, spoiled
from tests.streams import configured, stream

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.thorough,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("pyflink") is None,
        reason="no PyFlink; pip install 'streamrnn[flink]' in an environment of its own",
    ),
]
EVENTS, SERIES, KILLS = 3_000, 50, 3


class Pipeline:
    """Topics, events and the configuration of one job."""

    def __init__(self, bootstrap: str, client: Client) -> None:  # noqa: F811
        self.client = client
        names = ["events", "forecasts", "alerts", "letters"]
        self.topic, *self.written = (client.create_topic(client.unique(name)) for name in names)
        self.config = configured(model__preset="lite", model__weights="series", anomaly__threshold=0.05)
        events = placed(spoiled(stream(self.config, EVENTS, SERIES, late=0.05)))
        self.events = [one._replace(topic=self.topic, key=b"key" if one.value is None else one.key) for one in events]
        settings = {
            "application_id": client.unique("job"), "kafka.bootstrap_servers": bootstrap,
            "kafka.input_topic": self.topic, "kafka.output_topic": self.written[0],
            "kafka.alerts_topic": self.written[1], "kafka.dead_letter_topic": self.written[2],
            "model.preset": "lite", "model.hidden_size": 4, "model.truncation_length": 2, "anomaly.threshold": 0.05,
        }  # fmt: skip
        self.flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        self.flags += ["--checkpoint-interval", "2"]

    def produce(self, start: int, stop: int) -> None:
        self.client.produce(self.topic, [(0, one.key, one.value) for one in self.events[start:stop]])

    def until(self, cluster: Any, count: int) -> None:
        """Under `event.late: process` every event is answered, or is a dead letter."""

        def found() -> bool | None:
            return sum(len(self.client.read(self.written[at])) for at in (0, 2)) >= count or None

        cluster.wait_for(found, 400)

    def is_a_run(self) -> None:
        time.sleep(5)  # nothing more may come
        expected: Sequence[Any] = run(self.config, self.events, PARTITION._replace(topic=self.topic))
        for topic, messages in zip(self.written, expected, strict=True):
            found = self.client.read(topic)
            assert len(found) == len(messages)
            assert by_key(found) == by_key(messages)
        assert len(expected[1]) > 10


def test_killed_task_managers_change_nothing_that_is_committed(
    bootstrap: str,  # noqa: F811
    client: Client,  # noqa: F811
    tmp_path: Path,
) -> None:
    from tests.flink.cluster import Cluster

    pipeline = Pipeline(bootstrap, client)
    with Cluster(tmp_path / "flink", 2) as cluster:
        cluster.submit(*pipeline.flags, "--parallelism", "2")
        bounds = [number * EVENTS // (KILLS + 1) for number in range(KILLS + 2)]
        for number in range(KILLS):
            pipeline.produce(bounds[number], bounds[number + 1])
            pipeline.until(cluster, bounds[number] + 1)
            cluster.kill(number % 2)
        pipeline.produce(bounds[KILLS], EVENTS)
        pipeline.until(cluster, EVENTS)
    pipeline.is_a_run()
