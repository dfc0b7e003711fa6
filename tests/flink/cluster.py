"""A cluster of Flink from PyFlink's own distribution: a job manager and task managers as processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from streamrnn.flink.job import CONNECTOR
from tests.broker.process import die_with_parent, free_ports

ROOT = Path(__file__).parent.parent.parent


def connector() -> Path:
    """Flink's Kafka connector, fetched from Maven once; skips the test where it cannot be had."""
    _, name, version = CONNECTOR.split(":")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jar = cache / "streamrnn" / "flink" / f"{name}-{version}.jar"
    if not jar.exists():
        maven = shutil.which("mvn")
        if maven is None:
            pytest.skip("no Maven on the PATH to fetch Flink's Kafka connector with; install it (Debian: maven)")
        command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={CONNECTOR}", f"-DoutputDirectory={jar.parent}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not jar.exists():
            pytest.skip(f"{CONNECTOR} cannot be fetched from Maven: {done.stdout[-300:]}")
    return jar


class Cluster:
    """One job manager, and task managers of one slot each."""

    def __init__(self, folder: Path, task_managers: int, **settings: str) -> None:
        if shutil.which("java") is None:
            pytest.skip("no Java on the PATH; install a Java 17 runtime (Debian: openjdk-17-jre-headless)")
        import pyflink

        self.home = Path(pyflink.__file__).parent
        self.folder = folder
        rpc, rest = free_ports(2)
        self.address = f"127.0.0.1:{rest}"
        self.checkpoints = (folder / "checkpoints").as_uri()
        (folder / "conf").mkdir(parents=True)
        shutil.copytree(self.home / "conf", folder / "conf", dirs_exist_ok=True)
        wanted = {
            "jobmanager.rpc.address": "127.0.0.1", "jobmanager.rpc.port": str(rpc), "jobmanager.bind-host": "127.0.0.1",
            "rest.address": "127.0.0.1", "rest.port": str(rest), "rest.bind-address": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1", "taskmanager.host": "127.0.0.1",
            "jobmanager.memory.process.size": "700m", "taskmanager.memory.process.size": "1200m",
            "taskmanager.numberOfTaskSlots": "1", "heartbeat.timeout": "8000", "heartbeat.interval": "2000",
            "restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "100",
            "restart-strategy.fixed-delay.delay": "1 s", "python.fn-execution.bundle.time": "200",
            "classloader.check-leaked-classloader": "false", "env.java.opts.all": _opens(self.home),
            **settings,
        }  # fmt: skip
        (folder / "conf" / "config.yaml").write_text("".join(f'"{k}": {json.dumps(v)}\n' for k, v in wanted.items()))
        self._environment = os.environ | {
            "FLINK_CONF_DIR": str(folder / "conf"), "FLINK_LOG_DIR": str(folder / "log"), "FLINK_HOME": str(self.home),
            "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip
        (folder / "log").mkdir()
        self.task_managers: list[subprocess.Popen[bytes]] = []
        self._job_manager = self._start("jobmanager")
        self.add(task_managers)
        self.wait_for(lambda: self.get("/taskmanagers")["taskmanagers"][task_managers - 1], 120)

    def _start(self, kind: str) -> subprocess.Popen[bytes]:
        number = len(self.task_managers)
        with open(self.folder / "log" / f"{kind}-{number}.out", "wb") as log:
            command = ["bash", str(self.home / "bin" / f"{kind}.sh"), "start-foreground"]
            return subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, preexec_fn=die_with_parent
            )  # fmt: skip

    def add(self, count: int) -> None:
        """Start task managers."""
        self.task_managers += [self._start("taskmanager") for _ in range(count)]

    def kill(self, number: int) -> None:
        """SIGKILL for a task manager and its Python, and another one in its place."""
        _kill(self.task_managers.pop(number))
        self.add(1)

    def get(self, path: str) -> Any:
        """Ask the job manager."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return json.load(answer)

    def submit(self, *arguments: str) -> str:
        """`streamrnn flink-job`; returns the job's id."""
        command = [sys.executable, "-m", "streamrnn", "flink-job", "--jobmanager", self.address, *arguments]
        command += ["--jar", str(connector()), "--checkpoints", self.checkpoints]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip().splitlines()[-1]

    def wait_for(self, found: Any, seconds: float) -> Any:
        """What `found` returns as soon as it returns anything."""
        until = time.monotonic() + seconds
        while True:
            try:
                if (answer := found()) is not None:
                    return answer
            except (LookupError, OSError, urllib.error.URLError):
                pass
            assert time.monotonic() < until, self.last_words()
            time.sleep(0.3)

    def last_words(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"{file.name}: {file.read_text()[-3000:]}" for file in sorted((self.folder / "log").iterdir()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in (*self.task_managers, self._job_manager):
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _opens(home: Path) -> str:
    """What Flink's own configuration opens of Java's modules; without it the machine refuses."""
    for line in (home / "conf" / "config.yaml").read_text().splitlines():
        if "--add-opens" in line or "--add-exports" in line:
            return line.split(":", 1)[1].strip()
    return ""
