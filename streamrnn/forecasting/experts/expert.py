"""The interface of an expert of the next step.

An expert is a small NamedTuple of constants, such as `Median(values=9)`; as with cells, its *type* picks the code
(`kernels/by_type.py`), and numba compiles one call for each expert of `registry.py`. Its answer is a step over the last
value, in sigmas of `scaling.py`: 0 says that the value stays where it is, NaN that it knows nothing yet and is to be
left out. What it remembers of a target are float32 numbers at seen.f[o:], zeros when the target begins.

To add an expert: write one file with a NamedTuple and the functions marked `@implements(...)`, as in `median.py`, and
name it in `registry.py`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from streamrnn.forecasting.layout import Layout
from streamrnn.kernels.by_type import chosen_by_type, code_of
from streamrnn.kernels.by_type import implements as implements
from streamrnn.kernels.jit import CALLEE_OPTIONS

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

ROOM: Final = 64


class Seen(NamedTuple):
    """What an expert may look at: one target of one series, after the newest value."""

    recent: Float64  # (values,) newest first, what was missing filled in
    events: int  # seen by the series
    inverse: float  # 1 / sigma; 0 while sigma is unknown
    z: Float64  # the target's row of float64, laid out by `at`
    f: Float32  # its row of float32
    t: Int16  # the seasons' table
    v: UInt8  # visits of the seasons' bins, see `season_tables.py`
    at: Layout
    clock: Int64  # see `calendar.py`
    phases: Float64  # (seasons, horizon + 1): of the newest event and those to come
    room: Float64  # (ROOM,) to work in; nothing in it is kept


def _remembers_nothing(expert: Any) -> int:
    return 0


def _learns_nothing(expert: Any, seen: Seen, o: int, came: float) -> None:
    pass


def size(expert: Any) -> int:
    """How many float32 numbers the expert remembers of a target; 0 unless implemented."""
    return int(code_of(size, expert, _remembers_nothing)(expert))


def step(expert: Any, seen: Seen, o: int) -> float:
    """The next value less the last one, in sigmas. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


def learn(expert: Any, seen: Seen, o: int, came: float) -> None:
    """Learn from the step that came (sigmas); nothing unless implemented. `seen` is after it. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


chosen_by_type(size, _remembers_nothing)
chosen_by_type(step)
chosen_by_type(learn, _learns_nothing)


def all_steps(experts: Any, seen: Seen, o: int, out: Float64, e: int) -> int:
    """Write the step of every expert to out[e:]; returns the place behind. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


def learn_all(experts: Any, seen: Seen, o: int, came: float) -> None:
    """Teach every expert the step that came. Only inside kernels."""
    raise NotImplementedError("only inside a kernel")


@overload(all_steps, strict=False, jit_options=CALLEE_OPTIONS)
def _unroll_steps(experts: Any, seen: Any, o: Any, out: Any, e: Any) -> Any:
    """One call after the other: the experts' types differ, so that a loop over them has no type."""
    if len(experts) == 0:
        return lambda experts, seen, o, out, e: e

    def first_and_others(experts: Any, seen: Any, o: Any, out: Any, e: Any) -> Any:
        out[e] = step(experts[0], seen, o)
        return all_steps(experts[1:], seen, o + size(experts[0]), out, e + 1)

    return first_and_others


@overload(learn_all, strict=False, jit_options=CALLEE_OPTIONS)
def _unroll_learn(experts: Any, seen: Any, o: Any, came: Any) -> Any:
    if len(experts) == 0:
        return lambda experts, seen, o, came: None

    def first_and_others(experts: Any, seen: Any, o: Any, came: Any) -> Any:
        learn(experts[0], seen, o, came)
        learn_all(experts[1:], seen, o + size(experts[0]), came)

    return first_and_others
