"""Layouts of stored state: which there were, and how an older one becomes the present one.

State is arrays, and what lies where in them is their layout. Each part of the state has a version of its own, and every
stored record says which versions it was written with (`snapshot.py`). `CHANGES` lists every change there has been:

    Refused(part, version, last, why)   states from before `version` are refused; streamrnn `last` reads them
    Migration(part, version, ...)       states from before `version` are turned into it while they are read

To change a layout, add one line for its part with the next version, and nothing else: what is written says so from then
on. A change of what the numbers in an array mean is a change of layout, too. `tests/state/test_layouts.py` fails where
arrays changed and no line was added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from streamrnn.errors import SnapshotMismatch, SnapshotVersion
from streamrnn.state.arrays import Array, RowBytes, layout, row_bytes

PARTS = ("common", "forecaster", "intervals", "anomaly", "warning", "labelled")
"""In the order of the versions in a record's header. Never reorder; add at the end."""

ROOM = 8
"""Parts that a record's header has room for; the places of those that do not exist yet hold a 1."""

Versions = bytes
"""(ROOM,) the version of every part's layout, in the order of PARTS."""

Field = tuple[str, str, tuple[int, ...]]
"""Name, type and shape of one array, of one row where it has rows; the name is within its part."""


class Refused(NamedTuple):
    """A change that older states cannot follow."""

    part: str
    version: int  # that the change leads to
    last: str  # the version of streamrnn that reads what was before
    why: str


def _same_fields(fields: list[Field]) -> list[Field]:
    return fields


def _same_arrays(arrays: dict[str, Array]) -> dict[str, Array]:
    return arrays


class Migration(NamedTuple):
    """A change that older states can follow; names are within the part."""

    part: str
    version: int  # that the change leads to
    older_fields: Callable[[list[Field]], list[Field]] = _same_fields
    """From the fields of a row at `version`, in order, to those before it."""
    row: Callable[[dict[str, Array]], dict[str, Array]] = _same_arrays
    """From the arrays of one row before `version` to those at it."""
    shared: Callable[[dict[str, Array]], dict[str, Array]] = _same_arrays
    """The same for the part's arrays of the partition."""


def _without_shown(fields: list[Field]) -> list[Field]:
    """Of the anomalies: alerts that do not wait, and no values to show."""
    return [
        (name, kind, (6,)) if name == "alert" else (name, kind, shape)
        for name, kind, shape in fields
        if name != "shown"
    ]


def _with_shown(arrays: dict[str, Array]) -> dict[str, Array]:
    shown = np.full((len(arrays["doubles"]), 7), np.nan)
    shown[:, 5], shown[:, 6] = np.inf, -np.inf  # the extremes so far: not known, and never exceeded
    return arrays | {"alert": np.r_[arrays["alert"], 0, 0, 0], "shown": shown}


def _with_five_rates(fields: list[Field]) -> list[Field]:
    return [(name, kind, (5,)) if name == "rates" else (name, kind, shape) for name, kind, shape in fields]


def _with_six_rates(arrays: dict[str, Array]) -> dict[str, Array]:
    """The fifth threshold starts .2 lower than it did, and there is a sixth."""
    rates = np.r_[arrays["rates"], 0].astype(np.float32)
    rates[4] += 0.2
    return arrays | {"rates": rates}


def _without_memory(fields: list[Field]) -> list[Field]:
    """Of the anomalies: no alert is remembered for feedback."""
    return [
        field for field in fields if field[0] not in ("remembered", "strangest", "withheld", "allowed", "aftermath")
    ]


def _with_memory(arrays: dict[str, Array]) -> dict[str, Array]:
    targets = len(arrays["doubles"])
    return arrays | {
        "remembered": np.zeros((4, 7), np.int32),
        "strangest": np.zeros((4, 6), np.float32),
        "withheld": np.zeros((targets, 4, 2), np.float32),
        "allowed": np.zeros((targets, 6, 2), np.float32),
        "aftermath": np.zeros((targets, 4), np.float32),
    }


NAMES_OF_LABELLED = {"said": "predicted", "learned.precision": "learned.covariance"}


def _with_earlier_names(fields: list[Field]) -> list[Field]:
    earlier = {new: old for old, new in NAMES_OF_LABELLED.items()}
    return [(earlier.get(name, name), kind, shape) for name, kind, shape in fields]


