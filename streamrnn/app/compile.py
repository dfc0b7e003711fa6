"""Kernels compiled ahead of the first start."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from streamrnn.app.run import prepare
from streamrnn.config.tree import Config
from streamrnn.errors import StreamRNNError
from streamrnn.kernels.cache_files import trusted
from streamrnn.kernels.jit import cache_folder
from streamrnn.runtime.task import task_of


def compile_kernels(config: Config, console: Console) -> str:
    """Compile what the configuration needs and is not in the cache; returns what was done.

    Raises `StreamRNNError` where nothing could be stored: then every start would compile again.
    """
    folder, began = cache_folder(), time.monotonic()
    if not trusted(folder):
        raise StreamRNNError(
            f"the kernel cache {folder} cannot be used: it cannot be made, or others could write there. Name another "
            "folder with STREAMRNN_CACHE"
        )
    before = _kept(folder)
    task = task_of(config)
    prepare(task, console, quiet=False, decoder=task.decoder(), kafka=True)
    made = _kept(folder).keys() - before.keys()
    if not _kept(folder):
        raise StreamRNNError(f"no compiled kernel could be stored in {folder}: is it full, or read-only?")
    if not made:
        return f"nothing to compile: all that this configuration needs is in {folder}"
    return f"{len(made)} kernels compiled in {time.monotonic() - began:.0f} s, kept in {folder}"


def _kept(folder: Path) -> dict[str, int]:
    """The compiled kernels by file, with their bytes."""
    return {file.name: file.stat().st_size for file in folder.rglob("*.nbc")}
