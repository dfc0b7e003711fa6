"""The tables of an evaluation, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streamrnn.evaluation.ages import age_name
from streamrnn.evaluation.holdout import Holdout, mean_of
from streamrnn.evaluation.prequential import MODEL
from streamrnn.evaluation.results import PERSISTENCE, FileResult, mean

_MOST_SERIES = 20
_MOST_STEPS = 12


def tables(files: Sequence[FileResult]) -> Iterator[RenderableType]:
    """One block per file, and what all of them come to."""
    for file in files:
        yield _models(file)
        if file.total(MODEL).count.shape[0] > 1 or len(file.levels) > 1:
            yield _steps(file)
        yield _ages(file)
        if len(file.series) > 1:
            yield _series(file)
    if len(files) > 1:
        yield _files(files)


def holdouts(files: Sequence[Holdout]) -> Iterator[RenderableType]:
    """One block per file."""
    for file in files:
        steps = f"{file.horizon:,} events" if file.horizon > 1 else "event"
        count = f"{file.series:,} series" if file.series > 1 else "the series"
        table = _table(
            f"{Path(file.file).name}: the last {steps} of {count} held out", "target", "model", "sMAPE", "MASE", "OWA",
            "RMSE", "coverage", "MSIS",
        )  # fmt: skip
        for k, (name, target) in enumerate(file.targets.items()):
            for model in target.errors:
                scores = target.scores(model)
                own = model == MODEL
                table.add_row(
                    Text(name if own else ""),
                    model,
                    _number(scores["smape"]),
                    _ratio(scores["mase"]),
                    _ratio(scores["owa"]),
                    _number(scores["rmse"]),
                    _share(mean_of(target.inside)) if own else "",
                    _number(mean_of(target.msis)) if own else "",
                    style="bold" if own else "",
                    end_section=k < len(file.targets) - 1 and model == "naive",
                )
        table.caption = f"intervals of {file.level:.4g}"
        if file.skipped:
            table.caption += f"   series too short: {file.skipped:,}"
        yield table


def _models(file: FileResult) -> Table:
    horizon = file.total(MODEL).count.shape[0]
    count = len(file.series)
    head = f"{file.path.name}: {file.events:,} events"
    head += f" in {count:,} series" if count > 1 else ""
    head += f", means over {horizon} steps" if horizon > 1 else ", one step ahead"
    table = _table(head, "target", "model", "MAE", "MASE", "skill", "RMSE", "MSE skill", "coverage", "width", "Winkler")
    totals = {name: file.total(name) for name in file.models}
    mase = {name: file.total_mase(name) for name in file.models}
    intervals = file.total_intervals()
    for k, target in enumerate(file.targets):
        for name, scores in totals.items():
            bounds = ["", "", ""]
            if name == MODEL:
                bounds = [
                    _share(mean(intervals.coverage[:, k, 0])),
                    _number(mean(intervals.mean_width[:, k, 0])),
                    _number(mean(intervals.winkler[:, k, 0])),
                ]
            table.add_row(
                Text(target if name == MODEL else ""),
                name,
                _number(mean(scores.mae[:, k])),
                _ratio(mean(mase[name][:, k])),
                _skill(mean(scores.skill(totals[PERSISTENCE])[:, k])) if name != PERSISTENCE else "",
                _number(mean(scores.rmse[:, k])),
                _skill(mean(scores.mse_skill(totals[PERSISTENCE])[:, k])) if name != PERSISTENCE else "",
                *bounds,
                style="bold" if name == MODEL else "",
                end_section=name == file.models[-1],
            )
    facts = [f"intervals of {file.levels[0]:.4g}"]
    facts += [
        f"season: {name}" + (f" in {number:,} series" if count > 1 else "") for name, number in file.seasons()[:3]
    ]
    facts.append(f"anomalies found: {sum(series.anomalies for series in file.series.values()):,}")
    if file.dead_letters:
        facts.append(f"dead letters: {file.dead_letters:,}")
    if file.late:
        facts.append(f"late: {file.late:,}")
    table.caption = "   ".join(facts)
    return table


def _steps(file: FileResult) -> Table:
    """The model's scores per horizon step and level."""
    table = _table(
        f"{file.path.name}: {MODEL} per step", "target", "step", "MAE", "MASE", "skill", "RMSE", "MSE skill", "level",
        "coverage", "width", "Winkler",
    )  # fmt: skip
    scores, persistence, intervals = file.total(MODEL), file.total(PERSISTENCE), file.total_intervals()
    mase = file.total_mase(MODEL)
    horizon = scores.count.shape[0]
    shown = list(range(horizon))
    if horizon > _MOST_STEPS:
        shown = sorted(set(np.linspace(0, horizon - 1, _MOST_STEPS).round().astype(int).tolist()))
        table.caption = "the other steps: --json"
    for k, target in enumerate(file.targets):
        for step in shown:
            for i, level in enumerate(file.levels):
                point: list[RenderableType] = [""] * 5
                if i == 0:
                    point = [
                        _number(scores.mae[step, k]),
                        _ratio(mase[step, k]),
                        _skill(scores.skill(persistence)[step, k]),
                        _number(scores.rmse[step, k]),
                        _skill(scores.mse_skill(persistence)[step, k]),
                    ]
                table.add_row(
                    Text(target if step == 0 and i == 0 else ""),
                    str(step + 1) if i == 0 else "",
                    *point,
                    f"{level:.4g}",
                    _share(intervals.coverage[step, k, i]),
                    _number(intervals.mean_width[step, k, i]),
                    _number(intervals.winkler[step, k, i]),
                )
        table.add_section()
    return table


