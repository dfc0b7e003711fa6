"""From a statistic to a probability: how often was this series as strange as now?

A histogram of the statistic's own past, one per series, answers with the share of past events at least as strange,
p = P(S >= s). On a stationary series `1 - p` exceeds `1 - a` for a share a of the events whatever the statistic and
its distribution (events are exchangeable; Vovk et al. 2005, "Algorithmic learning in a random world"): calibration
does not rest on a model. Beyond the `TAIL` largest the share is continued by an exponential tail fitted to them
(peaks over threshold, Pickands 1975), so that the strangest episodes are still told apart.

Events with S below one `BIN` are ordinary. A second histogram orders these by a tie-breaker in [0, 1), so that also
their scores read as probabilities. Old events fade: when a histogram holds `MEMORY` events every count is halved.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Counts = npt.NDArray[np.float32]

BINS = 128
BIN = 0.125
ORDINARY_BINS = 64
WEIGHT = BINS + ORDINARY_BINS  # the entry that holds the sum of the others
COUNTS = WEIGHT + 1
TAIL = 24.0  # events that the exponential tail is fitted to
MEMORY = 32768.0  # events
PRIOR = 30.0  # a new series starts with this many events of the nominal distribution P(S >= s) = 10 ** -s
LOG10_E = 0.4342944819032518
SMALLEST = 1e-12  # probabilities are not told apart below


@kernel
def _bin(statistic: float) -> float:
    """Bin number and the way through it."""
    return min(max(statistic, 0.0) / BIN, BINS - 1e-6)


@kernel
def _tail(counts: Counts, place: float) -> float:
    """P(S >= s) for s beyond the lowest bin, as a number of events out of `counts[WEIGHT] + PRIOR`."""
    own = int(place)
    mass, moment = 0.0, 0.0  # events in the bins from `edge` up, and the sum of their S
    edge = BINS
    while edge > 0 and (mass < TAIL or edge > own + 1):
        edge -= 1
        mass += counts[edge]
        moment += counts[edge] * ((edge + 0.5) * BIN)
    if edge > own:  # enough events above: their share, and the part of the own bin above `place`
        return float(mass + counts[own] * (own + 1 - place)) + PRIOR * exp(-place * BIN / LOG10_E)
    low = edge * BIN
    nominal = PRIOR * exp(-low / LOG10_E)
    scale = max((moment - mass * low + nominal * LOG10_E) / (mass + nominal), 1e-3)
    return (mass + nominal) * exp(-(place * BIN - low) / scale)


@kernel
def probability(counts: Counts, statistic: float, tie: float) -> float:
    """P(at least as strange) by the past in `counts` `(COUNTS,)`, in [SMALLEST, 1]; nothing is learned.

    Args:
        counts: the histograms of one series.
        statistic: S >= 0.
        tie: in [0, 1), orders ordinary events.
    """
    events = counts[WEIGHT] + PRIOR
    if not statistic < BIN:
        return float(max(min(_tail(counts, _bin(statistic)) / events, 1.0), SMALLEST))
    strange = 0.0
    for b in range(1, BINS):
        strange += counts[b]
    place = tie * ORDINARY_BINS
    own = int(place)
    above = counts[BINS + own] * (own + 1 - place)
    for b in range(own + 1, ORDINARY_BINS):
        above += counts[BINS + b]
    return float(min((strange + above + PRIOR * (1.0 - tie)) / events, 1.0))


@kernel
def learn(counts: Counts, statistic: float, tie: float) -> None:
    """Count one more event."""
    counts[int(_bin(statistic))] += 1.0
    if statistic < BIN:
        counts[BINS + int(tie * ORDINARY_BINS)] += 1.0
    counts[WEIGHT] += 1.0
    if counts[WEIGHT] >= MEMORY:
        for b in range(COUNTS):
            counts[b] *= 0.5
