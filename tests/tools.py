"""Programs that some tests need: `python -m tests.tools` installs them where that is possible (Debian, as root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

PACKAGES = {
    "chromium": "chromium",
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
"""Program -> Debian package."""


def find(program: str) -> str | None:
    """Where the program is; STREAMRNN_TEST_CHROMIUM and the like name another place."""
    named = os.environ.get(f"STREAMRNN_TEST_{program.upper().replace('-', '_')}")
    others = {"chromium": ("chromium-browser", "google-chrome"), "prometheus-alertmanager": ("alertmanager",)}.get(
        program, ()
    )
    return named or next(filter(None, map(shutil.which, (program, *others))), None)


def need(program: str) -> str:
    """Where the program is, or skip the test with the remedy."""
    found = find(program)
    if found is None:
        pytest.skip(f"no {program} on the PATH; install it (Debian: apt-get install {PACKAGES[program]})")
    return found


def install() -> int:
    """Install what is missing; 0 when everything is there afterwards."""
    missing = sorted({package for program, package in PACKAGES.items() if find(program) is None})
    if not missing:
        return 0
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(f"tests that need {', '.join(missing)} will be skipped; as root: apt-get install {' '.join(missing)}")
        return 1
    print(f"installing {', '.join(missing)} for the tests (apt-get) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    impatient = ["-q", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]  # there may be no network
    for command in (
        [apt, "update", *impatient],
        [apt, "install", "-y", "--no-install-recommends", *impatient, *missing],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{' '.join(command)} failed; tests that need it skip:\n{done.stderr[-1000:]}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(install())
