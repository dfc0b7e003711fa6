"""The zone of times that a column's own name tells: `time (UTC+01:00)`, `Timestamp (CET)`, `date [Europe/Berlin]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamrnn.connectors.reading.clocks import Clock
from streamrnn.connectors.reading.dates import ZONES

_INSIDE = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]")
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*(?P<sign>[+\-−])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?$", re.IGNORECASE)
_BEHIND = re.compile(r"[\s_,]((?:UTC|GMT)[+\-−]\d{1,2}(?::?\d{2})?|[A-Z]{3,4})$")
_SEVERAL = re.compile(r"([A-Z]{3,4})\s*/\s*([A-Z]{3,4})$")


def zone_in(name: str) -> str | None:
    """`Europe/Berlin` or `+01:00`; empty for UTC, None where the name tells no zone."""
    said = [*_INSIDE.findall(name), *_BEHIND.findall(name.strip())]
    return next((zone for text in said if (zone := _zone(text)) is not None), None)


def _zone(text: str) -> str | None:
    if (offset := _OFFSET.match(text)) is not None:
        hours, minutes = int(offset["h"]), int(offset["m"] or 0)
        if hours > 14 or minutes > 59:
            return None
        sign = "+" if offset["sign"] == "+" else "-"
        return f"{sign}{hours:02}:{minutes:02}" if hours or minutes else ""
    if text.lower() in ZONES and len(text) > 1:
        minutes = round(60 * ZONES[text.lower()])
        return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else ""
    if "/" in text and " " not in text:
        try:
            return ZoneInfo(text).key
        except (ZoneInfoNotFoundError, OSError, ValueError):
            return None
    return None


_ONE_PLACE = {
    "cet/cest": "Europe/Brussels", "mez/mesz": "Europe/Berlin", "wet/west": "Europe/Lisbon",
    "eet/eest": "Europe/Athens",
    "est/edt": "America/New_York", "cst/cdt": "America/Chicago", "mst/mdt": "America/Denver",
    "pst/pdt": "America/Los_Angeles", "aest/aedt": "Australia/Sydney", "acst/acdt": "Australia/Adelaide",
    "nzst/nzdt": "Pacific/Auckland",
}  # fmt: skip
"""Where clocks show standard time in winter and summer time in summer, by the names of the two."""


def with_zone(
    clock: Clock, asked: str | None, naive: bool, units: Mapping[str, str] | None = None
) -> tuple[Clock, list[str]]:
    """The time in the zone that the name of its column tells, or the unit under it, and what to say of it.

    `asked` is `--time-zone`, which is right before it; `naive` says that the cells name no zone themselves.
    """
    dated = clock.how.form not in ("epoch", "mixed epoch", "of day") and not clock.since_start
    if asked is not None or not naive or not dated:
        return clock, []
    for name in clock.how.columns:
        both = _several(name)
        zone = _ONE_PLACE.get(re.sub(r"\s", "", both).lower()) if both else None
        if both and zone is None:
            return clock, [
                f"the name of {name} tells two zones, {both}: times are taken as UTC (say which: --time-zone)"
            ]
        unit = (units or {}).get(name, "")
        zone = zone or zone_in(name)
        where = "the name of " if zone else "the unit of "
        if zone := zone or (zone_in(f"({unit})") or zone_in(unit) if unit else None):
            moved = clock._replace(how=clock.how.model_copy(update={"zone": zone}))
            return moved, [f"times are in {zone}, as {where}{name} says (another zone: --time-zone)"]
    return clock, []


def _several(name: str) -> str | None:
    found: Iterable[re.Match[str] | None] = map(_SEVERAL.match, _INSIDE.findall(name))
    for both in found:
        if both is not None and both[1].lower() in ZONES and both[2].lower() in ZONES:
            return both[0]
    return None
