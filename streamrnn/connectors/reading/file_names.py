"""Names of files as text, and as the keys of their series."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from streamrnn.errors import ConfigurationError

_SUFFIX = re.compile(
    r"\.(?:csv|tsv|txt|dat|json|jsonl|ndjson|lp|log|xml|xlsx|parquet|arrow|feather|gz|bz2|xz|zst|zip)$", re.IGNORECASE
)


def plain_name(path: Path) -> str:
    """The name without its folder, as text; a file's name may be none."""
    return os.fsencode(path.name).decode(errors="replace")


def keys_by_name(paths: Sequence[Path]) -> dict[str, str]:
    """The key of each file: its name without suffixes, or with the folder where files in several have one name.

    Raises `ConfigurationError` where that is no name for each.
    """
    for parts in (1, 2):
        keys = ["/".join([*path.absolute().parts[-parts:-1], _without_suffixes(path)]) for path in paths]
        if len(set(keys)) == len(keys):
            return {str(path): key for path, key in zip(paths, keys, strict=True)}
    doubled = next(key for at, key in enumerate(keys) if key in keys[:at])
    raise ConfigurationError(f"--name-is-key: several files are called {doubled}")


def _without_suffixes(path: Path) -> str:
    """`pump-7` of `pump-7.csv.gz`; what stands behind a point and is no suffix of a file stays."""
    text = plain_name(path)
    while (found := _SUFFIX.search(text)) is not None and found.start():
        text = text[: found.start()]
    return text
