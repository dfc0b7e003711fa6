"""What the values of the configuration may be: durations, sizes, paths, names; and the base of its sections."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNITS |= {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
_UNITS |= {f"{name}s": _UNITS[name] for name in ("second", "minute", "hour", "day", "week")}


def seconds_of(value: object) -> object:
    """`30`, `"30s"`, `"1.5h"`, `"7d"` as seconds."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-z]*)\s*", value)
    if match is None or (match[2] or "s") not in _UNITS:
        near = difflib.get_close_matches(match[2], [unit for unit in _UNITS if len(unit) > 2], n=1) if match else []
        meant = f" (did you mean {match[1]} {near[0]}?)" if match and near else ""
        raise ValueError(f"{value!r} is not a duration{meant}; write for example 500ms, 30s, 15m, 24h or 7d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def is_address(host: str) -> bool:
    """Whether it is an IP address, no name."""
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    return host.lower() == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


_SIZES = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
}


def bytes_of(value: object) -> object:
    """`1000000`, `"512MiB"`, `"1.5 GB"`, `"2Gi"` as bytes."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{0,18}\.?[0-9]{1,18})\s*([kmgt]i?)?b?\s*", value.lower())
    if match is None:
        raise ValueError(f"{value!r} is not a size; write for example 512MiB or 2GiB")
    return int(float(match[1]) * _SIZES[match[2] or ""])


Size = Annotated[int, BeforeValidator(bytes_of), Field(ge=1 << 20, le=1 << 50)]

LONGEST = 100 * 365.25 * 86400.0
"""Seconds: clocks, waits and event times can count that far."""


def _sensible(seconds: float) -> float:
    if not 1e-6 <= seconds <= LONGEST:
        raise ValueError("a duration is between a microsecond and 100 years")
    return seconds


Seconds = Annotated[
    float,
    BeforeValidator(seconds_of),
    Field(gt=0, allow_inf_nan=False),
    AfterValidator(_sensible),
]


def _path(path: Path) -> Path:
    if path == Path() or "\0" in str(path):
        raise ValueError("is empty, or holds what no path can: leave the key out, or name a path (./ is this folder)")
    return path


FilePath = Annotated[Path, AfterValidator(_path)]


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError("is no name of a topic: those are letters, digits, dots, underscores and dashes, at most 249")
    return name


TopicName = Annotated[str, AfterValidator(_topic)]
Names = tuple[Annotated[str, Field(min_length=1)], ...]

LONGEST_CLASS = 64
"""Bytes of a class's name (UTF-8): it lives in the state of the partition."""


def class_name(value: object) -> object:
    """A class as text: `true`, `3` and `3.0` are "true", "3" and "3"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return str(value) if finite else value


def _short(name: str) -> str:
    if len(name.encode()) > LONGEST_CLASS:
        raise ValueError(f"a class's name has at most {LONGEST_CLASS} bytes")
    return name


ClassName = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_short),
    BeforeValidator(class_name, json_schema_input_type=str | bool | int | float),
]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """Base of every section: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)
