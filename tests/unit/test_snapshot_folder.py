"""A state folder: whatever happened to its files, it is a state that was written or a named error."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.errors import SnapshotCorrupt, SnapshotVersion, StateError
from streamrnn.records.log import Message
from streamrnn.state import snapshot_folder
from streamrnn.state.snapshot_folder import SnapshotFolder, clear

FIRST = [Message(b"manifest", b"1" * 50), Message(b"series/0/a", b"a1" * 400), Message(b"series/0/b", b"b1" * 400)]
SECOND = [Message(b"manifest", b"2" * 20), Message(b"series/0/a", b"a2" * 3)]
THIRD = [Message(b"manifest", b"3" * 20), Message(b"series/0/b", b"b3" * 3)]


def write(path: Path, *snapshots: list[Message]) -> None:
    folder = SnapshotFolder(path)
    try:
        for messages in snapshots:
            folder.write(messages, {"offset": messages[0].value.decode() if messages[0].value else ""})
    finally:
        folder.close()


def read(path: Path) -> tuple[str | None, dict[bytes | None, bytes | None]]:
    folder = SnapshotFolder(path)
    try:
        offset = None if folder.facts is None else str(folder.facts["offset"])
        return offset, {message.key: message.value for message in folder.messages()}
    finally:
        folder.close()


def content(*snapshots: list[Message]) -> dict[bytes | None, bytes | None]:
    return {message.key: message.value for messages in snapshots for message in messages}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain")
    write(path, FIRST, SECOND, THIRD)
    assert len(snapshots(path)) == 3
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "copy"


def snapshots(path: Path) -> list[Path]:
    return sorted(path.glob("*.snapshot"))


def copy(chain: Path, scratch: Path) -> list[Path]:
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(chain, scratch)
    return snapshots(scratch)


def test_an_empty_folder_has_no_state(tmp_path: Path) -> None:
    assert read(tmp_path / "new" / "deep") == (None, {})


def test_what_was_written_is_read(chain: Path) -> None:
    assert read(chain) == ("3" * 20, content(FIRST, SECOND, THIRD))
    assert read(chain) == ("3" * 20, content(FIRST, SECOND, THIRD))


@pytest.mark.parametrize("block", [1, 7, 64, 799, 800, 10_000])
def test_records_longer_shorter_and_across_the_blocks_read(
    chain: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_folder, "_BLOCK", block)
    assert read(chain) == ("3" * 20, content(FIRST, SECOND, THIRD))


def test_a_disk_that_fails_in_the_middle_is_an_error_that_names_the_file(
    chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(io.BufferedReader):
        def read(self, size: int | None = -1, /) -> bytes:
            if size == snapshot_folder._BLOCK and self.tell() > 500:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    monkeypatch.setattr(snapshot_folder, "_BLOCK", 300)
    monkeypatch.setattr(SnapshotFolder, "_open", staticmethod(lambda file: Failing(io.FileIO(file))))
    with pytest.raises(StateError, match=f"cannot read the snapshot {snapshots(chain)[0]}: Input/output error"):
        read(chain)


def test_many_snapshots_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    expected: dict[bytes | None, bytes | None] = {}
    for number in range(60):
        messages = [Message(b"manifest", b"%d" % number), Message(b"series/0/%d" % (number % 7), b"%d" % number * 9)]
        write(tmp_path, messages)
        expected |= content(messages)
        assert read(tmp_path) == (str(number), expected)
    assert len(snapshots(tmp_path)) < 12


def test_a_merge_that_died_half_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FIRST)

    def die(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, FIRST, SECOND)  # the second copy of everything outgrows the first: a merge
    assert read(tmp_path)[1] == content(FIRST)
    assert len(snapshots(tmp_path)) == 1


@pytest.mark.parametrize("name", ["000000000004.partial", "000000000001.partial"])
def test_a_half_written_snapshot_is_forgotten(chain: Path, scratch: Path, name: str) -> None:
    copy(chain, scratch)
    (scratch / name).write_bytes(b"streamrnn snap")
    assert read(scratch)[0] == "3" * 20
    assert not (scratch / name).exists()


def test_files_of_others_are_left_alone(chain: Path, scratch: Path) -> None:
    first, *_ = copy(chain, scratch)
    others = [scratch / "backup.snapshot", scratch / "000000000001 (copy).snapshot", scratch / "notes.txt"]
    for other in others:
        shutil.copy(first, other)
    assert read(scratch)[0] == "3" * 20
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_link_is_noticed(chain: Path, scratch: Path, missing: int) -> None:
    copy(chain, scratch)[missing].unlink()
    with pytest.raises(SnapshotCorrupt, match=r"missing"):
        read(scratch)


def test_without_the_last_one_it_is_the_state_before(chain: Path, scratch: Path) -> None:
    copy(chain, scratch)[-1].unlink()
    assert read(scratch) == ("2" * 20, content(FIRST, SECOND))


def test_exchanged_files_are_noticed(chain: Path, scratch: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", FIRST, THIRD)
    files = copy(chain, scratch)
    shutil.copy(snapshots(tmp_path / "other")[1], files[1])
    with pytest.raises(SnapshotCorrupt):
        read(scratch)


PLACE = st.integers(0, 10**6)


@given(place=PLACE, byte=PLACE, flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(chain: Path, scratch: Path, place: int, byte: int, flip: int) -> None:
    files = copy(chain, scratch)
    file = files[place % len(files)]
    data = bytearray(file.read_bytes())
    data[byte % len(data)] ^= flip
    file.write_bytes(data)
    with pytest.raises((SnapshotCorrupt, SnapshotVersion)):
        read(scratch)


@given(place=PLACE, length=PLACE, more=st.binary(max_size=40))
def test_a_cut_or_overwritten_end_is_noticed(chain: Path, scratch: Path, place: int, length: int, more: bytes) -> None:
    files = copy(chain, scratch)
    file = files[place % len(files)]
    data = file.read_bytes()
    damaged = data[: length % len(data)] + more
    file.write_bytes(damaged)
    if damaged == data:
        return
    with pytest.raises(StateError):
        read(scratch)


@given(data=st.binary(max_size=200), magic=st.booleans())
def test_random_bytes_are_never_a_snapshot(scratch: Path, data: bytes, magic: bool) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    (scratch / "000000000001.snapshot").write_bytes(b"streamrnn snapshot\n" * magic + data)
    with pytest.raises(StateError):
        read(scratch)


def test_a_newer_format_says_what_to_do(chain: Path, scratch: Path) -> None:
    file = copy(chain, scratch)[-1]
    data = bytearray(file.read_bytes())
    data[len(b"streamrnn snapshot\n")] = 9
    file.write_bytes(data)
    with pytest.raises(SnapshotVersion, match=r"format 9.*run the newer version, or `streamrnn reset`"):
        read(scratch)


def test_a_folder_serves_one_process(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    with pytest.raises(StateError, match="another streamrnn is using"):
        SnapshotFolder(tmp_path)
    with pytest.raises(StateError, match="another streamrnn is using"):
        clear(tmp_path)
    folder.close()
    SnapshotFolder(tmp_path).close()


def test_a_damaged_folder_is_not_locked_afterwards_and_can_be_cleared(tmp_path: Path) -> None:
    (tmp_path / "000000000001.snapshot").write_bytes(b"nonsense")
    for _ in range(2):
        with pytest.raises(SnapshotCorrupt):
            SnapshotFolder(tmp_path)
    clear(tmp_path)
    assert read(tmp_path) == (None, {})


def test_a_path_that_is_no_folder_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StateError, match="cannot use the state folder"):
            SnapshotFolder(path)


def test_facts_are_kept(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    facts = {"offset": 3, "output_length": 99, "fingerprint": "ab"}
    folder.write(FIRST, facts)
    folder.close()
    again = SnapshotFolder(tmp_path)
    assert json.loads(json.dumps(again.facts)) == facts | {"parent": None, "records": len(FIRST)}
    again.close()
