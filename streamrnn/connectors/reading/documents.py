"""Files that are no lines: their rows as JSON objects, and the number of a row as its position."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any

import orjson

from streamrnn.connectors.reading.json_tables import rows_of
from streamrnn.connectors.reading.lines import Found, LineReader, Looked
from streamrnn.errors import ConfigurationError, ConnectorError

Rows = Callable[[Path], Iterator[dict[str, Any]]]
_AT_ONCE = 1000


class RowsOfDocument(LineReader):
    """Rows that a function finds in a file; it is asked again to go back."""

    def __init__(self, path: Path, rows: Rows) -> None:
        super().__init__(path)
        self._rows = rows
        self._left = self._fresh()
        self._plain = False

    def _fresh(self) -> Iterator[dict[str, Any]]:
        assert self._path is not None
        return self._rows(self._path)

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
        for row in itertools.islice(self._fresh(), min(length, 100)):
            digest.update(_encoded(row))
        return digest.hexdigest()

    def read_so_far(self) -> int:
        """See `LineReader.read_so_far`."""
        return 0


def _encoded(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, default=_plain, option=orjson.OPT_NON_STR_KEYS)


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


def json_document(path: Path, opener: Callable[[], IO[bytes]]) -> Iterator[dict[str, Any]]:
    """Rows in one JSON document: see `json_tables`."""
    with opener() as file:
        text = file.read()
    try:
        document = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise ConnectorError(f"{path} is no JSON: {error}"[:300]) from error
    yield from rows_of(document)
