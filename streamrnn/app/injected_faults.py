"""Which of the demo's injected faults were found: what is known of the truth, beside what the model said."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from streamrnn.app.fleet import Reading
from streamrnn.monitor.known_faults import KnownFault
from streamrnn.runtime.observer import Observer, Step

AFTER = 3
"""Events after a fault in which an alert still counts as its own: the value that jumps back is a part of it."""

_REMEMBERED = 50
"""Faults of a series that the page can mark."""


class _Fault(NamedTuple):
    """Which fault of which series."""

    key: str
    began: int
    kind: str


class InjectedFaults(Observer):
    """Counts the faults that an alert opened in, and the alerts that opened in none.

    `note` is called for every reading before it is an event, by the thread that makes them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, deque[KnownFault]] = {}
        self._left: dict[str, int] = {}  # by key: the events that its last fault may still claim
        self._fault_of: dict[tuple[str, int], _Fault] = {}  # by key and time, of the events to come
        self._met: set[_Fault] = set()
        self._found: set[_Fault] = set()
        self.alerts = self.outside = 0
        """Alerts that opened, and those of them that opened in no fault."""

    def note(self, reading: Reading) -> None:
        """A reading that will be an event."""
        key, kind, time = reading.key, reading.fault, reading.time * 1000
        left = self._left.get(key, 0)
        with self._lock:
            faults = self._faults.setdefault(key, deque(maxlen=_REMEMBERED))
            if kind is None:
                left -= 1
                if left >= 0:
                    faults[-1] = faults[-1]._replace(until=time)
            elif left < AFTER or faults[-1].kind != kind:
                left = AFTER
                faults.append(KnownFault(kind, time, time, time))
            else:
                faults[-1] = faults[-1]._replace(ended=time, until=time)
            if left >= 0:
                self._fault_of[key, time] = _Fault(key, faults[-1].began, faults[-1].kind)
        self._left[key] = left

    def of(self, key: str) -> Sequence[KnownFault]:
        """See `KnownFaults.of`."""
        with self._lock:
            return tuple(self._faults.get(key, ()))

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
        met, found = (Counter(fault.kind for fault in some) for some in (self._met, self._found))
        kinds = ", ".join(f"{kind} {found[kind]} of {count}" for kind, count in sorted(met.items()))
        lines = [f"injected faults found: {len(self._found)} of {len(self._met)}"]
        if kinds:
            lines.append(f"  {kinds}")
        lines.append(f"alerts outside any fault: {self.outside} of {self.alerts}")
        return "\n".join(lines)
