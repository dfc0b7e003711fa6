"""Files as a log: rows of a CSV or lines of JSON in, JSON lines out, and the same promise as with Kafka.

With a state folder, each snapshot records how far the input was read and how long the outputs were; a restart cuts
the outputs back to that and goes on, so a run that was killed anywhere ends with the bytes of one that was not.
`-` reads standard input or writes standard output (as it comes; there is nothing to cut back, so no state either).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from streamrnn.config.tree import Config, FileConfig
from streamrnn.connectors.base import Polled
from streamrnn.connectors.file_outputs import FileOutputConnector
from streamrnn.connectors.reading.beginnings import FilesBegin
from streamrnn.connectors.reading.file_names import keys_by_name, plain_name
from streamrnn.connectors.reading.layout import Layout
from streamrnn.connectors.reading.lines import Found, LineReader
from streamrnn.connectors.reading.long import MergedTimes, MetricRows
from streamrnn.connectors.reading.look import Findings, Lines, Look, decided, look
from streamrnn.connectors.reading.opening import open_input
from streamrnn.connectors.reading.points import expanded
from streamrnn.connectors.reading.quoted import QuotedRows
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.connectors.reading.sequence import FileSequence
from streamrnn.connectors.reading.sorting import SortedRows
from streamrnn.connectors.reading.tables import is_rule
from streamrnn.connectors.reading.wide import WideRows
from streamrnn.errors import ConfigurationError, ConnectorError, StateError
from streamrnn.records.log import Partition
from streamrnn.state.snapshot_folder import SnapshotFolder

_READING = {"array", "key", "time", "time_format", "time_unit", "time_zone", "targets", "features", "id", "label"}
"""Of the configuration of events: what says how they are read."""
_MARK = b"\xef\xbb\xbf"
_JSON_LINES = {".jsonl", ".ndjson"}
"""What their suffix says of a file's lines; of other files the first line itself tells."""


class FileRecord(NamedTuple):
    """One line."""

    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int | None = None  # milliseconds; made up from the row number where the file has no time


_MADE = partial(tuple.__new__, FileRecord)
"""A record of its fields, in a third of the time: no code of Python is called for it."""


