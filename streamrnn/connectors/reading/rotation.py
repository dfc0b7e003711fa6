"""Files that a log was moved to: `x.log.1`, `x.log-20240131`, `x-2024-01-31.csv`."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COMPRESSED = {".gz", ".bz2", ".xz", ".zst", ".zip"}


def rotated(path: Path, *, compressed: bool = False) -> list[Path]:
    """Those of this file, the oldest first."""
    number = r"[._-]\d[\d._T:-]*"
    names = f"{re.escape(path.name)}{number}|{re.escape(path.stem)}{number}{re.escape(path.suffix)}"
    packed = f"({'|'.join(map(re.escape, sorted(_COMPRESSED)))})?" if compressed else ""
    pattern = re.compile(f"(?:{names}){packed}")
    with os.scandir(path.parent) as entries:
        found = [
            (entry.stat().st_mtime_ns, entry.name)
            for entry in entries
            if entry.name != path.name and pattern.fullmatch(entry.name) and entry.is_file()
        ]
    return [path.parent / name for _, name in sorted(found)]


def since(path: Path, moment: int, besides: tuple[int, int]) -> list[Path]:
    """Those that were last written at `moment` (ns) or later, without the file `besides` (device, inode)."""
    found = []
    for one in rotated(path):
        there = one.stat()
        if there.st_mtime_ns >= moment and (there.st_dev, there.st_ino) != besides:
            found.append(one)
    return found
