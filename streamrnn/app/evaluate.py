"""The job behind `streamrnn evaluate`: find out columns, run the passes, print."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from streamrnn import __version__
from streamrnn.app.run import prepare
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.evaluation import baselines, label_jobs, label_page, nab_jobs
from streamrnn.evaluation.holdout import Holdout, hold_out
from streamrnn.evaluation.parallel import Labelled, default_processes, perform_all
from streamrnn.evaluation.plot import write_page
from streamrnn.evaluation.prequential import MODEL, Job, Outcome, perform
from streamrnn.evaluation.reading import EventFile, count_rows
from streamrnn.evaluation.results import PERSISTENCE, SCHEMA_VERSION, FileResult, combine, document
from streamrnn.evaluation.tables import holdouts, tables
from streamrnn.runtime.task import task_of


def evaluate_files(
    config: Config,
    paths: Sequence[Path],
    names: Sequence[str] | None,
    *,
    limit: int | None,
    processes: int | None,
    as_json: bool,
    plot: Path | None,
    console: Console,
) -> None:
    """Evaluate files against the named baselines (None: all there are); the result goes to standard output."""
    chosen, skipped = _available(names)
    fitted = _fitted(config, paths, console)
    for note in skipped:
        console.print(note, style="dim", markup=False, highlight=False)
    prepare(task_of(fitted), console, quiet=False)  # before other processes start: they find the kernels in the cache
    jobs = [Job(path, name, config, limit, plot is not None) for path in paths for name in (MODEL, *chosen)]
    labels = [Labelled(f"{job.path.name}, {job.name}", count_rows(job.path, limit)) for job in jobs]
    outcomes: list[Outcome] = perform_all(
        perform, jobs, labels, processes=processes or default_processes(), console=console
    )
    width = 1 + len(chosen)
    results = [
        combine(path, config, chosen, dict(zip((MODEL, *chosen), outcomes[i * width : (i + 1) * width], strict=True)))
        for i, path in enumerate(paths)
    ]
    _publish(config, results, skipped, as_json=as_json, plot=plot, console=console)


def evaluate_holdout(
    config: Config,
    paths: Sequence[Path],
    *,
    limit: int | None,
    processes: int | None,
    as_json: bool,
    console: Console,
) -> None:
    """Hold the last horizon of every series out; the result goes to standard output."""
    fitted = _fitted(config, paths, console)
    prepare(task_of(fitted), console, quiet=False)
    jobs = [Job(path, MODEL, config, limit) for path in paths]
    labels = [Labelled(path.name, count_rows(path, limit)) for path in paths]
    found: list[Holdout] = perform_all(
        hold_out, jobs, labels, processes=processes or default_processes(), console=console
    )
    if as_json:
        settings = config.model.model_dump(mode="json")
        files = [file.document() for file in found]
        _print_json({"schema": SCHEMA_VERSION, "version": __version__, "model": settings, "holdout": files})
        return
    for block in holdouts(found):
        _print(block)


def _fitted(config: Config, paths: Sequence[Path], console: Console) -> Config:
    """The configuration of the last file, whose columns are found out; says what was found."""
    fitted = config
    for path in paths:
        with EventFile(path, config) as file:
            fitted = config.model_copy(update={"event": file.event})
            for note in [f"{path.name}: {note}" for note in file.notes]:
                console.print(note, style="dim", markup=False, highlight=False)
    return fitted


def evaluate_nab(config: Config, folder: Path, *, processes: int | None, as_json: bool, console: Console) -> None:
    """Run the model over a folder of the Numenta Anomaly Benchmark and score its alerts."""
    if not folder.is_dir():
        raise ConfigurationError(f"--nab {folder}: no such folder")
    prepare(task_of(config), console, quiet=False)
    found = nab_jobs.evaluate_folder(folder, config, processes=processes or default_processes(), console=console)
    if as_json:
        _print_json(found)
    else:
        _print(nab_jobs.table(found))


def evaluate_labels(
    config: Config,
    paths: Sequence[Path],
    labels: Path,
    *,
    limit: int | None,
    processes: int | None,
    as_json: bool,
    plot: Path | None,
    console: Console,
) -> None:
    """Hold the alerts on files against labelled anomalies; the result goes to standard output."""
    fitted = _fitted(config, paths, console)
    prepare(task_of(fitted), console, quiet=False)
    judged = label_jobs.judge(
        config, paths, labels, limit=limit, processes=processes or default_processes(), console=console
    )
    if plot is not None:
        label_page.write_page(plot, judged)
        console.print(f"page: {plot}", style="dim", markup=False, highlight=False)
    found = label_jobs.document(config, judged)
    if as_json:
        _print_json(found)
    else:
        _print(label_jobs.table(found))


def _available(names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Baselines to run (persistence, which comes with the model's pass, left out), and why others are not."""
    wanted = list(dict.fromkeys(names if names is not None else baselines.NAMES))
    for name in wanted:
        if name not in baselines.NAMES:
            raise ConfigurationError(f"--baselines: no {name!r}; there are: {', '.join(baselines.NAMES)}, none")
    reasons = {name: baselines.unavailable(name) for name in wanted}
    skipped = [f"{name} is left out: {reason}" for name, reason in reasons.items() if reason is not None]
    return [name for name in wanted if name != PERSISTENCE and reasons[name] is None], skipped


def _publish(
    config: Config,
    results: Sequence[FileResult],
    skipped: Sequence[str],
    *,
    as_json: bool,
    plot: Path | None,
    console: Console,
) -> None:
    found = document(config, results, skipped)
    if plot is not None:
        write_page(plot, results, found)
        console.print(f"page: {plot}", style="dim", markup=False, highlight=False)
    if as_json:
        _print_json(found)
        return
    for block in tables(results):
        _print(block)


def _print(block: RenderableType) -> None:
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 140  # a file or a pager has no width to keep to
    console.print(block)


def _print_json(found: Mapping[str, object]) -> None:
    print(json.dumps(found, indent=2, allow_nan=False))
