"""The container engine and one running stack of docker-compose.yml, as a test sees them."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.broker.process import free_ports
from tests.deploy import kafka_image

ROOT = Path(__file__).parents[2]
PROFILES = ("cluster", "flink", "monitoring", "secure")
IMAGE = "streamrnn:compose-test"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str


def run(*command: str, check: bool = True, timeout: float = 300, **options: Any) -> Done:
    """Run it; with `check`, fail with what it said."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False, **options
    )
    assert not check or done.returncode == 0, (
        f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    )
    return Done(done.returncode, done.stdout)


def need_compose() -> None:
    """Skip where there is no `docker compose`."""
    if shutil.which("docker") is None or run("docker", "compose", "version", check=False).code:
        pytest.skip(
            "no `docker compose`; install Docker Engine and its compose plugin (https://docs.docker.com/engine)"
        )


@functools.cache
def _engine() -> str | None:
    """Why there is no engine, if there is none."""
    done = run("docker", "info", "--format", "{{.ServerVersion}}", check=False)
    return None if done.code == 0 else done.out.strip()


def need_engine() -> None:
    """Skip where no engine runs."""
    need_compose()
    if (reason := _engine()) is not None:
        pytest.skip(f"no container engine runs here ({reason}); start it: systemctl start docker, or dockerd")


def need_kcat() -> str:
    """A Kafka client that is not ours."""
    found = shutil.which("kcat")
    if found is None:
        pytest.skip("no kcat on the PATH; install it (Debian: apt-get install kcat)")
    return found


def need_image(name: str) -> None:
    """The engine holds it, or can pull it."""
    if run("docker", "image", "inspect", name, check=False).code == 0:
        return
    done = run("docker", "pull", "--quiet", name, check=False, timeout=600)
    if done.code:
        pytest.skip(f"the engine neither holds {name} nor can pull it: {done.out.strip()[-300:]}")


@functools.cache
def _broker_image() -> str | None:
    name = f"apache/kafka:{kafka_image.version()}"
    if run("docker", "image", "inspect", name, check=False).code == 0:
        return None
    pulled = run("docker", "pull", "--quiet", name, check=False, timeout=600)
    if pulled.code == 0:
        return None
    made = run(sys.executable, "-m", "tests.deploy.kafka_image", name, check=False, timeout=600, cwd=ROOT)
    return None if made.code == 0 else f"{pulled.out[-300:]}\n{made.out[-300:]}"


def need_broker_image() -> None:
    """Kafka's image: held, pulled, or made from its jars."""
    if (reason := _broker_image()) is not None:
        pytest.skip(f"no image of Kafka, and none can be made: {reason}")


@functools.cache
def built_image() -> str:
    """Our image, built from this tree."""
    need_image("python:3.12-slim")
    run(
        *kafka_image.BUILD,
        "-f",
        "deploy/Dockerfile",
        "-t",
        IMAGE,
        ".",
        cwd=ROOT,
        timeout=1800,
        env=kafka_image.builder(),
    )
    return IMAGE


def clone(folder: Path) -> Path:
    """What a fresh clone of this tree would hold, changes that are not committed included."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).out.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return folder


def contiguous_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on now."""
    for first in range(28321, 60000, 97):
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in held:
                one.close()
    raise AssertionError("no free ports")


class Stack:
    """A clone, its project in the engine, and the ports it is reached by."""

    def __init__(self, folder: Path, name: str, *profiles: str, **variables: str) -> None:
        self.folder = clone(folder)
        self.name = name
        self.page = contiguous_ports(6)
        self.kafka, kafka_2, kafka_3, prometheus, grafana = free_ports(5)
        image, tag = built_image().split(":")
        assert image == "streamrnn"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("STREAMRNN__")},
            "COMPOSE_PROJECT_NAME": name,
            "COMPOSE_PROFILES": ",".join(profiles),
            "STREAMRNN_TAG": tag,
            "STREAMRNN_PORTS": f"{self.page}-{self.page + 5}",
            "KAFKA_PORT": str(self.kafka),
            "KAFKA_PORT_2": str(kafka_2),
            "KAFKA_PORT_3": str(kafka_3),
            "PROMETHEUS_PORT": str(prometheus),
            "GRAFANA_PORT": str(grafana),
            "KAFKA_VERSION": kafka_image.version(),
            **variables,
        }

    def compose(self, *words: str, check: bool = True, environment: Mapping[str, str] | None = None) -> Done:
        """`docker compose WORDS`."""
        environment = {**self.environment, **(environment or {})}
        return run("docker", "compose", "--progress", "plain", *words, check=check, cwd=self.folder, env=environment)

    def up(self, *words: str) -> None:
        """Start what is missing, and wait until it is healthy."""
        done = self.compose("up", "--detach", "--wait", "--wait-timeout", "90", *words, check=False)
        assert done.code == 0, f"{done.out[-3000:]}\n{self.compose('ps', '-a').out}\n{self.logs()}"

    def logs(self, *services: str) -> str:
        """The last lines of each."""
        return self.compose("logs", "--no-color", "--tail", "60", *services, check=False).out[-12000:]

    def container(self, service: str, number: int = 1) -> str:
        """Its name."""
        return f"{self.name}-{service}-{number}"

    def inspect(self, container: str, template: str) -> str:
        """One fact about a container."""
        return run("docker", "inspect", "--format", template, container).out.strip()

    def get(self, path: str, worker: int = 1) -> tuple[int, str]:
        """Status and body of a worker's page, 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page + worker - 1}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def owned(self, worker: int) -> set[int]:
        """Partitions that a worker is live on."""
        _, metrics = self.get("/metrics", worker)
        lines = [line for line in metrics.splitlines() if line.startswith("streamrnn_recovery_progress_ratio{")]
        return {int(line.split('partition="')[1].split('"')[0]) for line in lines if line.endswith(" 1.0")}

    def kcat(self, topic: str, form: str, *words: str) -> list[str]:
        """Every committed record of a topic, as a client of this machine reads it."""
        done = subprocess.run(
            [need_kcat(), "-b", f"localhost:{self.kafka}", "-C", "-t", topic, "-o", "beginning", "-e", "-q",
             "-X", "isolation.level=read_committed", "-f", form, *words],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.stdout.splitlines()

    def ends(self, topic: str, partitions: Iterable[int], *words: str) -> dict[int, int]:
        """The offset after the last record, by partition."""
        asked = [word for partition in partitions for word in ("-t", f"{topic}:{partition}:-1")]
        told = run(need_kcat(), "-b", f"localhost:{self.kafka}", "-Q", *asked, *words, check=False).out
        return {int(number): int(end) for number, end in re.findall(r"\[(\d+)\] offset (\d+)", told)}

    def events(self) -> Counter[tuple[int, int]]:
        """(partition, offset) of every event."""
        return Counter((int(p), int(o)) for p, o in (line.split() for line in self.kcat("events", "%p %o\\n")))

    def forecasts(self) -> Counter[tuple[int, int]]:
        """(partition, offset) of the event that each forecast answers."""
        sources = [json.loads(line)["source"] for line in self.kcat("forecasts", "%s\\n")]
        return Counter((source["partition"], source["offset"]) for source in sources)

    def remove(self) -> None:
        """Everything, volumes as well."""
        everything = {"COMPOSE_PROFILES": ",".join(PROFILES)}
        self.compose("down", "--volumes", "--timeout", "5", check=False, environment=everything)


def until(what: str, true: Callable[[], object], seconds: float = 120) -> None:
    """Wait for it. The limit only ends a hang."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s: not {what}"
        time.sleep(0.5)
