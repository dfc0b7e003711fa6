"""Kinds of layouts that agencies, databases and loggers write: the same series in each, or a stop that says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamrnn.connectors.reading.layout import TimeReading
from streamrnn.connectors.reading.times import reader
from streamrnn.errors import ConfigurationError, ConnectorError
from tests.reading.exports import PAIRS
from tests.reading.runs import events
from tests.reading.written import VALUES

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = [(time - EPOCH) // MICROSECOND for time, _ in PAIRS]


def comma(value: float) -> str:
    return str(value).replace(".", ",")


def lines(form: Callable[[int, datetime, float], str]) -> str:
    return "".join(form(at, time, value) + "\n" for at, (time, value) in enumerate(PAIRS))


def written() -> Iterator[tuple[str, str]]:
    stars, dashes = "*" * 27, "-" * 20
    yield (
        "x.txt",
        lines(lambda at, t, v: f"-[ RECORD {at + 1} ]{dashes}\ntime  | {t:%Y-%m-%d %H:%M:%S}+00\nvalue | {v}"),
    )
    yield "g.txt", lines(lambda at, t, v: f"{stars} {at + 1}. row {stars}\n time: {t:%Y-%m-%d %H:%M:%S}\nvalue: {v}")
    yield "vertical.txt", lines(lambda at, t, v: f"Row {at + 1}:\n──────\ntime:  {t:%Y-%m-%d %H:%M:%S}\nvalue: {v}\n")
    yield "line.txt", lines(lambda at, t, v: f" time = {t:%Y-%m-%d %H:%M:%S}\nvalue = {v}\n")
    yield "list.yaml", lines(lambda at, t, v: f"- time: {t:%Y-%m-%dT%H:%M:%SZ}\n  value: {v}")
    yield "named.yaml", "readings:\n" + lines(lambda at, t, v: f"  - time: '{t:%Y-%m-%d %H:%M}'\n    value: {v}")
    yield (
        "x.arff",
        "@relation r\n@attribute time date 'yyyy-MM-dd HH:mm:ss'\n@attribute value numeric\n@data\n"
        + lines(lambda at, t, v: f"'{t:%Y-%m-%d %H:%M:%S}',{v}"),
    )
    yield "names.json", json.dumps([["time", "value"], *([f"{t:%Y-%m-%d %H:%M:%S}", str(v)] for t, v in PAIRS)])
    yield (
        "series.jsonl",
        "".join(
            json.dumps({"metric": {"host": "a"}, "values": [v for _, v in some],
                        "timestamps": [int(t.timestamp() * 1000) for t, _ in some]}) + "\n"
            for some in (PAIRS[:50], PAIRS[50:])
        ),
    )  # fmt: skip
    yield "flags.csv", "Meter;Datum;Wert;Flag\n" + lines(lambda at, t, v: f"M7;{t:%d.%m.%Y %H:%M};{comma(v)};")
    yield "hours.csv", lines(lambda at, t, v: f"{t:%Y-%m-%d},{t.hour},{v}")
    yield "ends.csv", lines(lambda at, t, v: f"{t:%Y-%m-%d};{t.hour + 1};{v};")
    yield (
        "weeks.csv",
        "ISO_YEAR,ISO_WEEK,STARTDATE,v\n"
        + lines(lambda at, t, v: f"{t.isocalendar()[0]},{t.isocalendar()[1]},{t:%Y-%m-%d %H:%M},{v}"),
    )
    yield "low.csv", "date,low,time of low\n" + lines(lambda at, t, v: f"{t:%Y-%m-%d %H:%M},{v},07:{at % 60:02}")
    yield (
        "zone.csv",
        "timestamp,v\nEurope/Oslo (+01:00),kW\n"
        + lines(lambda at, t, v: f"{t + timedelta(hours=1):%Y-%m-%d %H:%M},{v}"),
    )
    yield "r.txt", "                 time  value\n" + lines(lambda at, t, v: f"{at + 1:<4} {t:%Y-%m-%d %H:%M:%S} {v:7}")
    yield "pandas.txt", "                     value\n" + lines(lambda at, t, v: f"{t:%Y-%m-%d %H:%M:%S}  {v:7}")
    yield (
        "remarks.txt",
        "time   value\n" + lines(lambda at, t, v: f"{t:%Y-%m-%dT%H:%M}  {v:7}{'  Provisional' if at > 100 else ''}"),
    )
    yield (
        "russian.csv",
        "Дата;v\n"
        + lines(lambda at, t, v: f"{t.day} {('янв.', 'февр.')[t.month - 1]} {t.year} г. {t:%H:%M};{comma(v)}"),
    )


@pytest.mark.parametrize(("name", "content"), [*written()], ids=[name for name, _ in written()])
def test_the_same_series_is_read(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    found, keys, times, values, refused = events(path)
    assert times == MOMENTS, found.notes
    assert [one for one in values.values() if one == VALUES], (found.notes, values)
    assert (len(values), refused, set(keys)) == (1, 0, {keys[0]}), found.notes


def test_a_sign_of_money_alone_makes_no_cyrillic_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(("Zeit;Umsatz\n" + lines(lambda at, t, v: f"{t:%d.%m.%Y %H:%M};{comma(v)} €")).encode("cp1252"))
    found, _, times, values, _ = events(path)
    assert (times, values) == (MOMENTS, {"Umsatz": VALUES}), found.notes


def test_a_zero_in_front_of_the_comma_parts_no_thousands(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("t;v\n" + lines(lambda at, t, v: f"{t:%d.%m.%Y %H:%M};{comma(at % 2 + 0.125)}"))
    assert events(path)[3] == {"v": [at % 2 + 0.125 for at in range(len(PAIRS))]}


def test_months_before_years_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    months = [datetime(2010 + at // 12, at % 12 + 1, 1, tzinfo=UTC) for at in range(60)]
    path.write_text("Monat;Umsatz\n" + "".join(f"{day:%m.%Y};{at},5 Mio. €\n" for at, day in enumerate(months)))
    found, _, times, values, _ = events(path)
    assert times == [(day - EPOCH) // MICROSECOND for day in months], found.notes
    assert values == {"Umsatz": [at + 0.5 for at in range(60)]}


@pytest.mark.parametrize(("name", "step"), [("secs", 1.0), ("X_Value", 0.25), ("Nth day", 86_400), ("elapsed_min", 60)])
def test_what_counts_from_the_start_is_the_time(name: str, step: float, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    each = step if step < 60 else 1
    path.write_text(f"{name},v\n" + lines(lambda at, t, v: f"{at * each:g},{v}"))
    found, _, times, values, _ = events(path)
    assert times == [round(at * step * 1_000_000) for at in range(len(PAIRS))], found.notes
    assert values == {"v": VALUES}


def test_the_number_of_a_node_is_no_measurement(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = (f"{t:%Y-%m-%d %H:%M},{name},{code},{v + code}" for t, v in PAIRS for name, code in (("N", 61757), ("S", 7)))
    path.write_text("time,name,ptid,load\n" + "\n".join(rows) + "\n")
    found, keys, _, values, _ = events(path)
    assert (set(keys), list(values)) == ({"N", "S"}, ["load"]), found.notes
    assert list(events(path, "--target", "ptid")[3]) == ["ptid"]


SCALED = [120 + 37 * (at % 24) for at in range(len(PAIRS))]


@pytest.mark.parametrize(
    ("form", "of"),
    [
        (lambda v: f"{v} MiB" if v < 600 else f"{v / 1024:.9f} GiB", 1.0),
        (lambda v: f"{v} ms" if v < 600 else f"{v / 1000} s", 1.0),
        (lambda v: f"{v}" if v < 600 else f"{v / 1000}k", 1.0),
        (lambda v: f"{v} Mio. €" if v < 600 else f"{v / 1000} Mrd. €", 1.0),
        (lambda v: f"{v} p" if v > 800 else f"{v}", 1.0),
    ],
    ids=["bytes", "seconds", "thousands", "millions", "flags"],
)
def test_units_that_are_multiples_and_flags_behind_numbers(
    form: Callable[[float], str], of: float, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "time,v\n" + "".join(f"{t:%Y-%m-%d %H:%M},{form(v)}\n" for (t, _), v in zip(PAIRS, SCALED, strict=True))
    )
    found, _, _, values, _ = events(path)
    assert values["v"] == pytest.approx([value * of for value in SCALED], rel=1e-8), found.notes
    assert any(note.startswith("numbers of v") for note in found.notes)


def test_minutes_and_meters_are_no_multiples(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,v,w\n" + lines(lambda at, t, v: f"{t:%Y-%m-%d %H:%M},{at}{' m' if at % 3 else ' s'},{v}"))
    assert list(events(path)[3]) == ["w"]


def test_a_code_is_no_unit_and_a_load_is_no_date(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "time,Day-ahead load,DGUID\n"
        + lines(lambda at, t, v: f"{t:%Y-%m-%d %H:%M},{36_000 + at * 7919 % 9000},2016A000011124")
    )
    found, _, _, values, _ = events(path)
    assert values == {"Day-ahead load": [36_000.0 + at * 7919 % 9000 for at in range(len(PAIRS))]}, found.notes


def test_yen_of_a_japanese_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    text = "日時,売上高\n" + lines(lambda at, t, v: f'{t:%Y/%m/%d %H:%M},"\\{2_000 + round(v):,}"')
    path.write_bytes(text.encode("shift_jis"))
    assert events(path)[3] == {"売上高": [2_000.0 + round(value) for value in VALUES]}


def test_lists_in_a_list_newest_first_are_sorted_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([[int(t.timestamp()), v, v + 1] for t, v in reversed(PAIRS)]))
    with pytest.raises(ConfigurationError, match=r"newest row comes first.*--sort"):
        events(path)
    found, _, times, values, _ = events(path, "--sort")
    assert (times, values["column2"]) == (MOMENTS, VALUES), found.notes


def test_candles_in_a_list_below_the_name_of_their_market(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    rows = [[int(t.timestamp()), str(v), str(v + 1), at] for at, (t, v) in enumerate(PAIRS)]
    path.write_text(json.dumps({"error": [], "result": {"XBT": rows, "last": 1}}))
    found, _, times, values, _ = events(path)
    assert (times, values["column2"]) == (MOMENTS, VALUES), found.notes


def test_values_by_their_years(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    of = {str(1980 + at): value for at, value in enumerate(VALUES[:40])}
    path.write_text(json.dumps({"values": {"NGDP": {"USA": of, "DEU": of}}}))
    found, _, times, values, _ = events(path)
    assert times[:2] == [(datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND for year in (1980, 1981)], (
        found.notes
    )
    assert values == {"USA": VALUES[:40], "DEU": VALUES[:40]}


def test_rows_without_any_order_are_sorted_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [PAIRS[at * 49 % 120] for at in range(120)]
    path.write_text("time,v\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" for t, v in rows))
    with pytest.raises(ConfigurationError, match="older than one before them: --sort"):
        events(path)
    assert events(path, "--sort")[2] == MOMENTS


def test_one_row_of_the_future_is_no_lack_of_order(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [("2099-01-01 00:00", 7.0), *((f"{t:%Y-%m-%d %H:%M}", v) for t, v in PAIRS)]
    path.write_text("time,v\n" + "".join(f"{t},{v}\n" for t, v in rows))
    assert events(path)[2][-len(MOMENTS) :] == MOMENTS


def test_a_letter_behind_few_plain_numbers_is_no_multiple(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    cells = ["0.1 T" if at in (40, 80) else f"{v}" for at, (_, v) in enumerate(PAIRS)]
    path.write_text(
        "time,rain\n" + "".join(f"{t:%Y-%m-%d %H:%M},{c}\n" for (t, _), c in zip(PAIRS, cells, strict=True))
    )
    values = events(path)[3]
    assert max(v for some in values.values() for v in some if v == v) == max(v for _, v in PAIRS)


def test_the_format_that_a_question_names_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [
        f"01/02/24,{at % 12 or 12}:{minute:02}{'a' if at < 12 else 'p'},{at}" for at in range(24) for minute in (0, 30)
    ]
    path.write_text("Date,Time,v\n" + "\n".join(rows) + "\n")
    with pytest.raises(ConfigurationError, match="day or month first") as asked:
        events(path)
    forms = [part.split("'")[0] for part in str(asked.value).split("--time-format '")[1:]]
    firsts = [events(path, "--time-format", form)[2][0] for form in forms]
    assert firsts == [(datetime(2024, *day, tzinfo=UTC) - EPOCH) // MICROSECOND for day in ((2, 1), (1, 2))]


def test_weeks_with_a_dash(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    mondays = [datetime(2021, 1, 4, tzinfo=UTC) + timedelta(weeks=at) for at in range(70)]
    path.write_text("year_week,v\n" + "".join("{}-{:02},1.5\n".format(*day.isocalendar()) for day in mondays))
    assert events(path)[2] == [(day - EPOCH) // MICROSECOND for day in mondays]


def dates(form: str, rows: int, begin: int = 0) -> str:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    return "".join(f"{first + timedelta(hours=at):{form}},{at % 24}.5\n" for at in range(begin, begin + rows))


LONG = 3000  # rows: more than decide at the beginning


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("date,hour,interval,v\n" + "".join(f"2024-01-{day:02},{at // 4 + 1},{at % 4 + 1},{at}\n"
                                             for day in range(1, 9) for at in range(96)),
         "seem to say the time of day.*--key '"),
        ("".join(json.dumps({"ts": 1_700_000_000 + at, "n": 1, "payload": f'{{"v": {at}}}'}) + "\n" for at in range(9)),
         "'payload' is text with JSON in it.*fromjson"),
        ("time,v\n" + dates("%d/%m/%Y %H:%M", LONG) + dates("%m/%d/%Y %H:%M", LONG, LONG),
         "day first in '.*' and the month first in '.*Write all dates alike"),
        ("time,a,b\n" + dates("%Y-%m-%d %H:%M,1", LONG) + "time,b,a\n" + dates("%Y-%m-%d %H:%M,2", 50, LONG),
         "another table begins in the middle of the file .time, b, a"),
        ("A\nDate,w,bmi\n" + "".join(f"2024-01-{day:02},{day},2\n" for day in range(1, 30))
         + "\nB\nDate,steps\n" + "".join(f"2024-01-{day:02},{day}\n" for day in range(1, 30)), "another table begins"),
        ("time,v\n" + "".join(f"1402/{1 + at // 30:02}/{1 + at % 30:02},{at}\n" for at in range(90)),
         "year 1402.*another calendar"),
        ("time,v\n" + "".join(f"{1 + at % 28:02}/{1 + at // 28:02}/2567,{at}\n" for at in range(90)),
         "year 2567.*another calendar"),
        ("日付,v\n" + "".join(f"R5.{1 + at // 28}.{1 + at % 28},{at}\n" for at in range(90)), "looks like the time"),
        ("when it was,v\n" + "".join(f"112/{1 + at // 28:02}/{1 + at % 28:02},{at}\n" for at in range(90)),
         "looks like the time"),
        ("".join(f"{1990 + year} " + " ".join(f"{month}.5" for month in range(12)) + "\n" for year in range(30)),
         "12 numbers stand in a row, as the months of a year"),
        ("".join(f"300,202401{day:02}," + ",".join(f"{at}.5" for at in range(48)) + ",A\n" for day in range(1, 29)),
         "numbers stand in a row, as the hours of a day"),
    ],
    ids=[
        "parts of a day as a key", "JSON in text", "both orders", "columns change places", "a narrower table",
        "Iranian", "Buddhist", "Japanese", "Chinese", "months of a year", "half hours of a day",
    ],
)  # fmt: skip
def test_what_would_be_wrong_in_silence_stops(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises((ConfigurationError, ConnectorError), match=says):
        events(path)


def test_a_year_that_is_meant_is_read_with_a_format(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,v\n" + "".join(f"0900-01-{day:02},{day}\n" for day in range(1, 29)))
    assert len(events(path, "--time-format", "%Y-%m-%d")[2]) == 28


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"SIMPLE  =                    T", "is FITS"),
        (b"$FL2@(#) SPSS DATA FILE", "is data of SPSS"),
        (b"<stata_dta><header>", "is data of Stata"),
        (bytes(12) + b"\xc2\xea\x81\x60\xb3\x14", "is data of SAS"),
        (b"\x0e\x10\xd9\x07.FIT" + bytes(range(32)) * 9, "is no text file"),
    ],
)
def test_files_that_are_no_text_are_refused(start: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(start + b"\n1,2\n" * 20)
    with pytest.raises(ConfigurationError, match=says):
        events(path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("$GPGGA,000000.00,5230.12,N,01324.56,E,1,08,0.9,11.8,M,46.9,M,,*47", "NMEA"),
        ("(1672531200.000000) can0 123#DEADBEEF0B", "CAN bus"),
        ("Jan  1 00:00:00 host app[123]: request took 14 ms", "is a log: export"),
        ('192.168.1.1 - - [01/Jan/2024:00:00:00 +0000] "GET /x HTTP/1.1" 200 12 "-" "curl"', "is a log: export"),
        ("2024-01-01 00:00:00,123 INFO  [main] app.jobs - processed 12 rows", "is a log: export"),
        ("KJFK 010051Z 24008KT 10SM FEW250 12/03 A3012", "METAR"),
        ('structure(c(1.5, 2.5), tsp = c(2018, 2023, 12), class = "ts")', "dput"),
        ("[[reading]]\ntime = 2024-01-01T00:00:00Z\nv = 1.5\n", "TOML"),
        ("Linux 5.15.0 (host) \t01/14/2024 \t_x86_64_\t(4 CPU)\n\n12:00:01 AM     CPU     %user", "sadf -d"),
        ("Date,Value\n########,12.5\n2024-01-01,12.5", "too narrow for its dates"),
    ],
)
def test_text_that_is_no_table_is_refused_with_what_to_do(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("\n".join([line] * 30) + "\n")
    with pytest.raises(ConfigurationError, match=says):
        events(path)


def test_weeks_of_the_cdc_belong_to_the_year_of_their_wednesday() -> None:
    read = reader(TimeReading(columns=("y", "w"), form="fields", parts="year and week of Sundays"), None)
    sunday, counted = datetime(2000, 1, 2), 0
    while sunday.year < 2040:
        year = (sunday + timedelta(days=3)).year
        counted = counted + 1 if year == (sunday - timedelta(days=4)).year else 1
        assert read(f"{year} {counted}") == sunday
        sunday += timedelta(weeks=1)
    with pytest.raises(ValueError, match="there is no week 53 in 2023"):
        read("2023 53")


@pytest.mark.parametrize(
    ("content", "options", "keys", "targets"),
    [
        ("".join(f"{5000 + at}," + ",".join(f"{at % 7 + n}.5" for n in range(11)) + "\n" for at in range(400)), (),
         ["default"], 12),
        ("time,v\n" + "".join(f"{17_000_000_000 + 60 * at},{at % 7}\n" for at in range(40)),
         ("--time", "time", "--time-unit", "s"), ["default"], 1),
        ("place,day,v\n" + "".join(f"{1 + at % 2}-{1 + at // 2 % 2},2024-01-{1 + at // 4:02},{at % 7}.5\n"
                                   for at in range(100)), (), ["1-1", "1-2", "2-1", "2-2"], 1),
        ("ip,v\n" + "".join(f"10.{1 + at // 20}.{1 + at % 20}.7,{at % 7}.5\n" for at in range(100)), (),
         ["default"], 1),
        ("day,number of cases,v\n" + "".join(f"2024-01-{at:02},{at * at},{at % 7}.5\n" for at in range(1, 31)), (),
         ["default"], 2),
        ("day,meter,v\n" + "".join(f"2024-01-{at:02},{at * at},{at % 7}.5\n" for at in range(1, 31)), (),
         ["default"], 2),
        ("day,order_id,v\n" + "".join(f"2024-01-{at:02},{at * at},{at % 7}.5\n" for at in range(1, 31)), (),
         ["default"], 1),
        ("day,v,labels\n" + "".join(f'2024-01-{at:02},{at % 7}.5,"{{""host"":""a{at}""}}"\n' for at in range(1, 31)),
         (), ["default"], 1),
    ],
    ids=["numbers of rows", "seconds, as was said", "places", "addresses", "a count", "a meter", "orders", "labels"],
)  # fmt: skip
def test_what_only_resembles_a_mistake_is_read(
    content: str, options: tuple[str, ...], keys: list[str], targets: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    found, own, _, values, refused = events(path, *options)
    assert (sorted(set(own)), len(values), refused) == (keys, targets, 0), found.notes


def test_years_and_months_in_one_column_stop_where_the_column_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    cells = [
        cell for year in range(1990, 2020) for cell in (f"{year}", *(f"{year}{month:02}" for month in range(1, 13)))
    ]
    path.write_text("date,v\n" + "".join(f"{cell},{at % 7}.5\n" for at, cell in enumerate(cells)))
    for options in ((), ("--time", "date")):
        with pytest.raises(
            ConfigurationError, match=r"has years .'1990'. and months .'199001'.: these are several series"
        ):
            events(path, *options)


def test_seconds_since_a_start_are_not_years_and_months(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"time": 60 * at, "value": at % 5}) + "\n" for at in range(20_000)))
    assert events(path)[2][:3] == [0, 60_000_000, 120_000_000]
