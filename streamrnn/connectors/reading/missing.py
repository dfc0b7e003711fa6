"""What an empty cell looks like."""

from __future__ import annotations

from collections.abc import Iterable

_WORDS = """
na n/a n.a. n.a #n/a #na #n/a! #value! #div/0! #ref! #null! #num! #name? nan -nan nat null none nil <na> (null) \\n
- -- --- – — . .. ... ? ?? * ** *** missing unknown unavailable undefined void empty nodata no_data no-data
"""
_PHRASES = {"", "no data", "not available", "bad input", "#n/a n/a", "i/o timeout", "not connected", "out of service"}
MISSING = frozenset(_WORDS.split()) | _PHRASES
"""Spellings of a missing value (any case)."""


def spellings(more: Iterable[str]) -> frozenset[str]:
    """These and others, such as a sentinel: -9999 is also -9999.0."""
    return MISSING | {text.strip().lower() for text in more}


def sentinels(more: Iterable[str]) -> frozenset[float]:
    """Those of the further spellings that are numbers."""
    found = set()
    for text in more:
        try:
            found.add(float(text))
        except ValueError:
            continue
    return frozenset(found)
