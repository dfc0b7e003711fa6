"""Writes the reference pages from the code: every setting, command and error. `make reference`; `--check` compares.

python docs/reference.py [--check]
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from streamrnn import errors
from streamrnn.app.cli import cli
from streamrnn.config import notify
from streamrnn.config.tree import Config

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/reference.py from the code: change it there, then run `make reference`. -->\n"


def settings() -> str:
    """One table per section of the configuration."""
    lines = [
        "# Settings",
        "",
        NOTE,
        "Every setting has one name, in a file (`model: {horizon: 24}`), in the environment "
        "(`STREAMRNN__MODEL__HORIZON=24`) and on the command line (`--set model.horizon=24`). A flag goes before the "
        "environment, the environment before the file, the file before the default. A name that does not exist is an "
        "error that says which one is meant.",
        "",
        "Durations are seconds or text such as `500ms`, `30s`, `15m`, `24h`, `7d`. `${NAME}` and `${NAME:default}` in "
        "a file are replaced by the environment's value. [Choosing settings](../settings.md): what to change when.",
    ]
    tables: list[tuple[str, type[BaseModel], str]] = [("Top level", Config, "")]
    for name, field in Config.model_fields.items():
        if _section(field.annotation):
            tables.append((f"{name}", field.annotation, f"{name}."))  # type: ignore[arg-type]
    return "\n".join([*lines, *_tables(tables)]) + "\n"


def notifications() -> str:
    """One table per section of the configuration of `streamrnn notify`."""
    lines = ["# Settings of notify", "", NOTE, "See [Alerts that arrive](../notify.md). The file is YAML."]
    tables: list[tuple[str, type[BaseModel], str]] = [
        ("Top level", notify.NotifyConfig, ""),
        ("routes, a list", notify.RouteConfig, ""),
        ("mute, a list", notify.MuteConfig, ""),
        ("receivers.NAME", notify.ReceiverConfig, ""),
        ("receivers.NAME.alertmanager", notify.AlertmanagerConfig, ""),
        ("receivers.NAME.webhook", notify.WebhookConfig, ""),
        ("receivers.NAME.apprise", notify.AppriseConfig, ""),
    ]
    return "\n".join([*lines, *_tables(tables)]) + "\n"


def _tables(tables: list[tuple[str, type[BaseModel], str]]) -> list[str]:
    lines: list[str] = []
    for title, section, prefix in tables:
        lines += ["", f"## {title}", "", *([inspect.getdoc(section) or "", ""] if prefix else [])]
        lines += ["| setting | default | values | what it is |", "|---|---|---|---|"]
        schema = section.model_json_schema(mode="validation")
        for name, field in section.model_fields.items():
            if _section(field.annotation):
                continue
            name = field.alias or name
            entry = schema["properties"][name]
            default = field.get_default(call_default_factory=True)
            told = "required" if default is PydanticUndefined else _shown(default)
            words = " ".join((field.description or "").split()).replace("|", "\\|")
            lines.append(f"| `{prefix}{name}` | {told} | {_values(entry, schema.get('$defs', {}))} | {words} |")
    return lines


def _section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__name__.endswith("Config")


def _shown(default: object) -> str:
    if default is None:
        return "-"
    if isinstance(default, BaseModel):
        return "`" + ", ".join(f"{name}: {value}" for name, value in default) + "`"
    if isinstance(default, (tuple, dict)):
        return f"`{list(default) if isinstance(default, tuple) else default}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _values(entry: dict[str, Any], definitions: dict[str, Any]) -> str:
    """The type of a setting, in a word or as its choices, with its bounds."""
    if "$ref" in entry:
        return _values(definitions[entry["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in entry or "allOf" in entry:
        parts = [_values(part, definitions) for part in entry.get("anyOf", entry.get("allOf", []))]
        return " or ".join(dict.fromkeys(part for part in parts if part != "null"))
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    kind = {"string": "text", "boolean": "`true`, `false`", "array": "list", "object": "mapping"}.get(
        entry.get("type", ""), entry.get("type", "any")
    )
    if kind == "list" and isinstance(entry.get("items"), dict):
        kind = f"list of {_values(entry['items'], definitions)}"
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {entry[name]:g}" for name, sign in bounds.items() if name in entry]
    return " ".join([kind, ", ".join(limits)]).strip()


def commands() -> str:
    """`--help` of every command."""
    lines = ["# Commands", "", NOTE, "Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.", ""]
    root = click.Context(cli, info_name="streamrnn")
    lines += ["```text", cli.get_help(root).rstrip(), "```", ""]
    for name, command in sorted(_walk(cli, "")):
        context = click.Context(command, info_name=f"streamrnn {name}", max_content_width=100, terminal_width=100)
        lines += [f"## streamrnn {name}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n")).rstrip() + "\n"


def _walk(group: click.Group, prefix: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        found += [(prefix + name, command)]
        if isinstance(command, click.Group):
            found += _walk(command, f"{prefix}{name} ")
    return found


def error_classes() -> str:
    """Every error and what it means."""
    tree = (inspect.getdoc(errors) or "").split("\n\n")[1]
    lines = ["# Errors", "", NOTE]
    lines += ["Each message says what happened, where, and what to do next.", "", "```text"]
    lines += [inspect.cleandoc(tree), "```", "", "| error | exit code | what happened |", "|---|---|---|"]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.StreamRNNError):
            words = " ".join((inspect.getdoc(kind) or "").split())
            lines.append(f"| `{name}` | {kind.exit_code} | {words} |")
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings, "notify.md": notifications, "commands.md": commands, "errors.md": error_classes}


def main(check: bool) -> int:
    """Write the pages, or say which are out of date."""
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run `make reference`", file=sys.stderr)
        return 1
    print("as the code" if not stale else f"written: {', '.join(stale)}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
