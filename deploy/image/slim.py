"""Take out of an installation what only its developers run: tests, headers, stubs, scripts. `slim.py PREFIX`."""

from __future__ import annotations

import compileall
import shutil
import sys
from pathlib import Path

FOLDERS = ("tests", "include", "_examples")
SUFFIXES = (".pyi", ".pxd", ".pyx", ".h", ".hpp", ".c", ".cpp", ".a")


def main(prefix: Path) -> None:
    """Delete, then compile what is left: the root file system of the image is read-only."""
    libraries = next(prefix.glob("lib/python3*/site-packages"))
    before = size(libraries)
    for name in FOLDERS:
        for folder in [path for path in libraries.rglob(name) if path.is_dir()]:
            shutil.rmtree(folder, ignore_errors=True)
    for path in [path for path in libraries.rglob("*") if path.suffix in SUFFIXES and path.is_file()]:
        path.unlink()
    for script in (prefix / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    print(f"{libraries}: {before >> 20} MiB -> {size(libraries) >> 20} MiB")
    # By the sources' hash and not their time, so that two builds make the same bytes.
    compileall.compile_dir(
        libraries, quiet=2, invalidation_mode=compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