class FileConnector(FileOutputConnector):
    """The connector protocol over one input file and its outputs."""

    def __init__(
        self,
        input: Path | Sequence[Path] | None,
        output: Path | None,
        *,
        follow: bool = False,
        state: Path | None = None,
        dead_letters: Path | None = None,
        alerts: Path | None = None,
        max_poll_records: int = 1000,
    ) -> None:
        """`None` paths are the standard streams, but no `alerts` path means that alerts are not written. Several inputs
        are read one after the other; with `follow` the last one has no end.

        Nothing is opened, made or cut back before `open`, which `with` calls. Every line is a row until `look` has told
        header from rows.
        """
        inputs = [] if input is None else [input] if isinstance(input, Path) else [*input]
        partition = Partition(plain_name(inputs[0]) if inputs else "-", 0)
        super().__init__(partition, inputs, output, dead_letters, alerts)
        self._max_poll_records = max_poll_records
        self._inputs, self._state, self._output, self._follow = inputs, state, output, follow
        self._json = True if inputs and inputs[0].suffix.lower() in _JSON_LINES else None
        self._reader: Any = None  # from `open` on
        self._lines: Found = []
        self._taken = 0  # how many of them were handed out
        self._delivered = 0  # position after the last line handed out: the next run reads on from here
        self._next = 0
        self.went_on: str | None = None
        """Where the state goes on, where that is another file than it was made from, in words."""
        self._looked: dict[str, object] = {}  # what the look decided, as it is stored
        self._quoted: QuotedRows | None = None
        self._skipped: tuple[bytes | None, bool] = (None, False)  # a header that comes again, whether # is a comment
        self._remade: MetricRows | WideRows | None = None  # makes other rows of those that stand in the file
        self._merged: MergedTimes | None = None
        self._named: dict[str, bytes] = {}  # the key of each file, where that is its name
        self._file: bytes | None = None  # of the lines that were read last
        self._points: str | None = None  # where the rows of a message stand
        self._ruled = False  # whether there are lines of dashes
        self.row_clock = False
        """Without a time column rows count as one second apart."""
        self._clock_base = 0  # rows that were learned before the first one

    def open(self) -> Self:
        """Open input and outputs, cut back what a run that was killed wrote after its last snapshot; returns itself."""
        self._reader = self._opened()
        try:
            if self._state is not None and not (self._reader.seekable and self._output is not None):
                raise ConfigurationError("--state needs an input file and an output file: a stream cannot be resumed")
            self._folder = SnapshotFolder(self._state) if self._state is not None else None
            self._resume()
        except BaseException:
            self.close(0)
            raise
        return self

    def _opened(self) -> LineReader:
        regular = bool(self._inputs) and all(path.is_file() for path in self._inputs)
        if regular:
            return FileSequence(self._inputs, hold_back=self._state is not None, follow=self._follow)
        if self._follow or len(self._inputs) > 1:
            missing = next((path for path in self._inputs if not path.exists()), None)
            if missing is not None:
                raise ConnectorError(f"cannot read {missing}: no such file")
            raise ConfigurationError("--follow and several --input are for files: a stream is followed anyway")
        return open_input(self._inputs[0] if self._inputs else None, hold_back=self._state is not None)

    def look(self, config: Config) -> Look:
        """Decide how the file is read, or find it in the state; from now on records are rows.

        Raises `ConfigurationError` with the flag that mends it where the file does not tell.
        """
        event, file, labelled = config.event, config.file, config.labelled
        facts = self._folder.facts if self._folder is not None else None
        if file.table is not None:
            self._reader.choose(file.table)
        resumed = facts is not None and "layout" in facts
        asked = {
            "event": event.model_dump(mode="json", include=_READING),
            "file": file.model_dump(mode="json"),
            "labelled": labelled,
        }
        if resumed and facts is not None and facts["asked"] == asked:
            layout = Layout.model_validate(facts["layout"])
            found = Look(layout, decided(event, layout), [], Findings())
        else:
            found = look(self._sample(), event, file, labelled=labelled, json=self._json)
            found.notes.extend(self._reader.notes())
            # Another task is refused by the state itself, which names it.
            before = facts["asked"] if resumed and facts is not None else None
            same_task = isinstance(before, dict) and before.get("labelled", labelled) == labelled
            if same_task and facts is not None and Layout.model_validate(facts["layout"]) != found.layout:
                raise StateError(
                    f"the state was made with other flags: {self._reader.name} would be read in another way now. Give "
                    "the same flags, or start again with `streamrnn reset --state DIR`"
                )
        if resumed and facts is not None:
            before = facts["asked"]
            parts = before["file"].get("partitions", 1) if isinstance(before, dict) else file.partitions
            if parts != file.partitions:
                raise StateError(
                    f"the state was made with --partitions {parts}, and this is {file.partitions}: give it as then, or "
                    "start again with `streamrnn reset --state DIR`"
                )
            if isinstance(before, dict) and before["file"].get("name_is_key", False) != file.name_is_key:
                raise StateError(
                    "the state was made with --name-is-key and this run is without it, or the other way round: give "
                    "the same flags, or start again with `streamrnn reset --state DIR`"
                )
        if resumed and facts is not None and facts["reader"] == SortedRows.__name__ and not file.sort:
            raise StateError("the state was made with --sort: give it again, or start again with `streamrnn reset`")
        layout = found.layout
        self._looked = {"layout": layout.model_dump(mode="json"), "asked": asked}
        self.row_clock = layout.time is None
        self._points = layout.points
        table = layout.long or layout.wide or layout
        if layout.long is not None:
            self._remade, self._merged = MetricRows(layout.long), MergedTimes(layout.long)
        elif layout.wide is not None:
            self._remade = WideRows(layout.wide)
        if table.kind == "csv":
            self._quoted = QuotedRows(len(table.names), table.delimiter)
            header = layout.header.encode(table.encoding, "replace") if layout.header is not None else None
            self._skipped, self._ruled = (header, layout.comments), layout.ruled
        else:
            self._skipped = (None, table.kind != "json")
        if file.sort and self._reader.seekable:
            self._reader.seek(0)
        if file.name_is_key:
            self._name_series(found, file)
        if isinstance(self._reader, FileSequence):
            self._begin_files(found, file)
        if not self._next or file.sort:
            self._pass(layout.skip)
        if file.sort and layout.time is not None:
            self._sort(found, file)
        self._lines = self._joined(self._lines)
        self._file = self._named.get(self._reader.name)
        return found

    def _begin_files(self, found: Look, file: FileConfig) -> None:
        """Say how a file begins that is not the first, and refuse to go back in time from one to the next."""
        files = FilesBegin(found.layout, row_reader(found.layout, found.event, file))
        self._reader.passed, self._reader.head_lines = files.passed, files.lines
        if len(self._inputs) > 1 and not file.name_is_key:
            found.notes.extend(files.notes(self._reader.firsts(), by_time=file.sort))
        if self.went_on is not None:
            found.notes.append(self.went_on)

    def _name_series(self, found: Look, file: FileConfig) -> None:
        """Take each file as a series of its own."""
        if found.layout.keys:
            raise ConfigurationError(
                f"--name-is-key, and {' and '.join(found.layout.keys)} tells series apart: one of the two is the key"
            )
        if file.sort or self._follow or not self._inputs:
            raise ConfigurationError("--name-is-key reads files one after the other: without --sort and --follow")
        self._named = {path: key.encode() for path, key in keys_by_name(self._inputs).items()}
        keys = [key.decode() for key in self._named.values()]
        more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
        found.notes.append(f"each file is a series: {', '.join(keys[:5])}{more}")

    def _sort(self, found: Look, file: FileConfig) -> None:
        """Take the rows that are there in the order of their times from now on."""
        read = row_reader(found.layout, found.event, file)
        self._reader, before = SortedRows(self._reader, self._rows(), read.time_of), self._reader
        before.close()
        self._lines, self._delivered = [], 0
        self._quoted = self._points = self._remade = None
        if self._next and self._folder is not None and self._folder.facts is not None:
            self._go_on(self._folder.facts)

    def _rows(self) -> Iterator[bytes]:
        """Every row from here to the end."""
        waiting = self._unfolded(self._lines, ended=self._reader.at_end)
        while True:
            yield from (line for line, _ in waiting if self._is_row(line))
            if self._reader.at_end:
                return
            lines = self._reader.lines(timeout=3600)
            waiting = self._unfolded(lines, ended=self._reader.at_end or self._reader.between)

    def _is_row(self, line: bytes) -> bool:
        header, comments = self._skipped
        if self._ruled and is_rule(line.decode(errors="replace")):
            return False
        if line[:3] == _MARK:  # files that were put together
            line = line[3:]
        return bool(line.strip()) and line != header and not (comments and line.lstrip().startswith(b"#"))

    def _joined(self, lines: Found) -> Found:
        """Rows out of lines: a quoted cell may hold line ends, a message several points, an event several rows."""
        ended = (self._reader.at_end and not self._reader.hold_back) or self._reader.between
        found = self._unfolded(lines, ended=ended)
        return found if self._merged is None else self._merged(found, ended=ended)

    def _unfolded(self, lines: Found, *, ended: bool) -> Found:
        if self._quoted is not None:
            lines = self._quoted.rows(lines, ended=ended)
        if self._points is not None:
            lines = expanded(lines, self._points)
        if self._remade is not None:
            lines = self._remade([(line, position) for line, position in lines if self._is_row(line)])
        return lines

    def _sample(self) -> Lines:
        if self._reader.seekable:
            while self._follow and sum(bool(line.strip()) for line in self._reader.look(20).head) < 2:
                time.sleep(0.1)  # nobody has written enough yet to tell what it is
            here = self._reader.position
            looked = Lines(*self._reader.look())
            if here:
                self._reader.seek(here)
            return looked
        # A pipe is asked for as little as tells what its columns are, so that nobody waits for more.
        while not self._reader.at_end:
            first = [line for line, _ in self._lines if line.strip() and not line.lstrip().startswith(b"#")][:2]
            if len(first) == 2 or (first and (self._json or first[0].lstrip().startswith(b"{"))):
                break
            self._lines += self._reader.lines(timeout=3600)
        taken, rows = [], 0
        for line, _ in self._lines:
            taken.append(line)
            rows += bool(line.strip()) and not line.lstrip().startswith(b"#")
            if rows == 2 or (rows == 1 and (self._json or line.lstrip().startswith(b"{"))):
                break
        return Lines(taken)

    def _pass(self, lines: int) -> None:
        """Go past what stands before the first row."""
        while len(self._lines) < lines and not self._reader.at_end:
            self._lines += self._reader.lines(timeout=3600)
        if lines:
            self._delivered = self._lines[:lines][-1][1] if self._lines else 0
            self._lines = self._lines[lines:]

    def _resume(self) -> None:
        facts: Mapping[str, object] = {}
        if self._folder is not None and self._folder.facts is not None:
            facts = self._folder.facts
            self._next = self._offset = int(str(facts["offset"]))
            self._clock_base = int(str(facts.get("clock_base", 0)))
            if "begins" not in facts and facts.get("reader") != SortedRows.__name__:  # which the look makes
                self._go_on(facts)
        self._outputs.resume(facts)

    def _go_on(self, facts: Mapping[str, object]) -> None:
        """Go to where the state was taken. Raises `StateError` for another file, or one that is read in another way."""
        self.went_on = self._reader.resume(facts)
        self._delivered = self._reader.position

    def __enter__(self) -> Self:
        return self if self._reader is not None else self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    def count_rows_from(self, rows: int) -> None:
        """Without times the first row comes after so many others."""
        self._clock_base = rows

    def delivered(self) -> int:
        """Bytes of the input handed out so far."""
        return self._delivered

    @property
    def progress(self) -> tuple[int, int] | None:
        """(bytes read, bytes there are); None for a pipe."""
        return (self._reader.read_so_far(), self._reader.size()) if self._reader.seekable else None

    @property
    def waiting(self) -> int:
        """Bytes at the end of the input that are no row yet, since their line has no end."""
        if not self._reader.hold_back:
            return 0
        joining = self._merged is not None and self._merged.waiting
        behind: int = self._reader.position - self._delivered if joining else 0
        return behind + int(self._reader.unterminated)

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
                self._lines = self._joined(self._reader.lines(timeout))
                self._file = self._named.get(self._reader.name)
                if not self._lines and not self._reader.at_end:
                    return Polled()
            begin = self._taken
            self._taken = min(begin + self._max_poll_records, len(self._lines))
            while self._taken < len(self._lines) and self._lines[self._taken][1] == self._lines[self._taken - 1][1]:
                self._taken += 1  # points of one message: a position is behind all of them
            taken = self._lines[begin : self._taken]
            if self._taken >= len(self._lines):
                self._lines, self._taken = [], 0
            if taken:
                self._delivered = taken[-1][1]
            records = self._records([line for line, _ in taken])
        return Polled(records={self.partition: records})

    def _records(self, lines: list[bytes]) -> list[FileRecord]:
        """The rows among the lines as the next records."""
        header, sure = self._skipped[0], b"\xff" if self._ruled else b"$"
        # Most lines need no closer look: what begins with one of these bytes is neither blank nor a comment nor a mark.
        rows = [line for line in lines if (sure <= line < _MARK and line != header) or self._is_row(line)]
        first, self._next = self._next, self._next + len(rows)
        offsets = range(first, self._next)
        base = self._clock_base
        stamps = [(base + offset) * 1000 for offset in offsets] if self.row_clock else repeat(None)
        return list(map(_MADE, zip(offsets, rows, repeat(self._file), stamps)))

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """See `Connector.bounds`; the end of a file is known only when it is reached, so it is the next row."""
        return 0, self._next

    def start(self, partition: Partition, offset: int) -> None:
        """See `Connector.start`."""
        if offset != self._next:
            raise ConnectorError(f"{self._reader.name} stands at row {self._next}, not {offset}")
        self._running = True

    def _facts(self) -> dict[str, object]:
        return {
            "offset": self._next,
            "clock_base": self._clock_base,
            **self._reader.facts(self._delivered),
            **self._looked,
        }

    def close(self, timeout: float) -> None:
        """See `Connector.close`."""
        if self._reader is not None:
            self._reader.close()
        super().close(timeout)
