"""A run over a file is killed, stopped and starved; what it wrote in the end is what an undisturbed run writes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from tests.commands import SMALL, Streamrnn, finish
from tests.inside import Inside

ROWS = 4000
SERIES = 12
KNOWN = ("--target", "value", "--future", "u")
OFTEN = ("--set", "state.snapshot_interval=1ms", "--set", "model.preset=lite", *SMALL, *KNOWN)
"""A snapshot with every batch: kills should fall into them. What is known ahead waits in the state, too."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of several series, each with an outage; some are late, some are poison."""
    random = np.random.Generator(np.random.Philox(key=3))
    lines = []
    for row in range(ROWS):
        time = 1_767_225_600 + 600 * (row // SERIES) - (3600 if row % 97 == 5 else 0)
        outage = 60.0 if 0 <= row // SERIES - 150 - 10 * (row % SERIES) < 8 else 0.0
        value = f"{random.normal() + row % 5 - outage:.4f}" if row % 50 else "poison"
        ahead = f'"u": {row % 7}, "future": {{"u": [{(row + SERIES) % 7}]}}'
        lines.append(f'{{"time": {time}, "key": "s{row % SERIES}", "value": {value}, {ahead}}}\n')
    path = tmp_path_factory.mktemp("source") / "x.jsonl"
    path.write_text("".join(lines))
    return path


def arguments(source: Path, folder: Path, *more: object) -> list[object]:
    return [
        "run", "--input", source, "--output", folder / "out", "--state", folder / "state", "--quiet",
        "--alerts", folder / "alerts", "--set", "event.late=dead-letter",
        *OFTEN, *more,
    ]  # fmt: skip


Written: TypeAlias = tuple[bytes, bytes, bytes]


def written(folder: Path) -> Written:
    """Forecasts, dead letters and alerts."""
    forecasts, letters, alerts = (folder / name for name in ("out", "out.dead-letters.jsonl", "alerts"))
    return forecasts.read_bytes(), letters.read_bytes(), alerts.read_bytes()


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """What must be written in the end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = Streamrnn(folder)(*arguments(source, folder))
    assert done.code == 0, done.err
    forecasts, letters, alerts = written(folder)
    late = sum(row % 97 == 5 and row % 50 != 0 and row >= 7 * SERIES for row in range(ROWS))
    assert letters.count(b"\n") == ROWS // 50 + late
    assert forecasts.count(b"\n") == ROWS - letters.count(b"\n")
    assert alerts.count(b'"opened"') > 10
    assert alerts.count(b'"closed"') > 10
    return forecasts, letters, alerts


def finished(streamrnn: Streamrnn | Inside, source: Path, folder: Path) -> Written:
    """Run to the end."""
    done = streamrnn(*arguments(source, folder))
    assert done.code == 0, done.err
    return written(folder)


SMALL_BATCHES = """
from streamrnn.connectors.files import FileConnector
FileConnector.__init__.__kwdefaults__["max_poll_records"] = 150
"""
"""Many commits in little time."""

SLOWLY = (
    SMALL_BATCHES
    + """
import os, threading
commits = 0
plain = FileConnector.commit
def commit(self, what):
    global commits
    plain(self, what)
    commits += 1
    os.write(2, b"\x06")
FileConnector.commit = commit
"""
)
"""Says so with every commit, by a byte that no message holds, so that a test can wait for one instead of sleeping."""

STUCK = SLOWLY + "\nFileConnector.commit = lambda self, what: (os.write(2, b'\\x06'), threading.Event().wait())\n"
"""Never comes back from its first commit."""


def marks(process: subprocess.Popen[bytes], count: int) -> int:
    """Wait until so many commits were made, or the process has ended."""
    assert process.stderr is not None
    seen = 0
    while seen < count and (byte := os.read(process.stderr.fileno(), 1)):
        seen += byte == b"\x06"
    return seen


# --- SIGKILL ----------------------------------------------------------------------------------------------------------


def kill_at_random(streamrnn: Streamrnn, source: Path, folder: Path, kills: int, seed: int) -> int:
    """SIGKILL after a random number of commits (or none) and a random little while; returns how many hit a live run."""
    random = np.random.Generator(np.random.Philox(key=seed))
    hits = 0
    for _ in range(kills):
        few = "--set", f"state.max_series={random.integers(2, 2 * SERIES)}"  # others wait on disk, or all are in memory
        process = streamrnn.start(*arguments(source, folder, *few), code=SLOWLY)
        marks(process, int(random.integers(0, 4)))
        # A moment somewhere inside the next commit: the processor decides, no clock does.
        for _ in range(int(random.integers(0, 40_000))):
            pass
        hits += process.poll() is None
        process.kill()
        finish(process)
    return hits


def test_kills_at_random_points(streamrnn: Streamrnn, source: Path, tmp_path: Path, undisturbed: Written) -> None:
    assert kill_at_random(streamrnn, source, tmp_path, kills=3, seed=1) >= 2
    assert finished(streamrnn, source, tmp_path) == undisturbed


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(10))
def test_two_hundred_kills_at_random_points(
    streamrnn: Streamrnn, source: Path, tmp_path: Path, undisturbed: Written, seed: int
) -> None:
    hits = kill_at_random(streamrnn, source, tmp_path, kills=20, seed=10 + seed)
    print(f"{hits} kills")
    assert finished(streamrnn, source, tmp_path) == undisturbed


DIE = SMALL_BATCHES + "import os, signal\ndef die(): os.kill(os.getpid(), signal.SIGKILL)\n"
FAULTS = {
    "before any commit": """
from streamrnn.connectors.files import FileConnector
FileConnector.commit = lambda self, commit: die()
""",
    "in the middle of an output line": """
from streamrnn.connectors.appender import Appender
plain, count = Appender.write, 0
def write(self, data):
    global count
    count += 1
    if count > 6 and len(data) > 500:
        plain(self, data[: len(data) // 2 + 7])
        die()
    plain(self, data)
Appender.write = write
""",
    "between dead letters and alerts": """
from streamrnn.connectors.appender import Appender
plain, count = Appender.write, 0
def write(self, data):
    global count
    count += 1
    if count == 6: die()
    plain(self, data)
Appender.write = write
""",
    "between forecasts and dead letters": """
from streamrnn.connectors.appender import Appender
plain, count = Appender.write, 0
def write(self, data):
    global count
    plain(self, data)
    count += 1
    if count == 7: die()
Appender.write = write
""",
    "in the middle of a snapshot": """
from streamrnn.state.snapshot_folder import SnapshotFolder
plain, count = SnapshotFolder._write, 0
def write(self, messages, facts):
    global count
    count += 1
    def some():
        for number, message in enumerate(messages):
            yield message
            if count == 3 and number == 1: die()
    plain(self, some(), facts)
SnapshotFolder._write = write
""",
    "before the rename": """
from pathlib import Path
plain, count = Path.replace, 0
def replace(self, target):
    global count
    count += 1
    if count == 3: die()
    return plain(self, target)
Path.replace = replace
""",
    "after the rename": """
from pathlib import Path
plain, count = Path.replace, 0
def replace(self, target):
    global count
    plain(self, target)
    count += 1
    if count == 3: die()
Path.replace = replace
""",
    "between a merge and its cleaning": """
from streamrnn.state import snapshot_folder
plain, merging = snapshot_folder.SnapshotFolder._merge, False
def merge(self):
    snapshot_folder.Path.unlink = lambda *_, **__: die()
    plain(self)
snapshot_folder.SnapshotFolder._merge = merge
""",
}


EVERYDAY = ("in the middle of an output line", "in the middle of a snapshot", "between a merge and its cleaning")


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in FAULTS]
)
def test_killed_at_the_worst_moment(
    streamrnn: Streamrnn, source: Path, tmp_path: Path, undisturbed: Written, fault: str
) -> None:
    done = streamrnn(*arguments(source, tmp_path), code=DIE + FAULTS[fault])
    assert done.code == -signal.SIGKILL, done.err
    assert finished(streamrnn, source, tmp_path) == undisturbed


# --- stopping in order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_stop_exits_with_0_and_the_next_run_goes_on(
    streamrnn: Streamrnn, source: Path, tmp_path: Path, undisturbed: Written, number: signal.Signals
) -> None:
    process = streamrnn.start(*arguments(source, tmp_path), code=SLOWLY)
    assert marks(process, 3) == 3
    process.send_signal(number)
    done = finish(process)
    assert done.code == 0, done.err
    part = written(tmp_path)
    assert 0 < len(part[0]) < len(undisturbed[0])
    assert part[0] == undisturbed[0][: len(part[0])]
    assert finished(streamrnn, source, tmp_path) == undisturbed


def test_a_second_interrupt_exits_at_once(streamrnn: Streamrnn, source: Path, tmp_path: Path) -> None:
    process = streamrnn.start(*arguments(source, tmp_path), code=STUCK)
    assert marks(process, 1) == 1  # inside a call that never returns
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    while process.poll() is None:  # signals do not queue: the first may be on its way when the second comes
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130


# --- no room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit", [pytest.param(100, marks=pytest.mark.slow), 300_000, pytest.param(900_000, marks=pytest.mark.slow)]
)
def test_a_full_disk_is_one_clear_error_and_the_state_before_is_good(
    streamrnn: Streamrnn, source: Path, tmp_path: Path, undisturbed: Written, limit: int
) -> None:
    done = streamrnn(
        *arguments(source, tmp_path), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert done.code == 1
    assert done.err.startswith("streamrnn: cannot write ")
    assert done.err.count("\n") == 1
    assert finished(streamrnn, source, tmp_path) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("may not mount a small disk here; run as root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_really_full_disk(
    inside: Inside, source: Path, tmp_path: Path, small_disk: Path, undisturbed: Written
) -> None:
    for folder, more in ((small_disk, ()), (tmp_path, ("--state", small_disk / "other"))):
        done = inside(*arguments(source, folder, *more))
        assert done.code == 1
        assert done.err.startswith("streamrnn: cannot write ")
        assert "No space left on device" in done.err
        assert done.err.count("\n") == 1
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert finished(inside, source, small_disk) == undisturbed


@pytest.mark.slow
def test_a_read_only_disk(streamrnn: Streamrnn, source: Path, small_disk: Path, undisturbed: Written) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    process = streamrnn.start(*arguments(source, small_disk), code=SLOWLY)
    marks(process, 2)
    process.terminate()
    assert finish(process).code == 0
    before = written(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = streamrnn(*arguments(source, small_disk))
    assert done.code == 1
    assert "Read-only file system" in done.err
    assert done.err.count("\n") == 1
    assert written(small_disk) == before
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert finished(streamrnn, source, small_disk) == undisturbed


def test_a_full_device(inside: Inside, source: Path, tmp_path: Path) -> None:
    done = inside(
        "run", "--input", source, "--output", "/dev/full", "--dead-letters", tmp_path / "letters", *OFTEN, "--quiet"
    )
    assert done.code == 1
    assert done.err == "streamrnn: cannot write /dev/full: No space left on device\n"


@pytest.mark.parametrize("place", ["output", "state", "dead letters", "alerts"])
def test_a_place_that_cannot_be_written_is_named_before_any_work(
    inside: Inside, source: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    done = inside(*arguments(source, tmp_path, f"--{place.replace(' ', '-')}", below))
    assert done.code == 1
    assert str(tmp_path / "file") in done.err
    assert done.err.count("\n") == 1


# --- what may not be mixed up -----------------------------------------------------------------------------------------


def test_another_input_for_the_same_state_is_refused(
    inside: Inside, source: Path, tmp_path: Path, undisturbed: Written
) -> None:
    finished(inside, source, tmp_path)
    other = tmp_path / "other.jsonl"
    lines = source.read_bytes().splitlines(keepends=True)
    for content in (lines[1:], [*lines[:-5]]):
        other.write_bytes(b"".join(content))
        done = inside(*arguments(other, tmp_path))
        assert done.code == 1
        assert "is not the file that the state" in done.err
        assert written(tmp_path) == undisturbed


def test_an_empty_file_behind_the_one_that_was_read_adds_nothing(
    inside: Inside, source: Path, tmp_path: Path, undisturbed: Written
) -> None:
    finished(inside, source, tmp_path)
    other = tmp_path / "other.jsonl"
    other.touch()
    assert inside(*arguments(other, tmp_path)).code == 0
    assert written(tmp_path) == undisturbed


def test_rows_added_to_the_input_are_taken_up(
    inside: Inside, source: Path, tmp_path: Path, undisturbed: Written
) -> None:
    growing = tmp_path / source.name
    lines = source.read_bytes().splitlines(keepends=True)
    for count in (100, 1501, ROWS):
        growing.write_bytes(b"".join(lines[:count]))
        part = finished(inside, growing, tmp_path)
    assert part == undisturbed


def test_an_output_that_was_cut_is_refused(inside: Inside, source: Path, tmp_path: Path) -> None:
    finished(inside, source, tmp_path)
    os.truncate(tmp_path / "out", 1000)
    done = inside(*arguments(source, tmp_path))
    assert done.code == 1
    assert "it was moved or cut" in done.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--set", "model.hidden_size=9"], "model.hidden_size was 4, is 9"),
        (["--set", "model.horizon=2"], "model.horizon was 1, is 2"),
    ],
)
def test_another_model_for_the_same_state_is_refused(
    inside: Inside, source: Path, tmp_path: Path, more: list[str], words: str
) -> None:
    finished(inside, source, tmp_path)
    before = written(tmp_path)
    done = inside(*arguments(source, tmp_path, *more))
    assert done.code == 1
    assert words in done.err
    assert "streamrnn reset" in done.err
    assert written(tmp_path) == before


def test_two_runs_on_one_state_are_refused(streamrnn: Streamrnn, source: Path, tmp_path: Path) -> None:
    process = streamrnn.start(*arguments(source, tmp_path), code=STUCK)
    assert marks(process, 1) == 1
    done = streamrnn(*arguments(source, tmp_path))
    assert done.code == 1
    assert "another streamrnn is using the state folder" in done.err


def test_a_damaged_state_is_an_error_and_touches_nothing(
    inside: Inside, source: Path, tmp_path: Path, undisturbed: Written
) -> None:
    finished(inside, source, tmp_path)
    for file in (tmp_path / "state").glob("*.snapshot"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    done = inside(*arguments(source, tmp_path))
    assert done.code == 1
    assert "damaged" in done.err
    assert written(tmp_path) == undisturbed
    assert inside("reset", "--state", tmp_path / "state", "--yes").code == 0
    assert finished(inside, source, tmp_path) == undisturbed
