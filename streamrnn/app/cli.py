"""The command line: the commands that run, check and evaluate, the others by name, and what a process ends with.

The files of commands are the only place that reads the command line and the environment.

Everything heavy is imported inside the command that needs it: `streamrnn --help` must answer at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from streamrnn import __version__
from streamrnn.app import pipeline_commands, state_commands
from streamrnn.app.failures import printable, unforeseen
from streamrnn.app.options import (
    PathOption,
    configuration,
    configured,
    console_of,
    querying,
    querying_flags,
    reading,
    reading_flags,
)
from streamrnn.errors import StreamRNNError


class Commands(click.Group):
    """The commands; when the reader of our output has had enough (`| head`), that is no failure."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Take a command in, with the same flags for help, from whatever context it is asked."""
        cmd.context_settings = {**HELP, **cmd.context_settings}
        super().add_command(cmd, name)

    def invoke(self, context: click.Context) -> Any:
        """Run one. (click itself would make a closed pipe exit code 1.)"""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            # Python would complain again while closing standard output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None


CONTRACTS = ("event", "forecast", "prediction", "alert", "feedback", "latest", "series", "dead-letter", "config")
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=HELP)
@click.version_option(__version__, prog_name="streamrnn")
def cli() -> None:
    """Forecasts, intervals and anomaly scores from a network that learns while the stream runs.

    \b
    streamrnn demo                                       see it work, nothing to set up
    streamrnn run --input x.csv --output out.jsonl       one file
    streamrnn run --config pipeline.yaml                 Kafka
    """


@cli.command()
@configured
@click.option(
    "--input", "sources", multiple=True, metavar="FILE",
    help="Read this file, or those that fit a pattern, one after the other; may be repeated; - is standard input.",
)  # fmt: skip
@click.option("--follow", is_flag=True, help="The last input has no end: wait for more, through rotation.")
@click.option("--output", metavar="FILE", help="Write forecasts here; - is standard output.")
@click.option("--state", type=PathOption(file_okay=False), help="Keep snapshots here; a restart goes on.")
@click.option("--dead-letters", type=PathOption(dir_okay=False), help="Default: OUTPUT.dead-letters.jsonl.")
@click.option("--alerts", type=PathOption(dir_okay=False), help="Also write a line where an alert opens or closes.")
@querying
@click.option("--until", metavar="TIME", help="With --prometheus: end before this moment; default: no end.")
@reading
@click.option("--task", type=click.Choice(["forecast", "regression", "classification"]), help="What is learned.")
@click.option("--label", help="Column with the number or class to learn (--task regression or classification).")
@click.option("--id", "label_id", help="Column with the name under which a label comes later.")
@click.option("--partitions", type=click.IntRange(1, 1024), help="Deal the series of files out to so many networks.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Threads that fold partitions side by side.")
@click.option("--quiet", is_flag=True, help="Only errors on the terminal.")
def run(
    file: Path | None,
    assignments: Sequence[str],
    sources: Sequence[str],
    follow: bool,
    output: str | None,
    state: Path | None,
    dead_letters: Path | None,
    alerts: Path | None,
    task: str | None,
    label: str | None,
    label_id: str | None,
    partitions: int | None,
    workers: int | None,
    quiet: bool,
    until: str | None,
    **given: Any,
) -> None:
    """Forecast a stream, or learn its labels: a Kafka topic as configured, a file, or a query of Prometheus.

    \b
    Examples:
      streamrnn run --config pipeline.yaml
      streamrnn run --input x.csv --output out.jsonl --state state/
      streamrnn run --input x.csv --output out.jsonl --set model.horizon=24
      streamrnn run --input 'day-*.csv' --output out.jsonl --state state/
      streamrnn run --input sensors.log --follow --output out.jsonl --state state/
      streamrnn run --prometheus http://localhost:9090 --query 'rate(http_requests_total[5m])' --output out.jsonl
      streamrnn run --input x.csv --output out.jsonl --task classification --feature a --feature b --label kind
      tail -f events.jsonl | streamrnn run --input - --output -
    """
    from streamrnn.app import run as jobs
    from streamrnn.connectors.appender import check_distinct

    flags = {
        **reading_flags(given),
        **querying_flags(given),
        "prometheus.until": until,
        "event.label": label,
        "event.id": label_id,
        "file.partitions": partitions,
        "workers": workers,
        "task": task,
        "state.directory": str(state) if state is not None else None,
    }
    config = configuration(file, assignments, flags)
    if alerts is not None:
        config.only_forecasts("--alerts is for forecasts")
    console = console_of(config, service=not sources)
    target = None if output in (None, "-") else Path(output)
    if config.prometheus.url is not None:
        from streamrnn.app.prometheus import run_prometheus

        if sources or partitions is not None:
            raise click.UsageError("--prometheus is an input of its own: leave out --input and --partitions")
        if output is None:
            raise click.UsageError("--prometheus needs --output FILE, or --output - for standard output")
        check_distinct({"--config": file, "--output": target, "--alerts": alerts})
        run_prometheus(config, target, dead_letters=dead_letters, alerts=alerts, console=console, quiet=quiet)
        return
    if until is not None:
        raise click.UsageError("--until goes with --prometheus")
    if sources:
        from streamrnn.connectors.reading.sequence import expanded

        if output is None or "" in (*sources, output):
            raise click.UsageError("--input needs --output FILE, or --output - for standard output")
        written = {"--output": target, "--dead-letters": dead_letters}
        folder = config.state.directory
        check_distinct(
            {"--config": file, "the state's lock": folder and folder / "lock", **written, "--alerts": alerts}
        )
        if "-" in sources and len(sources) > 1:
            raise click.UsageError("--input -, the standard input, is read alone")
        jobs.run_file(
            config,
            [] if sources[0] == "-" else expanded(sources),
            target,
            follow=follow,
            dead_letters=dead_letters,
            alerts=alerts,
            console=console,
            quiet=quiet,
            settings=file,
        )
        return
    for flag, value in (
        ("--output", output), ("--dead-letters", dead_letters), ("--alerts", alerts), ("--follow", follow or None),
        ("--partitions", partitions),
    ):  # fmt: skip
        if value is not None:
            raise click.UsageError(f"{flag} goes with --input; with Kafka, topics are configured under kafka:")
    jobs.run_service(config, console=console, quiet=quiet, settings=file)


