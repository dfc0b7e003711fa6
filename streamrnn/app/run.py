"""The jobs behind the commands: wire configuration, connector, worker and terminal together."""

from __future__ import annotations

import _thread
import gc
import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from streamrnn.app.dead_letter_log import DeadLetterLog
from streamrnn.app.feedback import command
from streamrnn.app.refusals import RefusalLog
from streamrnn.app.spread_keys import SpreadKeys
from streamrnn.app.terminal import FileProgress, LiveView, RecoveryLog, Scoring
from streamrnn.config.tree import Config
from streamrnn.connectors.base import Connector
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.connectors.rows_to_come import look_ahead
from streamrnn.monitor.launch import DEMO_PORTS, can_serve, monitoring
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer, Observers
from streamrnn.runtime.task import Task, task_of
from streamrnn.runtime.worker import Worker
from streamrnn.state.memory import default_budget, described, size
from streamrnn.state.partition_model import PartitionModel

log = logging.getLogger(__name__)

DEMO_RATE = 400
"""Events per second that the demo plays."""
COLLECTED = (10_000, 2, 2)
"""When a worker looks for garbage (`gc.set_threshold`). The Kafka client leaves what it fetched in cycles of
references, a dozen megabytes in five minutes at 5,000 events/s; what lives on after the start is little."""


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT ends the process at once."""
    stop = threading.Event()
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            os._exit(130)
        if not asked:
            asked = True
            # By another thread: the event's lock may be held by the very line that this handler interrupts.
            _thread.start_new_thread(stop.set, ())

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_file(
    config: Config,
    sources: Sequence[Path],
    output: Path | None,
    *,
    follow: bool = False,
    dead_letters: Path | None,
    alerts: Path | None,
    console: Console,
    quiet: bool,
    settings: Path | None = None,
) -> None:
    """Process files (none: standard input) to their end, or until asked to stop; `settings` is the configuration's."""
    state = config.state.directory
    connector = FileConnector(
        sources or None, output, follow=follow, state=state, dead_letters=dead_letters, alerts=alerts,
        **larger_batches(config),
    )  # fmt: skip
    with connector, ExitStack() as stack:
        found = connector.look(config)
        asked, config = config, config.model_copy(update={"event": found.event})
        rows = row_reader(found.layout, found.event, config.file)
        task = task_of(config)
        decoder = task.decoder(rows)
        notes = [*found.notes, *look_ahead(decoder, () if follow else sources, asked, found, connector.went_on)]
        if not quiet:
            for note in notes:
                console.print(note, style="dim", markup=False, highlight=False)
        refusals = RefusalLog()
        fresh = not connector.delivered() or connector.committed(connector.partition) is None
        scoring = Scoring(task)
        observers: list[Observer] = [scoring, RecoveryLog(console), refusals]
        progress = connector.progress
        if progress is not None and console.is_terminal and not quiet:
            observers.append(stack.enter_context(FileProgress(console, progress[1], connector.delivered)))
        answered = follow and len(sources) == 1 and not config.labelled  # by feedback on alerts
        feedback = command(config, settings, sources[0]) if answered else None
        monitor = stack.enter_context(monitoring(task, feedback=feedback))
        observers.append(monitor)
        prepare(task, console, quiet=quiet, decoder=decoder)
        stop = stack.enter_context(stopping())  # before it a signal ends the process at once: nothing has begun
        worker = Worker(
            task,
            lambda: monitor.watch(connector),
            decoder=decoder,
            keep_state=state is not None,
            model=task.file_model,
            observer=Observers(*observers),
            stop=stop,
        )
        worker.run()
        waiting = connector.waiting
    if not quiet:
        console.print(scoring.table())
        for line in refusals.refusals.report(rows):
            console.print(line, markup=False, highlight=False)
        if not refusals.refusals.rows and not waiting and not stop.is_set():
            nothing = "there are no rows" if fresh else f"nothing new: the state in {state} has all rows already"
            console.print(nothing, markup=False, highlight=False)
        if waiting and not stop.is_set():
            console.print(
                f"the last {waiting:,} bytes wait for the end of their line, or of their time: a next run reads them "
                "(without --state they count as a row)", markup=False, highlight=False
            )  # fmt: skip
    if fresh and not stop.is_set():
        letters = dead_letters or (
            output.with_name(output.name + ".dead-letters.jsonl") if output is not None else None
        )
        refusals.refusals.check(
            str(sources[0] if sources else "standard input"), rows, len(found.layout.targets), letters
        )
    if not quiet and stop.is_set():
        again = "run the same command again to go on" if state else "with --state DIR it could be resumed"
        console.print(f"stopped before the end of the input; {again}")


def larger_batches(config: Config) -> dict[str, int]:
    """Of a file where a batch is cut into pieces, each of which costs some calls (`split_model.PIECES`)."""
    return {} if config.workers == 1 else {"max_poll_records": 4000}


def run_service(config: Config, *, console: Console, quiet: bool, settings: Path | None = None) -> None:
    """Serve the configured topics, or what `connector.name` connects to, until asked to stop.

    `settings` is the file of the configuration.
    """
    from streamrnn.connectors.schema_registry import reader_of

    make, what = _service(config)
    task = task_of(config)
    answered = config.connector.name is None and not config.labelled  # by feedback on alerts
    feedback = command(config, settings) if answered else None
    with stopping() as stop, monitoring(task, feedback=feedback) as monitor:
        scoring = Scoring(task)
        decoder = task.decoder(read=reader_of(config))
        prepare(task, console, quiet=quiet, decoder=decoder, kafka=config.connector.name is None)

        def connect() -> Connector:
            return monitor.watch(make())

        observers = Observers(scoring, monitor, DeadLetterLog(), SpreadKeys())
        worker = Worker(task, connect, decoder=decoder, observer=observers, stop=stop)
        gc.set_threshold(*COLLECTED)
        if not quiet:
            console.print(f"{what}; Ctrl-C stops", markup=False, highlight=False)
        worker.run()
    if not quiet:
        console.print(scoring.table())


