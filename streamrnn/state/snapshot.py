"""State arrays to bytes and back: versioned, checksummed, self-describing, and never a pickle.

A snapshot is a handful of records (key, value), the same in a Kafka changelog, in a file and in memory:

    manifest          JSON: whose state it is, offset it stands for, settings of the model, number of series, counters
    shared/<chunk>    the arrays of the partition, as safetensors
    series/<chunk>/K  the row of series K: its bytes through all arrays

Only rows that changed since the last snapshot are written; a reader lets the last record of a key win. Values begin
with the format, a checksum over key and payload, the chunk count, the offset of the snapshot they belong to and the
versions of their layout (`migrations.py`): rows that nobody changed stay as an older streamrnn wrote them, and become
the present layout whenever they are read. Format 1, of streamrnn 0.1.0, names no versions and no owner. Format 3
is as 2, and keeps those away that do not know that a snapshot may come in several commits.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import crc32c
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from streamrnn.errors import SnapshotCorrupt, SnapshotMismatch, SnapshotVersion
from streamrnn.records.log import Message
from streamrnn.state.arrays import Array, RowBytes
from streamrnn.state.migrations import FIRST, ROOM, Reader, Versions

FORMAT = 3
LARGEST_RECORD = 800_000
"""Bytes of payload per record: with key and header well below the 1 MiB that Kafka takes by default."""

_MAGIC = b"SRNN"
_HEADER = struct.Struct("<4sHIHHq")  # magic, format, checksum, chunk, chunks, offset; then the versions
_MANIFEST, _SHARED, _SERIES = b"manifest", b"shared/", b"series/"
PART = b"part/"
"""What stands, with a number, before all keys of a file's state that is split (`split_model.py`)."""


class Owner(NamedTuple):
    """Whose state it is: the partition of one application."""

    application: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] of application {self.application!r}"


class Manifest(NamedTuple):
    """What a snapshot says of itself."""

    offset: int
    shape: dict[str, Any]  # the settings that give the state its meaning: `settings.py`
    series: int
    counters: dict[str, int]
    version: str
    owner: Owner | None = None  # None: format 1, or state that no other application could reach
    layout: dict[str, int] | None = None  # for people: what counts is in every record's header
    witnesses: Sequence[tuple[int, int]] = ()  # of the clock of events: `event_clock.py`
    holidays: dict[str, Any] | None = None  # those that were over: `holidays_over.py`; None: there were none to name


def write(
    manifest: Manifest,
    shared: Mapping[str, Array],
    rows: Iterable[tuple[str, bytes | None]],
    versions: Versions = FIRST,
    row_size: int = 0,
) -> Iterator[Message]:
    """The records of one snapshot; the manifest comes last. A row that is None deletes one of `row_size` bytes.

    What is given but the rows is copied at once; these are asked for as the records are.
    """
    arrays = save_arrays({name: np.ascontiguousarray(array) for name, array in shared.items()})
    document = json.dumps(manifest._asdict() | {"owner": manifest.owner and manifest.owner._asdict()}).encode()
    return _records(manifest.offset, arrays, rows, document, versions, _chunk_count(row_size))


def _records(
    offset: int,
    shared: bytes,
    rows: Iterable[tuple[str, bytes | None]],
    manifest: bytes,
    versions: Versions,
    row_chunks: int,
) -> Iterator[Message]:
    yield from _chunks(_SHARED, b"", shared, offset, versions)
    for key, row in rows:
        name = b"/" + key.encode()
        if row is None:  # forgotten: whatever there is of it
            yield from (Message(b"%b%d%b" % (_SERIES, chunk, name), None) for chunk in range(row_chunks))
        else:
            yield from _chunks(_SERIES, name, row, offset, versions)
    yield Message(_MANIFEST, _seal(_MANIFEST, manifest, 0, 1, offset, versions))


