"""The Numenta Anomaly Benchmark through the product: each file as `run --input` reads it, strictly causal, no setting.

Three ways to detect are shown. `alerts`: the first event of each alert that the product raises by default. `threshold`:
the same with the one opening strength that is best for all files together, chosen for each profile as the benchmark
itself does. `blind`: an alarm every 300 rows whatever happens, as a floor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.evaluation import nab
from streamrnn.evaluation.parallel import Labelled, perform_all
from streamrnn.evaluation.reading import EventFile
from streamrnn.records.events import Float64
from streamrnn.runtime.task import ForecastTask

_BLIND = 300


class LabelledJob(NamedTuple):
    """One file of the benchmark."""

    path: Path
    rows: int
    config: Config


class Scored(NamedTuple):
    """What the model said about each row; nothing where the row was unusable."""

    strength: Float64
    alert: npt.NDArray[np.bool_]  # first event of each alert


def score_file(job: LabelledJob, report: Callable[[int], None]) -> Scored:
    """Run the model over one file."""
    strength, alerts = np.zeros(job.rows), np.zeros(job.rows, np.int64)
    with EventFile(job.path, job.config) as file:
        model = ForecastTask(job.config.model_copy(update={"event": file.event})).model()
        try:
            for decoded in file.batches():
                answers = model.process(decoded)
                rows = [record.offset for record in decoded.records]
                strength[rows] = np.where(answers.late, 0.0, answers.strength)
                alerts[rows] = np.where(answers.late, 0, answers.alert)
                report(len(decoded.keys) + len(decoded.rejected))
        finally:
            model.close()
    return Scored(strength, nab.first_events(alerts))


def evaluate_folder(folder: Path, config: Config, *, processes: int, console: Console) -> dict[str, Any]:
    """Run and score every labelled file of the folder; the document that `--json` prints (docs/evaluate.md)."""
    files = nab.load(folder)
    data = folder / "data" if (folder / "data").is_dir() else folder
    jobs = [LabelledJob(data / file.name, len(file.values), config) for file in files]
    labels = [Labelled(file.name, len(file.values)) for file in files]
    scored: list[Scored] = perform_all(score_file, jobs, labels, processes=processes, console=console)
    blind = [np.arange(len(file.values)) % _BLIND == _BLIND - 1 for file in files]
    thresholds = nab.alert_sweep(files, [one.strength for one in scored])
    folders = sorted({file.name.partition("/")[0] for file in files})
    return {
        "schema": 1,
        "version": __version__,
        "model": config.model.model_dump(mode="json"),
        "files": len(files),
        "rows": sum(len(file.values) for file in files),
        "windows": sum(len(file.windows) for file in files),
        "scores": {
            "alerts": nab.score(files, [one.alert for one in scored]),
            "threshold": {name: score for name, (_, score) in thresholds.items()},
            "blind": nab.score(files, blind),
        },
        "thresholds": {
            name: threshold if np.isfinite(threshold) else None for name, (threshold, _) in thresholds.items()
        },
        "folders": {name: _folder(name, files, scored) for name in folders},
    }


def _folder(name: str, files: Sequence[nab.LabelledFile], scored: Sequence[Scored]) -> dict[str, Any]:
    inside = [i for i, file in enumerate(files) if file.name.partition("/")[0] == name]
    tally = nab.total([nab.tally(files[i], scored[i].alert) for i in inside])
    return {
        "files": len(inside),
        "windows": tally.windows,
        "missed": tally.missed,
        "alerts": int(sum(scored[i].alert.sum() for i in inside)),
        # A folder without windows has no score.
        "scores": {p.name: tally.score(p) if tally.windows else None for p in nab.PROFILES},
    }


def table(found: dict[str, Any]) -> Table:
    """The document for the terminal."""
    title = f"NAB: {found['files']} files, {found['rows']:,} rows, {found['windows']} windows"
    grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    profiles = [profile.name for profile in nab.PROFILES]
    for name in ("", "files", "windows", "missed", "alerts", *profiles):
        grid.add_column(name, justify="right" if name else "left")
    names = {
        "alerts": "alerts as published",
        "threshold": "best single threshold",
        "blind": f"blind, every {_BLIND} rows",
    }
    sums = {
        key: sum(folder[key] for folder in found["folders"].values())
        for key in ("files", "windows", "missed", "alerts")
    }
    for key, scores in found["scores"].items():
        counts = [f"{sums[column]:,}" for column in sums] if key == "alerts" else [""] * 4
        style = "bold" if key == "alerts" else ""
        grid.add_row(names[key], *counts, *(f"{scores[p]:.1f}" for p in profiles), style=style)
    grid.add_section()
    for name, folder in found["folders"].items():
        counts = [f"{folder[column]:,}" for column in sums]
        grid.add_row(name, *counts, *("-" if (s := folder["scores"][p]) is None else f"{s:.1f}" for p in profiles))
    return grid
