"""Compiled kernels that others could have written are not run, and damaged ones are compiled again."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
from streamrnn.kernels.jit import kernel
@kernel
def twice(x):
    return 2 * x
print(twice(21), sum(twice.stats.cache_hits.values()))
"""


class Evil:
    """What an index made by somebody else would do when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path / "cache"


def answer(cache: Path, **environment: str) -> list[str]:
    given = {**os.environ, "STREAMRNN_CACHE": str(cache), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, str(cache.parent / "program.py")]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.suffix in (".nbi", ".nbc")]


def test_damage_heals_itself(cache: Path) -> None:
    assert answer(cache) == ["42", "0"]
    assert answer(cache) == ["42", "1"]
    for damage in (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1] + b"x"):
        for suffix in (".nbi", ".nbc"):
            for file in files(cache):
                if file.suffix == suffix:
                    file.write_bytes(damage(file.read_bytes()))
            assert answer(cache) == ["42", "0"]
            assert answer(cache) == ["42", "1"]


@pytest.mark.parametrize("where", ["folder", "file", "around"])
def test_what_others_can_write_is_not_read(cache: Path, where: str) -> None:
    assert answer(cache) == ["42", "0"]
    target = {"folder": files(cache)[0].parent, "file": files(cache)[0], "around": cache}[where]
    mode = target.stat().st_mode
    for file in files(cache) if where == "file" else [target]:
        file.chmod(0o777)
    assert answer(cache) == ["42", "0"]
    for file in files(cache) if where == "file" else [target]:
        file.chmod(mode & 0o7755)
    assert answer(cache) == ["42", "1"]


def test_a_pickle_that_was_put_there_is_not_opened(cache: Path, tmp_path: Path) -> None:
    assert answer(cache) == ["42", "0"]
    for file in files(cache):
        file.write_bytes(pickle.dumps(Evil(tmp_path / "owned")))
    assert answer(cache) == ["42", "0"]
    assert not (tmp_path / "owned").exists()
