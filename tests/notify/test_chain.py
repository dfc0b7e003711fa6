"""Broker, worker, notifier: each is killed, and each alert arrives opened and resolved at both ends of the chain."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.notify.alerts import read_change
from tests.broker.client import Client
from tests.broker.fixtures import broker  # noqa: F401
from tests.broker.process import Broker
from tests.commands import Streamrnn
from tests.notify.stage import Hook, until
from tests.notify.test_alertmanager import Alertmanager, statuses
from tests.pipeline.workers import START, Application, generate

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    # The client leaves sockets to a broker that was killed to the garbage collection.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
EVENTS, SERIES = 7_000, 20


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


def told_ids(changes: set[tuple[str, str]]) -> set[str]:
    return {one for one, _ in changes}


@pytest.mark.timeout(900)
def test_each_of_the_chain_is_killed_and_every_alert_arrives(
    streamrnn: Streamrnn,
    tmp_path: Path,
    broker: Broker,  # noqa: F811
) -> None:
    """`broker` only so that this is skipped where that one is."""
    assert broker.running
    events = list(generate(EVENTS, SERIES, 2, seed=3, start=START, outages=True))
    with (
        Hook() as far,
        Hook() as direct,
        Broker(tmp_path / "broker") as own,
        Client(own.bootstrap) as client,
    ):
        manager = Alertmanager(tmp_path, far)
        app = Application(client, tmp_path, 2, alerts=True)
        app.settings["kafka.group_instance_id"] = "null"
        document = {
            "topic": app.alerts,
            "application_id": "notify",
            "kafka": {"bootstrap_servers": own.bootstrap, "session_timeout": "6s"},
            "receivers": {
                "am": {"alertmanager": {"url": manager.url}, "retry": "100ms"},
                "hook": {
                    "webhook": {"url": direct.url}, "retry": "100ms", "group_wait": "50ms", "group_interval": "20ms",
                },
            },
        }  # fmt: skip
        (tmp_path / "notify.yaml").write_text(json.dumps(document))

        def notifier() -> None:
            nonlocal process
            if process is None or process.poll() is not None:
                process = streamrnn.start("notify", "--config", "notify.yaml")

        def worker() -> None:
            if 0 in app.workers and app.workers[0].poll() is not None:
                app.workers.pop(0)
            if 0 not in app.workers:
                app.start(0)

        process = None
        worker()
        app.wait_for(lambda: app.is_live(0))
        notifier()
        cuts = [0, *(step * SERIES for step in (255, 262, 269)), EVENTS]  # outages begin at steps 250, 251, ...
        shares = [events[start:end] for start, end in itertools.pairwise(cuts)]
        try:
            for share, victim in zip(shares, ("none", "worker", "notifier", "broker"), strict=True):
                told = len(direct.requests)
                client.produce(app.input, share)
                until(lambda told=told: len(direct.requests) > told, 120)  # type: ignore[misc]
                if victim == "worker":
                    app.kill(0)
                elif victim == "notifier":
                    assert process is not None
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                elif victim == "broker":
                    own.kill()
                    own.start()
                    own.wait_serving()
                worker()
                notifier()
            app.supervised = True

            def done() -> bool:
                worker()  # who gives up after an outage is started again, as by Kubernetes
                notifier()
                return client.group_lag(app.application_id, app.input) == 0

            app.wait_for(done, 300)
            changes = [read_change(written.value or b"") for written in client.read(app.alerts or "")]
            expected = {(one.id, "opened" if one.opened else "resolved") for one in changes}
            assert len(changes) == len(expected), "the worker writes each change once"
            assert len({one.id for one in changes}) >= SERIES

            def arrived() -> bool:
                notifier()
                return {*direct.told()} == expected

            until(arrived, 120)
            told_at: dict[tuple[str, str], int] = {}
            for place, one in enumerate(direct.told()):
                told_at.setdefault(one, place)
            assert all(
                told_at[one, "opened"] < told_at[one, "resolved"] for one, said in expected if said == "resolved"
            )
            open_ = {one for one, said in expected if said == "opened"} - {
                o for o, said in expected if said == "resolved"
            }
            until(lambda: {one["labels"]["alert_id"] for one in manager.alerts()} == open_)
            # Of what was over before Alertmanager had told of it, it tells the end alone; what was under way when the
            # notifier was killed may come twice, in the same order.
            over = {one for one, said in expected if said == "resolved"}
            heard = statuses(far)
            assert heard.keys() <= told_ids(expected)
            until(lambda: all(said[-1] == "resolved" for one, said in statuses(far).items() if one in over))
            assert sum(len(said) > 2 for said in statuses(far).values()) < len(heard) / 2
        finally:
            app.close()
            manager.kill()
