"""What every connector must do; the worker relies on nothing else."""

from __future__ import annotations

import time

import pytest

from streamrnn.connectors.base import Commit, Connector
from streamrnn.records.log import Message, Partition, Record, offsets_after
from tests.contract.harness import Harness, pairs
from tests.kafka.helpers import take, take_over
from tests.streams import last_of_each_key

VALUES = [b'{"value": %d}' % number for number in range(20)]


def feed_all(harness: Harness, values: list[bytes] = VALUES) -> None:
    for partition in harness.partitions:
        harness.feed(partition.number, pairs([*values]))


def snapshot_of(connector: Connector, partition: Partition) -> dict[bytes | None, bytes]:
    return last_of_each_key(connector.snapshots(partition))


def test_a_partition_is_assigned_first_and_delivers_nothing_before_it_is_started(harness: Harness) -> None:
    feed_all(harness)
    with harness.connect() as connector:
        assigned: list[Partition] = []
        while len(assigned) < len(harness.partitions):
            polled = connector.poll(0.25)
            assert not polled.records
            assigned += polled.assigned
        assert sorted(assigned) == harness.partitions
        assert not connector.poll(0.5).records
        first, *others = harness.partitions
        connector.start(first, 0)
        assert set(take(connector, 20)) == {first}
        for other in others:
            connector.start(other, 0)
            assert set(take(connector, 20)) == {other}


def test_records_come_whole_and_in_order(harness: Harness) -> None:
    values = [b'{"value": 1}', "ключ-π".encode(), b"", b"\xff\x00not text", b"x" * 300_000]
    if not harness.has_keys:
        values = [value for value in values if value]
    feed_all(harness, values)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        for partition, records in take(connector, len(values) * len(harness.partitions)).items():
            assert [record.value for record in records] == values, partition
            assert [record.offset for record in records] == list(range(len(values)))
            if harness.has_keys:
                assert {record.key for record in records} == {b"pump-7"}
                assert {record.timestamp for record in records} == {1_700_000_000_000}


def test_null_keys_and_null_values_stay_null(harness: Harness) -> None:
    if not harness.has_keys:
        pytest.skip("a line of a file has no key and is never null")
    partition = harness.partitions[0]
    harness.feed(0, [(None, b"a"), (b"k", None), ("schlüssel".encode(), b""), (b"", b"b")])
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        records = take(connector, 4)[partition]
        assert [(r.key, r.value) for r in records] == [
            (None, b"a"), (b"k", None), ("schlüssel".encode(), b""), (b"", b"b")
        ]  # fmt: skip
        connector.commit(
            Commit(
                offsets={partition: 4},
                outputs={partition: [Message(r.key, r.value) for r in records]},
                dead_letters={partition: [Message(None, None, (("streamrnn.error.class", b"Null"),))]},
            )
        )
    assert harness.outputs(partition) == [(r.key, r.value) for r in records]
    assert harness.dead_letters(partition) == [(None, None, {"streamrnn.error.class": b"Null"})]


def test_a_snapshot_in_several_commits_counts_when_it_is_ended(harness: Harness) -> None:
    feed_all(harness)
    partition = harness.partitions[0]

    def open_one() -> Connector:
        connector = harness.connect()
        connector.__enter__()
        take_over(connector, len(harness.partitions))
        return connector

    def put(connector: Connector, offset: int, unfinished: bool, **values: bytes | None) -> None:
        messages = [Message(b"row/" + key.encode(), value) for key, value in values.items()]
        going_on = {partition} if unfinished else set()
        connector.commit(Commit(offsets={partition: offset}, snapshots={partition: messages}, unfinished=going_on))

    def rows(connector: Connector) -> dict[bytes | None, bytes]:
        return snapshot_of(connector, partition)

    connector = open_one()
    if connector.snapshot_slice is None:
        connector.close(0)
        pytest.skip("takes whole snapshots only")
    put(connector, 1, False, a=b"1", b=b"1", c=b"1")
    put(connector, 2, True, a=b"2", d=b"2")
    put(connector, 3, True, b=b"2", c=None)
    harness.crash(connector)
    connector = open_one()
    assert connector.committed(partition) == 3
    assert rows(connector) == {b"row/a": b"1", b"row/b": b"1", b"row/c": b"1"}
    put(connector, 4, True, a=b"4", c=None)
    put(connector, 5, False, b=b"4")
    put(connector, 6, True, a=b"6", b=b"6")
    harness.crash(connector)
    connector = open_one()
    assert rows(connector) == {b"row/a": b"4", b"row/b": b"4"}
    put(connector, 7, False, a=b"7", e=b"7")
    connector.close(5)
    with open_one() as connector:
        assert rows(connector) == {b"row/a": b"7", b"row/b": b"4", b"row/e": b"7"}


