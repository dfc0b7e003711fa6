"""A partition of a changelog: a snapshot may come in several commits, and counts when the last of them is there.

A key of a compacted topic holds one record, so a commit that does not end its snapshot must not write over what counts
until then. Every key therefore has two places in the topic, the key itself and one with a mark in it:

    unfinished commit   each record goes to the place that does not count; deletions wait
    last commit         its records go to the places that count now; END; the places left behind are deleted

A snapshot that is one commit writes in place, and where no key has ever used its second place the topic is one of plain
keys, as earlier versions wrote it. What an owner that died has left of an unfinished snapshot is deleted by the next
owner before it writes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streamrnn.records.log import Message

END = b"\xff"
"""Key of the record after which everything before it counts."""
_MARK = b"\xff"  # in no UTF-8


class Changelog:
    """What counts in one partition of a changelog, as far as its keys."""

    def __init__(self) -> None:
        self._second: dict[bytes, bool] = {}  # of every key that counts: whether its second place does
        self._written: dict[bytes, bool] = {}  # the same of the snapshot under way
        self._deleted: list[Message] = []  # by the snapshot under way
        self._void: set[bytes] = set()  # places with records that do not count

    def read(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The whole partition, as a log of plain keys whose last record counts."""
        self.__init__()  # type: ignore[misc]
        second, void = self._second, self._void
        new: set[bytes] = set()  # keys that so far only a second place has
        held: dict[bytes, tuple[bool, Message]] = {}
        for message in messages:
            assert message.key is not None
            if message.key == END:
                for key, (place, waiting) in held.items():
                    if key in second:
                        void.add(_place(key, second[key]))
                    second[key] = place
                    yield waiting
                held.clear()
                new.clear()
                continue
            key, marked = _plain(message.key)
            plain = message._replace(key=key)
            counts = second.get(key)
            if message.value is None:
                void.discard(message.key)
                if counts is marked:
                    del second[key]
                    new.discard(key)
                    yield plain
                else:
                    held.pop(key, None)
            elif counts is None:
                second[key] = marked
                if marked:
                    new.add(key)
                yield plain
            elif counts is marked:
                yield plain
            else:
                held[key] = marked, plain
        for key in new:
            del second[key]
            yield Message(key, None)
        void.update(_place(key, True) for key in new)
        void.update(_place(key, place) for key, (place, _) in held.items())

    def write(self, messages: Iterable[Message], *, unfinished: bool = False) -> Sequence[Message]:
        """What to write of a snapshot, or of the next part of one."""
        found = [Message(place, None) for place in self._void]
        self._void.clear()
        if unfinished:
            for message in messages:
                assert message.key is not None
                if message.value is None:
                    self._deleted.append(message)
                    continue
                place = self._written[message.key] = not self._second.get(message.key, False)
                found.append(message._replace(key=_place(message.key, place)))
            return found
        left = [_place(key, self._second[key]) for key in self._written if key in self._second]
        ends = bool(self._written)
        self._second |= self._written
        self._written = {}
        for message in [*self._deleted, *messages]:
            assert message.key is not None
            if message.value is None:
                second = self._second.pop(message.key, False)
            else:
                second = self._second.setdefault(message.key, False)
            ends = ends or second
            found.append(message._replace(key=_place(message.key, second)))
        self._deleted = []
        if ends:
            found.append(Message(END, b"1"))
        return [*found, *(Message(place, None) for place in left)]


def _place(key: bytes, second: bool) -> bytes:
    """The key in the topic: the mark comes after the first part of a path, so that it is still one of its kind."""
    if not second:
        return key
    head, slash, rest = key.partition(b"/")
    return head + slash + _MARK + rest


def _plain(place: bytes) -> tuple[bytes, bool]:
    return (place.replace(_MARK, b"", 1), True) if _MARK in place else (place, False)
