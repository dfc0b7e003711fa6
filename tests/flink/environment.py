"""What the tests of a cluster need: `python -m tests.flink.environment` fetches it once, as the broker is fetched.

PyFlink holds other packages back than the tests do, so it has a virtual environment of its own, in the cache folder:
what `pip install 'streamrnn[flink]'` brings, without streamrnn itself, and two jars beside it.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from streamrnn.flink.job import CONNECTOR
from tests.broker.artifacts import BrokerMissing, java, run
from tests.broker.artifacts import home as broker

ROOT = Path(__file__).parent.parent.parent
NEWEST = (3, 12)
"""PyFlink has no wheels for a newer Python."""


OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"
"""Of Maven, its newest there: the schema of what the operator deploys."""


class FlinkMissing(Exception):
    """No cluster can be started here; the message says why and what to do."""


class Environment(NamedTuple):
    """A folder that `fetch` fills."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def home(self) -> Path:
        """Flink's distribution."""
        [found] = self.folder.glob("lib/python*/site-packages/pyflink")
        return found

    def jar(self, artifact: str) -> Path:
        _, name, version = artifact.split(":")
        return self.folder / f"{name}-{version}.jar"

    @property
    def complete(self) -> bool:
        return (self.folder / "complete").exists()


def interpreter() -> str:
    """A Python that PyFlink works with."""
    if sys.version_info[:2] <= NEWEST:
        return sys.executable
    found = next(filter(None, map(shutil.which, ("python3.12", "python3.11"))), None)
    if found is None:
        raise FlinkMissing("PyFlink works with Python 3.11 and 3.12; install one of them beside this one")
    return found


def requirements() -> list[str]:
    """What pyproject.toml asks for, with the extra `flink`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["flink"]]


def wanted() -> Environment:
    """Where it is, or is to be: another Python or other requirements are another folder."""
    said = "\n".join([*requirements(), CONNECTOR, OPERATOR, interpreter()])
    return Environment(broker().parent / "flink" / hashlib.sha256(said.encode()).hexdigest()[:12])


@functools.cache
def environment() -> Environment:
    """What was fetched; skips the test where nothing was."""
    try:
        java()
        found = wanted()
    except (BrokerMissing, FlinkMissing) as error:
        pytest.skip(str(error))
    if not found.complete:
        pytest.skip(f"no PyFlink in {found.folder}; run: python -m tests.flink.environment")
    return found


def fetch() -> Environment:
    """Install it, once; later calls return at once."""
    java()
    found = wanted()
    if found.complete:
        return found
    maven = shutil.which("mvn")
    if maven is None:
        raise FlinkMissing("no Maven on the PATH to fetch Flink's Kafka connector with; install it (Debian: maven)")
    found.folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"installing PyFlink (1.3 GB) into {found.folder} for the tests ...", flush=True)
    # Made beside its place and renamed, so that a killed fetch leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=found.folder.parent, prefix=".fetching-") as folder:
        made = Environment(Path(folder) / "made")
        run([interpreter(), "-m", "venv", str(made.folder)])
        for one in (CONNECTOR, OPERATOR):
            run([maven, "-q", "-B", "dependency:copy", f"-Dartifact={one}", f"-DoutputDirectory={made.folder}"])
        run([str(made.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements()])
        (made.folder / "complete").touch()
        if found.folder.exists():
            shutil.rmtree(found.folder)
        made.folder.rename(found.folder)
    return found


def main() -> int:
    try:
        print(f"PyFlink is in {fetch().folder}")
    except (BrokerMissing, FlinkMissing, subprocess.TimeoutExpired) as error:
        print(f"no cluster of Flink for the tests: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
