"""The HTTP server: a thread of its own with its own event loop, started again when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Sequence

import uvicorn
from starlette.types import ASGIApp

from streamrnn.errors import ConfigurationError
from streamrnn.monitor.streams import SEND_BUFFER, Streams

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.25  # seconds before the first restart; doubles up to _LONGEST_PAUSE
_LONGEST_PAUSE = 30.0
_STOP_TIMEOUT = 3.0
_BACKLOG = 128


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigurationError` when the address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: what a client does not read must not pile up in the system's memory.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot serve the live page on {host}:{port} (monitor.host, monitor.port): {error.strerror or error}; "
            "choose another port, or 0 for any free one"
        ) from error
    return listening


def bind_first(host: str, ports: Sequence[int]) -> socket.socket:
    """`bind` to the first of `ports` that is free. Raises what `bind` says of the last."""
    *others, last = ports
    for port in others:
        with contextlib.suppress(ConfigurationError):
            return bind(host, port)
    return bind(host, last)


class Server:
    """Serves `app` on `listening` until `stop`. `background` runs beside it on the same loop."""

    def __init__(
        self,
        listening: socket.socket,
        app: ASGIApp,
        streams: Streams,
        background: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        self._listening = listening
        self._app = app
        self._streams = streams
        self._background = background
        self._stopping = threading.Event()
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self.restarts = 0

    @property
    def running(self) -> bool:
        """Whether it answers right now."""
        return self._server is not None and self._server.started

    def start(self) -> None:
        """Start the thread and wait for the first answer to be possible."""
        self._thread.start()
        deadline = time.monotonic() + 5
        while not self.running and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop(self) -> None:
        """Close everything; gives up waiting after a few seconds, the thread is a daemon."""
        self._stopping.set()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed in this moment
                self._loop.call_soon_threadsafe(self._hang_up)
        self._thread.join(_STOP_TIMEOUT)
        self._listening.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                asyncio.run(self._serve())
            except Exception:
                log.warning("the live page failed; the pipeline goes on, the page comes back", exc_info=True)
            except SystemExit:
                log.warning("the live page could not start; trying again")
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            self.restarts += 1
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _hang_up(self) -> None:
        """End the endless answers first; uvicorn would wait for them, and complain."""
        self._streams.connections.hang_up()
        if self._server is not None:
            self._server.should_exit = True

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            self._app,
            http=self._streams.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a client's word for its own address would be taken
            backlog=_BACKLOG,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = server = uvicorn.Server(config)
        background = asyncio.ensure_future(self._background())
        # uvicorn closes the socket it is given: hand it a duplicate, so that a restart finds the port still ours.
        serving = asyncio.ensure_future(server.serve(sockets=[self._listening.dup()]))
        try:
            await asyncio.wait({serving, background}, return_when=asyncio.FIRST_COMPLETED)
            if background.done() and not serving.done():
                self._hang_up()
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(serving, _STOP_TIMEOUT)
                background.result()
            serving.result()
        finally:
            self._server = self._loop = None
            for task in (background, serving):
                task.cancel()
            await asyncio.gather(background, serving, return_exceptions=True)
