"""Compiled loops of tests: as `streamrnn.kernels.jit.kernel`, but they may allocate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from streamrnn.kernels.jit import OPTIONS, cache_folder


def loop(function: Callable[..., Any]) -> Any:
    """Compile on the first call, cached beside the kernels it calls."""
    settings: Any = numba.config
    ambient, settings.CACHE_DIR = settings.CACHE_DIR, str(cache_folder())
    try:
        return numba.njit(function, cache=True, **{**OPTIONS, "_nrt": True})
    finally:
        settings.CACHE_DIR = ambient
