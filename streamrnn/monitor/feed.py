"""The page's side of the monitor: takes the batches in and makes frames of them, on the server's thread only.

It keeps within `SHARE` of a CPU: when frames and batches cost more than that, frames get rarer, down to one every
`LONGEST_TICK` seconds, and the backlog forgets what was not taken in. Nothing here is ever waited for by the worker.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from streamrnn import __version__
from streamrnn.anomaly.detector import CHANNEL_NAMES
from streamrnn.monitor import frames, known_faults, newest
from streamrnn.monitor.batch_queue import Backlog
from streamrnn.monitor.downsampling import Curve
from streamrnn.monitor.frames import Selection
from streamrnn.monitor.health import Health
from streamrnn.monitor.history import History, Identity
from streamrnn.monitor.known_faults import KnownFaults
from streamrnn.monitor.metrics import Metrics
from streamrnn.monitor.newest import OpenAlerts
from streamrnn.monitor.streams import Streams, event
from streamrnn.records.events import Float64
from streamrnn.records.log import Partition

SHORTEST_TICK: Final = 0.1  # seconds between two frames of a chart
LONGEST_TICK: Final = 2.0
SHARE: Final = 0.05  # of one CPU
OVERVIEW: Final = 0.5  # seconds between two overviews
SILENCE: Final = 5.0  # seconds after which even an unchanged page hears something
KEPT: Final = 30.0  # seconds that the series of a lost partition stay: after a failed commit it comes back
MOST_WATCHED: Final = 16
FORGETTING: Final = 1e-4  # per event: skill and coverage of the metrics speak of the last 10,000 events or so
RATE_WINDOW: Final = 3.0  # seconds
ALERTS: Final = 30  # of all series, listed


@dataclass
class Tally:
    """What the worker's thread counts for the header, since the process began."""

    events: int = 0
    dead_letters: int = 0
    anomalies: int = 0
    updates: int = 0
    updates_skipped: int = 0
    drift_alarms: int = 0
    restarts: int = 0
    experts: tuple[str, ...] = ()


