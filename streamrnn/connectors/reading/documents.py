"""Files that are no lines: their rows as JSON objects, and the number of a row as its position."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from streamrnn.connectors.reading.json_kinds import is_senml
from streamrnn.connectors.reading.json_tables import others_than, rows_of
from streamrnn.connectors.reading.lines import Found, LineReader, Looked, json_line
from streamrnn.errors import ConfigurationError, ConnectorError

Rows = Callable[[Path], Iterator[dict[str, Any]]]
_AT_ONCE = 1000


class Tables(NamedTuple):
    """How the tables of one document are read."""

    rows: Callable[[Path, str | None], Iterator[dict[str, Any]]]
    """Those of the table at a place."""
    others: Callable[[Path, str | None], str | None]
    """What is to be said of the others."""


class RowsOfDocument(LineReader):
    """Rows that a function finds in a file; it is asked again to go back."""

    def __init__(self, path: Path, rows: Rows, tables: Tables | None = None) -> None:
        """`tables` reads the one that is asked for, of a document that may have several."""
        super().__init__(path)
        self._rows, self._tables, self._table = rows, tables, None if tables is None else ""
        self._left = self._fresh()
        self._plain = False

    def _fresh(self) -> Iterator[dict[str, Any]]:
        assert self._path is not None
        return self._tables.rows(self._path, self._table) if self._table and self._tables else self._rows(self._path)

    def choose(self, table: str) -> None:
        """See `LineReader.choose`."""
        if self._tables is None:
            super().choose(table)
        self._table = table
        self.seek(self.position)

    def notes(self) -> list[str]:
        """See `LineReader.notes`."""
        if self._tables is None or self._path is None:
            return []
        said = self._tables.others(self._path, self._table or None)
        return [] if said is None else [said]

    def lines(self, timeout: float) -> Found:
        """See `LineReader.lines`."""
        found: Found = []
        for row in itertools.islice(self._left, _AT_ONCE):
            self.position += 1
            found.append((_encoded(row), self.position))
        self.at_end = not found
        return found

    def seek(self, position: int) -> None:
        """See `LineReader.seek`."""
        self._left = self._fresh()
        self.position = sum(1 for _ in itertools.islice(self._left, position))
        self.at_end = False

    def look(self, rows: int = 2000, size: int = 1 << 20) -> Looked:
        """See `LineReader.look`."""
        head = [_encoded(row) for row in itertools.islice(self._fresh(), rows)]
        return Looked(head, [])

    def fingerprint(self, length: int) -> str:
        """See `LineReader.fingerprint`: of the first `length` rows."""
        digest = hashlib.blake2b(digest_size=16)
        assert self._path is not None
        for row in itertools.islice(self._rows(self._path), min(length, 100)):  # whichever table is read
            digest.update(_encoded(row))
        return digest.hexdigest()

    def read_so_far(self) -> int:
        """See `LineReader.read_so_far`."""
        return 0


def _encoded(row: dict[str, Any]) -> bytes:
    return json_line(row, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file, row group by row group, or of an Arrow file or stream."""
    try:
        import pyarrow as pa
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise ConfigurationError(f"{path} is Parquet or Arrow: pip install 'streamrnn[files]' reads it") from None
    try:
        with path.open("rb") as file:
            start = file.read(6)
        if start[:4] == b"PAR1":
            with pyarrow.parquet.ParquetFile(path) as whole:
                for batch in whole.iter_batches(batch_size=8192):
                    yield from batch.to_pylist()
            return
        with pa.memory_map(str(path)) as source:
            if start == b"ARROW1":
                reader = pyarrow.ipc.open_file(source)
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                batches = iter(pyarrow.ipc.open_stream(source))
            for batch in batches:
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ConnectorError(f"cannot read {path}: {error}"[:300]) from error


def excel(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of the first sheet that has any; the first row with as many cells as those below names the columns."""
    try:
        import openpyxl
    except ImportError:
        raise ConfigurationError(f"{path} is a spreadsheet: pip install 'streamrnn[files]' reads it") from None
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            filled = ([*row] for row in rows if any(cell is not None for cell in row))
            first = list(itertools.islice(filled, 30))
            if not first:
                continue
            width = max(sum(cell is not None for cell in row) for row in first)
            begin = next(at for at, row in enumerate(first) if sum(cell is not None for cell in row) >= width - 1)
            names = [str(name) if name is not None else f"column{at}" for at, name in enumerate(first[begin], 1)]
            if not any(isinstance(name, str) for name in first[begin]):
                begin, names = begin - 1, [f"column{at}" for at in range(1, len(names) + 1)]
            for row in itertools.chain(first[begin + 1 :], filled):
                yield dict(zip(names, row, strict=False))
            return
    finally:
        book.close()


def json_document(path: Path, opener: Callable[[], IO[bytes]]) -> RowsOfDocument:
    """Rows in one JSON document: see `json_tables`."""

    known: dict[str | None, str | None] = {}  # found out where the document is read anyway

    def rows(path: Path, table: str | None = None) -> Iterator[dict[str, Any]]:
        document = _loaded(path, opener)
        if table not in known:
            known[table] = others_than(document, table)
        yield from rows_of(document, table)

    def others(path: Path, table: str | None) -> str | None:
        if table not in known:
            known[table] = others_than(_loaded(path, opener), table)
        return known[table]

    return RowsOfDocument(path, rows, Tables(rows, others))


def _loaded(path: Path, opener: Callable[[], IO[bytes]]) -> Any:
    with opener() as file:
        text = file.read().removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            packs = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        except orjson.JSONDecodeError:
            packs = []
        if packs and all(map(is_senml, packs)):  # a pack of SenML on each line
            return [record for pack in packs for record in _on_its_own(pack)]
        raise ConnectorError(f"{path} is no JSON: {error}"[:300]) from error


def _on_its_own(pack: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A pack that has nothing from the one before it."""
    return [{"bn": "", "bt": 0.0, "bv": 0.0, "bu": None, **pack[0]}, *pack[1:]]
