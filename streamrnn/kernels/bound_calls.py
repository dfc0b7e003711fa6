"""Calls of kernels whose arguments are taken apart once, for whoever calls with one event at a time.

numba takes the arguments of a call apart every time: some five hundred addresses, shapes and numbers for a pass of the
fold, several times what the event itself takes. The arrays of such a caller stay the same from call to call, so what
compiled code wants to know of them is written to a table once. A small function, made here, reads the table and calls
the kernels' machine code one after the other. It is the code that `numba` calls: the results have the same bits.

It follows numba 0.68, as `pipeline.py` does; with any other version the kernels are called as they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core.compiler_lock import global_compiler_lock

from streamrnn.kernels.pipeline import FITS

_NAME = "streamrnn_bound"
_WORD = ir.IntType(64)
_STATUS = ir.IntType(32)


def bind(calls: Sequence[tuple[Callable[..., None], Sequence[Any]]]) -> Callable[[], None]:
    """Kernels and their arguments, as one function that calls them in order.

    Arrays are read and written where they are now, and are kept for as long as the function is. Numbers are those of
    this moment. Kernels return nothing and raise nothing.
    """
    return _Bound(calls) if FITS else partial(_one_by_one, calls)


def _one_by_one(calls: Sequence[tuple[Callable[..., None], Sequence[Any]]]) -> None:
    for function, arguments in calls:
        function(*arguments)


class _Bound:
    """What `bind` returns."""

    def __init__(self, calls: Sequence[tuple[Any, Sequence[Any]]]) -> None:
        self._calls = calls  # the arrays live as long as their addresses are used
        callees = [_Callee(function, arguments) for function, arguments in calls]
        self._table = np.array([word for _, arguments in calls for one in arguments for word in _words(one)], np.uint64)
        self._engine = _linked(callees)
        code = self._engine.get_function_address(_NAME)
        self._enter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(code)
        self._at = self._table.ctypes.data

    def __call__(self) -> None:
        if self._enter(self._at):
            raise RuntimeError("a kernel raised, which none may")


class _Callee:
    """A kernel compiled for the types of these arguments."""

    def __init__(self, function: Any, arguments: Sequence[Any]) -> None:
        kinds = tuple(function.typeof_pyval(one) for one in arguments)
        function.compile(kinds)
        compiled = function.overloads[kinds]
        described = compiled.fndesc
        self.context = compiled.target_context
        self.address = compiled.library.get_pointer_to_function(described.llvm_func_name)
        self.form = self.context.call_conv.get_function_type(described.restype, described.argtypes)
        """Its type in LLVM's language."""


def _linked(callees: Sequence[_Callee]) -> Any:
    """The machine code that reads the table and calls them, in an engine of its own: nothing in it is worth optimizing,
    and at LLVM's usual level that would take seconds."""
    module = ir.Module(_NAME)
    _write(ir.Function(module, ir.FunctionType(_STATUS, [ir.IntType(8).as_pointer()]), _NAME), callees)
    with global_compiler_lock:
        target = binding.Target.from_default_triple().create_target_machine(opt=0, jit=True)
        engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), target)
        engine.finalize_object()
    return engine


def _write(function: Any, callees: Sequence[_Callee]) -> None:
    """Let the function read the table, a word an argument, and call each callee with its part of it."""
    builder = ir.IRBuilder(function.append_basic_block())
    table = builder.bitcast(function.args[0], _WORD.as_pointer())
    at, status = 0, _STATUS(0)
    for callee in callees:
        result, raised, *kinds = callee.form.args
        arguments = [builder.alloca(result.pointee), builder.alloca(raised.pointee)]
        for kind in kinds:
            place = builder.gep(table, [_WORD(at)])
            arguments.append(builder.load(builder.bitcast(place, kind.as_pointer())))
            at += 1
        code = builder.inttoptr(_WORD(callee.address), callee.form.as_pointer())
        status = builder.or_(status, builder.call(code, arguments))
    builder.ret(status)


def _words(value: Any) -> Iterator[int]:
    """What compiled code is told of an argument, as numbers of 64 bits."""
    if value is None:
        yield 0
    elif isinstance(value, tuple):
        for part in value:
            yield from _words(part)
    elif isinstance(value, np.ndarray):
        # Who counts its references and whose memory it is (nobody here does, nothing here frees it), then the array.
        yield from (0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)
    elif isinstance(value, bool | np.bool_ | int | np.integer):
        yield int(value) & (1 << 64) - 1
    else:
        yield int(np.float64(value).view(np.uint64))
