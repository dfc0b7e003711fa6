"""Snapshots in several commits: the last one that was ended counts, whoever died, whatever was compacted."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streamrnn.connectors.kafka.changelog import END, Changelog
from streamrnn.records.log import Message
from tests.streams import last_of_each_key

KEYS = [b"manifest", b"shared/0", b"series/0/a", b"series/0/b", "series/0/\u03c0/x".encode(), b"series/1/a"]


def compacted(log: Sequence[Message], end: int, tombstones: bool) -> list[Message]:
    """What a broker's cleaner leaves of the records before `end`."""
    last = {message.key: at for at, message in enumerate(log[:end])}
    kept = [one for at, one in enumerate(log[:end]) if last[one.key] == at and (tombstones or one.value is not None)]
    return [*kept, *log[end:]]


def contents(log: Sequence[Message], owner: Changelog) -> dict[bytes | None, bytes]:
    return last_of_each_key(owner.read(log))


some = st.dictionaries(st.sampled_from(KEYS), st.booleans(), max_size=len(KEYS))  # key -> whether it is deleted
part = st.tuples(
    some,
    st.sampled_from(["goes on", "ends", "ends"]),
    st.sampled_from(["", "", "dies", "compacts", "compacts all", "refused"]),
    st.sampled_from([20, 60, 100, 100]),
)


@given(st.lists(part, max_size=25))
def test_what_counts_is_the_last_snapshot_that_was_ended(parts: list[tuple[dict[bytes, bool], str, str, int]]) -> None:
    log: list[Message] = []
    counts: dict[bytes | None, bytes] = {}
    pending: dict[bytes, bytes | None] = {}
    owner = Changelog()
    assert contents(log, owner) == {}
    for number, (keys, how, then, share) in enumerate(parts):
        # Of one snapshot each key is written once; the last commit may bring the next snapshot with it.
        new = {
            key: None if gone else b"%d" % number for key, gone in keys.items() if how == "ends" or key not in pending
        }
        messages = [Message(key, value) for key, value in new.items()]
        written = owner.write(messages, unfinished=how == "goes on")
        if then != "refused":
            log += written
            pending |= new
            if how == "ends":
                for key, value in pending.items():
                    if value is None:
                        counts.pop(key, None)
                    else:
                        counts[key] = value
                pending = {}
        if then.startswith("compacts"):
            log = compacted(log, len(log) * share // 100, tombstones=then == "compacts")
        assert contents(log, Changelog()) == counts
        if then in ("dies", "refused"):
            owner, pending = Changelog(), {}
            assert contents(log, owner) == counts
    assert contents(log, Changelog()) == counts
    # Nothing stays behind: the next owner deletes what does not count.
    owner = Changelog()
    contents(log, owner)
    log = compacted([*log, *owner.write([])], len(log) + 100, tombstones=False)
    assert len([one for one in log if one.key != END]) == len(counts)


def test_a_snapshot_in_one_commit_is_written_as_before() -> None:
    owner = Changelog()
    messages = [Message(key, b"1") for key in KEYS]
    assert list(owner.write(messages)) == messages
    assert list(owner.write([Message(b"series/0/a", None)])) == [Message(b"series/0/a", None)]


def test_a_log_of_before_is_read_as_it_was() -> None:
    log = [Message(key, b"%d" % number) for number in range(3) for key in KEYS] + [Message(KEYS[2], None)]
    assert list(Changelog().read(log)) == log


def test_an_unfinished_snapshot_writes_over_nothing_that_counts() -> None:
    owner = Changelog()
    log = [*owner.write([Message(key, b"old") for key in KEYS])]
    log += owner.write([Message(key, b"new") for key in KEYS[1:]], unfinished=True)
    assert len(compacted(log, len(log), tombstones=True)) == 2 * len(KEYS) - 1
    assert contents(log, Changelog()) == dict.fromkeys(KEYS, b"old")
    log += owner.write([Message(KEYS[0], b"new")])
    assert contents(log, Changelog()) == dict.fromkeys(KEYS, b"new")
    assert len(compacted(log, len(log), tombstones=False)) == len(KEYS) + 1  # and the mark of the end
