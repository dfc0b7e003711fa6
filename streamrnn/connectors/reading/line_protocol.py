"""Line protocol of InfluxDB: `measurement,tag=a field=1.5,other=2i 1704067200000000000`, one point a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_LINE = re.compile(
    r"(?P<series>(?:\\.|[^\s\\,=\"])+(?:,(?:\\.|[^\s\\,=])+=(?:\\.|[^\s\\,=])+)*) "
    r"(?P<fields>(?:(?:\\.|[^\s\\,=\"])+=(?:\"(?:\\.|[^\"\\])*\"|[^\s,\"=]+),?)+)(?: (?P<time>-?\d+))?$"
)
_FIELD = re.compile(r"((?:\\.|[^\\,=])+)=(\"(?:\\.|[^\"\\])*\"|[^,]+)")


def is_line_protocol(lines: Sequence[bytes]) -> bool:
    """Whether most of the first lines are points."""
    known = [line for line in lines[:50] if line.strip() and not line.startswith(b"#")]
    return bool(known) and sum(point(line) is not None for line in known) >= 0.9 * len(known)


def point(line: bytes) -> dict[str, Any] | None:
    """One point: `series` is measurement and tags, `time` the number at its end; None when it is none."""
    try:
        found = _LINE.match(line.decode().strip())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    values: dict[str, Any] = {"key": found["series"]}
    if found["time"] is not None:
        values["time"] = int(found["time"])
    for name, value in _FIELD.findall(found["fields"]):
        values[re.sub(r"\\(.)", r"\1", name)] = _value(value)
    return values


def _value(text: str) -> float | int | bool | str | None:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text.lower() in ("t", "true", "f", "false"):
        return text[0] in "tT"
    try:
        return int(text[:-1]) if text[-1] in "iu" else float(text)
    except ValueError:
        return None
