"""Kernels are compiled ahead, and a first use says what it waits for."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Streamrnn

pytestmark = pytest.mark.thorough

FIRST_USE = """
import logging, numpy as np
from streamrnn.kernels.jit import kernel
{more}
@kernel
def double(x):
    return 2 * x
print(double(2), double(2.5))
"""


def first_use(tmp_path: Path, more: str = "") -> tuple[list[str], dict[str, str]]:
    file = tmp_path / "first_use.py"
    file.write_text(FIRST_USE.replace("{more}", more))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    return [sys.executable, str(file)], environment


def test_without_a_terminal_one_line_says_what_is_compiled(tmp_path: Path) -> None:
    command, environment = first_use(tmp_path)
    cold = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert cold.stdout == "4 5.0\n"
    assert re.fullmatch(r"streamrnn: compiling the model for this machine, once: .* ahead\)\n", cold.stderr)
    warm = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (warm.stdout, warm.stderr) == (cold.stdout, "")


def test_where_there_is_a_log_it_is_a_line_of_it(tmp_path: Path) -> None:
    command, environment = first_use(tmp_path, 'logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")')
    cold = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"INFO compiling the model .*\n", cold.stderr)


def test_on_a_terminal_it_counts_the_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command, environment = first_use(tmp_path)
    ours, theirs = pty.openpty()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.stdout == b"4 5.0\n"
    assert "compiling for this machine, once: double 0 s" in said
    assert said.endswith("\r\x1b[2K")


def test_a_configuration_is_compiled_once(streamrnn: Streamrnn, tmp_path: Path) -> None:
    flags = ("--set", "model.preset=lite", "--set", "model.horizon=2")
    (tmp_path / "x.csv").write_text("time,value\n" + "".join(f"{i},{i % 5}\n" for i in range(50)))
    environment = {"STREAMRNN_CACHE": str(tmp_path / "cache")}
    first = streamrnn("compile", *flags, environment=environment)
    assert first.code == 0, first.err
    assert re.match(r"\d+ kernels compiled in \d+ s, kept in ", first.out.decode())
    again = streamrnn("compile", *flags, environment=environment)
    assert again.out.startswith(b"nothing to compile: ")
    run = streamrnn("run", "--input", "x.csv", "--output", "x.jsonl", *flags, environment=environment)
    assert run.code == 0, run.err
    assert "compiling" not in run.err


def test_a_cache_that_cannot_be_is_said_before_anything_is_compiled(streamrnn: Streamrnn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = streamrnn("compile", environment={"STREAMRNN_CACHE": str(tmp_path / "file" / "cache")})
    assert done.code == 1
    assert "STREAMRNN_CACHE" in done.err
    assert "Traceback" not in done.err
