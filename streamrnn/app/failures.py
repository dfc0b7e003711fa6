"""What the terminal is told of an error: one sentence, in characters that it can print, and where the report is."""

from __future__ import annotations

import errno


def printable(text: str) -> str:
    """For a terminal: what came out of a file must not move its cursor or change its title."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def unforeseen(error: Exception) -> str:
    """One sentence about an error that nobody thought of; the rest goes into a file that only this user may read."""
    import tempfile
    import traceback

    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    said = _shortage(error) or f"stopped by an error that has no message of its own ({printable(text)})"
    report = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="streamrnn-error-", suffix=".txt", delete=False
        ) as file:
            file.write(report)
    except OSError:
        return f"{said}:\n{report}"
    return f"{said}; the report is in {file.name}"


def _shortage(error: Exception) -> str | None:
    """What the system ran out of, which can happen anywhere, and how there is more of it."""
    if isinstance(error, MemoryError):
        from streamrnn.state import memory

        most = memory.ceiling()
        return (
            f"no memory is left: the {most.whose} has {memory.size(most.bytes)}. Allow more, or give series less of it "
            "(state.max_memory)"
        )
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "this process may not open another file: allow more of them (ulimit -n)"
    return None
