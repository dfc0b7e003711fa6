"""`streamrnn latest`: the newest of one series, from a running worker's page or from a state folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from streamrnn.config.tree import Config
from streamrnn.connectors.requests import Refused, ask
from streamrnn.errors import ConfigurationError, StateError, StreamRNNError
from streamrnn.records.log import Partition
from streamrnn.state.snapshot_folder import SnapshotFolder
from streamrnn.state.split_model import SETTING, records_of
from streamrnn.state.transfer import give, take

TIMEOUT = 10.0  # seconds
MOST_BYTES = 64 << 20


def from_page(config: Config, url: str | None, key: str, topic: str | None, number: int | None) -> dict[str, Any]:
    """What the page at `url` says, by default that of `monitor.host` and `monitor.port`.

    Raises `StreamRNNError` where it does not answer or does not know the series, `ConfigurationError` without a page.
    """
    monitor = config.monitor
    if url is None:
        if not monitor.port:
            raise ConfigurationError(
                "where is the page? Give --url http://HOST:PORT, or --config with monitor.port, or --state DIR"
            )
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(monitor.host, monitor.host)
        url = f"http://[{host}]:{monitor.port}" if ":" in host else f"http://{host}:{monitor.port}"
    chosen = {"topic": topic, "partition": number}
    query = urlencode({name: value for name, value in chosen.items() if value is not None})
    address = f"{url.rstrip('/')}/series/{quote(key, safe='')}" + (f"?{query}" if query else "")
    headers = {"Accept": "application/json"}
    if monitor.token is not None:
        headers["Authorization"] = f"Bearer {monitor.token.get_secret_value()}"
    try:
        answer = ask("GET", address, headers=headers, timeout=TIMEOUT, most=MOST_BYTES)
    except Refused as refused:
        raise StreamRNNError(f"{url}: {_told(refused)}") from refused
    try:
        document = json.loads(answer)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "targets" not in document:
        raise StreamRNNError(f"{url} answers, but it is no page of streamrnn")
    return document


def _told(refused: Refused) -> str:
    """The page's own words, where it has some."""
    if refused.status == 401:
        return "wants its token: set STREAMRNN__MONITOR__TOKEN, or monitor.token in --config"
    try:
        document = json.loads(refused.body)
        error = str(document["error"])
    except (ValueError, KeyError, TypeError):
        return str(refused)
    places = [f"{one['topic']}[{one['partition']}]" for one in document.get("sources", ())]
    return f"{document.get('key')!r}: {error}" + (f" ({', '.join(places)})" if places else "")


def from_folder(path: Path, key: str) -> dict[str, Any]:
    """What the newest snapshot in a state folder says; the folder may be in use.

    Raises `StateError` where there is none, or none of that series.
    """
    from streamrnn.config.loading import load
    from streamrnn.forecasting.model import ForecastModel

    if not path.is_dir():
        raise StateError(f"{path} is no folder")
    folder = SnapshotFolder(path, look_only=True)
    try:
        taken = take(records_of(folder.messages(), key))
    finally:
        folder.close()
    if taken is None:
        raise StateError(f"{path} holds no snapshot")
    shape = taken.manifest.shape
    if shape.get("task", "forecast") != "forecast":
        raise StateError(f"{path} holds the state of task {shape['task']}: `latest` shows forecasts alone")
    if key not in taken.series:
        raise StateError(f"{path} holds no series {key!r} ({len(taken.series):,} others)")
    shape.pop(SETTING, None)  # of one part this is no matter
    model = ForecastModel(load(None, shape, environment={}))
    try:
        for _ in model.restore(give(taken, key.__eq__)):
            pass
        owner = taken.manifest.owner
        document = model.latest(key, Partition(str(path), 0) if owner is None else Partition(*owner[1:]))
    finally:
        model.close()
    if document is None:
        raise StateError(f"series {key!r} in {path} has had no event yet")
    return document


def show(document: dict[str, Any], *, as_json: bool) -> None:
    """Print the newest as a table or as JSON, on standard output."""
    if as_json:
        json.dump(document, sys.stdout, indent=2)
        print()
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    source = document["source"]
    score = document["score"]
    told = f", score {score:.3g}" if score is not None else ""
    console.print(
        Text(f"{document['key']}  {source['topic']}[{source['partition']}], {document['events']:,} events{told}")
    )
    for alert in document["alerts"]:
        by = "".join(f", {alert[name]}" for name in ("target", "channel") if alert[name] is not None)
        console.print(Text(f"{alert['kind']} {alert['alert']} is open since {alert['since']}{by}"))
    interval = f"{document['level'] * 100:g} % interval"
    for name, target in document["targets"].items():
        table = Table(title=Text(name), title_justify="left")
        for head in ("", "time", "observed", "mean", "median", interval):
            table.add_column(head, justify="right", no_wrap=True)
        now = target["expected"], target["expected_median"], target["lower"], target["upper"]
        table.add_row("now", document["time"], _number(target["observed"]), *_row(*now))
        for step in target["forecast"]:
            ahead = (step[part] for part in ("mean", "median", "lower", "upper"))
            table.add_row(f"+{step['step']}", step["time"] or "-", "", *_row(*ahead))
        console.print(table)
        if experts := target["experts"]:
            trusted = sorted(experts.items(), key=lambda one: -one[1])
            text = ", ".join(f"{expert} {weight * 100:.0f} %" for expert, weight in trusted if weight >= 0.005)
            console.print(Text(f"trusts {text}"))


def _row(mean: float | None, median: float | None, lower: float | None, upper: float | None) -> tuple[str, str, str]:
    known = lower is not None and upper is not None
    return _number(mean), _number(median), f"{_number(lower)} to {_number(upper)}" if known else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
