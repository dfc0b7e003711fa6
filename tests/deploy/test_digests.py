"""`make images`: the bases of the image by digest, with a `docker` that answers from a list."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT

SCRIPT = ROOT / "deploy" / "image" / "digests.py"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
TEXT = "# of no base\nFROM python:3.12-slim AS a\nRUN x\nFROM a AS b\nFROM python:3.12-slim\nCOPY --from=a /x /y\n"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script's names; its Dockerfile is a copy of TEXT, and docker prints what the file `answer` holds."""
    fake = tmp_path / "docker"
    fake.write_text(f"#!{sys.executable}\nprint(open({str(tmp_path / 'answer')!r}).read())\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    found = runpy.run_path(str(SCRIPT))
    (tmp_path / "Dockerfile").write_text(TEXT)
    found["main"].__globals__["DOCKERFILE"] = tmp_path / "Dockerfile"
    return found


def test_every_base_is_pinned_and_renewed(script: dict[str, Any], tmp_path: Path) -> None:
    for digest in (ONE, TWO, TWO):
        (tmp_path / "answer").write_text(digest)
        script["main"]()
        expected = TEXT.replace("python:3.12-slim", f"python:3.12-slim@{digest}")
        assert (tmp_path / "Dockerfile").read_text() == expected


@pytest.mark.parametrize("answer", ["", "sha256:12", "unauthorized"])
def test_what_is_no_digest_changes_nothing(script: dict[str, Any], tmp_path: Path, answer: str) -> None:
    (tmp_path / "answer").write_text(answer)
    with pytest.raises(SystemExit, match=r"no digest of python:3\.12-slim"):
        script["main"]()
    assert (tmp_path / "Dockerfile").read_text() == TEXT


def test_the_script_finds_the_bases_of_the_dockerfile(script: dict[str, Any]) -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    tags = {match["tag"] for match in script["BASE"].finditer(text)}
    assert tags == {"python:3.12-slim"}
