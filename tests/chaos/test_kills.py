"""SIGKILL at random moments and inside commits: outputs and weights are those of an undisturbed run, to the byte.

The everyday form is short; `make chaos` runs the long one (`STREAMRNN_CHAOS=long`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.comparison import alerts, same_bytes
from tests.chaos.kills import kill_and_compare
from tests.pipeline.faulty import POINTS
from tests.pipeline.workers import Application, generate

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]
LONG = os.environ.get("STREAMRNN_CHAOS") == "long"
EVENTS, SERIES, KILLS = (200_000, 200, 100) if LONG else (16_000, 40, 9)


def feedback(number: int) -> list[tuple[int, bytes, bytes]]:
    """On the first alerts of a series, those that it has had and others."""
    key = f"series-{number}"
    verdict = "fault" if number % 3 == 0 else "expected"
    said = [json.dumps({"feedback": verdict, "key": key, "alert": alert}).encode() for alert in range(1, 4)]
    return [(number % 4, key.encode(), value) for value in said]


@pytest.mark.timeout(3600)
def test_kills_change_no_byte(application: Callable[..., Application], capsys: pytest.CaptureFixture[str]) -> None:
    disturbed, calm = application(alerts=True), application(alerts=True)
    events = generate(EVENTS, SERIES, 4, seed=1, start=1_767_225_600, outages=True)
    said = [event for number in range(SERIES) for event in feedback(number)]
    after = 280 * SERIES  # the outages of half of the series are over, those of the others are not
    in_commit = kill_and_compare(disturbed, calm, [*events[:after], *said, *events[after:]], KILLS)
    assert sum(map(len, alerts(calm).values())) > SERIES
    refused = [letter.value for letter in calm.client.read(calm.dead_letters)]
    assert 0 < len(refused) < len(said)
    assert sorted(refused) == sorted(letter.value for letter in disturbed.client.read(disturbed.dead_letters))
    uncommitted = len(disturbed.client.read(disturbed.output, committed=False)) - EVENTS
    with capsys.disabled():
        print(
            f"\n{KILLS} kills, {in_commit} of them inside a commit; {EVENTS} events answered once; "
            f"{uncommitted} records of aborted transactions; weights equal"
        )


def test_a_paused_worker_is_fenced(application: Callable[..., Application]) -> None:
    app = application()
    app.settings["kafka.group_instance_id"] = "null"  # a static member's partitions would wait for it
    app.produce(8_000, 20)
    app.settings["kafka.max_poll_records"] = 50
    first = app.start(0, **{"kafka.group_instance_id": "null"})
    app.wait_for(lambda: app.committed() > 1_000)
    first.send_signal(signal.SIGSTOP)
    app.start(1, **{"kafka.group_instance_id": "null"})
    before = app.committed()
    app.wait_for(lambda: app.committed() > before + 2_000, timeout=60)
    first.send_signal(signal.SIGCONT)
    app.wait_until_done()
    app.produce(4_000, 20, seed=3, time=1_767_225_600 + 400 * 300)
    app.wait_until_done()
    has_rejoined_or_ended(app)
    assert app.stop(1) == 0
    assert len(app.outputs()) == 12_000


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_suspended_inside_a_commit_beyond_every_time_out_doubles_nothing(
    application: Callable[..., Application], point: str
) -> None:
    app = application(partitions=2)
    # Of the group, of the transaction that is open, and of the polls.
    app.settings |= {"kafka.session_timeout": "2s", "kafka.broker_timeout": "4s", "kafka.max_poll_interval": "5s"}
    app.settings |= {"kafka.max_poll_records": 50, "kafka.snapshot_slice": 20_000}
    app.produce(4_000, 20)
    first = app.start(0, f"{point}:20:stop", **{"kafka.group_instance_id": "null"})
    app.wait_for(lambda: is_suspended(first.pid), timeout=300)
    suspended = time.monotonic()
    app.start(1, **{"kafka.group_instance_id": "null"})
    app.wait_until_done()
    app.produce(400, 20, seed=2, time=1_767_225_600 + 200 * 300)
    app.wait_until_done()
    time.sleep(max(0.0, suspended + 8.0 - time.monotonic()))
    first.send_signal(signal.SIGCONT)
    app.produce(400, 20, seed=3, time=1_767_225_600 + 220 * 300)
    app.wait_until_done()
    has_rejoined_or_ended(app)
    assert app.stop(1) == 0
    assert len(app.outputs()) == 4_800


def has_rejoined_or_ended(app: Application) -> None:
    """Worker 0, which was suspended, works again, or ended with an error for its supervisor: never alive and idle."""
    if app.workers[0].poll() is None:
        assert app.stop(0) == 0
    else:
        assert app.workers.pop(0).returncode == 1


def is_suspended(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] == "T"


def test_workers_come_and_go(application: Callable[..., Application]) -> None:
    disturbed, calm = application(), application()
    disturbed.settings["kafka.max_poll_records"] = 50
    for app in (disturbed, calm):
        app.produce(EVENTS // 2, SERIES)
    disturbed.start(0)
    moments = random.Random(11)
    for _ in range(30 if LONG else 4):
        disturbed.start(1)
        disturbed.wait_for(lambda: disturbed.is_live(1))
        time.sleep(moments.uniform(1.0, 3.0))
        if moments.random() < 0.5:
            assert disturbed.stop(1) == 0
        else:
            disturbed.kill(1)
    disturbed.wait_until_done(timeout=600)
    digests = disturbed.digests()
    assert disturbed.stop(0) == 0
    calm.start(0)
    calm.wait_until_done(timeout=600)
    assert calm.stop(0) == 0
    same_bytes(disturbed, digests, calm, calm.digests(), EVENTS // 2)
