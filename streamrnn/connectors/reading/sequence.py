"""Files as one log: read one after the other, the last one followed while others write to it, through rotation.

Positions go on counting over the files. What is stored of a run knows every file by its first bytes and by those
before the position, so a restart finds its place again: under another name, behind other files, in a file that was
rotated away.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamrnn.connectors.reading.file_names import plain_name
from streamrnn.connectors.reading.lines import Found, LineReader, Looked, another_file
from streamrnn.connectors.reading.opening import open_input
from streamrnn.connectors.reading.rotation import rotated, since
from streamrnn.errors import ConfigurationError, ConnectorError, StateError

_MOST_REMEMBERED = 1000  # files that were read whole
_PATIENCE = 0.1  # seconds between two looks at the end of a file that is followed
_KNOWN_BY = 4096  # first bytes
_KNOWN = {"name", "input_position", "fingerprint", "fingerprint_length", "before", "reader"}


def expanded(sources: Sequence[str]) -> list[Path]:
    """Paths, where a pattern such as `day-*.csv` stands for what fits it: by name, day-9 before day-10."""
    found: list[Path] = []
    for source in sources:
        if os.path.lexists(source) or not glob.has_magic(source):
            found.append(Path(source))
            continue
        names = sorted(glob.glob(source, recursive=True), key=_natural)
        if not names:
            raise ConfigurationError(f"--input {source}: there is no such file")
        found += map(Path, names)
    doubled = next((path for at, path in enumerate(found) if path in found[:at]), None)
    if doubled is not None:
        raise ConfigurationError(f"--input names {doubled} twice")
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


class FileSequence(LineReader):
    """The lines of several files, one file after the other.

    With `hold_back` a last line without an end waits; in every file but the last it is a line, since nothing more
    comes. With `follow` the last file never ends. When it is renamed, or copied and cut, what is left of it is read
    where it now is, and then the file that took its place.
    """

    def __init__(self, paths: Sequence[Path], *, hold_back: bool = False, follow: bool = False) -> None:
        self._paths = [*paths]
        self._follow = follow
        self.hold_back = hold_back or follow
        self.passed: Callable[[str, Sequence[bytes]], int] = lambda name, lines: 0
        """How many of these first lines of a file, that is not the first one, are no rows."""
        self.head_lines = 1
        """How many lines `passed` asks for."""
        self.between = False
        """A file has ended, and another one follows."""
        self.at_end = False
        self._at = 0
        self._base = 0  # where the present file begins
        self._before: list[dict[str, object]] = []  # files that were read whole
        self._head: Found | None = None  # first lines of a file, until they are enough
        self._begins = (0, "")  # how many first bytes are known of the file that is followed, and their digest
        self._table: str | None = None
        self._now = self._opened()

    def choose(self, table: str) -> None:
        """See `LineReader.choose`."""
        self._now.choose(table)
        self._table = table

    def notes(self) -> list[str]:
        """See `LineReader.notes`."""
        return self._now.notes()

    def _other(self, path: Path, *, hold_back: bool) -> LineReader:
        reader = open_input(path, hold_back=hold_back)
        if self._table is not None:
            reader.choose(self._table)
        return reader

    def _opened(self) -> LineReader:
        path, last = self._paths[self._at], self._at == len(self._paths) - 1
        reader = self._other(path, hold_back=self.hold_back and last)
        if last and self._follow and not (type(reader) is LineReader and reader.grows):
            reader.close()
            raise ConfigurationError(f"--follow reads lines of text as they come, and {path} is no file of those")
        return reader

    @property
    def _followed(self) -> bool:
        return self._follow and self._at == len(self._paths) - 1

    # Lines.

    def lines(self, timeout: float) -> Found:
        """See `LineReader.lines`. That a file ended is told by `between`, before the next one's lines come."""
        if self.at_end:
            return []
        if self.between:
            self._go_to_next()
        found = self._lines(timeout)
        if self._base:
            found = [(line, self._base + position) for line, position in found]
        return found if self._head is None else self._begun(found)

    def _lines(self, timeout: float) -> Found:
        if self._followed and self._now.at_end:
            self._look_again()
        found = self._now.lines(timeout)
        if self._followed and self._begins[0] < min(_KNOWN_BY, self._now.read_to):
            length = min(_KNOWN_BY, self._now.read_to)
            self._begins = length, self._now.fingerprint(length)
        if found or not self._now.at_end:
            return found
        if self._followed and not self._moved():
            time.sleep(min(timeout, _PATIENCE))
            return []
        if self._at + 1 == len(self._paths):
            self.at_end = True
        elif self._now.at_end:
            self.between = True
            return self._now.last_line()
        return []

    def _begun(self, found: Found) -> Found:
        """Pass by what stands before the first row."""
        self._head = [*(self._head or ()), *found]
        known = sum(bool(line.strip()) for line, _ in self._head)
        if known < self.head_lines and not (self._now.at_end and not self._followed):
            return []
        head, self._head = self._head, None
        return head[self.passed(self.name, [line for line, _ in head]) :] if known else head

    def _go_to_next(self) -> None:
        self._before = [*self._before, self._known(self._now.position)][-_MOST_REMEMBERED:]
        self._base += self._now.position
        self._now.close()
        self._at += 1
        self._now = self._opened()
        self.between, self._head, self._begins = False, [], (0, "")

    # The end of a file that is followed.

    def _look_again(self) -> None:
        """Whether more has come is for the next read to say; a file that was cut is not read on."""
        length, digest = self._begins
        if self._now.stat().st_size < self._now.read_to or (length and self._now.fingerprint(length) != digest):
            self._cut()
            return
        self._now.at_end = False

    def _cut(self) -> None:
        """It was copied and cut, as logrotate's copytruncate does: the copy holds what was not read yet."""
        path = self._paths[-1]
        copy = next((one for one in reversed(rotated(path)) if self._is_copy(one)), None)
        if copy is None:  # what had been written since the last look is gone
            self._paths.append(path)
            return
        self._paths[-1:] = [copy, path]
        position = self._now.position
        self._now.close()
        self._now = open_input(copy)
        self._now.seek(position)

    def _is_copy(self, path: Path) -> bool:
        length, digest = self._begins
        with open_input(path) as copy:
            return copy.size() >= self._now.read_to and copy.fingerprint(length) == digest

    def _moved(self) -> bool:
        """Whether another file has its name, and was written to: then nothing more comes to the one that is open."""
        path, here = self._paths[-1], self._now.stat()
        try:
            there = os.stat(path)
        except FileNotFoundError:
            return False  # between two files
        if there.st_size == 0 or (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            return False
        self._paths += [*since(path, here.st_mtime_ns, (here.st_dev, here.st_ino)), path]
        self._now.at_end = False  # what was written before the other file was
        return True

    # Where a run stands, as it is stored.

    def _known(self, position: int) -> dict[str, object]:
        return {"name": plain_name(Path(self._now.name)), **self._now.facts(position)}

    def facts(self, position: int) -> dict[str, object]:
        """See `LineReader.facts`; `position` is in the present file."""
        if position == self._base and self._before:  # nothing tells a file of which nothing was read from another one
            *files, last = self._before
            begun = self._base - int(str(last["input_position"]))
            return {**last, "base": begun, "whole": True, "files": files}
        ended = self._now.size() == self._now.position if self._now.grows else self._now.at_end
        whole = ended and not self._now.unterminated and position == self.position
        return {**self._known(position - self._base), "base": self._base, "whole": whole, "files": self._before}

    def resume(self, facts: Mapping[str, Any]) -> str | None:
        """See `LineReader.resume`: the file may have another name, or be read whole and not be given again.

        Raises `StateError` where the file that was read is not among the given ones, or one of those comes before it.
        """
        self._before = [*facts.get("files", ())]
        name, said = facts.get("name"), None
        more = rotated(self._paths[-1], compressed=True) if self._follow else []
        # Files may be copies of each other: the name tells them apart, where it is still there.
        candidates = sorted([*self._paths, *more], key=lambda path: plain_name(path) != name)
        found = next((path for path in candidates if _fits(path, facts)), None)
        if found in more and found is not None:
            there = found.stat()
            moved = since(self._paths[-1], there.st_mtime_ns, (there.st_dev, there.st_ino))
            self._paths = [found, *moved, self._paths[-1]]
            said = f"{name or self._paths[-1].name} goes on in {', '.join(path.name for path in self._paths)}"
        if found is None:
            return self._begin_next(facts)
        at = self._paths.index(found)
        self._refuse_unread(self._paths[:at], facts)
        self._start(at, int(facts.get("base", 0)))
        self._now.seek(int(facts["input_position"]))
        if name is not None and name != plain_name(found) and said is None:
            said = f"{name}, as the state calls it, is {found} now"
        return said

    def _start(self, at: int, base: int) -> None:
        self._now.close()
        self._at, self._base = at, base
        self._now = self._opened()

    def _begin_next(self, facts: Mapping[str, Any]) -> str:
        """The file that was read whole is not given again: others come after it."""
        name = facts.get("name")
        given = [*map(plain_name, self._paths)]
        if name is None or name in given or not facts.get("whole"):
            more = "" if name is None or name in given else f". {name} was not read to its end: give it first"
            raise another_file(self._now.name, more)
        last = {key: value for key, value in facts.items() if key in _KNOWN}
        self._before = [*self._before, last][-_MOST_REMEMBERED:]
        at = 0
        while at < len(self._paths) and any(_fits(self._paths[at], one, whole=True) for one in self._before):
            at += 1
        if at == len(self._paths):
            raise StateError(f"{self._paths[-1]} was read before {name}: the state goes on behind that one only")
        with open_input(self._paths[at]) as following:
            if following.resembles(last):
                raise another_file(str(self._paths[at]), f": it begins or ends as {name} did, and has other rows")
        self._start(at, int(facts.get("base", 0)) + int(facts["input_position"]))
        self._head = []
        return f"{name} was read to its end; {self._paths[at].name} goes on behind it"

    def _refuse_unread(self, paths: Sequence[Path], facts: Mapping[str, Any]) -> None:
        for path in paths:
            if not any(_fits(path, one, whole=True) for one in self._before):
                raise StateError(
                    f"{path} comes before {facts.get('name')}, where the state stands, and was not read, or has other "
                    "rows now: give it behind the others, or start again with `streamrnn reset --state DIR`"
                )

    # Of the present file.

    @property
    def name(self) -> str:  # type: ignore[override]
        """The present file."""
        return self._now.name

    @property
    def position(self) -> int:  # type: ignore[override]
        """See `LineReader`: over all files."""
        return self._base + self._now.position

    @property
    def unterminated(self) -> int:
        """See `LineReader.unterminated`."""
        return self._now.unterminated

    def last_line(self) -> Found:
        """See `LineReader.last_line`."""
        return [(line, self._base + position) for line, position in self._now.last_line()]

    def seek(self, position: int) -> None:
        """See `LineReader.seek`: to the beginning, or within the present file."""
        if position < self._base:
            if position:
                raise ConnectorError(f"byte {position} is before {self.name}")
            self._before = []
            self._start(0, 0)
        self._now.seek(position - self._base)
        self.at_end = self.between = False

    def look(self, rows: int = 2000, size: int = 1 << 20) -> Looked:
        """See `LineReader.look`: the first file, and some rows of the others."""
        with self._other(self._paths[0], hold_back=self.hold_back and len(self._paths) == 1) as first:
            head, later = first.look(rows, size)
        for path in self._paths[1 : 1 + len(self._paths) : max(1, len(self._paths) // 20)]:
            with self._other(path, hold_back=True) as other:
                later = [*later, *other.look(60, 1 << 16).head[-40:]]
        return Looked(head, later)

    def firsts(self) -> list[tuple[Path, list[bytes]]]:
        """The first lines of every file."""
        found = []
        for path in self._paths[:_MOST_REMEMBERED]:
            with self._other(path, hold_back=path == self._paths[-1] and self.hold_back) as one:
                found.append((path, one.look(100, 1 << 16).head))
        return found

    def size(self) -> int:
        """See `LineReader.size`: of all files."""
        return sum(path.stat().st_size for path in self._paths if path.exists())

    def read_so_far(self) -> int:
        """See `LineReader.read_so_far`."""
        return self._base + self._now.read_so_far()

    @property
    def grows(self) -> bool:
        """See `LineReader.grows`."""
        return self._now.grows

    @property
    def seekable(self) -> bool:
        """See `LineReader.seekable`."""
        return self._now.seekable

    def close(self) -> None:
        """See `LineReader.close`."""
        self._now.close()


def _fits(path: Path, facts: Mapping[str, Any], *, whole: bool = False) -> bool:
    try:
        with open_input(path) as one:
            return one.fits(facts, whole=whole)
    except (ConnectorError, ConfigurationError):
        return False
