"""Files as a log: rows of a CSV or lines of JSON in, JSON lines out, and the same promise as with Kafka.

With a state folder, each snapshot records how far the input was read and how long the outputs were; a restart cuts
the outputs back to that and goes on, so a run that was killed anywhere ends with the bytes of one that was not.
`-` reads standard input or writes standard output (as it comes; there is nothing to cut back, so no state either).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self, TextIO

import orjson

from streamrnn.connectors.base import Commit, Connector, Polled
from streamrnn.errors import ConfigurationError, ConnectorError, StateError
from streamrnn.records.log import Message, Partition, Record
from streamrnn.state.snapshot_folder import SnapshotFolder

_BLOCK = 1 << 20
_LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"
_HEADERS = {".csv": True, ".tsv": True, ".jsonl": False, ".ndjson": False, ".json": False}
"""Whether a file's first line names columns, by suffix; of other files the line itself tells."""


class FileRecord(NamedTuple):
    """One line."""

    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int | None = None  # milliseconds; made up from the row number where the file has no time


class LineReader:
    """Lines of a file or pipe as they become available, without ever waiting longer than asked."""

    def __init__(self, path: Path | None) -> None:
        self.name = str(path) if path is not None else "standard input"
        try:
            self._file: IO[bytes] = _standard(sys.stdin, "input") if path is None else path.open("rb")
        except OSError as error:
            raise ConnectorError(f"cannot read {path}: {error.strerror}") from error
        self._standard = path is None
        self._pipe = not self._is_regular()
        self._rest = b""
        self._skip_bom = True
        self.position = 0  # of the first byte of the rest
        self.at_end = False

    def _is_regular(self) -> bool:
        try:
            return self._file.seekable()
        except ValueError:
            return False

    def lines(self, timeout: float) -> list[tuple[bytes, int]]:
        """(line without its end, position after it) of whatever one read brings; empty after the time-out."""
        if self.at_end or (self._pipe and not select.select([self._file], [], [], timeout)[0]):
            return []
        try:
            block = os.read(self._file.fileno(), _BLOCK) if self._pipe else self._file.read(_BLOCK)
        except OSError as error:
            raise ConnectorError(f"cannot read {self.name}: {error.strerror}") from error
        if not block:
            self.at_end = True
            last, self._rest = self._rest, b""
            self.position += len(last)
            return [(last.rstrip(b"\r"), self.position)] if last else []
        if self._skip_bom:
            self._skip_bom = False
            if block.startswith(_BOM) and self.position == 0:
                block, self.position = block[len(_BOM) :], len(_BOM)
        data = self._rest + block if self._rest else block
        *whole, self._rest = data.split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise ConnectorError(f"{self.name} has a line of over {_LONGEST_LINE >> 20} MiB: is it a text file?")
        found = []
        for line in whole:
            self.position += len(line) + 1
            found.append((line.rstrip(b"\r"), self.position))
        return found

    def seek(self, position: int) -> None:
        """Go to an absolute position (regular files)."""
        self._file.seek(position)
        self.position, self._rest, self.at_end, self._skip_bom = position, b"", False, position == 0

    def fingerprint(self, length: int) -> str:
        """Digest of the first `length` bytes, to notice that another file took this one's place."""
        here = self._file.tell()
        self._file.seek(0)
        start = self._file.read(length)
        self._file.seek(here)
        return hashlib.blake2b(start, digest_size=16).hexdigest()

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def seekable(self) -> bool:
        """Whether this is a regular file."""
        return not self._pipe

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if not self._standard:
            self._file.close()


class Appender:
    """An output that can be cut back to a length and forced to disk; with neither path nor stream it takes nothing."""

    def __init__(self, path: Path | None, standard: IO[bytes] | None = None) -> None:
        self._path = path
        self._file: IO[bytes] | None = standard
        self.length = 0

    def truncate(self, length: int) -> None:
        """Keep the first `length` bytes; creates the file unless there is nothing to keep and nothing there."""
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
            with self._path.open("r+b") as file:
                file.truncate(length)
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


