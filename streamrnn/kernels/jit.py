"""The one way to compile a numerical kernel.

Kernels stay Python that a numpy reader can follow; numba turns them into machine code without the GIL. Compiled
code is cached in a folder named by a digest of every source file with kernels: numba itself notices a change
only in the file that holds the function, so a changed callee elsewhere would otherwise run stale.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from llvmlite import binding  # type: ignore[import-untyped]
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator

from streamrnn.kernels.announcer import Announcer
from streamrnn.kernels.cache_files import CacheFiles
from streamrnn.kernels.pipeline import FITS, WRITTEN_FOR, CalleeCompiler, EntryCompiler

log = logging.getLogger(__name__)
if not FITS:
    log.warning(
        "numba %s is not the version that the compile pipeline was written for (%s): kernels go through numba's own, "
        "and the first start takes longer", numba.__version__, WRITTEN_FOR,
    )  # fmt: skip

Function = TypeVar("Function", bound=Callable[..., Any])

# None: with any of these flags the bits would depend on what the optimizer chose to inline or reorder around a loop,
# which differs between a kernel just compiled and the same kernel read from the cache. Loops that need a reordered sum
# to be fast write its order down (`kernels/vector.py`).
FAST_MATH: set[str] = set()

# Kernels never allocate (`_nrt`: numba would count the references of every array argument at every event).
OPTIONS: dict[str, Any] = {
    "fastmath": FAST_MATH, "error_model": "numpy", "boundscheck": False, "nogil": True, "_nrt": False,
    "no_cfunc_wrapper": True,
}  # fmt: skip

CALLEE_OPTIONS: Any = {**OPTIONS, "pipeline_class": CalleeCompiler} if FITS else OPTIONS
"""For what only kernels call."""

_KERNELS = (
    "kernels/*.py",
    "cells/*.py",
    "learning/*.py",
    "forecasting/**/*.py",
    "anomaly/*.py",
    "labelled/*.py",
    "estimators/kernels.py",
    "estimators/one_event.py",
)
"""Where kernels live, relative to the package."""


def cache_folder() -> Path:
    """Where compiled kernels live: `STREAMRNN_CACHE`, else `$XDG_CACHE_HOME/streamrnn`, per version of the sources."""
    root = os.environ.get("STREAMRNN_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "streamrnn"
    digest = hashlib.blake2b(f"{numba.__version__} {platform.python_version()}".encode(), digest_size=8)
    package = Path(__file__).parent.parent
    for place in _KERNELS:
        for source in sorted(package.glob(place)):
            digest.update(source.read_bytes())
    return base / digest.hexdigest()


def _home() -> Path:
    """This user's; without one, a folder of temporary files that is this user's alone."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"streamrnn-{os.geteuid()}"


_CACHE_FOLDER = str(cache_folder())


class _Folder(UserProvidedCacheLocator):
    """The cache folder, whether or not it can be written: a container's image may hold it, filled and read-only."""

    def ensure_cache_path(self) -> None:
        """Make the folder if that is possible."""
        with suppress(OSError):
            super().ensure_cache_path()  # type: ignore[no-untyped-call]


class _Results(CompileResultCacheImpl):
    _locator_classes = [_Folder]  # noqa: RUF012  # numba's

    def reduce(self, cres: Any) -> Any:
        """Machine code and the names in it.

        numba would add the LLVM code, for callers to link, which nobody does with what came from the cache
        (`CalleeCompiler`); to read it back takes longer than all the rest.
        """
        if not FITS:
            return super().reduce(cres)  # type: ignore[no-untyped-call]
        names = cres.fndesc.llvm_func_name, cres.fndesc.llvm_cpython_wrapper_name
        listed = "\n".join(f'define void @"{name}"() {{ ret void }}' for name in names)
        cres.library._shared_module = binding.parse_assembly(listed)
        return super().reduce(cres._replace(type_annotation=""))  # type: ignore[no-untyped-call]


_told: list[Callable[[], None]] = []
"""Called when a kernel is not in the cache, before it is compiled."""
announcer = Announcer()
"""Speaks where nobody else is told."""


class _Cache(FunctionCache):
    """numba's own would refuse to compile where it cannot write."""

    _impl_class = _Results

    def __init__(self, function: Any) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        locator = self._impl.locator
        files: Any = CacheFiles
        self._cache_file = files(self._cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept, None where nothing is or can be.

        numba's own would first load every implementation it has, in case that it has to compile, which sees to that
        itself: that is a quarter of a second.
        """
        with suppress(OSError), cast(Any, self._guard_against_spurious_io_errors()):
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep it if that is possible; otherwise the next process compiles it again.

        LLVM was seen to compile a kernel without handing its machine code over, once in some thousand starts: such a
        kernel runs, and cannot be kept.
        """
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError:
            pass
        except RuntimeError as error:
            if "no compiled object yet" not in str(error):
                raise


def _told_of(name: str, compile_: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and whoever waits for it is told."""

    def told(*arguments: Any) -> Any:
        for begins in _told:
            begins()
        if _told:
            return compile_(*arguments)
        announcer.begins(name)
        try:
            return compile_(*arguments)
        finally:
            announcer.ends()

    return told


def kernel(function: Function) -> Function:
    """Compile `function` on its first call, in nopython mode, cached on disk, releasing the GIL."""
    entered: Any = numba.njit(function, **(OPTIONS | {"pipeline_class": EntryCompiler} if FITS else OPTIONS))
    # numba takes its cache folder from a global: set it for this one function, and leave other libraries theirs.
    settings: Any = numba.config
    ambient = settings.CACHE_DIR
    settings.CACHE_DIR = ambient or _CACHE_FOLDER
    try:
        entered._cache = _Cache(function)
    finally:
        settings.CACHE_DIR = ambient
    entered._compiler.compile = _told_of(function.__name__, entered._compiler.compile)
    if FITS:
        called: Any = numba.njit(function, **CALLEE_OPTIONS)
        # What numba asks a function for when a kernel calls it.
        entered.get_call_template, entered.get_overload = called.get_call_template, called.get_overload
    return cast(Function, entered)


def uncompiled(function: Function) -> Function:
    """A kernel as Python, for whoever needs a number of it before anything is compiled."""
    return cast(Function, getattr(function, "py_func", function))


@contextmanager
def compiling(begins: Callable[[], None] | None = None) -> Iterator[None]:
    """Kernels are compiled or loaded here and nothing else is done, in a process of our own.

    `begins` is called before each kernel that this process has to compile; without it the process says so itself.

    numba does not look for the BLAS in scipy: no kernel uses it, and scipy.linalg takes a quarter of a second to
    import; other numba code in this process would find no `np.dot`.
    """
    blas, hides, process = "scipy.linalg", "scipy.linalg" not in sys.modules, os.getpid()
    if hides:
        sys.modules[blas] = None  # type: ignore[assignment]
    if begins is not None:
        _told.append(lambda: begins() if os.getpid() == process else None)  # a fork compiles in silence
    try:
        yield
    finally:
        if begins is not None:
            _told.pop()
        if hides:
            del sys.modules[blas]
