"""Which of the demo's injected faults were found: what is known of the truth, beside what the model said."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence

from streamrnn.app.fleet import Reading
from streamrnn.monitor.known_faults import KnownFault
from streamrnn.runtime.observer import Observer, Step

AFTER = 3
"""Events after a fault in which an alert still counts as its own: the value that jumps back is a part of it."""

_REMEMBERED = 50
"""Faults of a series that the page can mark."""


class InjectedFaults(Observer):
    """Counts the faults that an alert opened in, and the alerts that opened in none.

    `note` is called for every reading before it is an event, by the thread that makes them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: list[str] = []  # of every fault, in order
        self._last: dict[str, tuple[int | None, int]] = {}  # by key: its fault, and the events that it may still claim
        self._fault_of: dict[tuple[str, int], int] = {}  # by key and time, of the events to come
        self._met: set[int] = set()
        self._found: set[int] = set()
        self._spans: dict[str, deque[KnownFault]] = {}
        self.alerts = self.outside = 0
        """Alerts that opened, and those of them that opened in no fault."""

    def note(self, reading: Reading) -> None:
        """A reading that will be an event."""
        number, left = self._last.get(reading.key, (None, 0))
        begins = False
        if reading.fault is None:
            left -= 1
        else:
            begins = number is None or left < AFTER or self._kinds[number] != reading.fault
            if begins:
                number = len(self._kinds)
                self._kinds.append(reading.fault)
            left = AFTER
        self._last[reading.key] = number, left
        if number is not None and left >= 0:
            with self._lock:
                self._fault_of[reading.key, reading.time * 1000] = number
                self._extend(reading, begins)

    def _extend(self, reading: Reading, begins: bool) -> None:
        spans, time = self._spans.setdefault(reading.key, deque(maxlen=_REMEMBERED)), reading.time * 1000
        if reading.fault is None:
            spans[-1] = spans[-1]._replace(until=time)
        elif begins:
            spans.append(KnownFault(reading.fault, time, time, time))
        else:
            spans[-1] = spans[-1]._replace(ended=time, until=time)

    def of(self, key: str) -> Sequence[KnownFault]:
        """See `KnownFaults.of`."""
        with self._lock:
            return tuple(self._spans.get(key, ()))

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        opened = step.answers.opened.tolist()
        for key, time, opens in zip(step.decoded.keys, step.decoded.times.tolist(), opened, strict=True):
            with self._lock:
                fault = self._fault_of.pop((key, time), None)
            self.alerts += opens
            if fault is None:
                self.outside += opens
                continue
            self._met.add(fault)
            if opens:
                self._found.add(fault)

    def summary(self) -> str:
        """Lines for the closing table."""
        met, found = (Counter(self._kinds[number] for number in some) for some in (self._met, self._found))
        kinds = ", ".join(f"{kind} {found[kind]} of {count}" for kind, count in sorted(met.items()))
        lines = [f"injected faults found: {len(self._found)} of {len(self._met)}"]
        if kinds:
            lines.append(f"  {kinds}")
        lines.append(f"alerts outside any fault: {self.outside} of {self.alerts}")
        return "\n".join(lines)
