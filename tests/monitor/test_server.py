from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.errors import ConfigurationError
from streamrnn.monitor import connections, feed, streams
from streamrnn.monitor.batch_queue import Backlog, Batch
from streamrnn.monitor.feed import Feed, resident_bytes
from streamrnn.monitor.launch import monitoring
from streamrnn.monitor.monitor import Monitor
from streamrnn.records.log import Message
from streamrnn.runtime.observer import Observers
from streamrnn.runtime.task import task_of
from tests.monitor.stage import Stage, batch, configured, get, until

pytestmark = pytest.mark.usefixtures("free_model")


def frames(stage: Stage, query: str, wanted: str) -> dict[str, Any]:
    """The first frame of a kind from the event stream."""
    with socket.create_connection(("127.0.0.1", stage.monitor.port), timeout=10) as client:
        client.sendall(f"GET /events?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while True:
            part = client.recv(65536)
            assert part, received
            received += part
            for block in received.split(b"\n\n")[:-1]:
                if block.endswith(b"}") and f"event: {wanted}\n".encode() in block:
                    found: dict[str, Any] = json.loads(block.rpartition(b"data: ")[2])
                    return found


def test_the_stream_tells_what_was_fed() -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0, 2.0, 3.5)
        stage.feed("other", 7.0)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 2)
        overview = frames(stage, "", "overview")
        assert [series["key"] for series in overview["series"]["listed"]] == ["other", "pump"]
        assert overview["events"] == 4
        assert overview["ready"]
        chart = frames(stage, "series=pump&partition=0", "chart")
        assert chart["observed"] == [1.0, 2.0, 3.5]
        assert chart["expected"] == [0.75, 1.75, 3.25]
        assert frames(stage, "series=nobody&partition=0", "chart")["missing"]
        found = frames(stage, "search=OTH", "overview")["series"]
        assert (found["matching"], found["total"]) == (1, 2)


@pytest.mark.parametrize(
    "query", ["points=-5&target=99", "points=1e9&partition=x", "series=&partition=", "search=%00%ff", "target=%C2%B2"]
)
def test_nonsense_in_the_address_is_no_error(query: str) -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0)
        stage.settled()
        assert frames(stage, f"series=pump&partition=0&{query}", "overview")
        assert stage.monitor.server.restarts == 0


def test_a_crash_of_the_page_leaves_the_pipeline_running_and_the_page_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0)
        stage.settled()
        history = stage.monitor.feed.history
        until(lambda: len(history) == 1)
        broken = iter([True, True])
        add = history.add

        def crash(*arguments: Any) -> Any:
            if next(broken, False):
                raise RuntimeError("the page is broken")
            return add(*arguments)

        monkeypatch.setattr(history, "add", crash)
        stage.feed("pump", 2.0)
        stage.settled()
        until(lambda: stage.monitor.server.restarts == 1)
        stage.feed("pump", 3.0)
        stage.settled()
        until(lambda: stage.monitor.server.restarts == 2)
        stage.feed("pump", 4.0)
        stage.settled()
        until(lambda: history.count[0] == 2)  # the two batches that broke it are gone
        assert get(stage.monitor.port, "/livez").status == 200
        assert "the pipeline goes on" in caplog.text


def test_a_failure_on_the_worker_side_never_reaches_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Stage(configured()) as stage:
        for name in ("moved", "beat"):
            monkeypatch.setattr(stage.monitor.health, name, None)
        stage.feed("pump", 1.0, 2.0)
        stage.settled()
        assert stage.alive
    assert "the monitor failed in step" in caplog.text


def test_the_backlog_forgets_the_oldest_and_keeps_the_newest() -> None:
    size = batch(["a"] * 10, range(10), range(10)).bytes
    backlog = Backlog(limit=3 * size)
    dropped = [backlog.put(batch(["a"] * 10, range(n, n + 10), range(10))) for n in range(5)]
    assert dropped == [0, 0, 0, 1, 1]
    taken = backlog.take()
    assert taken is not None
    assert taken.times[0] == 2
    backlog.put(batch(["a"] * 1000, range(1000), range(1000)))
    assert len(backlog) == 1, "one that is too large alone is still shown"


def test_a_server_that_hangs_costs_a_bounded_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stage(configured()) as stage:
        stage.monitor.server.stop()
        stage.feed("pump", *range(20))
        stage.settled()
        one = stage.monitor.backlog._bytes
        assert one > 0
        stage.monitor.backlog._limit = 3 * one
        for _ in range(50):
            stage.feed("pump", *range(20))
            stage.settled()
        assert 2 * one <= stage.monitor.backlog._bytes <= 3 * one
        assert stage.monitor.backlog.dropped >= 50 - 3


