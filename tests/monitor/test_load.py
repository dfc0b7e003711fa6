"""Clients that never read, at full speed."""

from __future__ import annotations

import socket
from typing import Self

import pytest

from streamrnn.monitor import streams
from streamrnn.monitor.feed import resident_bytes
from tests.monitor.load import RATE, SERIES, Endless, compare, costs_less_than_a_twentieth
from tests.monitor.stage import Stage, configured, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("free_model")]

CLIENTS = 200


class Deaf:
    """Clients that ask for all they can get and read nothing of it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go()

    def come(self) -> None:
        answered = self._stage.monitor.streams
        refused = answered.refused
        for _ in range(CLIENTS):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self._stage.monitor.port))
            client.sendall(b"GET /events?series=sensor+7&partition=0&points=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self._sockets.append(client)
        until(lambda: answered.open == streams.MOST_CLIENTS)
        until(lambda: answered.refused == refused + CLIENTS - streams.MOST_CLIENTS)

    def go(self) -> None:
        while self._sockets:
            self._sockets.pop().close()
        until(lambda: self._stage.monitor.streams.open == 0)


def test_200_clients_that_never_read_cost_less_than_a_twentieth_and_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Stage, "_connect", lambda self: Endless(RATE))
    with Stage(configured()) as stage, Deaf(stage) as deaf:
        until(lambda: len(stage.monitor.feed.history) == SERIES, 60)
        deaf.come()
        deaf.go()
        before = resident_bytes()
        compared = compare(stage, deaf.go, deaf.come)
        grown = resident_bytes() - before
        print(f"memory grew by {grown / 2**20:.1f} MiB")
        assert grown < 64 << 20
        assert stage.monitor.server.restarts == 0
    costs_less_than_a_twentieth(compared)
