"""A leak is open, then the service crashes: from a file of events to who is on call."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamrnn.app.notify import notify
from streamrnn.records.alerts import AlertRecord
from tests.inside import Inside
from tests.notify.stage import Hook, configured

COUNT, LEAK, CRASH, END = 1500, 1300, 1360, 1400
START = datetime(2026, 1, 5, tzinfo=UTC)


def events() -> str:
    """A daily wave every 5 minutes: it leaks by 1.5 a value, and is at nothing from `CRASH` to before `END`."""
    random = np.random.Generator(np.random.Philox(key=3))
    values = 100 + 20 * np.sin(2 * np.pi * np.arange(COUNT) / 288) + random.normal(0, 2, COUNT)
    values[LEAK:CRASH] -= np.minimum(0.8 * np.arange(CRASH - LEAK), 24.0)
    values[CRASH:END] = random.normal(0, 0.1, END - CRASH)
    times = [(START + timedelta(minutes=5 * i)).isoformat() for i in range(COUNT)]
    return "time,value\n" + "\n".join(f"{time},{value:.3f}" for time, value in zip(times, values, strict=True)) + "\n"


def test_a_crash_within_a_leak_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, alerts = tmp_path / "events.csv", tmp_path / "alerts.jsonl"
    source.write_text(events())
    run = Inside(tmp_path, capsys)
    ended = run("run", "--input", source, "--output", tmp_path / "out.jsonl", "--alerts", alerts, "--quiet")
    assert ended.code == 0, ended.err
    records = [json.loads(line) for line in alerts.read_text().splitlines()]
    for one in records:
        AlertRecord.model_validate(one)
    at = next(i for i, one in enumerate(records) if one["state"] == "opened" and one["source"]["offset"] == CRASH)
    before, crash = records[at - 1], records[at]
    assert (before["state"], before["source"]["offset"]) == ("closed", CRASH)
    assert LEAK < (datetime.fromisoformat(before["since"]) - START) / timedelta(minutes=5) < CRASH
    assert (before["replaced_by"], crash["replaces"]) == (crash["alert"], before["alert"])
    assert crash["direction"] == "low"
    assert crash["size"] < -50 < before["size"]
    assert f"goes beyond alert {before['alert']}, which was open" in crash["text"]
    open_now: set[int] = set()
    for one in records:
        if one["state"] == "opened":
            assert not open_now, "one at a time"
            open_now.add(one["alert"])
        else:
            open_now.remove(one["alert"])
    with Hook() as hook:
        receiver = {"webhook": {"url": hook.url}, "group_wait": "10ms", "group_interval": "1ms"}
        config = configured(file=str(alerts), receivers={"on-call": receiver})
        counts = notify(config, once=True, stop=threading.Event())
        told = [one for request in hook.requests for one in request.document["alerts"]]
    assert counts["told"] == len(records) == len(told)
    (opened,) = (one for one in told if one["status"] == "opened" and one["alert"] == crash["alert"])
    (resolved,) = (one for one in told if one["status"] == "resolved" and one["alert"] == before["alert"])
    assert opened["id"] != resolved["id"]
    assert f"goes on as alert {crash['alert']}" in resolved["text"]
