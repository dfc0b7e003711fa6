"""A row that is asked for ahead: the machine code says so, and nothing is touched, whatever the row and the arrays."""

from __future__ import annotations

import re
from typing import NamedTuple

import numba
import numpy as np

from streamrnn.kernels.jit import OPTIONS
from streamrnn.kernels.prefetch import prefetch


class Inner(NamedTuple):
    wide: np.ndarray
    none: np.ndarray


class Rows(NamedTuple):
    one: np.ndarray
    inner: Inner


def ask(rows, row):
    prefetch(rows, row)
    return row


def test_every_row_can_be_asked_for_and_none_changes() -> None:
    compiled = numba.njit(ask, **OPTIONS)
    rows = Rows(np.arange(5.0), Inner(np.arange(500, dtype=np.int16).reshape(5, 2, 50), np.zeros((5, 0))))
    before = [rows.one.tobytes(), rows.inner.wide.tobytes()]
    for row in (0, 4, 5, -1, 1 << 40):  # a hint: what is no row does no harm
        assert compiled(rows, row) == row
    assert compiled(Rows(np.zeros(0), Inner(np.zeros((0, 2, 50), np.int16), np.zeros((0, 0)))), 3) == 3
    assert [rows.one.tobytes(), rows.inner.wide.tobytes()] == before
    [code, *_] = compiled.inspect_asm().values()
    assert len(re.findall(r"\bprefetch|\bprfm", code)) >= 2
