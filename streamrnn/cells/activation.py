"""The activations of the cells, on the vectors of `vector.py`: tanh, sigmoid and what a rectifier lets through."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core.typing.templates import signature
from numba.extending import overload

from streamrnn.kernels.jit import CALLEE_OPTIONS
from streamrnn.kernels.vector import Vector, clamp, intrinsic

_INT = ir.IntType(32)


@intrinsic
def rectify(_: Any, a: Any, b: Any) -> Any:
    """`b` where `a` is positive, else 0."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(args[0].type, [0.0] * args[0].type.count)
        return builder.select(builder.fcmp_unordered(">", args[0], zero), args[1], zero)

    return a(a, b), generate


@intrinsic
def _tanh_by_lane(_: Any, a: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        exact = context.get_function(math.tanh, signature(a.dtype, a.dtype))  # type: ignore[no-untyped-call]
        value = args[0]
        for lane in range(a.lanes):
            index = ir.Constant(_INT, lane)
            value = builder.insert_element(value, exact(builder, [builder.extract_element(args[0], index)]), index)
        return value

    return a(a), generate


def tanh(v: Any) -> Any:
    """Hyperbolic tangent of every lane.

    float64 calls the C library. float32 is the rational minimax approximation x P(x^2) / Q(x^2) of the Eigen library
    (`generic_fast_tanh_float`), within 4e-7 of the exact value and without a branch.
    """
    raise NotImplementedError("only inside a kernel")


@overload(tanh, strict=False, jit_options=CALLEE_OPTIONS)
def _tanh(v: Any) -> Any:
    if not isinstance(v, Vector):
        return None
    if v.dtype.bitwidth == 64:
        return lambda v: _tanh_by_lane(v)

    def rational(v: Any) -> Any:
        x = clamp(v, 7.90531110763549805)
        s = x * x
        p = s * -2.76076847742355e-16 + 2.00018790482477e-13
        p = p * s + -8.60467152213735e-11
        p = p * s + 5.12229709037114e-08
        p = p * s + 1.48572235717979e-05
        p = p * s + 6.37261928875436e-04
        p = p * s + 4.89352455891786e-03
        q = s * 1.19825839466702e-06 + 1.18534705686654e-04
        q = q * s + 2.26843463243900e-03
        q = q * s + 4.89352518554385e-03
        return x * p / q

    return rational


def sigmoid(v: Any) -> Any:
    """Logistic function of every lane, as (1 + tanh(v / 2)) / 2."""
    raise NotImplementedError("only inside a kernel")


@overload(sigmoid, strict=False, jit_options=CALLEE_OPTIONS)
def _sigmoid(v: Any) -> Any:
    if not isinstance(v, Vector):
        return None
    return lambda v: tanh(v * 0.5) * 0.5 + 0.5
