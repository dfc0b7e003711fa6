"""A learned state in one file that can be copied, kept and sent: the records of a snapshot as safetensors.

The file holds three arrays - all keys, all values, and how long each of them is - and facts as JSON in its metadata.
Every record carries a checksum over key and value (`snapshot.py`), and the facts one of their own, so a damaged or
edited file is refused rather than used. No code is run to read it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import crc32c
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from streamrnn.errors import SnapshotCorrupt, SnapshotVersion, StateError
from streamrnn.records.log import Message

FORMAT = 1


def write_file(path: Path, messages: Iterable[Message], facts: Mapping[str, object]) -> None:
    """Write the records of one snapshot and what there is to say of them; the file is replaced whole or not at all.

    Raises `StateError` where the file cannot be written.
    """
    pairs = [(message.key or b"", message.value or b"") for message in messages]
    lengths = np.array([(len(key), len(value)) for key, value in pairs], dtype=np.int64).reshape(-1, 2)
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "lengths": lengths,
        "keys": np.frombuffer(b"".join(key for key, _ in pairs), np.uint8),
        "values": np.frombuffer(b"".join(value for _, value in pairs), np.uint8),
    }
    told = json.dumps(dict(facts))
    metadata = {"format": str(FORMAT), "facts": told, "checksum": str(_checksum(told, lengths))}
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
        raise StateError(f"cannot write the state to {path}: {error}") from error


def read_file(path: Path) -> tuple[dict[str, Any], Iterator[Message]]:
    """The facts and the records of a file that `write_file` made.

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
    if not whole or metadata.get("checksum") != str(_checksum(told, lengths)):
        raise SnapshotCorrupt(f"{path} is damaged: its checksum does not match")
    return json.loads(told), _messages(arrays["keys"].tobytes(), arrays["values"].tobytes(), lengths)


def _messages(keys: bytes, values: bytes, lengths: np.ndarray[Any, Any]) -> Iterator[Message]:
    at_key = at_value = 0
    for key, value in lengths.tolist():
        yield Message(keys[at_key : at_key + key], values[at_value : at_value + value])
        at_key, at_value = at_key + key, at_value + value


def _checksum(told: str, lengths: np.ndarray[Any, Any]) -> int:
    return int(crc32c.crc32c(np.ascontiguousarray(lengths).tobytes(), crc32c.crc32c(told.encode())))
