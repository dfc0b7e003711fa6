"""The main job through real processes and a real broker: every event answered once, in order, whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.workers import ROOT, START, Application, generate, quiet_environment

pytestmark = pytest.mark.kafka
Make = Callable[..., Application]


@pytest.mark.parametrize(("workers", "events"), [(1, 20_000), (2, 100_000)])
def test_every_event_is_answered_once_in_order(application: Make, workers: int, events: int) -> None:
    app = application()
    app.produce(events, series=50)
    for number in range(workers):
        app.start(number)
    app.wait_until_done()
    assert [app.stop(number) for number in range(workers)] == [0] * workers
    assert len(app.outputs()) == events
    assert app.client.group_lag(app.application_id, app.input) == 0


def test_a_stopped_worker_goes_on_where_it_was(application: Make) -> None:
    disturbed, calm = application(), application()
    for app in (disturbed, calm):
        app.produce(12_000, series=20)
    for number in range(4):
        at_least = 2_500 * (number + 1)
        worker = disturbed.start(0)
        disturbed.wait_for(lambda at_least=at_least: disturbed.is_live(0) and disturbed.committed() >= at_least)
        worker.send_signal(signal.SIGTERM if number % 2 else signal.SIGINT)
        assert worker.wait(5) == 0, disturbed.last_words()
    for app in (disturbed, calm):
        app.start(0)
        app.wait_until_done()
        app.wait_for(lambda app=app: app.is_live(0))  # there may have been nothing left to do
        assert app.stop(0) == 0
    assert _without_source(disturbed.outputs()) == _without_source(calm.outputs())
    assert disturbed.digests() == calm.digests()


def test_poison_goes_to_the_dead_letters_and_changes_nothing_else(application: Make) -> None:
    poison = [
        b"not json",
        b"[1, 2]",
        b'{"key": "series-1"}',
        b'{"key": "series-1", "value": "text"}',
        b'{"key": "series-1", "value": NaN}',
        b'{"key": "series-1", "value": 1e400}',
        b'{"key": "series-1", "value": 1, "padding": "' + b"x" * 5_000_000 + b'"}',
        None,
        b'{"key": "series-1", "value": \xff\xfe}',
    ]
    clean, poisoned = application(partitions=1), application(partitions=1)
    later = 1_767_225_600 + 150 * 300
    clean.produce(1_500, series=10)
    clean.produce(1_500, series=10, seed=2, time=later)
    poisoned.client.admin.alter_configs(_settings(poisoned.input, {"max.message.bytes": "6000000"}))
    poisoned.produce(1_500, series=10)
    poisoned.client.produce(poisoned.input, [(0, b"series-1", value) for value in poison])
    poisoned.produce(1_500, series=10, seed=2, time=later)
    for app in (clean, poisoned):
        app.start(0)
        app.wait_until_done()
        assert app.stop(0) == 0
    letters = poisoned.client.read(poisoned.dead_letters)
    assert [letter.value for letter in letters] == poison
    for offset, letter in enumerate(letters, start=1_500):
        headers = {name: text.decode() for name, text in letter.headers}
        assert headers["streamrnn.error.class"] == "EventInvalid"
        assert headers["streamrnn.error.message"]
        assert headers["streamrnn.error.offset"] == str(offset)
        assert headers["streamrnn.error.topic"] == poisoned.input
    expected = list(_without_source(clean.outputs()).values())
    assert len(expected) == 3_000
    assert list(_without_source(poisoned.outputs()).values()) == expected


def _settings(topic: str, values: dict[str, str]) -> list[Any]:
    from kafka.admin import ConfigResource, ConfigResourceType

    return [ConfigResource(ConfigResourceType.TOPIC, topic, configs=values)]


def test_a_file_is_answered_as_the_topic_is(application: Make, tmp_path: Path) -> None:
    """With the default model; that `evaluate` scores the same forecasts is shown in tests/evaluation."""
    app = application(partitions=1, **{"model.preset": "standard"})
    app.produce(2_000, series=5)
    app.start(0)
    app.wait_until_done()
    assert app.stop(0) == 0
    events, answers = tmp_path / "events.jsonl", tmp_path / "answers.jsonl"
    events.write_bytes(b"".join(value + b"\n" for _, _, value in generate(2_000, 5, 1, seed=1, start=START)))
    command = [sys.executable, "-m", "streamrnn", "run", "--input", events, "--output", answers]
    done = subprocess.run(command, cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = dict(enumerate(answers.read_bytes().splitlines()))
    in_file = _without_source({(0, number): line for number, line in lines.items()})
    assert in_file == _without_source(app.outputs())


def test_a_second_interrupt_ends_at_once(application: Make) -> None:
    app = application()
    app.produce(2_000, series=5)
    worker = app.start(0)
    app.wait_for(lambda: app.committed() > 0)
    worker.send_signal(signal.SIGSTOP)
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGCONT)
    assert worker.wait(10) in (0, 130)


def test_inspect_and_reset(application: Make) -> None:
    app = application(partitions=2)
    app.produce(2_000, series=6)
    app.start(0, **{"kafka.group_instance_id": "null"})
    app.wait_until_done()
    refused = app.command("reset", "--to", "earliest", "--yes")
    assert refused.returncode == 1
    assert "running" in refused.stderr
    assert app.stop(0) == 0
    rows = app.inspect()
    assert [row["series"] for row in rows] == [3, 3]
    assert [row["offset"] for row in rows] == [1_000, 1_000]
    assert all(row["lag"] == 0 and row["bytes"] > 0 and row["digest"] for row in rows)
    before = app.outputs()

    done = app.command("reset", "--to", "earliest", "--yes")
    assert done.returncode == 0, done.stderr
    app.start(0)
    app.wait_until_done()
    assert app.stop(0) == 0
    again = app.client.read(app.output)
    assert len(again) == 2 * len(before)
    assert sorted(w.value or b"" for w in again) == sorted([*before.values(), *before.values()])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kafka.bootstrap_servers": "localhost:1"}, "kafka.bootstrap_servers"),
        ({"kafka.input_topic": "no-such-topic"}, "kafka.input_topic"),
    ],
)
def test_trouble_is_one_line_that_names_the_setting(application: Make, settings: dict[str, str], says: str) -> None:
    app = application()
    app.settings.update(settings)
    done = subprocess.run(
        [sys.executable, "-m", "streamrnn", "run", "--quiet", *app.arguments()],
        cwd=ROOT, capture_output=True, text=True, timeout=60, env=quiet_environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def _without_source(outputs: dict[tuple[int, int], bytes]) -> dict[tuple[int, int], dict[str, Any]]:
    """Two applications read topics of different names."""
    found = {}
    for place, value in outputs.items():
        record = json.loads(value)
        del record["source"]
        found[place] = record
    return found
