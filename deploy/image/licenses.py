"""The licenses of everything that is installed, one line each: `licenses.py PREFIX > LICENSES.txt`.

Ends with 1 where a package names none: then somebody has to look.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path


def license_of(package: Distribution) -> str:
    """What the package says of itself: an SPDX expression, else its classifiers, else a short text; empty: nothing."""
    told = package.metadata
    classifiers = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License :: ")
    ]
    text = (told.get("License") or "").strip()
    return told.get("License-Expression") or ", ".join(classifiers) or (text.splitlines()[0] if text else "")


def listed(libraries: Path) -> Iterator[tuple[str, str, str]]:
    """(name, version, license) of every package, by name."""
    packages = {package.metadata["Name"].lower(): package for package in distributions(path=[str(libraries)])}
    for name, package in sorted(packages.items()):
        yield name, package.version, license_of(package)


def main(prefix: Path) -> int:
    """Print the list."""
    unknown = 0
    for libraries in prefix.glob("lib/python3*/site-packages"):
        for name, version, told in listed(libraries):
            print(f"{name} {version}: {told or 'UNKNOWN'}")
            unknown += not told
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
