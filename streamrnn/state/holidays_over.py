"""Which holidays a state has learned from: those that were over when it was stored give it its meaning.

Days to come are free to change, so that a calendar can be carried on. What is over is told by the series: half of them
have had a later event. So a single event from 2099 does not end the calendar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt


def until(newest: npt.NDArray[np.int64]) -> date | None:
    """The day that is over where `newest` (series,) are the times of their last events, microseconds; None: none is."""
    if not len(newest):
        return None
    middle = int(np.partition(newest, len(newest) // 2)[len(newest) // 2])
    return (
        datetime.fromtimestamp(middle // 1_000_000 - 86_400, UTC).date() if middle > -62_000_000_000_000_000 else None
    )


def described(days: Sequence[date], last: date) -> dict[str, Any]:
    """The days up to `last`, as JSON."""
    over = sorted({day.isoformat() for day in days if day <= last})
    digest = hashlib.blake2b("\n".join(over).encode(), digest_size=4).hexdigest()
    return {"until": last.isoformat(), "days": len(over), "digest": digest}


def difference(stored: dict[str, Any] | None, days: Sequence[date]) -> str | None:
    """What differs of the days that were over when the state was stored; None where nothing does."""
    if stored is None:
        return None
    now = described(days, date.fromisoformat(stored["until"]))
    if now == stored:
        return None
    was, here = (f"{one['days']} days up to {one['until']} ({one['digest']})" for one in (stored, now))
    return f"event.holidays was {was}, is {here}; days to come may change, those that are over may not"
