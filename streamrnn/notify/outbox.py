"""What waits for one receiver: grouped, limited, and tried again after a failure. Its clock is handed in.

Changes of one group leave in the order in which they came, so an alert is never over before it has begun. A group waits

    group_wait        after its first change, for others to come
    group_interval    after its last notification
    retry, 2 retry .. after a failure, at most five minutes, or what the receiver asks for
    limit             where so many notifications have left already
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamrnn.config.notify import ReceiverConfig
from streamrnn.notify.alerts import Change

MOST_AT_ONCE: Final = 1000
"""Changes of one notification."""
LONGEST_RETRY: Final = 300.0
LONGEST_ASKED: Final = 3600.0
"""Seconds that a receiver's `Retry-After` may make us wait."""


@dataclass(eq=False)
class Item:
    """A change on its way to one receiver. `done` is called once: with None, or with why it was given up."""

    change: Change
    done: Callable[[str | None], None]
    withdrawn: bool = False  # its partition is another notifier's now


class Bundle(NamedTuple):
    """One notification."""

    group: tuple[str, ...]
    items: Sequence[Item]


@dataclass
class _Group:
    items: deque[Item] = field(default_factory=deque)
    since: float = 0.0  # when the oldest came
    sent_at: float = float("-inf")
    not_before: float = float("-inf")
    failures: int = 0
    failing_since: float = 0.0


class Outbox:
    """The groups of one receiver. Not safe to use from two threads at once."""

    def __init__(self, config: ReceiverConfig) -> None:
        own = config.alertmanager is not None
        self._by = config.group_by
        self._wait = config.group_wait if config.group_wait is not None else 1.0 if own else 10.0
        self._interval = config.group_interval if config.group_interval is not None else 1.0 if own else 60.0
        self._limit, self._retry, self._give_up = config.limit, config.retry, config.give_up
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._sent: deque[float] = deque()  # the last `limit.number` notifications

    def __len__(self) -> int:
        return sum(len(group.items) for group in self._groups.values())

    def failing(self, now: float) -> float:
        """Seconds since the first failure that no delivery has followed in its group; 0: there is none."""
        return max((now - group.failing_since for group in self._groups.values() if group.failures), default=0.0)

    def put(self, item: Item, now: float) -> None:
        """One more."""
        fields = item.change._asdict()
        group = self._groups.setdefault(tuple(str(fields[name]) for name in self._by), _Group())
        if not group.items:
            group.since = now
        group.items.append(item)

    def due(self, now: float, *, hurry: bool = False) -> Bundle | None:
        """The notification that may leave now, which stays here until it is settled; `hurry` waits for no others."""
        self._tidy(now)
        if not self._groups or self._next_slot(now) > now:
            return None
        key, group = min(self._groups.items(), key=lambda one: self._ready(one[1], hurry=hurry))
        if not group.items or self._ready(group, hurry=hurry) > now:
            return None
        return Bundle(key, list(group.items)[:MOST_AT_ONCE])

    def wait(self, now: float, *, hurry: bool = False) -> float | None:
        """Seconds until something may leave; None: nothing is here."""
        self._tidy(now)
        waiting = [self._ready(group, hurry=hurry) for group in self._groups.values() if group.items]
        return max(0.0, max(min(waiting), self._next_slot(now)) - now) if waiting else None

    def _ready(self, group: _Group, *, hurry: bool) -> float:
        if not group.items:
            return float("inf")
        patient = max(group.since + self._wait, group.sent_at + self._interval)
        return group.not_before if hurry else max(patient, group.not_before)

    def _next_slot(self, now: float) -> float:
        if self._limit is None or len(self._sent) < self._limit.number:
            return now
        return self._sent[0] + self._limit.per

    def _tidy(self, now: float) -> None:
        """Forget what was withdrawn, and groups that have nothing to wait for."""
        for key, group in list(self._groups.items()):
            if any(item.withdrawn for item in group.items):
                group.items = deque(item for item in group.items if not item.withdrawn)
            if not group.items and group.sent_at + self._interval <= now:
                del self._groups[key]

    def delivered(self, bundle: Bundle, now: float) -> None:
        """It has arrived."""
        group = self._groups[bundle.group]
        self._settle(group, len(bundle.items), now)
        group.sent_at, group.failures, group.not_before = now, 0, float("-inf")
        if self._limit is not None:
            self._sent.append(now)
            while len(self._sent) > self._limit.number:
                self._sent.popleft()
        for item in bundle.items:
            item.done(None)

    def refused(self, bundle: Bundle, reasons: Sequence[str | None], now: float) -> None:
        """It never will: per item why, None for those that have arrived on their own."""
        group = self._groups[bundle.group]
        self._settle(group, len(bundle.items), now)
        group.failures, group.not_before = 0, float("-inf")
        for item, reason in zip(bundle.items, reasons, strict=True):
            item.done(reason)

    def failed(self, bundle: Bundle, reason: str, now: float, asked: float | None = None) -> bool:
        """It has not arrived; try again later, or give up: whether that was it."""
        group = self._groups[bundle.group]
        if group.failures == 0:
            group.failing_since = now
        if now - group.failing_since >= self._give_up:
            self.refused(bundle, [reason] * len(bundle.items), now)
            return True
        pause = min(LONGEST_RETRY, self._retry * 2.0 ** min(group.failures, 32))
        if asked is not None:
            pause = max(pause, min(asked, LONGEST_ASKED))
        group.failures += 1
        group.not_before = now + pause
        return False

    def _settle(self, group: _Group, count: int, now: float) -> None:
        for _ in range(count):
            group.items.popleft()
        group.since = now
