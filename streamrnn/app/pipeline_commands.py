"""The commands around a pipeline: send it events, key its input anew, compile ahead, run it on Flink, tell alerts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from streamrnn.app.options import PathOption, configuration, configured, console_of, reading, reading_flags


@click.command()
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

    config = configuration(file, assignments, reading_flags(given))
    jobs.run_produce(
        config, source, topic=topic, rate=rate, rewrite=times == "now", repeat=repeat, console=console_of(config),
        quiet=quiet,
    )  # fmt: skip


@click.command()
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

    config = configuration(file, assignments, {})
    console_of(config)
    with stopping() as stop:
        count = copy(config, topic, stop=stop, follow=follow)
    click.echo(f"{count:,} messages copied to {topic}")


@click.command("compile")
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

    config = configuration(file, assignments, {})
    click.echo(compile_kernels(config, console_of(config)))


@click.command("flink-job")
@configured
@click.option("--jobmanager", metavar="HOST:PORT", help="Of its REST interface; default: a cluster in this process.")
@click.option("--parallelism", type=click.IntRange(min=1), help="Default: the cluster's.")
@click.option("--checkpoint-interval", type=click.FloatRange(min=0.1), default=10.0, help="Seconds; default: 10.")
@click.option("--checkpoints", metavar="URI", help="Where checkpoints and savepoints go: s3://bucket/path.")
@click.option("--from-savepoint", metavar="URI", help="Begin with the state of this savepoint or checkpoint.")
@click.option("--state", type=PathOption(exists=True, dir_okay=False), help="Begin with a file of `state export`.")
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
      streamrnn flink-job --config pipeline.yaml --jobmanager flink:8081 --state learned.state      what workers learned
    """
    from streamrnn.flink.job import Plan, submit

    config = configuration(file, assignments, {})
    console_of(config)
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
    if given["state"] is None:
        click.echo(submit(config, plan, wait=wait))
        return
    with TemporaryDirectory(prefix="streamrnn-") as folder:
        plan = plan._replace(states=_begun(config, given["state"], Path(folder)))
        click.echo(submit(config, plan, wait=wait))


def _begun(config: Any, source: Path, folder: Path) -> Any:
    from streamrnn.app.transfer import by_key
    from streamrnn.flink.job import Begun, check
    from streamrnn.flink.starting_states import write_states

    found = by_key(check(config), source)
    archive = folder / "states.zip"
    return Begun(archive, write_states(archive, found.states), found.offsets)


@click.command()
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
