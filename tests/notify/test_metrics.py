"""What a notifier serves: `/metrics` as its table says, and `/livez`, while a receiver is gone and when it is back."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamrnn.app.notify import notify
from streamrnn.config.notify import NotifyConfig
from streamrnn.errors import ConfigurationError
from streamrnn.notify.courier import Courier
from streamrnn.notify.metrics import registry
from streamrnn.notify.notifier import Notifier
from streamrnn.notify.receivers import receiver
from tests.broker.process import free_ports
from tests.monitor.stage import get
from tests.notify.stage import Hook, configured, record, until
from tests.notify.test_delivery import hooked, running, write
from tests.tools import need

PAGE = Path(__file__).parents[2] / "docs" / "notify.md"


def exposed() -> set[str]:
    """Every sample name of a notifier."""
    config = configured()
    couriers = [Courier(name, of, receiver(name, of, None)) for name, of in config.receivers.items()]
    notifier = Notifier(config, couriers, lambda: pytest.fail("connected"), stop=threading.Event())
    found = set()
    for family in registry(notifier, couriers).collect():
        found.add(family.name + {"counter": "_total", "info": "_info"}.get(family.type, ""))
    return found


def scraped(port: int) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    try:
        text = get(port, "/metrics").text
    except OSError:
        return {}
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def served(folder: Path, hook: Hook, **more: Any) -> tuple[NotifyConfig, int]:
    (port,) = free_ports(1)
    return hooked(folder, hook, monitor={"port": port, **more.pop("monitor", {})}, **more), port


def test_a_receiver_that_is_gone_is_seen_and_so_is_its_return(tmp_path: Path) -> None:
    gone = threading.Event()
    gone.set()
    write(tmp_path, record("a"), record("b"), record("a"), record("c", state="closed"), b"nonsense", record("d"))
    mute = [{"keys": ["d"], "from": "2026-01-05T11:00:00Z", "to": "2999-01-01T00:00:00Z"}]
    with Hook(lambda _: 503 if gone.is_set() else 200) as hook:
        config, port = served(tmp_path, hook, mute=mute)
        with running(config):
            until(lambda: scraped(port).get(("streamrnn_notify_failures_total", "hook"), 0) >= 2)
            until(lambda: scraped(port)["streamrnn_notify_open_alerts", "muted"] == 1)
            found = scraped(port)
            assert found["streamrnn_notify_records_total",] == 6
            assert found["streamrnn_notify_waiting", "hook"] == 3  # a, b, and the end of c
            assert found["streamrnn_notify_failing_seconds", "hook"] > 0
            assert found["streamrnn_notify_delivered_total", "hook"] == 0
            assert found["streamrnn_notify_open_alerts", "told"] == 2
            untold = ("muted", "repeated", "unrouted", "unreadable")
            assert [found["streamrnn_notify_untold_total", reason] for reason in untold] == [1, 1, 0, 1]
            assert get(port, "/livez").status == 200  # nothing that a restart would help
            gone.clear()
            until(lambda: scraped(port)["streamrnn_notify_delivered_total", "hook"] == 3)
            found = scraped(port)
            assert (found["streamrnn_notify_waiting", "hook"], found["streamrnn_notify_failing_seconds", "hook"]) == (
                0, 0,
            )  # fmt: skip
            checked = subprocess.run(
                [need("promtool"), "check", "metrics"], input=get(port, "/metrics").text, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        assert scraped(port) == {}


def test_a_token_keeps_others_out_and_there_is_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    with Hook() as hook:
        config, port = served(tmp_path, hook, monitor={"token": "secret"})
        with running(config):
            until(lambda: hook.requests)
            assert get(port, "/metrics").status == 401
            assert get(port, "/metrics", Authorization="Bearer secret").status == 200
            assert get(port, "/series", Authorization="Bearer secret").status == 404


def test_a_loop_that_hangs_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang, hanging = threading.Event(), threading.Event()

    def look(self: Notifier, *_: object, **__: object) -> None:
        hanging.set()
        hang.wait(60)

    monkeypatch.setattr(Notifier, "_look", look)
    write(tmp_path, record("a"))
    with Hook() as hook:
        config, port = served(tmp_path, hook, monitor={"stall_timeout": "200ms"})
        with running(config):
            assert hanging.wait(30)
            until(lambda: get(port, "/livez").status == 503)
            assert "has not gone round" in get(port, "/livez").text
            hang.set()


def test_a_port_that_is_taken_stops_it_before_anything_is_told(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    with Hook() as hook:
        config, _ = served(tmp_path, hook)
        taken = config.model_copy(
            update={"monitor": config.monitor.model_copy(update={"port": int(hook.url.split(":")[2].split("/")[0])})}
        )
        with pytest.raises(ConfigurationError, match="cannot serve"):
            notify(taken, once=True, stop=threading.Event())
        assert not hook.requests


def test_every_metric_is_documented_and_none_else() -> None:
    documented = set(re.findall(r"^\| `(streamrnn_[a-z_]+)`", PAGE.read_text(), re.MULTILINE))
    assert documented == {name for name in exposed() if name.startswith("streamrnn_")}
