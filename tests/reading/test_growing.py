"""Files that grow, and runs that are killed: what comes out in the end is what one run over the whole file gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from streamrnn.errors import StateError
from tests.inside import Inside
from tests.reading.growing import step, written
from tests.reading.written import plain, table

pytestmark = pytest.mark.thorough

ROWS = [f"2024-01-01T{hour:02}:00:00Z,{hour + 0.36}" for hour in range(8)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "\n".join(["time,value", *ROWS, ""])),
        ("crlf.csv", "\r\n".join(["time,value", *ROWS, ""])),
        ("quoted.csv", "time,value,note\n" + "".join(f'{row},"two\nlines"\n' for row in ROWS)),
        ("x.jsonl", "".join(f'{{"time": "{row[:20]}", "value": {row[21:]}}}\n' for row in ROWS)),
        (
            "points.jsonl",
            "".join(
                json.dumps({"points": [{"time": row[:20], "value": float(row[21:])} for row in two]}) + "\n"
                for two in zip(ROWS[::2], ROWS[1::2], strict=True)
            ),
        ),
        ("spaces.txt", "time value\n" + "".join(row.replace(",", " ") + "\n" for row in ROWS)),
        ("comma.csv", "time;value\n" + "".join(row.replace(",", ";").replace(".", ",") + "\n" for row in ROWS)),
    ],
)
def test_byte_by_byte_with_a_kill_after_each(tmp_path: Path, name: str, content: str) -> None:
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    whole.mkdir()
    grown.mkdir()
    data = content.encode()
    (whole / name).write_bytes(data)
    step(whole, name)
    with (grown / name).open("wb", buffering=0) as file:
        for byte in data:
            file.write(bytes([byte]))
            step(grown, name, snapshot=file.tell() % 3 != 0)
    step(grown, name)
    assert len(written(whole)) == len(ROWS)
    assert written(grown) == written(whole)
    assert not (grown / "out.dead-letters.jsonl").exists()


def test_the_command_holds_a_half_line_back(inside: Inside, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    command = ("run", "--input", file, "--output", tmp_path / "o", "--state", tmp_path / "s")
    text = plain()
    cut = text.index("\n", 1200) + 24  # in the middle of a number
    file.write_text(text[:cut])
    ended = inside(*command)
    assert ended.code == 0
    assert "wait for the end of their line" in ended.err
    file.write_text(text)
    assert inside(*command).code == 0
    resumed = (tmp_path / "o").read_bytes()
    assert inside("run", "--input", file, "--output", tmp_path / "p", "--quiet").code == 0
    assert resumed == (tmp_path / "p").read_bytes()


def test_other_flags_are_refused_by_a_state(tmp_path: Path) -> None:
    rows = [[f"0{day}/01/2024", str(day)] for day in range(1, 10)]
    (tmp_path / "x.csv").write_text(table([["date", "value"], *rows]))
    step(tmp_path, "x.csv", "--time-format", "%d/%m/%Y")
    with pytest.raises(StateError, match="made with other flags"):
        step(tmp_path, "x.csv", "--time-format", "%m/%d/%Y")


@pytest.mark.parametrize("name", ["x.csv.gz", "x.json"])
def test_a_state_of_a_file_that_is_no_plain_text(tmp_path: Path, name: str) -> None:
    text = "\n".join(["time,value", *ROWS, ""])
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    else:
        (tmp_path / name).write_text(
            "[" + ",\n".join(f'{{"time": "{row[:20]}", "value": {row[21:]}}}' for row in ROWS) + "]"
        )
    step(tmp_path, name)
    before = written(tmp_path)
    assert len(before) == len(ROWS)
    step(tmp_path, name)
    assert written(tmp_path) == before


def test_sorted_rows_are_merged_from_runs_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.random.default_rng(1).permutation(1000)
    rows = [[f"2024-01-{1 + at // 24 % 28:02} {at % 24:02}:00", str(at)] for at in order if at < 28 * 24]
    text = table([["time", "value"], *rows])
    (tmp_path / "x.csv").write_text(text)
    step(tmp_path, "x.csv", "--sort")
    once = written(tmp_path)
    assert [float(line.split()[3].strip(b"[]")) for line in once] == list(range(28 * 24))
    monkeypatch.setattr("streamrnn.connectors.reading.sorting.RUN", 5000)
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.csv").write_text(text)
    step(other, "x.csv", "--sort")
    assert written(other) == once


def test_a_later_row_may_come_to_sorted_ones_and_an_earlier_may_not(tmp_path: Path) -> None:
    text = table([["time", "value"], *[[f"2024-01-0{day}", str(day)] for day in (2, 4, 3)]])
    (tmp_path / "x.csv").write_text(text)
    step(tmp_path, "x.csv", "--sort")
    (tmp_path / "x.csv").write_text(text + "2024-01-05,5\n")
    step(tmp_path, "x.csv", "--sort")
    assert len(written(tmp_path)) == 4
    (tmp_path / "x.csv").write_text(text + "2024-01-05,5\n2024-01-01,1\n")
    with pytest.raises(StateError, match="is not the file"):
        step(tmp_path, "x.csv", "--sort")


def test_what_is_large_is_read_like_what_is_small(tmp_path: Path) -> None:
    """A header behind a hundred thousand blank lines, a row of megabytes, ten thousand columns of few names."""
    blank = "\n" * 100_000
    (tmp_path / "blank.csv").write_text(blank + "time,value\n" + blank + "\n".join(ROWS) + "\n")
    step(tmp_path, "blank.csv")
    assert len(written(tmp_path)) == len(ROWS)
    for name, content in {
        "long.csv": "time,value,x\n" + f"{ROWS[0]},{'y' * 5_000_000}\n" + "".join(f"{row},y\n" for row in ROWS[1:]),
        "wide.csv": "time,value," + "c," * 10_000 + "\n" + "".join(f"{row}{',1' * 10_000}\n" for row in ROWS),
    }.items():
        folder = tmp_path / name[:4]
        folder.mkdir()
        (folder / name).write_text(content)
        step(folder, name)
        assert len(written(folder)) == len(ROWS) - (name == "long.csv")


def test_rows_of_one_metric_each_grow_byte_by_byte(tmp_path: Path) -> None:
    rows = [f"{row[:21]}{metric},{row[21:]}\n" for row in ROWS for metric in ("a", "b")]
    data = ("time,metric,value\n" + "".join(rows)).encode()
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    for folder in (whole, grown):
        folder.mkdir()
    (whole / "x.csv").write_bytes(data)
    flags = ("--metric", "metric", "--target", "a", "--target", "b")
    step(whole, "x.csv", *flags)
    with (grown / "x.csv").open("wb", buffering=0) as file:
        for at, byte in enumerate(data):
            file.write(bytes([byte]))
            if at > 60:
                step(grown, "x.csv", *flags, snapshot=at % 3 != 0)
    assert len(written(whole)) == len(ROWS) - 1  # the last time waits: another metric of it may come
    assert written(grown) == written(whole)
