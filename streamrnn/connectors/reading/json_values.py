"""JSON objects wherever they stand: in an array, spread over lines, one after the other."""

from __future__ import annotations

import re

import orjson

from streamrnn.connectors.reading.json_tables import tables
from streamrnn.connectors.reading.lines import BLOCK, Found, LineReader

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]|"', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,\[\]\x1e]*")


def begins_array(text: bytes) -> bool:
    """Whether a JSON array of objects or of arrays of them begins here."""
    return re.match(rb"\[\s*[\[\s]*[{\]]", text) is not None


def begins_history(text: bytes) -> bool:
    """Whether it is a history of Home Assistant: a list for each entity, which its first object names."""
    return re.match(rb'\[\s*\[\s*\{[^{}]*"entity_id"', text) is not None


def begins_pairs(text: bytes) -> bool:
    """Whether it is an array of arrays of numbers or text: `[[1706140800000, 1.5], ...]`."""
    return re.match(rb'\[\s*\[\s*["\d-]', text) is not None


def is_spread_out(text: bytes, *, more: bool) -> bool:
    """Whether the object that begins here is not one line among others; `more` says that the text is cut."""
    first, end, rest = text.partition(b"\n")
    try:
        value = orjson.loads(first)
    except orjson.JSONDecodeError:
        if not end:
            return more  # a line longer than what was looked at
        # Broken, or not at its end yet? Lines of JSON begin with a brace each.
        following = [line.strip() for line in rest.split(b"\n")[:5] if line.strip()]
        return not any(line.startswith(b"{") and line.endswith(b"}") for line in following)
    return isinstance(value, dict) and not rest.strip() and not more and any(len(one.rows) > 1 for one in tables(value))


class JsonReader(LineReader):
    """Every outermost object is a line; what stands between them and is neither comma nor bracket is one, too."""

    _scanned = 0  # bytes of the rest that were looked through, with how deep in braces that was
    _depth = 0
    _begin = 0

    def lines(self, timeout: float) -> Found:
        """See `LineReader.lines`."""
        if self.at_end:
            return []
        block = self._read()
        if not block:
            self.at_end = True
            rest = b"".join(self._parts)
            gap = _BETWEEN.match(rest)
            begin = gap.end() if gap is not None else 0
            self._forget()
            if self.hold_back or not rest[begin:].strip():
                return []
            self.position += len(rest)
            return [(rest[begin:].strip(), self.position)]
        if self._skip_bom:
            self._skip_bom = False
            if self.position == 0 and block.startswith(b"\xef\xbb\xbf"):
                block, self.position = block[3:], 3
        if len(block) + self._held > 4 * BLOCK and b"}" not in block:
            self._keep(block)
            return []
        data = b"".join((*self._parts, block))
        return self._objects(data)

    def _objects(self, data: bytes) -> Found:
        found: Found = []
        at, begin, depth = self._scanned, self._begin, self._depth
        used = 0
        while True:
            if depth == 0:
                gap = _BETWEEN.match(data, at)
                at = begin = gap.end() if gap is not None else at
            token = _TOKEN.search(data, at)
            if token is None or token[0] == b'"':  # the end, or a string that is not at its end
                at = token.start() if token is not None else len(data)
                break
            at = token.end()
            if token[0] == b"{":
                depth += 1
            elif token[0] == b"}" and depth:
                depth -= 1
                if depth == 0:
                    found.append((data[begin:at], self.position + at))
                    used = begin = at
        self.position += used
        rest = data[used:]
        self._parts, self._held = [], 0
        self._keep(rest)
        self._scanned, self._begin, self._depth = at - used, begin - used, depth
        return found

    def _forget(self) -> None:
        self._parts, self._held = [], 0
        self._scanned = self._begin = self._depth = 0

    def seek(self, position: int) -> None:
        """See `LineReader.seek`."""
        super().seek(position)
        self._forget()