def test_a_commit_shows_everything_in_order(harness: Harness) -> None:
    feed_all(harness)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        for partition, records in take(connector, 20 * len(harness.partitions)).items():
            connector.commit(
                Commit(
                    offsets={partition: offsets_after(records)},
                    outputs={partition: [Message(r.key, b"out %d" % r.offset) for r in records]},
                    alerts={partition: [Message(r.key, b"alert %d" % r.offset) for r in records if r.offset % 3 == 0]},
                    dead_letters={
                        partition: [Message(b"\xffkey", b"\x00poison", (("streamrnn.error.class", b"EventInvalid"),))]
                    },
                )
            )
    for partition in harness.partitions:
        assert [value for _, value in harness.outputs(partition)] == [b"out %d" % number for number in range(20)]
        assert [value for _, value in harness.alerts(partition)] == [b"alert %d" % number for number in range(0, 20, 3)]
        if harness.has_keys:
            assert {key for key, _ in harness.outputs(partition) + harness.alerts(partition)} == {b"pump-7"}
        assert harness.dead_letters(partition) == [
            (b"\xffkey", b"\x00poison", {"streamrnn.error.class": b"EventInvalid"})
        ]


def test_nothing_is_committed_at_first_and_then_what_was_said(harness: Harness) -> None:
    feed_all(harness)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        for partition in harness.partitions:
            assert connector.committed(partition) is None
            assert connector.bounds(partition)[0] == 0
            assert not list(connector.snapshots(partition))
        take(connector, 20 * len(harness.partitions))
        for partition in harness.partitions:
            connector.commit(Commit(offsets={partition: 20}, snapshots={partition: [Message(b"state", b"twenty")]}))
            assert connector.committed(partition) == 20
            assert connector.bounds(partition)[1] >= 20
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        assert [connector.committed(partition) for partition in harness.partitions] == [20] * len(harness.partitions)


def test_what_was_not_committed_before_a_crash_never_happened(harness: Harness) -> None:
    feed_all(harness)
    partition = harness.partitions[0]
    connector = harness.connect()
    connector.__enter__()
    take_over(connector, len(harness.partitions))
    take(connector, 20 * len(harness.partitions))
    connector.commit(
        Commit(
            offsets={partition: 20},
            outputs={partition: [Message(None, b"kept")]},
            snapshots={partition: [Message(b"state", b"at 20")]},
        )
    )
    harness.feed(0, pairs([b"lost %d" % number for number in range(5)]))
    if harness.has_keys:  # a file that has ended is not read again
        take(connector, 5)
    harness.crash(connector)
    with harness.connect() as again:
        take_over(again, len(harness.partitions))
        assert again.committed(partition) == 20
        assert snapshot_of(again, partition) == {b"state": b"at 20"}
        records = take(again, 5 + 20 * (len(harness.partitions) - 1))[partition]
        assert [record.value for record in records] == [b"lost %d" % number for number in range(5)]
        assert [record.offset for record in records] == list(range(20, 25))
    assert harness.outputs(partition) == [(None, b"kept")]


def test_replay_brings_the_same_records_and_moves_nothing(harness: Harness) -> None:
    if not harness.replays:
        pytest.skip("what a file run wrote after its last snapshot is cut back, so there is nothing to replay")
    feed_all(harness)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        live = take(connector, 20 * len(harness.partitions))
        for partition in harness.partitions:
            connector.commit(Commit(offsets={partition: 20}, outputs={partition: [Message(b"k", b"v")]}))

        def facts(records: list[Record]) -> list[tuple[int, int | None, bytes | None, bytes | None]]:
            return [(r.offset, r.timestamp, r.key, r.value) for r in records]

        for partition, records in live.items():
            for start, end in [(0, 20), (3, 17), (19, 20), (5, 5)]:
                again = [r for found in connector.replay(partition, start, end) for r in found]
                assert facts(again) == facts(records)[start:end]
        # two at once, one of them left in the middle
        left, right = (connector.replay(partition, 0, 20) for partition in harness.partitions)
        assert next(iter(left))[0].offset == 0
        assert sum(len(found) for found in right) == 20
        harness.feed(0, pairs([b"next"]))
        assert [r.value for r in take(connector, 1)[harness.partitions[0]]] == [b"next"]


def test_the_last_snapshot_record_of_a_key_counts_and_a_null_deletes_it(harness: Harness) -> None:
    feed_all(harness)
    partition = harness.partitions[0]
    large = bytes(range(256)) * 3500
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        take(connector, 20 * len(harness.partitions))
        first = [Message(b"a", b"1"), Message(b"b", b"1"), Message(b"rows/0", large)]
        connector.commit(Commit(offsets={partition: 20}, snapshots={partition: first}))
        assert snapshot_of(connector, partition) == {b"a": b"1", b"b": b"1", b"rows/0": large}
    harness.feed(0, pairs([b"more"]))
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        take(connector, 1)
        second = [Message(b"a", b"2"), Message(b"b", None), Message(b"c", b"3")]
        connector.commit(Commit(offsets={partition: 21}, snapshots={partition: second}))
        assert snapshot_of(connector, partition) == {b"a": b"2", b"c": b"3", b"rows/0": large}
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        assert snapshot_of(connector, partition) == {b"a": b"2", b"c": b"3", b"rows/0": large}
        for other in harness.partitions[1:]:
            assert not list(connector.snapshots(other))


