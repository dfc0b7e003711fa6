"""The commands; the only place that reads the command line and the environment.

Everything heavy is imported inside the command that needs it: `streamrnn --help` must answer at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from streamrnn import __version__
from streamrnn.errors import StreamRNNError

if TYPE_CHECKING:
    from rich.console import Console

    from streamrnn.config.tree import Config

Command = TypeVar("Command", bound=Callable[..., Any])


class PathOption(click.Path):
    """A path of the command line, as `pathlib.Path`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; an empty one would silently be this folder."""
        if value == "":
            self.fail("is empty: name a path", param, ctx)
        return super().convert(value, param, ctx)


def configured(command: Command) -> Command:
    """The options that every command with a configuration has."""
    command = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Set one configuration key; may be repeated.",
    )(command)
    return click.option("--config", "file", type=PathOption(dir_okay=False), help="YAML configuration file.")(command)


def reading(command: Command) -> Command:
    """The options of every command that reads a file: they say what the look at it shall not decide."""
    options = (
        click.option("--time", help="Column with the event time."),
        click.option(
            "--time-format", metavar="FORMAT", help="How times are written, as strptime has it: %d/%m/%Y %H:%M."
        ),
        click.option("--time-unit", type=click.Choice(["s", "ms", "us", "ns"]), help="What numbers as times count."),
        click.option("--time-zone", metavar="ZONE", help="Zone of times without one: Europe/Berlin. Default: UTC."),
        click.option("--key", "keys", multiple=True, help="Column with the series key; several together are one key."),
        click.option("--target", "targets", multiple=True, help="Column to forecast; may be repeated."),
        click.option("--feature", "features", multiple=True, help="Further input column; may be repeated."),
        click.option("--metric", help="Column that names what each row measures: its values become the targets."),
        click.option("--exclude", multiple=True, metavar="COLUMN", help="Leave this column out; may be repeated."),
        click.option("--na", "missing", multiple=True, metavar="TEXT", help="This means missing, too: --na -9999."),
        click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark; default: found."),
        click.option("--delimiter", metavar="CHARACTER", help="What parts the cells of a row; default: found."),
        click.option("--sort", is_flag=True, default=None, help="Read the rows in the order of their times."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def reading_flags(given: Mapping[str, Any]) -> dict[str, object]:
    """The options of `reading` as paths of the configuration."""
    keys = [*given["keys"]]
    delimiter = given["delimiter"]
    return {
        "event.time": given["time"],
        "event.time_format": given["time_format"],
        "event.time_unit": given["time_unit"],
        "event.time_zone": given["time_zone"],
        "event.key": keys[0] if len(keys) == 1 else None,
        "file.keys": keys if len(keys) > 1 else None,
        "event.targets": [*given["targets"]] or None,
        "event.features": [*given["features"]] or None,
        "file.metric": given["metric"],
        "file.exclude": [*given["exclude"]] or None,
        "file.missing": [*given["missing"]] or None,
        "file.decimal": given["decimal"],
        "file.delimiter": {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter),
        "file.sort": given["sort"],
    }


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


CONTRACTS = ("event", "forecast", "prediction", "alert", "latest", "series", "dead-letter", "config")
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
    **given: Any,
) -> None:
    """Forecast a stream, or learn its labels: a Kafka topic as configured, or a file.

    \b
    Examples:
      streamrnn run --config pipeline.yaml
      streamrnn run --input x.csv --output out.jsonl --state state/
      streamrnn run --input x.csv --output out.jsonl --set model.horizon=24
      streamrnn run --input 'day-*.csv' --output out.jsonl --state state/
      streamrnn run --input sensors.log --follow --output out.jsonl --state state/
      streamrnn run --input x.csv --output out.jsonl --task classification --feature a --feature b --label kind
      tail -f events.jsonl | streamrnn run --input - --output -
    """
    from streamrnn.app import run as jobs
    from streamrnn.connectors.appender import check_distinct

    flags = {
        **reading_flags(given),
        "event.label": label,
        "event.id": label_id,
        "file.partitions": partitions,
        "workers": workers,
        "task": task,
        "state.directory": str(state) if state is not None else None,
    }
    config = _configuration(file, assignments, flags)
    if alerts is not None:
        _only_forecasts(config, "--alerts tells of forecasts")
    console = _console(config, service=not sources)
    if sources:
        from streamrnn.connectors.reading.sequence import expanded

        if output is None or "" in (*sources, output):
            raise click.UsageError("--input needs --output FILE, or --output - for standard output")
        written = {"--output": None if output == "-" else Path(output), "--dead-letters": dead_letters}
        folder = config.state.directory
        check_distinct(
            {"--config": file, "the state's lock": folder and folder / "lock", **written, "--alerts": alerts}
        )
        if "-" in sources and len(sources) > 1:
            raise click.UsageError("--input -, the standard input, is read alone")
        jobs.run_file(
            config,
            [] if sources[0] == "-" else expanded(sources),
            None if output == "-" else Path(output),
            follow=follow,
            dead_letters=dead_letters,
            alerts=alerts,
            console=console,
            quiet=quiet,
        )
        return
    for flag, value in (
        ("--output", output), ("--dead-letters", dead_letters), ("--alerts", alerts), ("--follow", follow or None),
        ("--partitions", partitions),
    ):  # fmt: skip
        if value is not None:
            raise click.UsageError(f"{flag} goes with --input; with Kafka, topics are configured under kafka:")
    jobs.run_service(config, console=console, quiet=quiet)


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

    config = _configuration(file, assignments, {"monitor.port": port})
    _only_forecasts(config, "the demo forecasts")
    jobs.run_demo(config, duration=duration, headless=headless, console=_console(config))


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
    config = _configuration(file, assignments, reading_flags(given))
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

    config = _configuration(file, assignments, {})
    if contract == "config":
        click.echo(json.dumps(Config.model_json_schema(), indent=2))
        return
    from streamrnn.records.schemas import schemas

    click.echo(schemas()[contract](config))


@cli.command()
@configured
@click.argument("source", metavar="FILE", type=PathOption(exists=True, dir_okay=False))
@click.option("--topic", help="Write here; default: kafka.input_topic.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events per second; default: all at once.")
@click.option("--times", type=click.Choice(["keep", "now"]), default="keep", help="Keep event times, or rewrite them.")
@reading
@click.option("--repeat", type=click.IntRange(min=1), default=1, help="Send the file this many times.")
@click.option("--quiet", is_flag=True, help="Only errors on the terminal.")
def produce(
    file: Path | None,
    assignments: Sequence[str],
    source: Path,
    topic: str | None,
    rate: float | None,
    times: str,
    repeat: int,
    quiet: bool,
    **given: Any,
) -> None:
    """Replay a CSV or JSON-lines file into a Kafka topic.

    \b
    Examples:
      streamrnn produce events.csv --topic events --rate 100 --times now
      streamrnn produce x.jsonl --set kafka.bootstrap_servers=broker:9092
    """
    from streamrnn.app import run as jobs

    config = _configuration(file, assignments, reading_flags(given))
    jobs.run_produce(
        config, source, topic=topic, rate=rate, rewrite=times == "now", repeat=repeat, console=_console(config),
        quiet=quiet,
    )  # fmt: skip


@cli.command()
@configured
@click.option("--to", "topic", required=True, help="The topic to write; made like the input where it is missing.")
@click.option("--follow", is_flag=True, help="Go on with what comes, instead of ending where the input ends.")
def repartition(file: Path | None, assignments: Sequence[str], topic: str, follow: bool) -> None:
    """Copy the input, exactly once, to a topic whose messages have their series as key: one series, one partition.

    \b
    Examples:
      streamrnn repartition --config pipeline.yaml --to events-by-series
      streamrnn repartition --config pipeline.yaml --to events-by-series --follow
    """
    from streamrnn.app.repartition import repartition as copy
    from streamrnn.app.run import stopping

    config = _configuration(file, assignments, {})
    _console(config)
    with stopping() as stop:
        count = copy(config, topic, stop=stop, follow=follow)
    click.echo(f"{count:,} messages copied to {topic}")


@cli.command("compile")
@configured
def compile_(file: Path | None, assignments: Sequence[str]) -> None:
    """Compile ahead what a configuration needs, so that no first start waits: for images, and before a deployment.

    \b
    Examples:
      streamrnn compile
      streamrnn compile --config pipeline.yaml
      STREAMRNN_CACHE=/opt/kernels streamrnn compile --set model.preset=lite --set model.horizon=24
    """
    from streamrnn.app.compile import compile_kernels

    config = _configuration(file, assignments, {})
    click.echo(compile_kernels(config, _console(config)))


@cli.command("flink-job")
@configured
@click.option("--jobmanager", metavar="HOST:PORT", help="Of its REST interface; default: a cluster in this process.")
@click.option("--parallelism", type=click.IntRange(min=1), help="Default: the cluster's.")
@click.option("--checkpoint-interval", type=click.FloatRange(min=0.1), default=10.0, help="Seconds; default: 10.")
@click.option("--checkpoints", metavar="URI", help="Where checkpoints and savepoints go: s3://bucket/path.")
@click.option("--from-savepoint", metavar="URI", help="Begin with the state of this savepoint or checkpoint.")
@click.option("--jar", "jars", multiple=True, metavar="FILE", help="Flink's Kafka connector (docs/flink.md).")
@click.option("--held", type=click.IntRange(min=0), default=1_000, help="Decoded states per task; default: 1000.")
@click.option("--python", metavar="FILE", help="Interpreter of the task managers; default: this one.")
@click.option("--wait", is_flag=True, help="Wait until the job ends.")
def flink_job(file: Path | None, assignments: Sequence[str], wait: bool, **given: Any) -> None:
    """Run the pipeline as a job of Apache Flink: state per series in its checkpoints (extra `flink`).

    \b
    Examples:
      streamrnn flink-job --config pipeline.yaml --jobmanager flink:8081 --jar flink-sql-connector-kafka.jar
      streamrnn flink-job --config pipeline.yaml --jobmanager flink:8081 --parallelism 4 --from-savepoint s3://b/sp-1
    """
    from streamrnn.flink.job import Plan, submit

    config = _configuration(file, assignments, {})
    _console(config)
    plan = Plan(
        parallelism=given["parallelism"],
        checkpoint_interval=given["checkpoint_interval"],
        checkpoints=given["checkpoints"],
        job_manager=given["jobmanager"],
        jars=given["jars"],
        held=given["held"],
        savepoint=given["from_savepoint"],
        python=given["python"] or sys.executable,
    )
    click.echo(submit(config, plan, wait=wait))


@cli.command()
@configured
@click.option("--state", type=PathOption(file_okay=False), help="Look at this state folder of `run --input`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(file: Path | None, assignments: Sequence[str], state: Path | None, as_json: bool) -> None:
    """Show what is stored, per partition: offset, lag, series, events, bytes, snapshot age, a digest of the state.

    \b
    Examples:
      streamrnn inspect --config pipeline.yaml
      streamrnn inspect --state state/
    """
    from streamrnn.app import inspect as operations

    config = _configuration(file, assignments, {})
    rows = operations.inspect_folder(state) if state is not None else operations.inspect_kafka(config)
    operations.show(rows, as_json=as_json)


@cli.command()
@click.option("--config", "file", type=PathOption(dir_okay=False), required=True, help="YAML, see docs/notify.md.")
@click.option("--once", is_flag=True, help="End when all alerts of the file have arrived (with `file:`).")
@click.option("--check", "only_check", is_flag=True, help="Check the configuration, and end.")
def notify(file: Path, once: bool, only_check: bool) -> None:
    """Tell people and programs of alerts: Alertmanager, webhooks, chat and mail; at least once.

    \b
    Examples:
      streamrnn notify --config notify.yaml
      streamrnn notify --config notify.yaml --check
      streamrnn notify --config notify.yaml --once         a file of alerts, from a timer for example
    """
    from streamrnn.app.logs import set_up
    from streamrnn.app.run import stopping
    from streamrnn.config.notify import load_notify

    config = load_notify(file)
    set_up(config.log)
    from streamrnn.app import notify as jobs

    if only_check:
        told = jobs.described(config)
        click.echo("\n".join(told))
        return
    if once and config.file is None:
        raise click.UsageError("--once goes with file: a topic has no end")
    with stopping() as stop:
        counts = jobs.notify(config, once=once, stop=stop)
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items()), err=True)


@cli.command()
@configured
@click.argument("key")
@click.option("--url", metavar="URL", help="A worker's page; default: that of monitor.host and monitor.port.")
@click.option("--state", type=PathOption(file_okay=False), help="Ask this state folder instead, in use or not.")
@click.option("--topic", help="Of the series, where several have one of that key.")
@click.option("--partition", type=click.IntRange(min=0), help="The same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (`streamrnn schema latest`).")
def latest(
    file: Path | None,
    assignments: Sequence[str],
    key: str,
    url: str | None,
    state: Path | None,
    topic: str | None,
    partition: int | None,
    as_json: bool,
) -> None:
    """Show the newest of the series KEY: its last value, the forecast with times, its open alerts, whom it trusts.

    \b
    Examples:
      streamrnn latest pump-7 --config pipeline.yaml
      streamrnn latest pump-7 --url http://worker-3:8321 --json
      streamrnn latest default --state state/
    """
    from streamrnn.app import latest as newest

    config = _configuration(file, assignments, {})
    if state is not None:
        if url is not None or topic is not None or partition is not None:
            raise click.UsageError("--state is one partition's: leave out --url, --topic and --partition")
        document = newest.from_folder(state, key)
    else:
        document = newest.from_page(config, url, key, topic, partition)
    newest.show(document, as_json=as_json)


@cli.command()
@configured
@click.option("--state", type=PathOption(file_okay=False), help="Forget this state folder of `run --input`.")
@click.option("--to", "target", metavar="earliest|latest|OFFSET|TIME", help="Where to begin again (Kafka).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(file: Path | None, assignments: Sequence[str], state: Path | None, target: str | None, yes: bool) -> None:
    """Forget everything learned and choose where to begin again; group, changelog and state move together.

    \b
    Examples:
      streamrnn reset --config pipeline.yaml --to latest
      streamrnn reset --config pipeline.yaml --to 2026-01-31T06:00:00Z
      streamrnn reset --state state/
    """
    from streamrnn.app import inspect as operations

    config = _configuration(file, assignments, {})
    if state is not None:
        if target not in (None, "earliest"):
            raise click.UsageError("with --state a run always begins again at the first row")
        if not yes:
            click.confirm(f"Delete everything learned in {state}?", abort=True)
        operations.reset_folder(state)
        click.echo(f"{state} is empty: the next run begins at the first row")
        return
    if target is None:
        raise click.UsageError("say where to begin again: --to earliest, --to latest, --to OFFSET or --to TIME")
    place = _place("--to", target)
    if not yes:
        click.confirm(
            f"Delete everything {config.application_id!r} has learned from {config.kafka.input_named!r} at "
            f"{config.kafka.bootstrap_servers}, and begin again at {target}?",
            abort=True,
        )
    for partition, offset in operations.reset_kafka(config, place).items():
        click.echo(f"{partition.topic}[{partition.number}] begins at offset {offset}")


@cli.command()
@configured
@click.argument("sources", metavar="[HISTORY]...", nargs=-1, type=PathOption(exists=True, dir_okay=False))
@reading
@click.option("--state", type=PathOption(file_okay=False), help="Into this state folder, for `run --input --state`.")
@click.option("--topic", help="Learn from this topic instead of files; the input topic itself, for example.")
@click.option("--until", metavar="TIME", help="With --topic: up to the first record that is not older.")
@click.option("--then", "then", metavar="earliest|latest|OFFSET|TIME", help="Where the workers go live (Kafka).")
@click.option("--replace", is_flag=True, help="Forget what the application has learned before (Kafka).")
@click.option("--quiet", is_flag=True, help="Only errors on the terminal.")
def learn(
    file: Path | None,
    assignments: Sequence[str],
    sources: Sequence[Path],
    state: Path | None,
    topic: str | None,
    until: str | None,
    then: str | None,
    replace: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Learn from HISTORY without publishing anything; then a run or the workers go live with what was learned.

    \b
    Examples:
      streamrnn learn 2024.csv 2025.csv --state state/     then: streamrnn run --input live.csv ... --state state/
      streamrnn learn 2025.csv --config pipeline.yaml --then latest
      streamrnn learn --topic events --until 2026-01-31T06:00:00Z --config pipeline.yaml
      streamrnn learn --topic events-of-last-year --config pipeline.yaml --then earliest
    """
    from streamrnn.app import learn as jobs

    if bool(sources) == (topic is not None):
        raise click.UsageError("name files of history, or --topic")
    config = _configuration(file, assignments, reading_flags(given))
    console = _console(config)

    def say(note: str) -> None:
        if not quiet:
            console.print(note, style="dim", markup=False, highlight=False)

    if state is not None:
        if topic is not None or then is not None or replace or until is not None:
            raise click.UsageError("--state is for files: leave out --topic, --until, --then and --replace")
        learned = jobs.learn_to_folder(config, sources, state, say)
        begins: Mapping[Any, int] = {}
    else:
        if until is not None and topic is None:
            raise click.UsageError("--until goes with --topic")
        place = None if then is None else _place("--then", then)
        moment = None if until is None else _moment("--until", until)
        learned, begins = jobs.learn_to_kafka(
            config, sources, topic, until=moment, then=place, replace=replace, say=say
        )
    click.echo(f"{learned.events:,} events of {learned.series:,} series learned, {learned.unusable:,} records unusable")
    for partition, offset in sorted(begins.items()):
        click.echo(f"{partition.topic}[{partition.number}] goes live at offset {offset}")


