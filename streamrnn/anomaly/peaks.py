"""How rare an episode is among the largest of a series so far.

A list keeps the peaks of the M = 8 largest episodes, ascending. Beyond the smallest of them, u, lie M episodes of the
n events that the list has seen; an exponential tail with the list's mean excess continues it:

    d = log10(min(n, MEMORY) / M) + (value - u) / mean excess / ln 10

that is, -log10 of the episodes per event that are as strange. An episode goes on while the value is above u, and ends
after `APART` events below, or after 20 times as many; it then enters the list as one peak, at most `growth` times the
largest so far. Because the unit is the episode, the rate of alerts depends neither on how strongly neighboring events
are alike nor on how many of them a day has. The list fades, so that in the long run recent months decide.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]

KEPT = 8
# Entries of a list's state; all zero is new.
PEAK, BELOW, LENGTH, EVENTS = KEPT, KEPT + 1, KEPT + 2, KEPT + 3  # EVENTS: seen, up to about MEMORY
COLUMNS = KEPT + 4
APART = 48.0  # events
LONGEST = 20.0 * APART
FADE_EVERY, FADE = 64.0, 1.0 - 64 * 5e-6
MEMORY = 5000.0  # events; n does not count beyond
LEAST_EXCESS = 0.05  # of u: equal episodes must not make any other infinitely rare
LOG10_E = 0.4342944819032518


@kernel
def _insert(state: Singles, peak: float) -> None:
    """Put an episode's peak in the place of the smallest."""
    place = 0
    while place < KEPT - 1 and state[place + 1] < peak:
        state[place] = state[place + 1]
        place += 1
    state[place] = peak


@kernel
def _first(state: Singles, value: float) -> None:
    """While the list fills: the maxima of blocks of `APART` events."""
    state[PEAK] = max(state[PEAK], value)
    if (state[EVENTS] + 1.0) % APART == 0.0:
        place = int(state[EVENTS] / APART)
        while place > 0 and state[place - 1] > state[PEAK]:
            state[place] = state[place - 1]
            place -= 1
        state[place] = state[PEAK]
        state[PEAK] = 0.0


@kernel
def rarity(state: Singles, value: float, growth: float, least: float) -> float:
    """Decades of `value` >= 0 by the list in `state` `(COLUMNS,)`; then learn from it.

    `least` bounds the mean excess from below, beside its share of u.
    """
    if state[EVENTS] < KEPT * APART:
        _first(state, value)
        state[EVENTS] += 1.0
        return 0.0
    decades, smallest = 0.0, float(state[0])
    if value > smallest:
        excess = 0.0
        for i in range(1, KEPT):
            excess += state[i] - smallest
        excess = max(excess / (KEPT - 1), LEAST_EXCESS * smallest, least)
        decades = log10(min(state[EVENTS], MEMORY) / KEPT) + (value - smallest) / excess * LOG10_E
    if value > smallest:
        state[PEAK] = max(state[PEAK], value)
        state[BELOW] = 0.0
        state[LENGTH] += 1.0
    else:
        state[BELOW] += 1.0
    if state[PEAK] > 0.0 and (state[BELOW] > APART or state[LENGTH] > LONGEST):
        largest = float(state[KEPT - 1])
        _insert(state, min(float(state[PEAK]), growth * largest) if largest > 0.0 else float(state[PEAK]))
        state[PEAK], state[LENGTH] = 0.0, 0.0
    state[EVENTS] += 1.0
    if state[EVENTS] % FADE_EVERY == 0.0:
        for i in range(KEPT):
            state[i] *= FADE
        if state[EVENTS] > MEMORY:
            state[EVENTS] -= FADE_EVERY
    return decades
