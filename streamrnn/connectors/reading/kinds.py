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
    b"SIMPLE  =": "FITS",
    b"$FL2": "data of SPSS",
    b"$FL3": "data of SPSS",
    b"<stata_dta>": "data of Stata",
    bytes(12) + b"\xc2\xea\x81\x60": "data of SAS",
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
_LOG = "is a log: export what it counts or measures, a row for each time, as CSV or JSON lines"
_TEXTS = (
    (rb"[!$][A-Z]{5},[^\n]*\*[0-9A-F]{2}\s", "has sentences of NMEA: convert them to CSV with times (gpsbabel)"),
    (rb"\(\d{9,}\.\d+\)\s+\w+\s+[0-9A-Fa-f]{3,8}#", "is a dump of a CAN bus: decode it (cantools) to rows of signals"),
    (rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:]+: ", _LOG),
    (rb"\S+ \S+ \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \"", _LOG),
    (rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d{3} +\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|TRACE)\b", _LOG),
    (rb"(?:METAR |SPECI )?[A-Z]{4} \d{6}Z (?:AUTO )?\S+KT ", "has reports of airports (METAR): decode them to columns"),
    (rb"structure\(c\(|structure\(list\(", "is R code (dput): write.csv writes a table that is read"),
    (rb"(?:#[^\n]*\n|\s)*\[\[?[\w.]+\]\]?\s*\n\s*[\w.]+\s*=", "is TOML, or settings: write rows as CSV or JSON lines"),
    (rb"\\(?:begin|documentclass)\b", "is LaTeX: write its table as CSV"),
    (rb"\* Sea-Bird ", "is a file of Sea-Bird, whose times are in its head: write CSV with a column of times"),
    (rb"Linux \S+ \([^)\n]*\)\s+[\d/-]{8,10}\s", "is what sar or iostat prints, whose date is in its first line: "
     "sadf -d and iostat -o JSON write rows with times"),
)  # fmt: skip
"""Kinds of text by how it begins, none of which is a table with times, and what to do."""
_BARE_RETURN = re.compile(rb"\r(?![\r\n])")
_IN_QUOTES = re.compile(rb'"[^"]*"')


def refuse_by_first_bytes(path: Path, start: bytes) -> None:
    """Raises `ConfigurationError` for kinds of files that hold rows in a way that is not read."""
    text = start.removeprefix(b"\xef\xbb\xbf")
    for mark, what in _OTHERS.items():
        if text.startswith(mark):
            raise ConfigurationError(f"{path} is {what}: write its rows as CSV, JSON lines or Parquet")
    for form, why in _TEXTS:
        if re.match(form, text):
            raise ConfigurationError(f"{path} {why}")
    if _SQL.match(text):
        raise ConfigurationError(f"{path} has statements of SQL: write the rows of a SELECT as CSV")


def ends_with_returns(beginning: bytes) -> bool:
    """Whether carriage returns alone end lines here, all of them or some."""
    returns = len(_BARE_RETURN.findall(beginning))
    if returns < 2:
        return False
    outside = len(_BARE_RETURN.findall(_IN_QUOTES.sub(b"", beginning)))
    return outside > 1 and outside > beginning.count(b"\n") / 10
