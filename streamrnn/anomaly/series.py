"""What is kept of every series, and where it lies in the arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import (
    alerts,
    hourly_profile,
    moments,
    peaks,
    rates,
    record_range,
    recurring,
    residuals,
    runs,
    tails,
    units,
    weekly_profile,
)

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

RECENT = 5  # values that an alert shows, its own the last
# Entries of `shown`; what follows is the largest and the smallest value so far.
HIGHEST, LOWEST = RECENT, RECENT + 1
SHOWN = RECENT + 2

# Parts of `numbers`, per target.
COUNTS = 12
VALUES, STRANGE, HOUR_COUNT, HOUR_MEAN, HOUR_SQUARES, WEEK_MEAN, OFF_COUNT, OFF_MEAN = range(8)
# Of what an alert opened on: what was expected less what is usual, how far the value was off, and still is; how far off
# what is usual it has been.
BASE, SIZE, STILL, FARTHEST = range(8, COUNTS)
WHOLE = COUNTS
NEAR = WHOLE + moments.COLUMNS
RESIDUALS = NEAR + moments.COLUMNS
AVERAGES = RESIDUALS + residuals.COLUMNS
RANGES = AVERAGES + 4
WEEKLY = RANGES + record_range.COLUMNS
FREEZE = WEEKLY + weekly_profile.COLUMNS
ABSENT = FREEZE + runs.COLUMNS
NUMBERS = ABSENT + runs.COLUMNS
HOLD, PEAK, ORDINARY = range(3)

# What is remembered of the last alerts, for feedback (`feedback.py`).
REMEMBERED = 4
ALERT_NUMBER, ALERT_TARGET, ALERT_SIDE, SAID, LASTED, FIRST_HOUR, HOURS_OFF = range(7)
MEMORY = 7
OFF_HOURS = 31  # from the first on that was withheld, one bit each
OFF = 1  # of `withheld`, whose first entry is how many values were
KINDS = 6  # of alerts
SINCE, REACH, LONGEST = range(3)  # LONGEST of either side


class AnomalyConfig(NamedTuple):
    """Sizes of the scoring."""

    targets: int
    new_normal: float = 86_400e6  # microseconds that a fault lasts at most
    new_normal_events: int = 500
    rest_share: float = 0.04
    rest_least: int = 24
    rest_most: int = 400


class AnomalyShared(NamedTuple):
    """What belongs to the partition as a whole."""

    series: npt.NDArray[np.int64]  # (1,) series whose events have been scored


def allocate_shared() -> AnomalyShared:
    """State of a new partition."""
    return AnomalyShared(np.zeros(1, np.int64))


class AnomalySeries(NamedTuple):
    """Anomaly state, one row per series; an all-zero row is a new series."""

    doubles: Array  # (rows, targets, units.DOUBLES)
    numbers: Singles  # (rows, targets, NUMBERS)
    tails: Singles  # (rows, targets, 3, tails.COLUMNS): of residual, change, distance
    lists: Singles  # (rows, targets, 4, peaks.COLUMNS): of level, spread, jump, week
    hours: Singles  # (rows, targets, hourly_profile.HOURS, moments.COLUMNS)
    hour_visits: npt.NDArray[np.uint8]  # (rows, targets, hourly_profile.HOURS)
    week: npt.NDArray[np.int16]  # (rows, targets, weekly_profile.HOURS)
    week_visits: npt.NDArray[np.uint8]  # (rows, targets, weekly_profile.HOURS / 2)
    shown: Array  # (rows, targets, SHOWN): the last values, the newest last, and the extremes
    times: Array  # (rows, runs.TIMES)
    gaps: Singles  # (rows, peaks.COLUMNS)
    rates: Singles  # (rows, rates.TRACKED): what the score corrects
    held: Array  # (rows, 3): hold, largest deviation since the alert opened, share of values since that are ordinary
    hour: npt.NDArray[np.int64]  # (rows,): number of the last event's hour since 1970
    alert: npt.NDArray[np.int64]  # (rows, alerts.COLUMNS)
    remembered: npt.NDArray[np.int32]  # (rows, REMEMBERED, MEMORY): alert n stands at n % REMEMBERED
    strangest: Singles  # (rows, REMEMBERED, KINDS): of each of them
    withheld: Singles  # (rows, targets, REMEMBERED, 2): values of each, and by how much they were off, in units
    allowed: Singles  # (rows, targets, KINDS, 2): how strange values may be on either side that opens no alert
    aftermath: Singles  # (rows, targets, 4): events since what was expected began, how strange they may be, ...
    recurring: Singles  # (rows, targets, recurring.COLUMNS)
    recurred: Array  # (rows, targets, recurring.KEPT): when the last strange episodes began, microseconds since 1970


def allocate(config: AnomalyConfig, rows: int) -> AnomalySeries:
    """State of `rows` new series."""
    targets = (rows, config.targets)

    def singles(*shape: int) -> Singles:
        return np.zeros(shape, np.float32)

    return AnomalySeries(
        doubles=np.zeros((*targets, units.DOUBLES)),
        numbers=singles(*targets, NUMBERS),
        tails=singles(*targets, 3, tails.COLUMNS),
        lists=singles(*targets, 4, peaks.COLUMNS),
        hours=singles(*targets, hourly_profile.HOURS, moments.COLUMNS),
        hour_visits=np.zeros((*targets, hourly_profile.HOURS), np.uint8),
        week=np.zeros((*targets, weekly_profile.HOURS), np.int16),
        week_visits=np.zeros((*targets, weekly_profile.HOURS // 2), np.uint8),
        shown=np.zeros((*targets, SHOWN)),
        times=np.zeros((rows, runs.TIMES)),
        gaps=singles(rows, peaks.COLUMNS),
        rates=singles(rows, rates.TRACKED),
        held=np.zeros((rows, 3)),
        hour=np.zeros(rows, np.int64),
        alert=np.zeros((rows, alerts.COLUMNS), np.int64),
        remembered=np.zeros((rows, REMEMBERED, MEMORY), np.int32),
        strangest=singles(rows, REMEMBERED, KINDS),
        withheld=singles(*targets, REMEMBERED, 2),
        allowed=singles(*targets, KINDS, 2),
        aftermath=singles(*targets, 4),
        recurring=singles(*targets, recurring.COLUMNS),
        recurred=np.zeros((*targets, recurring.KEPT)),
    )
