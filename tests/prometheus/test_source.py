"""A query of a real Prometheus as a log: history, a gap, a counter that began anew, a restart, live."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamrnn.config.prometheus import PrometheusConfig
from streamrnn.connectors.prometheus import PrometheusConnector, PrometheusRecord
from streamrnn.errors import ConnectorError
from tests.broker.process import die_with_parent, free_ports
from tests.commands import SMALL, Streamrnn
from tests.inside import Ended, Inside
from tests.monitor.stage import get, until
from tests.tools import need

pytestmark = pytest.mark.thorough

STEP = 60
START = int(time.time()) // 7200 * 7200 - 4 * 7200
"""Some hours ago: what is older than its retention Prometheus deletes."""
STEPS, GAP, RESET = 240, range(100, 110), 150
BEGIN, END = START, START + STEPS * STEP


class Server:
    """One Prometheus, which scrapes itself each second, over blocks that were made before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s"},
                    "scrape_configs": [
                        {"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]}
                    ],
                }
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    need("prometheus"),
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        until(self.is_ready, 60)

    def is_ready(self) -> bool:
        try:
            return get(self.port, "/-/ready").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


def value(sensor: str, step: int) -> float:
    return round(20 + 5 * math.sin(step / 20) + (3 if sensor == "b" else 0) + step * 7919 % 13 / 10, 3)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prometheus")
    temperatures = [
        f'temperature{{sensor="{sensor}"}} {value(sensor, step)} {START + step * STEP}'
        for sensor in "ab"
        for step in range(STEPS)
        if step not in GAP
    ]
    requests = [f"requests_total {30 * (step % RESET)} {START + step * STEP}" for step in range(STEPS)]
    lines = ["# TYPE temperature gauge", *temperatures, "# TYPE requests counter", *requests, "# EOF", ""]
    (folder / "history.txt").write_text("\n".join(lines))
    made = subprocess.run(
        [need("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "history.txt", folder / "data"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    server = Server(folder)
    server.start()
    yield server
    server.stop()


def query(server: Server, asked: str = "temperature", **more: Any) -> list[object]:
    flags = {"from": BEGIN, "until": END, "step": "1m", "by": "sensor", **more}
    named = [part for name, at in flags.items() if at is not None for part in (f"--{name}", at)]
    return ["--prometheus", server.url, "--query", asked, *named, "--quiet"]


def run(command: Inside, server: Server, output: Path, *arguments: object, **more: Any) -> Ended:
    asked = more.pop("query", "temperature")
    return command("run", *query(server, asked, **more), "--output", output, *SMALL, *arguments)


def records(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_bytes().splitlines()]


def test_a_range_is_a_log_whose_offsets_are_steps(inside: Inside, server: Server, tmp_path: Path) -> None:
    ended = run(inside, server, tmp_path / "out")
    assert ended.code == 0, ended.err
    found = records(tmp_path / "out")
    offsets = sorted({one["source"]["offset"] for one in found})
    # A gap has no events; but a sample stands for five minutes (with Prometheus 2 at their end, too).
    steps = {offset - START // STEP for offset in offsets}
    assert steps | {GAP[4]} == {*range(STEPS)} - {*GAP[5:]}
    for one in found:
        step = one["source"]["offset"] - START // STEP
        seen = min(step, GAP[0] - 1) if step in GAP else step
        assert one["targets"]["value"]["observed"] == value(one["key"], seen)
    assert [one["key"] for one in found] == ["a", "b"] * len(offsets)
    assert not (tmp_path / "out.dead-letters.jsonl").exists()


def test_a_counter_that_began_anew_has_no_negative_rate(inside: Inside, server: Server, tmp_path: Path) -> None:
    ended = run(inside, server, tmp_path / "out", query="rate(requests_total[5m])", by=None)
    assert ended.code == 0, ended.err
    rates = [one["targets"]["value"]["observed"] for one in records(tmp_path / "out")]
    assert len(rates) > STEPS - 10
    assert min(rates) >= 0
    assert {one["key"] for one in records(tmp_path / "out")} == {"default"}


def test_a_run_in_pieces_is_one_run(inside: Inside, server: Server, tmp_path: Path) -> None:
    assert run(inside, server, tmp_path / "whole", "--alerts", tmp_path / "whole.alerts").code == 0
    for end in (START + 7 * STEP, START + 104 * STEP, START + 150 * STEP + 1, END):
        state = ("--state", tmp_path / "state", "--alerts", tmp_path / "pieces.alerts")
        ended = run(inside, server, tmp_path / "pieces", *state, until=end)
        assert ended.code == 0, ended.err
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "pieces.alerts").read_bytes() == (tmp_path / "whole.alerts").read_bytes()


def test_learned_and_then_live_is_one_run(inside: Inside, server: Server, tmp_path: Path) -> None:
    assert run(inside, server, tmp_path / "whole").code == 0
    state = ("--state", tmp_path / "state")
    middle = START + 120 * STEP
    learned = inside("learn", *query(server, until=middle), *state, *SMALL)
    assert learned.code == 0, learned.err
    before = sum(one["source"]["offset"] < middle // STEP for one in records(tmp_path / "whole"))
    assert f"{before} events of 2 series learned" in learned.out
    assert json.loads(inside("inspect", *state, "--json").out)[0]["series"] == 2
    assert run(inside, server, tmp_path / "live", *state).code == 0
    whole = (tmp_path / "whole").read_bytes()
    assert whole.endswith((tmp_path / "live").read_bytes())
    assert records(tmp_path / "live")[0]["source"]["offset"] == middle // STEP


SLOWLY = """
import streamrnn.connectors.prometheus as prometheus, os, time
prometheus.STEPS_AT_ONCE = 10
plain = prometheus.PrometheusConnector.commit
def commit(self, what):
    plain(self, what)
    os.write(2, b".")
    time.sleep(0.02)
prometheus.PrometheusConnector.commit = commit
"""


def test_killed_anywhere_it_ends_as_if_it_had_not_been(
    streamrnn: Streamrnn, inside: Inside, server: Server, tmp_path: Path
) -> None:
    assert run(inside, server, tmp_path / "whole").code == 0
    arguments = [
        "run", *query(server), "--output", tmp_path / "out", "--state", tmp_path / "state", *SMALL,
        "--set", "state.snapshot_interval=1ms",
    ]  # fmt: skip
    for commits in (1, 4, 7):
        process = streamrnn.start(*arguments, code=SLOWLY)
        assert process.stderr is not None
        seen = 0
        while seen < commits and (byte := process.stderr.read(1)):
            seen += byte == b"."
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    done = streamrnn(*arguments)
    assert done.code == 0, done.err
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_another_query_or_step_is_refused(inside: Inside, server: Server, tmp_path: Path) -> None:
    state = ("--state", tmp_path / "state")
    assert run(inside, server, tmp_path / "out", *state, until=START + 60 * STEP).code == 0
    for more, said in (({"query": "temperature + 1"}, "query was 'temperature'"), ({"step": "2m"}, "step was 60.0")):
        ended = run(inside, server, tmp_path / "out", *state, **more)
        assert ended.code == 1
        assert said in ended.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"query": "temperature{"}, "refuses the query"),
        ({"query": "temperature", "by": "nothing"}, "have the key"),
        ({"until": BEGIN}, "begin is not before until"),
        ({"step": "0.5ms"}, "whole milliseconds"),
        ({"from": "yesterday"}, "prometheus.begin"),
    ],
)
def test_what_cannot_be_read_is_said(
    inside: Inside, server: Server, tmp_path: Path, flags: dict[str, Any], said: str
) -> None:
    ended = run(inside, server, tmp_path / "out", **flags)
    assert ended.code in (1, 2)
    assert said in ended.err, ended.err


