"""Several inputs: one after the other or by time, with kills in between, and a next file that comes with the state."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from streamrnn.connectors.reading.sequence import expanded
from streamrnn.errors import ConfigurationError, ConnectorError, StateError
from tests.inside import Inside
from tests.reading.growing import step, written
from tests.reading.written import plain

HEADER, *ROWS = plain().splitlines()


def day(rows: list[str], header: bool = True) -> str:
    return "".join(row + "\n" for row in ([HEADER] if header else []) + rows)


def three(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    for number, (first, last) in enumerate(((0, 40), (40, 80), (80, 120)), 1):
        (folder / f"day-{number}.csv").write_text(day(ROWS[first:last]))
    return [f"day-{number}.csv" for number in (1, 2, 3)]


def whole(folder: Path) -> list[bytes]:
    folder.mkdir()
    (folder / "x.csv").write_text(plain())
    step(folder, "x.csv")
    return written(folder)


def test_one_after_the_other_is_what_one_file_is(tmp_path: Path) -> None:
    names = three(tmp_path / "three")
    step(tmp_path / "three", names)
    assert written(tmp_path / "three") == whole(tmp_path / "one")


@pytest.mark.parametrize("polls", [1, 3, 14, 15, 30])
def test_killed_anywhere(tmp_path: Path, polls: int) -> None:
    names = three(tmp_path / "three")
    expected = whole(tmp_path / "one")
    for _ in range(200):
        step(tmp_path / "three", names, polls=polls)
        if len(written(tmp_path / "three")) == len(expected):
            break
    assert written(tmp_path / "three") == expected


def test_the_state_goes_on_with_the_files_that_come_later(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    for count in (1, 2, 3):
        step(folder, names[:count])
    assert written(folder) == whole(tmp_path / "one")


def test_the_state_goes_on_with_the_next_file_alone(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    said = [step(folder, [name]).notes for name in names]
    assert written(folder) == whole(tmp_path / "one")
    assert "day-1.csv was read to its end; day-2.csv goes on behind it" in said[1]
    with pytest.raises(StateError, match=r"day-1.csv was read before day-3.csv"):
        step(folder, names[:1])


def test_a_file_that_was_not_read_to_its_end_is_not_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    (folder / names[0]).write_text(day(ROWS[:40])[:-3])
    step(folder, names[:1])
    with pytest.raises(StateError, match=r"day-1.csv was not read to its end: give it first"):
        step(folder, names[1:2])


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    step(folder, names[:1])
    (folder / names[0]).write_text(day(ROWS[40:80]))
    with pytest.raises(StateError, match="is not the file"):
        step(folder, names[:1])


def test_a_file_that_comes_before_those_that_were_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    step(folder, names[1:])
    with pytest.raises(StateError, match=r"day-1.csv comes before day-3.csv, where the state stands, and was not read"):
        step(folder, names)
    step(folder, names[1:])


def test_a_file_that_was_read_may_not_have_grown(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    step(folder, names[:2])
    with (folder / names[0]).open("a") as file:
        file.write(ROWS[-1] + "\n")
    with pytest.raises(StateError, match="has other rows now"):
        step(folder, names[:2])


def test_files_may_be_gone_once_they_were_read(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    step(folder, names[:2])
    (folder / names[0]).unlink()
    step(folder, names[1:])
    assert written(folder) == whole(tmp_path / "one")


def test_without_a_header_with_units_compressed(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    names = three(folder)
    (folder / "day-2.csv").write_text(day(ROWS[40:80], header=False))
    (folder / "day-3.csv").write_bytes(gzip.compress(day(ROWS[80:120])[:-1].encode()))
    step(folder, names)
    assert written(folder) == whole(tmp_path / "one")
    units = tmp_path / "units"
    names = three(units)
    for name in names:
        path = units / name
        path.write_text("# logger 7\n" + path.read_text().replace("value\n", "value\nUTC,kWh\n", 1))
    step(units, names)
    assert written(units) == written(folder)
    assert not (units / "out.dead-letters.jsonl").exists()


def test_json_behind_json(tmp_path: Path) -> None:
    lines = [json.dumps({"time": row[:20], "value": float(row[21:])}) + "\n" for row in ROWS]
    (tmp_path / "a.jsonl").write_text("".join(lines[:50]))
    (tmp_path / "b.json").write_text("[" + ",".join(lines[50:]) + "]")
    step(tmp_path, ["a.jsonl", "b.json"])
    assert written(tmp_path) == whole(tmp_path / "one")


def test_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,load,wind\n" + "".join(f"2024-01-01 0{h}:00,{h},1\n" for h in range(9)))
    (tmp_path / "b.csv").write_text("time,wind,load\n" + "".join(f"2024-01-02 0{h}:00,1,{h}\n" for h in range(9)))
    with pytest.raises(ConnectorError, match=r"b.csv begins with 'time,wind,load', neither the header"):
        step(tmp_path, ["a.csv", "b.csv"])


def test_back_in_time_is_asked_about_and_sorted_where_asked(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "a.csv").write_text(day(ROWS[0::2]))
    (folder / "b.csv").write_text(day(ROWS[1::2]))
    (folder / "c.csv").write_text(day(ROWS[:1]))
    with pytest.raises(ConfigurationError, match=r"c.csv begins at .*--sort.*--key"):
        step(folder, ["a.csv", "c.csv"])
    found = step(folder, ["b.csv", "a.csv"], "--sort")
    assert written(folder) == whole(tmp_path / "one")
    assert "2 files, all rows in the order of their times: b.csv, a.csv" in found.notes


def test_files_of_a_series_each_are_read_where_a_column_tells(tmp_path: Path) -> None:
    for key in "ab":
        (tmp_path / f"{key}.csv").write_text("key,time,value\n" + "".join(f"{key},{row}\n" for row in ROWS))
    step(tmp_path, ["a.csv", "b.csv"])
    assert len(written(tmp_path)) == 2 * len(ROWS)


def test_patterns_stand_for_names_in_their_order(tmp_path: Path) -> None:
    for name in ("day-10.csv", "day-9.csv", "day-1.csv", "odd[1].csv"):
        (tmp_path / name).write_text("")
    assert [path.name for path in expanded([f"{tmp_path}/day-*.csv"])] == ["day-1.csv", "day-9.csv", "day-10.csv"]
    assert [path.name for path in expanded([f"{tmp_path}/odd[1].csv"])] == ["odd[1].csv"]
    with pytest.raises(ConfigurationError, match="there is no such file"):
        expanded([f"{tmp_path}/night-*.csv"])
    with pytest.raises(ConfigurationError, match="twice"):
        expanded([f"{tmp_path}/day-1.csv", f"{tmp_path}/day-*.csv"])


def test_the_command(inside: Inside, tmp_path: Path) -> None:
    three(tmp_path)
    (tmp_path / "x.csv").write_text(plain())
    ended = inside("run", "--input", tmp_path / "day-*.csv", "--output", tmp_path / "o")
    assert ended.code == 0
    assert "3 files, one after the other: day-1.csv, day-2.csv, day-3.csv (by time: --sort)" in ended.err
    assert inside("run", "--input", tmp_path / "x.csv", "--output", tmp_path / "p", "--quiet").code == 0
    assert (tmp_path / "o").read_bytes() == (tmp_path / "p").read_bytes().replace(b"x.csv", b"day-1.csv")
    assert inside("run", "--input", "-", "--input", tmp_path / "x.csv", "--output", tmp_path / "q").code == 2
    missing = inside("run", "--input", tmp_path / "x.csv", "--input", tmp_path / "y.csv", "--output", tmp_path / "q")
    assert missing.code == 1
    assert "y.csv: no such file" in missing.err


def pumps(folder: Path, suffix: str = ".csv", text: str = plain()) -> list[str]:
    folder.mkdir(exist_ok=True)
    for name in ("pump-1", "pump-2.5"):
        (folder / f"{name}{suffix}").write_text(text)
    return [f"pump-1{suffix}", f"pump-2.5{suffix}"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("polls", [13, 30, 200])
def test_the_name_of_a_file_is_the_key(suffix: str, polls: int, tmp_path: Path) -> None:
    lines = "".join(json.dumps(dict(zip(HEADER.split(","), row.split(","), strict=True))) + "\n" for row in ROWS)
    names = pumps(tmp_path, suffix, plain() if suffix == ".csv" else lines)
    for _ in range(200):
        found = step(tmp_path, names, "--name-is-key", polls=polls)
        if len(written(tmp_path)) >= 2 * len(ROWS):
            break
    assert [line.split()[1] for line in written(tmp_path)] == [b"pump-1"] * len(ROWS) + [b"pump-2.5"] * len(ROWS)
    assert polls < 200 or any("each file is a series: pump-1, pump-2.5" in note for note in found.notes)


def test_files_that_begin_at_one_time_are_asked_about_and_the_flag_mends_it(tmp_path: Path) -> None:
    names = pumps(tmp_path)
    with pytest.raises(ConfigurationError, match="--name-is-key takes each file as a series"):
        step(tmp_path, names)
    step(tmp_path, names, "--name-is-key")
    with pytest.raises(StateError, match="--name-is-key"):
        step(tmp_path, names[1:])


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        pumps(tmp_path / folder)
    step(tmp_path, ["a/pump-1.csv", "b/pump-1.csv"], "--name-is-key")
    assert {line.split()[1] for line in written(tmp_path)} == {b"a/pump-1", b"b/pump-1"}


@pytest.mark.parametrize("flags", [["--sort"], ["--key", "value"]])
def test_a_name_is_no_key_beside_another_one(flags: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--name-is-key"):
        step(tmp_path, pumps(tmp_path), "--name-is-key", *flags)