@cli.command()
@configured
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--headless", is_flag=True, help="No live view and no browser, only the closing table.")
@click.option("--port", type=click.IntRange(0, 65535), help="Serve the live page here; default: 8321 if it is free.")
def demo(
    file: Path | None, assignments: Sequence[str], duration: float | None, headless: bool, port: int | None
) -> None:
    """Play a simulated fleet of sensors with injected faults, and a real water flow, faster than real time.

    \b
    Examples:
      streamrnn demo
      streamrnn demo --headless --duration 20
      streamrnn demo --headless --port 8321                the page alone
    """
    from streamrnn.app import run as jobs

    config = configuration(file, assignments, {"monitor.port": port})
    config.only_forecasts("the demo forecasts")
    jobs.run_demo(config, duration=duration, headless=headless, console=console_of(config))


@cli.command()
@configured
@click.argument("source", metavar="[FILE]", required=False, type=PathOption(exists=True))
@reading
@click.option("--json", "as_json", is_flag=True, help="Print JSON (with FILE).")
def check(file: Path | None, assignments: Sequence[str], source: Path | None, as_json: bool, **given: Any) -> None:
    """Check a configuration, or look at a FILE: prints what it comes to, without secrets, or how the file is read.

    \b
    Examples:
      streamrnn check --config pipeline.yaml
      streamrnn check x.csv
      streamrnn check x.csv --time-format "%d/%m/%Y %H:%M" --na -9999
    """
    config = configuration(file, assignments, reading_flags(given))
    if source is not None:
        import json

        from streamrnn.app.check import check_file

        found, lines = check_file(config, source)
        click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))
        return
    import functools

    import yaml

    from streamrnn.config.loading import SECRETS
    from streamrnn.state.memory import described

    tree = config.model_dump(mode="json")
    for *sections, name in SECRETS:  # one that is not set is left out: written down as empty it would be refused
        branch = functools.reduce(lambda branch, section: branch[section], sections, tree)
        if branch[name] is None:
            del branch[name]
    click.echo(yaml.safe_dump(tree, sort_keys=False), nl=False)
    click.echo(f"# {described(config.state.max_memory)}")


@cli.command()
@configured
@click.argument("contract", type=click.Choice(CONTRACTS))
def schema(file: Path | None, assignments: Sequence[str], contract: str) -> None:
    """Print the JSON Schema of a contract.

    \b
    Example:
      streamrnn schema forecast
      streamrnn schema event --config pipeline.yaml        what the configured events must look like
    """
    import json

    from streamrnn.config.tree import Config

    config = configuration(file, assignments, {})
    if contract == "config":
        click.echo(json.dumps(Config.model_json_schema(), indent=2))
        return
    from streamrnn.records.schemas import schemas

    click.echo(schemas()[contract](config))


