"""`--follow`: a file that others write to, through rotation, with a kill after every step."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamrnn.errors import ConfigurationError, ConnectorError, StateError
from tests.commands import SMALL
from tests.reading.growing import step, written
from tests.reading.written import plain

pytestmark = pytest.mark.thorough

HEADER, *ROWS = (line + "\n" for line in plain().splitlines())


def expected(folder: Path, rows: int = len(ROWS)) -> list[bytes]:
    folder.mkdir()
    (folder / "x.csv").write_text(HEADER + "".join(ROWS[:rows]))
    step(folder, "x.csv")
    return written(folder)


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(lines)


def renamed(path: Path, number: int) -> None:
    """As logrotate does by default: the old name is another file from now on."""
    for old in range(number, 1, -1):
        path.with_name(f"{path.name}.{old - 1}").rename(path.with_name(f"{path.name}.{old}"))
    path.rename(path.with_name(f"{path.name}.1"))
    path.write_text("")


def dated(path: Path, number: int) -> None:
    path.rename(path.with_name(f"{path.stem}-2024-02-{number:02}{path.suffix}"))
    path.write_text("")


def copied(path: Path, number: int) -> None:
    """As logrotate's copytruncate does."""
    for old in range(number, 1, -1):
        path.with_name(f"{path.name}.{old - 1}").rename(path.with_name(f"{path.name}.{old}"))
    shutil.copy(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


@pytest.mark.parametrize("rotate", [renamed, dated, copied])
@pytest.mark.parametrize(("header", "runs"), [(True, (1, 0)), (False, (2, 0, 3, 0, 0))])
def test_killed_between_any_two_steps(
    tmp_path: Path, rotate: Callable[[Path, int], None], header: bool, runs: tuple[int, ...]
) -> None:
    """`runs`: how many polls each run lives before the next step of the writer; 0: nobody reads meanwhile."""
    path = tmp_path / "x.csv"
    append(path, HEADER, *ROWS[:10])
    step(tmp_path, "x.csv", follow=True, polls=1)
    lives = itertools.cycle(runs)
    rotations = 0
    for at in range(10, len(ROWS), 11):
        half = ROWS[at][:11]
        append(path, half)
        if polls := next(lives):
            step(tmp_path, "x.csv", follow=True, polls=polls)
        append(path, ROWS[at][11:], *ROWS[at + 1 : at + 11])
        if polls := next(lives):
            step(tmp_path, "x.csv", follow=True, polls=polls)
        if at % 3 == 0:
            rotations += 1
            time.sleep(0.02)  # file systems tell apart what was written at different times
            rotate(path, rotations)
            append(path, *([HEADER] if header else []))
    step(tmp_path, "x.csv", follow=True)
    assert written(tmp_path) == expected(tmp_path / "plain")
    assert not (tmp_path / "out.dead-letters.jsonl").exists()


@pytest.mark.parametrize("rotate", [renamed, copied])
def test_rotated_while_it_is_read(tmp_path: Path, rotate: Callable[[Path, int], None]) -> None:
    path = tmp_path / "x.csv"
    append(path, HEADER, *ROWS[:10])
    command = [sys.executable, "-m", "streamrnn", "run", "--input", str(path), "--follow", "--output"]
    command += [str(tmp_path / "o"), "--state", str(tmp_path / "s"), "--quiet", *map(str, SMALL)]

    def answers() -> int:
        return (tmp_path / "o").read_bytes().count(b"\n") if (tmp_path / "o").exists() else 0

    def wait(count: int) -> None:
        until = time.monotonic() + 120
        while answers() < count:
            assert process.poll() is None
            assert time.monotonic() < until, f"{answers()} of {count}"
            time.sleep(0.02)

    process = subprocess.Popen(command)
    try:
        wait(10)
        append(path, *ROWS[10:15], ROWS[15][:5])
        wait(15)
        append(path, ROWS[15][5:], *ROWS[16:20])
        rotate(path, 1)
        append(path, HEADER, *ROWS[20:30])
        wait(30)
        process.kill()
        process.wait()
        append(path, *ROWS[30:35])
        process = subprocess.Popen(command)
        wait(35)
        append(path, *ROWS[35:38], ROWS[38][:5])
        wait(38)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0  # without the rest of the line, which never comes
    finally:
        process.kill()
        process.wait()
    (tmp_path / "plain.csv").write_text(HEADER + "".join(ROWS[:38]))
    done = [*command[:4], "--input", str(tmp_path / "plain.csv"), "--output", str(tmp_path / "p"), "--quiet"]
    subprocess.run([*done, *map(str, SMALL)], check=True)
    assert (tmp_path / "o").read_bytes() == (tmp_path / "p").read_bytes().replace(b"plain.csv", b"x.csv")


def test_a_file_that_was_rotated_away_for_good_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    append(path, HEADER, *ROWS[:10])
    step(tmp_path, "x.csv", follow=True)
    append(path, *ROWS[10:20])
    renamed(path, 1)
    path.with_name("x.csv.1").rename(tmp_path / "old.csv")
    append(path, HEADER, *ROWS[20:30])
    with pytest.raises(StateError, match=r"is not the file"):
        step(tmp_path, "x.csv", follow=True)
    step(tmp_path, ["old.csv", "x.csv"], follow=True)
    assert written(tmp_path) == expected(tmp_path / "plain", 30)


def test_another_header_behind_the_rotation_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    append(path, HEADER, *ROWS[:10])
    step(tmp_path, "x.csv", follow=True)
    renamed(path, 1)
    append(path, "time,other,value\n")
    with pytest.raises(ConnectorError, match="begins with 'time,other,value'"):
        step(tmp_path, "x.csv", follow=True)


def test_what_is_no_text_cannot_be_followed(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "x.csv.gz").write_bytes(gzip.compress((HEADER + ROWS[0]).encode()))
    with pytest.raises(ConfigurationError, match="--follow reads lines of text"):
        step(tmp_path, "x.csv.gz", follow=True)
