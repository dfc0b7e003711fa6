"""A real Alertmanager, and a real webhook behind it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Streamrnn
from tests.notify.stage import Hook, change, record, until
from tests.tools import need

pytestmark = pytest.mark.thorough


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


class Alertmanager:
    """`prometheus-alertmanager` on loopback, whose one receiver is a webhook."""

    def __init__(self, folder: Path, hook: Hook) -> None:
        self._program, self._folder = need("prometheus-alertmanager"), folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        route = {"receiver": "hook", "group_by": ["team"], "group_wait": "1s", "group_interval": "1s"}
        receiver = {"name": "hook", "webhook_configs": [{"url": hook.url, "send_resolved": True}]}
        (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                self._program, "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self.get("/-/ready") is not None)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                content: bytes = answer.read()
                return content
        except (urllib.error.URLError, OSError):
            return None

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are open."""
        found: list[dict[str, Any]] = json.loads(self.get("/api/v2/alerts") or b"[]")
        return found


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as made:
        yield made


@pytest.fixture
def alertmanager(tmp_path: Path, hook: Hook) -> Iterator[Alertmanager]:
    made = Alertmanager(tmp_path, hook)
    yield made
    made.kill()


def settings(folder: Path, manager: Alertmanager, **more: Any) -> None:
    receiver = {"alertmanager": {"url": manager.url, "labels": {"team": "plant"}, **more}, "retry": "100ms"}
    document = {"file": "alerts.jsonl", "page": "http://pages:8321", "receivers": {"am": receiver}}
    (folder / "notify.yaml").write_text(json.dumps(document))


def write(folder: Path, *records: bytes) -> None:
    with (folder / "alerts.jsonl").open("ab") as file:
        file.writelines(one + b"\n" for one in records)


def statuses(hook: Hook) -> dict[str, list[str]]:
    """What the webhook behind it heard of each alert, without repeats."""
    told: dict[str, list[str]] = {}
    for request in hook.requests:
        for one in request.document["alerts"]:
            heard = told.setdefault(one["labels"]["alert_id"], [])
            if heard[-1:] != [one["status"]]:
                heard.append(one["status"])
    return told


def test_opened_and_resolved_arrive_at_the_far_end_although_the_notifier_is_killed(
    streamrnn: Streamrnn, tmp_path: Path, alertmanager: Alertmanager, hook: Hook
) -> None:
    settings(tmp_path, alertmanager)
    write(tmp_path, record("pump/7 ü"))
    process = streamrnn.start("notify", "--config", "notify.yaml")
    until(lambda: len(statuses(hook)) == 1)
    (found,) = alertmanager.alerts()
    assert found["labels"] == {
        "alertname": "streamrnn_anomaly", "series": "pump/7 ü", "topic": "events", "partition": "0",
        "target": "value", "channel": "error", "team": "plant", "alert_id": change("pump/7 ü").id,
    }  # fmt: skip
    assert found["annotations"]["summary"].startswith("pump/7 ü: anomaly since")
    assert found["annotations"]["size"] == "3.25"
    assert found["startsAt"] == "2026-01-05T12:00:00.000Z"
    since = "time=2026-01-05T12%3A00%3A00Z"
    assert found["generatorURL"] == f"http://pages:8321/#series=pump%2F7+%C3%BC&partition=0&{since}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    write(tmp_path, record("valve"), record("pump/7 ü", state="closed", minute=7))
    process = streamrnn.start("notify", "--config", "notify.yaml")
    until(lambda: statuses(hook) == {change("pump/7 ü").id: ["firing", "resolved"], change("valve").id: ["firing"]})
    assert [one["labels"]["series"] for one in alertmanager.alerts()] == ["valve"]


def test_an_alertmanager_that_lost_its_memory_is_told_again(
    streamrnn: Streamrnn, tmp_path: Path, alertmanager: Alertmanager, hook: Hook
) -> None:
    settings(tmp_path, alertmanager, resend="1s", expire="1h")
    write(tmp_path, record("a"), record("b"), record("b", state="closed", minute=1))
    streamrnn.start("notify", "--config", "notify.yaml")
    until(lambda: [one["labels"]["series"] for one in alertmanager.alerts()] == ["a"])
    alertmanager.kill()
    write(tmp_path, record("c"))
    time.sleep(0.5)  # it is told, and tried again
    alertmanager.start()
    until(lambda: sorted(one["labels"]["series"] for one in alertmanager.alerts()) == ["a", "c"])


def test_a_thousand_alerts_in_a_minute_arrive_grouped(
    streamrnn: Streamrnn, tmp_path: Path, alertmanager: Alertmanager, hook: Hook
) -> None:
    settings(tmp_path, alertmanager)
    with Hook() as direct:
        document = json.loads((tmp_path / "notify.yaml").read_text())
        document["receivers"]["direct"] = {"webhook": {"url": direct.url}, "group_wait": "1s", "group_interval": "2s"}
        (tmp_path / "notify.yaml").write_text(json.dumps(document))
        streamrnn.start("notify", "--config", "notify.yaml")
        for start in range(0, 1000, 100):
            write(tmp_path, *(record(f"series {number}") for number in range(start, start + 100)))
            time.sleep(0.1)
        until(lambda: len(alertmanager.alerts()) == 1000)
        until(lambda: len(statuses(hook)) == 1000)
        until(lambda: len(direct.told()) == 1000)
        assert len(direct.requests) <= 4, "a notification for a group, not for an alert"
        assert len(hook.requests) <= 10
        assert {one["labels"]["team"] for request in hook.requests for one in request.document["alerts"]} == {"plant"}
