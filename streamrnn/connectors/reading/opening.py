"""What kind of file it is, by its first bytes, and the lines in it: compressed, UTF-16, one JSON document, Parquet."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import orjson

from streamrnn.connectors.reading.documents import RowsOfDocument, excel, json_document, parquet
from streamrnn.connectors.reading.green_button import green_button, is_green_button
from streamrnn.connectors.reading.json_kinds import begins_senml
from streamrnn.connectors.reading.json_tables import has_tables
from streamrnn.connectors.reading.json_values import (
    JsonReader,
    begins_array,
    begins_history,
    begins_pairs,
    is_spread_out,
)
from streamrnn.connectors.reading.kinds import ends_with_returns, refuse_by_first_bytes
from streamrnn.connectors.reading.lines import Forward, Found, LineReader
from streamrnn.connectors.reading.monash import arff, is_arff, is_monash, monash
from streamrnn.connectors.reading.records_apart import begins_records, records
from streamrnn.errors import ConfigurationError, ConnectorError

_LINES = {".jsonl", ".ndjson"}
_LARGEST_DOCUMENT = 512 << 20
_BEGINNING = 1 << 16  # bytes, decompressed and decoded, that tell what is in a file
Opener = Callable[[], IO[bytes]]


def open_input(path: Path | None, *, hold_back: bool = False) -> LineReader:
    """The lines of a file (None: standard input).

    Raises `ConnectorError` when it cannot be read, `ConfigurationError` when it is no kind of file that can be.
    """
    if path is None or not path.is_file():
        return LineReader(path, hold_back=hold_back)
    try:
        with path.open("rb") as file:
            start = file.read(200)
    except OSError as error:
        raise ConnectorError(f"cannot read {path}: {error.strerror}") from error
    if start[:4] == b"PAR1" or start[:6] == b"ARROW1" or start[:4] == b"\xff\xff\xff\xff":
        return RowsOfDocument(path, parquet)
    if start[:4] == b"\xd0\xcf\x11\xe0":
        raise ConfigurationError(f"{path} is a spreadsheet of the old format: save it as .xlsx or CSV")
    if start[:4] == b"PK\x03\x04" and _is_excel(path):
        return RowsOfDocument(path, excel)
    refuse_by_first_bytes(path, start)
    opener = _decompressed(path, start)
    name = path.with_suffix("") if opener is not None else path
    beginning = _beginning(path, opener)
    encoding = _wide_encoding(beginning)
    if encoding is not None:
        opener = _recoded(opener or _as_it_is(path), encoding)
        beginning = _beginning(path, opener)
    # Zeros at the end are what a loss of power leaves behind.
    if _is_binary(beginning.rstrip(b"\0")):
        raise ConfigurationError(f"{path} is no text file: CSV, JSON, Parquet, Arrow or Excel is read")
    if opener is None and _is_markup(start.lstrip(b"\xef\xbb\xbf \r\n\t")):
        if is_green_button(path):
            return RowsOfDocument(path, green_button)
        raise ConfigurationError(
            f"{path} is HTML or XML: export its rows as CSV or JSON (of XML, Green Button is read)"
        )
    if ends_with_returns(beginning):
        opener = _with_line_ends(opener or _as_it_is(path))
        beginning = beginning.replace(b"\r", b"\n")
    plain = opener or _as_it_is(path)
    if is_monash(beginning):
        return RowsOfDocument(path, lambda _: monash(plain))
    if is_arff(beginning):
        return RowsOfDocument(path, lambda _: arff(plain))
    if begins_records(beginning):
        return RowsOfDocument(path, lambda _: records(plain))
    if name.suffix.lower() not in _LINES or _are_no_lines(start):
        kind = _json_kind(path, opener, beginning)
        if kind == "values":
            return JsonReader(path, opener=opener, hold_back=hold_back)
        if kind == "document":
            return json_document(path, plain)
    return LineReader(path, opener=opener, hold_back=hold_back and opener is None)


_CONTROLS = bytes(sorted({*range(32)} - {*b"\x01\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f"}))
"""Bytes that stand in no text; `\\x01` and `\\x1f` part cells."""


def _is_binary(text: bytes) -> bool:
    return len(text) - len(text.translate(None, _CONTROLS)) > len(text) // 50


def _is_markup(text: bytes) -> bool:
    """Whether tags begin here; `<DATE>,<OPEN>` is the header of a table."""
    return text[:1] == b"<" and re.match(rb"<\w+>[,;\t]<", text) is None


def _as_it_is(path: Path) -> Opener:
    return lambda: path.open("rb")


def _beginning(path: Path, opener: Opener | None) -> bytes:
    with (opener or _as_it_is(path))() as file:
        try:
            return file.read(_BEGINNING)
        except (OSError, EOFError, ValueError) as error:
            raise ConnectorError(f"cannot read {path}: {error}") from error


def _decompressed(path: Path, start: bytes) -> Opener | None:
    if start[:2] == b"\x1f\x8b":
        return lambda: gzip.open(path, "rb")  # type: ignore[return-value]
    if start[:3] == b"BZh":
        return lambda: bz2.open(path, "rb")
    if start[:6] == b"\xfd7zXZ\x00":
        return lambda: lzma.open(path, "rb")
    if start[:4] == b"\x28\xb5\x2f\xfd":
        return lambda: _zstandard(path)
    if start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.namelist() if not one.endswith("/") and not one.startswith("__MACOSX")]
        if len(members) != 1:
            raise ConfigurationError(
                f"{path} holds {len(members)} files ({', '.join(members[:5])}): unpack the one to read"
            )
        return lambda: zipfile.ZipFile(path).open(members[0])
    return None


def _zstandard(path: Path) -> IO[bytes]:
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError(f"{path} is compressed by zstd: pip install 'streamrnn[files]' reads it") from None
    return Forward(lambda: zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True))  # type: ignore[return-value]


def _is_excel(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise ConnectorError(f"cannot read {path}: {error}") from error


def _wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32, where it is one of them: by its mark, or by zeros in every other byte."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return name
    even, odd = start[:200:2], start[1:200:2]
    if len(start) > 8 and even.count(0) + odd.count(0) > len(start[:200]) * 0.4 and 0 in (even.count(0), odd.count(0)):
        return "utf-16-le" if odd.count(0) else "utf-16-be"
    return None


def _with_line_ends(raw: Opener) -> Opener:
    """Lines that end with carriage returns alone, as old Macs and some loggers write them."""
    return lambda: Forward(lambda: _Ended(raw()))  # type: ignore[return-value, arg-type]


class _Ended(io.RawIOBase):
    """Carriage returns as line ends."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`."""
        return self._stream.read(size).replace(b"\r", b"\n")

    def close(self) -> None:
        """See `io.RawIOBase`."""
        self._stream.close()
        super().close()


