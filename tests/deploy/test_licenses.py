"""The license is there, and every package of the image names its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)


def test_the_license_is_the_one_that_is_named() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "uPlot" in (ROOT / "NOTICE").read_text()


def locked() -> list[str]:
    lock = (ROOT / "deploy" / "image" / "requirements.lock").read_text()
    return re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)


def test_every_package_of_the_image_names_a_license_that_may_be_passed_on() -> None:
    libraries = Path(str(distribution("numpy").locate_file("")))
    prefix = libraries.parents[2]
    script = ROOT / "deploy" / "image" / "licenses.py"
    done = subprocess.run([sys.executable, script, prefix], capture_output=True, text=True, check=False)
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    found = {line.split()[0].replace("_", "-"): text for line, text in told.items()}
    names = [name.lower().replace("_", "-") for name in locked()]
    assert len(names) > 10
    if missing := [name for name in names if name not in found]:
        pytest.skip(f"not installed here: {', '.join(missing)}; pip install -r deploy/image/requirements.lock")
    for name in names:
        assert found[name] != "UNKNOWN", name
        assert not COPYLEFT.search(found[name]) or "LGPL" in found[name], (name, found[name])
