"""The broker's jars: where they are kept, how they get there, and what to say where they cannot be had."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CLUSTER_ID = "streamrnn-tests-000000"
USERS = {"alice": "alice-secret"}


class BrokerMissing(Exception):
    """No broker can be started here; the message says why and what to install."""


@dataclass(frozen=True)
class Artifacts:
    """The folder that `fetch` fills."""

    home: Path

    @property
    def classpath(self) -> str:
        return str(self.home / "libs" / "*")

    @property
    def template(self) -> Path:
        """A formatted, empty log directory: copying it saves every broker a start of the Java machine."""
        return self.home / "template"

    @property
    def complete(self) -> bool:
        return (self.home / "complete").exists()


def version() -> str:
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>", POM.read_text())
    assert found is not None
    return found.group(1)


def home() -> Path:
    named = os.environ.get("STREAMRNN_BROKER_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else cache / "streamrnn" / f"broker-{version()}"


def java() -> str:
    found = shutil.which("java")
    if found is None:
        raise BrokerMissing("no Java on the PATH; install a Java 17 runtime (Debian: openjdk-17-jre-headless)")
    return found


def artifacts() -> Artifacts:
    """The fetched artifacts, ready to start; raises BrokerMissing where `fetch` has not been run."""
    java()
    found = Artifacts(home())
    if not found.complete:
        raise BrokerMissing(f"no Kafka artifacts in {found.home}; run: python -m tests.broker fetch")
    return found


def fetch() -> Artifacts:
    """Download the jars and format the template, once; later calls return at once."""
    wanted = Artifacts(home())
    if wanted.complete:
        java()
        return wanted
    machine = java()
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerMissing("no Maven on the PATH to fetch Kafka with; install it (Debian: maven)")
    wanted.home.parent.mkdir(parents=True, exist_ok=True)
    # Everything is made beside its place and renamed, so that a killed fetch leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=wanted.home.parent, prefix=".fetching-") as folder:
        made = Artifacts(Path(folder) / "made")
        made.home.mkdir()
        libs = made.home / "libs"
        run([maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={libs}"])  # fmt: skip
        properties = made.home / "format.properties"
        properties.write_text(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n"
            f"listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\nlog.dirs={made.template}\n"
            "controller.listener.names=CONTROLLER\n"
        )
        scram = [f"--add-scram=SCRAM-SHA-512=[name={name},password={word}]" for name, word in USERS.items()]
        run([machine, "-Xmx256m", "-cp", made.classpath, "kafka.tools.StorageTool", "format",
             "-c", str(properties), "-t", CLUSTER_ID, *scram])  # fmt: skip
        (made.home / "complete").touch()
        if wanted.home.exists():
            shutil.rmtree(wanted.home)
        made.home.rename(wanted.home)
    return wanted


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    if done.returncode:
        last = (done.stdout + done.stderr).strip()[-2000:]
        raise BrokerMissing(f"{Path(command[0]).name} failed with {done.returncode}:\n{last}")
