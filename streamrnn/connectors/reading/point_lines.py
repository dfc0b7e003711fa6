"""Lines that are points, as agents and brokers write them.

Line protocol of InfluxDB: `measurement,tag=a field=1.5,other=2i 1704067200000000000`. What Prometheus scrapes:
`requests_total{code="200"} 1027 1704067200000`. Logfmt: `time=2024-01-01T00:00:00Z host=a value=1.5`. A topic of MQTT
with its message: `plant/pump-7 {"value": 1.5}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

_LINE = re.compile(
    r"(?P<series>(?:\\.|[^\s\\,=\"])+(?:,(?:\\.|[^\s\\,=])+=(?:\\.|[^\s\\,=])+)*) "
    r"(?P<fields>(?:(?:\\.|[^\s\\,=\"])+=(?:\"(?:\\.|[^\"\\])*\"|[^\s,\"=]+),?)+)(?: (?P<time>-?\d+))?$"
)
_FIELD = re.compile(r"((?:\\.|[^\\,=])+)=(\"(?:\\.|[^\"\\])*\"|[^,]+)")


def kind_of(lines: Sequence[bytes]) -> str | None:
    """Which of the kinds most of the first lines are; None where they are none."""
    known = [line for line in lines[:50] if line.strip() and not line.startswith(b"#")]
    for kind, parse in KINDS.items():
        if known and sum(parse(line) is not None for line in known) >= 0.9 * len(known):
            return kind
    return None


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


_SAMPLE = re.compile(
    r"(?P<series>[A-Za-z_:][\w:]*(?:\{(?:[^\"}]|\"(?:\\.|[^\"\\])*\")*\})?)\s+(?P<value>\S+)(?:\s+(?P<time>-?\d{9,}))?$"
)
_PAIR = re.compile(r"([\w.@-]+)=(?:\"((?:\\.|[^\"\\])*)\"|(\S*))")
_PAIRS = re.compile(r"\s*(?:[\w.@-]+=(?:\"(?:\\.|[^\"\\])*\"|[^\s\"]*)\s*){2,}$")


def sample(line: bytes) -> dict[str, Any] | None:
    """One sample of a scrape of Prometheus; `key` is its name and labels."""
    found = _SAMPLE.match(_decoded(line))
    if found is None or ("{" not in found["series"] and found["time"] is None):
        return None  # a word and a number: a table
    try:
        value = float(found["value"].lower().replace("inf", "nan"))
    except ValueError:
        return None
    values: dict[str, Any] = {"key": found["series"], "value": value if value == value else None}
    return values if found["time"] is None else {**values, "time": int(found["time"])}


def pairs(line: bytes) -> dict[str, Any] | None:
    """The names and values of a line of logfmt."""
    text = _decoded(line)
    if _PAIRS.match(text) is None:
        return None
    return {name: re.sub(r"\\(.)", r"\1", quoted) if quoted else plain for name, quoted, plain in _PAIR.findall(text)}


def topic(line: bytes) -> dict[str, Any] | None:
    """A topic and the JSON object behind it, as `mosquitto_sub -v` prints them; `topic` is a field of the object."""
    name, _, rest = line.strip().partition(b" ")
    if not rest.lstrip().startswith(b"{") or name[:1] in b'{["':
        return None
    try:
        return {"topic": name.decode(), **orjson.loads(rest)}
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return None


def _decoded(line: bytes) -> str:
    return line.decode(errors="replace").strip()


KINDS: dict[str, Callable[[bytes], dict[str, Any] | None]] = {
    "line protocol": point,
    "scrape": sample,
    "logfmt": pairs,
    "topics": topic,
}
"""What reads one line of each kind: names and values, None where it is no such line."""
SPOKEN = {
    "line protocol": "line protocol of InfluxDB",
    "scrape": "samples as Prometheus scrapes them",
    "logfmt": "names and values (logfmt)",
    "topics": "topics of MQTT with JSON behind them",
}
