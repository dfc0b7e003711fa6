"""A learned state in one file that can be copied, kept and sent: the records of a snapshot as safetensors.

The file holds three arrays - all keys, all values, and how long each of them is -, further ones that a program keeps
beside them, and facts as JSON in its metadata.
Every record carries a checksum over key and value (`snapshot.py`), and the facts one of their own, so a damaged or
edited file is refused rather than used. No code is run to read it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import crc32c
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from streamrnn.errors import SnapshotCorrupt, SnapshotVersion, StateError
from streamrnn.records.log import Message

FORMAT = 1
_EXTRA = "extra."

Arrays: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def write_file(path: Path, messages: Iterable[Message], facts: Mapping[str, object], extra: Arrays) -> None:
    """Write the records of one snapshot and what there is to say of them; the file is replaced whole or not at all.

    `extra` are further arrays to keep, by name.

    Raises `StateError` where the file cannot be written.
    """
    pairs = [(message.key or b"", message.value or b"") for message in messages]
    lengths = np.array([(len(key), len(value)) for key, value in pairs], dtype=np.int64).reshape(-1, 2)
    arrays = {f"{_EXTRA}{name}": np.ascontiguousarray(array) for name, array in extra.items()}
    told = json.dumps(dict(facts))
    checksum = _checksum(told, lengths, arrays)
    arrays |= {
        "lengths": lengths,
        "keys": np.frombuffer(b"".join(key for key, _ in pairs), np.uint8),
        "values": np.frombuffer(b"".join(value for _, value in pairs), np.uint8),
    }
    metadata = {"format": str(FORMAT), "facts": told, "checksum": str(checksum)}
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        try:
            save_file(arrays, partial, metadata)
            os.replace(partial, path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error  # without the name of the file beside it
        raise StateError(f"cannot write the state to {path}: {why}") from error


def read_file(path: Path) -> tuple[dict[str, Any], Iterator[Message], dict[str, np.ndarray[Any, Any]]]:
    """The facts, the records and the further arrays of a file that `write_file` made.

    Raises `StateError` where it cannot be read, `SnapshotVersion` for one of a newer format, and `SnapshotCorrupt` for
    anything that is not what was written.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except OSError as error:
        raise StateError(f"cannot read the state in {path}: {error}") from error
    except SafetensorError as error:
        raise SnapshotCorrupt(f"{path} is not a state that streamrnn saved, or it is damaged: {error}") from error
    form = metadata.get("format", "")
    extra = {name: arrays.pop(name) for name in sorted(arrays) if name.startswith(_EXTRA)}
    if not form.isdecimal() or set(arrays) != {"lengths", "keys", "values"}:
        raise SnapshotCorrupt(f"{path} is not a state that streamrnn saved")
    if int(form) > FORMAT:
        raise SnapshotVersion(
            f"{path} has format {form}, and this streamrnn reads up to {FORMAT}: use the newer version"
        )
    lengths, told = arrays["lengths"], metadata.get("facts", "")
    whole = (
        lengths.ndim == 2
        and lengths.shape[1] == 2
        and lengths.dtype == np.int64
        and bool((lengths >= 0).all())
        and lengths.sum(axis=0).tolist() == [arrays["keys"].size, arrays["values"].size]
    )
    if not whole or metadata.get("checksum") != str(_checksum(told, lengths, extra)):
        raise SnapshotCorrupt(f"{path} is damaged: its checksum does not match")
    messages = _messages(arrays["keys"].tobytes(), arrays["values"].tobytes(), lengths)
    return json.loads(told), messages, {name.removeprefix(_EXTRA): array for name, array in extra.items()}


def _messages(keys: bytes, values: bytes, lengths: np.ndarray[Any, Any]) -> Iterator[Message]:
    at_key = at_value = 0
    for key, value in lengths.tolist():
        yield Message(keys[at_key : at_key + key], values[at_value : at_value + value])
        at_key, at_value = at_key + key, at_value + value


def _checksum(told: str, lengths: np.ndarray[Any, Any], extra: Arrays) -> int:
    """Of all that has no checksum of its own."""
    found = crc32c.crc32c(np.ascontiguousarray(lengths).tobytes(), crc32c.crc32c(told.encode()))
    for name in sorted(extra):
        found = crc32c.crc32c(extra[name].tobytes(), crc32c.crc32c(f"{name}{extra[name].dtype}".encode(), found))
    return int(found)
