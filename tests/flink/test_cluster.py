"""A real cluster, a real broker: what is committed is what a run writes, whatever dies."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from tests.broker.client import Client
from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.flink.test_fold import by_key
from tests.stepping.test_stepper import placed, run, spoiled
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
EVENTS, SERIES, KILLS = 6_000, 50, 3


def test_killed_and_rescaled_it_writes_what_a_run_writes(
    bootstrap: str,  # noqa: F811
    client: Client,  # noqa: F811
    tmp_path: Path,
) -> None:
    from tests.flink.cluster import Cluster

    names = ["events", "forecasts", "alerts", "letters"]
    events_topic, forecasts, alerts, letters = (client.create_topic(client.unique(name)) for name in names)
    config = configured(model__preset="lite", model__weights="series", anomaly__threshold=0.05)
    events = [one._replace(topic=events_topic) for one in placed(spoiled(stream(config, EVENTS, SERIES, late=0.05)))]
    events = [one._replace(key=b"key") if one.value is None else one for one in events]
    settings = {
        "kafka.bootstrap_servers": bootstrap, "kafka.input_topic": events_topic, "kafka.output_topic": forecasts,
        "kafka.alerts_topic": alerts, "kafka.dead_letter_topic": letters, "model.preset": "lite",
        "model.hidden_size": 4, "model.truncation_length": 2, "anomaly.threshold": 0.05,
    }  # fmt: skip
    flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    flags += ["--checkpoint-interval", "2"]

    def written() -> int:
        return sum(len(client.read(topic)) for topic in (forecasts, letters))

    def until(count: int) -> None:
        # Under `event.late: process` every event is answered, or is a dead letter.
        cluster.wait_for(lambda: True if written() >= count else None, 400)

    third = EVENTS // 3
    with Cluster(tmp_path / "flink", 2) as cluster:
        job = cluster.submit(*flags, "--parallelism", "2")
        for number in range(KILLS):
            part = events[number * third // KILLS : (number + 1) * third // KILLS]
            client.produce(events_topic, [(0, one.key, one.value) for one in part])
            until(number * third // KILLS + 1)
            cluster.kill(number % 2)
        until(third)
        client.produce(events_topic, [(0, one.key, one.value) for one in events[third : 2 * third]])
        time.sleep(3)  # in the middle of it
        savepoint = cluster.stop_with_savepoint(job)
        cluster.add(2)
        cluster.wait_for(lambda: cluster.get("/taskmanagers")["taskmanagers"][3], 120)
        cluster.submit(*flags, "--parallelism", "4", "--from-savepoint", savepoint)
        client.produce(events_topic, [(0, one.key, one.value) for one in events[2 * third :]])
        until(EVENTS)
        time.sleep(5)  # nothing more may come
    from tests.stepping import test_stepper

    place = test_stepper.PARTITION._replace(topic=events_topic)
    expected = run(config, events, place)
    for topic, messages in zip((forecasts, alerts, letters), expected, strict=True):
        found = client.read(topic)
        assert len(found) == len(messages)
        assert by_key(found) == by_key(messages)
    assert len(expected[1]) > 10
