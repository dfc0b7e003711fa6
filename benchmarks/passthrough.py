"""streamrnn beside two pass-throughs, which compute nothing: the same client, transactions of the same records.

    plain   a program of kafka-python as its documentation has it: poll, send each record, commit
    bare    streamrnn's own connector, which reads and writes whole batches, and nothing else

    python benchmarks/passthrough.py                          # throughput and latency, lite and standard
    python benchmarks/passthrough.py --events 200000 --series 100000 --presets lite
    python benchmarks/passthrough.py --only latency --seconds 90      # three snapshots: bytes of the changelog
    python benchmarks/passthrough.py --only latency --seconds 75 --series 4000 --partitions 1 --presets standard --whole

Starts a broker of its own. Throughput: the topic is full, one worker reads it to the end; events per second between the
first and the last output, and the processor time of the worker's process, which is what holds on a busy machine.
Latency: events come at `--rate`, and each is timed from when it was sent to when a reader of committed records has its
answer, with snapshots on. What counts is the ratio to a pass-through in the same run. In the same time: bytes that the
changelog grows by for each byte of the input, in the broker's files; take a whole number of `state.snapshot_interval`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

sys.path.insert(0, str(Path(__file__).parents[1]))

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka import KafkaConnector
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import echo

PLAIN, BARE = "plain", "bare"
START = 1_767_225_600


def settings(bootstrap: str, topic: str, name: str) -> dict[str, str]:
    """Of one worker."""
    return {
        "kafka.bootstrap_servers": bootstrap,
        "kafka.input_topic": topic,
        "kafka.output_topic": f"{topic}-{name}",
        "application_id": f"{topic}-{name}",
    }


def bare(bootstrap: str, topic: str) -> None:
    """The pass-through: every record's value goes out again, in the transaction that commits its offset."""
    found = settings(bootstrap, topic, BARE)
    config = KafkaConfig.model_validate(
        {name.removeprefix("kafka."): value for name, value in found.items() if name.startswith("kafka.")}
    )
    with KafkaConnector(config, application_id=found["application_id"], changelog_topic=None) as connector:
        while True:
            polled = connector.poll(0.25)
            for partition in polled.assigned:
                connector.start(partition, connector.committed(partition) or 0)
            if polled.records:
                connector.commit(echo({partition: [*some] for partition, some in polled.records.items()}))


def plain(bootstrap: str, topic: str) -> None:
    """The same by kafka-python alone, with its defaults but for as many records of a poll."""
    name = f"{topic}-{PLAIN}"
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=name, isolation_level="read_committed", enable_auto_commit=False,
        auto_offset_reset="earliest", max_poll_records=KafkaConfig().max_poll_records,
    )  # fmt: skip
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
    producer.init_transactions()
    while True:
        polled = consumer.poll(timeout_ms=250)
        if not polled:
            continue
        producer.begin_transaction()
        for partition, records in polled.items():
            for record in records:
                producer.send(name, record.value, record.key, partition=partition.partition)
        ends = {one: OffsetAndMetadata(records[-1].offset + 1, "", -1) for one, records in polled.items()}
        producer.send_offsets_to_transaction(ends, consumer.group_metadata())
        producer.commit_transaction()


@contextmanager
def worker(name: str, bootstrap: str, topic: str) -> Iterator[psutil.Process]:
    """A process that answers the topic: a pass-through, or streamrnn with a preset."""
    if name in (PLAIN, BARE):
        command = [sys.executable, __file__, f"--{name}", bootstrap, topic]
    else:
        preset, _, whole = name.partition("-")
        command = [sys.executable, "-m", "streamrnn", "run", "--quiet", "--set", f"model.preset={preset}"]
        if whole:
            command += ["--set", f"kafka.snapshot_slice={1 << 40}"]
        for path, value in settings(bootstrap, topic, name).items():
            command += ["--set", f"{path}={value}"]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
        try:
            yield psutil.Process(process.pid)
            if process.poll() is not None:
                told.seek(0)
                raise SystemExit(f"{name} ended: {told.read().decode()[-2000:]}")
        finally:
            process.kill()
            process.wait()


