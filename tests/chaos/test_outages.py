"""The network and the brokers fail under the whole job: the outputs and weights are those of a calm run, to the byte.

A supervisor restarts workers that ended with exit code 1, as any deployment would: a worker works or is gone.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.broker.client import Client
from tests.broker.process import Broker, Cluster
from tests.chaos.comparison import same_as_a_calm_run
from tests.pipeline.workers import Application, generate
from tests.proxy import Mode, Proxy

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.chaos,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
LONG = os.environ.get("STREAMRNN_CHAOS") == "long"
SERIES = 40
START = 1_767_225_600


class Supervisor:
    """Restarts workers of an application that ended with exit code 1, and feeds it events at a steady rate."""

    def __init__(self, app: Application, numbers: range, events: list[Any], seconds: float, **settings: Any) -> None:
        self.app, self.numbers, self.settings = app, numbers, settings
        app.supervised = True
        self.restarts = 0
        self.unexpected: list[int] = []
        self._events, self._seconds = events, seconds
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._watch, self._feed)]
        self.fed = threading.Event()

    def __enter__(self) -> Self:
        for number in self.numbers:
            self.app.start(number, **self.settings)
        for thread in self._threads:
            thread.start()
        return self

    def _watch(self) -> None:
        while not self._stopped.wait(0.2):
            for number in self.numbers:
                code = self.app.workers[number].poll()
                if code is None:
                    continue
                if code != 1:
                    self.unexpected.append(code)
                self.restarts += 1
                self.app.start(number, **self.settings)

    def _feed(self) -> None:
        chunks = 50
        size = -(-len(self._events) // chunks)
        for chunk in range(chunks):
            self.app.client.produce(self.app.input, self._events[chunk * size : (chunk + 1) * size])
            if self._stopped.wait(self._seconds / chunks):
                return
        self.fed.set()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)


def finish(app: Application, supervisor: Supervisor) -> dict[str, str]:
    """Wait until all is committed, and stop the workers."""
    app.wait_for(supervisor.fed.is_set, timeout=300)
    app.wait_until_done(timeout=300)
    assert supervisor.unexpected == []
    return app.digests()


def disturbed(client: Client, tmp_path: Path, **settings: Any) -> closing[Application]:
    folder = tmp_path / "disturbed"
    folder.mkdir()
    return closing(Application(client, folder, **{"kafka.max_poll_records": 100, **settings}))


@pytest.mark.timeout(900)
def test_a_network_that_cuts_delays_and_accepts_then_closes(client: Client, proxy: Proxy, tmp_path: Path) -> None:
    events = list(generate(40_000 if LONG else 10_000, SERIES, 4, seed=5, start=START))
    troubles = [
        (Mode.CLOSE, 10.0 if LONG else 4.0),
        (Mode.DELAY, 10.0 if LONG else 6.0),
        (Mode.REFUSE, 10.0 if LONG else 3.0),
        (Mode.SILENT, 10.0 if LONG else 5.0),
    ]
    settings = {"kafka.broker_timeout": "8s", "kafka.bootstrap_servers": f"127.0.0.1:{proxy.port}"}
    with disturbed(client, tmp_path, **settings) as app:
        length = sum(seconds + 4 for _, seconds in troubles)
        with Supervisor(app, range(2), events, length) as supervisor:
            app.wait_for(lambda: app.committed() > 0)
            for mode, seconds in troubles:
                proxy.set(mode)
                time.sleep(seconds)
                proxy.set(Mode.PASS)
                before = app.committed()
                app.wait_for(lambda before=before: app.committed() > before or supervisor.fed.is_set())  # type: ignore[misc]
            app.settings["kafka.bootstrap_servers"] = client.bootstrap  # for `inspect`
            digests = finish(app, supervisor)
        assert {app.stop(0), app.stop(1)} == {0}
        same_as_a_calm_run(app, digests, events, tmp_path)


@pytest.mark.timeout(900)
def test_each_broker_of_three_is_killed_and_comes_back(broker: Broker, tmp_path: Path) -> None:
    """`broker` only so that this is skipped where that one is."""
    events = list(generate(60_000 if LONG else 12_000, SERIES, 4, seed=6, start=START))
    pause = 6.0 if LONG else 3.0
    with (
        Cluster(tmp_path / "cluster") as cluster,
        Client(cluster.bootstrap) as client,
        disturbed(client, tmp_path, **{"kafka.replication_factor": 3}) as app,
    ):
        with Supervisor(app, range(2), events, 3 * 2 * pause + 10) as supervisor:
            app.wait_for(lambda: app.committed() > 0)
            for victim in cluster:
                victim.kill()
                time.sleep(pause)
                victim.start()
                time.sleep(pause)
            digests = finish(app, supervisor)
        assert {app.stop(0), app.stop(1)} == {0}
        same_as_a_calm_run(app, digests, events, tmp_path)
