"""Tables with a column for each time: the same events as of a table with a row for each, or a stop."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrnn.connectors.reading.layout import WideReading
from streamrnn.connectors.reading.lines import Found
from streamrnn.connectors.reading.wide import WideRows
from streamrnn.errors import ConfigurationError, ConnectorError
from tests.reading.growing import step, written
from tests.reading.runs import events

Event = tuple[str, int, float]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERIES = ("Aruba", "Belgium", "Chad")
YEARS = [datetime(year, 1, 1, tzinfo=UTC) for year in range(1990, 2021)]
FIFTHS = [datetime(year, 1, 1, tzinfo=UTC) for year in range(1950, 2021, 5)]
MONTHS = [datetime(2015 + at // 12, at % 12 + 1, 1, tzinfo=UTC) for at in range(48)]
DAYS = [datetime(2024, 1, 20, tzinfo=UTC) + timedelta(days=at) for at in range(40)]
COUNTED = [EPOCH + timedelta(days=at + 1) for at in range(40)]
WEEKS = [EPOCH + timedelta(weeks=at) for at in range(52)]
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
GERMAN = ("Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez")


def value(series: int, at: int) -> float:
    return 100.0 * series + (7 * at + at * at) % 53 / 4


def microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def in_rows(times: Sequence[datetime], names: Sequence[str], ids: str = "Country") -> tuple[str, list[Event]]:
    """A row for each series."""
    lines = [",".join([ids, *names])]
    found: list[Event] = []
    for series, key in enumerate(SERIES):
        cells = "," * ids.count(",")
        lines.append(f"{key}{cells}," + ",".join(str(value(series, at)) for at in range(len(times))))
        found += [(key, microseconds(time), value(series, at)) for at, time in enumerate(times)]
    return "\n".join(lines) + "\n", found


def in_parts(
    before: str, names: Sequence[str], days: Sequence[str], time_of: Callable[[int, int], datetime], more: str = ""
) -> tuple[str, list[Event]]:
    """A row for each year or day, a column for each part of it."""
    lines = [",".join([before, *names]) + (",Total" if more else "")]
    found: list[Event] = []
    for row, day in enumerate(days):
        numbers = [value(0, row * len(names) + at) for at in range(len(names))]
        lines.append(f"{day}," + ",".join(map(str, numbers)) + (f",{sum(numbers)}" if more else ""))
        found += [("default", microseconds(time_of(row, at)), number) for at, number in enumerate(numbers)]
    return "\n".join(lines) + "\n", found


def hour(step: int = 60, first: int = 0) -> Callable[[int, int], datetime]:
    return lambda row, at: DAYS[row] + timedelta(minutes=first + step * at)


def month(row: int, at: int) -> datetime:
    return datetime(2015 + row, at + 1, 1, tzinfo=UTC)


def quarter(row: int, at: int) -> datetime:
    return datetime(2015 + row, 3 * at + 1, 1, tzinfo=UTC)


def tables() -> Iterator[tuple[str, tuple[str, list[Event]]]]:
    iso = [f"{day:%Y-%m-%d}" for day in DAYS]
    years = [str(2015 + row) for row in range(8)]
    half = [f"{at // 2:02}:{at % 2 * 30:02}" for at in range(48)]
    yield "years", in_rows(YEARS, [str(time.year) for time in YEARS])
    yield "years of the World Bank", in_rows(YEARS, [f"{time.year} [YR{time.year}]" for time in YEARS])
    yield "newest year first", in_rows(YEARS[::-1], [str(time.year) for time in YEARS[::-1]])
    yield "each fifth year", in_rows(FIFTHS, [str(time.year) for time in FIFTHS])
    yield "months", in_rows(MONTHS, [f"{time:%Y-%m}" for time in MONTHS])
    yield "months in words", in_rows(MONTHS, [f"{time:%b %Y}" for time in MONTHS])
    yield "months of Eurostat", in_rows(MONTHS, [f"{time:%Y-%m} " for time in MONTHS], "geo\\TIME_PERIOD")
    yield "days", in_rows(DAYS, iso)
    yield "days, month first", in_rows(DAYS, [f"{day.month}/{day.day}/{day:%y}" for day in DAYS])
    yield "days that are counted", in_rows(COUNTED, [f"d_{at + 1}" for at in range(40)], "id")
    yield "weeks that are counted", in_rows(WEEKS, [f"W{at}" for at in range(52)], "Product_Code")
    yield "months of a year", in_parts("Year", NAMES, years, month)
    yield "German months and a sum", in_parts("Jahr", GERMAN, years, month, "sum")
    yield "quarters of a year", in_parts("Year", ("Q1", "Q2", "Q3", "Q4"), years, quarter)
    yield "hours", in_parts("Date", [f"H{at}" for at in range(1, 25)], iso, hour())
    yield "hours from 0", in_parts("Date", [str(at) for at in range(24)], iso, hour())
    yield "half hours", in_parts("Date", half, iso, hour(30))
    yield "ends of half hours", in_parts("Date", [*half[1:], "00:00"], iso, hour(30, 30))
    yield "spans", in_parts("Giorno", [f"{at:02}:00-{at + 1:02}:00" for at in range(24)], iso, hour())
    yield "quarters of hours that are counted", in_parts("day", [f"{at}" for at in range(1, 97)], iso, hour(15))
    yield "day first", in_parts("Date", [f"H{at:02}" for at in range(1, 25)], [f"{d:%d/%m/%Y}" for d in DAYS], hour())
    yield "digits", in_parts("Date", [f"HE{at:02}" for at in range(1, 25)], [f"{d:%Y%m%d}" for d in DAYS], hour())


KINDS = dict(tables())


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_is_an_event(kind: str, tmp_path: Path) -> None:
    content, expected = KINDS[kind]
    path = tmp_path / "x.csv"
    path.write_text(content)
    found, keys, times, values, refused = events(path)
    assert sorted(zip(keys, times, values["value"], strict=True)) == sorted(expected), found
    assert refused == 0
    assert any("each cell is an event" in note for note in found.notes), found.notes
    for key in {*keys}:
        own = [time for one, time in zip(keys, times, strict=True) if one == key]
        assert own == sorted(own)


def beside(first: str, names: Sequence[str], rows: Sequence[str], delimiter: str = ",", cell: str = "1.5") -> str:
    count = len(names) + first.count(",") - rows[0].count(",")
    return "\n".join([delimiter.join([first, *names]), *(row + f"{delimiter}{cell}" * count for row in rows), ""])


@pytest.mark.parametrize(
    ("content", "series", "first", "last"),
    [
        (beside("geo", [*map(str, range(2018, 2023))], [f"c{at}" for at in range(30)]), 30, "2018-01-01", "2022-01-01"),
        (
            beside("year,mean", [*NAMES, "J-D", "DJF"], [str(year) for year in range(1900, 1990)]),
            1, "1900-01-01", "1989-12-01",
        ),
        (
            beside("MPAN,Date", [f"HH{at:02}" for at in range(1, 49)],
                   [f"12,2024-01-{day:02}" for day in range(1, 30)]),
            1, "2024-01-01", "2024-01-29T23:30",
        ),
        (
            beside("name,updated", ["2010-01", "2010-02", "2010-03"], [f"s{at},15/05/2024" for at in range(9)]),
            9, "2010-01-01", "2010-03-01",
        ),
        (
            beside("Giorno", [f"{at:02}:00-{at + 1:02}:00" for at in range(24)],
                   [f"{day:02}/01/2024" for day in range(1, 29)], ";", "0,125"),
            1, "2024-01-01", "2024-01-28T23:00",
        ),
        (
            beside("metric", [f"{DAYS[0] + timedelta(hours=at):%Y-%m-%d %H:%M}" for at in range(120)], ["a"]),
            1, "2024-01-20", "2024-01-24T23:00",
        ),
    ],
    ids=["five years", "months and means of them", "half hours", "when they were made", "spans of a day", "one row"],
)  # fmt: skip
def test_tables_that_were_refused(content: str, series: int, first: str, last: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    _, keys, times, values, refused = events(path)
    assert (len({*keys}), refused, [*values]) == (series, 0, ["value"])
    ends = [microseconds(datetime.fromisoformat(end).replace(tzinfo=UTC)) for end in (first, last)]
    assert [min(times), max(times)] == ends
    assert len({*values["value"]}) == 1


def test_what_stands_beside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    head = "Province,Country,Lat,Long," + ",".join(f"{day.month}/{day.day}/{day:%y}" for day in DAYS)
    rows = [
        f"{name},{1.5 * at},2," + ",".join(["7"] * 40) for at, name in enumerate((",Austria", "A,China", "B,China"))
    ]
    path.write_text("\n".join([head, *rows, ""]))
    found, keys, *_ = events(path)
    assert sorted({*keys}) == ["/Austria", "A/China", "B/China"]
    assert "left out beside them: Lat, Long" in found.notes
    assert "key: Province and Country (another: --key)" in found.notes
    assert found.findings.interval == 86_400


def test_cells_before_the_first_and_behind_the_last_value_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,2001,2002,2003,2004,2005\na,,,1,,2\nb,3,4,n/a,,\nc,,,,,\nd,1,2,3,4,5\n")
    _, keys, _, values, refused = events(path)
    assert refused == 0
    assert list("aaabbbddddd") == keys
    found = values["value"]
    assert [None if math.isnan(one) else one for one in found] == [1, None, 2, 3, 4, None, 1, 2, 3, 4, 5]


def test_the_numbers_of_all_cells_are_read_in_one_way(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "Jahr;Jan;Feb;Mrz;Apr;Mai;Jun;Jul;Aug;Sep;Okt;Nov;Dez\n2020" + ";1.234,5" * 12 + "\n2021" + ";7" * 12
    )
    found, _, _, values, _ = events(path)
    assert values["value"] == [1234.5] * 12 + [7.0] * 12, found


def test_a_row_of_other_width_is_refused_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    content, expected = KINDS["years"]
    path.write_text(content + "Last Updated: 2024-01-05\n")
    _, _, _, values, refused = events(path)
    assert (len(values["value"]), refused) == (len(expected), 1)


def test_columns_that_are_named_are_targets(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(KINDS["hours"][0])
    _, _, times, values, _ = events(path, "--target", "H1", "--target", "H2")
    assert (len(times), [*values]) == (len(DAYS), ["H1", "H2"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,2001,2002,2003\n" + "x,1,2,3\n" * 9, "nothing beside them tells the rows apart: name what does with --key"),
        ("Month,2001,2002,2003\n" + "".join(f"{name},1,2,3\n" for name in NAMES), "the columns are times"),
        ("Country," + ",".join(NAMES) + "\n" + "".join(f"{name}" + ",1" * 12 + "\n" for name in SERIES), "are times"),
        ("id,1/2/2024,2/2/2024,3/2/2024,4/2/2024\na,1,2,3,4\nb,1,2,3,4\n", "day or month first in '1/2/2024'"),
    ],
    ids=["nothing tells rows apart", "months in rows", "months of no year", "both orders"],
)
def test_what_is_not_plain_is_asked_about(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=says):
        events(path)


def test_the_order_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,1/2/2024,2/2/2024,3/2/2024,4/2/2024\na,1,2,3,4\nb,1,2,3,4\n")
    _, _, times, _, _ = events(path, "--time-format", "%d/%m/%Y")
    assert times[:2] == [microseconds(datetime(2024, 2, day, tzinfo=UTC)) for day in (1, 2)]


def test_sorted_by_time_over_all_series(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    content, expected = KINDS["newest year first"]
    path.write_text(content)
    _, keys, times, values, _ = events(path, "--sort")
    assert times == sorted(times)
    assert sorted(zip(keys, times, values["value"], strict=True)) == sorted(expected)


@pytest.mark.parametrize("kind", ["years", "months of a year", "half hours", "days that are counted"])
def test_a_run_that_was_killed_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    """A row is taken whole or not at all, so a snapshot never stands between two of its cells."""
    content, expected = KINDS[kind]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        (folder / "x.csv").write_text(content)
    step(whole, "x.csv")
    for at in range(len(content.splitlines()) + 2):
        step(killed, "x.csv", snapshot=at % 3 != 1, polls=1)
    step(killed, "x.csv")
    assert len(written(whole)) == len(expected)
    assert written(killed) == written(whole)


def test_a_table_that_grows_by_rows(tmp_path: Path) -> None:
    content, _ = KINDS["hours"]
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    for folder in (whole, grown):
        folder.mkdir()
    (whole / "x.csv").write_text(content)
    step(whole, "x.csv")
    lines = content.splitlines(keepends=True)
    for last in range(2, len(lines) + 1, 7):
        (grown / "x.csv").write_text("".join(lines[:last]) + "2031-01")  # a line that has no end yet
        step(grown, "x.csv")
    (grown / "x.csv").write_text(content)
    step(grown, "x.csv")
    assert written(grown) == written(whole)


def test_several_files_have_the_same_times_in_their_headers(tmp_path: Path) -> None:
    content, _ = KINDS["hours"]
    header, *rows = content.splitlines(keepends=True)
    for name, some in (("day-1.csv", rows[:20]), ("day-2.csv", rows[20:])):
        (tmp_path / name).write_text("".join([header, *some]))
    (tmp_path / "x.csv").write_text(content)
    step(tmp_path, "x.csv")
    alone = written(tmp_path)
    for name in ("out", "state"):
        (tmp_path / name).rename(tmp_path / f"{name}-before")
    step(tmp_path, ["day-1.csv", "day-2.csv"])
    assert written(tmp_path) == alone
    for name in ("out", "state"):
        (tmp_path / name).rename(tmp_path / f"{name}-then")
    (tmp_path / "day-2.csv").write_text(header.replace("H1,", "Z1,") + "".join(rows[20:]))
    with pytest.raises(ConnectorError, match="only a header says which"):
        step(tmp_path, ["day-1.csv", "day-2.csv"])


@settings(deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(-999, 999)), min_size=5, max_size=5), min_size=1, max_size=9),
    st.lists(st.integers(1, 8), max_size=4),
)
def test_the_cut_of_batches_changes_nothing(cells: list[list[int | None]], cuts: list[int]) -> None:
    how = {
        "kind": "csv", "names": ["id", *"abcde"], "time": "time", "others": ["id"],
        "times": [(name, f"200{at}-01-01") for at, name in enumerate("abcde")],
    }  # fmt: skip
    rows = WideRows(WideReading.model_validate(how))
    lines: Found = [
        (",".join([f"s{at}", *("" if cell is None else str(cell) for cell in row)]).encode(), 10 * at)
        for at, row in enumerate(cells)
    ]
    edges = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
    together = rows(lines)
    assert together == [one for a, b in itertools.pairwise(edges) for one in rows(lines[a:b])]
    assert sum(b"null" not in line for line, _ in together) == sum(cell is not None for row in cells for cell in row)
