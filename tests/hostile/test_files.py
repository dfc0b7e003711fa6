"""Files that are not what they seem: nobody's file is deleted, overwritten or mistaken for another."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from streamrnn.connectors.appender import Appender
from streamrnn.errors import ConnectorError, SnapshotCorrupt, StateError
from streamrnn.state.snapshot_folder import SnapshotFolder, clear
from tests.inside import Inside

ROWS = [b"2026-01-01T%02d:%02d:00Z,%d\n" % (i // 60, i % 60, i % 7) for i in range(600)]
WHOLE = b"time,value\n" + b"".join(ROWS)
HALF = b"time,value\n" + b"".join(ROWS[:300])
RUN = (
    "run",
    "--input",
    "x.csv",
    "--output",
    "out.jsonl",
    "--state",
    "state",
    "--quiet",
    "--set",
    "model.hidden_size=4",
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def halfway(inside: Inside, tmp_path: Path) -> Path:
    """A run of the first half of the input is done."""
    (tmp_path / "x.csv").write_bytes(HALF)
    assert inside(*RUN).code == 0
    (tmp_path / "x.csv").write_bytes(WHOLE)
    return tmp_path


def test_looking_changes_nothing(inside: Inside, halfway: Path) -> None:
    state = halfway / "state"
    (state / "000000000009.partial").write_bytes(b"streamrnn snapshot\n")
    (state / "notes.partial").write_bytes(b"mine")
    before = contents(halfway)
    assert inside("inspect", "--state", "state").code == 0
    assert inside("check").code == 0
    assert inside("inspect", "--state", str(halfway)).code == 1
    assert contents(halfway) == before
    state.chmod(0o500)
    assert inside("inspect", "--state", "state").code == 0
    state.chmod(0o700)


def test_only_files_with_our_mark_are_deleted(inside: Inside, halfway: Path) -> None:
    state = halfway / "state"
    mine = {"notes.partial": b"a", "000000000009.partial": b"not yours", "backup.snapshot": b"b", "lock.old": b"c"}
    for name, content in mine.items():
        (state / name).write_bytes(content)
    assert inside(*RUN).code == 0
    assert inside("reset", "--state", "state", "--yes").code == 0
    assert {name: (state / name).read_bytes() for name in mine} == mine
    (state / "000000000001.snapshot").write_bytes(b"holiday pictures")
    clear(state)
    assert (state / "000000000001.snapshot.not-ours").read_bytes() == b"holiday pictures"


def linked(way: str, target: Path, link: Path) -> None:
    {"hard": os.link, "symbolic": os.symlink, "name": lambda *_: None}[way](target, link)  # type: ignore[operator]


@pytest.mark.parametrize("way", ["hard", "symbolic", "name"])
@pytest.mark.parametrize("target", ["x.csv", "pipeline.yaml", "bad.jsonl", "state/lock"])
@pytest.mark.parametrize("flag", ["--output", "--alerts"])
def test_an_output_that_is_another_file_is_refused(
    inside: Inside, tmp_path: Path, way: str, target: str, flag: str
) -> None:
    (tmp_path / "state").mkdir()
    for name in ("x.csv", "pipeline.yaml", "bad.jsonl", "state/lock"):
        (tmp_path / name).write_bytes(WHOLE if name == "x.csv" else b"# mine\n")
    linked(way, tmp_path / target, tmp_path / "link.jsonl")
    chosen = target if way == "name" else "link.jsonl"
    before = contents(tmp_path)
    outputs = {"--output": "out.jsonl", "--dead-letters": "bad.jsonl"} | {flag: chosen}
    flags = [word for pair in outputs.items() for word in pair]
    done = inside("run", "--config", "pipeline.yaml", "--input", "x.csv", *flags, "--state", "state")
    assert done.code == 2
    assert "are the same file" in done.err
    assert contents(tmp_path) == before


def test_two_processes_do_not_write_one_output(inside: Inside, halfway: Path) -> None:
    before = contents(halfway)
    with (halfway / "out.jsonl").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for extra in ((), ("--state", "another")):
            done = inside(*RUN, *extra)
            assert done.code == 1
            assert "another process writes out.jsonl" in done.err
    assert {name: before[name] for name in ("out.jsonl", "x.csv")}.items() <= contents(halfway).items()
    assert inside(*RUN).code == 0


def exchanged(change: Callable[[bytes], bytes], file: Path) -> None:
    file.write_bytes(change(file.read_bytes()))


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "other start": lambda data: data[:12].swapcase() + b"9" + data[13:],
    "other end": lambda data: data[:-30] + bytes(reversed(data[-30:])),
    "empty": lambda data: b"",
}


# Of an output the length and the last 4 KiB are known.
@pytest.mark.parametrize(
    ("name", "change"),
    [
        (name, change)
        for name in ("x.csv", "out.jsonl")
        for change in CHANGES
        if (name, change) != ("out.jsonl", "other start")
    ],
)
def test_a_file_that_is_not_the_one_the_state_knows_is_refused(
    inside: Inside, halfway: Path, name: str, change: str
) -> None:
    if name == "x.csv":
        (halfway / name).write_bytes(HALF)
    exchanged(CHANGES[change], halfway / name)
    if name == "x.csv":
        with (halfway / name).open("ab") as file:
            file.write(b"".join(ROWS[300:]) if change != "cut" else b"")
    before = (halfway / name).read_bytes()
    done = inside(*RUN)
    assert done.code == 1, done
    assert "reset" in done.err
    assert (halfway / name).read_bytes() == before


@pytest.fixture
def chain(tmp_path: Path) -> list[Path]:
    from streamrnn.records.log import Message

    folder = SnapshotFolder(tmp_path / "chain")
    for number in range(3):
        size = 1000 if number == 0 else 10
        folder.write([Message(b"series/0/%d" % number, bytes(size))], {"offset": number})
    folder.close()
    return sorted((tmp_path / "chain").glob("*.snapshot"))


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (0, 2)])
def test_swapped_and_renamed_snapshots_are_refused(chain: list[Path], pair: tuple[int, int]) -> None:
    one, other = (chain[i] for i in pair)
    swap = one.with_name("swap")
    one.rename(swap)
    other.rename(one)
    swap.rename(other)
    with pytest.raises(SnapshotCorrupt):
        SnapshotFolder(one.parent)
    other.rename(swap)
    with pytest.raises(SnapshotCorrupt):
        SnapshotFolder(one.parent)


def test_a_renamed_snapshot_is_refused(chain: list[Path]) -> None:
    chain[2].rename(chain[2].with_name("000000000007.snapshot"))
    with pytest.raises(SnapshotCorrupt, match="renamed"):
        SnapshotFolder(chain[0].parent)
    shutil.rmtree(chain[0].parent)


@pytest.mark.parametrize("name", ["000000000002.snapshot", "lock"])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(chain: list[Path], name: str, kind: str) -> None:
    place = chain[0].parent / name
    place.unlink()
    (os.mkfifo if kind == "pipe" else Path.mkdir)(place)
    for look_only in (False, True):
        with pytest.raises(StateError, match=f"{name}: it is no file|{name} is no file"):
            SnapshotFolder(place.parent, look_only=look_only)


def test_links_in_a_circle_are_refused_in_a_sentence(inside: Inside, halfway: Path) -> None:
    (halfway / "circle").symlink_to("circle")
    done = inside(*[("circle" if word == "state" else word) for word in RUN])
    assert done.code == 1
    assert "cannot use the state folder circle" in done.err


@pytest.mark.parametrize("trouble", ["deleted", "moved", "replaced", "cut"])
def test_an_output_that_is_taken_away_while_it_is_written_is_named(trouble: str, tmp_path: Path) -> None:
    """The run used to end well, and the file was not there."""
    path = tmp_path / "forecasts.jsonl"
    appender = Appender(path)
    appender.truncate(0)
    appender.write(b"one\n")
    if trouble == "deleted":
        path.unlink()
    elif trouble == "cut":
        os.truncate(path, 0)
    else:
        path.rename(tmp_path / "forecasts.jsonl.1")
        if trouble == "replaced":
            path.touch()
    said = {"deleted": "deleted or moved", "moved": "deleted or moved", "replaced": "replaced by", "cut": "cut"}[
        trouble
    ]
    with pytest.raises(ConnectorError, match=f"forecasts.jsonl was {said}"):
        appender.write(b"two\n")
    appender.close()


def test_outputs_that_are_no_files_are_written_without_a_look(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for path in (pipe, Path("/dev/null")):
        appender = Appender(path)
        appender.write(b"one\n")
        appender.write(b"two\n")
        appender.close()
    assert os.read(reader, 100) == b"one\ntwo\n"
    os.close(reader)
