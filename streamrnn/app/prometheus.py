"""The jobs over a query of Prometheus: forecast it, learn from it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from streamrnn.app.dead_letter_log import DeadLetterLog
from streamrnn.app.learn import Learned, Say, empty_folder, fold_all
from streamrnn.app.run import prepare, stopping
from streamrnn.app.terminal import RecoveryLog, Scoring
from streamrnn.config.tree import Config
from streamrnn.connectors.prometheus import PrometheusConnector
from streamrnn.errors import ConfigurationError
from streamrnn.monitor.launch import monitoring
from streamrnn.runtime.observer import Observers
from streamrnn.runtime.task import task_of
from streamrnn.runtime.worker import Worker


def connected(
    config: Config,
    output: Path | None,
    *,
    state: Path | None = None,
    dead_letters: Path | None = None,
    alerts: Path | None = None,
) -> tuple[Config, PrometheusConnector]:
    """The configuration with which the query's records are read, and the connector that asks it.

    Raises `ConfigurationError` where no query is named, and for a task, targets or features that it cannot give.
    """
    event, asked = config.event, config.prometheus
    if asked.url is None or asked.query is None:
        raise ConfigurationError("name the server and the query: --prometheus URL --query PROMQL")
    config.only_forecasts("a query of Prometheus can be forecast")
    if len(event.targets) > 1 or event.features:
        raise ConfigurationError("a query gives one number of each series: leave out event.features, name one target")
    target = event.targets[0] if event.targets else "value"
    names = event.key, event.time, target
    if any("." in name for name in names) or len({*names}) < 3:
        raise ConfigurationError(
            f"event.key, event.time and event.targets must be three different names without dots; they are {names}"
        )
    connector = PrometheusConnector(asked, names, output, state=state, dead_letters=dead_letters, alerts=alerts)
    changed = {**connector.asked, "targets": (target,)}
    return config.model_copy(update={"event": event.model_copy(update=changed)}), connector


def run_prometheus(
    config: Config,
    output: Path | None,
    *,
    dead_letters: Path | None,
    alerts: Path | None,
    console: Console,
    quiet: bool,
) -> None:
    """Forecast the query from its beginning, or from where the state is, until its end or until asked to stop."""
    state = config.state.directory
    config, connector = connected(config, output, state=state, dead_letters=dead_letters, alerts=alerts)
    task = task_of(config)
    with connector, ExitStack() as stack:
        stop = stack.enter_context(stopping())
        monitor = stack.enter_context(monitoring(task))
        scoring, decoder = Scoring(task), task.decoder()
        prepare(task, console, quiet=quiet, decoder=decoder)
        observers = Observers(scoring, RecoveryLog(console), DeadLetterLog(), monitor)
        worker = Worker(
            task, lambda: monitor.watch(connector), decoder=decoder, keep_state=state is not None, observer=observers,
            stop=stop,
        )  # fmt: skip
        if not quiet:
            end = "" if config.prometheus.until is not None else "; Ctrl-C stops"
            console.print(f"{config.prometheus.query} at {config.prometheus.url}{end}", markup=False, highlight=False)
        worker.run()
    if not quiet:
        console.print(scoring.table())


def learn_prometheus(config: Config, folder: Path, say: Say) -> Learned:
    """Fold the query from `begin` to `until` into a state folder; `run --prometheus` with it goes on from there.

    Raises `StateError` for a folder that holds something, `ConfigurationError` where the range has no ends.
    """
    asked = config.prometheus
    if asked.begin is None or asked.until is None:
        raise ConfigurationError("say what to learn: --from TIME --until TIME")
    config, connector = connected(config, None)
    task = task_of(config)
    with empty_folder(folder) as kept, connector, closing(task.model()) as model:
        result, end = fold_all(model, task.decoder(), connector, say)
        kept.write([*model.snapshot(end)], connector.facts(end))
        return result
