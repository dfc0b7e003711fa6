"""Who is told of an alert, and until when nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from streamrnn.config.notify import DAYS, MuteConfig, NotifyConfig, RouteConfig
from streamrnn.notify.alerts import Change


def receivers_of(config: NotifyConfig, change: Change) -> list[str]:
    """Names of the receivers that routes give this alert, in the order of the configuration."""
    if not config.routes:
        return list(config.receivers)
    wanted = {name for route in config.routes if _routed(route, change) for name in route.to}
    return [name for name in config.receivers if name in wanted]


def _routed(route: RouteConfig, change: Change) -> bool:
    of_target = not route.targets or (change.target is not None and _matches(route.targets, change.target))
    return change.kind in route.kinds and of_target and _matches(route.keys, change.key)


def _matches(patterns: Sequence[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def muted_until(config: NotifyConfig, change: Change) -> datetime | None:
    """The end of the windows in which the alert opened, by the time of its event; None where it opened in none.

    Windows that follow each other without a gap are one.
    """
    windows = [mute for mute in config.mute if change.kind in mute.kinds and _matches(mute.keys, change.key)]
    moment, found = change.time, None
    for _ in range(1000):  # windows that overlap around the clock have no end
        ends = [end for window in windows if (end := _end(window, moment)) is not None]
        if not ends:
            break
        found = moment = max(ends)
    return found


def _end(mute: MuteConfig, moment: datetime) -> datetime | None:
    """When the window is over in which `moment` lies; None where it lies in none."""
    zone = ZoneInfo(mute.time_zone)
    if mute.start is not None and mute.end is not None:
        first, last = (one if one.tzinfo else one.replace(tzinfo=zone) for one in (mute.start, mute.end))
        return last.astimezone(UTC) if first <= moment < last else None
    try:
        local = moment.astimezone(zone)
        days = [(local - timedelta(days=1)).date(), local.date()]
    except OverflowError:  # at the ends of the calendar
        return None
    for day in days:
        if mute.days and DAYS[day.weekday()] not in mute.days:
            continue
        if mute.hours is None:
            first = datetime(day.year, day.month, day.day, tzinfo=zone)
            after = day + timedelta(days=1)
            last = datetime(after.year, after.month, after.day, tzinfo=zone)
        else:
            begins, ends = mute.hours
            first = datetime.combine(day, begins, zone)
            last = datetime.combine(day + timedelta(days=ends < begins), ends, zone)
        # Compared as moments: a span of local times has another length when clocks change.
        if first.astimezone(UTC) <= moment < last.astimezone(UTC):
            return last.astimezone(UTC)
    return None
