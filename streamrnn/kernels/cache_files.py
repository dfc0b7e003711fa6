"""The files of the kernel cache: read only where nobody else could have written them, and only when they are whole.

A cached kernel is machine code, and its index a pickle: whoever can write them can run what they like as this user. So
a folder counts only if it, and every folder it lies in, is this user's or root's and no other user can write there. A
digest behind the content of each file tells damage: such a file counts as not there, and is written anew.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from numba.core.caching import IndexDataCacheFile

log = logging.getLogger(__name__)

_DIGEST = 32  # bytes


def _ours(path: Path, *, sticky: bool = False) -> bool:
    """Whether nobody but this user and root can change what is there; `sticky`: or at least not what others own."""
    found = path.lstat() if path.is_symlink() else path.stat()
    if found.st_uid not in (os.geteuid(), 0):
        return False
    return stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o022 or (sticky and bool(found.st_mode & stat.S_ISVTX))


@cache
def trusted(folder: Path) -> bool:
    """Whether what is in `folder` can only be this user's or root's; says so in the log if not. Makes it if needed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = all(_ours(place) for place in (folder, folder.resolve())) and all(
            _ours(above, sticky=True) or _of_a_private_group(above) for above in folder.resolve().parents
        )
    except OSError:
        return False
    if not found:
        log.warning(
            "the kernel cache %s is not used: others could write there, or in a folder around it. Make it this user's "
            "alone (chmod go-w), or name another folder with STREAMRNN_CACHE; until then every start compiles", folder,
        )  # fmt: skip
    return found


def _of_a_private_group(folder: Path) -> bool:
    """Home folders are often writable for a group that has the user alone; others are kept out by their own folder."""
    found = folder.stat()
    return found.st_uid == os.geteuid() and found.st_gid == os.getegid() and not found.st_mode & 0o002


class CacheFiles(IndexDataCacheFile):
    """numba's files, each with a digest behind its content; numba reads what stands before it."""

    def _whole(self, path: str) -> bool:
        place = Path(path)
        if not trusted(place.parent) or not _ours(place):
            return False
        data = place.read_bytes()
        return hashlib.blake2b(data[:-_DIGEST], digest_size=_DIGEST).digest() == data[-_DIGEST:]

    def _load_index(self) -> Any:
        try:
            return super()._load_index() if self._whole(self._index_path) else {}  # type: ignore[no-untyped-call]
        except FileNotFoundError:
            return {}

    def _load_data(self, name: str) -> Any:
        path = self._data_path(name)  # type: ignore[no-untyped-call]
        if not self._whole(path):
            raise OSError(f"{path} is damaged, or of others")  # which numba takes for a file that is not there
        return super()._load_data(name)  # type: ignore[no-untyped-call]

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        content = io.BytesIO()
        yield content
        if trusted(Path(filepath).parent):
            data = content.getvalue()
            with super()._open_for_write(filepath) as file:
                file.write(data + hashlib.blake2b(data, digest_size=_DIGEST).digest())
