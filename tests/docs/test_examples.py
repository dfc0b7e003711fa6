"""What the pages show is what there is: every configuration loads, every command and option exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from streamrnn.app.cli import cli
from streamrnn.config.loading import load
from streamrnn.config.notify import load_notify
from streamrnn.config.tree import Config

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SECTIONS = {*Config.model_fields}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


CONFIGURATIONS = [
    pytest.param(page, document, id=f"{name_of(page)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "ya?ml"))
    for document in [yaml.safe_load(block)]
    if isinstance(document, dict)
]


@pytest.mark.parametrize(("page", "document"), CONFIGURATIONS)
def test_a_configuration_that_is_shown_loads(
    page: Path, document: dict[str, Any], tmp_path: Path, monkeypatch: Any
) -> None:
    asked = dict.fromkeys(re.findall(r"\$\{(\w+)\}", str(document)), "https://example.com/a-word-of-some-length")
    for variable, value in asked.items():
        monkeypatch.setenv(variable, value)
    file = tmp_path / "shown.yaml"
    if not document.keys() <= SECTIONS:
        if page.name != "notify.md":
            pytest.skip(f"no pipeline: {', '.join(document)}")
        file.write_text(yaml.safe_dump(document))
        load_notify(file)
        return
    for section, name in (("kafka", "ssl_cafile"), ("kafka", "sasl_password_file"), ("schema_registry", "ssl_cafile")):
        if isinstance(document.get(section), dict) and name in document[section]:
            (tmp_path / name).write_text("x")
            document[section][name] = str(tmp_path / name)
    file.write_text(yaml.safe_dump(document))
    load(file, environment=asked)


def commands(page: Path) -> Iterator[str]:
    """Those of code blocks and of code in a line."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    lines = re.findall(r"^(?:\$ )?(streamrnn [a-z].*)$", fenced, re.MULTILINE)
    for line in lines + re.findall(r"^    (streamrnn [a-z].*)$", text, re.MULTILINE):
        yield re.split(r"\s{2,}|\s#|>", line)[0]
    yield from (found.replace("\n", " ") for found in re.findall(r"`(streamrnn [a-z][^`]*)`", text))


def words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an apostrophe of the text behind it
        return command.split()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_shown_exist(page: Path) -> None:
    for shown in commands(page):
        found: click.Command = cli
        rest = words(shown)[1:]
        while isinstance(found, click.Group) and rest:
            name = rest.pop(0)
            if "|" in rest[:1] or "|" in name:  # `state export | import`
                name, rest = name.split("|")[0], []
            assert name in found.commands, f"{shown}: no command {name!r}"
            found = found.commands[name]
        options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [
            word for word in rest if re.match(r"--[a-z]", word) and word.partition("=")[0] not in options | {"--help"}
        ]
        assert not unknown, f"{shown}: {found.name} has no {unknown}"