@cli.group("state")
def state_group() -> None:
    """Move what was learned between environments: one checksummed file, no code in it.

    \b
    Examples:
      streamrnn state export learned.state --config pipeline.yaml
      streamrnn state import learned.state --config production.yaml --to latest
    """


@state_group.command("export")
@configured
@click.argument("target", metavar="FILE", type=PathOption(dir_okay=False))
@click.option("--state", type=PathOption(file_okay=False), help="Of this state folder; default: of the application.")
@click.option("--keys", multiple=True, metavar="PATTERN", help="Only series that match, such as 'pump-*'.")
def state_export(
    file: Path | None, assignments: Sequence[str], target: Path, state: Path | None, keys: Sequence[str]
) -> None:
    """Write what was learned to FILE, while workers run or not.

    \b
    Examples:
      streamrnn state export learned.state --config pipeline.yaml
      streamrnn state export pumps.state --state state/ --keys 'pump-*'
    """
    from streamrnn.app import transfer

    config = _configuration(file, assignments, {})
    for part in transfer.export_state(config, state, keys, target):
        click.echo(f"{part.name}: {part.series:,} series at offset {part.offset}, digest {part.digest[:16]}")


@state_group.command("import")
@configured
@click.argument("source", metavar="FILE", type=PathOption(exists=True, dir_okay=False))
@click.option("--state", type=PathOption(file_okay=False), help="Into this state folder; default: the application's.")
@click.option(
    "--to", "target", required=True, metavar="keep|earliest|latest|OFFSET|TIME",
    help="Where to go live; keep: at the offset that the state stands for.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="Forget what the application has learned before.")
def state_import(
    file: Path | None, assignments: Sequence[str], source: Path, state: Path | None, target: str, replace: bool
) -> None:
    """Begin with what FILE holds, a file of `state export` or of `StreamModel.save`.

    \b
    Examples:
      streamrnn state import learned.state --config pipeline.yaml --to latest
      streamrnn state import learned.state --config pipeline.yaml --to keep     the same topic, mirrored
      streamrnn state import learned.state --state state/ --to earliest
    """
    from streamrnn.app import transfer

    config = _configuration(file, assignments, {})
    if state is not None:
        if target not in ("keep", "earliest") or replace:
            raise click.UsageError("with --state: --to keep (the same input) or --to earliest (another one)")
        parts = transfer.import_to_folder(config, source, state, keep=target == "keep")
    else:
        place = None if target == "keep" else _place("--to", target)
        parts = transfer.import_to_kafka(config, source, place, keep=target == "keep", replace=replace)
    for part in parts:
        click.echo(f"{part.name}: {part.series:,} series, goes live at offset {part.offset}, digest {part.digest[:16]}")


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

    config = _configuration(file, assignments, reading_flags(given))
    _only_forecasts(config, "evaluate scores forecasts")
    console = _console(config)
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


def _configuration(file: Path | None, assignments: Sequence[str], flags: Mapping[str, object]) -> Config:
    from streamrnn.config.loading import load, parse_set

    overrides = dict(map(parse_set, assignments))
    overrides |= {name: value for name, value in flags.items() if value is not None}
    return load(file, overrides, os.environ)


def _place(flag: str, text: str) -> Literal["earliest", "latest"] | int | datetime:
    """A place in a log."""
    if text in ("earliest", "latest"):
        return "earliest" if text == "earliest" else "latest"
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    return _moment(flag, text, "earliest, latest, an offset or a time")


def _moment(flag: str, text: str, wanted: str = "a time such as 2026-01-31T06:00:00Z") -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{flag} {text}: write {wanted}") from None


def _only_forecasts(config: Config, what: str) -> None:
    if config.labelled:
        raise click.UsageError(f"{what}; task is {config.task}")


def _console(config: Config, *, service: bool = False) -> Console:
    from rich.console import Console

    from streamrnn.app.logs import set_up

    # A person at a terminal is told by tables and bars what a service says in its log.
    told = "level" in config.log.model_fields_set or service
    set_up(config.log if told else config.log.model_copy(update={"level": "warning"}))
    return Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and turn its outcome into an exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    # Imports and kernels leave a million objects for good; looking through them again and again delays every start.
    gc.set_threshold(100_000)
    # Asked to stop before anything has begun; a running job puts its own handler in this place.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
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
        click.echo(f"streamrnn: {_printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        click.echo(f"streamrnn: {_unforeseen(error)}", err=True)
        sys.exit(1)
    sys.exit(0)


def _printable(text: str) -> str:
    """For a terminal: what came out of a file must not move its cursor or change its title."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _unforeseen(error: Exception) -> str:
    """One sentence about an error that nobody thought of; the rest goes into a file that only this user may read."""
    import tempfile
    import traceback

    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    report = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="streamrnn-error-", suffix=".txt", delete=False
        ) as file:
            file.write(report)
    except OSError:
        return f"stopped by an error that has no message of its own ({_printable(said)}):\n{report}"
    return f"stopped by an error that has no message of its own ({_printable(said)}); the report is in {file.name}"
