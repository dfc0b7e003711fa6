"""A run over what is large beyond use is asked to stop: it answers with less than a second of work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.commands import SMALL

pytestmark = pytest.mark.thorough

START = "time,value\n2024-01-01 00:00:00,1\n"
REST = "".join(f"2024-01-01 00:{minute:02}:00,{minute}\n" for minute in range(2, 60))


def wide(path: Path) -> None:
    row = ",1.5" * 100_000
    names = "".join(f",c{at}" for at in range(100_000))
    path.write_text(f"time{names}\n" + "".join(f"2024-01-01 00:{at:02}:00{row}\n" for at in range(40)))


def long_line(path: Path) -> None:
    path.write_text(f"{START}2024-01-01 00:01:00,{'1' * 60_000_000}\n{REST}")


def blank_lines(path: Path) -> None:
    path.write_text(START + "\n" * 1_000_000 + REST)


def blank_lines_first(path: Path) -> None:
    path.write_text("\n" * 1_000_000 + START + REST)


def worked(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


@pytest.mark.parametrize("write", [wide, long_line, blank_lines, blank_lines_first])
def test_a_run_over_what_is_large_stops_at_once(write: Callable[[Path], None], tmp_path: Path) -> None:
    path, output = tmp_path / "x.csv", tmp_path / "o"
    command = [sys.executable, "-m", "streamrnn", "run", "--quiet", *map(str, SMALL), "--output", str(output)]
    flags = ["--target", "c5"] if write is wide else []
    path.write_text(START + REST)
    subprocess.run([*command, "--input", str(path)], check=True)  # kernels are compiled now
    write(path)
    output.unlink()
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen([*command, "--input", str(path), *flags], stderr=said)
    try:
        until = time.monotonic() + 120
        while not output.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        before = worked(psutil.Process(process.pid)) if process.poll() is None else 0.0
        process.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(process.pid, 0)
    finally:
        process.kill()
    assert (os.waitstatus_to_exitcode(status), (tmp_path / "said").read_text()) == (0, "")
    # Work and not time: others may have the processor.
    assert used.ru_utime + used.ru_stime - before < 1
