"""A query of Prometheus as a log: one record per step, with what every series was then.

    offset n    the moment n * step since 1970; its record has a point {"key", "time", "value"} per series, by key
    the end     the last step that is `delay` old: what is younger may still change

The log is as lasting as Prometheus keeps its samples, and as settled as `delay` lets it become. Snapshots know their
offset and how long the outputs were, as with files, so a restart goes on at exactly the step where its state is. A step
at which nothing was there has no record; while Prometheus does not answer the log waits.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import numpy as np
import orjson

from streamrnn.config.prometheus import PrometheusConfig
from streamrnn.connectors.base import Polled
from streamrnn.connectors.file_outputs import FileOutputConnector
from streamrnn.connectors.requests import Refused, ask
from streamrnn.errors import ConfigurationError, ConnectorError, StateError
from streamrnn.records.event_schema import LARGEST_VALUE
from streamrnn.records.events import format_times
from streamrnn.records.log import Partition
from streamrnn.state.snapshot_folder import SnapshotFolder

log = logging.getLogger(__name__)

STEPS_AT_ONCE = 500
"""Of one question; Prometheus answers up to 11,000 for a series."""
MOST_BYTES = 256 << 20
PAUSE = 1.0  # seconds between two questions that were not answered
ARRAY = "points"
"""Where the points of a record stand (`event.array`)."""


class PrometheusRecord(NamedTuple):
    """One step."""

    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int | None = None  # milliseconds


class PrometheusConnector(FileOutputConnector):
    """The connector protocol over one query and files to write."""

    unit = "step"

    def __init__(
        self,
        config: PrometheusConfig,
        names: tuple[str, str, str] = ("key", "time", "value"),
        output: Path | None = None,
        *,
        state: Path | None = None,
        dead_letters: Path | None = None,
        alerts: Path | None = None,
        max_poll_records: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`names` are the fields of a point; `clock` says seconds since 1970."""
        assert config.url is not None
        assert config.query is not None
        super().__init__(Partition("prometheus", 0), (), output, dead_letters, alerts)
        if state is not None and output is None:
            raise ConfigurationError("--state needs an output file: a stream cannot be cut back")
        self._config, self._names, self._clock = config, names, clock
        self._step = round(config.step * 1000)  # milliseconds
        self._state, self._max_poll_records = state, max_poll_records
        self._waiting: list[PrometheusRecord] = []
        self._ahead = 0  # the first step that was not asked for
        self._opened = False
        self._unanswered_since: float | None = None
        self._went_on: int | None = None  # where a state goes on, until the first record has come

    def __enter__(self) -> Self:
        return self if self._opened else self.open()

    def open(self) -> Self:
        """Find the state, and cut back what a run that was killed wrote after it; returns itself."""
        self._opened = True
        facts: Mapping[str, object] = {}
        try:
            if self._state is not None:
                self._folder = SnapshotFolder(self._state)
                facts = self._folder.facts or {}
            if facts:
                self._refuse_another(facts.get("prometheus"))
                self._offset = int(str(facts["offset"]))
            self._outputs.resume(facts)
        except BaseException:
            self.close(0)
            raise
        return self

    def facts(self, offset: int | None) -> dict[str, object]:
        """What a snapshot at `offset` says of the input."""
        return {"offset": offset, "prometheus": self._query()}

    def _facts(self) -> dict[str, object]:
        return self.facts(self._offset)

    def _query(self) -> dict[str, object]:
        return {"query": self._config.query, "step": self._step / 1000}

    def _refuse_another(self, stored: object) -> None:
        asked = self._query()
        if stored == asked:
            return
        if not isinstance(stored, dict):
            raise StateError(f"{self._state} holds the state of a run over files: choose another folder")
        differ = [f"{name} was {stored[name]!r}, is {now!r}" for name, now in asked.items() if stored.get(name) != now]
        raise StateError(
            f"the state belongs to another query: {'; '.join(differ)}. Give them as then, or start again with "
            "`streamrnn reset --state DIR`"
        )

    def _first(self) -> int:
        """Where a log begins that has no state: at the configured time, else now."""
        begin = self._config.begin
        return self._end() if begin is None else -(-round(begin.timestamp() * 1000) // self._step)

    def _end(self) -> int:
        """The first step that is not there yet."""
        settled = math.floor((self._clock() - self._config.delay) * 1000) // self._step + 1
        last = self._config.until
        return settled if last is None else min(settled, -(-round(last.timestamp() * 1000) // self._step))

    @property
    def _ends(self) -> bool:
        until = self._config.until
        return until is not None and self._ahead * self._step >= until.timestamp() * 1000

    def poll(self, timeout: float) -> Polled:
        """See `Connector.poll`."""
        if not self._assigned:
            self._assigned = True
            return Polled(assigned=[self.partition])
        if not self._running:
            return Polled()
        if not self._waiting:
            if self._ends:
                return Polled(finished=True)
            end = min(self._end(), self._ahead + STEPS_AT_ONCE)
            if end <= self._ahead:
                missing = ((self._ahead) * self._step) / 1000 + self._config.delay - self._clock()
                time.sleep(min(timeout, max(missing, 0.001)))
                return Polled()
            answer = self._ask(self._ahead, end)
            if answer is None:
                time.sleep(min(timeout, PAUSE))
                return Polled()
            self._waiting, self._ahead = answer, end
            if not self._waiting:
                return Polled()
            self._tell_of_a_hole(self._waiting[0].offset)
        taken = self._waiting[: self._max_poll_records]
        self._waiting = self._waiting[self._max_poll_records :]
        return Polled(records={self.partition: taken})

    def _tell_of_a_hole(self, first: int) -> None:
        if self._went_on is not None and first > self._went_on:
            before, after = (
                format_times(np.array([step * self._step * 1000]))[0] for step in (self._went_on, first)
            )  # fmt: skip
            log.warning(
                "nothing between %s, where the state is, and %s: there was nothing, or %s keeps its samples for less "
                "long than this run was stopped", before, after, self._config.url,
            )  # fmt: skip
        self._went_on = None

    def _ask(self, start: int, end: int) -> list[PrometheusRecord] | None:
        """The records with start <= offset < end; None where Prometheus does not answer now."""
        config = self._config
        times = {"start": start * self._step / 1000, "end": (end - 1) * self._step / 1000, "step": self._step / 1000}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if config.token is not None:
            headers["Authorization"] = f"Bearer {config.token.get_secret_value()}"
        asked = urlencode({"query": config.query, **{name: f"{at:.3f}" for name, at in times.items()}}).encode()
        try:
            answer = ask(
                "POST", f"{str(config.url).rstrip('/')}/api/v1/query_range", asked, headers=headers,
                timeout=config.timeout, cafile=None if config.ca_file is None else str(config.ca_file),
                most=MOST_BYTES + 1,
            )  # fmt: skip
        except Refused as refused:
            if refused.status in (400, 401, 403, 404, 405, 413) or 300 <= refused.status < 400:
                raise ConnectorError(f"{config.url} refuses the query {config.query!r}: {refused}") from refused
            if self._unanswered_since is None:
                log.warning("%s does not answer, and is asked again: %s", config.url, refused)
                self._unanswered_since = time.monotonic()
            return None
        if len(answer) > MOST_BYTES:
            raise ConnectorError(
                f"{config.url}: {end - start} steps of {config.query!r} are over {MOST_BYTES >> 20} MiB: ask for fewer "
                "series"
            )
        if self._unanswered_since is not None:
            log.warning("%s answers again after %.0f s", config.url, self.silence())
            self._unanswered_since = None
        return self._records(answer)

    def _records(self, answer: bytes) -> list[PrometheusRecord]:
        try:
            document = orjson.loads(answer)
            found, kind = document["data"]["result"], document["data"]["resultType"]
        except (ValueError, KeyError, TypeError):
            raise ConnectorError(f"{self._config.url} answers, but not as Prometheus does") from None
        if kind != "matrix":
            raise ConnectorError(f"{self._config.url}: the query gives a {kind}, not numbers of series")
        points: dict[int, dict[str, float | None]] = {}
        for one in found:
            key = self._key(one["metric"])
            for moment, text in one.get("values", ()):
                step = round(moment * 1000) // self._step
                if key in points.setdefault(step, {}):
                    raise ConnectorError(
                        f"two series of {self._config.query!r} have the key {key!r}: prometheus.by needs more labels"
                    )
                points[step][key] = _number(text)
        return [self._record(step, points[step]) for step in sorted(points)]

    def _record(self, step: int, values: Mapping[str, float | None]) -> PrometheusRecord:
        moment = format_times(np.array([step * self._step * 1000]))[0]
        key, time_, value = self._names
        document = {ARRAY: [{key: name, time_: moment, value: values[name]} for name in sorted(values)]}
        return PrometheusRecord(step, orjson.dumps(document), None, step * self._step)

    def _key(self, labels: Mapping[str, str]) -> str:
        """The values of the chosen labels with / between, else the name and all labels as Prometheus writes them."""
        if self._config.by:
            return "/".join(labels.get(name, "").replace("/", "%2F") for name in self._config.by)
        inside = ",".join(f"{name}={_quoted(labels[name])}" for name in sorted(labels) if name != "__name__")
        return labels.get("__name__", "") + (f"{{{inside}}}" if inside else "") or "default"

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """See `Connector.bounds`; how far back Prometheus keeps samples it does not say."""
        return 0, max(self._end(), self._offset or 0)

    def beginning(self, partition: Partition) -> int:
        """See `Connector.beginning`."""
        return self._first()

    def start(self, partition: Partition, offset: int) -> None:
        """See `Connector.start`."""
        self._ahead, self._waiting, self._running = offset, [], True
        self._went_on = offset if self._offset is not None else None

    def lag(self, partition: Partition) -> int | None:
        """See `Connector.lag`."""
        return max(0, self._end() - self._ahead) + len(self._waiting) if self._running else None

    def silence(self) -> float:
        """See `Connector.silence`."""
        return 0.0 if self._unanswered_since is None else time.monotonic() - self._unanswered_since

    @property
    def asked(self) -> dict[str, Any]:
        """What of the configuration of events is decided by how a record is made."""
        return {"array": ARRAY, "format": "json", "envelope": "none", "time_format": None, "time_unit": None}


def _number(text: str) -> float | None:
    """A sample's value; what is no number, or none that a model can take, is missing."""
    value = float(text)
    return value if abs(value) <= LARGEST_VALUE else None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
