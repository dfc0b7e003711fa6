"""Code chosen by the type of the settings: in kernels while they compile, in Python by `code_of`."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from streamrnn.kernels.by_type import chosen_by_type, code_of, implements, overridden_by_type
from tests.kernels import loop


class Double(NamedTuple):
    offset: float


class Square(NamedTuple):
    offset: float


class Other(NamedTuple):
    offset: float


@chosen_by_type
def change(settings: Any, x: float) -> float:
    """Said of `Double` and `Square` alone."""
    return float(code_of(change, settings)(settings, x))


@overridden_by_type
def shift(settings: Any, x: float) -> float:
    """Said of `Double`; for others the number stays."""
    return x


@implements(change, Double)
def _double(settings: Double, x: float) -> float:
    return 2.0 * x + settings.offset


@implements(change, Square)
def _square(settings: Square, x: float) -> float:
    return x * x + settings.offset


@implements(shift, Double)
def _shift(settings: Double, x: float) -> float:
    return x + settings.offset


@loop
def both(settings: Any, x: float) -> float:
    return change(settings, shift(settings, x))


@pytest.mark.parametrize(("settings", "expected"), [(Double(1.0), 9.0), (Square(1.0), 10.0)])
def test_a_kernel_runs_the_code_of_the_type(settings: Any, expected: float) -> None:
    assert both(settings, 3.0) == expected


def test_python_runs_the_same_code() -> None:
    assert change(Double(1.0), 3.0) == 7.0
    assert change(Square(1.0), 3.0) == 10.0


def test_a_type_of_which_nothing_was_said_is_named() -> None:
    with pytest.raises(NotImplementedError, match="change is not implemented for Other"):
        change(Other(1.0), 3.0)
    assert code_of(change, Other(1.0), abs) is abs
