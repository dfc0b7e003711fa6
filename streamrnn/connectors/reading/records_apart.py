"""Records of a line for each field, as `psql -x`, MySQL's `\\G`, SQLite's `.mode line` and ClickHouse's Vertical print.

Lists of flat records in YAML are such records, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, Any

_BEGINS = re.compile(
    r"-\[ RECORD \d+ \][-+]*$|\*{3,} \d+\. row \*{3,}$|Row \d+:$|─+$|---$|\s*$"  # a line between two records
)
_FIELD = re.compile(r"(?P<begin>\s*- |\s*)(?P<name>[^\s:=|#][^:=|]*?)\s*(?P<mark>: | \| |=|:$)\s*(?P<value>.*)$")
_BANNER = re.compile(r"-\[ RECORD \d+ \]|\*{3,} \d+\. row \*{3,}|Row \d+:\s*\n─+")
_LIST = re.compile(
    r"(?:(?:---|#[^\n]*|%[^\n]*|[\w.-]+:)?\s*\n)*?\s*- [\"']?[\w.-]+[\"']?:\s+\S[^\n]*\n\s+[\"']?[\w.-]+[\"']?:\s"
)
_LINES = re.compile(r"\s*[\w.]+ = [^\n]*\n(?:\s*[\w.]+ = [^\n]*\n)+\s*\n\s*[\w.]+ = ")


def begins_records(beginning: bytes) -> bool:
    """Whether a file holds such records."""
    text = beginning.decode("utf-8", "replace").removeprefix("\ufeff").lstrip("\r\n").replace("\r\n", "\n")
    return any(form.match(text) is not None for form in (_BANNER, _LIST, _LINES))


def records(opener: Callable[[], IO[bytes]]) -> Iterator[dict[str, Any]]:
    """Each of them as an object. A line that is no field is passed by; in YAML `- ` begins a record."""
    record: dict[str, Any] = {}
    with opener() as file:
        for raw in file:
            line = raw.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")
            found = None if _BEGINS.match(line) else _FIELD.match(line)
            if found is None or found["begin"].endswith("- "):
                if record:
                    yield record
                record = {}
            if found is not None and (found["value"] or found["mark"] != ":"):
                record[found["name"].strip("\"'")] = _value(found["value"].strip())
    if record:
        yield record


def _value(text: str) -> str | None:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return None if text in ("NULL", "null", "~", "ᴺᵁᴸᴸ", "\\N", "") else text
