"""A TCP proxy that a test can break: cut, delay, fall silent, or accept and close."""

from __future__ import annotations

import contextlib
import enum
import select
import socket
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self


class Mode(enum.Enum):
    """What happens to connections, those that stand as well."""

    PASS = "pass"
    DELAY = "delay"  # every byte is `delay` seconds late, in both directions
    SILENT = "silent"  # connections stand and are accepted, nothing goes through
    CLOSE = "close"  # standing ones are closed, new ones accepted and closed at once
    REFUSE = "refuse"  # standing ones are closed, new ones refused


class _Link:
    """One connection through the proxy."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.ends = (near, far)
        self.queues: dict[socket.socket, deque[tuple[float, bytes]]] = {near: deque(), far: deque()}

    def other(self, end: socket.socket) -> socket.socket:
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    def close(self) -> None:
        for end in self.ends:
            end.close()


class Proxy:
    """Forwards `127.0.0.1:port` to `target`; one thread, ends with `close`."""

    def __init__(self, port: int, target: tuple[str, int], delay: float = 5.0) -> None:
        self.port = port
        self.target = target
        self.delay = delay
        self.mode = Mode.PASS
        self.accepted = 0
        self._links: list[_Link] = []
        self._listener: socket.socket | None = None
        self._closed = False
        self._listen()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        listener.setblocking(False)
        self._listener = listener

    def set(self, mode: Mode) -> None:
        self.mode = mode

    def _run(self) -> None:
        while not self._closed:
            self._apply_mode()
            ends = [end for link in self._links for end in link.ends] if self.mode is not Mode.SILENT else []
            readable = [*ends, self._listener] if self._listener else ends
            try:
                ready = select.select(readable, [], [], 0.01)[0]
            except (OSError, ValueError):
                ready = []
            for one in ready:
                if one is self._listener:
                    self._accept()
                else:
                    self._receive(one)
            self._send()

    def _apply_mode(self) -> None:
        if self.mode in (Mode.CLOSE, Mode.REFUSE):
            for link in self._links:
                link.close()
            self._links.clear()
        if self.mode is Mode.REFUSE and self._listener is not None:
            self._listener.close()
            self._listener = None
        elif self.mode is not Mode.REFUSE and self._listener is None:
            self._listen()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            near, _ = self._listener.accept()
        except OSError:
            return
        self.accepted += 1
        if self.mode is Mode.CLOSE:
            near.close()
            return
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            near.close()
            return
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(_Link(near, far))

    def _receive(self, end: socket.socket) -> None:
        for link in self._links:
            if end in link.ends:
                break
        else:
            return
        try:
            data = end.recv(1 << 16)
        except OSError:
            data = b""
        if data:
            late = self.delay if self.mode is Mode.DELAY else 0.0
            link.queues[link.other(end)].append((time.monotonic() + late, data))
        else:
            link.close()
            self._links.remove(link)

    def _send(self) -> None:
        if self.mode is Mode.SILENT:
            return
        now = time.monotonic()
        for link in list(self._links):
            for end, queue in link.queues.items():
                while queue and queue[0][0] <= now:
                    try:
                        end.settimeout(5)
                        end.sendall(queue.popleft()[1])
                    except OSError:
                        link.close()
                        self._links.remove(link)
                        break
                else:
                    continue
                break

    def close(self) -> None:
        self._closed = True
        self._thread.join(5)
        for link in self._links:
            link.close()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
