"""A file of JSON lines as a log that is read while somebody writes it: the alerts of `run --alerts FILE`.

A record is a line that has its end. How far it was read, and what its reader keeps, stands in a file of its own, which
is replaced as a whole. A run that is restarted cuts its outputs back and writes the same bytes again: until they are
there the reader waits. Other bytes than those that were read are another file, and an error.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self

from streamrnn.connectors.base import Commit, Connector, Polled
from streamrnn.connectors.reading.file_names import plain_name
from streamrnn.errors import ConnectorError, StateError
from streamrnn.records.log import Message, Partition, Record

_FORMAT: Final = 1
_BEFORE: Final = 4096
"""Bytes before the position that tell the file from another one."""
_BLOCK: Final = 1 << 20
_PAUSE: Final = 0.1  # seconds between two looks at the file
LONGEST: Final = 64 << 20
"""Bytes of a line."""


class LineRecord(NamedTuple):
    """One line."""

    offset: int  # its number
    value: bytes
    key: bytes | None = None
    timestamp: int | None = None


class LineFile(Connector):
    """The connector protocol over one growing file; `commit` takes offsets, snapshots and dead letters."""

    state_is_named = False

    def __init__(self, file: Path, state: Path, dead_letters: Path, *, follow: bool = True, most: int = 1000) -> None:
        """Without `follow` the input has ended where the file ends. Nothing is opened before `with`."""
        self._file, self._state, self._dead_letters = file, state, dead_letters
        self._follow, self._most = follow, most
        self.partition = Partition(plain_name(file), 0)
        self._lock: IO[bytes] | None = None
        self._stored: dict[str, Any] = {}
        self._snapshots: dict[str, str] = {}
        self._assigned = self._running = self._checked = False
        self._position = self._number = 0  # bytes and lines delivered
        self._waiting: deque[bytes] = deque()  # lines that were read and not delivered
        self._rest = b""  # what follows them and has no end yet
        self._ends: dict[int, int] = {}  # line -> position after it, of those that are not committed

    def __enter__(self) -> Self:
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self._state.with_name(self._state.name + ".lock").open("a+b")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stored = self._load()
        except BlockingIOError:
            self.close(0)
            raise StateError(f"another process reads {self._file} for {self._state}") from None
        except OSError as error:
            self.close(0)
            raise StateError(f"cannot use {self._state}: {error.strerror}") from error
        except BaseException:
            self.close(0)
            raise
        self._snapshots = dict(self._stored.get("snapshots", {}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    def _load(self) -> dict[str, Any]:
        try:
            document = json.loads(self._state.read_bytes())
            right = document["format"] == _FORMAT and document["checksum"] == _checksum(document)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StateError(f"cannot read {self._state}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            raise StateError(f"{self._state} is damaged, or not what was written there: delete it to begin anew")
        return dict(document)

    def poll(self, timeout: float) -> Polled:
        """See `Connector.poll`."""
        if not self._assigned:
            self._assigned = True
            return Polled(assigned=[self.partition])
        if not self._running:
            return Polled()
        deadline = time.monotonic() + timeout
        while True:
            records = self._lines()
            if records:
                return Polled(records={self.partition: records})
            if not self._follow:
                return Polled(finished=True)
            if (left := deadline - time.monotonic()) <= 0:
                return Polled()
            time.sleep(min(_PAUSE, left))

    def _lines(self) -> list[Record]:
        if not self._waiting:
            *lines, self._rest = (self._rest + self._more()).split(b"\n")
            self._waiting.extend(lines)
            if not lines and len(self._rest) > LONGEST:
                raise ConnectorError(f"{self._file} has a line of more than {LONGEST:,} bytes: is it a file of alerts?")
        records: list[Record] = []
        while self._waiting and len(records) < self._most:
            line = self._waiting.popleft()
            records.append(LineRecord(self._number, line))
            self._number += 1
            self._position += len(line) + 1
            self._ends[self._number] = self._position
        return records

    def _more(self) -> bytes:
        """The bytes after those that were read; none while the file is shorter than it was."""
        try:
            with self._file.open("rb") as stream:
                at = self._position + len(self._rest)
                if os.fstat(stream.fileno()).st_size < at:
                    self._checked, self._rest = False, b""  # it is being written again
                    return b""
                if not self._checked:
                    self._check(stream)
                    self._checked = True
                stream.seek(at)
                return stream.read(_BLOCK)
        except FileNotFoundError:
            if self._follow:
                return b""
            raise ConnectorError(f"{self._file} does not exist") from None
        except OSError as error:
            raise ConnectorError(f"cannot read {self._file}: {error.strerror}") from error

    def _check(self, stream: IO[bytes]) -> None:
        wanted, position = self._stored.get("before"), int(self._stored.get("position", 0))
        if wanted is not None and wanted != _before(stream, position):
            raise StateError(
                f"{self._file} is another file than the one of which {position:,} bytes were read: delete "
                f"{self._state} to begin anew"
            )

    def committed(self, partition: Partition) -> int | None:
        """See `Connector.committed`."""
        return int(self._stored["offset"]) if "offset" in self._stored else None

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """See `Connector.bounds`; the end is not looked for."""
        return 0, max(self._number, int(self._stored.get("offset", 0)))

    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """See `Connector.snapshots`."""
        return iter([Message(key.encode(), value.encode()) for key, value in self._snapshots.items()])

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """Nothing is replayed: snapshots and offset are one file."""
        return iter(())

    def start(self, partition: Partition, offset: int) -> None:
        """See `Connector.start`; only where it was committed, or where it is."""
        stored = int(self._stored.get("offset", 0))
        if offset in self._ends:
            self._position = self._ends[offset]
        elif offset == stored:
            self._position = int(self._stored.get("position", 0))
        elif offset == 0:
            self._position = 0
        else:
            raise ConnectorError(f"{self._file}: line {offset} is not where reading can begin")
        self._number, self._rest, self._running = offset, b"", True
        self._waiting.clear()

    def commit(self, commit: Commit) -> None:
        """See `Connector.commit`. Dead letters first: who is killed writes them twice rather than never."""
        for letters in commit.dead_letters.values():
            self._bury(letters)
        for messages in commit.snapshots.values():
            for message in messages:
                key = (message.key or b"").decode()
                self._snapshots.pop(key, None)
                if message.value is not None:
                    self._snapshots[key] = message.value.decode()
        offset = commit.offsets.get(self.partition, int(self._stored.get("offset", 0)))
        position = self._ends.get(offset, int(self._stored.get("position", 0)))
        self._ends = {line: end for line, end in self._ends.items() if line >= offset}
        before: str | None
        try:
            with self._file.open("rb") as stream:
                before = _before(stream, position)
        except OSError:
            before = self._stored.get("before")
        stored: dict[str, Any] = {"format": _FORMAT, "offset": offset, "position": position, "before": before}
        stored["snapshots"] = self._snapshots
        stored["checksum"] = _checksum(stored)
        self._write(json.dumps(stored).encode())
        self._stored = stored

    def _bury(self, letters: Sequence[Message]) -> None:
        try:
            with self._dead_letters.open("ab") as stream:
                for letter in letters:
                    document: dict[str, str | None] = {name: value.decode() for name, value in letter.headers}
                    for name, part in (("key", letter.key), ("value", letter.value)):
                        document[name] = None if part is None else base64.b64encode(part).decode()
                    stream.write(json.dumps(document).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise ConnectorError(f"cannot write {self._dead_letters}: {error.strerror}") from error

    def _write(self, content: bytes) -> None:
        partial = self._state.with_name(self._state.name + ".partial")
        try:
            with partial.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self._state)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise StateError(f"cannot write {self._state}: {error.strerror}") from error

    def close(self, timeout: float) -> None:
        """See `Connector.close`."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _before(stream: IO[bytes], position: int) -> str:
    """Digest of the bytes before a position."""
    start = max(0, position - _BEFORE)
    stream.seek(start)
    return hashlib.blake2b(stream.read(position - start), digest_size=16).hexdigest()


def _checksum(document: Mapping[str, Any]) -> str:
    content = json.dumps({name: value for name, value in document.items() if name != "checksum"}, sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
