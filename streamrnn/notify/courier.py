"""A thread for each receiver: one that is slow or gone keeps nobody else waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from streamrnn.config.notify import ReceiverConfig
from streamrnn.notify.alerts import Change
from streamrnn.notify.outbox import Bundle, Item, Outbox
from streamrnn.notify.receivers import Receiver, Undelivered

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 60.0


class Courier:
    """Takes changes from any thread and delivers them on its own."""

    def __init__(
        self, name: str, config: ReceiverConfig, receiver: Receiver, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.receiver, self.tells_resolved = name, receiver, config.resolved
        self._by = config.group_by
        self._outbox = Outbox(config)
        self._clock = clock
        self._changed = threading.Condition()
        self._ending = self._hurry = False
        self._resending: list[Change] = []
        self.delivered = self.failures = self.given_up = 0
        self._thread = threading.Thread(target=self._run, name=f"courier {name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """One more change."""
        with self._changed:
            self._outbox.put(item, self._clock())
            self._changed.notify()

    def again(self, changes: list[Change]) -> None:
        """Open alerts to tell once more; when that fails, they are told the next time."""
        with self._changed:
            self._resending = changes
            self._changed.notify()

    def waiting(self) -> int:
        """Changes that have not arrived yet."""
        with self._changed:
            return len(self._outbox)

    def failing(self) -> float:
        """For how many seconds what waits could not be delivered; 0: nothing has failed."""
        with self._changed:
            return self._outbox.failing(self._clock())

    def hurry(self) -> None:
        """Wait for no further alerts of a group: nothing more will come."""
        with self._changed:
            self._hurry = True
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Begin no further delivery, and wait a while for the one under way."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._ending:
                    return
                now = self._clock()
                bundle, resending = self._outbox.due(now, hurry=self._hurry), self._resending
                self._resending = []
                if bundle is None and not resending:
                    pause = self._outbox.wait(now, hurry=self._hurry)
                    self._changed.wait(LONGEST_WAIT if pause is None else min(pause, LONGEST_WAIT))
                    continue
            try:
                if resending:  # first: what is over by now waits in the outbox, and must have the last word
                    self._resend(resending)
                if bundle is not None:
                    self._deliver(bundle)
            except Exception:  # a thread that dies would keep its alerts for ever
                log.exception("%s: unforeseen error", self.name)
                if bundle is not None:
                    self._failed(bundle, "unforeseen error, see the log")

    def _deliver(self, bundle: Bundle) -> None:
        items = bundle.items[: self.receiver.at_once]
        bundle = bundle._replace(items=items)
        try:
            self._tell(bundle.group, [item.change for item in items])
        except Undelivered as error:
            self.failures += 1
            if error.final:
                self._one_by_one(bundle, str(error))
                return
            log.warning("%s: %d alert(s) not delivered, trying again: %s", self.name, len(items), error)
            self._failed(bundle, str(error), error.retry_after)
            return
        with self._changed:
            self._outbox.delivered(bundle, self._clock())
        self.delivered += len(items)

    def _failed(self, bundle: Bundle, reason: str, asked: float | None = None) -> None:
        with self._changed:
            given_up = self._outbox.failed(bundle, reason, self._clock(), asked)
        if given_up:
            self.given_up += len(bundle.items)
            log.error("%s: %d alert(s) given up (give_up): %s", self.name, len(bundle.items), reason)

    def _tell(self, group: tuple[str, ...], changes: list[Change]) -> None:
        self.receiver.deliver(dict(zip(self._by, group, strict=True)), changes)

    def _one_by_one(self, bundle: Bundle, reason: str) -> None:
        """One of them is refused for good, and all with it: find out which. What else happens ends the search."""
        reasons: list[str | None] = []
        passing: Undelivered | None = None
        for item in bundle.items:
            try:
                if len(bundle.items) == 1:
                    raise Undelivered(reason, final=True)
                self._tell(bundle.group, [item.change])
                reasons.append(None)
                self.delivered += 1
            except Undelivered as error:
                if not error.final:
                    passing = error
                    break
                log.error("%s refuses an alert of series %r for good: %s", self.name, item.change.key, error)
                reasons.append(str(error))
                self.given_up += 1
        with self._changed:
            if reasons:
                self._outbox.refused(bundle._replace(items=bundle.items[: len(reasons)]), reasons, self._clock())
        if passing is not None:
            self._failed(bundle._replace(items=bundle.items[len(reasons) :]), str(passing), passing.retry_after)

    def _resend(self, changes: list[Change]) -> None:
        try:
            for start in range(0, len(changes), 500):
                self.receiver.deliver({}, changes[start : start + 500])
        except Undelivered as error:
            log.warning("%s: open alerts not told again: %s", self.name, error)
