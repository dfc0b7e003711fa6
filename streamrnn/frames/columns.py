"""What the columns of a data frame mean.

A frame is *long* when a column of text or categories names the series (`unique_id, ds, y`), else *one series*: every
numeric column is a target. What was not named is found by type and by the usual names; what cannot be told is an
error that says which argument tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals as nw

from streamrnn.errors import ConfigurationError
from streamrnn.frames.given_frames import KEY_NAMES, TIME_NAMES, kind_of

TARGET_NAMES = ("value", "y", "target")
ANSWERED = (
    "step",
    "mean",
    "median",
    "lower",
    "upper",
    "observed",
    "expected",
    "expected_median",
    "score",
    "is_anomaly",
    "alert",
)
"""Columns of the answers."""

_READ = ("time", "number", "boolean", "text")
"""Kinds of columns (`kind_of`) that can be read."""


class Columns(NamedTuple):
    """Which column is what."""

    time: str | None
    keys: tuple[str, ...]  # of several the values name a series together
    targets: tuple[str, ...]
    features: tuple[str, ...]


def find_columns(
    frame: nw.DataFrame[Any],
    levels: Sequence[str] = (),
    *,
    time: str | None = None,
    key: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] = (),
) -> Columns:
    """Which column is what; arguments that are given are taken as they are. `levels` were an index of pandas.

    Raises `ConfigurationError` naming the columns there are.
    """
    present = list(frame.columns)
    kinds = {name: kind_of(frame, name) for name in present}
    targets, keys = names_of(target), names_of(key)
    for argument, names in (("time", names_of(time)), ("key", keys), ("target", targets), ("features", features)):
        for name in names:
            if name not in present:
                raise ConfigurationError(f"{argument}: no column {name!r}; there are: {_listed(kinds)}")
    taken = {name for name in (time, *keys, *targets, *features) if name is not None}
    free = [name for name in present if name not in taken]
    if time is None:
        dated = [name for name in free if kinds[name] == "time"]
        named = [name for name in _by_name(free, TIME_NAMES) if kinds[name] in ("number", "text")]
        time = next(iter([*_by_name(dated, TIME_NAMES), *dated, *named]), None)
        if time is None and (strange := [name for name in _by_name(free, TIME_NAMES) if kinds[name] not in _READ]):
            raise ConfigurationError(f"column {strange[0]!r} has a type that is not read as a time: convert it first")
        free = [name for name in free if name != time]
    if not keys:
        keys = _find_keys(frame, kinds, free, levels)
        _no_row_numbers(frame, keys, time)
    free = [name for name in free if name not in keys and name not in levels]
    if not targets:
        numeric = [name for name in free if kinds[name] == "number"]
        named = _by_name(numeric, TARGET_NAMES)
        if keys and not named and len(numeric) > 1:
            raise ConfigurationError(
                f"several columns may be the target ({', '.join(numeric)}): say which with target=..., one name or many"
            )
        targets = tuple(named[:1] or numeric)
    if not targets:
        raise ConfigurationError(
            f"no numeric column to forecast; there are: {_listed(kinds)}{_converted(frame, kinds)}"
        )
    for name in (*targets, *features):
        if kinds[name] not in ("number", "boolean"):
            raise ConfigurationError(
                f"column {name!r} holds {_said(kinds[name])}, not numbers: convert it first, for example with "
                f"pandas.to_numeric(frame[{name!r}])"
            )
    if clash := [name for name in (*keys, time) if name in ANSWERED]:
        raise ConfigurationError(f"{clash[0]!r} is the name of a column of the answer, too: rename yours")
    return Columns(time, keys, targets, tuple(features))


def names_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name or many."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _find_keys(
    frame: nw.DataFrame[Any], kinds: dict[str, str], free: Sequence[str], levels: Sequence[str]
) -> tuple[str, ...]:
    named = [name for name in _by_name(free, KEY_NAMES) if not _numbers_rows(frame, kinds, name)]
    texts = [name for name in free if kinds[name] == "text"]
    of_index = [name for name in free if name in levels and not _numbers_rows(frame, kinds, name)]
    found = list(dict.fromkeys([*named, *of_index, *texts]))
    if len(found) > 1 and not named:
        listed = ", ".join(map(repr, found))
        raise ConfigurationError(
            f"several columns may name the series ({', '.join(found)}): say which with key=..., or key=[{listed}] "
            "where it takes them together, or leave the others out of the frame"
        )
    return tuple(found[:1])


def _no_row_numbers(frame: nw.DataFrame[Any], keys: Sequence[str], time: str | None) -> None:
    """A text that differs in every row makes every row a series of its own, of which nothing can be learned."""
    rows = len(frame)
    for name in keys:
        if rows < 3 or frame[name].n_unique() < rows or (time is not None and frame[time].n_unique() == 1):
            continue
        convert = f"if it is the time, convert it: pandas.to_datetime(frame[{name!r}]); " if time is None else ""
        if _is_number(frame[name][0]):
            convert = f"if it holds numbers as text, convert it: pandas.to_numeric(frame[{name!r}]); "
        raise ConfigurationError(
            f"{name!r} is different in every row, so that every row would be a series of its own: {convert}if it names "
            f"the series, say key={name!r}; else leave it out of the frame"
        )


def _is_number(cell: object) -> bool:
    try:
        return bool(float(str(cell).replace(",", "")) < float("inf"))
    except ValueError:
        return False


def _listed(kinds: dict[str, str]) -> str:
    return ", ".join(f"{name} ({_said(kind)})" for name, kind in kinds.items())


def _said(kind: str) -> str:
    return {"time": "times", "number": "numbers", "boolean": "true and false"}.get(kind, kind)


def _converted(frame: nw.DataFrame[Any], kinds: dict[str, str]) -> str:
    """What might be meant as a target."""
    for name, kind in kinds.items():
        if kind == "boolean":
            return f"; say target={name!r} to forecast how likely it is"
        if kind == "text" and _is_number(frame[name][0]):
            return f"; {name!r} holds numbers as text: convert it, pandas.to_numeric(frame[{name!r}])"
    return ""


def _by_name(names: Sequence[str], known: Sequence[str]) -> list[str]:
    rank = {name: place for place, name in enumerate(known)}
    found = [name for name in names if name.strip().lower() in rank]
    return sorted(found, key=lambda name: rank[name.strip().lower()])


def _numbers_rows(frame: nw.DataFrame[Any], kinds: dict[str, str], name: str) -> bool:
    """Whether the column is a row number rather than the name of a series: numeric, and never twice the same."""
    return kinds[name] == "number" and frame[name].n_unique() == len(frame)
