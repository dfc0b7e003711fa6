"""Running the command inside the test's own process: quick, where no signal and no crash is needed."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streamrnn.app.cli import main
from tests.commands import SMALL


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Inside:
    """`inside("check", ...)`."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *arguments: object) -> Ended:
        """Run a command."""
        root = logging.getLogger()
        before = root.handlers, root.level
        self._capture.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main([*map(str, arguments)])
        finally:
            root.handlers, root.level = before
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code, *self._capture.readouterr())

    def forecast(self, content: bytes, *arguments: str | Path, name: str = "x.csv") -> Forecasts:
        """Run over a file with this content; it must succeed."""
        file = self.folder / name
        file.write_bytes(content)
        output = self.folder / f"{name}.out"
        ended = self("run", "--input", file, "--output", output, *SMALL, *arguments)
        assert ended.code == 0, ended.err
        return Forecasts(output.read_bytes(), _lines(output), _lines(Path(f"{output}.dead-letters.jsonl")), ended.err)


class Forecasts(NamedTuple):
    """What a run over a file wrote."""

    bytes: bytes
    records: list[dict[str, Any]]
    letters: list[dict[str, Any]]
    err: str

    @property
    def offsets(self) -> list[int]:
        """Rows that were answered."""
        return [record["source"]["offset"] for record in self.records]

    @property
    def rejected(self) -> list[int]:
        """Rows that were not."""
        return [int(letter["streamrnn.error.offset"]) for letter in self.letters]

    def without_offsets(self) -> list[dict[str, Any]]:
        """The answers alone, for comparison with a file in which rows stand elsewhere."""
        return [{name: value for name, value in record.items() if name != "source"} for record in self.records]


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