@cli.command()
@configured
@click.argument("sources", metavar="[FILE]...", nargs=-1, type=PathOption())
@reading
@click.option(
    "--baselines",
    metavar="NAME,...",
    help="Compare with persistence, seasonal, holt-winters, snarimax, deep-river (default: all installed), or none.",
)
@click.option(
    "--holdout", is_flag=True, help="Score the last model.horizon events of every series, forecast once from the rest."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first rows of each file.")
@click.option("--jobs", "processes", type=click.IntRange(min=1), help="Processes; default: one per processor.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=PathOption(dir_okay=False), help="Write a page with the forecasts, for any browser.")
@click.option(
    "--labels",
    type=PathOption(dir_okay=False),
    help="Score alerts against these labels (CSV: time,key or start,end,key).",
)
@click.option("--nab", type=PathOption(), help="Score anomalies on this folder of the Numenta Anomaly Benchmark.")
def evaluate(
    file: Path | None,
    assignments: Sequence[str],
    sources: Sequence[Path],
    baselines: str | None,
    holdout: bool,
    limit: int | None,
    processes: int | None,
    as_json: bool,
    plot: Path | None,
    labels: Path | None,
    nab: Path | None,
    **given: Any,
) -> None:
    """See how good it is on your data: every event is forecast first, learned from after, beside simpler methods.

    \b
    Examples:
      streamrnn evaluate x.csv
      streamrnn evaluate x.csv --target load --set model.horizon=24 --plot out.html
      streamrnn evaluate *.csv --baselines seasonal,holt-winters --json > scores.json
      streamrnn evaluate x.csv --holdout --set model.horizon=48
      streamrnn evaluate x.csv --labels labels.csv --plot misses.html
      streamrnn evaluate --nab NAB/
    """
    if not sources and nab is None:
        raise click.UsageError("name at least one FILE, or --nab DIR")
    if nab is not None and (sources or any(given.values()) or baselines or holdout or limit or plot or labels):
        raise click.UsageError("--nab goes with --config, --set, --jobs and --json only")
    if holdout and (baselines or plot):
        raise click.UsageError("--holdout has its own references and no page: leave out --baselines and --plot")
    if labels is not None and (baselines or holdout):
        raise click.UsageError("--labels scores alerts: leave out --baselines and --holdout")
    from streamrnn.app import evaluate as jobs

    config = configuration(file, assignments, reading_flags(given))
    config.only_forecasts("evaluate scores forecasts")
    console = console_of(config)
    if nab is not None:
        jobs.evaluate_nab(config, nab, processes=processes, as_json=as_json, console=console)
        return
    if labels is not None:
        jobs.evaluate_labels(
            config, sources, labels, limit=limit, processes=processes, as_json=as_json, plot=plot, console=console
        )
        return
    if holdout:
        jobs.evaluate_holdout(config, sources, limit=limit, processes=processes, as_json=as_json, console=console)
        return
    names = None if baselines is None else [name.strip() for name in baselines.split(",") if name.strip()]
    jobs.evaluate_files(
        config,
        sources,
        [] if names == ["none"] else names,
        limit=limit,
        processes=processes,
        as_json=as_json,
        plot=plot,
        console=console,
    )


for command in (
    pipeline_commands.produce,
    pipeline_commands.repartition,
    pipeline_commands.compile_,
    pipeline_commands.flink_job,
    pipeline_commands.notify,
    state_commands.inspect,
    state_commands.latest,
    state_commands.feedback,
    state_commands.reset,
    state_commands.learn,
    state_commands.state_group,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and turn its outcome into an exit code: 0 done, 1 failed, 2 wrong usage or configuration.

    Called with arguments it leaves the process as it found it; without, the process is ours until it is gone.
    """
    # Imports and kernels leave a million objects for good; looking through them again and again delays every start.
    collected_from = gc.get_threshold()
    gc.set_threshold(100_000)
    # Asked to stop before anything has begun; a running job puts its own handler in this place.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _run(arguments)
    finally:
        if arguments is not None:
            signal.signal(signal.SIGTERM, before)
            gc.set_threshold(*collected_from)


def _run(arguments: Sequence[str] | None) -> NoReturn:
    try:
        cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except StreamRNNError as error:
        click.echo(f"streamrnn: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        click.echo(f"streamrnn: {unforeseen(error)}", err=True)
        sys.exit(1)
    sys.exit(0)