def _service(config: Config) -> tuple[Callable[[], Connector], str]:
    """What makes the connector, and what it connects, in words."""
    if config.connector.name is not None:
        from streamrnn.connectors.plugins import plugin

        return plugin(config), f"connector {config.connector.name}"
    from streamrnn.connectors.kafka import KafkaConnector
    from streamrnn.connectors.schema_registry import framer_of

    kafka, framed = config.kafka, framer_of(config)

    def make() -> Connector:
        return KafkaConnector(
            kafka, application_id=config.application_id, changelog_topic=config.changelog, framed=framed
        )

    return make, f"{kafka.input_named} -> {kafka.output_topic} at {kafka.bootstrap_servers} ({kafka.delivery})"


def run_produce(
    config: Config,
    source: Path,
    *,
    topic: str | None,
    rate: float | None,
    rewrite: bool,
    repeat: int,
    console: Console,
    quiet: bool,
) -> None:
    """Replay a file into a topic."""
    from streamrnn.app.produce import messages
    from streamrnn.connectors.kafka.produce import produce

    topic = topic or config.kafka.first_input
    with stopping() as stop:
        with console.status("connecting ...") as status:

            def sent(count: int) -> None:
                status.update(f"{count:,} events sent to {topic}; Ctrl-C ends")

            def say(note: str) -> None:
                if not quiet:
                    console.print(note, style="dim", markup=False, highlight=False)

            rows = (messages(source, config, rewrite, say if not again else lambda _: None) for again in range(repeat))
            events = itertools.chain.from_iterable(rows)
            count = produce(config.kafka, topic, events, rate, stop, sent)
        if not quiet:
            console.print(f"{count:,} events sent to {topic}", highlight=False)


def run_demo(config: Config, *, duration: float | None, headless: bool, console: Console) -> None:
    """Play the simulated fleet through the memory connector, faster than real time."""
    from streamrnn.app.fleet import stream
    from streamrnn.app.injected_faults import InjectedFaults

    memory, faults = MemoryLog("demo"), InjectedFaults()
    ports = () if headless or not can_serve() else DEMO_PORTS
    if not headless and not ports and config.monitor.port is None:
        console.print("without its live page, which needs: pip install 'streamrnn[live]'", markup=False)
    with stopping() as stop, ExitStack() as stack:
        task = task_of(config)
        prepare(task, console, quiet=False)
        scoring = Scoring(task)
        browse = None if headless else console
        monitor = stack.enter_context(monitoring(task, browse, ports=ports, faults=faults))
        observers: list[Observer] = [scoring, monitor, faults]

        def play() -> None:
            started = time.monotonic()
            for count, reading in enumerate(stream(seed=config.model.seed + 7)):
                behind = count / DEMO_RATE - (time.monotonic() - started)
                over = duration is not None and time.monotonic() - started >= duration
                if over or stop.wait(max(0.0, behind) if count % 20 == 0 else 0):
                    break
                faults.note(reading)
                memory.append(0, reading.message())
            memory.finish()

        worker = Worker(task, lambda: monitor.watch(MemoryConnector(memory)), keep_state=False, stop=stop)
        if not headless and console.is_terminal:
            observers.append(stack.enter_context(LiveView(console)))
        worker.observer = Observers(*observers)
        player = threading.Thread(target=play, name="player", daemon=True)
        player.start()
        worker.run()
        player.join(timeout=2)
    console.print(scoring.table())
    console.print(faults.summary())


def _read_and_write(decoder: EventDecoder, model: PartitionModel[Any]) -> None:
    """Compile, or load, what reads events and writes records."""
    nothing = decoder.decode([])
    model.encode(Partition("", 0), nothing, model.process(nothing))


def prepare(
    task: Task, console: Console, *, quiet: bool, decoder: EventDecoder | None = None, kafka: bool = False
) -> None:
    """Compile what the configuration needs, or load it from the cache; says so when that takes a while.

    With a decoder also what reads events and writes records; for Kafka what reads and writes its batches, too.
    """
    from streamrnn.kernels.announcer import TEXT
    from streamrnn.kernels.jit import announcer, compiling

    model, compiled = task.model(), False

    def begins() -> None:
        nonlocal compiled
        if not compiled and not quiet:
            console.print(TEXT, style="dim", highlight=False)
        compiled = True

    own = console.stderr and console.is_terminal and not quiet  # there it counts the seconds
    with compiling(None if own else begins):
        beside: list[Callable[[], object]] = []
        if decoder is not None:
            beside.append(partial(_read_and_write, decoder, model))
        if kafka:
            from streamrnn.connectors.kafka.record_batches import warm_up

            beside.append(warm_up)
        model.warm_up(*beside)
    if not quiet:
        most = max(1, (task.config.state.max_memory or default_budget()) // model.bytes_per_series)
        log.info(
            "%s: %s series of %s; more wait in %s",
            described(task.config.state.max_memory), f"{most:,}", size(model.bytes_per_series), model.store_folder,
        )  # fmt: skip
    model.close()
    if not (compiled or announcer.said):  # which leaves garbage
        # All that the start has made stays to the end: look for no garbage in it, neither now and then nor at the exit.
        gc.freeze()
