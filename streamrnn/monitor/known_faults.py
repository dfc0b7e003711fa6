"""What is known of the truth, where it is known: the faults that a demo put into its series, for the page to mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class KnownFault(NamedTuple):
    """A fault of one series; times in microseconds since 1970."""

    kind: str
    began: int
    ended: int  # its last event
    until: int  # the last event at which an alert still counts as its own


class KnownFaults(Protocol):
    """Who knows them; asked from the server's thread."""

    def of(self, key: str) -> Sequence[KnownFault]:
        """The last faults of a series, oldest first."""


def at(faults: Sequence[KnownFault], time: float) -> str | None:
    """The kind of the fault at `time`, microseconds; None where there was none."""
    return next((fault.kind for fault in reversed(faults) if fault.began <= time <= fault.until), None)
