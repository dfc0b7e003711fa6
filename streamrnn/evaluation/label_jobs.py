"""The job behind `streamrnn evaluate FILE --labels FILE`: run the model, hold its alerts against the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.evaluation.alert_labels import check_series, labelled, read_labels
from streamrnn.evaluation.alert_scores import Judged, event_scores, point_scores, windows_of
from streamrnn.evaluation.parallel import Labelled, perform_all
from streamrnn.evaluation.reading import EventFile, count_rows
from streamrnn.forecasting.answers import Answers
from streamrnn.runtime.task import ForecastTask

_COLUMNS = ("times", "observed", "expected", "lower", "upper", "strength", "opened")


class LabelJob(NamedTuple):
    """One file."""

    path: Path
    config: Config
    limit: int | None


def run_file(job: LabelJob, report: Callable[[int], None]) -> dict[str, dict[str, Any]]:
    """What the model said about each series of a file, by key; arrays by the names of `Judged`."""
    parts: dict[str, list[tuple[Any, ...]]] = {}
    with EventFile(job.path, job.config) as file:
        model = ForecastTask(job.config.model_copy(update={"event": file.event})).model()
        try:
            for decoded in file.batches(job.limit):
                answers: Answers = model.process(decoded)
                columns = (
                    decoded.times, decoded.targets[:, 0], answers.expected[:, 0], answers.lower[:, 0, 0],
                    answers.upper[:, 0, 0], answers.strength, answers.opened,
                )  # fmt: skip
                keys = np.array(decoded.keys)
                for key in dict.fromkeys(decoded.keys):
                    rows = np.flatnonzero((keys == key) & ~answers.late & ~np.isnan(answers.score))
                    if len(rows):
                        parts.setdefault(key, []).append(tuple(column[rows] for column in columns))
                report(len(decoded.keys) + len(decoded.rejected))
        finally:
            model.close()
    return {
        key: dict(zip(_COLUMNS, (np.concatenate(column) for column in zip(*blocks, strict=True)), strict=True))
        for key, blocks in parts.items()
    }


def judge(
    config: Config,
    paths: Sequence[Path],
    labels: Path,
    *,
    limit: int | None,
    processes: int,
    console: Console,
) -> list[Judged]:
    """Every series of the files with its labels."""
    given = read_labels(labels)
    jobs = [LabelJob(path, config, limit) for path in paths]
    shown = [Labelled(path.name, count_rows(path, limit)) for path in paths]
    found: list[dict[str, dict[str, Any]]] = perform_all(run_file, jobs, shown, processes=processes, console=console)
    check_series(labels, given, {(path.name, key) for path, series in zip(paths, found, strict=True) for key in series})
    judged = []
    for path, series in zip(paths, found, strict=True):
        for key, columns in series.items():
            name = key if len(paths) == 1 else f"{path.name}: {key}"
            windows = windows_of(labelled(given, path.name, key, columns["times"]))
            judged.append(Judged(name=name, windows=windows, **columns))
    return judged


def document(config: Config, series: Sequence[Judged]) -> dict[str, Any]:
    """What `--json` prints (docs/evaluate.md)."""
    return {
        "schema": 1,
        "version": __version__,
        "model": config.model.model_dump(mode="json"),
        "labels": {**event_scores(series), **point_scores(series)},
        "series": [{"key": one.name, **event_scores([one])} for one in series],
    }


def table(found: dict[str, Any], most: int = 30) -> Table:
    """The document for the terminal: all series together, then those with most misses and false alerts."""
    grid = Table(title="Alerts against labels", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    names = ("windows", "alerts", "hit", "missed", "false")
    rates = ("precision", "recall", "f1")
    for name in ("", *names, *rates, "delay, events", "per 1,000", "per day"):
        grid.add_column(name, justify="right" if name else "left")

    def add(label: str, row: dict[str, Any], style: str = "") -> None:
        cells = [f"{row[name]:,}" for name in names] + [_number(row[name], 3) for name in rates]
        cells += [_number(row["median_delay_events"], 0), _number(row["alerts_per_1000_events"], 2)]
        grid.add_row(label, *cells, _number(row["alerts_per_day"], 2), style=style)

    together = found["labels"]
    add(f"all {together['series']:,} series", together, "bold")
    worst = sorted(found["series"], key=lambda row: -(row["missed"] + row["false"]))
    for row in worst[: most if len(worst) > 1 else 0]:
        add(row["key"], row)
    grid.caption = f"AUC-PR {_number(together['auc_pr'], 3)}   VUS-PR {_number(together['vus_pr'], 3)}   (strength)"
    grid.caption_justify = "left"
    return grid


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
