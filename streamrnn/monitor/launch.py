"""Open the monitor if the configuration asks for one; everything that serves is imported only then."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from streamrnn.errors import ConfigurationError
from streamrnn.monitor.known_faults import KnownFaults
from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer
from streamrnn.runtime.task import Task

log = logging.getLogger(__name__)

REMEDY: Final = "pip install 'streamrnn[live]'"
DEMO_PORTS: Final = (*range(8321, 8331), 0)
"""Tried in this order: other demos may run; 0 is any free one."""


@contextmanager
def monitoring(
    task: Task,
    browse: Console | None = None,
    *,
    ports: Sequence[int] = (),
    faults: KnownFaults | None = None,
    feedback: Callable[[Partition], Sequence[str]] | None = None,
) -> Iterator[Observer]:
    """Serve the page while inside, if `monitor.port` is set; the observer watches nothing otherwise.

    Args:
        task: what runs.
        browse: open a browser, and say so here.
        ports: to serve it on the first free one of these.
        faults: those that are known to be in the data, to be marked.
        feedback: what stands behind `streamrnn feedback VERDICT KEY ALERT` for a series of a partition.

    Raises `ConfigurationError` when what it needs is not installed or the address is taken.
    """
    settings = task.config.monitor
    if settings.port is None and not ports:
        yield Observer()
        return
    try:
        from streamrnn.monitor.monitor import Monitor
        from streamrnn.monitor.server import bind_first
    except ImportError as error:
        raise ConfigurationError(f"the live page (monitor.port) needs more than is installed: {REMEDY}") from error
    tried = ports if settings.port is None else (settings.port,)
    listening = bind_first(settings.host, tried)
    with Monitor(task, listening=listening, faults=faults, feedback=feedback) as monitor:
        if tried[0] not in (0, monitor.port) and browse is not None:
            browse.print(f"port {tried[0]} is taken, perhaps by another demo", highlight=False)
        log.info("live page, metrics and health at %s", monitor.url)
        if browse is not None:
            browse.print(f"live page: {monitor.url}", highlight=False)
            if _graphical():
                webbrowser.open(monitor.url)
        yield monitor


def can_serve() -> bool:
    """Whether what the page needs is installed."""
    return all(map(importlib.util.find_spec, ("prometheus_client", "starlette", "uvicorn")))


def _graphical() -> bool:
    """A browser in the terminal would fight with our own output for it."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