class FileConnector(Connector):
    """The connector protocol over one input file and its outputs."""

    state_is_named = False  # by a fingerprint of the input, which may be moved and renamed

    def __init__(
        self,
        input: Path | None,
        output: Path | None,
        *,
        header: bool | None = None,
        state: Path | None = None,
        dead_letters: Path | None = None,
        alerts: Path | None = None,
        max_poll_records: int = 1000,
    ) -> None:
        """`None` paths are the standard streams, but no `alerts` path means that alerts are not written.

        `header` says whether the first line names columns (CSV); by default the input's suffix tells, or else whether
        that line is a JSON object.
        """
        self._max_poll_records = max_poll_records
        if dead_letters is None and output is not None:
            dead_letters = output.with_name(output.name + ".dead-letters.jsonl")
        _check_distinct({"--input": input, "--output": output, "--dead-letters": dead_letters, "--alerts": alerts})
        self._has_header = header if header is not None or input is None else _HEADERS.get(input.suffix.lower())
        self._reader = LineReader(input)
        if state is not None and not (self._reader.seekable and output is not None):
            self._reader.close()
            raise ConfigurationError("--state needs an input file and an output file: a stream cannot be resumed")
        name = os.fsencode(input.name).decode(errors="replace") if input is not None else "-"  # it may be no text
        self.partition = Partition(name, 0)
        self._lines: list[tuple[bytes, int]] = []
        self._delivered = 0  # position after the last line handed out: the next run reads on from here
        self.header = self._header()
        self.sample = self._peek()
        """The file's first rows (of a pipe: the first), wherever this run goes on."""
        self._next = 0
        self._written = {
            "output": Appender(output, None if output is not None else _standard(sys.stdout, "output")),
            "dead_letters": Appender(
                dead_letters, None if dead_letters is not None else _standard(sys.stderr, "error")
            ),
            "alerts": Appender(alerts),
        }
        self._offset: int | None = None
        self.row_clock = False
        """Without a time column rows count as one second apart."""
        self._assigned = False
        self._running = False
        self._folder: SnapshotFolder | None = None
        try:
            self._folder = SnapshotFolder(state) if state is not None else None
            self._resume()
        except BaseException:
            self.close(0)
            raise

    def _header(self) -> bytes | None:
        self._peek()
        first = next((i for i, (line, _) in enumerate(self._lines) if line.strip()), None)
        if first is None or self._has_header is False:
            return None
        if self._has_header is None and self._lines[first][0].lstrip().startswith(b"{"):
            return None
        line, self._delivered = self._lines[first]
        del self._lines[: first + 1]
        return line

    def _peek(self, rows: int = 100) -> list[bytes]:
        while not any(line.strip() for line, _ in self._lines) and not self._reader.at_end:
            self._lines += self._reader.lines(timeout=3600)
        return [line for line, _ in self._lines if line.strip()][: rows if self._reader.seekable else 1]

    def _resume(self) -> None:
        facts: Mapping[str, object] = {}
        if self._folder is not None and self._folder.facts is not None:
            facts = self._folder.facts
            length = int(str(facts["fingerprint_length"]))
            if self._reader.size() < int(str(facts["input_position"])) or (
                self._reader.fingerprint(length) != facts["fingerprint"]
            ):
                raise StateError(
                    f"{self._reader.name} is not the file that the state in {self._folder.path} was made from. "
                    "Give the same input, or start again with `streamrnn reset --state DIR`"
                )
            self._offset = int(str(facts["offset"]))
            self._lines = []
            self._next = self._offset
            self._reader.seek(int(str(facts["input_position"])))
            self._delivered = self._reader.position
        for name, appender in self._written.items():
            appender.truncate(int(str(facts.get(f"{name}_length", 0))))
            if name != "dead_letters":  # a file of those says that something was wrong
                appender.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    def delivered(self) -> int:
        """Bytes of the input handed out so far."""
        return self._delivered

    @property
    def progress(self) -> tuple[int, int] | None:
        """(bytes read, bytes there are); None for a pipe."""
        return (self._reader.position, self._reader.size()) if self._reader.seekable else None

    def poll(self, timeout: float) -> Polled:
        """See `Connector.poll`."""
        if not self._assigned:
            self._assigned = True
            return Polled(assigned=[self.partition])
        if not self._running:
            return Polled()
        records: list[FileRecord] = []
        while not records:
            if not self._lines:
                if self._reader.at_end:
                    return Polled(finished=True)
                self._lines = self._reader.lines(timeout)
                if not self._lines and not self._reader.at_end:
                    return Polled()
            taken, self._lines = self._lines[: self._max_poll_records], self._lines[self._max_poll_records :]
            for line, self._delivered in taken:
                if line.strip():
                    records.append(FileRecord(self._next, line, None, self._next * 1000 if self.row_clock else None))
                    self._next += 1
        return Polled(records={self.partition: records})

    def committed(self, partition: Partition) -> int | None:
        """See `Connector.committed`."""
        return self._offset

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """See `Connector.bounds`; the end of a file is known only when it is reached, so it is the next row."""
        return 0, self._next

    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """See `Connector.snapshots`."""
        return self._folder.messages() if self._folder is not None else iter(())

    def snapshot_records(self, partition: Partition) -> int:
        """See `Connector.snapshot_records`."""
        return self._folder.records if self._folder is not None else 0

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """Nothing to replay: a snapshot and its offset are one file."""
        if start != end:
            raise StateError(f"the state stands for row {start}, but row {end} was committed")
        return iter(())

    def start(self, partition: Partition, offset: int) -> None:
        """See `Connector.start`."""
        if offset != self._next:
            raise ConnectorError(f"{self._reader.name} stands at row {self._next}, not {offset}")
        self._running = True

    def commit(self, commit: Commit) -> None:
        """See `Connector.commit`; what is written between two snapshots is cut back by a restart."""
        self._written["output"].write(_lines(commit.outputs.get(self.partition, ())))
        letters = commit.dead_letters.get(self.partition, ())
        self._written["dead_letters"].write(b"".join(map(_dead_letter_line, letters)))
        self._written["alerts"].write(_lines(commit.alerts.get(self.partition, ())))
        offset = commit.offsets.get(self.partition)
        if offset is not None:
            self._offset = offset
        snapshot = commit.snapshots.get(self.partition)
        if snapshot and self._folder is not None:
            for appender in self._written.values():
                appender.sync()
            self._folder.write(snapshot, self._facts())

    def _facts(self) -> dict[str, object]:
        length = min(4096, self._delivered)
        return {
            "offset": self._next,
            "input_position": self._delivered,
            "fingerprint": self._reader.fingerprint(length),
            "fingerprint_length": length,
            **{f"{name}_length": appender.length for name, appender in self._written.items()},
        }

    def close(self, timeout: float) -> None:
        """See `Connector.close`."""
        self._reader.close()
        for appender in self._written.values():
            appender.close()
        if self._folder is not None:
            self._folder.close()


def _standard(stream: TextIO | None, name: str) -> IO[bytes]:
    if stream is None:
        raise ConnectorError(f"standard {name} is closed")
    return stream.buffer


def _check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Raise `ConfigurationError` when two are the same file: writing one would destroy the other."""
    seen: dict[Path, str] = {}
    for flag, path in paths.items():
        if path is None or (path.exists() and not path.is_file()):
            continue
        other = seen.setdefault(path.resolve(), flag)
        if other != flag:
            raise ConfigurationError(f"{other} and {flag} are the same file, {path}: give another one")


def _lines(messages: Sequence[Message]) -> bytes:
    return b"".join([message.value + b"\n" for message in messages if message.value])


def _dead_letter_line(message: Message) -> bytes:
    document: dict[str, str | None] = {name: text.decode() for name, text in message.headers}
    document["key"] = base64.b64encode(message.key).decode() if message.key is not None else None
    document["value"] = base64.b64encode(message.value).decode() if message.value is not None else None
    return orjson.dumps(document) + b"\n"
