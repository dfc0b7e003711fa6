"""JSON trees and texts in which `{{name}}` stands for what is told. No expressions and no code: names and dots only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from streamrnn.errors import ConfigurationError

_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z_][\w.]*)\s*\}\}")


def filled(tree: Any, facts: Mapping[str, Any]) -> Any:
    """The tree with every place filled. A text that is one place alone becomes the value itself, of whatever type."""
    if isinstance(tree, str):
        if (whole := _PLACE.fullmatch(tree.strip())) is not None:
            return _found(facts, whole[1])
        return _PLACE.sub(lambda match: _as_text(_found(facts, match[1])), tree)
    if isinstance(tree, dict):
        return {str(key): filled(value, facts) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [filled(one, facts) for one in tree]
    return tree


def check(tree: Any, names: frozenset[str], where: str) -> None:
    """Raise `ConfigurationError` for a place whose first name is none of `names`."""
    for name in _names(tree):
        if name not in names:
            raise ConfigurationError(f"{where}: {{{{{name}}}}} is not told; there are: {', '.join(sorted(names))}")


def _names(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield from (name.split(".")[0] for name in _PLACE.findall(tree))
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _names(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _names(value)


def _found(facts: Mapping[str, Any], path: str) -> Any:
    value: Any = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
