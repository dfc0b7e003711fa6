"""Many jobs in a few processes, with one progress bar; the results do not depend on how many.

Processes are spawned, not forked: forking a process with compiled code and threads is not safe everywhere.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamrnn.errors import StreamRNNError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Labelled(NamedTuple):
    """How a job shows in the progress bar."""

    label: str
    events: int  # about how many it has


class Work(Protocol):
    """A function of a job and of a callback for the events done; importable by name, for other processes."""

    def __call__(self, job: Any, report: Callable[[int], None]) -> Any:
        """Do the job."""


def perform_all(
    work: Work,
    jobs: Sequence[Any],
    labels: Sequence[Labelled],
    *,
    processes: int,
    console: Console,
) -> list[Any]:
    """Each job's result, in order. The first error of a job is raised; then nothing is left running."""
    processes = min(processes, len(jobs))
    with _interruptible(), _Bars(console, labels) as bars:
        if processes <= 1:
            return [work(job, bars.reporter(i)) for i, job in enumerate(jobs)]
        context = multiprocessing.get_context("spawn")
        reports = context.Queue()
        pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(reports,))
        try:
            futures = [pool.submit(_perform, work, i, job) for i, job in enumerate(jobs)]
            return list(_collect(futures, reports, bars))
        except BrokenProcessPool as error:
            raise StreamRNNError(
                "a process of the evaluation died, most likely for lack of memory; use fewer with --jobs 1"
            ) from error
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            reports.close()


def _collect(futures: Sequence[Future[Any]], reports: Any, bars: _Bars) -> Iterator[Any]:
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        while True:
            try:
                bars.advance(*reports.get_nowait())
            except queue.Empty:
                break
    for future in futures:
        yield future.result()


_reports: Any = None


def _start(reports: Any) -> None:
    global _reports
    _reports = reports
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the whole group: end without a traceback


def _perform(work: Work, number: int, job: Any) -> Any:
    return work(job, lambda events: _reports.put((number, events)))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the processes too, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Bars:
    """One bar for all events, and one for each job under way; on a terminal only."""

    def __init__(self, console: Console, labels: Sequence[Labelled]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._labels = labels
        self._done = [0] * len(labels)
        self._tasks: dict[int, TaskID] = {}
        self._all = self._progress.add_task("evaluating", total=sum(label.events for label in labels))

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def reporter(self, number: int) -> Callable[[int], None]:
        """What a job in this process calls."""
        return lambda events: self.advance(number, events)

    def advance(self, number: int, events: int) -> None:
        """Some events of one job are done."""
        label, total = self._labels[number]
        if number not in self._tasks:
            self._tasks[number] = self._progress.add_task(f"  {label}", total=total)
        self._done[number] += events
        self._progress.update(self._tasks[number], advance=events, visible=self._done[number] < total)
        self._progress.update(self._all, completed=sum(map(min, self._done, (x.events for x in self._labels))))


def default_processes() -> int:
    """One per processor this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
