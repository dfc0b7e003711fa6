"""The commands around what was learned: look at it, ask it, forget it, learn it from history, move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from streamrnn.app.options import (
    PathOption,
    configuration,
    configured,
    console_of,
    moment_of,
    place_of,
    querying,
    querying_flags,
    reading,
    reading_flags,
)

VERDICTS, LARGEST_ALERT = ("expected", "fault"), 2**31 - 1


@click.command()
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

    config = configuration(file, assignments, {})
    rows = operations.inspect_folder(state) if state is not None else operations.inspect_kafka(config)
    operations.show(rows, as_json=as_json)


@click.command()
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

    config = configuration(file, assignments, {})
    if state is not None:
        if url is not None or topic is not None or partition is not None:
            raise click.UsageError("--state is one partition's: leave out --url, --topic and --partition")
        document = newest.from_folder(state, key)
    else:
        document = newest.from_page(config, url, key, topic, partition)
    newest.show(document, as_json=as_json)


@click.command()
@configured
@click.argument("verdict", type=click.Choice(VERDICTS))
@click.argument("key")
@click.argument("alert", type=click.IntRange(1, LARGEST_ALERT))
@click.option("--append", "log", type=PathOption(dir_okay=False, exists=True), help="Write to this file of events.")
@click.option("--topic", help="Write here; default: kafka.input_topic.")
@click.option("--partition", type=click.IntRange(min=0), help="That of the series; default: where its key goes.")
def feedback(
    file: Path | None,
    assignments: Sequence[str],
    verdict: str,
    key: str,
    alert: int,
    log: Path | None,
    topic: str | None,
    partition: int | None,
) -> None:
    """Say that an ALERT of the series KEY was expected, or a fault, by a record in the input.

    expected: the same deviation opens no alert again, and the baselines learn the values they had left out.
    fault: the baselines never learn it, however long it lasts.

    \b
    Examples:
      streamrnn feedback expected pump-7 3 --config pipeline.yaml
      streamrnn feedback fault pump-7 4 --append events.jsonl
    """
    from streamrnn.app import feedback as said

    config = configuration(file, assignments, {})
    config.only_forecasts("feedback is on alerts")
    record = said.line(config, verdict, key, alert)
    if log is None:
        click.echo(f"{verdict}: alert {alert} of {key}, in {said.send(config, topic, partition, key, record)}")
        return
    if topic is not None or partition is not None:
        raise click.UsageError("--append writes to a file: leave out --topic and --partition")
    said.append(log, record)
    click.echo(f"{verdict}: alert {alert} of {key}, in {log}")


@click.command()
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

    config = configuration(file, assignments, {})
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
    place = place_of("--to", target)
    if not yes:
        click.confirm(
            f"Delete everything {config.application_id!r} has learned from {config.kafka.input_named!r} at "
            f"{config.kafka.bootstrap_servers}, and begin again at {target}?",
            abort=True,
        )
    for partition, offset in operations.reset_kafka(config, place).items():
        click.echo(f"{partition.topic}[{partition.number}] begins at offset {offset}")


@click.command()
@configured
@click.argument("sources", metavar="[HISTORY]...", nargs=-1, type=PathOption(exists=True, dir_okay=False))
@reading
@querying
@click.option("--state", type=PathOption(file_okay=False), help="Into this state folder, for `run --input --state`.")
@click.option("--topic", help="Learn from this topic instead of files; the input topic itself, for example.")
@click.option("--until", metavar="TIME", help="With --topic, --prometheus: up to what is not older.")
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
      streamrnn learn --prometheus http://localhost:9090 --query up --from 2026-01-01 --until 2026-02-01 --state state/
    """
    from streamrnn.app import learn as jobs

    flags = {**reading_flags(given), **querying_flags(given)}
    of_prometheus = given["prometheus"] is not None
    if of_prometheus:
        if sources or topic is not None or then is not None or replace or state is None:
            raise click.UsageError("--prometheus is learned into --state DIR, and goes with no other input, no --then")
        flags["prometheus.until"] = until
    elif bool(sources) == (topic is not None):
        raise click.UsageError("name files of history, or --topic")
    config = configuration(file, assignments, flags)
    console = console_of(config)

    def say(note: str) -> None:
        if not quiet:
            console.print(note, style="dim", markup=False, highlight=False)

    begins: Mapping[Any, int] = {}
    if of_prometheus:
        from streamrnn.app.prometheus import learn_prometheus

        assert state is not None
        learned = learn_prometheus(config, state, say)
    elif state is not None:
        if topic is not None or then is not None or replace or until is not None:
            raise click.UsageError("--state is for files: leave out --topic, --until, --then and --replace")
        learned = jobs.learn_to_folder(config, sources, state, say)
    else:
        if until is not None and topic is None:
            raise click.UsageError("--until goes with --topic")
        place = None if then is None else place_of("--then", then)
        moment = None if until is None else moment_of("--until", until)
        learned, begins = jobs.learn_to_kafka(
            config, sources, topic, until=moment, then=place, replace=replace, say=say
        )
    click.echo(f"{learned.events:,} events of {learned.series:,} series learned, {learned.unusable:,} records unusable")
    for partition, offset in sorted(begins.items()):
        click.echo(f"{partition.topic}[{partition.number}] goes live at offset {offset}")


@click.group("state")
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

    config = configuration(file, assignments, {})
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

    config = configuration(file, assignments, {})
    if state is not None:
        if target not in ("keep", "earliest") or replace:
            raise click.UsageError("with --state: --to keep (the same input) or --to earliest (another one)")
        parts = transfer.import_to_folder(config, source, state, keep=target == "keep")
    else:
        place = None if target == "keep" else place_of("--to", target)
        parts = transfer.import_to_kafka(config, source, place, keep=target == "keep", replace=replace)
    for part in parts:
        click.echo(f"{part.name}: {part.series:,} series, goes live at offset {part.offset}, digest {part.digest[:16]}")
