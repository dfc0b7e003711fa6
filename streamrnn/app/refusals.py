"""Rows and cells that could not be used: how many, why, and an example of each, so that none is lost in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from streamrnn.connectors.reading.rows import RowReader
from streamrnn.errors import ConnectorError, EventError
from streamrnn.records.log import Record
from streamrnn.runtime.observer import Observer, Step

WORTH_SAYING = 0.01
"""Share of the rows, or of a column's cells, from which on the summary tells the reasons."""

_GIVEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")


@dataclass
class Reason:
    """Why rows were refused."""

    count: int
    example: str


@dataclass
class Refusals:
    """Counts what was refused."""

    rows: int = 0
    refused: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)

    def add(self, good: int, refused: Iterable[tuple[Record, EventError]]) -> None:
        """Count one batch."""
        self.rows += good
        for record, error in refused:
            self.rows += 1
            self.refused += 1
            kind = _GIVEN.sub("_", str(error))
            if kind in self.reasons:
                self.reasons[kind].count += 1
            elif len(self.reasons) < 100:
                self.reasons[kind] = Reason(1, f"row {record.offset}: {error}")

    def check(self, name: str, rows: RowReader, targets: int, dead_letters: object = None) -> None:
        """Raise `ConnectorError` when not one row, or not one value of a target, could be used."""
        if self.rows and self.refused == self.rows:
            where = f". They are in {dead_letters}" if dead_letters is not None else ""
            first = next(iter(self.reasons.values()))
            raise ConnectorError(
                f"{name} has no usable events: {self.rows:,} of {self.rows:,} rows were refused. The first, "
                f"{first.example}{where}. `streamrnn check {name}` says how it is read"
            )
        good = self.rows - self.refused
        broken = sum(rows.broken_cells[name] for name in rows.layout.targets)
        if good and targets and broken >= good * targets:
            column, why = next(iter(rows.examples.items()))
            raise ConnectorError(
                f"{name} has no usable events: no cell of {', '.join(rows.layout.targets)[:100]} is a number; "
                f"in {column}, {why}"
            )

    def report(self, rows: RowReader) -> list[str]:
        """A line per reason, where it was more than one in a hundred."""
        said = []
        if self.refused > WORTH_SAYING * self.rows:
            said.append(f"{self.refused:,} of {self.rows:,} rows were refused:")
            ordered = sorted(self.reasons.values(), key=lambda reason: -reason.count)
            said += [f"  {reason.count:,} like {reason.example}" for reason in ordered[:10]]
        good = self.rows - self.refused
        for name, count in rows.broken_cells.most_common(20):
            if count > WORTH_SAYING * good:
                what = f"{count:,} of {good:,} cells of {name} are no numbers and were taken as missing"
                said.append(f"{what}: {rows.examples[name]}")
        return said


class RefusalLog(Observer):
    """Keeps the refusals of a run."""

    def __init__(self) -> None:
        self.refusals = Refusals()

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        refused = [(record, error) for record, error in step.unusable]
        good = len(step.decoded.keys) + len(step.decoded.rejected) - len(refused)
        self.refusals.add(good, refused)
