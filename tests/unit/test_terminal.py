"""The live view in terminals of any width, and what the demo says of its faults."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from streamrnn.anomaly import episodes
from streamrnn.app.fleet import Reading
from streamrnn.app.injected_faults import AFTER, InjectedFaults
from streamrnn.app.terminal import LiveView
from streamrnn.forecasting.answers import blank_answers
from streamrnn.monitor.known_faults import at
from streamrnn.records.events import Decoded
from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Step


def step(readings: Iterable[Reading], opens: Iterable[int] = ()) -> Step:
    """The events of these readings; those at `opens` opened an alert."""
    some = list(readings)
    answers = blank_answers(len(some), 1, 1, 1)
    answers.changes[list(opens), episodes.ANOMALY, episodes.NUMBER] = 1
    values = np.array([[reading.value] for reading in some])
    answers.forecast[:, 0] = answers.expected_median[:] = values + 0.5
    answers.forecast_lower[:, 0, 0], answers.forecast_upper[:, 0, 0] = values - 12345.678, values + 12345.678
    times = np.array([reading.time * 1000 for reading in some], np.int64)
    decoded = Decoded([reading.key for reading in some], times, values, np.zeros((len(some), 0)), [], [])
    model: Any = None
    return Step(Partition("demo", 0), decoded, answers, [], model, len(some), 0.0)


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (30, ["series", "observed"]),
        (60, ["series", "recent", "observed", "surprise"]),
        (80, ["series", "recent", "observed", "surprise", "alerts"]),
        (160, ["series", "recent", "observed", "next", "interval", "skill", "surprise", "alerts"]),
    ],
)
def test_the_live_view_fits_the_terminal(width: int, columns: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    view = LiveView(Console(file=out, force_terminal=True, color_system=None))
    view.step(step(Reading("pump-7", 60_000 * i, 1234.5678 * (-1) ** i, None) for i in range(60)))
    view._console.print(view._render())
    lines = [line for line in out.getvalue().splitlines() if "│" in line or "┃" in line]
    assert lines
    assert max(map(cell_len, lines)) <= width
    heading, row = lines
    assert all(name in heading for name in columns)
    assert "pump-7" in row
    assert "…" not in heading + row
    bars = sum(row.count(bar) for bar in "▁▂▃▄▅▆▇█")
    assert bars == 40 if width == 160 else bars >= 8 * ("recent" in columns)


def test_faults_that_were_found_and_alerts_that_were_none() -> None:
    faults = InjectedFaults()
    kinds = [None] * 5 + ["spike"] + [None] * 10 + ["frozen"] * 8 + [None] * 10 + ["noise"] * 4 + [None] * 10
    readings = [Reading("pump-1", 1000 * i, 1.0, kind) for i, kind in enumerate(kinds)]
    other = [Reading("pump-2", 1000 * i, 1.0, None) for i in range(len(kinds))]
    for reading in [*readings, *other]:
        faults.note(reading)
    assert faults.summary() == "injected faults found: 0 of 0\nalerts outside any fault: 0 of 0"
    frozen = kinds.index("frozen")
    spike, late, too_late = kinds.index("spike"), frozen + 7 + AFTER, frozen + 8 + AFTER
    faults.step(step(readings, [2, spike, late, too_late]))
    faults.step(step(other, [frozen]))
    assert faults.summary().splitlines() == [
        "injected faults found: 2 of 3",
        "  frozen 1 of 1, noise 0 of 1, spike 1 of 1",
        "alerts outside any fault: 3 of 5",
    ]


def test_faults_that_follow_each_other_are_counted_one_by_one() -> None:
    faults = InjectedFaults()
    kinds = ["spike", "noise", "noise", None, "spike", None, None, None, None, None]
    readings = [Reading("pump-1", 1000 * i, 1.0, kind) for i, kind in enumerate(kinds)]
    for reading in readings:
        faults.note(reading)
    faults.step(step(readings, [1, 4]))
    assert faults.summary().startswith("injected faults found: 2 of 3\n")
    told = [(fault.kind, fault.began, fault.ended, fault.until) for fault in faults.of("pump-1")]
    second = 1_000_000
    assert told == [
        ("spike", 0, 0, 0),
        ("noise", second, 2 * second, 3 * second),
        ("spike", 4 * second, 4 * second, (4 + AFTER) * second),
    ]
    assert [at(faults.of("pump-1"), time * second) for time in (0, 3, 4, 8)] == ["spike", "noise", "spike", None]
    assert faults.of("pump-2") == ()
