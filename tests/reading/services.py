"""Two series, as monitoring, databases, brokers and market services answer them; and tables of odd shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

ROWS = 72
TIMES = [datetime(2024, 3, 25, tzinfo=UTC) + timedelta(hours=row) for row in range(ROWS)]
FIRST = [round(700 + 450 * (row % 24) / 24 + (row * 37 % 11) / 8, 2) for row in range(ROWS)]
SECOND = [round(value / 100 - 9, 2) for value in FIRST]
BOTH = (("a", FIRST), ("b", SECOND))
SECONDS = [int(time.timestamp()) for time in TIMES]
ISO = [f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in TIMES]


class Series(NamedTuple):
    """A file, and what a run must take from it: a series for each key, the values of its one target."""

    name: str
    content: str
    keys: tuple[str, ...] = ("a", "b")


def pairs(values: list[float], per: int = 1) -> list[list[float]]:
    return [[second * per, value] for second, value in zip(SECONDS, values, strict=True)]


def at_once() -> Iterator[tuple[int, str, str, float]]:
    """Both series, time by time: seconds, text, key, value."""
    for row in range(ROWS):
        for key, values in BOTH:
            yield SECONDS[row], ISO[row], key, values[row]


def documents() -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    ab = ("a", "b")
    swapped = {key: [[value, 1000 * second] for second, value in pairs(values)] for key, values in BOTH}
    yield "datapoints", [{"target": key, "datapoints": swapped[key]} for key, _ in BOTH], ab
    yield (
        "frames",
        {
            "results": {
                "A": {
                    "status": 200,
                    "frames": [
                        {
                            "schema": {"fields": [{"name": "Time"}, {"name": "Value", "labels": {"host": key}}]},
                            "data": {"values": [[1000 * second for second in SECONDS], values]},
                        }
                        for key, values in BOTH
                    ],
                }
            }
        },
        ab,
    )
    columns = ["time", "mean"]
    influx = [
        {
            "name": "cpu",
            "tags": {"host": key},
            "columns": columns,
            "values": [list(one) for one in zip(ISO, values, strict=True)],
        }
        for key, values in BOTH
    ]
    yield "influx", {"results": [{"statement_id": 0, "series": influx}]}, ab
    by_time = [dict(zip(map(str, SECONDS), values, strict=False)) for _, values in BOTH]
    opentsdb = [
        {"metric": "cpu", "tags": {"host": key}, "dps": dps} for (key, _), dps in zip(BOTH, by_time, strict=False)
    ]
    yield "opentsdb", opentsdb, ab
    results = [{"Id": f"m{key}", "Label": key, "Timestamps": ISO, "Values": values} for key, values in BOTH]
    yield "cloudwatch", {"MetricDataResults": results, "Messages": []}, ab
    lists = [{"metric": "cpu", "scope": key, "length": ROWS, "pointlist": pairs(values, 1000)} for key, values in BOTH]
    yield "datadog", {"status": "ok", "series": lists, "from_date": 1}, ab
    data = {key: [{"timeStamp": t, "average": v} for t, v in zip(ISO, values, strict=True)] for key, values in BOTH}
    azure = [{"name": {"value": key}, "timeseries": [{"metadatavalues": [], "data": data[key]}]} for key in ab]
    yield "azure", {"cost": 59, "value": azure}, ab
    rows = [[text, key, value] for _, text, key, value in at_once()]
    named = [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Computer"}, {"name": "avg"}]
    yield "azure logs", {"tables": [{"name": "PrimaryResult", "columns": named, "rows": rows}]}, ab
    told = {
        key: [{"ts": 1000 * second, "value": str(value)} for second, value in pairs(values)] for key, values in BOTH
    }
    yield "thingsboard", told, ab
    yield "coins", {key: pairs(values, 1000) for key, values in BOTH}, ab
    hits = [{"_id": f"x{at}", "_source": {"@timestamp": ISO[at], "load": FIRST[at]}} for at in range(ROWS)]
    yield "hits", {"took": 3, "hits": {"total": {"value": ROWS}, "hits": hits}}, ("default",)
    points = [{"asDouble": value, "timeUnixNano": str(second * 10**9)} for second, value in pairs(FIRST)]
    yield (
        "otel",
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": points}}]}]}]},
        ("default",),
    )
    quote = [{"close": FIRST}]
    chart = {"meta": {"symbol": "X"}, "timestamp": SECONDS, "indicators": {"quote": quote}}
    yield "chart", {"chart": {"result": [chart], "error": None}}, ("default",)
    daily = {text: {"4. close": f"{value:.2f}"} for text, value in zip(ISO, FIRST, strict=False)}
    yield "by day", {"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": daily}, ("default",)
    buckets = [
        {"key_as_string": text, "key": 1000 * second, "load": {"value": value}}
        for text, (second, value) in zip(ISO, pairs(FIRST), strict=False)
    ]
    yield "buckets", {"aggregations": {"per_hour": {"buckets": buckets}}}, ("default",)


def more_documents() -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    ab, one = ("a", "b"), ("default",)
    ms = [str(1000 * second) for second in SECONDS]
    cells = [[value] for value in FIRST]
    yield "pandas, split by time", {"columns": ["load"], "index": [*map(int, ms)], "data": cells}, one
    by_time = {"load": dict(zip(ms, FIRST, strict=True)), "x": dict(zip(ms, SECOND, strict=True))}
    yield "pandas, columns by time", by_time, one
    yield "pandas, rows by number", {str(at): {"time": ISO[at], "load": FIRST[at]} for at in range(ROWS)}, one
    meta = {"start": SECONDS[0], "end": SECONDS[-1], "step": 3600, "legend": ["load"]}
    yield "rrdtool", {"about": "RRDtool graph JSON output", "meta": meta, "data": cells}, one
    columns = [{"id": -1, "name": "sid"}, {"id": 1, "name": "time"}, {"id": 2, "name": "load"}]
    rows = [[f"row-{text}", text, str(value)] for text, value in zip(ISO, FIRST, strict=True)]
    yield "socrata", {"meta": {"view": {"id": "x", "columns": columns}}, "data": rows}, one
    index = {text: at for at, text in enumerate(ISO)}
    dimension = {"time": {"category": {"index": index}}, "geo": {"category": {"index": ["a", "b"]}}}
    together = [value for both in zip(FIRST, SECOND, strict=True) for value in both]
    cube = {"version": "2.0", "class": "dataset", "id": ["time", "geo"], "size": [ROWS, 2], "dimension": dimension}
    yield "json-stat", {**cube, "value": together}, ab
    yield "json-stat, sparse", {**cube, "value": {str(at): value for at, value in enumerate(together)}}, ab
    buckets = {
        key: [
            {"key_as_string": text, "key": 1000 * second, "cpu": {"value": value}}
            for text, (second, value) in zip(ISO, pairs(values), strict=True)
        ]
        for key, values in BOTH
    }
    hosts = [{"key": key, "t": {"buckets": buckets[key]}} for key in ab]
    yield "buckets in buckets", {"aggregations": {"hosts": {"buckets": hosts}}}, ab
    spans = [
        {"results": [{"average": value}], "beginTimeSeconds": second, "endTimeSeconds": second + 3600}
        for second, value in pairs(FIRST)
    ]
    yield "new relic", {"facet": None, "timeSeries": spans}, one
    base = {"bn": "dev/", "bt": SECONDS[0], "bu": "Cel", "n": "a", "v": FIRST[0]}
    rest = [{"n": key, "v": value, "t": second - SECONDS[0]} for second, _, key, value in at_once()][1:]
    yield "senml", [base, *rest], ("dev/a", "dev/b")


def lines() -> Iterator[Series]:
    written = [*at_once()]
    packs = [
        [{"bn": "dev/", "bt": SECONDS[row], "n": "a", "v": FIRST[row]}, {"n": "b", "v": SECOND[row]}]
        for row in range(ROWS)
    ]
    yield Series("packs of senml.jsonl", "".join(json.dumps(one) + "\n" for one in packs), ("dev/a", "dev/b"))
    yield Series("graphite.txt", "".join(f"{key} {value} {second}\n" for second, _, key, value in written))
    yield Series("put.txt", "".join(f"put cpu {second} {value} {key}\n" for second, _, key, value in written))
    scraped = "# HELP cpu Load\n# TYPE cpu gauge\n"
    scraped += "".join(f'cpu{{host="{key}"}} {value} {second}000\n' for second, _, key, value in written)
    yield Series("scrape.txt", scraped, ('cpu{host="a"}', 'cpu{host="b"}'))
    logged = "".join(f'ts={text} level=info msg="all ok" host={key} load={value}\n' for _, text, key, value in written)
    yield Series("logfmt.log", logged)
    said = "".join(f'{key} {{"at": "{text}", "load": {value}}}\n' for _, text, key, value in written)
    yield Series("mosquitto_sub -v.txt", said)
    messages = [{"tst": f"{text[:-1]}.5Z+0000", "topic": key, "payload": f"{value}"} for _, text, key, value in written]
    yield Series("mosquitto_sub -F %j.jsonl", "".join(json.dumps(one) + "\n" for one in messages))
    commas = [{"time": text, "host": key, "value": value} for _, text, key, value in written]
    yield Series("commas between lines.jsonl", "".join(json.dumps(one) + ",\n" for one in commas))
    yield Series("an array, called lines.jsonl", json.dumps(commas))
    points = "# from telegraf\n" + "".join(
        f"cpu,host={key} load={value} {second}000000000\n" for second, _, key, value in written
    )
    yield Series("points.lp", points, ("cpu,host=a", "cpu,host=b"))
    rows = "".join(f'D,DISPATCH,PRICE,1,"{text[:10]} {text[11:19]}",{key},{value}\n' for _, text, key, value in written)
    head = "C,NEMP.WORLD,PRICE,AEMO,PUBLIC,2024/03/25,00:00:00\nI,DISPATCH,PRICE,1,SETTLEMENTDATE,REGIONID,RRP\n"
    yield Series("kinds of rows.csv", head + rows)
    ids = "".join(f"USGS\t0164{key}\t{text[:10]} {text[11:16]}\tUTC\t{value}\tP\n" for _, text, key, value in written)
    head = "# a comment\nagency_cd\tsite_no\tdatetime\ttz_cd\t69928_00060\t69928_cd\n5s\t15s\t20d\t6s\t14n\t10s\n"
    yield Series("rdb.txt", head + ids, ("0164a", "0164b"))


def every() -> Iterator[Series]:
    """All of them."""
    for name, document, keys in (*documents(), *more_documents()):
        yield Series(f"{name}.json", json.dumps(document), keys)
        yield Series(f"{name}, spread.json", json.dumps(document, indent=1), keys)
    yield from lines()
