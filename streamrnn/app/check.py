"""`streamrnn check FILE`: how a file is read, in lines; `run`, `evaluate` and `produce` decide by the same look."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.look import Look
from streamrnn.connectors.reading.point_lines import SPOKEN
from streamrnn.errors import ConnectorError
from streamrnn.runtime.task import task_of

_MOST = 40
_UNITS = ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"))
_MONTH = (28 * 86_400, 31 * 86_400)


def check_file(config: Config, path: Path) -> tuple[dict[str, Any], list[str]]:
    """What was found as a document, and as lines for a person. Raises `StreamRNNError` where it cannot be read."""
    if path.is_dir():
        raise ConnectorError(f"cannot read {path}: it is a folder")
    with FileConnector(path, None) as connector:
        found = connector.look(config)
    return document(found), list(_lines(found, config))


def document(found: Look) -> dict[str, Any]:
    """What was found, as `check FILE --json` prints it."""
    layout, seen = found.layout, found.findings
    return {
        "format": layout.kind,
        "delimiter": layout.delimiter if layout.kind == "csv" else None,
        "encoding": layout.encoding,
        "columns": list(layout.names) or None,
        "time": layout.time.model_dump(mode="json") if layout.time is not None else None,
        "key": list(layout.keys),
        "targets": list(layout.targets),
        "features": list(layout.features),
        "future": list(found.event.future),
        "numbers": {name: how.model_dump(mode="json") for name, how in layout.numbers.items()},
        "interval_seconds": seen.interval,
        "rows_looked_at": seen.rows,
        "series": seen.series,
        "missing": seen.missing,
        "out_of_order": seen.late,
        "doubled": seen.doubled,
        "constant": seen.constant,
        "left_out": seen.left_out,
        "notes": found.notes,
        "flags": flags(found),
    }


def flags(found: Look) -> list[str]:
    """The flags that say what was found, for a run that shall not look again."""
    layout = found.layout
    said: list[str] = []
    if layout.kind == "csv" and layout.delimiter != ",":
        said += ["--delimiter", "tab" if layout.delimiter == "\t" else layout.delimiter]
    if layout.kind == "csv" and layout.encoding != "utf-8":
        said += ["--encoding", layout.encoding]
    if layout.time is not None and len(layout.time.columns) == 1:
        said += ["--time", layout.time.columns[0]]
    for name in layout.keys:
        said += ["--key", name]
    for name in layout.targets[:_MOST]:
        said += ["--target", name]
    marks = {how.decimal for how in layout.numbers.values()}
    if marks == {","}:
        said += ["--decimal", ","]
    for name, value in found.findings.sentinels.items():
        said += ["--na", value] if name else []
    if found.findings.late:
        said.append("--sort")
    return said


def spoken_interval(seconds: float) -> str:
    """`3600` as 1 hour."""
    if _MONTH[0] <= seconds <= _MONTH[1]:
        return f"about a month ({seconds:g} s)"
    for size, name in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}{'s' * (count > 1)} ({seconds:g} s)"
    return f"{seconds:.4g} s"


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def _lines(found: Look, config: Config) -> Iterator[str]:
    layout, seen = found.layout, found.findings
    kind = {"csv": "a table in text", "json": "JSON", **SPOKEN}[layout.kind]
    if layout.kind == "csv":
        mark = {"\t": "tab", " ": "spaces", ",": "comma", ";": "semicolon"}.get(layout.delimiter, layout.delimiter)
        kind += f", cells parted by {mark}, {'with' if layout.header is not None else 'without'} a header"
        kind += f", {'UTF-8' if layout.encoding == 'utf-8' else layout.encoding}"
    yield f"format     {kind}"
    yield f"rows       {seen.rows:,} were looked at"
    if layout.time is None:
        yield "time       none: rows count as one second apart"
    else:
        zone = config.event.time_zone or layout.time.zone or "UTC where a time has none"
        form = layout.time.form + (f" {layout.time.unit}" if layout.time.form == "epoch" else "")
        yield f"time       {' and '.join(layout.time.columns)} ({form}; zone: {zone})"
        if seen.interval is not None:
            yield f"interval   {spoken_interval(seen.interval)}"
    yield f"key        {' and '.join(layout.keys) or 'none: one series'}" + (
        f" ({seen.series:,} series in the rows looked at)" if layout.keys else ""
    )
    learned, names = task_of(config.model_copy(update={"event": found.event})).learned
    yield f"{learned:<10} {_listed(names)}"
    if layout.features:
        yield f"features   {_listed(layout.features)}"
    if config.event.future:
        yield f"future     {_listed(config.event.future)}: known {config.model.horizon} steps ahead"
    if seen.missing:
        yield "missing    " + _listed(f"{text} ({count})" for text, count in seen.missing.items())
    if seen.constant:
        yield f"constant   {_listed(seen.constant)}"
    for note in found.notes:
        yield f"note       {note}"
    yield "flags      " + (shlex.join(flags(found)) or "none are needed")
