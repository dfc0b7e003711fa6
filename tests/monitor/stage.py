"""A worker with a monitor in this process, fed by hand; and a model that costs nothing, where no model is needed."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pytest

from streamrnn.anomaly.detector import CHANNEL_NAMES
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.connectors.base import Commit
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.forecasting.answers import Answers, blank_answers
from streamrnn.monitor.batch_queue import Batch
from streamrnn.monitor.monitor import Monitor
from streamrnn.records.events import Decoded
from streamrnn.records.forecasts import encode
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.observer import Observer, Observers, Step
from streamrnn.runtime.task import ForecastTask, task_of
from streamrnn.runtime.worker import Worker

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z in milliseconds


def configured(**overrides: Any) -> Config:
    """A small pipeline with a monitor on any free port."""
    small: dict[str, object] = {"model.hidden_size": 4, "model.truncation_length": 2, "monitor.port": 0}
    return load(None, small | {name.replace("__", "."): value for name, value in overrides.items()}, {})


def answers(decoded: Decoded, horizon: int = 1) -> Answers:
    """As a model that forecasts the value itself, one wide."""
    x = decoded.targets
    ahead = np.repeat(x[:, None, :], horizon, axis=1)
    return blank_answers(len(x), 1, horizon, x.shape[1])._replace(
        previous=x - 0.5,
        expected=x - 0.25,
        expected_median=x - 0.25,
        lower=x[:, None] - 1,
        upper=x[:, None] + 1,
        interval=np.full(len(x), 1_000_000),
        forecast=ahead,
        forecast_median=ahead,
        forecast_lower=ahead[:, None] - 1,
        forecast_upper=ahead[:, None] + 1,
        score=np.full(len(x), 0.5),
    )


def batch(keys: Sequence[str], times: Sequence[int], values: Sequence[float], number: int = 0, **changes: Any) -> Batch:
    """A batch of one target."""
    targets = np.array(values, np.float64).reshape(-1, 1)
    decoded = Decoded(list(keys), np.array(times, np.int64), targets, np.zeros((len(keys), 0)), [], [])
    return Batch(
        Partition("events", number), decoded.keys, decoded.times, targets, answers(decoded)._replace(**changes), {}
    )


class FreeSeries:
    """The table of series of a `FreeModel`."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def in_memory(self) -> int:
        return len(self.keys)


class FreeModel:
    """Stands in for `ForecastModel`: answers at once, learns nothing."""

    bytes = 1000
    bytes_per_series = 100
    wants_snapshot = False
    expert_names = ()
    pieces = 1

    def __init__(self, config: Config) -> None:
        self._horizon = config.model.horizon
        self.counters = {"events": 0, "late": 0, "watermark": 0}
        self.series = FreeSeries()

    def process(self, decoded: Decoded) -> Answers:
        self.counters["events"] += len(decoded.keys)
        self.series.keys.update(decoded.keys)
        return answers(decoded, self._horizon)

    def begin(self, decoded: Decoded) -> Callable[[], Answers]:
        found = self.process(decoded)
        return lambda: found

    def encode(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        return encode(partition, ("value",), CHANNEL_NAMES, decoded, answers)

    def alerts(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        return []

    def unusable(self, decoded: Decoded, answers: Answers) -> list[Any]:
        return decoded.rejected

    def snapshot(self, offset: int, partition: Partition | None = None) -> Iterator[Message]:
        return iter(())

    def restore(self, messages: Any, expected: int | None = None, partition: Any = None) -> Iterator[int]:
        return iter(())

    def open_alerts(self) -> list[Any]:
        return []

    def expert_weights(self, key: str) -> None:
        return None

    def statistics(self) -> dict[str, int]:
        return {"updates": self.counters["events"]}

    def close(self) -> None:
        pass


class ForgetfulConnector(MemoryConnector):
    """Keeps no outputs: a test of the monitor's memory must not measure the log's."""

    def commit(self, commit: Commit) -> None:
        super().commit(Commit(offsets=commit.offsets))


class Heard(Observer):
    """Where the worker's steps ended that the observers before this one were told of."""

    def __init__(self) -> None:
        self.offsets: dict[Partition, int] = {}

    def step(self, step: Step) -> None:
        self.offsets[step.partition] = step.offset


class Stage:
    """`with Stage(config) as stage`: the pipeline runs, `stage.feed` gives it events, `stage.get` asks the server."""

    def __init__(self, config: Config, *, partitions: int = 1, **known: Any) -> None:
        """`known`: the `faults` and the `feedback` of a `Monitor`."""
        self.config = config
        self.log = MemoryLog("events", partitions)
        self.monitor = Monitor(task_of(config), **known)
        self.stop = threading.Event()
        self.heard = Heard()
        observers = Observers(self.monitor, self.heard)
        self.worker = Worker(task_of(config), self._connect, keep_state=False, observer=observers, stop=self.stop)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._steps: dict[str, int] = {}

    def _connect(self) -> Any:
        return self.monitor.watch(ForgetfulConnector(self.log, 2000))

    def _work(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:
            self.failure = error

    def __enter__(self) -> Self:
        self.monitor.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self._thread.join(10)
        self.monitor.__exit__(kind, error, trace)
        assert self.failure is None or error is not None, self.failure

    @property
    def url(self) -> str:
        return self.monitor.url

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def feed(self, key: str, *values: float | None, number: int = 0) -> None:
        """The next events of a series, ten minutes apart."""
        for value in values:
            step = self._steps[key] = self._steps.get(key, 0) + 1
            event = {"key": key, "time": START + 600_000 * step, "value": value}
            self.log.append(number, Message(key.encode(), orjson.dumps(event)))

    def settled(self) -> None:
        """Wait until everything that was fed is committed and the monitor, which hears of it later, was told."""
        expected = {partition: len(records) for partition, records in self.log.inputs.items() if records}
        for found in (self.log.offsets, self.heard.offsets):
            until(lambda found=found: {p: found.get(p) for p in expected} == expected)  # type: ignore[misc]

    def get(self, path: str, **headers: str) -> Answer:
        return get(self.monitor.port, path, **headers)


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    text: str


def get(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request on a connection of its own; underscores in header names are hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read().decode())
    finally:
        connection.close()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something that happens on another thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.01)


@pytest.fixture
def free_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this test use the model that costs nothing."""
    monkeypatch.setattr(ForecastTask, "model", lambda task: FreeModel(task.config))
