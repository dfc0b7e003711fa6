"""A real schema registry as a child process: Apicurio's, by its interface that is compatible with Confluent's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.broker.artifacts import BrokerMissing, java, run
from tests.broker.process import die_with_parent, free_ports

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


def home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "streamrnn" / f"registry-{VERSION}"


def fetch() -> Path:
    """Download it once; later calls return at once."""
    wanted = home()
    if wanted.exists():
        return wanted
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerMissing("no Maven on the PATH to fetch a schema registry with; install it (Debian: maven)")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=".fetching-") as folder:
        run([maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"])
        [packed] = Path(folder).glob("*.tar.gz")
        with tarfile.open(packed) as archive:
            archive.extractall(Path(folder, "made"), filter="data")
        Path(folder, "made").rename(wanted)
    return wanted


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """The URL of an empty registry that keeps everything in memory."""
    if not home().exists():
        raise BrokerMissing(f"no schema registry in {home()}; run: python -m tests.broker fetch")
    [port] = free_ports(1)
    [jar] = home().glob("*-runner.jar")
    log = folder / "registry.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
             "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}", "-jar", str(jar)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    try:
        deadline = time.monotonic() + 240
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{url}/subjects", timeout=5) as answer:
                assert json.load(answer) == []
                break
            assert process.poll() is None, f"the registry ended while starting:\n{log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"the registry does not start:\n{log.read_text()[-2000:]}"
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait(10)


def put(url: str, path: str, content: Any, method: str = "POST") -> Any:
    """One request; returns the answer."""
    request = urllib.request.Request(
        f"{url}/{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)