def event(at: int, series: int) -> tuple[bytes, bytes]:
    """Key and value, some 100 bytes."""
    value = np.sin(at // series / 4) + at * 37 % 101 / 400
    name = f"series-{at % series}"
    body = (
        f'{{"key": "{name}", "time": {START + 60 * (at // series)}, "value": {value:.6f}, "unit": "kWh", "site": "a"}}'
    )
    return name.encode(), body.encode()


class Reader:
    """Counts answers as they become visible to readers of committed records, and when."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.arrived: list[float] = []
        self._stop = threading.Event()
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        self._consumer.subscribe([topic])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for records in self._consumer.poll(timeout_ms=100).values():
                self.arrived += [time.time()] * len(records)

    def wait(self, count: int, seconds: float) -> None:
        """Until so many are there."""
        deadline = time.monotonic() + seconds
        while len(self.arrived) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(self.arrived):,} of {count:,} answers after {seconds:.0f} s")
            time.sleep(0.01)

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def throughput(client: Client, name: str, events: int, series: int, partitions: int) -> tuple[float, float]:
    """Events per second, and microseconds of processor time per event."""
    topic = client.create_topic(client.unique("full"), partitions)
    client.create_topic(f"{topic}-{name}", partitions)
    client.produce(topic, ((hash_of(key, partitions), key, value) for key, value in map_events(events, series)))
    reader = Reader(client.bootstrap, f"{topic}-{name}")
    warm = events // 10  # what the start costs is not counted
    with worker(name, client.bootstrap, topic) as process:
        reader.wait(warm, 600)
        begun, before = len(reader.arrived), sum(process.cpu_times()[:2])
        reader.wait(events, 600)
        spent = sum(process.cpu_times()[:2]) - before
    reader.close()
    return (events - warm) / (reader.arrived[-1] - reader.arrived[warm]), spent / (events - begun) * 1e6


def size_of(logs: Path, topic: str) -> int:
    """Bytes of a topic in the broker's files."""
    return sum(
        file.stat().st_size for file in logs.glob(f"{topic}-*/*.log") if file.parent.name.rpartition("-")[0] == topic
    )


def latency(
    client: Client, logs: Path, name: str, rate: int, seconds: float, series: int, partitions: int
) -> list[float]:
    """p50, p99 and the longest in milliseconds, and bytes of the changelog per byte of input.

    Partitions take turns, so answers come in the order of events.
    """
    topic = client.create_topic(client.unique("live"), partitions)
    client.create_topic(f"{topic}-{name}", partitions)
    sent: list[float] = []
    reader = Reader(client.bootstrap, f"{topic}-{name}")
    with worker(name, client.bootstrap, topic):
        client.produce(topic, [(hash_of(key, partitions), key, value) for key, value in map_events(series, series)])
        reader.wait(series, 180)
        begun, count = time.time(), round(rate * seconds)
        changelog = f"{topic}-{name}-changelog"
        before = [size_of(logs, one) for one in (topic, changelog)]
        for at in range(count):
            behind = begun + at / rate - time.time()
            if behind > 0:
                time.sleep(behind)
            key, value = event(series + at, series)
            sent.append(time.time())
            client.producer.send(topic, value, key, partition=hash_of(key, partitions))
        client.producer.flush(timeout=60)
        reader.wait(series + count, 120)
        grown = [size_of(logs, one) - was for one, was in zip((topic, changelog), before, strict=True)]
    reader.close()
    # Answers of one transaction come together, so pairing by order is off by less than one of them takes.
    took = np.sort(np.array(reader.arrived[series : series + count])) - np.array(sent)
    return [*(float(one) for one in np.quantile(took, [0.5, 0.99, 1.0]) * 1000), grown[1] / grown[0]]


def map_events(count: int, series: int) -> Iterator[tuple[bytes, bytes]]:
    """The first `count` events."""
    return (event(at, series) for at in range(count))


def hash_of(key: bytes, partitions: int) -> int:
    """A partition for each series."""
    return int(key.rpartition(b"-")[2]) % partitions


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--rate", type=int, default=1000, help="events per second for the latency")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--presets", nargs="+", default=["lite", "standard"])
    parser.add_argument("--whole", action="store_true", help="also with snapshots that are not spread over commits")
    parser.add_argument("--only", choices=["throughput", "latency"])
    for kind in (PLAIN, BARE):
        parser.add_argument(f"--{kind}", nargs=2, metavar=("BOOTSTRAP", "TOPIC"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.plain or asked.bare:
        plain(*asked.plain) if asked.plain else bare(*asked.bare)
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            with Client(broker.bootstrap) as client:
                names = [PLAIN, BARE, *asked.presets, *(f"{name}-whole" for name in asked.presets if asked.whole)]
                if asked.only != "latency":
                    rates = [throughput(client, name, asked.events, asked.series, asked.partitions) for name in names]
                    for name, (found, micros) in zip(names, rates, strict=True):
                        print(
                            f"{name:14} {found:10,.0f} events/s   {found / rates[0][0]:.2f} of plain, "
                            f"{found / rates[1][0]:.2f} of bare   {micros:5.1f} us of processor time an event",
                            flush=True,
                        )
                if asked.only != "throughput":
                    logs = Path(folder) / "logs"
                    rows = [
                        latency(client, logs, name, asked.rate, asked.seconds, asked.series, asked.partitions)
                        for name in names
                    ]
                    for name, (p50, p99, longest, written) in zip(names, rows, strict=True):
                        print(
                            f"{name:14} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   longest {longest:7.1f} ms   "
                            f"{p99 / rows[0][1]:.2f} times the p99 of plain, {p99 / rows[1][1]:.2f} of bare"
                            + (f"   {written:.2f} bytes of changelog per byte of input" if written else ""),
                            flush=True,
                        )
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