def test_a_page_is_shown_while_batches_come_without_end() -> None:
    class Endless(Backlog):
        def take(self) -> Batch:
            return batch(["pump"] * 10, range(10), range(10))

    with Stage(configured()) as stage:
        stage.feed("pump", 1.0)
        stage.settled()
        stage.monitor.feed._backlog = Endless()
        with socket.create_connection(("127.0.0.1", stage.monitor.port), timeout=10) as client:
            client.sendall(b"GET /events?series=pump&partition=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while received.count(b"event: chart") < 3:
                part = client.recv(65536)
                assert part, received
                received += part


def test_clients_that_never_read_are_cut_off_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 of them, the pipeline at work: all is well for it, and for everybody else once their patience is over."""
    monkeypatch.setattr(streams, "PATIENCE", 1.0)
    with Stage(configured()) as stage, ExitStack() as clients:
        stage.feed("series 7", *range(1000))
        stage.settled()
        before = resident_bytes()
        for _ in range(200):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", stage.monitor.port))
            client.sendall(b"GET /events?series=series+7&partition=0&points=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        open_streams = stage.monitor.streams
        message = Message(None, b'{"key": "series 7", "time": "2026-02-01T00:00:00Z", "value": 1.5}')
        until(lambda: open_streams.open + open_streams.refused + open_streams.cut_off >= 200)
        assert open_streams.open <= streams.MOST_CLIENTS

        def another_frame() -> bool:
            stage.log.append(0, message)
            return open_streams.cut_off >= streams.MOST_CLIENTS

        until(another_frame, 120)  # nobody reads them
        assert stage.monitor.server.restarts == 0
        until(lambda: open_streams.open == 0)
        until(lambda: len(stage.monitor.backlog) == 0)
        assert frames(stage, "series=series+7&partition=0", "chart")["events"] > 0
        assert resident_bytes() < before + (200 << 20)


def test_pages_that_look_at_the_same_share_their_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "OVERVIEW", 0.0)
    made: Counter[str] = Counter()

    def counted(name: str) -> None:
        method = getattr(Feed, name)

        def count(self: Feed, *arguments: Any) -> Any:
            made[name] += 1
            return method(self, *arguments)

        monkeypatch.setattr(Feed, name, count)

    for name in ("overview", "chart", "_watch"):
        counted(name)
    with Stage(configured()) as stage, ExitStack() as clients:
        stage.feed("pump", *range(10))
        stage.settled()
        for _ in range(20):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", stage.monitor.port)))
            client.sendall(b"GET /events?series=pump&partition=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: stage.monitor.streams.open == 20)
        made.clear()
        for value in range(5):
            ticks = made["_watch"]
            stage.feed("pump", value)
            until(lambda ticks=ticks: made["_watch"] > ticks + 1)  # type: ignore[misc]
        assert 5 <= made["overview"] <= made["_watch"] + 1
        assert 5 <= made["chart"] <= made["_watch"] + 1


def test_connections_that_never_ask_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    with Stage(configured()) as stage, socket.create_connection(("127.0.0.1", stage.monitor.port), timeout=10) as idle:
        idle.sendall(b"GET / HT")
        assert idle.recv(1) == b""


def test_a_taken_port_and_a_wrong_address_say_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port} \(monitor.host, monitor.port\).*another"):
            Monitor(task_of(configured(monitor__port=port)))
    with pytest.raises(ConfigurationError, match="cannot serve the live page"):
        Monitor(task_of(configured(monitor__host="192.0.2.1", monitor__open=True)))


def test_without_the_extra_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("streamrnn.monitor.", "starlette", "uvicorn"))]:
        if name not in ("streamrnn.monitor.launch", "streamrnn.runtime.observer"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    with (
        pytest.raises(ConfigurationError, match=r"pip install 'streamrnn\[live\]'"),
        monitoring(task_of(configured())),
    ):
        pass


def test_without_a_port_nothing_is_served() -> None:
    with monitoring(task_of(configured(monitor__port=None))) as monitor:
        assert not isinstance(monitor, Monitor)


def test_all_observers_hear_of_a_connector() -> None:
    config = configured()
    with Monitor(task_of(config)) as one, Monitor(task_of(config)) as other:
        connector = MemoryConnector(MemoryLog("events"))
        assert Observers(one, other).watch(connector) is connector
        assert one._connector is other._connector is connector


def test_stop_ends_the_thread() -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", 1.0)
        stage.settled()
        thread = stage.monitor.server._thread
    assert not thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        get(stage.monitor.port, "/livez")