def _ages(file: FileResult) -> Table:
    """The model's scores by how many events of the series had been seen."""
    table = _table(
        f"{file.path.name}: {MODEL} by age of the series", "target", "events seen", "scored", "MAE", "skill", "RMSE",
        "MSE skill", "coverage",
    )  # fmt: skip
    ages = file.total_ages()
    for k, target in enumerate(file.targets):
        shown = ages.points.count[:, k].nonzero()[0].tolist()
        for row in shown:
            table.add_row(
                Text(target if row == shown[0] else ""),
                age_name(row),
                f"{int(ages.points.count[row, k]):,}",
                _number(ages.points.mae[row, k]),
                _skill(ages.points.skill(ages.persistence)[row, k]),
                _number(ages.points.rmse[row, k]),
                _skill(ages.points.mse_skill(ages.persistence)[row, k]),
                _share(ages.intervals.coverage[row, k, 0]),
            )
        table.add_section()
    return table


def _series(file: FileResult) -> Table:
    """Skill per series, the worst first."""
    table = _table(f"{file.path.name}: series, the worst first", "series", "target", "events", *_columns(file))
    rows = sorted(
        ((_skill_of(file, key, MODEL, k), key, k) for key in file.series for k in range(len(file.targets))),
        key=lambda row: math.inf if math.isnan(row[0]) else row[0],
    )
    for _, key, k in rows[:_MOST_SERIES]:
        series = file.series[key]
        table.add_row(
            Text(key),
            Text(file.targets[k]),
            f"{series.events:,}",
            _number(mean(series.points[MODEL].mae[:, k])),
            *(_skill(_skill_of(file, key, name, k)) for name in file.models if name != PERSISTENCE),
            _share(mean(series.intervals.coverage[:, k, 0])),
        )
    better = sum(skill > 0 for skill, _, _ in rows)
    table.caption = f"better than persistence: {better:,} of {len(rows):,}"
    if len(rows) > _MOST_SERIES:
        table.caption += "; the others: --json"
    return table


def _files(files: Sequence[FileResult]) -> Table:
    """One line per file and target, and how often each baseline is beaten."""
    models = list(dict.fromkeys(name for file in files for name in file.models))
    table = _table("all files", "file", "target", "events", *_columns(files[0]))
    won, closer, held = (dict.fromkeys(models, 0) for _ in range(3))
    for file in files:
        totals = {name: file.total(name) for name in models}
        own, persistence, intervals = totals[MODEL], totals[PERSISTENCE], file.total_intervals()
        for k, target in enumerate(file.targets):
            skills = []
            for name, scores in totals.items():
                held[name] += 1
                won[name] += mean(own.mae[:, k]) < mean(scores.mae[:, k])
                closer[name] += mean(own.mse[:, k]) < mean(scores.mse[:, k])
                if name != PERSISTENCE:
                    skills.append(_skill(mean(scores.skill(persistence)[:, k])))
            table.add_row(
                Text(file.path.name if k == 0 else ""),
                Text(target),
                f"{file.events:,}" if k == 0 else "",
                _number(mean(own.mae[:, k])),
                *skills,
                _share(mean(intervals.coverage[:, k, 0])),
            )
    beaten = [
        "   ".join(f"{name} {wins[name]}/{held[name]}" for name in models if name != MODEL) for wins in (won, closer)
    ]
    table.caption = f"{MODEL} has the smaller MAE than: {beaten[0]}\nand the smaller MSE than: {beaten[1]}"
    return table


def _columns(file: FileResult) -> list[str]:
    skills = ["skill" if name == MODEL else f"{name}'s" for name in file.models if name != PERSISTENCE]
    return ["MAE", *skills, "coverage"]


def _skill_of(file: FileResult, key: str, model: str, k: int) -> float:
    points = file.series[key].points
    return mean(points[model].skill(points[PERSISTENCE])[:, k])


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for name in columns:
        text = name in ("target", "model", "series", "file")
        table.add_column(
            name, justify="left" if text else "right", no_wrap=name not in ("target", "series", "file"), overflow="fold"
        )
    return table


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _share(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "-"


def _skill(value: float) -> Text:
    if not math.isfinite(value):
        return Text("-")
    return Text(f"{value:+.1%}", style="green" if value > 0 else "red")
