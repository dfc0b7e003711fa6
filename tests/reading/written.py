"""One series, written in every layout that people have."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

ROWS = 120
START = datetime(2024, 1, 25, tzinfo=UTC)
TIMES = [START + timedelta(hours=row) for row in range(ROWS)]
VALUES = [round(700 + 450 * (row % 24) / 24 + (row * 37 % 11) / 8, 2) for row in range(ROWS)]
"""Some over a thousand, so that thousands are marked; hundredths."""


class Written(NamedTuple):
    """A file with the series in it."""

    name: str
    content: bytes
    asks: str = ""
    """What its message must say, where the file does not tell how it is to be read."""
    flags: tuple[str, ...] = ()
    """What makes it readable then."""


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def plain(header: str = "time,value") -> str:
    lines = [f"{time:%Y-%m-%dT%H:%M:%SZ},{value}" for time, value in zip(TIMES, VALUES, strict=True)]
    return "\n".join([header, *lines]) + "\n"


def with_times(form: Callable[[datetime], str], header: str = "time") -> str:
    rows = [[form(time), str(value)] for time, value in zip(TIMES, VALUES, strict=True)]
    return table([[header, "value"], *rows])


def with_values(form: Callable[[float], str], delimiter: str = ",") -> str:
    rows = [[f"{time:%Y-%m-%d %H:%M:%S}", form(value)] for time, value in zip(TIMES, VALUES, strict=True)]
    return table([["time", "value"], *rows], delimiter)


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def epoch(time: datetime, per: int) -> str:
    return str(int(time.timestamp()) * per)


TIME_FORMS: dict[str, Callable[[datetime], str]] = {
    "iso with zone": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    "short zone": lambda time: (time + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S+01"),
    "space": lambda time: time.strftime("%Y-%m-%d %H:%M:%S"),
    "minutes": lambda time: time.strftime("%Y-%m-%d %H:%M"),
    "named utc": lambda time: time.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "fraction": lambda time: time.strftime("%Y-%m-%d %H:%M:%S.000"),
    "comma fraction": lambda time: time.strftime("%Y-%m-%d %H:%M:%S,000"),
    "slashes": lambda time: time.strftime("%Y/%m/%d %H:%M"),
    "points": lambda time: time.strftime("%d.%m.%Y %H:%M:%S"),
    "day first": lambda time: time.strftime("%d/%m/%Y %H:%M"),
    "month first": lambda time: time.strftime("%m/%d/%Y %H:%M"),
    "day first, two digits": lambda time: time.strftime("%d-%m-%y %H:%M"),
    "unpadded": lambda time: f"{time.day}/{time.month}/{time.year} {time.hour}:{time:%M}",
    "half days": lambda time: time.strftime("%m/%d/%Y %I:%M:%S %p"),
    "month names": lambda time: time.strftime("%d-%b-%Y %H:%M:%S"),
    "month name first": lambda time: time.strftime("%B %d, %Y %I:%M %p"),
    "RFC 2822": lambda time: time.strftime("%a, %d %b %Y %H:%M:%S +0000"),
    "ctime": lambda time: time.strftime("%a %b %d %H:%M:%S %Y"),
    "web server": lambda time: time.strftime("%d/%b/%Y:%H:%M:%S +0000"),
    "compact": lambda time: time.strftime("%Y%m%dT%H%M%SZ"),
    "digits": lambda time: time.strftime("%Y%m%d%H%M%S"),
    "digits to the hour": lambda time: time.strftime("%Y%m%d%H"),
    "digits and a clock": lambda time: time.strftime("%Y%m%d %H:%M"),
    "seconds": lambda time: epoch(time, 1),
    "seconds with a fraction": lambda time: epoch(time, 1) + ".0",
    "milliseconds": lambda time: epoch(time, 1000),
    "microseconds": lambda time: epoch(time, 10**6),
    "nanoseconds": lambda time: epoch(time, 10**9),
    "spreadsheet": lambda time: repr((time.replace(tzinfo=None) - datetime(1899, 12, 30)) / timedelta(days=1)),
    "at": lambda time: f"{time:%b} {time.day}, {time:%Y @ %H:%M:%S}.000",
    "points behind ordinals": lambda time: f"{time.day}. {time.month}. {time.year} {time.hour}:{time:%M}",
    "a point behind the day": lambda time: time.strftime("%Y.%m.%d. %H:%M"),
    "klo": lambda time: f"{time.day}.{time.month}.{time.year} klo {time.hour}.{time:%M}",
    "an h between": lambda time: time.strftime("%d/%m/%Y %Hh%M"),
    "half days in front": lambda time: (
        f"{time.year}/{time.month}/{time.day} {'上午' if time.hour < 12 else '下午'} {time.hour % 12 or 12}:{time:%M}"
    ),
    "half days in Korean": lambda time: (
        f"{time:%Y-%m-%d} {'오전' if time.hour < 12 else '오후'} {time.hour % 12 or 12}:{time:%M}:00"
    ),
    "polish months": lambda time: f"{time.day} {('sty', 'lut')[time.month - 1]} {time.year} {time:%H:%M}",
    "a place": lambda time: (time + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S Europe/Berlin"),
    "go": lambda time: time.strftime("%Y-%m-%d %H:%M:%S.000000000 +0000 UTC"),
    "java": lambda time: (time + timedelta(hours=1)).strftime("%a %b %d %H:%M:%S CET %Y"),
    "twitter": lambda time: time.strftime("%a %b %d %H:%M:%S +0000 %Y"),
    "24:00": lambda time: (
        f"{time - timedelta(days=1):%Y-%m-%d} 24:00:00" if time.hour == 0 else f"{time:%Y-%m-%d %H:%M:%S}"
    ),
    "a las": lambda time: time.strftime("%d/%m/%Y a las %H:%M"),
    "at an hour": lambda time: f"{time:%d.%m.%Y} {time.hour} Uhr",
    "hours with an h": lambda time: f"{time:%d/%m/%Y} {time.hour}h",
    "halves with points": lambda time: f"{time:%d/%m/%Y} {time:%I:%M:%S} {'a. m.' if time.hour < 12 else 'p. m.'}",
    "halves in Greek": lambda time: f"{time:%d/%m/%Y} {time:%I:%M:%S} {'πμ' if time.hour < 12 else 'μμ'}",
    "halves in Arabic": lambda time: f"{time:%d/%m/%Y} {time:%I:%M:%S} {'ص' if time.hour < 12 else 'م'}",
    "a weekday inside": lambda time: time.strftime("<%Y-%m-%d %a %H:%M>"),
    "a weekday in brackets": lambda time: f"{time:%Y/%m/%d}({'月火水木金土日'[time.weekday()]}) {time:%H:%M}",
    "spanish words": lambda time: f"jueves, {time.day} de {('enero', 'febrero')[time.month - 1]} de {time:%Y %H:%M}",
    "exif": lambda time: time.strftime("%Y:%m:%d %H:%M:%S"),
    "day of the year": lambda time: time.strftime("%Y:%j:%H:%M:%S"),
    "day of the year, slash": lambda time: time.strftime("%Y/%j %H:%M"),
    "two digits of the year, to the minute": lambda time: time.strftime("%y%m%d%H%M"),
    "two digits of the year, to the second": lambda time: time.strftime("%y%m%d%H%M%S"),
    "hour behind a colon": lambda time: time.strftime("%d/%b/%Y:%H"),
    "offset in brackets": lambda time: (time + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S (UTC+02:00)"),
    "japan": lambda time: (time + timedelta(hours=9)).strftime("%Y-%m-%d %H:%M:%S JST"),
    "modified julian days": lambda time: f"{(time - datetime(1858, 11, 17, tzinfo=UTC)) / timedelta(days=1):.6f}",
    "seconds and a colon": lambda time: epoch(time, 1) + ":",
    "midnight without a clock": lambda time: time.strftime("%Y-%m-%d" if time.hour == 0 else "%Y-%m-%d %H:%M:%S"),
}

VALUE_FORMS: dict[str, tuple[Callable[[float], str], str]] = {
    "decimal comma": (lambda value: str(value).replace(".", ","), ";"),
    "decimal comma, quoted": (lambda value: str(value).replace(".", ","), ","),
    "decimal comma, tabs": (lambda value: str(value).replace(".", ","), "\t"),
    "thousands": (lambda value: f"{value:,.2f}", ","),
    "thousands by points": (german, ";"),
    "thousands by spaces": (lambda value: f"{value:,.2f}".replace(",", "\u00a0").replace(".", ","), ";"),
    "thousands by narrow spaces": (lambda value: f"{value:,.2f}".replace(",", "\u202f"), ","),
    "thousands by apostrophes": (lambda value: f"{value:,.2f}".replace(",", "'"), ","),
    "unit": (lambda value: f"{value} kWh", ","),
    "unit without a space": (lambda value: f"{value}°C", ","),
    "per cent": (lambda value: f"{value} %", ","),
    "dollars": (lambda value: f"${value:,.2f}", ","),
    "euros": (lambda value: german(value) + " €", ";"),
    "marks of footnotes": (lambda value: f"{value}*" if value > 1140 else str(value), ","),
    "plus": (lambda value: f"+{value}", ","),
    "exponent": (lambda value: f"{value:.6e}", ","),
    "quoted": (lambda value: f" {value} ", ","),
}


def more_columns() -> Iterator[tuple[str, str]]:
    """Tables with other columns, or other lines, than the plain one."""
    pairs = list(zip(TIMES, VALUES, strict=True))
    iso = [[f"{time:%Y-%m-%d %H:%M:%S}", str(value)] for time, value in pairs]
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        yield name, table([["time", "value"], *iso], delimiter)
    yield "sep", "sep=;\n" + table([["time", "value"], *iso], ";")
    yield "preamble", "# exported by logger 3\n# site: plant 7\n" + plain()
    yield (
        "preamble of a table",
        "Logger;3\nSite;plant 7\n\n" + table([["time", "value", "state"], *[[*r, "ok"] for r in iso]], ";"),
    )
    yield "units", table([["time", "value"], ["UTC", "kWh"], *iso])
    yield "units, not of the time", table([["time", "value"], ["", "kWh"], *iso])
    yield "no header", table(iso)
    yield "no header, seconds", table([[epoch(time, 1), str(value)] for time, value in pairs])
    yield "trailing delimiters", "".join(line + ",\n" for line in plain().splitlines())
    yield "trailing delimiters but in the header", plain().replace("\n", ",\n").replace("value,", "value", 1)
    yield "trailing comma of the header alone", plain().replace("value", "value,", 1)
    yield "index", table([["", "time", "value"], *[[str(at), *row] for at, row in enumerate(iso)]])
    yield "row names of R", table([["time", "value"], *[[str(at), *row] for at, row in enumerate(iso, 1)]])
    yield (
        "text beside",
        table([["time", "value", "note"], *[[*row, "a, b" if at % 3 else ""] for at, row in enumerate(iso)]]),
    )
    yield (
        "line ends in quotes",
        table([["time", "value", "note"], *[[*r, "two\nlines" if i % 7 == 3 else "one"] for i, r in enumerate(iso)]]),
    )
    yield "quotes", "\n".join(",".join(f'"{cell}"' for cell in row) for row in [["time", "value"], *iso])
    yield "quotes and spaces", "\n".join(", ".join(f'"{cell}"' for cell in row) for row in [["time", "value"], *iso])
    yield "header again", plain().replace("\n2024-01-27", "\ntime,value\n2024-01-27", 1)
    yield "CRLF", plain().replace("\n", "\r\n")
    yield "blank lines", plain().replace("\n", "\n\n")
    yield (
        "short rows",
        "".join(
            [
                line + (",\n" if at % 4 else "\n") if at else "time,value,note\n"
                for at, line in enumerate(plain().splitlines())
            ]
        ),
    )
    yield (
        "date and time",
        table([["Date", "Time", "value"], *[[f"{t:%Y-%m-%d}", f"{t:%H:%M:%S}", str(v)] for t, v in pairs]]),
    )
    yield (
        "german date and time",
        table([["Datum", "Uhrzeit", "value"], *[[f"{t:%d.%m.%Y}", f"{t:%H:%M}", german(v)] for t, v in pairs]], ";"),
    )
    yield (
        "date and half days",
        table([["Date", "Time", "value"], *[[f"{t:%m/%d/%Y}", f"{t:%I:%M %p}", str(v)] for t, v in pairs]]),
    )
    yield (
        "date and hour",
        table([["date", "hour", "value"], *[[f"{t:%Y-%m-%d}", str(t.hour), str(v)] for t, v in pairs]]),
    )
    yield (
        "digits and HHMM",
        table(
            [
                ["date", "time", "value"],
                *[[f"{t:%Y%m%d}", f"{t.hour}{t:%M}".lstrip("0") or "0", str(v)] for t, v in pairs],
            ]
        ),
    )
    yield (
        "fields",
        table(
            [
                ["year", "month", "day", "hour", "value"],
                *[[str(t.year), str(t.month), str(t.day), str(t.hour), str(v)] for t, v in pairs],
            ]
        ),
    )
    yield (
        "a constant time first",
        table([["created_at", "updated_at", "value"], *[["2020-01-01T00:00:00Z", *row] for row in iso]]),
    )
    yield (
        "influx",
        "#group,false,false,true,true,false,false\n#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double\n#default,_result,,,,,\n"
        + table(
            [
                ["", "result", "table", "_start", "_stop", "_time", "value"],
                *[
                    ["", "", "0", "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z", f"{t:%Y-%m-%dT%H:%M:%SZ}", str(v)]
                    for t, v in pairs
                ],
            ]
        ),
    )


def objects(**more: Any) -> list[dict[str, Any]]:
    return [
        {"time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "value": value, **more}
        for time, value in zip(TIMES, VALUES, strict=True)
    ]


def json_files() -> Iterator[tuple[str, str]]:
    yield "lines.jsonl", "".join(json.dumps(one) + "\n" for one in objects())
    yield "text.jsonl", "".join(json.dumps({**one, "value": str(one["value"])}) + "\n" for one in objects())
    yield "decimal comma.jsonl", "".join(json.dumps({**one, "value": german(one["value"])}) + "\n" for one in objects())
    yield "array.json", json.dumps(objects())
    yield "array, spread.json", json.dumps(objects(more={"a": [1, "}{"]}), indent=2)
    yield "spread.json", "\n".join(json.dumps(one, indent=2) for one in objects())
    yield "answer.json", json.dumps({"status": "ok", "results": objects(), "more": [1]})
    yield "columns.json", json.dumps({"hourly": {name: [one[name] for one in objects()] for name in ("time", "value")}})
    yield (
        "milliseconds.jsonl",
        "".join(
            json.dumps({**o, "time": int(t.timestamp() * 1000)}) + "\n" for o, t in zip(objects(), TIMES, strict=True)
        ),
    )
    yield (
        "nanoseconds.jsonl",
        "".join(
            json.dumps({**o, "time": int(t.timestamp()) * 10**9}) + "\n" for o, t in zip(objects(), TIMES, strict=True)
        ),
    )


def every() -> Iterator[Written]:
    """Every layout, all of them one and the same series."""
    for name, form in TIME_FORMS.items():
        header = "mjd" if "julian" in name else "time"
        yield Written(f"time, {name}.csv", with_times(form, header).encode())
    yield Written("plain.csv", plain().encode())
    for name, (value_form, delimiter) in VALUE_FORMS.items():
        yield Written(f"value, {name}.csv", with_values(value_form, delimiter).encode())
    for name, text in more_columns():
        yield Written(f"table, {name}.csv", text.encode())
    for name, text in json_files():
        yield Written(f"json, {name}", text.encode())
    text = plain()
    yield Written("utf-16.csv", text.encode("utf-16"))
    yield Written("utf-16, no mark.csv", text.encode("utf-16-le"))
    yield Written("utf-16, big.csv", b"\xfe\xff" + text.encode("utf-16-be"))
    yield Written("mark.csv", text.encode("utf-8-sig"))
    beside = text.replace("value\n", "value,ort\n", 1).replace("\n2", ",München\n2").rstrip("\n") + ",München\n"
    beside = beside.replace("ort,München", "ort", 1)
    yield Written("latin-1.csv", beside.encode("latin-1"))
    yield Written("x.csv.gz", gzip.compress(text.encode()))
    yield Written("x.csv.bz2", bz2.compress(text.encode()))
    yield Written("x.csv.xz", lzma.compress(text.encode()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", text)
    yield Written("x.zip", packed.getvalue())
    yield Written("array.json.gz", gzip.compress(json.dumps(objects()).encode()))
    lines = [text.splitlines()[0], *reversed(text.splitlines()[1:])]
    yield Written("newest first.csv", "\n".join(lines).encode(), "--sort", ("--sort",))
    unknown = with_times(lambda time: time.strftime("%Y~%m~%d %H:%M"))
    yield Written("tildes.csv", unknown.encode(), "--time-format", ("--time-format", "%Y~%m~%d %H:%M"))
    point = "".join(f"power value={value} {epoch(time, 10**9)}\n" for time, value in zip(TIMES, VALUES, strict=True))
    yield Written("points.lp", point.encode())
