"""From a YAML file, the environment and flags to one configuration.

Precedence: flag > environment `STREAMRNN__SECTION__KEY` > file > default. An unknown key is an error that names the
nearest valid one, and all problems are reported at once.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from streamrnn.config.parsing import Keys, Lines, NotYAML, parse, read_text
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError

log = logging.getLogger(__name__)

ENVIRONMENT_PREFIX = "STREAMRNN__"


def load(
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Build the configuration from a YAML file, the environment and dotted overrides (`model.horizon`).

    Raises `ConfigurationError` with every problem found, each with its path and, for a name, the nearest valid one.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    tree, lines = _read(file) if file is not None else ({}, {})
    tree = _named(tree)
    for name, text in sorted(environment.items()):
        if name.upper().startswith(ENVIRONMENT_PREFIX):
            path = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
            _put(tree, path, text if tuple(path) in SECRETS else from_text(text, name), problems)
            lines.pop(tuple(path), None)
    _warn_of_single_underscores(environment)
    problems += [
        f"{'.'.join(secret)}: is empty: give it a value, or leave the key out{_line(lines, secret)}"
        for secret in sorted(SECRETS)
        if _empty(tree, secret)
    ]
    for dotted, value in (overrides or {}).items():
        _put(tree, dotted.split("."), value, problems)
        lines.pop(tuple(dotted.split(".")), None)
    # A section whose lines are all commented out is null in YAML.
    tree |= {name: {} for name in _sections() if name in tree and tree[name] is None}
    config: Config | None = None
    while config is None:
        try:
            config = Config.model_validate(tree)
        except ValidationError as error:
            # Checks of combinations run only when every part is valid: take the bad parts out and look again.
            details = error.errors(include_url=False)
            if any(not detail["loc"] for detail in details):  # sections that do not go together
                problems += [
                    _explain(detail, lines) for detail in details if not problems
                ]  # else what is missing was refused
                break
            for detail in details:
                problems.append(_explain(detail, lines))
                _remove(tree, detail["loc"])
    if config is None or problems:
        where = f" in {file}" if file is not None else ""
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(
            f"the configuration{where} has {len(problems)} problem{'s' * (len(problems) > 1)}:\n{listed}"
        )
    return config


def _warn_of_single_underscores(environment: Mapping[str, str]) -> None:
    """`STREAMRNN_MODEL_HORIZON` is not read; Kubernetes and Compose bring names of that kind, so it is no error."""
    alike = {ENVIRONMENT_PREFIX[:-1] + path.replace(".", "_").upper(): path for path, _ in _paths(Config)}
    for name in sorted(environment):
        if name in alike and "://" not in environment[name]:
            meant = ENVIRONMENT_PREFIX + alike[name].replace(".", "__").upper()
            log.warning("%s in the environment is not read: settings have two underscores, %s", name, meant)


def parse_set(assignment: str) -> tuple[str, object]:
    """`model.horizon=24` as a dotted path and a value (YAML: numbers, lists, true, null)."""
    path, equals, text = assignment.partition("=")
    path = path.strip()
    keys = tuple(path.split("."))
    if keys in SECRETS:  # and say nothing of the rest
        raise ConfigurationError(
            f"--set {path}: everybody on this machine can read a command line; set "
            f"{ENVIRONMENT_PREFIX}{'__'.join(keys).upper()} in the environment, or write it into a file"
        )
    if not equals or not path:
        raise ConfigurationError(f"--set {assignment!r:.80}: write section.key=value, for example model.horizon=24")
    return path, from_text(text, f"--set {path}")


def _read(file: Path) -> tuple[dict[Any, Any], Lines]:
    tree, lines = parse(read_text(file), str(file), secrets=SECRETS, environment=os.environ)
    if tree is None:
        return {}, lines
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{file} must hold `section:` blocks, not a {type(tree).__name__}")
    return tree, lines


def from_text(text: str, where: str) -> object:
    """As in YAML; what is no YAML is text."""
    try:
        return parse(text, where)[0]
    except NotYAML:
        return text


def _empty(tree: Mapping[str, Any], path: Keys) -> bool:
    branch: Any = tree
    for name in path:
        if not isinstance(branch, dict) or name not in branch:
            return False
        branch = branch[name]
    return branch is None


def _put(tree: dict[str, Any], path: list[str], value: object, problems: list[str]) -> None:
    branch = tree
    for depth, name in enumerate(path[:-1]):
        below = branch.setdefault(name, {})
        if below is None:
            below = branch[name] = {}
        if not isinstance(below, dict):
            problems.append(f"{'.'.join(path)}: {'.'.join(path[: depth + 1])} is a value, not a section")
            return
        branch = below
    branch[path[-1]] = value


def _remove(tree: dict[str, Any], location: tuple[int | str, ...]) -> None:
    """Take out what a problem is about: the deepest part of `location` that the tree holds.

    A location may name more than keys, such as the alternative of a union that was tried.
    """
    branch: Any = tree
    holder: Any = tree
    name: int | str = location[0]
    for part in location:
        if part not in branch:
            break
        holder, name = branch, part
        if not isinstance(branch[part], dict):
            break
        branch = branch[part]
    holder.pop(name, None)


def _named(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """The tree with text for keys: in YAML they may be numbers or dates."""
    return {str(key): _named(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _explain(detail: Mapping[str, Any], lines: Lines) -> str:
    location = [str(part) for part in detail["loc"]]
    place = _line(lines, tuple(location))
    path = ".".join(location) or "configuration"
    if detail["type"] == "extra_forbidden":
        return f"{path}: no such key{_nearest(location)}{place}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    given = detail.get("input")
    secret = any(tuple(location[: len(secret)]) == secret for secret in SECRETS)
    whole = path in _sections()  # where a secret may be inside
    quoted = isinstance(given, str) and _short(given) in message  # a number there may be the bound
    shown = "" if secret or whole or quoted or isinstance(given, (dict, BaseModel)) else f" (given: {_short(given)})"
    return f"{path}: {message[:1].lower()}{message[1:]}{shown}{place}"


def _short(given: object) -> str:
    try:
        return f"{given!r:.80}"
    except ValueError:  # Python does not print integers of thousands of digits
        return f"a very long {type(given).__name__}"


def _line(lines: Lines, path: Keys) -> str:
    while path and path not in lines:
        path = path[:-1]
    return f" (line {lines[path]})" if path else ""


def _nearest(location: list[str]) -> str:
    wrong = location[-1]
    valid = dict(_paths(Config))
    here = ".".join(location[:-1])
    siblings = [path.rsplit(".", 1)[-1] for path in valid if path.rpartition(".")[0] == here]
    if close := difflib.get_close_matches(wrong, siblings, n=1, cutoff=0.5):
        return f"; did you mean {'.'.join([*location[:-1], close[0]])}?"
    leaves = {path.rsplit(".", 1)[-1]: path for path in valid}
    if close := difflib.get_close_matches(wrong, list(leaves), n=1, cutoff=0.6):
        return f"; did you mean {leaves[close[0]]}?"
    return f"; valid here: {', '.join(sorted(siblings))}" if siblings else ""


def _sections() -> set[str]:
    return {path.split(".")[0] for path, _ in _paths(Config) if "." in path}


def _paths(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in section.model_fields.items():
        yield prefix + name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _paths(field.annotation, f"{prefix}{name}.")


SECRETS: frozenset[Keys] = frozenset(
    tuple(path.split("."))
    for path, field in _paths(Config)
    if SecretStr in (field.annotation, *get_args(field.annotation))
)
"""Paths of what must not be shown, nor be taken for anything but text."""