def test_a_five_megabyte_record_passes_and_can_be_put_aside_whole(harness: Harness) -> None:
    partition = harness.partitions[0]
    huge = b"x" * 5_000_000
    harness.feed(0, pairs([VALUES[0], huge, VALUES[1]]))
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        records = take(connector, 3)[partition]
        assert [record.value for record in records] == [VALUES[0], huge, VALUES[1]]
        connector.commit(Commit(offsets={partition: 3}, dead_letters={partition: [Message(b"k", huge, ())]}))
    assert harness.dead_letters(partition) == [(b"k", huge, {})]


def test_an_empty_poll_comes_back_and_does_not_end_the_input(harness: Harness) -> None:
    if not harness.has_keys:
        pytest.skip("a file that was read to its end has ended")
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        for timeout in (0.0, 0.3):
            started = time.monotonic()
            polled = connector.poll(timeout)
            assert time.monotonic() - started < timeout + 10, "a poll that forgets its time-out"
            assert not polled.records
            assert not polled.finished
        harness.feed(0, pairs([b"late"]))
        assert take(connector, 1)


def test_lag_is_what_was_not_delivered_yet_and_nobody_is_silent(harness: Harness) -> None:
    first = harness.partitions[0]
    harness.feed(first.number, pairs(VALUES))
    with harness.connect() as connector:
        assert connector.lag(first) is None, "not started"
        assert connector.silence() == 0
        take_over(connector, len(harness.partitions))
        delivered = 0
        while delivered < len(VALUES):
            delivered += len(take(connector, 1)[first])
            assert connector.lag(first) == (len(VALUES) - delivered if harness.knows_lag else None)
        assert connector.silence() == 0
    assert connector.lag(first) is None, "closed"


def test_an_empty_commit_is_no_error(harness: Harness) -> None:
    feed_all(harness)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        connector.commit(Commit())
        assert connector.committed(harness.partitions[0]) is None


def test_closing_twice_is_closing_once(harness: Harness) -> None:
    feed_all(harness)
    with harness.connect() as connector:
        take_over(connector, len(harness.partitions))
        connector.close(5)
        connector.close(5)
    connector.close(5)


def test_any_sequence_of_crashes_gives_the_bytes_of_an_undisturbed_run(harness: Harness) -> None:
    """A worker whose whole state is a running digest: a lost, doubled or reordered record shows in all later bytes."""
    values = [b'{"value": %d}' % number for number in range(60)]
    feed_all(harness, values)

    def step(state: int, record: Record) -> int:
        return (state * 31 + sum(record.value or b"")) % 1_000_003

    expected, state = [], 0
    for value in values:
        state = (state * 31 + sum(value)) % 1_000_003
        expected.append(b"%d" % state)

    def work(connector: Connector, commits: int) -> bool:
        """Up to `commits` commits, a snapshot in every other one; whether everything is done."""
        states: dict[Partition, int] = {}
        positions: dict[Partition, int] = {}
        deadline = time.monotonic() + 40
        while commits > 0:
            assert time.monotonic() < deadline, f"stuck at {positions}"
            polled = connector.poll(0.25)
            for partition in polled.assigned:
                committed = connector.committed(partition)
                stored = snapshot_of(connector, partition).get(b"state")
                offset, states[partition] = map(int, stored.split()) if stored else (0, 0)
                for records in connector.replay(partition, offset, committed or 0):
                    for record in records:
                        states[partition] = step(states[partition], record)
                connector.start(partition, committed or 0)
                positions[partition] = committed or 0
            if polled.records:
                commit = Commit()
                for partition, records in polled.records.items():
                    outputs = []
                    for record in records:
                        states[partition] = step(states[partition], record)
                        outputs.append(Message(b"k", b"%d" % states[partition]))
                    commit.alerts[partition] = [one for one in outputs if (one.value or b"").endswith(b"3")]
                    positions[partition] = commit.offsets[partition] = offsets_after(records)
                    commit.outputs[partition] = outputs
                    if commits % 2 or not harness.replays or len(outputs) == positions[partition]:
                        text = b"%d %d" % (positions[partition], states[partition])
                        commit.snapshots[partition] = [Message(b"state", text)]
                connector.commit(commit)
                commits -= 1
            if len(positions) == len(harness.partitions) and set(positions.values()) == {len(values)}:
                return True
        return False

    for commits in (1, 2, 3, 1):
        connector = harness.connect()
        connector.__enter__()
        assert not work(connector, commits)
        connector.poll(0.25)  # work that is lost
        harness.crash(connector)
    with harness.connect() as connector:
        assert work(connector, 1000)
    alerts = [one for one in expected if one.endswith(b"3")]
    assert alerts
    for partition in harness.partitions:
        assert [value for _, value in harness.outputs(partition)] == expected
        assert [value for _, value in harness.alerts(partition)] == alerts
