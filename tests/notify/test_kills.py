"""A notifier that is killed in the middle of things: every alert is opened and resolved, and nothing is lost."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.records.log import Message
from tests.broker.client import Client
from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.commands import Streamrnn
from tests.kafka.helpers import SESSION
from tests.notify.stage import Hook, Request, record, until

pytestmark = pytest.mark.thorough


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


def alerts(count: int) -> list[bytes]:
    """Of ten series, each opened and then closed."""
    records = []
    for number in range(1, count + 1):
        key, since = f"series {number % 10}", f"2026-01-05T12:{number // 60:02d}:{number % 60:02d}Z"
        records += [record(key, number, since=since), record(key, number, "closed", 59, since=since)]
    return records


def settings(hook: Hook, *lines: str) -> str:
    receiver = {"webhook": {"url": hook.url}, "group_wait": "50ms", "group_interval": "20ms", "retry": "50ms"}
    return "\n".join([*lines, f"receivers: {json.dumps({'hook': receiver})}"])


def unreliable(seed: int) -> Hook:
    """One answer in four is an error, and one a hang-up."""
    drawn, lock = random.Random(seed), threading.Lock()

    def answer(_: Request) -> int:
        with lock:
            return drawn.choice([200, 200, 503, 0])

    return Hook(answer)


def opened_and_resolved(hook: Hook) -> dict[str, set[str]]:
    told: dict[str, set[str]] = {}
    for one, status in hook.told():
        told.setdefault(one, set()).add(status)
    return told


def check(hook: Hook, count: int, kills: int) -> None:
    """Every alert was opened and resolved, in this order, and doubled only what a kill made double."""
    told = hook.told()
    found = opened_and_resolved(hook)
    assert len(found) == count
    assert all(statuses == {"opened", "resolved"} for statuses in found.values())
    first: dict[tuple[str, str], int] = {}
    for place, one in enumerate(told):
        first.setdefault(one, place)
    assert all(first[one, "opened"] < first[one, "resolved"] for one in found)
    if kills == 0:
        assert len(told) == 2 * count


def all_over(hook: Hook, count: int) -> bool:
    found = opened_and_resolved(hook)
    return len(found) == count and all(len(statuses) == 2 for statuses in found.values())


def test_a_killed_notifier_of_a_file_loses_nothing(streamrnn: Streamrnn, tmp_path: Path) -> None:
    everything, drawn = alerts(120), random.Random(7)
    (tmp_path / "alerts.jsonl").touch()
    with unreliable(1) as hook, (tmp_path / "alerts.jsonl").open("ab", 0) as file:
        (tmp_path / "notify.yaml").write_text(settings(hook, "file: alerts.jsonl"))
        process, kills = streamrnn.start("notify", "--config", "notify.yaml"), 0
        for part in _batched(everything, 30):
            before = len(hook.requests)
            file.write(b"".join(one + b"\n" for one in part))
            until(lambda before=before: len(hook.requests) > before)  # type: ignore[misc]
            if drawn.random() < 0.7:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                process = streamrnn.start("notify", "--config", "notify.yaml")
        until(lambda: all_over(hook, 120), 120)
        assert kills > 2
        check(hook, 120, kills)
        file.write(record("last", 121) + b"\n")  # it runs, and listens
        until(lambda: len(opened_and_resolved(hook)) == 121)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        said = len(hook.requests)
        done = streamrnn("notify", "--config", "notify.yaml", "--once")
        assert done.code == 0, done.err
        assert len(hook.requests) == said, "what had arrived was committed"


def _batched(items: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@pytest.mark.kafka
def test_killed_notifiers_of_a_topic_lose_nothing(
    streamrnn: Streamrnn,
    tmp_path: Path,
    client: Client,  # noqa: F811
) -> None:
    """Two at once over three partitions; either is killed now and then, and the other goes on with what it had."""
    topic = client.create_topic(client.unique("alerts"), 3)
    group, drawn = client.unique("notify"), random.Random(11)
    everything = alerts(90)
    with unreliable(2) as hook:
        kafka = {"bootstrap_servers": client.bootstrap, "session_timeout": SESSION}
        lines = (f"topic: {topic}", f"application_id: {group}", f"kafka: {json.dumps(kafka)}")
        (tmp_path / "notify.yaml").write_text(settings(hook, *lines))
        processes = [streamrnn.start("notify", "--config", "notify.yaml") for _ in range(2)]
        kills = 0
        for part in _batched(everything, 30):
            before = len(hook.requests)
            messages = [Message(json.loads(one)["key"].encode(), one) for one in part]
            client.produce(topic, [(sum(m.key or b"") % 3, m.key, m.value) for m in messages])
            until(lambda before=before: len(hook.requests) > before, 90)  # type: ignore[misc]
            if drawn.random() < 0.8:
                victim = drawn.randrange(2)
                processes[victim].send_signal(signal.SIGKILL)
                processes[victim].wait()
                kills += 1
                processes[victim] = streamrnn.start("notify", "--config", "notify.yaml")
        until(lambda: all_over(hook, 90), 120)
        assert kills > 2
        check(hook, 90, kills)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert {process.wait(60) for process in processes} <= {0, -signal.SIGTERM}  # one may just have begun


@pytest.mark.kafka
def test_what_cannot_be_delivered_is_in_the_topic_of_the_undelivered(
    streamrnn: Streamrnn,
    tmp_path: Path,
    client: Client,  # noqa: F811
) -> None:
    topic = client.create_topic(client.unique("alerts"), 1)
    with Hook(lambda request: 410 if b"poison" in request.body else 200) as hook:
        kafka = {"bootstrap_servers": client.bootstrap, "session_timeout": SESSION}
        lines = (f"topic: {topic}", f"application_id: {client.unique('notify')}", f"kafka: {json.dumps(kafka)}")
        (tmp_path / "notify.yaml").write_text(settings(hook, *lines))
        values = [record("a"), record("poison"), b"no alert", record("a", state="closed", minute=3)]
        client.produce(topic, [(0, b"k", value) for value in values])
        process = streamrnn.start("notify", "--config", "notify.yaml")
        until(lambda: len(hook.told()) == 2, 90)
        until(lambda: len(client.read(f"{topic}-undelivered")) == 2, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        letters = client.read(f"{topic}-undelivered")
        assert [one.value for one in letters] == values[1:3]
        assert b"410" in dict(letters[0].headers)["streamrnn.error.message"]
