"""What `pip install streamrnn` weighs, by package: an empty environment, a wheel of this source, seconds and bytes.

python benchmarks/install_weight.py [--extra live] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = """
import importlib.metadata as metadata, json
from pathlib import Path
found = {}
for package in metadata.distributions():
    files = [Path(package.locate_file(file)) for file in package.files or ()]
    found[package.metadata["Name"].lower()] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(found))
"""


def weigh(extra: str | None) -> tuple[float, dict[str, int]]:
    """Seconds of the installation, and bytes by package, compiled Python included."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder, "bin", "python"))
        wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
        began = time.monotonic()
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-input", wanted], check=True)
        took = time.monotonic() - began
        listed = subprocess.run([python, "-c", LIST], check=True, capture_output=True, text=True).stdout
        found: dict[str, int] = json.loads(listed)
    return took, {name: size for name, size in found.items() if name not in ("pip", "setuptools")}


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--extra")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    seconds, sizes = weigh(given.extra)
    if given.json:
        print(json.dumps({"seconds": seconds, "bytes": sizes}))
    else:
        for name, size in sorted(sizes.items(), key=lambda one: -one[1]):
            print(f"{size / 1e6:8.1f} MB  {name}")
        print(f"{sum(sizes.values()) / 1e6:8.1f} MB  {len(sizes)} packages in {seconds:.0f} s")
