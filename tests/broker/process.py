"""Brokers as child processes: start, stop, kill, pause, and start again on the same ports and data."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.broker.artifacts import CLUSTER_ID, USERS, artifacts, java
from tests.broker.client import Client

READY = "Kafka Server started"

LOGGING = """
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c)%n%throwable
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""

# Speed of start before speed of service; the heap is small because this machine runs the tests as well.
JAVA = ["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.awt.headless=true"]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all are bound before any is released, so they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def die_with_parent() -> None:
    """In the child, before exec: the kernel kills the broker when the test run dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    os.setsid()  # Ctrl-C is for the tests; they stop the broker


class Broker:
    """One Kafka server with its own folder.

    Listeners: PLAINTEXT on `port`; SASL (PLAIN and SCRAM-SHA-512, users of `artifacts.USERS`) on `sasl_port`;
    PROXIED on `proxied_port`, which tells its clients to come back to `proxy_port`, where a test puts its proxy;
    with `tls` (a folder made by `tests.broker.tls`) SASL_SSL on `tls_port`.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        node: int = 1,
        voters: str = "",
        controller_port: int = 0,
        replication: int = 1,
        heap: str = "384m",
        tls: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        ports = free_ports(6)
        self.data = data
        self.port = port or ports[0]
        self.controller_port = controller_port or ports[1]
        self.sasl_port, self.proxied_port, self.proxy_port, self.tls_port = ports[2:]
        self.node = node
        self.voters = voters or f"{node}@127.0.0.1:{self.controller_port}"
        self.replication = replication
        self.heap = heap
        self.tls = tls
        self.settings = settings or {}
        self.log = data / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def properties(self) -> str:
        listeners = {
            "PLAINTEXT": (self.port, self.port, "PLAINTEXT"),
            "SASL": (self.sasl_port, self.sasl_port, "SASL_PLAINTEXT"),
            "PROXIED": (self.proxied_port, self.proxy_port, "PLAINTEXT"),
        }
        if self.tls:
            listeners["TLS"] = (self.tls_port, self.tls_port, "SASL_SSL")
        users = " ".join(f'user_{name}="{word}"' for name, word in USERS.items())
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": self.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(
                [f"{name}://127.0.0.1:{bound}" for name, (bound, _, _) in listeners.items()]
                + [f"CONTROLLER://127.0.0.1:{self.controller_port}"]
            ),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{told}" for name, (_, told, _) in listeners.items()),
            "listener.security.protocol.map": ",".join(
                [f"{name}:{protocol}" for name, (_, _, protocol) in listeners.items()] + ["CONTROLLER:PLAINTEXT"]
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "log.dirs": str(self.data / "logs"),
            "num.partitions": "1",
            "log.retention.ms": "-1",  # tests write records of years ago
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.num.partitions": "3",
            "share.coordinator.state.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
            "log.cleaner.backoff.ms": "1000",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "2",
            "auto.include.jmx.reporter": "false",
            # election and detection of dead brokers, for tests that kill one of three
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "controller.quorum.election.timeout.ms": "500",
            "controller.quorum.fetch.timeout.ms": "1500",
        }
        for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
            lines[f"{topic}.replication.factor"] = str(self.replication)
        for topic in ("transaction.state.log", "share.coordinator.state.topic"):
            lines[f"{topic}.min.isr"] = str(min(2, self.replication))
        lines["default.replication.factor"] = str(self.replication)
        if self.replication > 1:
            lines["min.insync.replicas"] = "2"
        for listener in [name for name, (_, _, protocol) in listeners.items() if protocol.startswith("SASL")]:
            prefix = f"listener.name.{listener.lower()}"
            module = "org.apache.kafka.common.security"
            lines[f"{prefix}.plain.sasl.jaas.config"] = f"{module}.plain.PlainLoginModule required {users};"
            lines[f"{prefix}.scram-sha-512.sasl.jaas.config"] = f"{module}.scram.ScramLoginModule required;"
        if self.tls:
            lines["listener.name.tls.ssl.keystore.type"] = "PEM"
            lines["listener.name.tls.ssl.keystore.location"] = str(self.tls / "broker.pem")
        lines.update(self.settings)
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    def start(self, *, wait: bool = True) -> Self:
        """Start it (again), and wait until it serves. Call it from the main thread: the broker dies with its caller."""
        assert not self.running, "it runs already"
        found = artifacts()
        self.data.mkdir(parents=True, exist_ok=True)
        logs = self.data / "logs"
        if not logs.exists():
            shutil.copytree(found.template, logs)
            (logs / "meta.properties").write_text(
                f"version=1\ncluster.id={CLUSTER_ID}\nnode.id={self.node}\n"
                f"directory.id=streamrnn-{self.node:02d}-directorA\n"
            )
        (self.data / "server.properties").write_text(self.properties())
        (self.data / "log4j2.properties").write_text(LOGGING.format(log=self.log))
        self.log.unlink(missing_ok=True)
        with open(self.data / "console.log", "wb") as console:
            self.process = subprocess.Popen(
                [java(), f"-Xmx{self.heap}", *JAVA, f"-Dlog4j2.configurationFile={self.data}/log4j2.properties",
                 "-cp", found.classpath, "kafka.Kafka", str(self.data / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=die_with_parent,
            )  # fmt: skip
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.running:
                raise RuntimeError(f"the broker ended while starting:\n{self.last_words()}")
            with suppress(OSError):
                if READY in self.log.read_text(errors="replace"):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the broker did not start within {timeout:.0f} s:\n{self.last_words()}")

    def last_words(self) -> str:
        words = ""
        for name in ("console.log", "broker.log"):
            with suppress(OSError):
                words += (self.data / name).read_text(errors="replace")[-3000:]
        return words

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait()

    def _signal(self, number: int) -> None:
        if self.process is not None and self.running:
            self.process.send_signal(number)

    def stop(self, timeout: float = 15.0) -> None:
        """Shut down in order; past `timeout` seconds, kill."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        if self.process is not None:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL: no goodbye, as when the machine goes."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def wait_serving(self, timeout: float = 60.0) -> None:
        """After `resume`: until it answers clients again."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with suppress(Exception), Client(self.bootstrap) as client:
                client.admin.list_topics()
                return
            time.sleep(0.2)
        raise RuntimeError("the broker does not come back")

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Cluster:
    """Three brokers (or `size`) on this machine; topics are replicated on all, writes need two."""

    def __init__(self, data: Path, size: int = 3) -> None:
        controllers = free_ports(size)
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, start=1))
        self.brokers = [
            Broker(data / f"node-{node}", node=node, voters=voters, controller_port=port,
                   replication=size, heap="320m")
            for node, port in enumerate(controllers, start=1)
        ]  # fmt: skip

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self)

    def __iter__(self) -> Iterator[Broker]:
        return iter(self.brokers)

    def start(self) -> Self:
        for broker in self:
            broker.start(wait=False)
        for broker in self:
            broker.wait_ready()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for broker in self:
            broker.kill()
