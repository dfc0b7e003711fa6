"""`/metrics` and `/livez` of a process that has no page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette

from streamrnn.config.tree import ServerConfig
from streamrnn.monitor.access import Access
from streamrnn.monitor.health import Health
from streamrnn.monitor.pages import operational
from streamrnn.monitor.server import Server, bind
from streamrnn.monitor.streams import Streams

log = logging.getLogger(__name__)


@contextmanager
def endpoints(config: ServerConfig, registry: CollectorRegistry, health: Health) -> Iterator[int]:
    """Served while inside; the port. Raises `ConfigurationError` when the address is taken."""
    listening = bind(config.host, config.port or 0)
    port = int(listening.getsockname()[1])
    token = None if config.token is None else config.token.get_secret_value()
    app = Access(
        Starlette(routes=operational(registry, {"/livez": health.alive})), host=config.host, port=port, token=token
    )
    server = Server(listening, app, Streams(), _nothing)
    server.start()
    log.info("metrics and health on port %d of %s", port, config.host)
    try:
        yield port
    finally:
        server.stop()


async def _nothing() -> None:
    await asyncio.Event().wait()
