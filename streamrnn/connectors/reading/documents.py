"""Files that are no lines: their rows as JSON objects, and the number of a row as its position."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any

import orjson

from streamrnn.connectors.reading.clocks import recognises
from streamrnn.connectors.reading.lines import Found, LineReader, Looked
from streamrnn.connectors.reading.sample import at_path
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


def json_document(path: Path, opener: Callable[[], IO[bytes]] | None) -> Iterator[dict[str, Any]]:
    """Rows in one JSON document: the longest list of objects in it, columns as lists, or what Prometheus answers."""
    with (opener or (lambda: path.open("rb")))() as file:
        text = file.read()
    try:
        document = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise ConnectorError(f"{path} is no JSON: {error}"[:300]) from error
    if isinstance(document, list) and document and all(_is_scalars(one) for one in document):
        yield from _pairs(document)
        return
    if isinstance(document, list) and all(isinstance(one, list) for one in document):
        for states in document:
            yield from _history(states)
        return
    result = at_path(document, "data.result") if isinstance(document, dict) else None
    if isinstance(result, list) and result and all(isinstance(one, dict) and "metric" in one for one in result):
        yield from _prometheus(result)
        return
    table = next(_tables(document), None)
    if table is not None:
        yield from table
        return
    columns = max(_column_sets(document), key=lambda one: len(next(iter(one.values()))), default=None)
    objects = max(_lists_of_objects(document), key=len, default=[])
    if columns is not None and len(next(iter(columns.values()))) > len(objects):
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))
        return
    if objects:
        yield from objects
    elif isinstance(document, dict):
        yield document


def _is_scalars(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not any(isinstance(one, list | dict) for one in value)


def _pairs(rows: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """Rows without names; of two columns of which one can only be a time, that is `time` and the other `value`."""
    names = [f"column{at}" for at in range(1, max(map(len, rows)) + 1)]
    if len(names) == 2:
        late = [all(_is_time(row[at]) for row in rows if len(row) == 2) for at in range(2)]
        if late in ([True, False], [False, True]):
            names = ["time", "value"] if late[0] else ["value", "time"]
    for row in rows:
        yield dict(zip(names, row, strict=False))


def _is_time(value: Any) -> bool:
    return recognises(value) if isinstance(value, str) else isinstance(value, int | float) and value > 1e8


def _tables(document: Any) -> Iterator[list[dict[str, Any]]]:
    """Rows of what `to_json` of pandas writes (columns, index, split), and of values by their time."""
    if not isinstance(document, dict) or len(document) < 2:
        return
    names, data = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(data, list) and data and all(isinstance(row, list) for row in data[:9]):
        yield [dict(zip(map(str, names), row, strict=False)) for row in data]
        return
    values = [*document.values()]
    if all(isinstance(one, dict) for one in values):
        rows = [*values[0]]
        if len(rows) > 1 and all([*one] == rows for one in values) and all(row.isdigit() for row in rows):
            yield [{name: one[row] for name, one in document.items()} for row in rows]
            return
    if all(recognises(name) for name in [*document][:200]):
        plain = all(isinstance(one, int | float | None) for one in values)
        if plain or all(isinstance(one, dict) for one in values):
            yield [
                {"time": name, **(one if isinstance(one, dict) else {"value": one})} for name, one in document.items()
            ]


def _history(states: list[Any]) -> Iterator[dict[str, Any]]:
    """States of one entity of Home Assistant, of which all but the first may be short."""
    entity = None
    for state in states:
        if isinstance(state, dict):
            entity = state.get("entity_id", entity)
            yield {"entity_id": entity, "state": state.get("state"), "last_changed": state.get("last_changed")}


def _prometheus(result: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A series is its labels; its samples are pairs of seconds and text."""
    for one in result:
        labels = one["metric"]
        name = labels.get("__name__", "")
        inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "__name__")
        key = f"{name}{{{inside}}}" if inside else name
        for second, value in one.get("values") or ([one["value"]] if "value" in one else []):
            yield {"key": key, "time": second, "value": value}


def _lists_of_objects(value: Any, depth: int = 0) -> Iterator[list[dict[str, Any]]]:
    if depth > 6:
        return
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            yield value
        elif value and all(isinstance(one, list) for one in value[:3]):
            for one in value:
                yield from _lists_of_objects(one, depth + 1)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _lists_of_objects(inner, depth + 1)


def _column_sets(value: Any, depth: int = 0) -> Iterator[dict[str, list[Any]]]:
    """Objects in which several lists of one length stand side by side."""
    if not isinstance(value, dict) or depth > 6:
        return
    lists = {
        name: inner for name, inner in value.items()
        if isinstance(inner, list) and inner and not isinstance(inner[0], dict | list)
    }  # fmt: skip
    if len(lists) > 1 and len({len(inner) for inner in lists.values()}) == 1:
        yield lists
    for inner in value.values():
        yield from _column_sets(inner, depth + 1)
