"""Steps of a horizon at which something is tracked: 1, 2, 3, 4, 6, 8, 12, 16, 24 ... and the last.

What is forecast for such a step waits for its value, one place for each forecast that waits at the same time. At far
marks only every `stride_of`th event leaves one, a number that divides no day: the state grows much slower than the
horizon.
"""

from __future__ import annotations

from typing import Final

from streamrnn.kernels.jit import kernel, uncompiled

MARKS: Final = (
    1,
    2,
    3,
    4,
    6,
    8,
    12,
    16,
    24,
    32,
    48,
    64,
    96,
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1536,
    2048,
    4096,
    8192,
)


@kernel
def marks_of(horizon: int) -> int:
    """How many steps of a horizon have trackers of their own."""
    count = 1
    while count < len(MARKS) and MARKS[count - 1] < horizon:
        count += 1
    return count


@kernel
def mark_at(horizon: int, mark: int) -> int:
    """The step, from 1 on, of tracker `mark`; the last is the horizon's."""
    return min(MARKS[mark], horizon) if mark < marks_of(horizon) - 1 else horizon


@kernel
def stride_of(step: int) -> int:
    """Events from one forecast of a step that is waited for to the next."""
    if step <= 12:
        return 1
    if step <= 48:
        return 5
    if step <= 160:
        return 7
    return 11 if step <= 400 else 29


@kernel
def places_of(step: int) -> int:
    """Forecasts of a step that wait at the same time."""
    return (step - 1) // stride_of(step) + 1


def steps_tracked(horizon: int) -> list[int]:
    """The steps of all trackers, for callers in Python."""
    return [*(mark for mark in MARKS[:-1] if mark < horizon), horizon]


def waiting_of(horizon: int) -> int:
    """Places of all marks together, for callers in Python."""
    return sum((step - 1) // uncompiled(stride_of)(step) + 1 for step in steps_tracked(horizon))