def _with_present_names(arrays: dict[str, Array]) -> dict[str, Array]:
    return {NAMES_OF_LABELLED.get(name, name): array for name, array in arrays.items()}


def _without_openings(fields: list[Field]) -> list[Field]:
    """Of the anomalies: an alert does not know where its series went, nothing counts far errors and long records."""
    less = {"numbers": 5, "held": 1}
    return [
        (name, kind, (*shape[:-1], shape[-1] - less[name]) if name in less else shape) for name, kind, shape in fields
    ]


def _with_openings(arrays: dict[str, Array]) -> dict[str, Array]:
    numbers = np.insert(arrays["numbers"], [8, 8, 8, 21, 30], 0.0, axis=-1)
    return arrays | {"numbers": numbers, "held": np.r_[arrays["held"], 0.0]}


def _without_small(fields: list[Field]) -> list[Field]:
    """Of a series' bounds: values that are close to zero are not counted."""
    return [
        (name, kind, (*shape[:-1], 2)) if name == "history" else (name, kind, shape) for name, kind, shape in fields
    ]


def _with_small(arrays: dict[str, Array]) -> dict[str, Array]:
    """Those so far were zero or not close to it."""
    history = arrays["history"]
    return arrays | {"history": np.concatenate([history, history[:, 1:], np.zeros_like(history[:, 1:])], axis=1)}


def _without_recurring(fields: list[Field]) -> list[Field]:
    """Of the anomalies: no strange episode is remembered, and every hour of the week has a byte for its visits."""
    return [
        (name, kind, (*shape[:-1], 168)) if name == "week_visits" else (name, kind, shape)
        for name, kind, shape in fields
        if name not in ("recurring", "recurred")
    ]


def _with_recurring(arrays: dict[str, Array]) -> dict[str, Array]:
    visits, targets = arrays["week_visits"], len(arrays["doubles"])
    return arrays | {
        "week_visits": visits[:, ::2] | visits[:, 1::2] << 4,
        "recurring": np.zeros((targets, 29), np.float32),
        "recurred": np.zeros((targets, 8)),
    }


def _without_farthest(fields: list[Field]) -> list[Field]:
    """Of the anomalies: an alert does not know how far its series has gone."""
    return [
        (name, kind, (*shape[:-1], shape[-1] - 1)) if name == "numbers" else (name, kind, shape)
        for name, kind, shape in fields
    ]


def _with_farthest(arrays: dict[str, Array]) -> dict[str, Array]:
    """Where an alert is open, what comes next is as far as it has gone."""
    return arrays | {"numbers": np.insert(arrays["numbers"], 11, 0.0, axis=-1)}


def _with_events_of_lists(arrays: dict[str, Array]) -> dict[str, Array]:
    """Lists of the largest episodes count the events that they have seen, not the blocks that filled them."""
    lists, gaps = arrays["lists"].copy(), arrays["gaps"].copy()
    values, of_week, intervals = arrays["numbers"][:, 0], arrays["numbers"][:, 38], arrays["times"][2]
    for one, seen in (*((lists[:, k], values) for k in range(3)), (lists[:, 3], of_week), (gaps, intervals)):
        filling = one[..., 11] < 8
        one[..., 11] = np.where(filling, 48 * one[..., 11] + one[..., 9], np.clip(seen, 384, 5000))
        one[..., 9] = np.where(filling, 0, one[..., 9])
    return arrays | {"lists": lists, "gaps": gaps}


def _without_future(fields: list[Field]) -> list[Field]:
    """Of the forecaster: nothing is known ahead."""
    return [field for field in fields if not field[0].startswith("future.")]


def _with_future(arrays: dict[str, Array]) -> dict[str, Array]:
    targets = len(arrays["numbers"])
    return arrays | {
        "future.moments": np.zeros((0, 4)),
        "future.ring": np.zeros((0, 288), np.uint16),
        "future.units": np.zeros((targets, 0)),
        "future.singles": np.zeros((targets, 0), np.float32),
        "future.halves": np.zeros((targets, 0), np.uint16),
    }


