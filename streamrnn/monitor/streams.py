"""Server-sent events that wait for nobody.

A frame is made only when the client can take one: what it does not read in time is never made, so there is no queue
to fill. A client that takes nothing for `PATIENCE` seconds is cut off, and only `MOST_CLIENTS` are let in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, ClassVar, Final

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CLIENTS: Final = 64
PATIENCE: Final = 10.0  # seconds
SEND_BUFFER: Final = 128 << 10  # bytes the system may hold for one client


Transports = dict[tuple[str, int], asyncio.Transport]
"""Open connections by (address, port) of the client, as in an ASGI scope."""


class Protocol(H11Protocol):
    """uvicorn's HTTP, plus what it lacks: connections that never ask are closed, dead ones can be cut off at once."""

    transports: ClassVar[Transports] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember it, and give it `PATIENCE` seconds to ask for something."""
        super().connection_made(transport)
        self._peer = transport.get_extra_info("peername")[:2]
        self._asked = False
        self.transports[self._peer] = transport
        self.loop.call_later(PATIENCE, self._check)

    def data_received(self, data: bytes) -> None:
        """The first bytes settle it: a half-sent header is bounded by h11."""
        super().data_received(data)
        self._asked = self._asked or self.cycle is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.transports.pop(self._peer, None)
        super().connection_lost(exc)

    def _check(self) -> None:
        if not self._asked and not self.transport.is_closing():
            self.transport.abort()


class Streams:
    """The open event streams of one server."""

    def __init__(self) -> None:
        self.transports: Transports = {}
        self.open = 0
        self.refused = 0
        self.cut_off = 0

    def protocol(self) -> type[Protocol]:
        """What the server has to speak."""
        return type("Protocol", (Protocol,), {"transports": self.transports})

    def hang_up(self) -> None:
        """Cut all connections off; pages come back by themselves."""
        for transport in [*self.transports.values()]:
            transport.abort()

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
        if (transport := self._streams.transports.get(tuple(scope["client"]))) is not None:
            transport.abort()

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
