"""A cluster of Flink from PyFlink's own distribution: a job manager and task managers as processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamrnn.flink.job import CONNECTOR
from tests.broker.process import die_with_parent, free_ports
from tests.flink.environment import ROOT, Environment

SLOTS = 2
"""Of a task manager."""


class Cluster:
    """One job manager, and task managers of SLOTS slots each."""

    def __init__(self, environment: Environment, folder: Path, task_managers: int, **settings: str) -> None:
        self.environment, self.home, self.folder = environment, environment.home, folder
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
            "taskmanager.numberOfTaskSlots": str(SLOTS), "taskmanager.load-balance.mode": "SLOTS",
            "heartbeat.timeout": "8000", "heartbeat.interval": "2000",
            "restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "100",
            "restart-strategy.fixed-delay.delay": "1 s", "python.fn-execution.bundle.time": "200",
            "classloader.check-leaked-classloader": "false", "env.java.opts.all": _opens(self.home),
            **settings,
        }  # fmt: skip
        (folder / "conf" / "config.yaml").write_text("".join(f'"{k}": {json.dumps(v)}\n' for k, v in wanted.items()))
        self._environment = os.environ | {
            "FLINK_CONF_DIR": str(folder / "conf"), "FLINK_LOG_DIR": str(folder / "log"), "FLINK_HOME": str(self.home),
            "PYTHONPATH": str(ROOT), "PATH": f"{environment.python.parent}{os.pathsep}{os.environ['PATH']}",
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

    @property
    def jar(self) -> Path:
        """Flink's Kafka connector."""
        return self.environment.jar(CONNECTOR)

    def python(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start Python with the packages that the cluster has."""
        return subprocess.Popen(
            [str(self.environment.python), *arguments], env=self._environment | environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=die_with_parent,
        )  # fmt: skip

    def streamrnn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command with these packages."""
        return self.python("-m", "streamrnn", *arguments)

    def submit(self, *arguments: str) -> str:
        """`streamrnn flink-job`; returns the job's id."""
        submitting = self.streamrnn(
            "flink-job", "--jobmanager", self.address, "--jar", str(self.jar),
            "--checkpoints", self.checkpoints, *arguments,
        )  # fmt: skip
        out, err = submitting.communicate()
        assert submitting.returncode == 0, err.decode()[-3000:]
        return out.decode().strip().splitlines()[-1]

    def stop(self, job: str) -> str:
        """Stop with a savepoint; returns where that is."""
        asked = self.post(f"/jobs/{job}/stop", {"targetDirectory": self.checkpoints, "drain": False})["request-id"]

        def done() -> Any:
            told = self.get(f"/jobs/{job}/savepoints/{asked}")
            return told["operation"] if told["status"]["id"] == "COMPLETED" else None

        return str(self.wait_for(done, 120)["location"])

    def cancel(self, job: str) -> None:
        """End it without a savepoint."""
        urllib.request.urlopen(
            urllib.request.Request(f"http://{self.address}/jobs/{job}", method="PATCH"), timeout=10
        ).close()
        self.wait_for(lambda: self.get(f"/jobs/{job}")["state"] == "CANCELED" or None, 60)

    def post(self, path: str, body: object) -> Any:
        """Tell the job manager."""
        asked = urllib.request.Request(
            f"http://{self.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)

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

    def logs(self) -> dict[str, str]:
        """What every process wrote."""
        return {file.name: file.read_text() for file in sorted((self.folder / "log").iterdir())}

    def last_words(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"{name}: {text[-3000:]}" for name, text in self.logs().items())

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
