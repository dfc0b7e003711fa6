"""The image: what is in it, and what it may do."""

from __future__ import annotations

import contextlib
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.deploy import engine
from tests.deploy.engine import ROOT, run

pytestmark = pytest.mark.compose

TOOLS = ("pip", "pip3", "gcc", "cc", "g++", "make", "ld", "as", "git", "curl", "wget", "npm", "cargo", "apt-key-add")
SECRET = re.compile(
    rb"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----|AKIA[0-9A-Z]{16}|ghp_[0-9A-Za-z]{36}"
)

# Paths that this user could write if the root file system were not read-only.
WRITABLE = (
    r"find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o ! -type l -writable -print 2>/dev/null; true"
)
LOCKED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")


@pytest.fixture(scope="module")
def image() -> str:
    engine.need_engine()
    return engine.built_image()


def inside(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """What a program of the image prints."""
    return run("docker", "run", "--rm", *options, "--entrypoint", command[0], image, *command[1:]).out


def test_it_is_not_root_and_says_what_it_is(image: str) -> None:
    [facts] = json.loads(run("docker", "image", "inspect", image).out)
    config = facts["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "/opt/streamrnn/bin/healthcheck"]
    assert config["Labels"]["org.opencontainers.image.title"] == "streamrnn"
    assert not [line for line in config["Env"] if re.search("PASSWORD|TOKEN|SECRET|PIP_", line)]
    assert inside(image, "id", "-u") == "10001\n"


def test_nothing_of_it_can_be_written_by_its_user(image: str) -> None:
    found = inside(image, "sh", "-c", WRITABLE).splitlines()
    # what every Debian has for everybody; with --read-only these are closed as well
    assert set(found) <= {"/tmp", "/var/tmp", "/run/lock", "/var/lock"}
    assert (
        "Read-only file system"
        in run("docker", "run", "--rm", "--read-only", "--entrypoint", "touch", image, "/tmp/x", check=False).out
    )


def test_no_program_runs_as_another_user(image: str) -> None:
    options = ("--user", "0")  # who sees everything
    assert inside(image, "find", "/", "-xdev", "-type", "f", "-perm", "/6000", options=options) == ""


def test_no_tools_to_build_with(image: str) -> None:
    found = inside(image, "sh", "-c", " ".join(f"command -v {tool};" for tool in TOOLS) + " true")
    assert found == ""
    modules = "import importlib.util as u; print([m for m in ('pip', 'setuptools', 'ensurepip') if u.find_spec(m)])"
    assert inside(image, "python", "-c", modules) == "[]\n"
    assert inside(image, "find", "/opt/streamrnn", "-name", "*.c", "-o", "-name", "tests", "-type", "d") == ""


def no_secrets(layer: tarfile.TarFile) -> None:
    for file in layer:
        assert not re.search(r"(^|/)(\.env|\.netrc|\.pypirc|id_rsa|\.git)(/|$)", file.name), file.name
        opened = layer.extractfile(file) if file.isfile() and file.size < 2 << 20 else None
        content = opened.read() if opened is not None else b""
        if b"\0" not in content:  # libraries of TLS and of names contain the words
            found = SECRET.search(content)
            assert found is None, f"{file.name}: {found[0]!r}"


def test_no_secrets_in_any_layer(image: str, tmp_path: Path) -> None:
    saved = tmp_path / "image.tar"
    run("docker", "save", "-o", str(saved), image)
    layers = 0
    with tarfile.open(saved) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or not (member.name.endswith("layer.tar") or "blobs/" in member.name):
                continue
            with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=content) as layer:  # or a manifest
                layers += 1
                no_secrets(layer)
    assert layers >= 4


def test_without_a_network_it_says_that_there_is_no_broker(image: str) -> None:
    options = ("-e", "STREAMRNN__KAFKA__BROKER_TIMEOUT=3s")
    done = run("docker", "run", "--rm", *LOCKED, *options, image, "run", check=False)
    assert done.code == 1
    last = done.out.splitlines()[-1]
    assert last.startswith("streamrnn: ")
    assert "kafka.bootstrap_servers" in last
    assert "Traceback" not in done.out


def test_it_starts_without_compiling(image: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"time": 1, "value": 1}\n{"time": 2, "value": 2}\n')
    (tmp_path / "events.jsonl").chmod(0o644)
    tmp_path.chmod(0o755)
    run_it = [*LOCKED, "-v", f"{tmp_path}:/data:ro", "-e", "NUMBA_DEBUG_CACHE=1", image]
    done = run("docker", "run", "--rm", *run_it, "run", "--input", "/data/events.jsonl", "--output", "-")
    assert "compiling" not in done.out
    assert "data loaded from" in done.out
    assert "data saved to" not in done.out
    assert done.out.count('"forecast":[') == 2


def test_a_kernel_is_for_a_level_and_not_for_the_machine_that_built_it(image: str) -> None:
    asked = "import numba; print(numba.config.CPU_NAME, repr(numba.config.CPU_FEATURES))"
    if "x86_64" not in inside(image, "uname", "-m"):
        pytest.skip("only x86-64 has levels")
    assert inside(image, "python", "-c", asked) == "x86-64-v3 ''\n"


def test_its_version_is_that_of_the_package(image: str) -> None:
    from streamrnn import __version__

    assert run("docker", "run", "--rm", image, "--version").out == f"streamrnn, version {__version__}\n"
    [facts] = json.loads(run("docker", "image", "inspect", image).out)
    assert facts["Config"]["Labels"]["org.opencontainers.image.version"] == __version__
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
