"""Server-sent events that wait for nobody.

A frame is made only when the client can take one: what it does not read in time is never made, so there is no queue
to fill. A client that takes nothing for `PATIENCE` seconds is cut off, and only `MOST_CLIENTS` are let in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from streamrnn.monitor.connections import Connections, Protocol

MOST_CLIENTS: Final = 64
PATIENCE: Final = 10.0  # seconds
SEND_BUFFER: Final = 128 << 10  # bytes the system may hold for one client


class Streams:
    """The open event streams of one server."""

    def __init__(self) -> None:
        self.connections = Connections()
        self.open = 0
        self.refused = 0
        self.cut_off = 0

    def protocol(self) -> type[Protocol]:
        """What the server has to speak."""
        return type("Protocol", (Protocol,), {"all": self.connections})

    def response(self, events: Callable[[], AsyncGenerator[bytes, None]]) -> EventStream | PlainTextResponse:
        """An endless answer made of `events`, or a refusal when there are too many already."""
        if self.open >= MOST_CLIENTS:
            self.refused += 1
            return PlainTextResponse(f"{MOST_CLIENTS} pages are open already\n", 503, {"retry-after": "5"})
        return EventStream(self, events)


class EventStream:
    """One client. An ASGI application, as a starlette response is."""

    def __init__(self, streams: Streams, events: Callable[[], AsyncGenerator[bytes, None]]) -> None:
        self._streams = streams
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves or stops reading."""
        if (connection := self._connection(scope)) is not None:
            connection.endless()
        self._streams.open += 1
        sending = asyncio.ensure_future(self._send(scope, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending in done:
                sending.result()
                await asyncio.wait({leaving}, timeout=1)  # uvicorn has to notice that a connection was cut off
        finally:
            self._streams.open -= 1
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, scope: Scope, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self._events()) as events:
            async for event in events:
                if not await self._in_time(send({"type": "http.response.body", "body": event, "more_body": True})):
                    self._cut_off(scope)
                    return
        await send({"type": "http.response.body", "body": b""})

    def _cut_off(self, scope: Scope) -> None:
        self._streams.cut_off += 1
        if (connection := self._connection(scope)) is not None:
            connection.cut_off()

    def _connection(self, scope: Scope) -> Protocol | None:
        return self._streams.connections.by_address.get(tuple(scope["client"]))

    @staticmethod
    async def _in_time(sending: Awaitable[Any]) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):  # `wait_for` loses a cancellation that comes with the result
                await sending
        except TimeoutError:
            return False
        return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; JSON has no line breaks of its own."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