CHANGES: tuple[Refused | Migration, ...] = (
    Refused("common", 2, "0.1.0", "forecasts have medians, and a series keeps those of its next step alone"),
    Refused("common", 3, "0.1.0", "a series knows whether its values were ever negative"),
    Refused("anomaly", 2, "0.1.0", "alerts are decided by other channels"),
    Refused("forecaster", 2, "0.1.0", "a series has two seasons, and the next step other experts and mixtures"),
    Refused("forecaster", 3, "0.1.0", "steps beyond the next have other experts, mixtures and a state of their own"),
    Refused("intervals", 2, "0.1.0", "intervals are tracked at some steps, with others between"),
    Refused("intervals", 3, "0.1.0", "the partition knows how wide the intervals of young series are"),
    Migration("anomaly", 3, _without_shown, _with_shown),
    Migration("anomaly", 4, _with_five_rates, _with_six_rates),
    Refused("forecaster", 4, "0.1.0", "readouts are kept in single precision and blocks"),
    Refused("forecaster", 5, "0.1.0", "the next step and the far ones share one table of seasons, in single precision"),
    Migration("anomaly", 5, _without_memory, _with_memory),
    Migration("anomaly", 6, _without_openings, _with_openings),
    Refused("warning", 2, "0.1.0", "a series has it only where warnings are asked for"),
    Refused("forecaster", 6, "0.1.0", "experts share one covariance, and what waits for its value is kept in 16 bits"),
    Refused("intervals", 4, "0.1.0", "distances are kept in single precision, and fewer far forecasts wait"),
    Refused("warning", 3, "0.1.0", "warnings of single steps wait at some steps only"),
    Migration("common", 4, _without_small, _with_small),
    Migration("anomaly", 7, _without_recurring, _with_recurring),
    Migration("labelled", 2, _with_earlier_names, _with_present_names, _with_present_names),
    Refused("forecaster", 7, "0.1.0", "experts that know nothing yet are left out, and large steps have a record"),
    Migration("forecaster", 8, _without_future, _with_future),
    Refused("forecaster", 9, "0.1.0", "covariances take 16 bits a number, and the network's window 8"),
    Refused(
        "forecaster",
        10,
        "0.1.0",
        "covariances of the far steps take 16 bits a number, too, and these have more slow levels",
    ),
    Refused("forecaster", 11, "0.1.0", "mixtures, seasons and forecasts that wait take 8 or 16 bits a number"),
    Refused("forecaster", 12, "0.1.0", "the covariance of `lite` has smaller blocks"),
    Refused("common", 5, "0.1.0", "what an alert or a warning began with takes 32 bits a number"),
    Migration("anomaly", 8, _without_farthest, _with_farthest),
    Migration("anomaly", 9, row=_with_events_of_lists),
    Refused("forecaster", 13, "0.1.0", "networks of a series' own are kept in 16 bits, without moments of their own"),
)
"""Every change of a layout, oldest first. Version 1 is that of streamrnn 0.1.0."""

FIRST: Versions = bytes([1] * ROOM)
"""Of everything that streamrnn 0.1.0 wrote."""


def present(changes: Sequence[Refused | Migration] | None = None) -> Versions:
    """The versions that this streamrnn writes."""
    changes = CHANGES if changes is None else changes
    newest = {part: 1 + sum(change.part == part for change in changes) for part in PARTS}
    for part in PARTS:
        said = [change.version for change in changes if change.part == part]
        assert said == list(range(2, newest[part] + 1)), f"the versions of {part} do not follow each other: {said}"
    return bytes(newest[part] for part in PARTS).ljust(ROOM, b"\1")


