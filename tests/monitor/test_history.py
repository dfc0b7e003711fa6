from __future__ import annotations

import numpy as np
import pytest

from streamrnn.monitor.downsampling import Curve
from streamrnn.monitor.frames import Selection, chart, dumps, episodes, overview, ranked
from streamrnn.monitor.history import NO_MARK, OBSERVED, History, Identity
from streamrnn.records.log import Partition
from tests.monitor.stage import batch

PARTITION = Partition("events", 0)


def row(history: History, key: str) -> int:
    found = history.row(Identity(PARTITION, key))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [1, 3, 50, 400])
def test_a_ring_holds_the_last_points_of_every_series_whatever_the_batches(size: int) -> None:
    random = np.random.Generator(np.random.Philox(key=1))
    history = History(1, 1, budget=40 * 45 * 16)
    events = [(f"s{random.integers(9)}", time, float(random.normal())) for time in range(2000)]
    for start in range(0, len(events), size):
        keys, times, values = zip(*events[start : start + size], strict=True)
        history.add(batch(keys, times, values), now=1.0)
    for key in {key for key, _, _ in events}:
        own = [(time, value) for name, time, value in events if name == key][-history.points :]
        points = history.last(row(history, key), 10_000)
        assert points.times.tolist() == [time for time, _ in own]
        assert points.values[:, 0, OBSERVED].tolist() == [value for _, value in own]


def test_more_series_mean_fewer_points_and_the_newest_stay() -> None:
    history = History(1, 1, budget=1 << 20)
    longest = history.points
    history.add(batch(["a"] * 3000, range(3000), range(3000)), now=0.0)
    history.add(batch([f"s{n}" for n in range(700)], range(700), range(700)), now=1.0)
    assert history.points < longest
    points = history.last(row(history, "a"), 10_000)
    assert points.times.tolist() == list(range(3000))[-history.points :]
    assert history.last(row(history, "s123"), 5).values[:, 0, OBSERVED].tolist() == [123.0]
    assert history.sums[row(history, "a"), 0].tolist() == [3000, 750, 1500, 3000]


def test_beyond_the_limit_the_silent_series_make_room() -> None:
    history = History(1, 1, most_series=64)
    for n in range(200):
        history.add(batch(["kept", f"s{n}"], [n, n], [n, n]), now=float(n))
    assert len(history) <= 64
    assert history.row(Identity(PARTITION, "kept")) is not None
    assert history.count[row(history, "kept")] == 200
    assert history.row(Identity(PARTITION, "s0")) is None
    assert history.last(row(history, "s199"), 9).times.tolist() == [199], "a recycled row remembers nothing"


def test_a_batch_with_more_series_than_fit_is_no_trouble() -> None:
    history = History(1, 1, most_series=32)
    history.add(batch([f"s{n}" for n in range(500)], range(500), range(500)), now=0.0)
    history.add(batch(["s1"], [1], [1]), now=1.0)
    assert len(history) <= 32
    assert history.row(Identity(PARTITION, "s1")) is not None


def test_late_events_and_missing_values_do_not_count() -> None:
    history = History(1, 1)
    late = np.array([False, True, False])
    history.add(batch(["a"] * 3, [1, 2, 3], [1.0, 2.0, float("nan")], late=late), now=0.0)
    assert history.count[row(history, "a")] == 2
    assert history.sums[row(history, "a"), 0].tolist() == [1, 0.25, 0.5, 1]


def test_the_same_key_in_two_partitions_is_two_series() -> None:
    history = History(1, 1)
    history.add(batch(["a"], [1], [1.0], number=0), now=0.0)
    history.add(batch(["a"], [1], [2.0], number=1), now=0.0)
    assert len(history) == 2
    history.forget(Partition("events", 1))
    assert len(history) == 1
    assert history.last(row(history, "a"), 9).values[0, 0, OBSERVED] == 1.0


def test_what_needs_attention_is_on_top_and_calm_series_keep_their_order() -> None:
    history = History(1, 1)
    history.add(batch(["c", "a", "b"], [1, 1, 1], [1, 1, 1]), now=0.0)

    def order(now: float) -> list[str]:
        identities = history.identities()
        return [identity.key for i in ranked(history, "", now)[0] if (identity := identities[i]) is not None]

    assert order(1.0) == ["a", "b", "c"]
    history.add(batch(["b"], [2], [9], is_anomaly=np.array([True])), now=1.0)
    assert order(1.0) == ["b", "a", "c"]
    assert order(1000.0) == ["a", "b", "c"]
    assert [listed["key"] for listed in overview(history, "B", 1.0)["listed"]] == ["b"], "search ignores case"


def test_the_chart_says_when_what_and_why() -> None:
    history = History(1, 1)
    flagged = np.array([False, True, True, False, False, False, False, True])
    channel = np.array([-1, 0, 2, -1, -1, -1, -1, -1], np.int8)
    times = [second * 1_000_000 for second in range(8)]
    history.add(batch(["a"] * 8, times, range(8), is_anomaly=flagged, channel=channel), now=0.0)
    points = history.last(row(history, "a"), 100)
    assert points.marks.tolist() == [NO_MARK, 0, 2, NO_MARK, NO_MARK, NO_MARK, NO_MARK, -1]
    found = episodes(points, 0, ("residual", "blocks", "season"))
    assert [(e["began"], e["events"], e["channel"]) for e in found] == [(1.0, 2, "residual"), (7.0, 1, None)]
    frame = chart(history, row(history, "a"), Selection(), ("residual", "blocks", "season"), None, 0.0, 1.0)
    assert [mark["time"] for mark in frame["marks"]] == [1.0, 2.0, 7.0]
    assert frame["next"]["times"].tolist() == [8.0]
    assert dumps(frame)


def test_a_curve_covers_the_whole_run_in_bounded_memory() -> None:
    curve: Curve[int] = Curve(most=20)
    for second in range(10_000):
        if curve.due(second):
            curve.add(second, second)
    assert 10 <= len(curve.times) <= 20
    assert curve.times[0] == 0
    assert curve.times[-1] > 9_000
    assert curve.times == curve.items
