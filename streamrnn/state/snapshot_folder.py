"""Snapshots in a folder: one file each, written beside, synced, renamed; never changed afterwards.

The first file holds every series, each later one what changed since, and names its parent by checksum. When the later
ones outgrow the first, they are merged into a new first file. So whatever moment a process dies at, the folder holds
a complete earlier state; and a file that was damaged, cut or exchanged is noticed, never used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self

import crc32c

from streamrnn.errors import SnapshotCorrupt, SnapshotVersion, StateError
from streamrnn.records.log import Message

FORMAT = 1
_MAGIC = b"streamrnn snapshot\n"
_HEAD = struct.Struct("<HI")  # format, bytes of facts
_FRAME = struct.Struct("<II")  # bytes of key, bytes of value
_DIGEST_SIZE = 32  # of the whole file, at its end
_HEAD_DIGEST_SIZE = 16  # of the head alone: its facts are used before the rest is read
_BLOCK = 8 << 20  # bytes to read at once
_SUFFIX = ".snapshot"
_NAMES = "[0-9]" * 12 + _SUFFIX  # a copy that somebody put beside them under another name is not ours


class SnapshotFolder:
    """The snapshots in `path`, locked against a second process."""

    def __init__(self, path: Path, *, look_only: bool = False) -> None:
        """`look_only`: to read what is there and change nothing.

        Raises `StateError` for a folder that cannot be used and for one whose snapshots are damaged.
        """
        self.path = path
        self.facts: Mapping[str, object] | None = None
        """What the newest snapshot says about input and output."""
        self.records = 0
        """Records in all snapshots together."""
        self._chain: list[Path] = []
        self._digest = ""
        self._number = 0
        self._lock = _locked(path, look_only=look_only)
        try:
            done = self._find_chain()
            if not look_only:
                self._tidy(done)
        except BaseException:
            self._lock.close()
            raise

    def _tidy(self, merged: Sequence[Path]) -> None:
        """Delete what a process that died has left."""
        for leftover in self.path.glob(_NAMES.replace(_SUFFIX, ".partial")):
            if _is_ours(leftover):
                leftover.unlink()
        for file in merged:
            file.unlink()

    def _find_chain(self) -> list[Path]:
        """Find the newest state; returns the files that it has made needless."""
        files = sorted(self.path.glob(_NAMES))
        heads = [(file, self._head(file)) for file in files]
        first = max((i for i, (_, facts) in enumerate(heads) if facts["parent"] is None), default=None)
        if heads and first is None:
            raise SnapshotCorrupt(f"{self.path}: the first of the snapshots, which holds every series, is missing")
        for file, facts in heads[first or 0 :]:
            parent, number = facts["parent"], int(file.name.removesuffix(_SUFFIX))
            if facts.get("number", number) != number:
                raise SnapshotCorrupt(f"{file} is the snapshot {facts['number']}: it was renamed or exchanged")
            if parent is not None and parent != self._digest:
                raise SnapshotCorrupt(f"{file} does not continue the snapshot before it: one is missing or exchanged")
            self._chain.append(file)
            self.records += int(str(facts["records"]))
            self._digest = self._digest_of(file)
            self.facts = {name: fact for name, fact in facts.items() if name != "number"}
            self._number = number
        return files[: first or 0]  # merged into the first one already

    @staticmethod
    def _digest_of(file: Path) -> str:
        with file.open("rb") as stream:
            stream.seek(-_DIGEST_SIZE, os.SEEK_END)
            return stream.read().hex()

    def _head(self, file: Path) -> dict[str, object]:
        with self._open(file) as stream:
            return _read_head(stream, file)

    @staticmethod
    def _open(file: Path) -> IO[bytes]:
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise StateError(f"cannot read the snapshot {file}: it is no file")
        try:
            return file.open("rb")
        except OSError as error:
            raise StateError(f"cannot read the snapshot {file}: {error.strerror}") from error

    def messages(self) -> Iterator[Message]:
        """Every record of every snapshot, oldest first. Raises `SnapshotCorrupt` as soon as one is damaged."""
        for file in self._chain:
            yield from self._messages_of(file)

    def _messages_of(self, file: Path) -> Iterator[Message]:
        with self._open(file) as stream:
            remaining = os.fstat(stream.fileno()).st_size - _DIGEST_SIZE
            digest = hashlib.blake2b(digest_size=_DIGEST_SIZE)
            _read_head(stream, file)
            here = stream.tell()
            stream.seek(0)
            digest.update(stream.read(here))
            remaining -= here
            with _ReadAhead(stream) as content:
                while remaining > 0:
                    frame = content.take(_FRAME.size)
                    sizes = _FRAME.unpack(frame) if len(frame) == _FRAME.size else (0, 1 << 62)
                    remaining -= _FRAME.size + sum(sizes)
                    if remaining < 0:
                        raise SnapshotCorrupt(f"the snapshot {file} is cut or damaged")
                    key, value = content.take(sizes[0]), content.take(sizes[1])
                    _add(digest, frame, key, value)
                    yield Message(key, value or None)
                if content.take(_DIGEST_SIZE + 1) != digest.digest():
                    raise SnapshotCorrupt(f"the snapshot {file} is damaged: its checksum does not match")

    def write(self, messages: Sequence[Message], facts: Mapping[str, object]) -> None:
        """Add one snapshot. Raises `StateError` when it cannot be written; the earlier ones are then still good."""
        self._write(messages, {**facts, "parent": self._digest or None, "records": len(messages)})
        sizes = [file.stat().st_size for file in self._chain]
        if sum(sizes[1:]) > sizes[0]:
            self._merge()

    def _write(self, messages: Iterable[Message], facts: Mapping[str, object]) -> None:
        target = self.path / f"{self._number + 1:012d}{_SUFFIX}"
        partial = target.with_suffix(".partial")
        digest = hashlib.blake2b(digest_size=_DIGEST_SIZE)
        text = json.dumps({**facts, "number": self._number + 1}).encode()
        try:
            with partial.open("xb") as stream:
                head = _MAGIC + _HEAD.pack(FORMAT, len(text)) + text
                head += _head_digest(head)
                digest.update(head)
                stream.write(head)
                for message in messages:
                    key, value = message.key or b"", message.value or b""
                    frame = _FRAME.pack(len(key), len(value))
                    _add(digest, frame, key, value)
                    stream.writelines((frame, key, value))
                stream.write(digest.digest())
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise StateError(f"cannot write a snapshot to {self.path}: {error.strerror}") from error
        self._number += 1
        self._chain.append(target)
        self._digest = digest.hexdigest()
        self.facts = facts
        self.records += int(str(facts["records"]))

    def _merge(self) -> None:
        # Where each key's last record is, so that only one record at a time is in memory.
        last: dict[bytes | None, int] = {}
        for position, message in enumerate(self.messages()):
            if message.value is None:
                last.pop(message.key, None)  # nothing comes before the merged file that it could delete
            else:
                last[message.key] = position
        merged = (m for position, m in enumerate(self.messages()) if last.get(m.key) == position)
        old = list(self._chain)
        assert self.facts is not None
        self._write(merged, {**self.facts, "parent": None, "records": len(last)})
        self._chain = self._chain[-1:]
        self.records = len(last)
        for file in old:
            file.unlink()

    def _sync_folder(self) -> None:
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.close()


class _ReadAhead:
    """The rest of a file, read by a second thread while the bytes before are used."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._thread = ThreadPoolExecutor(1, "streamrnn-read")
        self._coming = self._thread.submit(stream.read, _BLOCK)
        self._block = b""
        self._used = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end of the file."""
        begin, self._used = self._used, self._used + size
        if self._used <= len(self._block):
            return self._block[begin : self._used]
        parts, missing = [self._block[begin:]], self._used - len(self._block)
        while missing and (block := self._next_block()):
            parts.append(block[:missing])
            self._block, self._used = block, len(parts[-1])
            missing -= self._used
        return b"".join(parts)

    def _next_block(self) -> bytes:
        try:
            block = self._coming.result()
        except OSError as error:
            raise StateError(f"cannot read the snapshot {self._stream.name}: {error.strerror}") from error
        self._coming = self._thread.submit(self._stream.read, _BLOCK)
        return block


def _locked(path: Path, *, look_only: bool = False) -> IO[bytes]:
    lock: IO[bytes]
    place = path / "lock"
    try:
        if place.exists() and not place.is_file():  # a pipe would be waited for
            raise StateError(f"cannot use the state folder {path}: {place} is no file")
        if not look_only:
            path.mkdir(parents=True, exist_ok=True)
            lock = place.open("a+b")
        else:  # without a lock there was never a writer
            lock = (place if place.exists() else Path(os.devnull)).open("rb")
    except OSError as error:
        raise StateError(f"cannot use the state folder {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if look_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StateError(f"another streamrnn is using the state folder {path}") from None
    return lock


def clear(path: Path) -> None:
    """Delete every snapshot in `path`, damaged or not; what has a snapshot's name and no more of one is renamed."""
    with _locked(path):
        try:
            for file in sorted(path.glob(_NAMES), reverse=True):
                if _is_ours(file):
                    file.unlink()
                else:
                    file.rename(file.with_name(file.name + ".not-ours"))
        except OSError as error:
            raise StateError(f"cannot clear the state folder {path}: {error.strerror}") from error


