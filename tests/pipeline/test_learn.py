"""History first, then live, and states moved, through real processes and a real broker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from streamrnn.connectors.kafka.placement import partition_of
from tests.pipeline.workers import START, Application, generate

pytestmark = pytest.mark.kafka
Make = Callable[..., Application]
SERIES = 6


def without_source(app: Application) -> dict[int, list[bytes]]:
    """The records of every partition in order, without where each came from."""
    found: dict[int, list[bytes]] = {}
    for (partition, _), value in sorted(app.outputs().items()):
        found.setdefault(partition, []).append(re.sub(rb'"source":\{[^}]*\},', b"", value))
    return found


def finish(app: Application) -> None:
    app.start(0)
    app.wait_until_done()
    app.wait_for(lambda: app.is_live(0))
    assert app.stop(0) == 0


def said(done: object) -> str:
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    return str(done.stdout)  # type: ignore[attr-defined]


def test_a_topic_is_learned_and_the_rest_is_as_in_one_undisturbed_run(application: Make) -> None:
    whole, parted, same = (application(partitions=2) for _ in range(3))
    messages = list(generate(6000, SERIES, 2, 1, START))
    history, live = messages[:4000], messages[4000:]
    old = parted.client.create_topic(parted.client.unique("history"), 2)
    whole.client.produce(whole.input, messages)
    parted.client.produce(old, history)
    parted.client.produce(parted.input, live)
    told = said(parted.command("learn", "--topic", old, "--then", "earliest"))
    assert told.startswith("4,000 events of 6 series learned, 0 records unusable")
    same.client.produce(same.input, history)
    assert "goes live at offset" in said(same.command("learn", "--topic", same.input))
    same.client.produce(same.input, live)
    for app in (whole, parted, same):
        finish(app)
    wanted = without_source(whole)
    for app in (parted, same):
        found = without_source(app)
        assert sum(map(len, found.values())) == 2000
        assert all(found[number] == wanted[number][-len(found[number]) :] for number in found)
        assert app.digests() == whole.digests()
    again = parted.command("learn", "--topic", old, "--then", "earliest")
    assert again.returncode == 1
    assert "has begun already: give --replace" in again.stderr
    wider = parted.client.create_topic(parted.client.unique("wider"), 3)
    refused = parted.command("learn", "--topic", wider, "--then", "earliest", "--replace")
    assert refused.returncode == 2
    assert "has 3 partitions, and the input has 2" in refused.stderr


def test_files_are_learned_into_the_partitions_of_their_keys(application: Make, tmp_path: Path) -> None:
    whole, parted = application(partitions=3), application(partitions=3)
    events = [(key, value) for _, key, value in generate(3000, 30, 3, 1, START) if value is not None]
    placed = [(partition_of(key or b"", 3), key, value) for key, value in events]
    assert {number for number, _, _ in placed} == {0, 1, 2}
    history, live = placed[:2000], placed[2000:]
    (tmp_path / "history.jsonl").write_bytes(b"".join(value + b"\n" for _, _, value in history))
    whole.client.produce(whole.input, placed)
    asked = parted.command("learn", str(tmp_path / "history.jsonl"))
    assert asked.returncode == 2
    assert "say where to go live: --then" in asked.stderr
    said(parted.command("learn", str(tmp_path / "history.jsonl"), "--then", "latest"))
    parted.client.produce(parted.input, live)
    for app in (whole, parted):
        finish(app)
    wanted, found = without_source(whole), without_source(parted)
    assert sum(map(len, found.values())) == 1000
    assert all(found[number] == wanted[number][-len(found[number]) :] for number in found)
    assert parted.digests() == whole.digests()


def test_a_state_moves_to_another_application_with_the_same_digest(application: Make, tmp_path: Path) -> None:
    first, mirror, fresh, narrow = (application(partitions=n) for n in (2, 2, 2, 1))
    messages = list(generate(4000, SERIES, 2, 1, START))
    for app in (first, mirror):
        app.client.produce(app.input, messages[:3000])
    finish(first)
    file = str(tmp_path / "learned.state")
    said(first.command("state", "export", file))
    wanted = first.digests()
    # The same events at the same offsets elsewhere: it goes on where the first one was.
    told = said(mirror.command("state", "import", file, "--to", "keep"))
    assert "goes live at offset 1500" in told
    assert mirror.digests() == wanted
    said(fresh.command("state", "import", file, "--to", "latest"))
    assert fresh.digests() == wanted
    for app in (first, mirror, fresh):
        app.client.produce(app.input, messages[3000:])
        finish(app)
    rest = without_source(first)
    for app in (mirror, fresh):
        found = without_source(app)
        assert sum(map(len, found.values())) == 1000
        assert all(found[number] == rest[number][-len(found[number]) :] for number in found)
    refused = narrow.command("state", "import", file, "--to", "latest")
    assert refused.returncode == 1
    assert "holds 2 partitions of" in refused.stderr
    kept = fresh.command("state", "import", file, "--to", "keep", "--replace")
    assert kept.returncode == 1
    assert "cannot begin at offset 1500: the log has 0 to" in kept.stderr
    other = application(partitions=2, **{"model.horizon": 3})
    refused = other.command("state", "import", file, "--to", "latest")
    assert refused.returncode == 1
    assert "model.horizon was 1, is 3" in refused.stderr


def test_one_partition_becomes_several(application: Make, tmp_path: Path) -> None:
    narrow, wide = application(partitions=1), application(partitions=3)
    narrow.client.produce(narrow.input, [(0, key, value) for _, key, value in generate(1200, SERIES, 1, 1, START)])
    finish(narrow)
    file = str(tmp_path / "learned.state")
    said(narrow.command("state", "export", file))
    said(wide.command("state", "import", file, "--to", "latest"))
    rows = json.loads(said(wide.command("inspect", "--json")))
    assert sum(row["series"] for row in rows) == SERIES
    places = {partition_of(key or b"", 3) for _, key, _ in generate(60, SERIES, 1, 1, START)}
    assert {number for number, row in enumerate(rows) if row["series"]} == places
