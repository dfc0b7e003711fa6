"""What a person sees in the terminal: progress, the live view of the demo, and the closing table."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer, Step
from streamrnn.runtime.recovery import Progress as RecoveryProgress
from streamrnn.runtime.task import Task

_BARS = " ▁▂▃▄▅▆▇█"
_LEAST_RECENT, _MOST_RECENT = 8, 40
"""Values of a series in the live view."""


class Scoring(Observer):
    """Keeps the scorecard and the time."""

    def __init__(self, task: Task) -> None:
        self.scorecard = task.scorecard()
        self._task = task
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """Since the first event was there; compiling does not count."""
        return time.monotonic() - self._started if self._started is not None else 0.0

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        if self._started is None:
            self._started = time.monotonic() - step.seconds
        self.scorecard.add(step.decoded, step.answers, len(step.unusable))

    def table(self) -> Table:
        """The closing table: what was processed and how good it was."""
        summary = self._task.summary(self.scorecard)
        title = f"{self.scorecard.events:,} events in {self.seconds:.1f} s"
        table = Table(title=title, title_justify="left", caption=summary.below, caption_justify="left")
        for number, name in enumerate(summary.columns):
            table.add_column(name, justify="right" if number else "left")
        for name, *scores in summary.rows:
            table.add_row(Text(name), *scores)
        return table


class FileProgress(Observer):
    """A progress bar over the bytes of a file, on a terminal only."""

    def __init__(self, console: Console, total: int, position: Callable[[], int]) -> None:
        self._position = position
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[events]:,} events"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("forecasting", total=total, events=0)
        self._events = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        self._events += len(step.decoded.keys)
        self._progress.update(self._task, completed=self._position(), events=self._events)


class RecoveryLog(Observer):
    """Says what a recovery is doing: a person should know why nothing comes out yet."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[Partition, float] = {}

    def recovering(self, partition: Partition, progress: RecoveryProgress) -> None:
        """See `Observer.recovering`."""
        now = time.monotonic()
        if progress.phase == "ready":
            if partition in self._said and progress.total:
                self._console.print(f"{partition.topic}[{partition.number}]: ready after {progress.done:,} replayed")
            self._said.pop(partition, None)
        elif now - self._said.setdefault(partition, now) > 2:
            self._said[partition] = now
            of = f" of {progress.total:,}" if progress.total is not None else ""
            what = "series restored" if progress.phase == "restore" else "events replayed"
            self._console.print(f"{partition.topic}[{partition.number}]: {progress.done:,}{of} {what}")


class _Row:
    def __init__(self) -> None:
        self.values: deque[float] = deque(maxlen=_MOST_RECENT)
        self.observed = self.expected = self.lower = self.upper = float("nan")
        self.events = self.anomalies = 0
        self.error = self.persistence = 0.0
        self.score = 0.0
        self.flagged = 0  # events since the last anomaly, counted down

    def cells(self, key: str) -> dict[str, Text]:
        """The texts of its line."""
        skill = 1 - self.error / self.persistence if self.persistence > 0 else 0.0
        return {
            "series": Text(key),
            "observed": Text(f"{self.observed:.4g}"),
            "next": Text(f"{self.expected:.4g}"),
            "interval": Text(f"{self.lower:.4g} .. {self.upper:.4g}"),
            "skill": Text(f"{skill:+.0%}", style="green" if skill > 0 else "red"),
            "surprise": Text(f"{self.score:.3f}", style="bold red" if self.flagged else ""),
            "alerts": Text(str(self.anomalies)),
        }


class LiveView(Observer):
    """One line per series: its recent values, the forecast for the next, the skill, the surprise."""

    def __init__(self, console: Console, lines: int = 20) -> None:
        self._console = console
        self._rows: dict[str, _Row] = {}
        self._lines = lines
        self._events = 0
        self._started = time.monotonic()
        self._live = Live(self._render(), console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        answers = step.answers
        columns = zip(
            step.decoded.keys,
            step.decoded.targets[:, 0].tolist(),
            answers.previous[:, 0].tolist(),
            answers.expected_median[:, 0].tolist(),
            answers.forecast[:, 0, 0].tolist(),
            answers.forecast_lower[:, 0, 0, 0].tolist(),
            answers.forecast_upper[:, 0, 0, 0].tolist(),
            answers.score.tolist(),
            answers.is_anomaly.tolist(),
            answers.opened.tolist(),
            strict=True,
        )
        for key, observed, previous, median, forecast, lower, upper, score, is_anomaly, opened in columns:
            row = self._rows.setdefault(key, _Row())
            row.events += 1
            row.observed, row.expected, row.lower, row.upper, row.score = observed, forecast, lower, upper, score
            row.values.append(observed)
            if np.isfinite(observed) and np.isfinite(median):
                row.error += abs(observed - median)
                row.persistence += abs(observed - previous)
            row.flagged = 30 if is_anomaly else max(0, row.flagged - 1)
            row.anomalies += opened
        self._events += len(step.decoded.keys)
        self._live.update(self._render())

    def _render(self) -> RenderableType:
        ordered = sorted(self._rows.items(), key=lambda item: (-item[1].flagged, item[0]))
        shown = ordered[: self._lines]
        cells = [row.cells(key) for key, row in shown]
        names, recent = _fitting(cells, self._console.width)
        table = Table(expand=True)
        for name in names:
            table.add_column(name, justify="left" if name in ("series", "recent") else "right", no_wrap=True)
        for (_, row), cell in zip(shown, cells, strict=True):
            cell["recent"] = Text(_sparkline(row.values, recent))
            table.add_row(*(cell[name] for name in names), style="on dark_red" if row.flagged > 20 else "")
        rate = self._events / max(time.monotonic() - self._started, 1e-9)
        head = Text(f"streamrnn demo   {self._events:,} events   {rate:,.0f} events/s   Ctrl-C ends it", style="bold")
        more = len(ordered) - self._lines
        tail = [Text(f"and {more} more series")] if more > 0 else []
        return Group(head, table, *tail)


_COLUMNS = ("series", "recent", "observed", "next", "interval", "skill", "surprise", "alerts")
_CAN_BE_LEFT_OUT = ("interval", "skill", "next", "recent", "alerts", "surprise")
"""In this order, where the terminal is too narrow."""


def _fitting(rows: Sequence[Mapping[str, Text]], width: int) -> tuple[list[str], int]:
    """The columns that a terminal of `width` characters has room for, and the values to show of each series."""
    widths = {name: max([len(name), *(len(row[name]) for row in rows)]) for name in _COLUMNS if name != "recent"}
    names = list(_COLUMNS)
    for name in (*_CAN_BE_LEFT_OUT, None):
        others = sum(widths[one] for one in names if one != "recent")
        room = width - others - 3 * len(names) - 1  # a border and two spaces a column
        if name is None or room >= (_LEAST_RECENT if "recent" in names else 0):
            break
        names.remove(name)
    return names, max(0, min(_MOST_RECENT, room))


def _sparkline(recent: Sequence[float], most: int) -> str:
    values = list(recent)[-most:] if most else []
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    return "".join(_BARS[1 + int((v - low) / span * 7)] if np.isfinite(v) else " " for v in values)
