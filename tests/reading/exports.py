"""The same series as databases, spreadsheets, dashboards and loggers export it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.reading.written import TIMES, VALUES, Written, german

PAIRS = list(zip(TIMES, VALUES, strict=True))
HOUR = timedelta(hours=1)
DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")


def comma(value: float) -> str:
    return str(value).replace(".", ",")


def arabic(value: float) -> str:
    return str(value).translate(str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫"))


def wide(value: float) -> str:
    return str(value).translate(str.maketrans("0123456789.", "０１２３４５６７８９．"))


def serial(time: datetime) -> float:
    return (time.replace(tzinfo=None) - datetime(1899, 12, 30)) / timedelta(days=1)


def tables() -> Iterator[tuple[str, str]]:
    yield (
        "excel, german",
        "\ufeffsep=;\r\nDatum;Uhrzeit;Wert\r\n"
        + "".join(f"{t:%d.%m.%Y};{t:%H:%M:%S};{german(v)}\r\n" for t, v in PAIRS),
    )
    yield "excel, quoted", '"Time";"Value"\r\n' + "".join(f'"{t:%d.%m.%Y %H:%M:%S}";"{comma(v)}"\r\n' for t, v in PAIRS)
    yield "excel, text cells", "time,value\n" + "".join(f'="{t:%Y-%m-%d %H:%M}",="{v}"\n' for t, v in PAIRS)
    yield "excel, days", "Date,Value\n" + "".join(f"{serial(t):.6f},{v}\n" for t, v in PAIRS)
    yield (
        "excel, german days",
        "Datum;Wert\n" + "".join(f"{comma(round(serial(t), 10))};{comma(v)}\n" for t, v in PAIRS),
    )
    yield "grafana", '\ufeffsep=,\r\n"Time","power"\r\n' + "".join(f"{t:%Y-%m-%d %H:%M:%S},{v}\r\n" for t, v in PAIRS)
    yield (
        "grafana, units",
        '"Time","power {host=a}"\n' + "".join(f'"{t:%Y-%m-%d %H:%M:%S}","{v} kW"\n' for t, v in PAIRS),
    )
    yield (
        "influx",
        (
            "#group,false,false,true,true,false,false,true,true\n"
            "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string\n"
            "#default,_result,,,,,,,\n,result,table,_start,_stop,_time,_value,_field,_measurement\n"
        )
        + "".join(
            f",,0,2024-01-01T00:00:00Z,2024-03-01T00:00:00Z,{t:%Y-%m-%dT%H:%M:%SZ},{v},power,m\n" for t, v in PAIRS
        )
        + "\n",
    )
    yield (
        "pandas, two header rows",
        "sensor,power\nstat,mean\ntime,\n" + "".join(f"{t:%Y-%m-%d %H:%M:%S},{v}\n" for t, v in PAIRS),
    )
    yield (
        "psql",
        (
            "          time          |  value\n------------------------+---------\n"
            + "".join(f" {t:%Y-%m-%d %H:%M:%S}+00 | {v:7}\n" for t, v in PAIRS)
            + f"({len(PAIRS)} rows)\n\n"
        ),
    )
    rule = "+---------------------+---------+\n"
    yield (
        "mysql",
        (
            f"{rule}| time                | value   |\n{rule}"
            + "".join(f"| {t:%Y-%m-%d %H:%M:%S} | {v:7} |\n" for t, v in PAIRS)
            + f"{rule}{len(PAIRS)} rows in set (0.01 sec)\n"
        ),
    )
    yield "markdown", "| time | value |\n|---|---|\n" + "".join(f"| {t:%Y-%m-%d %H:%M} | {v} |\n" for t, v in PAIRS)
    yield "sqlite", "".join(f"{t:%Y-%m-%d %H:%M:%S}|{v}\n" for t, v in PAIRS)
    yield "spaces", "time value\n" + "".join(f"{t:%Y-%m-%dT%H:%M:%S} {v}\n" for t, v in PAIRS)
    yield "aligned", "date       time     value\n" + "".join(f"{t:%Y-%m-%d} {t:%H:%M:%S} {v:8}\n" for t, v in PAIRS)
    yield "spaces, no header", "".join(f"{int(t.timestamp())} {v}\n" for t, v in PAIRS)
    yield "spaces, date and clock, no header", "".join(f"{t:%Y-%m-%d %H:%M:%S}  {v}\n" for t, v in PAIRS)
    yield (
        "buoy",
        "#YY MM DD hh mm WDIR\n#yr mo dy hr mn degT\n" + "".join(f"{t:%Y %m %d %H %M} {v}\n" for t, v in PAIRS),
    )
    yield "names in a comment", "# time, value\n" + "".join(f"{t:%Y-%m-%d %H:%M}, {v}\n" for t, v in PAIRS)
    yield "carriage returns", "time,value\r" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\r" for t, v in PAIRS)
    yield "doubled carriage returns", "time,value\r\r\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\r\r\n" for t, v in PAIRS)
    yield (
        "two units of time",
        "time,value\n"
        + "".join(f"{int(t.timestamp()) * (1 if at < 60 else 1000)},{v}\n" for at, (t, v) in enumerate(PAIRS)),
    )
    yield "seconds with a comma", "time;value\n" + "".join(f"{int(t.timestamp())},000;{comma(v)}\n" for t, v in PAIRS)
    yield "seconds in quotes", "time,value\n" + "".join(f'"{int(t.timestamp())}","{v}"\n' for t, v in PAIRS)
    yield (
        "curled apostrophes",
        "time;value\n" + "".join(f"{t:%Y-%m-%d %H:%M};{v:,.2f}\n".replace(",", "’") for t, v in PAIRS),
    )
    yield (
        "per cent behind a space",
        "time;value\n" + "".join(f"{t:%Y-%m-%d %H:%M};{comma(v)}\u00a0%\n" for t, v in PAIRS),
    )
    yield "weekdays", "Zeit;Wert\n" + "".join(f"{DAYS[t.weekday()]}, {t:%d.%m.%Y %H:%M};{comma(v)}\n" for t, v in PAIRS)
    yield "o'clock", "Zeit;Wert\n" + "".join(f"{t:%d.%m.%Y %H:%M} Uhr;{comma(v)}\n" for t, v in PAIRS)
    yield "chinese", "时间,值\n" + "".join(f"{t:%Y}年{t:%m}月{t:%d}日 {t:%H:%M:%S},{v}\n" for t, v in PAIRS)
    yield (
        "chinese clock",
        "时间,值\n" + "".join(f"{t:%Y}年{t.month}月{t.day}日 {t:%H}时{t:%M}分{t:%S}秒,{v}\n" for t, v in PAIRS),
    )
    yield "japanese", "日時,値\n" + "".join(f"{t:%Y/%m/%d %H:%M:%S},{v}\n" for t, v in PAIRS)
    yield (
        "from and to",
        "von;bis;Wert\n" + "".join(f"{t:%d.%m.%Y %H:%M};{t + HOUR:%d.%m.%Y %H:%M};{comma(v)}\n" for t, v in PAIRS),
    )
    yield (
        "spans",
        '"MTU (UTC)","Price","Currency","BZN|DE-LU"\n'
        + "".join(f'"{t:%d.%m.%Y %H:%M} - {t + HOUR:%d.%m.%Y %H:%M}","{v}","EUR",""\n' for t, v in PAIRS),
    )
    yield (
        "iso spans",
        "span,value\n" + "".join(f"{t:%Y-%m-%dT%H:%MZ}/{t + HOUR:%Y-%m-%dT%H:%MZ},{v}\n" for t, v in PAIRS),
    )
    yield (
        "narrow space before PM",
        "Date,Value\n"
        + "".join(f'"{t.month}/{t.day}/{t:%y}, {t.hour % 12 or 12}:{t:%M\u202f%p}",{v}\n' for t, v in PAIRS),
    )
    yield (
        "splunk",
        '"_time",value,_raw\n' + "".join(f'"{t:%Y-%m-%dT%H:%M:%S.000+0000}",{v},"x=1, y"\n' for t, v in PAIRS),
    )
    yield (
        "thingspeak",
        "created_at,entry_id,field1,latitude,longitude,status\n"
        + "".join(f"{t:%Y-%m-%d %H:%M:%S} UTC,{at},{v},,,\n" for at, (t, v) in enumerate(PAIRS, 7)),
    )
    yield "days of matlab", "t,value\n" + "".join(f"{serial(t) + 693_960:.10f},{v}\n" for t, v in PAIRS)
    yield "julian days", "JD,value\n" + "".join(f"{serial(t) + 2_415_018.5:.8f},{v}\n" for t, v in PAIRS)
    yield "day of the year", "year,doy,hour,value\n" + "".join(f"{t.year},{t:%j},{t.hour},{v}\n" for t, v in PAIRS)
    yield (
        "the date beside the time",
        "date,hour,weekday,stamp,value\n"
        + "".join(f"{t:%Y-%m-%d},{t.hour},{t.weekday()},{t:%Y-%m-%d %H:%M:%S},{v}\n" for t, v in PAIRS),
    )
    yield (
        "midnight and the hour",
        "Date,HE,Month,MW\n" + "".join(f"{t:%Y-%m-%d} 00:00:00,{t.hour},{t.month},{v}\n" for t, v in PAIRS),
    )
    yield (
        "a label beside the value",
        "timestamp,value,is_anomaly\n" + "".join(f"{t:%Y-%m-%d %H:%M:%S},{v},{t.hour == 7:d}\n" for t, v in PAIRS),
    )
    yield (
        "monash.tsf",
        "# a comment\n@relation power\n@attribute series_name string\n@attribute start_timestamp date\n"
        "@frequency hourly\n@missing false\n@equallength false\n@data\n"
        + f"power:{TIMES[0]:%Y-%m-%d %H-%M-%S}:"
        + ",".join(map(str, VALUES))
        + "\n",
    )
    yield "zones of java", "time,value\n" + "".join(f"{t:%Y-%m-%dT%H:%M:%S}+00:00[UTC],{v}\n" for t, v in PAIRS)
    yield (
        "time with an h",
        "Date;Heure;Puissance\n" + "".join(f"{t:%d/%m/%Y};{t:%H}h{t:%M};{comma(v)}\n" for t, v in PAIRS),
    )
    yield "time with a point", "Data;Ora;kW\n" + "".join(f"{t:%d/%m/%Y};{t:%H.%M};{comma(v)}\n" for t, v in PAIRS)
    yield (
        "hour of UTC",
        "REGIAO:;CO\nUF:;DF\nData;Hora UTC;Pressao;\n"
        + "".join(f"{t:%Y/%m/%d};{t:%H%M} UTC;{comma(v)};\n" for t, v in PAIRS),
    )
    yield (
        "hours from and to",
        "Date;Hours;SE1\n" + "".join(f"{t:%d-%m-%Y};{t:%H} - {t + HOUR:%H};{comma(v)}\n" for t, v in PAIRS),
    )
    yield (
        "zone in a column",
        "timestamp,tz,kW\n" + "".join(f"{t + 2 * HOUR:%Y-%m-%d %H:%M:%S},+02:00,{v}\n" for t, v in PAIRS),
    )
    yield (
        "zone in the name",
        "time (UTC+02:00),value\n" + "".join(f"{t + 2 * HOUR:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS),
    )
    yield "zone behind the name", "Date CET,kW\n" + "".join(f"{t + HOUR:%d/%m/%Y %H:%M},{v}\n" for t, v in PAIRS)
    yield "place in the name", "t [Asia/Tokyo],kW\n" + "".join(f"{t + 9 * HOUR:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS)
    yield (
        "local time beside UTC",
        "local_time,utc_time,kW\n" + "".join(f"{t + HOUR:%Y-%m-%d %H:%M},{t:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS),
    )
    yield (
        "when it was made",
        "creationDate,startDate,endDate,value\n"
        + "".join(f"{t + HOUR:%Y-%m-%d %H:%M},{t:%Y-%m-%d %H:%M},{t + HOUR:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS),
    )
    yield (
        "seconds of the day",
        "date,sec,value\n" + "".join(f"{t:%Y-%m-%d},{t.hour * 3600},{v}\n" for t, v in PAIRS),
    )
    yield (
        "minutes of the day",
        "date,minute_of_day,value\n" + "".join(f"{t:%d.%m.%Y},{t.hour * 60},{v}\n" for t, v in PAIRS),
    )
    yield "dates and clocks of digits", "date time value\n" + "".join(f"{t:%y%m%d %H%M} {v}\n" for t, v in PAIRS)
    yield "digits, no header", "".join(f"a,{t:%Y%m%d%H%M%S},{v}\n" for t, v in PAIRS)
    yield (
        "booked and of value",
        "Buchung;Wertstellung;Betrag\n" + "".join(f"{t:%d.%m.%y %H:%M};{t:%d.%m.%y};{comma(v)}\n" for t, v in PAIRS),
    )
    yield (
        "campbell",
        '"TOA5","CR1000","CR1000","1","CR1000.Std.32","CPU:x.CR1","1","Hourly"\n"TIMESTAMP","RECORD","Air"\n'
        '"TS","RN","Deg C"\n"","","Avg"\n'
        + "".join(f'"{t:%Y-%m-%d %H:%M:%S}",{at},{v}\n' for at, (t, v) in enumerate(PAIRS)),
    )
    yield (
        "write.table of R",
        '"time" "value"\n' + "".join(f'"{at}" "{t:%Y-%m-%d %H:%M:%S}" {v}\n' for at, (t, v) in enumerate(PAIRS, 1)),
    )
    yield (
        "one name over date and time, at the end",
        "value who Moment\n" + "".join(f"{v} me {t:%Y-%m-%d %H:%M:%S}\n" for t, v in PAIRS),
    )
    for mark in ("\x01", "\x1f", "^", "~"):
        lines = "".join(f"{t:%Y-%m-%d %H:%M:%S}{mark}{v}\n" for t, v in PAIRS)
        yield f"parted by {ord(mark)}", f"time{mark}value\n{lines}"
    yield (
        "inches",
        "time,pipe,value\n"
        + "".join(f'{t:%Y-%m-%d %H:%M},{at % 2 + 4}" steel,{v}\n' for at, (t, v) in enumerate(PAIRS)),
    )
    yield "returns, and a line end", "time,value\r" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\r" for t, v in PAIRS) + "\n"
    yield (
        "returns and line ends mixed",
        "time,value\r" + "".join(f"{t:%Y-%m-%d %H:%M},{v}" + "\n\r"[at % 2] for at, (t, v) in enumerate(PAIRS)),
    )
    yield (
        "marks of direction",
        "time,value\n" + "".join(f"\u200e{t:%Y-%m-%d} \u200f{t:%H:%M}\u200e,\u200b{v}\n" for t, v in PAIRS),
    )
    yield "arabic digits", "time;value\n" + "".join(f"{t:%Y-%m-%d %H:%M};{arabic(v)}\n" for t, v in PAIRS)
    yield "wide digits", "time,value\n" + "".join(f"{t:%Y-%m-%d %H:%M},{wide(v)}\n" for t, v in PAIRS)
    yield (
        "short fields",
        "YEAR,MO,DY,HR,T2M\n" + "".join(f"{t.year},{t.month},{t.day},{t.hour},{v}\n" for t, v in PAIRS),
    )
    yield "fields, no header", "".join(f"{t:%Y;%m;%d};{t.hour};{v};\n" for t, v in PAIRS)
    yield (
        "preamble of as many columns",
        "Chart,CPU of vm\nResource,vm\n\nTimestamp,CPU (Avg)\n"
        + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS),
    )
    yield (
        "rows that tell what a column is",
        "Full label,CPU\nLabel,i-1\nPeriod,300\nStatistic,Average\n"
        + "".join(f"{t:%Y/%m/%d %H:%M:%S},{v}\n" for t, v in PAIRS),
    )
    yield (
        "SAP",
        "25.03.2024\tListenausgabe\t\t1\n\n\tDatum\tUhrzeit\tMenge\n\n"
        + "".join(f"\t{t:%d.%m.%Y}\t{t:%H:%M:%S}\t{german(v)}\n" for t, v in PAIRS),
    )
    yield (
        "influx on a terminal",
        "name: cpu\ntime                mean\n----                ----\n"
        + "".join(f"{int(t.timestamp())}000000000 {v}\n" for t, v in PAIRS),
    )
    yield (
        "comments with strokes",
        "// logger\n// v2\ntime,value\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS),
    )
    yield "comments with per cent", "% by octave\n% v2\n" + "".join(f"{int(t.timestamp())} {v}\n" for t, v in PAIRS)
    yield (
        "a comment far down",
        "time,value\n"
        + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" + "# changed\n" * (at == 60) for at, (t, v) in enumerate(PAIRS)),
    )
    yield (
        "delimiters behind all rows but the header",
        "Posting Date,Type,Amount,Check\n" + "".join(f"{t:%m/%d/%Y %H:%M},a,{v},,\n" for t, v in PAIRS),
    )
    yield "names in angles", "<DATE>\t<TIME>\t<OPEN>\n" + "".join(f"{t:%Y.%m.%d\t%H:%M:%S}\t{v}\n" for t, v in PAIRS)
    yield "a line end in the header", '"Time\n(UTC)","kW"\n' + "".join(f"{t:%Y-%m-%d %H:%M},{v}\n" for t, v in PAIRS)
    yield (
        "two files with marks",
        "".join(
            ("\ufefftime,value\n" if at in (0, 60) else "") + f"{t:%Y-%m-%d %H:%M},{v}\n"
            for at, (t, v) in enumerate(PAIRS)
        ),
    )
    yield (
        "other columns about the place and the time",
        "station_id,latitude,time,month,hour,temperature\n"
        + "".join(f"183,52.5,{t:%Y-%m-%d %H:%M},{t.month},{t.hour},{v}\n" for t, v in PAIRS),
    )
    yield (
        "home assistant",
        "entity_id,state,last_changed\n" + "".join(f"power,{v},{t:%Y-%m-%dT%H:%M:%S.000Z}\n" for t, v in PAIRS),
    )


def documents() -> Iterator[tuple[str, str]]:
    iso = [f"{t:%Y-%m-%dT%H:%M:%S+00:00}" for t in TIMES]
    whole = {"entity_id": "power", "attributes": {"unit_of_measurement": "W"}, "last_updated": iso[0]}
    states = [{"state": str(v), "last_changed": t} for t, v in zip(iso, VALUES, strict=True)]
    yield "home assistant.json", json.dumps([[{**whole, **states[0]}, *states[1:]]])
    samples = [[int(t.timestamp()), str(v)] for t, v in PAIRS]
    yield (
        "prometheus.json",
        json.dumps(
            {
                "status": "success",
                "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "power"}, "values": samples}]},
            }
        ),
    )
    yield (
        "points.jsonl",
        "".join(
            json.dumps(
                {
                    "key": "power",
                    "points": [{"time": t, "value": v} for t, v in zip(iso, VALUES, strict=True)][at : at + 10],
                }
            )
            + "\n"
            for at in range(0, len(PAIRS), 10)
        ),
    )
    yield (
        "cloudwatch.json",
        json.dumps(
            {
                "Label": "CPU",
                "Datapoints": [
                    {"Timestamp": t, "Average": v, "Unit": "Percent"} for t, v in zip(iso, VALUES, strict=True)
                ],
            }
        ),
    )
    rows = [*map(list, zip(iso, VALUES, strict=True))]
    yield "pandas, split.json", json.dumps({"columns": ["time", "value"], "index": [*range(len(rows))], "data": rows})
    yield "pairs.json", json.dumps([[int(t.timestamp()) * 1000, v] for t, v in PAIRS])
    yield "pairs the other way.json", json.dumps([[v, t] for t, v in rows])
    yield "pandas.json", json.dumps({"time": dict(enumerate(iso)), "value": dict(enumerate(VALUES))})
    yield "by time.json", json.dumps(dict(zip(iso, VALUES, strict=True)))
    yield (
        "telegraf.jsonl",
        "".join(
            json.dumps(
                {"fields": {"value": v}, "name": "power", "tags": {"host": "a"}, "timestamp": int(t.timestamp())}
            )
            + "\n"
            for t, v in PAIRS
        ),
    )
    reading = (
        "<IntervalReading><timePeriod><duration>3600</duration><start>{}</start></timePeriod><value>{}</value>"
        "</IntervalReading>"
    )
    yield (
        "green button.xml",
        (
            '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry><content><ReadingType '
            'xmlns="http://naesb.org/espi"><powerOfTenMultiplier>-2</powerOfTenMultiplier></ReadingType></content></entry><entry>'
            '<content><IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>1</duration><start>1</start></interval>'
            + "".join(reading.format(int(t.timestamp()), round(v * 100)) for t, v in PAIRS)
            + "</IntervalBlock></content></entry></feed>"
        ),
    )


def asked() -> Iterator[Written]:
    """What nobody can know without being told, and what says so."""
    dated = "day,time,value\n" + "".join(f"{t:%Y-%m-%d},{t:%H:%M},{v}\n" for t, v in PAIRS)
    yield Written("dated.csv", dated.encode())
    quoted = "time,value\n" + "".join(f"'{t:%Y-%m-%d %H:%M}',{v}\n" for t, v in PAIRS)
    yield Written("single quotes.csv", quoted.encode(), "--time-format", ("--time-format", "'%Y-%m-%d %H:%M'"))
    odd = "when,value\n" + "".join(f"{t:%Y~%m~%d %H:%M},{v}\n" for t, v in PAIRS)
    says = "column 'when' looks like the time.*--time-format"
    yield Written("unknown.csv", odd.encode(), says, ("--time-format", "%Y~%m~%d %H:%M"))
    long = "time,metric,value\n" + "".join(f"{t:%Y-%m-%d %H:%M},power,{v}\n" for t, v in PAIRS)
    yield Written("long.csv", long.encode(), "", ("--metric", "metric"))


def exported() -> Iterator[Written]:
    """Every export."""
    for name, text in tables():
        yield Written(f"export, {name.replace('/', ' ')}.csv", text.encode())
    for name, text in documents():
        yield Written(f"export, {name}", text.encode())
    yield from asked()
