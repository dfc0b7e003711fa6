"""The fold inside other stream processors gives what a run gives: each example with its library."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from streamrnn.runtime.stepper import Stepper

pytestmark = pytest.mark.thorough
FOLDER = Path(__file__).parent.parent.parent / "examples"
MISSING = "no {}; pip install 'streamrnn[examples]' in an environment of its own"
EVENTS = [
    {"key": key, "time": 1_767_225_600 + 3600 * i, "value": float((i * step) % 7)}
    for i in range(40)
    for key, step in (("a", 1), ("b", 3))
]


def example(name: str, library: str) -> ModuleType:
    if importlib.util.find_spec(library) is None:
        pytest.skip(MISSING.format(library))
    specification = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def expected() -> dict[str, list[Any]]:
    """What a run answers, by key."""
    _, steps = Stepper({"model.preset": "lite"}).step_many({}, EVENTS)
    return by_key([json.loads(record.value or b"") for record in steps.records if record is not None])


def by_key(records: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in records:
        found.setdefault(record["key"], []).append(record)
    return found


@pytest.mark.kafka
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quix_streams(bootstrap: str, tmp_path: Path) -> None:
    from tests.broker.client import Client

    with Client(bootstrap) as client:
        events, forecasts = [client.create_topic(client.unique(name)) for name in ("events", "forecasts")]
        client.produce(events, [(0, event["key"].encode(), json.dumps(event).encode()) for event in EVENTS])
        module = example("quix_streams", "quixstreams")
        half = len(EVENTS) // 2
        for _ in range(2):  # the second goes on where the first ended
            module.application(bootstrap, events, forecasts, state_dir=tmp_path).run(count=half, timeout=30.0)
        written = [json.loads(record.value) for record in client.read(forecasts)]
    assert by_key(written) == expected()


@pytest.mark.kafka
def test_faust(bootstrap: str, tmp_path: Path) -> None:
    from tests.broker.client import Client

    if importlib.util.find_spec("faust") is None:
        pytest.skip(MISSING.format("faust"))
    command = [sys.executable, "-W", "ignore", "-m", "faust", "-A", "faust_app", "--datadir", tmp_path, "worker"]
    path = os.pathsep.join([str(FOLDER), str(FOLDER.parent)])
    environment = os.environ | {"BROKER": f"kafka://{bootstrap}", "PYTHONPATH": path}
    with Client(bootstrap) as client, open(tmp_path / "log", "wb") as log:
        for name in ("events", "forecasts"):
            client.create_topic(name)
        client.produce("events", [(0, event["key"].encode(), json.dumps(event).encode()) for event in EVENTS])
        worker = subprocess.Popen([*command, "--without-web"], env=environment, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 120
            while len(written := client.read("forecasts")) < len(EVENTS) and time.monotonic() < until:
                assert worker.poll() is None, (tmp_path / "log").read_text()[-3000:]
                time.sleep(0.5)
        finally:
            worker.terminate()
            worker.wait(30)
    assert by_key([json.loads(record.value) for record in written]) == expected(), (tmp_path / "log").read_text()[
        -3000:
    ]


@pytest.mark.filterwarnings("ignore")
def test_fast_stream() -> None:
    module = example("fast_stream", "faststream")
    from faststream.kafka import TestKafkaBroker

    found: list[Any] = []

    async def play() -> None:
        @module.broker.subscriber("forecasts")
        async def receive(record: dict[str, Any]) -> None:
            found.append(record)

        async with TestKafkaBroker(module.broker) as broker:
            for event in EVENTS:
                await broker.publish(event, "events", key=event["key"].encode())

    asyncio.run(play())
    assert by_key(found) == expected()
