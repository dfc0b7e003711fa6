"""The fold on a cluster of Flink beside `streamrnn run`, and what its checkpoints hold.

    python benchmarks/flink.py                                   # throughput at parallelism 1 and 2, 500 series
    python benchmarks/flink.py --only state --keys 100000        # bytes of a checkpoint per series, and of an increment
    python benchmarks/flink.py --events 20000 --parallelism 1    # a look

Needs what `python -m tests.flink.environment` fetches. Broker, job manager and task managers are processes of this
machine, so what counts is processor time per event, over the last two thirds of the events: of the worker, and of
the task managers' Java (connectors, Flink, its side of the bridge) and Python (the other side, and the fold). What the
fold alone takes is measured in the same Python, without Flink. Medians of `--turns`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.broker.client import Client
from tests.broker.process import Broker
from tests.flink.cluster import Cluster
from tests.flink.environment import Environment, wanted

START = 1_767_225_600
MEMORY = "4000m"
"""Of the task manager that holds many series."""

FOLD = """
import sys, time
from streamrnn.flink.fold import SeriesFold
from streamrnn.flink.job import check
from streamrnn.config.loading import load
from streamrnn.runtime.stepper import StepEvent
lines = sys.stdin.buffer.read().splitlines()
states = {}
class States:
    get = states.get
    put = states.__setitem__
fold = SeriesFold(check(load(None, {"model.preset": "lite"}, {})), States())
def bundle(some):
    for line in some:
        key, value = line.split(b"\\t")
        fold.add(key.decode(), StepEvent(value))
    for _ in fold.answers():
        pass
    fold.commit()
half = len(lines) // 2
for start in range(0, half, 1000):
    bundle(lines[start:start + 1000])
began = time.process_time()
for start in range(half, len(lines), 1000):
    bundle(lines[start:start + 1000])
print((time.process_time() - began) / (len(lines) - half), len(next(iter(states.values()))))
"""


class Cost(NamedTuple):
    """Seconds of processor time per event, and events per second of the clock."""

    java: float
    python: float
    rate: float


def events(count: int, series: int, start: int = 0) -> list[tuple[str, bytes]]:
    """In turns, each with its series."""
    random = np.random.default_rng(start)
    return [
        (f"series {n % series}", b'{"key":"series %d","time":%d,"value":%.3f}' % (n % series, START + 60 * n, value))
        for n, value in zip(range(start, start + count), random.normal(size=count), strict=True)
    ]


def spent(processes: list[psutil.Process]) -> tuple[float, float]:
    """Processor time of Java and of Python among these and their children."""
    java = python = 0.0
    for parent in processes:
        for one in (parent, *parent.children(recursive=True)):
            try:
                used = sum(one.cpu_times()[:2])
                java, python = (java + used, python) if one.name() == "java" else (java, python + used)
            except psutil.NoSuchProcess:
                continue
    return java, python


class Stage:
    """A broker, and a topic of events."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def topic(self, parts: int = 2) -> str:
        """A new one."""
        return self.client.create_topic(self.client.unique("events"), parts)

    def produce(self, topic: str, some: list[tuple[str, bytes]], parts: int = 2) -> None:
        """Every series into one partition."""
        self.client.produce(topic, [(crc32(key.encode()) % parts, None, value) for key, value in some])

    def flags(self, topic: str) -> list[str]:
        """Of one pipeline, with an output of its own."""
        name = self.client.create_topic(self.client.unique("forecasts"))
        self.output = name
        settings = {
            "application_id": name, "kafka.bootstrap_servers": self.client.bootstrap, "kafka.input_topic": topic,
            "kafka.output_topic": name, "kafka.dead_letter_topic": self.topic(1), "model.preset": "lite",
            "model.weights": "series", "monitor.port": "null",
        }  # fmt: skip
        return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]

    def written(self) -> int:
        """Offsets, and so with a marker per transaction: near enough for a share of many."""
        return sum(self.client.end_offsets(self.output).values())

    def cost(self, count: int, processes: Callable[[], list[psutil.Process]]) -> Cost:
        """From a third of the records to the last: what starts has compiled then."""
        while (first := self.written()) < count / 3:
            time.sleep(0.2)
        began, before = time.monotonic(), spent(processes())
        while (last := self.written()) < count:
            time.sleep(0.2)
        seconds, after = time.monotonic() - began, spent(processes())
        java, python = (after[at] - before[at] for at in (0, 1))
        return Cost(java / (last - first), python / (last - first), (last - first) / seconds)