def test_flags_that_do_not_go_together_are_named(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,value\n1,2\n")
    for arguments, said in (
        (["--input", tmp_path / "x.csv", "--output", "o", "--query", "up"], "--query go with --prometheus"),
        (["--prometheus", "http://x", "--output", "o"], "url and query go together"),
        (["--prometheus", "http://x", "--query", "up"], "needs --output"),
        (["--prometheus", "http://x", "--query", "up", "--output", "o", "--input", "x.csv"], "an input of its own"),
        (["--prometheus", "x", "--query", "up", "--output", "o"], "prometheus.url"),
        (["--until", "2026-01-01"], "--until goes with --prometheus"),
    ):
        ended = inside("run", *arguments)
        assert ended.code == 2, said
        assert said in ended.err


def polled(connector: PrometheusConnector, count: int, seconds: float = 60.0) -> list[PrometheusRecord]:
    deadline = time.monotonic() + seconds
    found: list[Any] = []
    while len(found) < count:
        assert time.monotonic() < deadline
        for some in connector.poll(0.2).records.values():
            found += some
    return found


def started(server: Server, **settings: Any) -> PrometheusConnector:
    config = PrometheusConfig.model_validate({"url": server.url, "query": "up", "step": 1, "delay": 2, **settings})
    connector = PrometheusConnector(config).open()
    (partition,) = connector.poll(0).assigned
    connector.start(partition, connector.beginning(partition))
    return connector


def test_live_it_waits_for_what_comes(server: Server) -> None:
    # What is asked for first lies `delay` and some seconds back, so it must have been scraped before.
    until(lambda: '"value"' in get(server.port, "/api/v1/query?query=up+offset+5s").text, 60)
    connector = started(server)
    began = connector.beginning(connector.partition)
    found = polled(connector, 4)
    offsets = [record.offset for record in found]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert began - 1 <= offsets[0] <= began + 2
    assert connector.lag(connector.partition) is not None
    point = json.loads(found[0].value)["points"][0]
    assert point["value"] in (0.0, 1.0)
    assert point["key"].startswith('up{instance="127.0.0.1:')
    connector.close(0)


def test_a_restart_of_the_server_is_waited_for(server: Server) -> None:
    connector = started(server)
    before = polled(connector, 2)
    server.stop()
    while connector.silence() == 0.0:
        assert not connector.poll(0.1).finished
    server.start()
    after = polled(connector, 2)
    assert after[0].offset > before[-1].offset
    assert connector.silence() == 0.0
    connector.close(0)


def test_no_prometheus_answers() -> None:
    """Whatever else speaks HTTP there."""
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    other = http.server.HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=other.serve_forever, daemon=True)
    thread.start()
    try:
        config = {"url": f"http://127.0.0.1:{other.server_port}", "query": "up", "begin": 0}
        connector = PrometheusConnector(PrometheusConfig.model_validate(config)).open()
        (partition,) = connector.poll(0).assigned
        connector.start(partition, connector.beginning(partition))
        with pytest.raises(ConnectorError, match="not as Prometheus does"):
            connector.poll(0)
    finally:
        other.shutdown()
        other.server_close()
        thread.join()
