"""A receiver on loopback, and records of alerts."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from streamrnn.config.notify import NotifyConfig
from streamrnn.notify.alerts import Change, read_change


class Request(NamedTuple):
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Hook:
    """A real HTTP server that takes POSTs; `answer` says what it answers to each."""

    def __init__(self, answer: Callable[[Request], int | tuple[int, dict[str, str]]] = lambda _: 200) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                said = hook.answer(request)
                status, headers = said if isinstance(said, tuple) else (said, {})
                if status == 0:  # hang up without a word
                    return
                if status < 300:
                    hook.requests.append(request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self) -> list[tuple[str, str]]:
        """(id, status) of every alert that came, in order."""
        return [(one["id"], one["status"]) for request in self.requests for one in request.document["alerts"]]


def record(key: str = "pump", number: int = 1, state: str = "opened", minute: int = 0, **changes: Any) -> bytes:
    """A record of the alerts topic; the alert opens at 12:00 of 2026-01-05, a Monday, and closes at `minute`."""
    document = {
        "key": key,
        "time": f"2026-01-05T12:{minute:02d}:00Z",
        "source": {"topic": "events", "partition": 0, "offset": 7},
        "kind": "anomaly",
        "state": state,
        "alert": number,
        "since": "2026-01-05T12:00:00Z",
        "target": "value",
        "channel": "error",
        "score": 0.999,
        "strength": 4.5,
        "direction": "up",
        "size": 3.25,
    }
    return json.dumps(document | changes).encode()


def change(key: str = "pump", number: int = 1, state: str = "opened", minute: int = 0, **changes: Any) -> Change:
    """The same, read."""
    return read_change(record(key, number, state, minute, **changes))


def configured(**settings: Any) -> NotifyConfig:
    """A notifier of a file with the receivers that are given, or one that nobody asks."""
    nobody = {"hook": {"webhook": {"url": "http://127.0.0.1:9/"}}}
    return NotifyConfig.model_validate({"file": "alerts.jsonl", "receivers": nobody, **settings})


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.02)
