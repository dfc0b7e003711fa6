"""Explicit SIMD: a few lanes of one float array as one value inside a kernel.

numba leaves vectorization to LLVM, which gives up on offsets it cannot prove positive and on arrays it cannot prove
distinct, and chooses the order of a sum by itself. Here the order of every sum is written down: the same event gives
the same bits wherever a batch was cut, and the loops run at the speed of the load ports.

    v = load(array, offset, count)      # lanes from array[offset], those at or past `count` read as 0
    v = multiply_add(scalar, v, w)      # scalar * v + w, one rounding
    store(array, offset, count, v)      # lanes at or past `count` are left alone

`+ - * /` work between vectors and scalars. A vector is 64 bytes with AVX-512, else 32: `lanes(array)` elements.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

VECTOR_BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32

_CONTRACT = ("contract",)
_INT = ir.IntType(32)


def intrinsic(code: Callable[..., Any]) -> Any:
    """A function for kernels whose machine instructions `code` writes down itself."""
    return numba_intrinsic(code)


class Vector(types.Type):
    """The numba type of `lanes` elements of `dtype` held in one register."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(f"Vector({dtype}, {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        element = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))  # type: ignore[no-untyped-call]


def _element_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    # No bounds and no negative indices: that check is what keeps loops over `offset + j` from vectorizing.
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index], inbounds=True)


def _splat(builder: Any, scalar: Any, vector_type: Any) -> Any:
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, vector_type.count), [0] * vector_type.count)
    return builder.shuffle_vector(first, undefined, zeros)


def _mask(builder: Any, count: Any, lanes: int, comparison: str = "<") -> Any:
    lane = ir.Constant(ir.VectorType(count.type, lanes), list(range(lanes)))
    return builder.icmp_signed(comparison, lane, _splat(builder, count, lane.type))


def _masked(builder: Any, kind: str, vector_type: Any, result: Any, arguments: list[Any]) -> Any:
    short = f"v{vector_type.count}f{32 if isinstance(vector_type.element, ir.FloatType) else 64}"
    name = f"llvm.masked.{kind}.{short}.p0"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)


def _vector_pointer(context: Any, builder: Any, sig: Any, args: Any, form: Any) -> Any:
    """Where a kernel's (array, offset) lies, as the address of a whole vector."""
    return builder.bitcast(_element_pointer(context, builder, sig.args[0], args[0], args[1]), form.as_pointer())


