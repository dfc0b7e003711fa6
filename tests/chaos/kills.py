"""Workers killed at moments nobody chose, and inside their commits."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.chaos.comparison import same_bytes
from tests.pipeline.faulty import POINTS
from tests.pipeline.workers import Application


def kill_and_compare(disturbed: Application, calm: Application, events: Sequence[Any], kills: int) -> int:
    """One worker left in peace and two that are killed write the same; returns how many of the kills hit a commit."""
    calm.client.produce(calm.input, events)
    calm.start(0)
    calm.wait_until_done(timeout=1200)
    assert calm.stop(0) == 0

    in_commit = _kill_at_random(disturbed, events, kills)
    disturbed.wait_until_done(timeout=1200)
    digests = disturbed.digests()
    assert [disturbed.stop(number) for number in range(2)] == [0, 0]

    answered = sum(b'"feedback"' not in value for _, _, value in events)
    same_bytes(disturbed, digests, calm, calm.digests(), answered)
    stored = disturbed.client.read(f"{disturbed.application_id}-changelog", committed=False)
    assert sum(b"/\xff" in (one.key or b"") for one in stored) > len(stored) // 4
    assert in_commit >= kills // 4
    return in_commit


def _kill_at_random(disturbed: Application, events: Sequence[Any], kills: int) -> int:
    """Feed the events in as many shares as there are kills; two workers are left. Returns how many died in a commit."""
    # Every kill shall meet work: each comes with its share of the events, in small polls.
    share = len(events) // kills
    disturbed.settings["kafka.max_poll_records"] = max(20, share // 40)
    # And its snapshots shall take several commits, so that kills meet some that are half written.
    disturbed.settings["kafka.snapshot_slice"] = 20_000
    moments = random.Random(7)
    in_commit = victim = 0
    for kill in range(kills):
        last = kill == kills - 1
        # A third die inside a commit: the one just started. Of the others, the one that has run longer dies.
        fault = f"{POINTS[kill // 3 % len(POINTS)]}:{moments.randint(1, 12)}" if kill % 3 == 0 else None
        for number in (victim, 1 - victim):
            if number not in disturbed.workers:
                disturbed.start(number, fault if number == victim else None)
        if fault is not None:  # the other one shall not have done all the work before it
            disturbed.wait_for(partial(_serves_or_is_dead, disturbed, victim))
        disturbed.client.produce(disturbed.input, events[kill * share : None if last else (kill + 1) * share])
        if fault is None:
            victim = 1 - victim
        worker = disturbed.workers[victim]
        if fault is not None:
            in_commit += _exits(worker, timeout=40) and worker.returncode == -signal.SIGKILL
        else:
            disturbed.wait_for(partial(disturbed.is_live, victim))
            time.sleep(moments.uniform(0.0, 1.0))  # the point of the test is a moment nobody chose
        disturbed.kill(victim)
    disturbed.start(victim)
    return in_commit


def _serves_or_is_dead(app: Application, number: int) -> bool:
    return app.is_live(number) or app.workers[number].poll() is not None


def _exits(worker: Any, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if worker.poll() is not None:
            return True
        time.sleep(0.05)
    return False
