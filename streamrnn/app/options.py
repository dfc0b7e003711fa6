"""What the commands share: options for the configuration and for reading files, and what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

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
        click.option("--name-is-key", is_flag=True, default=None, help="Each file is a series; its name is the key."),
        click.option("--target", "targets", multiple=True, help="Column to forecast; may be repeated."),
        click.option("--feature", "features", multiple=True, help="Further input column; may be repeated."),
        click.option(
            "--future", "future", multiple=True, help="Feature whose values are known ahead; may be repeated."
        ),
        click.option("--metric", help="Column that names what each row measures: its values become the targets."),
        click.option("--exclude", multiple=True, metavar="COLUMN", help="Leave this column out; may be repeated."),
        click.option(
            "--na", "missing", multiple=True, metavar="TEXT", help="Another text that means missing: --na -9999."
        ),
        click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark; default: detected."),
        click.option("--delimiter", metavar="CHARACTER", help="What separates the cells of a row; default: detected."),
        click.option("--encoding", metavar="NAME", help="Encoding of the text: cp1250, shift_jis; default: detected."),
        click.option("--table", metavar="PATH", help="Which of several tables of a JSON document to read."),
        click.option("--sort", is_flag=True, default=None, help="Read the rows in the order of their times."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def querying(command: Command) -> Command:
    """The options of every command that reads a query of Prometheus."""
    options = (
        click.option("--prometheus", metavar="URL", help="Read a query of this server (docs/prometheus.md)."),
        click.option("--query", metavar="PROMQL", help="With --prometheus: what is read."),
        click.option("--step", metavar="DURATION", help="With --prometheus: between two moments; default: 1m."),
        click.option("--from", "begin", metavar="TIME", help="With --prometheus: the first moment; default: now."),
        click.option("--by", multiple=True, metavar="LABEL", help="With --prometheus: the key is this label; repeat."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def querying_flags(given: Mapping[str, Any]) -> dict[str, object]:
    """The options of `querying` as paths of the configuration."""
    flags = {name: given[name] for name in ("query", "step", "begin")}
    flags |= {"url": given["prometheus"], "by": [*given["by"]] or None}
    if given["prometheus"] is None and (named := [name for name, value in flags.items() if value is not None]):
        names = ", ".join(f"--{'from' if name == 'begin' else name}" for name in named)
        raise click.UsageError(f"{names} go with --prometheus URL")
    return {f"prometheus.{name}": value for name, value in flags.items()}


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
        "file.name_is_key": given["name_is_key"],
        "event.targets": [*given["targets"]] or None,
        "event.features": [*given["features"]] or None,
        "event.future": [*given["future"]] or None,
        "file.metric": given["metric"],
        "file.exclude": [*given["exclude"]] or None,
        "file.missing": [*given["missing"]] or None,
        "file.decimal": given["decimal"],
        "file.delimiter": {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter),
        "file.encoding": given["encoding"],
        "file.table": given["table"],
        "file.sort": given["sort"],
    }


def configuration(file: Path | None, assignments: Sequence[str], flags: Mapping[str, object]) -> Config:
    """The configuration of a command: flags before the environment before the file; None: not given."""
    from streamrnn.config.loading import load, parse_set

    overrides = dict(map(parse_set, assignments))
    overrides |= {name: value for name, value in flags.items() if value is not None}
    return load(file, overrides, os.environ)


def place_of(flag: str, text: str) -> Literal["earliest", "latest"] | int | datetime:
    """A place in a log."""
    if text in ("earliest", "latest"):
        return "earliest" if text == "earliest" else "latest"
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    return moment_of(flag, text, "earliest, latest, an offset or a time")


def moment_of(flag: str, text: str, wanted: str = "a time such as 2026-01-31T06:00:00Z") -> datetime:
    """The time that a flag names. Raises `click.UsageError`."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{flag} {text}: write {wanted}") from None


def console_of(config: Config, *, service: bool = False) -> Console:
    """Standard error for tables and bars, with the log set up beside it."""
    from rich.console import Console

    from streamrnn.app.logs import set_up

    # A person at a terminal is told by tables and bars what a service says in its log.
    told = "level" in config.log.model_fields_set or service
    set_up(config.log if told else config.log.model_copy(update={"level": "warning"}))
    return Console(stderr=True)
