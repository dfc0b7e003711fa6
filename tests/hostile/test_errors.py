"""Whatever goes wrong, the user reads a sentence; the trace is in a file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from tests.commands import Streamrnn

GOOD = b"time,value\n" + b"".join(b"2026-01-01T%02d:00:00Z,%d\n" % (hour, hour) for hour in range(10))
BROKEN = """
import streamrnn.config.loading as loading
def broken(*_, **__):
    raise {error}
loading.load = broken
"""


@pytest.mark.parametrize(
    "error",
    [
        "RuntimeError('boom \\x1b[2J\\n second line \\udcff')",
        "MemoryError()",
        "RecursionError('deep')",
        "OSError(28, 'No space left on device', '/x')",
        "ValueError('x' * 100_000)",
        "AssertionError()",
    ],
)
def test_an_error_that_nobody_thought_of_is_one_line_and_a_report(
    streamrnn: Streamrnn, tmp_path: Path, error: str
) -> None:
    done = streamrnn("check", code=BROKEN.format(error=error), environment={"TMPDIR": str(tmp_path)})
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("streamrnn: ")
    assert line.isprintable()
    assert len(line) < 1000
    found = re.search(r"the report is in (.+)$", line)
    assert found is not None
    report = Path(found[1])
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert "Traceback" in report.read_text(errors="replace")


@pytest.mark.parametrize(
    ("error", "remedy"), [("MemoryError()", "state.max_memory"), ("OSError(24, 'Too many open files')", "ulimit -n")]
)
def test_what_the_system_ran_out_of_is_named_with_the_remedy(streamrnn: Streamrnn, error: str, remedy: str) -> None:
    done = streamrnn("check", code=BROKEN.format(error=error))
    assert done.code == 1
    assert remedy in done.err
    assert "no message of its own" not in done.err


def test_without_a_place_for_it_the_report_is_printed(streamrnn: Streamrnn) -> None:
    code = BROKEN.format(error="RuntimeError('boom')") + "import tempfile\ntempfile.NamedTemporaryFile = open"
    code += "\ndef none(*_, **__): raise OSError(30, 'Read-only file system')\ntempfile.NamedTemporaryFile = none\n"
    done = streamrnn("check", code=code)
    assert done.code == 1
    assert "Traceback" in done.err
    assert "boom" in done.err.splitlines()[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--input", "", "--output", "o.jsonl"),
        ("run", "--input", "x.csv", "--output", ""),
        ("run", "--input", "x.csv", "--output", "o.jsonl", "--state", ""),
        ("run", "--input", "x.csv", "--output", "o.jsonl", "--dead-letters", ""),
        ("run", "--input", "x.csv", "--output", "o.jsonl", "--set", 'state.directory="a\\0b"'),
        ("inspect", "--state", ""),
        ("reset", "--state", "", "--yes"),
        ("check", "--config", ""),
    ],
)
def test_an_empty_path_is_refused(streamrnn: Streamrnn, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "x.csv").write_bytes(GOOD)
    done = streamrnn(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_file_whose_name_is_no_text_is_read(streamrnn: Streamrnn, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    (tmp_path / name).write_bytes(GOOD)
    done = streamrnn("run", "--input", name, "--output", "o.jsonl", "--quiet", "--set", "model.hidden_size=4")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "o.jsonl").read_text().count('"topic":"caf\ufffd.csv"') == 10


@pytest.mark.parametrize("source", ["/dev/zero", "/", "/proc/self/mem", "nothing.csv"])
def test_an_input_that_is_none_is_a_sentence(streamrnn: Streamrnn, source: str) -> None:
    done = streamrnn("run", "--input", source, "--output", "o.jsonl")
    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert "report" not in done.err