class Reader:
    """Brings stored rows and shared arrays to the present layout."""

    def __init__(
        self,
        rows: tuple[Any, ...],
        own: str,
        changes: Sequence[Refused | Migration] | None = None,
        *,
        optional: int = 0,
    ) -> None:
        """`rows` has the present layout; an array that no part names belongs to the part `own`.

        The last part of a row may be left out; where it is not, it has `optional` bytes.
        """
        self._own, self._changes = own, CHANGES if changes is None else changes
        self._size, self._optional = row_bytes(rows), optional
        self._fields = layout(rows)
        self.versions = present(self._changes)
        self._parts = sorted({self._part(name)[0] for name, _, _ in self._fields}, key=PARTS.index)
        self._older: dict[Versions, list[tuple[str, Field]]] = {}

    def _part(self, name: str) -> tuple[str, str]:
        """(part, name within it)."""
        first, _, rest = name.partition(".")
        return (first, rest) if first in PARTS and rest else (self._own, name)

    def _steps(self, part: str, version: int) -> list[Migration]:
        """The changes of `part` after `version`, oldest first. Raises where one of them is a refusal."""
        steps: list[Migration] = []
        for change in self._changes:
            if change.part == part and change.version > version:
                if isinstance(change, Refused):
                    raise SnapshotVersion(
                        f"the stored state has layout {version} of the {part}, which streamrnn {change.last} reads and "
                        f"this one does not ({change.why}): run streamrnn {change.last}, or `streamrnn reset` to learn "
                        "afresh"
                    )
                steps.append(change)
        return steps

    @property
    def named(self) -> dict[str, int]:
        """The present versions by part, for whoever reads a manifest."""
        return {part: self.versions[PARTS.index(part)] for part in self._parts}

    def check(self, versions: Versions) -> None:
        """Raise `SnapshotVersion` unless this streamrnn reads state of these versions."""
        for part in self._parts:
            number, newest = versions[PARTS.index(part)], self.versions[PARTS.index(part)]
            if number > newest:
                raise SnapshotVersion(
                    f"the stored state has layout {number} of the {part}, and this streamrnn reads up to {newest}: run "
                    "the newer version, or `streamrnn reset` to start again"
                )
            self._steps(part, number)

    def row(self, versions: Versions, data: RowBytes) -> RowBytes:
        """One row's bytes in the present layout.

        Raises `SnapshotVersion` where the layout is refused, ValueError where the bytes are too few or too many.
        """
        if versions == self.versions:
            return self._with_or_without(data)
        if versions not in self._older:
            self.check(versions)
            self._older[versions] = self._fields_before(versions)
        arrays: dict[str, dict[str, Array]] = {part: {} for part in self._parts}
        at = 0
        for part, (name, kind, shape) in self._older[versions]:
            count = int(np.prod(shape, dtype=np.int64))
            arrays[part][name] = np.frombuffer(data, np.dtype(kind), count, at).reshape(shape)
            at += arrays[part][name].nbytes
        if at != len(data):
            raise ValueError(f"a row has {at} bytes, not {len(data)}")
        for part in self._parts:
            for step in self._steps(part, versions[PARTS.index(part)]):
                arrays[part] = step.row(arrays[part])
        return b"".join(
            np.ascontiguousarray(_fitting(arrays, *self._part(name), kind, shape)).tobytes()
            for name, kind, shape in self._fields
        )

    def _with_or_without(self, data: RowBytes) -> RowBytes:
        """A row whose optional part is there if and only if it is in the present layout; a new one is zero."""
        if self._optional and len(data) == self._size - self._optional:
            return bytes(data) + bytes(self._optional)
        if self._optional and len(data) == self._size + self._optional:
            return data[: self._size]
        return data

    def _fields_before(self, versions: Versions) -> list[tuple[str, Field]]:
        """The fields of a row of these versions in order, each with its part."""
        fields: list[tuple[str, Field]] = []
        for part in dict.fromkeys(self._part(name)[0] for name, _, _ in self._fields):
            own = [
                (self._part(name)[1], kind, shape) for name, kind, shape in self._fields if self._part(name)[0] == part
            ]
            for step in reversed(self._steps(part, versions[PARTS.index(part)])):
                own = step.older_fields(own)
            fields += [(part, field) for field in own]
        return fields

    def shared(self, versions: Versions, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The partition's arrays by their present names. Raises `SnapshotVersion` where the layout is refused."""
        if versions == self.versions:
            return dict(arrays)
        self.check(versions)
        found: dict[str, dict[str, Array]] = {}
        for name, array in arrays.items():
            part, inner = self._part(name)
            found.setdefault(part, {})[inner] = array
        result: dict[str, Array] = {}
        for part, inside in found.items():
            for step in self._steps(part, versions[PARTS.index(part)]):
                inside = step.shared(inside)
            result |= {name if part == self._own else f"{part}.{name}": array for name, array in inside.items()}
        return result


def _fitting(arrays: dict[str, dict[str, Array]], part: str, name: str, kind: str, shape: tuple[int, ...]) -> Array:
    array = arrays[part].get(name)
    if array is None or array.dtype.str != kind or array.shape != shape:
        raise SnapshotMismatch(f"a migration of the {part} does not give {name} as {kind}{shape}")
    return array