def _load_masked(builder: Any, form: Any, pointer: Any, mask: Any) -> Any:
    """The lanes of the mask; zero in the others, which are not read."""
    bits = 32 if isinstance(form.element, ir.FloatType) else 64
    zero = ir.Constant(form, [0.0] * form.count)
    return _masked(builder, "load", form, form, [pointer, ir.Constant(_INT, bits // 8), mask, zero])


@intrinsic
def lanes(_: Any, array: Any) -> Any:
    """How many elements of `array` one vector holds."""
    count = Vector(array.dtype).lanes
    return types.intp(array), lambda context, *_: context.get_constant(types.intp, count)


@intrinsic
def load(_: Any, array: Any, offset: Any, count: Any) -> Any:
    """Lanes array[offset], array[offset + 1], ...; zero from lane `count` on."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = context.get_value_type(vector)
        pointer = _vector_pointer(context, builder, sig, args, form)
        full = builder.icmp_signed(">=", args[2], ir.Constant(args[2].type, vector.lanes))
        with builder.if_else(full, likely=True) as (then, otherwise):
            with then:
                whole = builder.load(pointer, align=vector.dtype.bitwidth // 8)
                whole_block = builder.basic_block
            with otherwise:
                part = _load_masked(builder, form, pointer, _mask(builder, args[2], vector.lanes))
                part_block = builder.basic_block
        value = builder.phi(form)
        value.add_incoming(whole, whole_block)
        value.add_incoming(part, part_block)
        return value

    return vector(array, types.intp, types.intp), generate


@intrinsic
def load_from(_: Any, array: Any, offset: Any, first: Any) -> Any:
    """Lanes array[offset], array[offset + 1], ...; zero before lane `first`; `offset` itself is in the array."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = context.get_value_type(vector)
        pointer = _vector_pointer(context, builder, sig, args, form)
        return _load_masked(builder, form, pointer, _mask(builder, args[2], vector.lanes, ">="))

    return vector(array, types.intp, types.intp), generate


@intrinsic
def store(_: Any, array: Any, offset: Any, count: Any, vector: Any) -> Any:
    """Write the first `count` lanes (all when there are fewer) to array[offset], array[offset + 1], ..."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig, args, args[3].type)
        align = vector.dtype.bitwidth // 8
        full = builder.icmp_signed(">=", args[2], ir.Constant(args[2].type, vector.lanes))
        with builder.if_else(full, likely=True) as (then, otherwise):
            with then:
                builder.store(args[3], pointer, align=align)
            with otherwise:
                mask = _mask(builder, args[2], vector.lanes)
                _masked(
                    builder,
                    "store",
                    args[3].type,
                    ir.VoidType(),
                    [args[3], pointer, ir.Constant(_INT, align), mask],
                )
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), generate


@intrinsic
def load_full(_: Any, array: Any, offset: Any) -> Any:
    """All lanes from array[offset] on, without a count to check."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig, args, context.get_value_type(vector))
        return builder.load(pointer, align=vector.dtype.bitwidth // 8)

    return vector(array, types.intp), generate


@intrinsic
def store_full(_: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Write all lanes to array[offset], array[offset + 1], ..."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig, args, args[2].type)
        builder.store(args[2], pointer, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def join(_: Any, count: Any, first: Any, second: Any) -> Any:
    """The first `count` lanes of one vector and the others of another."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(_mask(builder, args[0], first.lanes), args[1], args[2])

    return first(types.intp, first, second), generate


@intrinsic
def until_aligned(_: Any, array: Any) -> Any:
    """How many elements lie before the first whose address is a multiple of a vector's size."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        address = builder.ptrtoint(data, context.get_value_type(types.intp))
        over = builder.and_(builder.neg(address), ir.Constant(address.type, VECTOR_BYTES - 1))
        return builder.udiv(over, ir.Constant(address.type, array.dtype.bitwidth // 8))

    return types.intp(array), generate


@intrinsic
def item(_: Any, array: Any, offset: Any) -> Any:
    """array[offset] without the check for a negative index."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_element_pointer(context, builder, sig.args[0], args[0], args[1]))

    return array.dtype(array, types.intp), generate


@intrinsic
def splat(_: Any, array: Any, scalar: Any) -> Any:
    """All lanes equal to `scalar`, in the element type of `array`."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = context.cast(builder, args[1], sig.args[1], vector.dtype)
        return _splat(builder, value, context.get_value_type(vector))

    return vector(array, scalar), generate


@intrinsic
def multiply_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding; `a` a scalar or a vector."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = args[1].type
        if isinstance(a, Vector):
            factor = args[0]
        else:
            factor = _splat(builder, context.cast(builder, args[0], sig.args[0], b.dtype), form)
        element = 32 if b.dtype.bitwidth == 32 else 64
        name = f"llvm.fma.v{form.count}f{element}"
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(form, [form] * 3), name)
        return builder.call(function, [factor, args[1], args[2]])

    return c(a, b, c), generate


@intrinsic
def square_root(_: Any, a: Any) -> Any:
    """The square root of every lane."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = args[0].type
        name = f"llvm.sqrt.v{form.count}f{a.dtype.bitwidth}"
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(form, [form]), name)
        return builder.call(function, [args[0]])

    return a(a), generate


@intrinsic
def clamp(_: Any, a: Any, limit: Any) -> Any:
    """Every lane brought into [-limit, limit]; NaN stays NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = args[0].type
        high = _splat(builder, context.cast(builder, args[1], sig.args[1], a.dtype), form)
        low = builder.fneg(high)
        value = builder.select(builder.fcmp_ordered(">", args[0], high), high, args[0])
        return builder.select(builder.fcmp_ordered("<", value, low), low, value)

    return a(a, limit), generate


@intrinsic
def total(_: Any, a: Any) -> Any:
    """The sum of all lanes, halves folded onto each other."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, width = args[0], args[0].type.count
        while width > 1:
            width //= 2
            undefined = ir.Constant(value.type, ir.Undefined)
            low = ir.Constant(ir.VectorType(_INT, width), list(range(width)))
            high = ir.Constant(ir.VectorType(_INT, width), list(range(width, 2 * width)))
            value = builder.fadd(
                builder.shuffle_vector(value, undefined, low), builder.shuffle_vector(value, undefined, high)
            )
        return builder.extract_element(value, ir.Constant(_INT, 0))

    return a.dtype(a), generate


@intrinsic
def transpose_tile(_: Any, source: Any, at: Any, stride: Any, target: Any, to: Any, target_stride: Any) -> Any:
    """target[to + j * target_stride + i] = source[at + i * stride + j] for all i, j below the number of lanes."""
    vector = Vector(source.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = context.get_value_type(vector)
        n, align = vector.lanes, vector.dtype.bitwidth // 8

        def row(kind: Any, array: Any, offset: Any, step: Any, i: int) -> Any:
            index = builder.add(offset, builder.mul(step, ir.Constant(step.type, i)))
            return builder.bitcast(_element_pointer(context, builder, kind, array, index), form.as_pointer())

        rows = [builder.load(row(sig.args[0], args[0], args[1], args[2], i), align=align) for i in range(n)]
        half = 1
        while half < n:  # swap the off-diagonal blocks of every 2 half x 2 half block
            upper = [j if j & half == 0 else n + j - half for j in range(n)]
            lower = [j + half if j & half == 0 else n + j for j in range(n)]
            for i in range(n):
                if i & half == 0:
                    a, b = rows[i], rows[i + half]
                    for k, mask in ((i, upper), (i + half, lower)):
                        constant = ir.Constant(ir.VectorType(_INT, n), mask)
                        rows[k] = builder.shuffle_vector(a, b, constant)
            half *= 2
        for j in range(n):
            builder.store(rows[j], row(sig.args[3], args[3], args[4], args[5], j), align=align)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


def _define_operator(symbol: Any, instruction: str) -> None:
    @infer_global(symbol)  # type: ignore[no-untyped-call]
    class _Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            vectors = [a for a in args if isinstance(a, Vector)]
            if len(args) == 2 and vectors and all(isinstance(a, Vector | types.Number) for a in args):
                return signature(vectors[0], *args)  # type: ignore[no-untyped-call]
            return None

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        form = context.get_value_type(sig.return_type)
        operands = [
            value
            if isinstance(kind, Vector)
            else _splat(builder, context.cast(builder, value, kind, sig.return_type.dtype), form)
            for kind, value in zip(sig.args, args, strict=True)
        ]
        return getattr(builder, instruction)(*operands, flags=_CONTRACT)

    lower_builtin(symbol, Vector, Vector)(generate)  # type: ignore[no-untyped-call]
    lower_builtin(symbol, types.Number, Vector)(generate)  # type: ignore[no-untyped-call]
    lower_builtin(symbol, Vector, types.Number)(generate)  # type: ignore[no-untyped-call]


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")


@intrinsic
def out_of_line(_: Any) -> Any:
    """Keep LLVM from copying the calling function into its callers: without it each level is compiled again."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate
