"""Real `streamrnn run` processes against a real broker, and what they left there."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from tests.broker.client import Client

ROOT = Path(__file__).parents[2]
START = 1_767_225_600  # 2026-01-01


class Application:
    """One application over an input topic of its own, and the worker processes that run it."""

    def __init__(
        self, client: Client, folder: Path, partitions: int = 4, alerts: bool = False, **settings: Any
    ) -> None:
        self.client = client
        self.folder = folder
        self.partitions = partitions
        self.input = client.create_topic(client.unique("events"), partitions)
        self.application_id = client.unique("application")
        self.output = f"{self.application_id}-forecasts"
        self.alerts = f"{self.application_id}-alerts" if alerts else None
        self.dead_letters = f"{self.output}-dead-letters"
        self.settings: dict[str, Any] = {
            "application_id": self.application_id,
            "kafka.bootstrap_servers": client.bootstrap,
            "kafka.input_topic": self.input,
            "kafka.output_topic": self.output,
            "kafka.max_poll_records": 500,
            "kafka.session_timeout": "6s",
            "kafka.broker_timeout": "20s",
            **({} if "task" in settings else {"model.preset": "lite"}),
            "state.snapshot_interval": "1s",
            **({"kafka.alerts_topic": self.alerts} if alerts else {}),
            **settings,
        }
        self.supervised = False  # by somebody who starts workers anew
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.logs: dict[int, Path] = {}

    def produce(self, events: int, series: int, seed: int = 1, time: int = START) -> None:
        """`events` events of `series` series in turn, each series in one partition."""
        self.client.produce(self.input, list(generate(events, series, self.partitions, seed, time)))

    def arguments(self, extra: Mapping[str, Any] = {}) -> list[str]:
        pairs = {**self.settings, **extra}
        return [part for name, value in pairs.items() for part in ("--set", f"{name}={value}")]

    def start(self, number: int = 0, fault: str | None = None, **extra: Any) -> subprocess.Popen[bytes]:
        """Start worker `number`; with `fault` it ends or stands still inside a commit (`tests.pipeline.faulty`)."""
        named = {"kafka.group_instance_id": f"worker-{number}", **extra}
        module = ["tests.pipeline.faulty", fault] if fault else ["streamrnn"]
        self.logs[number] = self.folder / f"worker-{number}-{len(list(self.folder.iterdir()))}.log"
        log = self.logs[number].open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", *module, "run", *self.arguments(named)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        )  # fmt: skip
        log.close()
        self.workers[number] = worker
        return worker

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command of streamrnn over this application."""
        return subprocess.run(
            [sys.executable, "-m", "streamrnn", *words, *self.arguments()],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def wait_until_done(self, timeout: float = 300.0) -> None:
        """Until everything in the input is committed."""
        self.wait_for(lambda: self.client.group_lag(self.application_id, self.input) == 0, timeout)

    def wait_for(self, condition: Callable[[], bool], timeout: float = 120.0) -> None:
        def holds() -> bool:
            try:
                return condition()
            except KafkaError as error:
                if not error.retriable:
                    raise
                return False  # for example while a group's first topic of offsets is made, or its coordinator moves

        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"waited {timeout} s in vain; {self.last_words()}"
            codes = [worker.poll() for worker in self.workers.values()]
            assert self.supervised or not codes or None in codes, f"all workers are gone; {self.last_words()}"
            time.sleep(0.2)

    def committed(self) -> int:
        """Sum of the committed offsets."""
        return sum(max(0, offset) for offset in self.client.group_offsets(self.application_id).values())

    def is_live(self, number: int) -> bool:
        """Whether worker `number` serves a partition, by what it says."""
        return b"live at offset" in self.logs[number].read_bytes()

    def stop(self, number: int = 0, timeout: float = 30.0) -> int:
        worker = self.workers.pop(number)
        worker.send_signal(signal.SIGTERM)
        return worker.wait(timeout)

    def kill(self, number: int) -> None:
        worker = self.workers.pop(number)
        worker.kill()
        worker.wait(10)

    def close(self) -> None:
        for number in list(self.workers):
            self.kill(number)

    def outputs(self) -> dict[tuple[int, int], bytes]:
        """(partition, offset) of the event -> its committed forecast; fails if one is there twice or out of order."""
        found: dict[tuple[int, int], bytes] = {}
        newest: dict[int, int] = {}
        for written in self.client.read(self.output):
            assert written.value is not None
            source = json.loads(written.value)["source"]
            place = (source["partition"], source["offset"])
            assert place not in found, f"two forecasts for {place}"
            assert written.partition == place[0]
            assert newest.get(place[0], -1) < place[1], f"out of order at {place}"
            newest[place[0]] = place[1]
            found[place] = written.value
        return found

    def inspect(self) -> list[dict[str, Any]]:
        """What `streamrnn inspect` says of each partition."""
        done = self.command("inspect", "--json")
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def digests(self) -> dict[str, str]:
        """Partition -> digest of the learned state, once every partition's snapshot stands for its last event."""
        rows: list[dict[str, Any]] = []

        def settled() -> bool:
            rows[:] = self.inspect()
            return all(row["lag"] == 0 and row["offset"] == row["snapshot_offset"] for row in rows)

        self.wait_for(settled, timeout=60)
        return {row["partition"].rpartition("[")[2]: row["digest"] for row in rows}

    def last_words(self) -> str:
        """The ends of the logs, and where each worker is now: it is aborted for that."""
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGABRT)  # faulthandler writes every thread's stack
                worker.wait(10)
        logs = {path.name: path.read_text()[-6000:] for path in self.logs.values()}
        return json.dumps(logs, indent=1).replace("\\n", "\n")


def generate(
    events: int, series: int, partitions: int, seed: int, start: int, *, outages: bool = False
) -> Sequence[tuple[int, bytes, bytes]]:
    """(partition, key, value) of every event; with `outages` every series drops for an hour, one after the other."""
    source = random.Random(seed)
    records = []
    for number in range(events):
        which, step = number % series, number // series
        value = round(10 * math.sin(step / 40 + which) + source.gauss(0, 1) + which, 4)
        if outages and 0 <= step - 250 - which % 100 < 12:
            value -= 60.0
        key = f"series-{which}"
        event = {"key": key, "time": start + step * 300, "value": value}
        records.append((which % partitions, key.encode(), json.dumps(event).encode()))
    return records


def quiet_environment() -> dict[str, str]:
    """The environment without any setting of streamrnn in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMRNN__")}
