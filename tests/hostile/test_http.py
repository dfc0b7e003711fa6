"""Whoever connects, and however slowly: health is answered, requests have a deadline, tokens and names are checked."""

from __future__ import annotations

import base64
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streamrnn.errors import ConfigurationError
from streamrnn.monitor import connections
from tests.monitor.stage import Stage, configured, get, until

HALF = b"GET / HTTP/1.1\r\nHost: local"


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(stage: Stage, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", stage.monitor.port), timeout=20)
    client.sendall(sent)
    return client


@pytest.mark.parametrize("sent", [b"", HALF, b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nbody"])
def test_health_answers_whatever_else_is_connected(sent: bytes) -> None:
    with Stage(configured()) as stage, ExitStack() as clients:
        for number in range(1000):
            clients.enter_context(connected(stage, sent))
            if number % 50 == 0:
                assert stage.get("/livez").status == 200
        assert stage.get("/livez").status == 200
        assert len(stage.monitor.streams.connections.by_address) <= connections.MOST_WAITING + 2


def test_bytes_that_trickle_gain_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with Stage(configured()) as stage:
        for before in (
            b"",
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):  # on a new connection, and on a used one
            with connected(stage, before) as client:
                if before:
                    assert client.recv(1000).startswith(b"HTTP/1.1 200")
                client.settimeout(0.05)
                for byte in HALF * 30:
                    try:
                        client.sendall(bytes([byte]))
                        if client.recv(1) == b"":
                            break
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                else:
                    pytest.fail("it was given all the time it wanted")


def test_an_answer_that_nobody_takes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER", 0.3)
    with Stage(configured()) as stage, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", stage.monitor.port))
        client.sendall(
            b"GET /uplot.js HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300
        )
        found = stage.monitor.streams.connections.by_address
        until(lambda: not found)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2", "localhost"])
def test_without_a_token_the_name_is_checked_on_every_interface(host: str) -> None:
    with Stage(configured(monitor__host=host, monitor__open=True)) as stage:
        if host == "127.0.0.2":
            return
        assert stage.get("/livez", Host="evil.example").status == 421
        assert stage.get("/livez", Host="10.0.0.1.evil.example:80").status == 421
        assert stage.get("/livez", Host="").status == 421
        assert stage.get("/livez", Host="localhost:1").status == 200
        others = 200 if host == "0.0.0.0" else 421
        for address in ("10.1.2.3:8321", "[fd00::1]:8321", socket.gethostname()):
            assert stage.get("/livez", Host=address).status == others


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "streamrnn.example"])
def test_an_open_page_is_asked_for(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"monitor.token, or monitor.open: true"):
        configured(monitor__host=host)
    configured(monitor__host=host, monitor__token="t")
    configured(monitor__host=host, monitor__open=True)
    configured(monitor__host=host, monitor__port=None)


@pytest.mark.parametrize("token", ["", "  ", "null", "None", "~", "\t\n"])
def test_no_token_is_no_token(token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"monitor.token: is empty"):
        configured(monitor__token=token)


TOKEN = "schlüssel-ключ-🔑"


def test_a_token_may_be_any_text() -> None:
    with Stage(configured(monitor__token=TOKEN)) as stage:
        header = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
        for extra, status in ((header, b"200"), (header.replace("🔑".encode(), b"?"), b"401"), (b"", b"401")):
            with connected(stage, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n") as client:
                assert client.recv(1000).split()[1] == status
        assert (
            get(stage.monitor.port, "/livez?token=schl%C3%BCssel-%D0%BA%D0%BB%D1%8E%D1%87-%F0%9F%94%91").status == 200
        )
        assert get(stage.monitor.port, "/livez?token=%ff%fe").status == 401
        with connected(stage, b"GET /livez HTTP/1.1\r\nCookie: streamrnn-1=\xff\r\nHost: x\r\n\r\n") as client:
            assert client.recv(1000).split()[1] == b"401"
        entered = get(stage.monitor.port, "/?token=schl%C3%BCssel-%D0%BA%D0%BB%D1%8E%D1%87-%F0%9F%94%91&points=7")
        assert (entered.status, entered.headers["location"]) == (303, "/?points=7")


OPEN = b"application/openmetrics-text;version="
WISHES = [
    b"",
    b"*/*",
    OPEN + b"x",
    OPEN + b"=1",
    OPEN + b"9" * 5000,
    OPEN + b"1.0.0",
    OPEN + b"1.0.0\xff",
    b"text/plain;version=..",
    b"text/plain;version=1.0.0;escaping=?",
    b",;=" * 100,
]


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: base64.b64encode(wish[:40]).decode())
def test_metrics_are_for_every_wish(wish: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with Stage(configured()) as stage:
        request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: " + wish + b"\r\n\r\n"
        with connected(stage, request) as client:
            text = b""
            while part := client.recv(1 << 16):
                text += part
        assert text.split()[1] == b"200"
        assert b"streamrnn_commits_total" in text
        assert "Traceback" not in caplog.text