def _is_ours(file: Path) -> bool:
    """Whether it begins with our mark, or was cut within it."""
    try:
        if file.is_symlink() or not file.is_file():
            return False
        with file.open("rb") as stream:
            return _MAGIC.startswith(stream.read(len(_MAGIC)))
    except OSError as error:
        raise StateError(f"cannot read {file}: {error.strerror}") from error


def _read_head(stream: IO[bytes], file: Path) -> dict[str, object]:
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(len(_MAGIC) + _HEAD.size)
    if len(head) < len(_MAGIC) + _HEAD.size or not head.startswith(_MAGIC):
        raise SnapshotCorrupt(f"{file} is cut, damaged, or no snapshot of streamrnn")
    form, length = _HEAD.unpack(head[len(_MAGIC) :])
    if form > FORMAT:
        raise SnapshotVersion(
            f"{file} was written in format {form}, and this streamrnn reads up to {FORMAT}: run the newer version, "
            "or `streamrnn reset` to start again"
        )
    text = stream.read(min(length, size))
    if stream.read(_HEAD_DIGEST_SIZE) != _head_digest(head + text):
        raise SnapshotCorrupt(f"the snapshot {file} is cut or damaged")
    facts: dict[str, object] = json.loads(text)
    return facts


def _add(digest: hashlib.blake2b, frame: bytes, key: bytes, value: bytes) -> None:
    """Make a record part of the file's digest; a long value by its CRC, which takes a twentieth of the time."""
    digest.update(frame + key + crc32c.crc32c(value).to_bytes(4, "little"))


def _head_digest(head: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=_HEAD_DIGEST_SIZE).digest()
