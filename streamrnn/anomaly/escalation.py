"""A second fault while an alert is open: one that is clearly stronger, or another one, is told as an alert of its own.

Let a be how far a value is away from what is usual at its hour, w the largest such since the alert opened, with its
sign, and e the forecast's error, in sigmas. The value goes beyond the alert where it leaves what is usual at once,

    |e| >= `SUDDEN`,   a on the side of e,   a out of the ordinary at its hour,

and lies on the other side than w, at least as far, or on the same side `LARGER` times as far. What comes
back to what is usual does not go beyond. Nor does what belongs to the same onset: the first `ONSET` events, in targets
that did not open the alert the first `APART`.

Values that are frozen or missing in a row, and a silence, go beyond where the run began more than `ONSET` events after
the alert: a service that is down has been at zero, or silent, since then.

What goes beyond opens an alert in place of the one that is open, if the target's strangeness is what breaks a rest. A
rule that asks that it lasts (`rules.py`) makes it wait, as long as it stays more than half as far as it has been.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import residuals, runs
from streamrnn.anomaly.channels import FROZEN, GAP, MISSING, WEIGHTS
from streamrnn.anomaly.series import ABSENT, BASE, FARTHEST, FREEZE, RESIDUALS, SIZE, STILL, AnomalySeries
from streamrnn.kernels.jit import kernel

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

WITHIN, STAYS, GOES = range(3)  # it is no farther than the alert; as far as it has been; farther, at once
SUDDEN = 6.0  # sigmas of the forecast's error
LARGER, OTHER = 2.0, 1.0
ORDINARY = 3.0  # deviations of the hour
ONSET, APART = 3, 12  # events


@kernel
def of_value(numbers: Singles, since: int, away: float, spread: float, error: float, is_driver: bool) -> int:
    """Whether a value GOES beyond the alert that opened `since` events ago or STAYS there; then note how far it went.

    Args:
        numbers: of the target; changes.
        since: events, 0 or less where no alert is open.
        away: a, in units.
        spread: what deviation is usual, in units.
        error: of the forecast, in units.
        is_driver: whether the target opened the alert.
    """
    if since <= 0:
        numbers[FARTHEST] = away
        return WITHIN
    farthest = float(numbers[FARTHEST])
    if abs(away) > abs(farthest):
        numbers[FARTHEST] = away
    stays = STAYS if away * numbers[FARTHEST] > 0.5 * numbers[FARTHEST] * numbers[FARTHEST] else WITHIN
    if since < (ONSET if is_driver else APART):
        return stays
    usual = numbers[RESIDUALS + residuals.SCALE] / residuals.MEAN_TO_SIGMAS
    if abs(error) < SUDDEN * usual or error * away <= 0.0 or abs(away) < ORDINARY * spread:
        return stays
    return GOES if abs(away) >= (LARGER if away * farthest > 0.0 else OTHER) * abs(farthest) else stays


@kernel
def of_run(numbers: Singles, since: int, found: Doubles) -> int:
    """The channel of a run that goes beyond the alert that opened `since` events ago, -1: none.

    `found` `(CHANNELS,)` are the target's decades.
    """
    if since <= ONSET:
        return -1
    channel, longest = -1, 0.0
    for k in range(FROZEN, GAP + 1):
        run = numbers[FREEZE + runs.RUN] if k == FROZEN else numbers[ABSENT + runs.RUN] if k == MISSING else 0.0
        if run < since - ONSET and WEIGHTS[k] * found[k] > longest:
            channel, longest = k, WEIGHTS[k] * found[k]
    return channel


@kernel
def begin_from(series: AnomalySeries, row: int, target: int) -> None:
    """An alert opens in place of another: it lasts while the series is still as far off as it is now."""
    numbers = series.numbers[row, target]
    numbers[SIZE] = numbers[FARTHEST] - numbers[BASE]
    numbers[STILL] = numbers[SIZE]