def _chunk_count(size: int) -> int:
    return max(1, -(-size // LARGEST_RECORD))


def _chunks(prefix: bytes, suffix: bytes, payload: bytes, offset: int, versions: Versions) -> Iterator[Message]:
    count = _chunk_count(len(payload))
    for chunk in range(count):
        key = b"%b%d%b" % (prefix, chunk, suffix)
        part = payload[chunk * LARGEST_RECORD : (chunk + 1) * LARGEST_RECORD]
        yield Message(key, _seal(key, part, chunk, count, offset, versions))


def _seal(key: bytes, payload: bytes, chunk: int, chunks: int, offset: int, versions: Versions) -> bytes:
    checksum = _checksum(FORMAT, key, payload, chunk, chunks, offset, versions)
    return _HEADER.pack(_MAGIC, FORMAT, checksum, chunk, chunks, offset) + versions + payload


def seal(key: bytes, payload: bytes, versions: Versions) -> bytes:
    """One record that stands alone, for `open_record`; of any size."""
    return _seal(key, payload, 0, 1, 0, versions)


def _checksum(form: int, key: bytes, payload: RowBytes, chunk: int, chunks: int, offset: int, versions: bytes) -> int:
    # Against accidents, as Kafka's own: with a slower one a restore would spend its time here.
    return int(crc32c.crc32c(payload, _begun(form, key, chunk, chunks, offset, versions)))


@lru_cache(64)  # the records of one key after the other differ; those that stand alone do not
def _begun(form: int, key: bytes, chunk: int, chunks: int, offset: int, versions: bytes) -> int:
    """The checksum up to the payload."""
    about = struct.pack("<IHHq", len(key), chunk, chunks, offset) + versions + key
    if form > 2:  # before, a damaged number of the format was seen by what it made of the rest
        about = struct.pack("<H", form) + about
    return int(crc32c.crc32c(about))


def digest_of(content: RowBytes | Mapping[str, Array], rows: Mapping[str, bytes] | None = None) -> bytes:
    """Digest of one row, or of a whole state: the partition's arrays and the digest of every series' row.

    The same whatever order or memory the series are in, so two states are equal when their digests are.
    """
    digest = hashlib.blake2b(digest_size=16)
    if not isinstance(content, Mapping):
        digest.update(content)
        return digest.digest()
    for name in sorted(content):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(content[name]).tobytes())
    for key in sorted(rows or {}):
        digest.update(key.encode() + b"\0" + (rows or {})[key])
    return digest.digest()


class Part(NamedTuple):
    """One verified record."""

    payload: memoryview
    chunk: int
    chunks: int
    offset: int
    versions: Versions


def open_record(key: bytes, value: bytes) -> Part:
    """Verify one record.

    Raises `SnapshotVersion` for one written by a newer streamrnn, `SnapshotCorrupt` for anything that is not what
    was written. Allocates no more than the value's own size.
    """
    if len(value) < _HEADER.size:
        raise SnapshotCorrupt(f"snapshot record {key!r:.80} is cut after {len(value)} bytes")
    magic, form, checksum, chunk, chunks, offset = _HEADER.unpack_from(value)
    if magic != _MAGIC:
        raise SnapshotCorrupt(f"{key!r:.80} is not a streamrnn snapshot record")
    if form > FORMAT:
        raise SnapshotVersion(
            f"the state was written in format {form}, and this streamrnn reads up to {FORMAT}: "
            "run the newer version, or `streamrnn reset` to start again"
        )
    said = b"" if form == 1 else value[_HEADER.size : _HEADER.size + ROOM]
    payload = memoryview(value)[_HEADER.size + len(said) :]
    if form < 1 or checksum != _checksum(form, key, payload, chunk, chunks, offset, said):
        raise SnapshotCorrupt(f"snapshot record {key!r:.80} is damaged: its checksum does not match")
    if not chunk < chunks:
        raise SnapshotCorrupt(f"snapshot record {key!r:.80} is chunk {chunk} of {chunks}")
    return Part(payload, chunk, chunks, offset, said or FIRST)


def resealed(key: bytes, value: bytes, offset: int, payload: bytes | None = None) -> bytes:
    """A verified record with another offset, and with another `payload` where one is given."""
    part = open_record(key, value)
    content = bytes(part.payload) if payload is None else payload
    return _seal(key, content, part.chunk, part.chunks, offset, part.versions)


def series_in(key: bytes) -> str | None:
    """The series whose row a record of this key holds; None for what belongs to the whole partition."""
    return key[len(_SERIES) :].split(b"/", 1)[1].decode() if key.startswith(_SERIES) else None


class SnapshotReader:
    """Takes records in log order; hands each series' row out when it is whole, the rest at the end."""

    def __init__(self, layouts: Reader | None = None) -> None:
        """`layouts` brings everything to the present layout; without it things are handed out as they were stored."""
        self._layouts = layouts
        self.refused: dict[str, SnapshotVersion | ValueError] = {}
        """Series whose last row has a layout that cannot be read."""
        self.versions = FIRST
        """Of the layout that the partition's arrays have as `finish` gives them."""
        self._manifest: Part | None = None
        self._shared: dict[int, Part] = {}
        self._partial: dict[str, dict[int, Part]] = {}

    def read(self, messages: Iterable[Message]) -> Iterator[tuple[str, RowBytes | None]]:
        """Yield (series, row) as rows become complete, (series, None) for a deleted series; later ones win."""
        for message in messages:
            key, value = message.key or b"", message.value
            if key.startswith(_SERIES):
                yield from self._series(key, value)
            elif value is None:
                continue
            elif key.startswith(_SHARED):
                part = open_record(key, value)
                self._shared[part.chunk] = part
            elif key == _MANIFEST:
                self._manifest = open_record(key, value)
            elif key.startswith(PART):
                raise SnapshotMismatch(
                    "partitions was split, is 1: the state is that of a run with --partitions; give the same number"
                )
            else:
                raise SnapshotCorrupt(f"{key!r:.80} is no key of a streamrnn snapshot: is this topic used by others?")

    def _series(self, key: bytes, value: bytes | None) -> Iterator[tuple[str, RowBytes | None]]:
        try:
            series = key[len(_SERIES) :].split(b"/", 1)[1].decode()
        except (IndexError, UnicodeDecodeError):
            raise SnapshotCorrupt(f"{key!r:.80} is no key of a streamrnn snapshot") from None
        if value is None:
            self._partial.pop(series, None)
            self.refused.pop(series, None)
            yield series, None
            return
        part = open_record(key, value)
        if part.chunks == 1:
            yield from self._row(series, part.versions, part.payload)
            return
        parts = self._partial.setdefault(series, {})
        parts[part.chunk] = part
        if _whole(parts, part):
            yield from self._row(series, part.versions, b"".join(parts[i].payload for i in range(part.chunks)))
            del self._partial[series]

    def _row(self, series: str, versions: Versions, row: RowBytes) -> Iterator[tuple[str, RowBytes]]:
        self.refused.pop(series, None)
        if self._layouts is None:
            yield series, row
            return
        try:
            yield series, self._layouts.row(versions, row)
        except (SnapshotVersion, ValueError) as error:
            self.refused[series] = error  # a later record may replace it

    def finish(self) -> tuple[Manifest, dict[str, Array]] | None:
        """The manifest and the partition's arrays as they were stored; None if there was no record at all."""
        if self._manifest is None and not self._shared and not self._partial:
            return None
        if self._manifest is None:
            raise SnapshotCorrupt("the snapshot has no manifest")
        if self._partial:
            raise SnapshotCorrupt(f"series {next(iter(self._partial))!r} is incomplete")
        try:
            manifest = Manifest(**json.loads(bytes(self._manifest.payload)))
            if manifest.owner is not None:
                manifest = manifest._replace(owner=Owner(**manifest.owner))  # type: ignore[arg-type]
        except (ValueError, TypeError) as error:
            raise SnapshotCorrupt(f"the snapshot's manifest cannot be read: {error}") from error
        last = self._shared.get(0)
        if last is None or last.offset != manifest.offset or not _whole(self._shared, last):
            raise SnapshotCorrupt("the partition's arrays are not of the same snapshot as the manifest")
        self.versions = last.versions
        data = b"".join(self._shared[i].payload for i in range(last.chunks))
        try:
            return manifest, dict(load_arrays(data))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise SnapshotCorrupt(f"the partition's arrays cannot be read: {error}") from error


def _whole(parts: Mapping[int, Part], latest: Part) -> bool:
    return all(i in parts and parts[i].offset == latest.offset for i in range(latest.chunks))
