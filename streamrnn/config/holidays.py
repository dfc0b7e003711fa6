"""The days that `event.holidays` names: a file, or a country."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

FIRST_YEAR, LAST_YEAR = 1990, 2060


def days_named(name: str) -> tuple[date, ...]:
    """The days of a file with one ISO date per line (`#` begins a comment), or the public holidays of a country.

    A country is an ISO 3166 code, with its part where there is one: `DE`, `DE-BY`, `US-CA`.

    Raises `ValueError` that says what is wrong.
    """
    if re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,5})?", name):
        return _of_country(name)
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{name!r} is no country code such as DE or US-CA, and no file of dates: {error}") from None
    days = []
    for number, line in enumerate(lines, start=1):
        if text := line.partition("#")[0].strip():
            try:
                days.append(date.fromisoformat(text))
            except ValueError:
                raise ValueError(f"{name}, line {number}: {text!r:.40} is no date such as 2026-12-25") from None
    return tuple(days)


def _of_country(name: str) -> tuple[date, ...]:
    try:
        import holidays
    except ImportError:
        raise ValueError(
            "the holidays of a country need the package holidays: pip install 'streamrnn[holidays]', or list the days"
        ) from None
    country, _, part = name.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=range(FIRST_YEAR, LAST_YEAR + 1))
    except NotImplementedError as error:
        raise ValueError(f"{name}: {error}") from None
    return tuple(sorted(found))