@contextmanager
def staged() -> Iterator[Stage]:
    """With a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="streamrnn-flink-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            with Client(broker.bootstrap) as client:
                yield Stage(client)
        finally:
            broker.stop()


def of_worker(stage: Stage, cluster: Cluster, topic: str, count: int) -> Cost:
    """`streamrnn run`."""
    worker = cluster.streamrnn("run", "--quiet", *stage.flags(topic))
    try:
        return stage.cost(count, lambda: [psutil.Process(worker.pid)])
    finally:
        worker.kill()
        worker.communicate()


def of_job(stage: Stage, cluster: Cluster, topic: str, count: int, parallelism: int) -> Cost:
    """`streamrnn flink-job`."""
    job = cluster.submit(*stage.flags(topic), "--parallelism", str(parallelism), "--checkpoint-interval", "2")
    try:
        return stage.cost(count, lambda: [psutil.Process(one.pid) for one in cluster.task_managers])
    finally:
        cluster.cancel(job)


def fold_alone(environment: Environment, some: list[tuple[str, bytes]]) -> tuple[float, int]:
    """Seconds of processor time per event, bytes of a state."""
    lines = b"\n".join(key.encode() + b"\t" + value for key, value in some)
    done = subprocess.run(
        [str(environment.python), "-c", FOLD],
        input=lines,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    seconds, size = done.stdout.split()
    return float(seconds), int(size)


def throughput(count: int, series: int, widths: list[int], turns: int) -> None:
    """The worker and jobs of some widths, in turns over the same topic."""
    environment = wanted()
    some = events(count, series)
    fold, size = fold_alone(environment, some)
    print(f"fold alone, bundles of 1,000: {fold * 1e6:.0f} us an event; a state has {size:,} bytes")
    with staged() as stage, tempfile.TemporaryDirectory(prefix="streamrnn-flink-") as folder:
        topic = stage.topic()
        stage.produce(topic, some)
        for width in widths:
            with Cluster(environment, Path(folder) / str(width), (width + 1) // 2) as cluster:
                worker = [of_worker(stage, cluster, topic, count) for _ in range(turns)]
                job = [of_job(stage, cluster, topic, count, width) for _ in range(turns)]
            one = statistics.median(cost.python for cost in worker)
            java, python = (statistics.median(cost[at] for cost in job) for at in (0, 1))
            ratio, rates = (
                one / (java + python),
                [statistics.median(cost.rate for cost in some) for some in (job, worker)],
            )
            print(
                f"parallelism {width}: Java {java * 1e6:.0f} us, Python {python * 1e6:.0f} us an event; streamrnn run "
                f"{one * 1e6:.0f} us: {ratio:.2f} of its events per core; by the clock {rates[0]:,.0f} events/s beside "
                f"{rates[1]:,.0f}",
                flush=True,
            )


def checkpoints(keys: int, touched: int) -> None:
    """Bytes of a checkpoint in RocksDB per series, and of the next one after some series have changed."""
    environment = wanted()
    _, size = fold_alone(environment, events(2000, 100))
    settings = {"taskmanager.memory.process.size": MEMORY, "state.backend.type": "rocksdb"}
    settings |= {"execution.checkpointing.incremental": "true"}
    with (
        staged() as stage,
        tempfile.TemporaryDirectory(prefix="streamrnn-flink-") as folder,
        Cluster(environment, Path(folder) / "flink", 1, **settings) as cluster,
    ):
        topic = stage.topic()
        stage.produce(topic, events(keys, keys))
        job = cluster.submit(*stage.flags(topic), "--parallelism", "2", "--checkpoint-interval", "10")
        whole = settled(stage, cluster, job, keys)[0]["state_size"]
        print(
            f"RocksDB, {keys:,} series: {whole / keys:,.0f} bytes of a checkpoint each, {whole / keys / size:.2f} "
            f"times the state's {size:,}",
            flush=True,
        )
        time.sleep(60)  # RocksDB goes on compacting what was written first
        since = time.time() * 1000
        stage.produce(topic, events(touched, keys, start=keys))
        later = [one for one in settled(stage, cluster, job, keys + touched) if one["trigger_timestamp"] > since]
        written = sum(one["checkpointed_size"] for one in later)
        print(f"{touched:,} of them touched: {written:,} bytes more, {written / touched / size:.2f} times their states")


def settled(stage: Stage, cluster: Cluster, job: str, count: int) -> list[dict[str, Any]]:
    """The checkpoints from when all is written on, newest first."""
    while stage.written() < count:
        time.sleep(0.5)
    seen = cluster.get(f"/jobs/{job}/checkpoints")["counts"]["completed"]
    while cluster.get(f"/jobs/{job}/checkpoints")["counts"]["completed"] <= seen:
        time.sleep(0.5)
    return [one for one in cluster.get(f"/jobs/{job}/checkpoints")["history"] if one["status"] == "COMPLETED"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["throughput", "state"])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--touched", type=int, default=1_000)
    given = parser.parse_args()
    if given.only in (None, "throughput"):
        throughput(given.events, given.series, given.parallelism, given.turns)
    if given.only in (None, "state"):
        checkpoints(given.keys, given.touched)


if __name__ == "__main__":
    main()