class Feed:
    """All that pages can ask for. `watched` is replaced as a whole here and read by the worker's thread."""

    def __init__(
        self,
        names: Sequence[str],
        horizon: int,
        level: float,
        *,
        health: Health,
        metrics: Metrics,
        backlog: Backlog,
        streams: Streams,
        tally: Tally,
        faults: KnownFaults | None = None,
        feedback: Callable[[Partition], Sequence[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = tuple(names)
        self._level, self._horizon = level, horizon
        self._health = health
        self._metrics = metrics
        self._backlog = backlog
        self._streams = streams
        self._tally = tally
        self._faults, self._feedback = faults, feedback
        self._clock = clock
        self._boot = f"{os.getpid()}-{time.time_ns()}"
        self.history = History(len(self._names), horizon)
        self.watched: frozenset[Identity] = frozenset()
        self._chosen: list[Identity] = []  # the last one most recently
        self._experts: dict[Identity, Curve[Float64]] = {}
        self._lost: dict[Partition, float] = {}
        self._recent = np.zeros((len(self._names), 4))
        self._counts: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._alerts: deque[dict[str, Any]] = deque(maxlen=ALERTS)  # the newest last
        self._open = OpenAlerts()
        self._tick = SHORTEST_TICK
        self._woken: asyncio.Event | None = None
        self._made: dict[tuple[object, ...], bytes] = {}  # since the last tick: pages that look at the same share it

    async def refresh(self) -> None:
        """Take in what the worker left and wake the pages, without end."""
        self._woken = asyncio.Event()
        used = time.thread_time()
        while True:
            await self.digest()
            self._made.clear()
            woken, self._woken = self._woken, asyncio.Event()
            woken.set()
            self._metrics.clients.set(self._streams.open)
            await asyncio.sleep(self._tick)
            spent = time.thread_time() - used
            used += spent
            wanted = min(LONGEST_TICK, spent / SHARE)
            self._tick = max(SHORTEST_TICK, 0.5 * (self._tick + wanted))  # one slow round is no verdict

    async def digest(self) -> None:
        """Take in the batches that wait, as many as our share of the CPU allows: there may be no end to them."""
        now, enough = self._clock(), time.thread_time() + SHARE * LONGEST_TICK
        self._forget_lost(now)
        while time.thread_time() < enough and (batch := self._backlog.take()) is not None:
            total = self.history.add(batch, now)
            self._alerts += [
                self._told(alert, batch.partition) for alert in frames.alerts(batch, self._names, CHANNEL_NAMES)
            ]
            self._open.add(batch)
            self._recent *= (1 - FORGETTING) ** len(batch.keys)
            self._recent += total
            for key, weights in batch.experts.items():
                curve = self._experts.setdefault(Identity(batch.partition, key), Curve(pace=0.25))
                if curve.due(now):
                    curve.add(now, weights)
            await asyncio.sleep(0)  # a long backlog must not keep /livez waiting
        self.history.learning.observe(now, self.history.sums)
        for name, (scored, error, persistence, inside) in zip(self._names, self._recent.tolist(), strict=True):
            if scored > 0 and persistence > 0:
                self._metrics.skill.labels(name).set(1 - error / persistence)
                self._metrics.coverage.labels(name).set(inside / scored)
        self._metrics.listed.update(self.history, self._open, self._names, now)
        self._counts.append((now, self._tally.events))
        while len(self._counts) > 2 and now - self._counts[1][0] > RATE_WINDOW:
            self._counts.popleft()
        self._watch()

    def _told(self, alert: dict[str, Any], partition: Partition) -> dict[str, Any]:
        """An alert that opened, with what to answer it with, and which known fault it is of."""
        if alert["state"] != "opened":
            return alert
        if self._feedback is not None:
            alert["feedback"] = list(self._feedback(partition))
        if self._faults is not None:
            alert["injected"] = known_faults.at(self._faults.of(alert["key"]), alert["time"] * 1e6)
        return alert

    def _forget_lost(self, now: float) -> None:
        owned = self._health.partitions()
        for partition in self.history.partitions():
            if partition in owned:
                self._lost.pop(partition, None)
            elif now - self._lost.setdefault(partition, now) > KEPT:
                self.history.forget(partition)
                self._open.forget(partition)
                del self._lost[partition]

    def _watch(self) -> None:
        """With few series all of them, else those that somebody looked at last."""
        few = len(self.history) <= MOST_WATCHED
        chosen = self.history.identities() if few else self._chosen
        watched = frozenset(identity for identity in chosen if identity is not None)
        if watched != self.watched:
            self.watched = watched
            self._experts = {identity: curve for identity, curve in self._experts.items() if identity in watched}

    # -- for one page --------------------------------------------------------------------------------------------------

    async def events(self, selection: Selection) -> AsyncGenerator[bytes, None]:
        """See `pages.Source`."""
        yield b"retry: 1000\n\n" + event("hello", frames.dumps({"boot": self._boot, "version": __version__}))
        last_overview = last_sent = float("-inf")
        shown = None
        while True:
            woken, now, out = self._woken, self._clock(), b""
            if now - last_overview >= OVERVIEW:
                last_overview = now
                out += self._once("overview", selection.search, self.overview, selection.search, now)
            identity = self._selected(selection)
            row = self.history.row(identity) if identity is not None else None
            version = (identity, int(self.history.count[row]) if row is not None else -1)
            if selection.key and (version != shown or now - last_sent >= SILENCE):
                shown = version
                sought = selection._replace(search="")
                out += self._once("chart", sought, self.chart, identity, row, selection, now)
            if out:
                last_sent = now
                yield out
            if woken is None:
                await asyncio.sleep(SHORTEST_TICK)
            else:
                await woken.wait()

    def _once(self, name: str, what: object, make: Callable[..., dict[str, Any]], *arguments: Any) -> bytes:
        """An event that is made once a tick, however many pages want it."""
        if (found := self._made.get((name, what))) is None:
            found = self._made[name, what] = event(name, frames.dumps(make(*arguments)))
        return found

    def _selected(self, selection: Selection) -> Identity | None:
        for partition, rows in self.history.partitions().items():
            if partition.number == selection.partition and selection.key in rows:
                identity = Identity(partition, selection.key)
                self._choose(identity)
                return identity
        return None

    def _choose(self, identity: Identity) -> None:
        if self._chosen[-1:] != [identity]:
            others = [other for other in self._chosen if other != identity]
            self._chosen = [*others, identity][-MOST_WATCHED:]

    def listing(self, search: str, after: str, limit: int) -> dict[str, Any]:
        """See `newest.listing`."""
        return newest.listing(self.history, self._open, self._names, CHANNEL_NAMES, search, after, limit)

    def latest(self, key: str, topic: str | None, number: int | None) -> list[dict[str, Any]]:
        """See `newest.latest`: one of every partition that has the series."""
        documents = []
        for identity in newest.found(self.history, key, topic, number):
            self._choose(identity)
            row, curve = self.history.row(identity), self._experts.get(identity)
            assert row is not None
            weights = curve.items[-1].T if curve is not None and curve.items else None
            experts = None if weights is None else dict(zip(self._tally.experts, weights, strict=True))
            documents.append(
                newest.latest(
                    self.history,
                    row,
                    self._open.of(identity),
                    self._names,
                    CHANNEL_NAMES,
                    experts,
                    level=self._level,
                    horizon=self._horizon,
                )
            )
        return documents

    def chart(self, identity: Identity | None, row: int | None, selection: Selection, now: float) -> dict[str, Any]:
        """The frame of the chosen series; `missing` until it has events."""
        if identity is None or row is None:
            return {"key": selection.key, "partition": selection.partition, "missing": True}
        experts = self._experts.get(identity)
        frame = frames.chart(self.history, row, selection, CHANNEL_NAMES, experts, time.time() - now, now)
        frame |= {"targets": self._names, "level": self._level, "expert_names": self._tally.experts}
        if self._faults is None:
            return frame
        faults = self._faults.of(identity.key)
        for episode in frame["episodes"]:
            episode["injected"] = known_faults.at(faults, episode["began"] * 1e6)
        newest_time = float(frame["times"][-1]) if len(frame["times"]) else 0.0
        injected = [
            {"kind": fault.kind, "began": fault.began / 1e6, "ended": min(fault.ended / 1e6, newest_time)}
            for fault in faults
            if fault.began / 1e6 <= newest_time
        ]
        return frame | {"injected": injected}

    def overview(self, search: str, now: float) -> dict[str, Any]:
        """The frame of the header and the list."""
        partitions = self._health.partitions()
        lags = [found.lag for found in partitions.values() if found.lag is not None]
        (began, before), (ended, after) = self._counts[0], self._counts[-1]
        alive, ready = self._health.alive(), self._health.ready()
        tally = self._tally
        return {
            "now": time.time(),
            "rate": (after - before) / (ended - began) if ended > began else 0.0,
            "lag": sum(lags) if lags else None,
            "partitions": [
                {"name": f"{p.topic}[{p.number}]", "phase": found.phase, "progress": found.progress, "lag": found.lag}
                for p, found in partitions.items()
            ],
            "events": tally.events,
            "anomalies": tally.anomalies,
            "dead_letters": tally.dead_letters,
            "updates": tally.updates,
            "updates_skipped": tally.updates_skipped,
            "drift_alarms": tally.drift_alarms,
            "restarts": tally.restarts,
            "memory": resident_bytes(),
            "dropped": self._backlog.dropped,
            "alive": alive.healthy,
            "ready": ready.healthy,
            "reasons": list(dict.fromkeys((*alive.reasons, *ready.reasons))),
            "series": frames.overview(self.history, search, now),
            "alerts": [*reversed(self._alerts)],
        }


def resident_bytes() -> int:
    """Memory of this process, bytes; where the system does not say, the most it ever had."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
