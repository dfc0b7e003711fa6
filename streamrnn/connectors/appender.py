"""Files that are written: no two flags name the same one, no two processes write one, and a restart knows its own."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from streamrnn.errors import ConfigurationError, ConnectorError, StateError

TAIL = 4096
"""Bytes by which a file is known again, besides its first ones and its length."""


class Appender:
    """An output that can be cut back to a length and forced to disk; with neither path nor stream it takes nothing."""

    def __init__(self, path: Path | None, standard: IO[bytes] | None = None) -> None:
        self._path = path
        self._file: IO[bytes] | None = standard
        self.length = 0

    def truncate(self, length: int, tail: object = None) -> None:
        """Keep the first `length` bytes, whose last ones have the digest `tail`; nothing is made where nothing is.

        Raises `StateError` where these bytes are not there, `ConnectorError` where another process writes them.
        """
        if self._path is None:
            self.length = length  # a later run may want to go on from there
            return
        try:
            if length == 0 and (not self._path.exists() or not self._regular()):
                return
            size = self._path.stat().st_size if self._path.exists() else 0
            if size < length:
                raise StateError(
                    f"{self._path} has {size} bytes, but the state says {length} were written: it was moved or cut. "
                    "Put it back, or start again with `streamrnn reset --state DIR`"
                )
            if tail is not None and self.tail(length) != tail:
                raise StateError(
                    f"{self._path} is not the file that the state knows: its first {length} bytes do not end as what "
                    "was written did. Put it back, or start again with `streamrnn reset --state DIR`"
                )
            self.open()
            if self._file is not None:
                self._file.truncate(length)
        except OSError as error:
            raise ConnectorError(f"cannot write {self._path}: {error.strerror}") from error
        self.length = length

    def _regular(self) -> bool:
        """Whether it is a file, or not there yet: devices and named pipes can neither be cut back nor synced."""
        return self._path is not None and (self._path.is_file() or self._path.is_dir() or not self._path.exists())

    def open(self) -> None:
        """Open for appending now, so that an unwritable path is noticed before any work is done."""
        if self._file is None and self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab")
            except OSError as error:
                raise ConnectorError(f"cannot write {self._path}: {error.strerror}") from error
            self._lock(self._file)

    def _lock(self, file: IO[bytes]) -> None:
        if not self._regular():
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            self._file = None
            raise ConnectorError(f"another process writes {self._path}: stop that one, or give another file") from None
        except OSError:  # a file system without locks
            pass

    def tail(self, length: int) -> str | None:
        """Digest of the last bytes before `length`; None where there is no file of which that could be told."""
        if self._path is None or not self._path.is_file() or not length:
            return None
        with self._path.open("rb") as file:
            file.seek(max(0, length - TAIL))
            return hashlib.blake2b(file.read(min(TAIL, length)), digest_size=16).hexdigest()

    def write(self, data: bytes) -> None:
        """Append."""
        if not data:
            return
        self.open()
        if self._file is None:
            return
        try:
            self._file.write(data)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConnectorError(f"cannot write {self._path or 'standard output'}: {error.strerror}") from error
        self.length += len(data)
        self._check_place(self._file)

    def _check_place(self, file: IO[bytes]) -> None:
        """Raise `ConnectorError` where the file is not whole at its path any more: a log rotation, or an `rm`."""
        ours = os.fstat(file.fileno()) if self._path is not None else None
        if self._path is None or ours is None or not stat.S_ISREG(ours.st_mode):
            return
        try:
            there = self._path.stat()
        except FileNotFoundError:
            what = "deleted or moved"
        else:
            # Some file systems make inode numbers up; the same file has the same length.
            other = (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) and there.st_size != ours.st_size
            what = "replaced by another file" if other else "cut" if ours.st_size < self.length else ""
        if what:
            raise ConnectorError(
                f"{self._path} was {what} while this run wrote into it, so rows are missing: keep it where it "
                "is while a run writes (a log rotation may copy it, and neither move nor cut it), and run again"
            )

    def sync(self) -> None:
        """Force to disk what was written."""
        if self._file is not None and self._path is not None and self._regular():
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise ConnectorError(f"cannot write {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file; standard streams stay open."""
        if self._file is not None and self._path is not None:
            # After a failed write the rest is still in the buffer and fails again; the first error is the one to see.
            with contextlib.suppress(OSError):
                self._file.close()


def check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Raise `ConfigurationError` when two are the same file, by any name or link: writing one destroys the other."""
    seen: dict[object, tuple[str, Path]] = {}
    for flag, path in paths.items():
        if path is None or (path.exists() and not path.is_file()):
            continue
        identities: list[object] = [os.path.realpath(path)]  # which takes links in a circle, too
        with contextlib.suppress(OSError):
            found = path.stat()
            identities.append((found.st_dev, found.st_ino))  # hard links have one name each
        for identity in identities:
            other, _ = seen.setdefault(identity, (flag, path))
            if other != flag:
                raise ConfigurationError(f"{other} and {flag} are the same file, {path}: give another one")
