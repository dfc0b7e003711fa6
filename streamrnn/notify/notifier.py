"""From the log of alerts to the receivers: read, decide who is told, and commit what has arrived.

A record is done when every receiver that its routes name has it, or has refused it for good, or when nobody has to be
told. The offset that is committed is that of the first record that is not done, in the order of the log: a notifier
that is killed tells what was under way once more, and loses nothing (at least once). With the offset goes what there is
to remember, as snapshot records of the partition:

    open/ID    an alert that is open, as it was opened; `held` with the end of the window that mutes it
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from streamrnn.config.notify import NotifyConfig
from streamrnn.connectors.base import Commit, Connector
from streamrnn.errors import AlertUndelivered, CommitFailed, EventInvalid, SnapshotCorrupt
from streamrnn.notify.alerts import Change, read_change
from streamrnn.notify.courier import Courier
from streamrnn.notify.muting import muted_until, receivers_of
from streamrnn.notify.outbox import Item
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.log import Message, Partition, Record

log = logging.getLogger(__name__)

POLL: Final = 0.25  # seconds
MOST_WAITING: Final = 20_000
"""Changes under way; beyond, nothing more is read until some have arrived."""
MOST_ENTRIES: Final = 200_000
"""Records that wait for one before them."""
FINISHED: Final = 100_000
"""Alerts that are over whose names are remembered, so that a record that comes twice is told once."""
LOOK: Final = 1.0  # seconds between two looks at windows and open alerts
ATTEMPTS: Final = 10  # commits that fail one after the other


@dataclass
class _Open:
    """An alert that is open: told, or held back until the window that mutes it is over."""

    change: Change
    held: datetime | None = None

    def message(self) -> Message:
        held = None if self.held is None else self.held.isoformat()
        document = {"record": self.change.document, "held": held}
        return Message(_name(self.change.id), json.dumps(document).encode())


@dataclass(eq=False)
class _Entry:
    """A record of the log on its way, and what is to be remembered when it is done."""

    record: Record
    remember: list[Message] = field(default_factory=list)
    waiting: int = 0
    refused: list[str] = field(default_factory=list)
    unreadable: EventInvalid | None = None


@dataclass(eq=False)
class _Part:
    """One partition that is read here."""

    partition: Partition
    position: int  # next to read
    committed: int
    open: dict[str, _Open] = field(default_factory=dict)
    of_series: dict[tuple[str, int, str, str], str] = field(default_factory=dict)
    entries: deque[_Entry] = field(default_factory=deque)
    finished: OrderedDict[str, None] = field(default_factory=OrderedDict)
    items: set[Item] = field(default_factory=set)
    released: set[str] = field(default_factory=set)  # alerts that were muted and are told now


class Notifier:
    """Reads, routes, mutes, and commits; the couriers deliver."""

    def __init__(
        self,
        config: NotifyConfig,
        couriers: Iterable[Courier],
        connect: Callable[[], Connector],
        *,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        beat: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`beat` is called with every turn of the loop, with the seconds for which the log has owed an answer."""
        self._config, self._connect, self._stop = config, connect, stop
        self._couriers = {courier.name: courier for courier in couriers}
        self._clock, self._now, self._beat = clock, now, beat
        self._parts: dict[Partition, _Part] = {}
        self._lock = threading.Lock()  # around what couriers report
        self._looked = clock()
        self._resent = dict.fromkeys(self._couriers, clock())
        self.counts = dict.fromkeys(("read", "told", "unrouted", "muted", "repeated", "unreadable", "refused"), 0)
        self.lag: dict[Partition, int] = {}
        """Records of each partition that were not read yet, at the last look."""
        self.open = self.held = 0
        """Alerts that are open, and those of them that a window mutes, at the last look."""

    def run(self, *, once: bool = False) -> None:
        """Work until `stop`, or with `once` until the log has ended and all has arrived.

        Raises a `StreamRNNError` when going on is not possible.
        """
        for courier in self._couriers.values():
            courier.start()
        failures = 0
        try:
            while not self._stop.is_set():
                try:
                    with self._connect() as connector:
                        try:
                            for _ in self._serve(connector, once=once):
                                failures = 0
                        finally:
                            self._drop([*self._parts])
                            connector.close(4.0)
                    return
                except CommitFailed as error:
                    failures += 1
                    if failures == ATTEMPTS:
                        raise
                    log.warning("commit failed, what was under way will be told again: %s", error)
                    self._stop.wait(min(2.0, 0.05 * 2**failures))
        finally:
            for courier in self._couriers.values():
                courier.stop(2.0)

    def _serve(self, connector: Connector, *, once: bool) -> Iterable[None]:
        """One turn of the loop after the other."""
        while not self._stop.is_set():
            full = self._full()
            polled = connector.poll(POLL)
            self._beat(connector.silence())
            self._drop(polled.revoked)
            for partition in polled.assigned:
                self._take_over(connector, partition)
            for partition, records in polled.records.items():
                part = self._parts[partition]
                if full:  # a group wants to be polled, whether or not we can take what comes: come back to it
                    connector.start(partition, part.position)
                    continue
                for record in records:
                    self._read(part, record)
            self._look(connector, idle=not polled.records)
            self._commit(connector)
            yield
            if polled.finished and once:
                for courier in self._couriers.values():
                    courier.hurry()
                if not self._waiting():
                    break
            if full or polled.finished:
                self._stop.wait(POLL)  # the connector does not wait for us
        for courier in self._couriers.values():
            courier.stop(2.0)  # before the last commit, so that it knows what has arrived
        self._commit(connector)

    def _full(self) -> bool:
        return self._waiting() >= MOST_WAITING or sum(len(p.entries) for p in self._parts.values()) >= MOST_ENTRIES

    def _waiting(self) -> int:
        with self._lock:
            return sum(len(part.items) for part in self._parts.values())

    # -- partitions ----------------------------------------------------------------------------------------------------

    def _take_over(self, connector: Connector, partition: Partition) -> None:
        committed = connector.committed(partition)
        start = connector.beginning(partition) if committed is None else committed
        part = _Part(partition, start, start)
        first, end = connector.bounds(partition)
        if committed is not None and not first <= committed <= end:
            what = "the alerts up to offset %d expired before they were told" if committed < first else "the log is new"
            log.warning(f"%s[%d]: {what}; offset %d was committed, it begins at %d", *partition, committed, first)
            start = first
        kept: dict[bytes, bytes] = {}
        for message in connector.snapshots(partition):
            if message.value is None:
                kept.pop(message.key or b"", None)
            else:
                kept[message.key or b""] = message.value
        for key, value in kept.items():
            self._put(part, _restored(key, value))
        part.position = part.committed = start
        self._parts[partition] = part
        connector.start(partition, start)
        log.info("%s[%d]: telling from offset %d on, %d alerts are open", *partition, start, len(part.open))

    def _drop(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            if (part := self._parts.pop(partition, None)) is not None:
                with self._lock:
                    for item in part.items:
                        item.withdrawn = True
                    part.items.clear()

    @staticmethod
    def _put(part: _Part, one: _Open) -> None:
        part.open[one.change.id] = one
        part.of_series[one.change.series] = one.change.id

    @staticmethod
    def _remove(part: _Part, change_id: str) -> _Open | None:
        one = part.open.pop(change_id, None)
        if one is not None and part.of_series.get(one.change.series) == change_id:
            del part.of_series[one.change.series]
        part.finished[change_id] = None
        while len(part.finished) > FINISHED:
            part.finished.popitem(last=False)
        return one

    # -- one record ----------------------------------------------------------------------------------------------------

    def _read(self, part: _Part, record: Record) -> None:
        entry = _Entry(record)
        part.entries.append(entry)
        part.position = record.offset + 1
        self.counts["read"] += 1
        try:
            change = read_change(record.value)
        except EventInvalid as error:
            log.warning("%s[%d] offset %d: %s", *part.partition, record.offset, error)
            self.counts["unreadable"] += 1
            entry.unreadable = error
            return
        if change.opened:
            self._opened(part, entry, change)
        else:
            self._closed(part, entry, change)

    def _opened(self, part: _Part, entry: _Entry, change: Change) -> None:
        if change.id in part.open or change.id in part.finished:
            self.counts["repeated"] += 1
            return
        if (before := part.of_series.get(change.series)) is not None:
            # Its end was never said: whoever wrote the log was reset while it was open.
            self._over(part, entry, before, change)
        one = _Open(change, muted_until(self._config, change))
        self._put(part, one)
        entry.remember.append(one.message())
        if one.held is not None:
            self.counts["muted"] += 1
        else:
            self._tell(part, entry, change)

    def _closed(self, part: _Part, entry: _Entry, change: Change) -> None:
        if change.id in part.finished:
            self.counts["repeated"] += 1
            return
        self._over(part, entry, change.id, change)

    def _over(self, part: _Part, entry: _Entry, change_id: str, by: Change) -> None:
        """The alert is over: told to whom its opening was told."""
        one = self._remove(part, change_id)
        entry.remember.append(Message(_name(change_id), None))
        if one is not None and one.held is not None:
            return
        if one is not None:  # routed and labelled as it was opened
            own = (
                by.document
                if by.id == change_id
                else {**one.change.document, "state": "closed", "time": by.document["time"]}
            )
            by = one.change._replace(opened=False, time=by.time, document=own)
        self._tell(part, entry, by)

    def _tell(self, part: _Part, entry: _Entry | None, change: Change) -> None:
        names = receivers_of(self._config, change)
        if not names:
            self.counts["unrouted"] += 1
        for name in names:
            courier = self._couriers[name]
            if not change.opened and not courier.tells_resolved:
                continue
            item = Item(change, lambda _: None)
            item.done = partial(self._done, part, entry, item, name)
            with self._lock:
                part.items.add(item)
                if entry is not None:
                    entry.waiting += 1
            courier.put(item)
            self.counts["told"] += 1

    def _done(self, part: _Part, entry: _Entry | None, item: Item, name: str, refused: str | None) -> None:
        """From a courier's thread."""
        with self._lock:
            part.items.discard(item)
            if entry is None:
                if refused is not None:
                    self.counts["refused"] += 1
                return
            entry.waiting -= 1
            if refused is not None:
                entry.refused.append(f"{name}: {refused}")
                self.counts["refused"] += 1

    # -- now and then --------------------------------------------------------------------------------------------------

    def _look(self, connector: Connector, *, idle: bool) -> None:
        """Tell what windows no longer mute, and open alerts again to those who forget them; count what there is."""
        now = self._clock()
        if now - self._looked < LOOK:
            return
        self._looked = now
        if idle:  # else its end may be among the records to come
            moment = self._now()
            for part in self._parts.values():
                for one in [one for one in part.open.values() if one.held is not None and one.held <= moment]:
                    one.held = None
                    part.released.add(one.change.id)
                    self._tell(part, None, one.change)
        every = [one for part in self._parts.values() for one in part.open.values()]
        self.open, self.held = len(every), sum(one.held is not None for one in every)
        self.lag = {part: behind for part in self._parts if (behind := connector.lag(part)) is not None}
        for name, courier in self._couriers.items():
            pause = courier.receiver.resend
            if pause is None or now - self._resent[name] < pause:
                continue
            self._resent[name] = now
            told = (one.change for one in every if one.held is None)
            if again := [change for change in told if name in receivers_of(self._config, change)]:
                courier.again(again)

    def _commit(self, connector: Connector) -> None:
        """Everything that is done, up to the first record that is not."""
        commit = Commit()
        for partition, part in self._parts.items():
            remember: dict[bytes | None, Message] = {}
            letters = []
            with self._lock:
                while part.entries and part.entries[0].waiting == 0:
                    entry = part.entries.popleft()
                    remember |= {message.key: message for message in entry.remember}
                    if entry.unreadable is not None:
                        letters.append(dead_letter(partition, entry.record, entry.unreadable))
                    elif entry.refused:
                        letters.append(dead_letter(partition, entry.record, AlertUndelivered("; ".join(entry.refused))))
                    commit.offsets[partition] = entry.record.offset + 1
                settled = not part.items
            if settled and part.released:  # they have arrived, and what is behind them in the log has not yet
                told = (part.open[one].message() for one in part.released if one in part.open)
                remember |= {message.key: message for message in told}
                part.released.clear()
                commit.offsets.setdefault(partition, part.committed)
            if remember:
                commit.snapshots[partition] = [*remember.values()]
            if letters:
                commit.dead_letters[partition] = letters
        if commit.offsets:
            connector.commit(commit)
            for partition, offset in commit.offsets.items():
                self._parts[partition].committed = offset


def _name(change_id: str) -> bytes:
    return b"open/" + change_id.encode()


def _restored(key: bytes, value: bytes) -> _Open:
    try:
        document: Mapping[str, Any] = json.loads(value)
        held = document["held"]
        return _Open(
            read_change(json.dumps(document["record"]).encode()), None if held is None else datetime.fromisoformat(held)
        )
    except (ValueError, TypeError, KeyError, EventInvalid) as error:
        raise SnapshotCorrupt(f"{key!r:.80} is no alert that a notifier remembers: {error}") from error
