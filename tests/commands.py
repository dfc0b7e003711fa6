"""Running the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
SMALL = ("--set", "model.hidden_size=4", "--set", "model.truncation_length=2")
"""A small network: the same compiled kernels, little work."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str


class Streamrnn:
    """Starts `streamrnn ...` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, *arguments: object, code: str = "", environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start it and do not wait. `code` runs in the process first: fault points go there."""
        script = f"{code}\nfrom streamrnn.app.cli import main\nmain()\n"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMRNN__")}
        # Wide, and without color: messages must be found in one piece.
        fixed = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", "PYTHONWARNINGS": "error::ResourceWarning"}
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=self.folder,
            env={**inherited, **fixed, **(environment or {})},
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        self._started.append(process)
        return process

    def __call__(self, *arguments: object, input: bytes | None = None, **options: Any) -> Done:
        """Run it to its end."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **options)
        return finish(process, input)

    def kill_all(self) -> None:
        """Kill what this test started and did not wait for."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def finish(process: subprocess.Popen[bytes], input: bytes | None = None) -> Done:
    """Wait for the end of a started command. The time-out only ends a hang; nothing measures it."""
    out, err = process.communicate(input, timeout=300)
    return Done(process.returncode, out or b"", (err or b"").decode())
