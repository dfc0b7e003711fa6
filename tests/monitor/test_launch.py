"""Where the page is served when its usual port is taken."""

from __future__ import annotations

import io
from contextlib import ExitStack

import pytest
from rich.console import Console

from streamrnn.errors import ConfigurationError
from streamrnn.monitor.launch import monitoring
from streamrnn.monitor.monitor import Monitor
from streamrnn.runtime.task import task_of
from tests.broker.process import free_ports
from tests.monitor.stage import configured


def test_demos_that_run_at_once_take_the_next_ports_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrnn.monitor.launch.webbrowser.open", lambda _: None)
    ports = (*free_ports(2), 0)
    task = task_of(configured(monitor__port=None))
    said, served = [], []
    with ExitStack() as stack:
        for _ in range(3):
            console = Console(file=io.StringIO(), width=200)
            monitor = stack.enter_context(monitoring(task, console, ports=ports))
            assert isinstance(monitor, Monitor)
            served.append(monitor.port)
            said.append(console.file.getvalue())  # type: ignore[attr-defined]
    assert served[:2] == list(ports[:2])
    assert served[2] not in served[:2]
    assert "is taken" not in said[0]
    assert all(f"port {ports[0]} is taken, perhaps by another demo" in text for text in said[1:])
    assert all(f"live page: http://127.0.0.1:{port}/" in text for port, text in zip(served, said, strict=True))


def test_a_port_that_was_asked_for_is_not_exchanged() -> None:
    (port,) = free_ports(1)
    task = task_of(configured(monitor__port=port))
    with (
        monitoring(task),
        pytest.raises(ConfigurationError, match=f"{port}.*choose another port"),
        monitoring(task, ports=(0,)),
    ):
        pass
