"""YAML to a plain tree, with care: bounded in size and depth, `${VARIABLE}` only ever text, secrets never parsed.

Variables are put in after parsing. So what they hold is text, whatever it looks like: a line break in it opens no new
key, and a password of digits stays one. Messages name the line, never what it holds: it may be a password's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from streamrnn.errors import ConfigurationError

LARGEST = 256 << 10
"""Bytes of a configuration."""
DEEPEST = 32
MOST_VALUES = 10_000
"""With every alias followed: a few lines of YAML can stand for billions."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::([^}\n]*))?\}")
_STRING, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_NO_NUMBER = re.compile(r"[-+]?0[0-9_]+|[^:]*:.*")
"""What YAML 1.1 takes for a number, and nobody means as one: 012 is ten to it, 1:30 is ninety."""

Keys = tuple[str, ...]
Lines = dict[Keys, int]
"""Line of every key, by its path."""


class NotYAML(ConfigurationError):
    """The text breaks YAML's grammar."""


def read_text(file: Path) -> str:
    """The text of a configuration file."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ConfigurationError(f"the configuration file {file} is larger than {LARGEST >> 10} KiB: is it one?")
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the configuration file {file} is no UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot read the configuration file {str(file)!r}: {reason}") from error


def parse(
    text: str,
    where: str,
    *,
    secrets: Collection[Keys] = (),
    environment: Mapping[str, str] | None = None,
) -> tuple[Any, Lines]:
    """What the YAML in `text` says, and the line of every key.

    Args:
        text: YAML.
        where: names it in messages.
        secrets: paths whose value is text, whatever it looks like.
        environment: put in for `${VARIABLE}` and `${VARIABLE:default}`; None leaves them as they are.

    Raises `ConfigurationError`.
    """
    variables: list[tuple[str, str | None]] = []
    if environment is not None:
        mark = "streamrnn-variable"
        while mark in text:
            mark += "-"

        def marked(match: re.Match[str]) -> str:
            variables.append((match[1], match[2]))
            return f"{mark}{len(variables) - 1}."

        text = _VARIABLE.sub(marked, text)
        found = re.compile(re.escape(mark) + r"(\d+)\.")

        def value(match: re.Match[str]) -> str:
            name, default = variables[int(match[1])]
            if default is not None and default.startswith("-"):
                raise ConfigurationError(
                    f"{where}: the default of ${{{name}:-...}} would begin with a minus sign, unlike in a shell: write "
                    f"${{{name}:...}}, or a space before a number below zero (${{{name}: -5}})"
                )
            known = environment.get(name, default)
            if known is None:
                raise ConfigurationError(
                    f"{where} uses ${{{name}}}, which is not set; set it or write ${{{name}:default}}"
                )
            return known

        def substituted(scalar: str) -> str | None:
            return found.sub(value, scalar) if mark in scalar else None

    else:

        def substituted(scalar: str) -> str | None:
            return None

    lines: Lines = {}
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, lines
        _walk(node, (), _Walk(set(secrets), lines, substituted, where))
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        raise NotYAML(f"{where} is not valid YAML: {_without_values(error)}") from None
    except RecursionError:
        raise ConfigurationError(f"{where} is nested deeper than {DEEPEST} levels") from None
    except (ValueError, OverflowError, TypeError, AttributeError, KeyError, IndexError) as error:
        # PyYAML's own on dates and numbers that are none, such as 2026-99-99: the message holds the value
        raise NotYAML(f"{where} holds a date or number that is none ({type(error).__name__})") from None


class _Walk:
    def __init__(self, secrets: set[Keys], lines: Lines, substituted: Callable[[str], str | None], where: str) -> None:
        self.secrets, self.lines, self.substituted, self.where = secrets, lines, substituted, where
        self.values = 0
        self.done: set[int] = set()


def _walk(node: yaml.Node, path: Keys, walk: _Walk) -> None:
    """Follow every alias, count, note the lines, put variables in."""
    walk.values += 1
    if walk.values > MOST_VALUES:
        raise ConfigurationError(f"{walk.where} stands for more than {MOST_VALUES:,} values: aliases of aliases?")
    if len(path) > DEEPEST:
        raise ConfigurationError(f"{walk.where} is nested deeper than {DEEPEST} levels")
    if isinstance(node, yaml.ScalarNode):
        _scalar(node, path, walk)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _walk(item, (*path, str(number)), walk)
    elif isinstance(node, yaml.MappingNode):
        here: dict[str, int] = {}
        for key, value in node.value:
            _walk(key, (*path, "?"), walk)
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            if name in here and name != "?":
                raise ConfigurationError(
                    f"{walk.where} has {'.'.join((*path, name)):.80} twice, in lines {here[name]} and {line}, and only "
                    "the last one would count"
                )
            here[name] = line
            walk.lines.setdefault((*path, name), line)
            _walk(value, (*path, name), walk)


def _scalar(node: yaml.ScalarNode, path: Keys, walk: _Walk) -> None:
    if id(node) not in walk.done:
        walk.done.add(id(node))
        text = walk.substituted(node.value)
        if text is not None:
            node.value = text
            # `${NAME:}` of a variable that is empty or not set leaves the default
            node.tag = _STRING if text or path in walk.secrets else _NULL
    plain_text = node.tag in _NUMBERS and _NO_NUMBER.fullmatch(node.value)
    if plain_text or (path in walk.secrets and node.tag != _NULL):
        node.tag = _STRING


def _without_values(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    # What is quoted in it was found in the text, and may be part of a password.
    problem = re.sub(r"'[^']*'|\"[^\"]*\"", "...", str(problem))
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    if isinstance(error, yaml.reader.ReaderError):
        place = f" at character {error.position + 1}"
    return f"{problem}{place}"