def _recoded(raw: Opener, encoding: str) -> Opener:
    return lambda: Forward(lambda: _Recoded(raw(), encoding))  # type: ignore[return-value, arg-type]


class _Recoded(io.RawIOBase):
    """Bytes of another encoding as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`."""
        while not self._rest:
            data = self._stream.read(1 << 20 if size < 0 else size)
            self._rest = self._decoder.decode(data, final=not data).encode()
            if not data:
                break
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken

    def close(self) -> None:
        """See `io.RawIOBase`."""
        self._stream.close()
        super().close()


def _json_kind(path: Path, opener: Opener | None, beginning: bytes) -> str:
    """`values`: an array, or objects over several lines; `document`: one object that holds the rows; else lines."""
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins_history(text) or begins_pairs(text) or begins_senml(text):
        return "document"
    if begins_array(text):
        return "document" if _first_holds_rows(path, opener) else "values"
    if text.startswith(b"{") and text.partition(b"\n")[0].rstrip().endswith(b"},"):
        return "values"
    if not text.startswith(b"{") or not is_spread_out(text, more=len(beginning) == _BEGINNING):
        return "lines"
    # One object over several lines, or a whole document on one: is there a second one?
    probe = JsonReader(path, opener=opener)
    try:
        found = 0
        while found < 2 and not probe.at_end and probe.position < _LARGEST_DOCUMENT:
            found += len(probe.lines(60))
    except ConnectorError:
        found = 1
    finally:
        probe.close()
    if found >= 2 or path.stat().st_size > _LARGEST_DOCUMENT:
        return "values"
    return "document"


def _are_no_lines(start: bytes) -> bool:
    """Whether what is called lines of JSON is an array, or has commas between the lines."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text[:1] == b"[" or text.partition(b"\n")[0].rstrip().endswith(b"},")


def _first_holds_rows(path: Path, opener: Opener | None) -> bool:
    """Whether the first object of an array is a series with its points, and not a row."""
    if path.stat().st_size > _LARGEST_DOCUMENT:
        return False
    probe = JsonReader(path, opener=opener)
    try:
        found: Found = []
        while not found and not probe.at_end:
            found = probe.lines(60)
        return bool(found) and has_tables(orjson.loads(found[0][0]))
    except (ConnectorError, orjson.JSONDecodeError):
        return False
    finally:
        probe.close()
