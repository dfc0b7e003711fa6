"""A keyed copy of a topic, exactly once, also when it is stopped in the middle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from streamrnn.app import repartition as job
from streamrnn.config.tree import Config
from streamrnn.connectors.kafka.internals import murmur2
from tests.broker.client import Client
from tests.kafka.helpers import Pipeline

pytestmark = pytest.mark.kafka


def test_every_series_ends_in_one_partition_and_every_message_once(
    client: Client, pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline(3, max_poll_records=20)
    values = [json.dumps({"key": f"s{i % 7}", "n": i, "value": float(i)}).encode() for i in range(120)]
    for number in range(3):
        made.feed(number, [(None, value) for value in values[number::3]], headers=[("trace", b"1")])
    made.feed(0, [(b"own", b"no event")])
    target = client.unique("by-series")
    config = Config(application_id=made.application_id, kafka=made.config)
    stop, keyed = threading.Event(), job._keyed
    seen = 0

    def stopping(*arguments: object) -> object:  # after some commits
        nonlocal seen
        seen += 1
        if seen == 50:
            stop.set()
        return keyed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(job, "_keyed", stopping)
    first = job.repartition(config, target, stop=stop)
    assert 0 < first < 121
    assert first + job.repartition(config, target, stop=threading.Event()) == 121
    assert job.repartition(config, target, stop=threading.Event()) == 0
    written = client.read(target)
    assert sorted(record.value or b"" for record in written) == sorted([*values, b"no event"])
    for record in written:
        series = b"own" if record.value == b"no event" else json.loads(record.value or b"")["key"].encode()
        assert record.key == series
        assert record.partition == (murmur2(series) & 0x7FFFFFFF) % 3
        assert record.headers == ((("trace", b"1"),) if record.value != b"no event" else ())
    assert not [name for name in client.admin.list_topics() if name.startswith(f"{made.application_id}-repartition")]
