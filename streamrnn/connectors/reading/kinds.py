"""What the first bytes of a file tell before it is read: what is no table at all, and how its lines end."""

from __future__ import annotations

import re
from pathlib import Path

from streamrnn.errors import ConfigurationError

_OTHERS = {
    b"\x89HDF": "HDF5 (netCDF 4, MATLAB 7.3)",
    b"CDF\x01": "netCDF",
    b"CDF\x02": "netCDF",
    b"GRIB": "GRIB",
    b"MATLAB 5.0": "a workspace of MATLAB",
    b"SQLite format 3": "a database of SQLite",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"FEA1": "Feather of the first version",
    b"\x93NUMPY": "an array of numpy",
    b"\x80\x04\x95": "a pickle of Python",
    b"\x80\x05\x95": "a pickle of Python",
    b"RDX": "data of R",
    b"%PDF-": "a PDF",
    b"{\\rtf": "RTF",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
"""Kinds of files by their first bytes, of which none is read."""
_SQL = re.compile(
    rb"\s*(?:--[^\n]*\n|/\*.*?\*/;?\s*|SET [^\n]*\n|\s)*(?:INSERT INTO|CREATE TABLE|DROP TABLE|BEGIN;)",
    re.IGNORECASE | re.DOTALL,
)
_BARE_RETURN = re.compile(rb"\r(?![\r\n])")
_IN_QUOTES = re.compile(rb'"[^"]*"')


def refuse_by_first_bytes(path: Path, start: bytes) -> None:
    """Raises `ConfigurationError` for kinds of files that hold rows in a way that is not read."""
    text = start.removeprefix(b"\xef\xbb\xbf")
    for mark, what in _OTHERS.items():
        if text.startswith(mark):
            raise ConfigurationError(f"{path} is {what}: write its rows as CSV, JSON lines or Parquet")
    if _SQL.match(text):
        raise ConfigurationError(f"{path} has statements of SQL: write the rows of a SELECT as CSV")


def ends_with_returns(beginning: bytes) -> bool:
    """Whether carriage returns alone end lines here, all of them or some."""
    returns = len(_BARE_RETURN.findall(beginning))
    if returns < 2:
        return False
    outside = len(_BARE_RETURN.findall(_IN_QUOTES.sub(b"", beginning)))
    return outside > 1 and outside > beginning.count(b"\n") / 10
