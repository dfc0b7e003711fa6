"""The one way to compile a numerical kernel.

Kernels stay Python that a numpy reader can follow; numba turns them into machine code without the GIL. Compiled
code is cached in a folder named by a digest of every source file of the package: numba itself notices a change
only in the file that holds the function, so a changed callee elsewhere would otherwise run stale.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered so that loops vectorize. NaN and infinity keep their meaning: the guards test for them.
FAST_MATH = {"contract", "reassoc", "nsz", "arcp"}


def cache_folder() -> Path:
    """Where compiled kernels live: `STREAMRNN_CACHE`, else `$XDG_CACHE_HOME/streamrnn`, per version of the sources."""
    root = os.environ.get("STREAMRNN_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamrnn"
    digest = hashlib.blake2b(f"{numba.__version__} {platform.python_version()}".encode(), digest_size=8)
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return base / digest.hexdigest()


_CACHE_FOLDER = str(cache_folder())


def kernel(function: Function) -> Function:
    """Compile `function` on its first call, in nopython mode, cached on disk, releasing the GIL."""
    # numba takes its cache folder from a global: set it for this one function, and leave other libraries theirs.
    settings: Any = numba.config
    ambient = settings.CACHE_DIR
    settings.CACHE_DIR = ambient or _CACHE_FOLDER
    try:
        compiled: Function = numba.njit(
            function, cache=True, nogil=True, fastmath=FAST_MATH, error_model="numpy", boundscheck=False
        )
    finally:
        settings.CACHE_DIR = ambient
    return compiled
