"""`streamrnn inspect` and `streamrnn reset`: what is stored, and forgetting it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from streamrnn.config.tree import Config
from streamrnn.errors import StateError
from streamrnn.records.log import Message, Partition
from streamrnn.state.snapshot import Manifest, SnapshotReader, digest_of
from streamrnn.state.snapshot_folder import SnapshotFolder, clear
from streamrnn.state.split_model import unprefixed


class Row(NamedTuple):
    """What is stored of one partition."""

    partition: str
    offset: int | None  # committed, next to read
    lag: int | None  # events after it in the log
    snapshot_offset: int | None
    snapshot_age_seconds: float | None
    series: int
    events: int
    bytes_per_series: int
    bytes: int
    digest: str
    written_by: str
    settings: dict[str, Any]
    counters: dict[str, int]  # of the model, since the partition's first event


def inspect_kafka(config: Config) -> list[Row]:
    """One row per partition of the input topic."""
    from streamrnn.connectors.kafka.operations import stored

    rows = []
    for place in stored(config.kafka, config.application_id, config.changelog):
        newest = 0

        def noted(messages: Iterator[Message]) -> Iterator[Message]:
            nonlocal newest
            for message in messages:
                newest = max(newest, message.timestamp or 0)
                yield message

        content = _content(noted(place.snapshots()))
        age = time.time() - newest / 1000 if newest else None
        lag = place.end - (place.committed if place.committed is not None else place.first)
        name = f"{place.partition.topic}[{place.partition.number}]"
        rows.append(Row(name, place.committed, lag, *_described(content, age)))
    return rows


def inspect_folder(path: Path) -> list[Row]:
    """The row of a state folder; one for each part of a file that was split."""
    if not path.is_dir():
        raise StateError(f"{path} is no folder")
    folder = SnapshotFolder(path, look_only=True)
    try:
        if folder.facts is None:
            raise StateError(f"{path} holds no snapshot")
        newest = max(file.stat().st_mtime for file in path.glob("[0-9]*.snapshot"))
        offset = int(str(folder.facts["offset"]))
        parts: dict[int | None, list[Message]] = {}
        for part, message in unprefixed(folder.messages()):
            parts.setdefault(part, []).append(message)
    finally:
        folder.close()
    age = time.time() - newest
    return [
        Row(str(path) if part is None else f"{path}[{part}]", offset, None, *_described(_content(iter(some)), age))
        for part, some in parts.items()
    ]


class _Content(NamedTuple):
    manifest: Manifest
    row_bytes: int
    shared_bytes: int
    digest: str


def _content(messages: Iterator[Message]) -> _Content | None:
    reader = SnapshotReader()
    rows: dict[str, bytes] = {}
    size = 0
    for key, row in reader.read(messages):
        rows.pop(key, None)
        if row is not None:
            rows[key] = digest_of(row)
            size = len(row)
    found = reader.finish()
    if found is None:
        return None
    manifest, shared = found
    if manifest.series != len(rows):
        raise StateError(f"the snapshot says {manifest.series} series, but {len(rows)} are stored")
    total = sum(array.nbytes for array in shared.values())
    return _Content(manifest, size, total, digest_of(shared, rows).hex())


def _described(content: _Content | None, age: float | None) -> tuple[Any, ...]:
    if content is None:
        return (None, None, 0, 0, 0, 0, "", "", {}, {})
    manifest = content.manifest
    return (
        manifest.offset,
        age,
        manifest.series,
        manifest.counters.get("events", 0),
        content.row_bytes,
        content.shared_bytes + manifest.series * content.row_bytes,
        content.digest,
        f"streamrnn {manifest.version}",
        manifest.shape,
        manifest.counters,
    )


def show(rows: list[Row], *, as_json: bool) -> None:
    """Print the rows as a table or as JSON, on standard output."""
    if as_json:
        json.dump([row._asdict() for row in rows], sys.stdout, indent=2)
        print()
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    heads = ("partition", "offset", "lag", "series", "events", "bytes/series", "bytes", "snapshot at", "age", "digest")
    for head in heads:
        table.add_column(head, justify="left" if head in ("partition", "digest") else "right", no_wrap=True)
    for row in rows:
        age = "-" if row.snapshot_age_seconds is None else f"{row.snapshot_age_seconds:,.0f} s"
        table.add_row(
            Text(row.partition),
            _number(row.offset),
            _number(row.lag),
            _number(row.series),
            _number(row.events),
            _number(row.bytes_per_series),
            _number(row.bytes),
            _number(row.snapshot_offset),
            age,
            row.digest[:16] or "-",
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def reset_folder(path: Path) -> None:
    """Delete every snapshot in a state folder."""
    if not path.is_dir():
        raise StateError(f"{path} is no folder")
    clear(path)


def reset_kafka(config: Config, target: Literal["earliest", "latest"] | int | datetime) -> dict[Partition, int]:
    """Forget the application's state in Kafka; returns where each partition begins."""
    from streamrnn.connectors.kafka.operations import reset
    from streamrnn.runtime.task import make_model

    def fresh(partition: Partition, offset: int) -> list[Message]:
        return list(make_model(config).snapshot(offset, partition))

    return reset(config.kafka, config.application_id, config.changelog, target, fresh)
