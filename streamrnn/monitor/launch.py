"""Open the monitor if the configuration asks for one; everything that serves is imported only then."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.runtime.observer import Observer
from streamrnn.runtime.task import Task

log = logging.getLogger(__name__)

REMEDY: Final = "pip install 'streamrnn[live]'"
DEMO_PORT: Final = 8321


@contextmanager
def monitoring(task: Task, browse: Console | None = None) -> Iterator[Observer]:
    """Serve the page while inside, if `monitor.port` is set; the observer watches nothing otherwise.

    Args:
        task: what runs.
        browse: open a browser, and say so here.

    Raises `ConfigurationError` when what it needs is not installed or the address is taken.
    """
    if task.config.monitor.port is None:
        yield Observer()
        return
    try:
        from streamrnn.monitor.monitor import Monitor
    except ImportError as error:
        raise ConfigurationError(f"the live page (monitor.port) needs more than is installed: {REMEDY}") from error
    with Monitor(task) as monitor:
        log.info("live page, metrics and health at %s", monitor.url)
        if browse is not None:
            browse.print(f"live page: {monitor.url}", highlight=False)
            if _graphical():
                webbrowser.open(monitor.url)
        yield monitor


def with_demo_port(config: Config) -> Config:
    """With a port for the page, `DEMO_PORT` if that is free; as it is where the page cannot be served at all."""
    needed = ("prometheus_client", "starlette", "uvicorn")
    if config.monitor.port is not None or not all(map(importlib.util.find_spec, needed)):
        return config
    port = DEMO_PORT
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.monitor.host, port))
        except OSError:
            port = 0
    return config.model_copy(update={"monitor": config.monitor.model_copy(update={"port": port})})


def _graphical() -> bool:
    """A browser in the terminal would fight with our own output for it."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
