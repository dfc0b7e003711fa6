"""Write for which processor numba shall compile: `processor.py FOLDER`.

On x86-64 level 3 (AVX2 and FMA: every server since 2013), measured as fast as the machine's own level, and twice as
fast as the level that all of them have. Elsewhere the machine that builds; another type then compiles at its start.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

LEVELS = {"x86_64": "x86-64-v3", "amd64": "x86-64-v3"}


def main(folder: Path) -> None:
    """Environment variables NUMBA_CPU_NAME and NUMBA_CPU_FEATURES go before this file."""
    level = LEVELS.get(platform.machine().lower())
    if level is not None:
        (folder / ".numba_config.yaml").write_text(f'cpu_name: {level}\ncpu_features: ""\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
