"""Kernels whose arguments were taken apart once do what the same calls do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from streamrnn.kernels import bound_calls
from streamrnn.kernels.bound_calls import bind
from streamrnn.kernels.jit import kernel


class Inner(NamedTuple):
    table: NDArray[np.float32]  # (rows, 3)
    nothing: None
    switch: bool


class Outer(NamedTuple):
    inner: Inner
    number: float
    count: int
    flags: NDArray[np.bool_]  # (rows,)


@kernel
def add(of: Outer, out: NDArray[np.float64], low: int) -> None:
    for i in range(of.inner.table.shape[0]):
        for j in range(of.inner.table.shape[1]):
            if of.inner.switch and of.flags[i]:
                out[i] += of.inner.table[i, j] * of.number + of.count + low


@kernel
def double(out: NDArray[np.float64], cube: NDArray[np.int16]) -> None:
    for i in range(len(out)):
        out[i] = 2.0 * out[i] + cube[i, 0, 1]


def arguments() -> tuple[Outer, NDArray[np.float64], NDArray[np.int16]]:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    of = Outer(Inner(table, None, switch=True), 0.1, 3, np.array([True, False, True, True]))
    return of, np.zeros(4), np.arange(24, dtype=np.int16).reshape(4, 3, 2)


@pytest.mark.parametrize("fits", [True, False])
def test_bound_calls_are_the_calls_with_what_is_in_the_arrays_then(fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_calls, "FITS", fits)
    of, expected, cube = arguments()
    own, found, same = arguments()
    run: Any = bind([(add, (own, found, -7)), (double, (found, same))])
    for turn in range(5):
        for some in (of, own):
            some.inner.table[turn % 4] = turn
            some.flags[1] = turn % 2 == 0
        add(of, expected, -7)
        double(expected, cube)
        run()
        assert (found == expected).all()
    assert found.any()
