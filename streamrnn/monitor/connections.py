"""Connections under control: a request must come in time, an answer be taken in time, and a newcomer always gets in.

A connection waits from the moment it is made, or its last answer is sent, until its next request is complete. The
deadline for that is absolute: a client that sends one byte now and then gains nothing. When too many wait, the longest
waiting one of the address with the most is cut off, so half-sent requests keep nobody out, least of all a probe.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE: Final = 10.0  # seconds to receive a request
ANSWER: Final = 30.0  # seconds until an answer must be taken
MOST_WAITING: Final = 256


class Connections:
    """The open connections of one server."""

    def __init__(self) -> None:
        self.by_address: dict[tuple[str, int], Protocol] = {}
        """By (address, port) of the client, as in an ASGI scope."""
        self._waiting: dict[Protocol, None] = {}  # the longest waiting first
        self._waiting_of: Counter[str] = Counter()

    def wait(self, connection: Protocol) -> None:
        """This one has to send a request now; others may have to go for it."""
        self.done_waiting(connection)
        self._waiting[connection] = None
        self._waiting_of[connection.peer[0]] += 1
        if len(self._waiting) > MOST_WAITING:
            ((most, _),) = self._waiting_of.most_common(1)
            next(other for other in self._waiting if other.peer[0] == most).cut_off()

    def done_waiting(self, connection: Protocol) -> None:
        """It has sent one, or is gone."""
        if connection in self._waiting:
            del self._waiting[connection]
            self._waiting_of[connection.peer[0]] -= 1

    def hang_up(self) -> None:
        """Cut all off; pages come back by themselves."""
        for connection in [*self.by_address.values()]:
            connection.cut_off()


class Protocol(H11Protocol):
    """uvicorn's HTTP with deadlines; a subclass per server knows its `Connections`."""

    all: ClassVar[Connections]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.peer: tuple[str, int] = transport.get_extra_info("peername")[:2]
        self.all.by_address[self.peer] = self
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Once the request is complete, the answer has a deadline instead."""
        answering = self._answering
        super().data_received(data)
        if self._answering and not answering:
            self._answer()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it came with the last."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._within(ANSWER)  # to take what is still to be sent
        elif self._answering:
            self._answer()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.all.by_address.pop(self.peer, None)
        self.all.done_waiting(self)
        self._within(None)
        super().connection_lost(exc)

    def endless(self) -> None:
        """The answer that has begun has no end."""
        self._within(None)

    def cut_off(self) -> None:
        """At once, whatever is still to be sent."""
        self.all.done_waiting(self)
        self.transport.abort()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._within(PATIENCE)
        self.all.wait(self)

    def _answer(self) -> None:
        self._within(ANSWER)
        self.all.done_waiting(self)

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.cut_off) if seconds is not None else None
