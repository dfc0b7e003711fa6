"""How kernels become machine code: once, together with everything they call.

numba makes of every function it meets a finished piece of machine code with a wrapper for Python, then links the same
function into its caller and optimizes it again, level by level. Here a function that a kernel calls stops after the
translation to LLVM's language (`CalleeCompiler`); what Python enters is optimized once, with everything it calls
(`EntryCompiler`). It halves the cold start, and there is one place less where the bits of a result could depend on what
was cached.

`pipeline_class` is numba's documented way to change its pipeline; the library classes below follow numba 0.68. With any
other version `FITS` is false, and kernels go through numba's own pipeline: the same results, a longer cold start.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering
from numba.core.types.functions import BaseFunction

WRITTEN_FOR = "0.68"
FITS = numba.__version__.startswith(f"{WRITTEN_FOR}.")
"""Whether the installed numba is the one that this module was written for."""


class _CalleeLibrary(JITCodeLibrary):
    """A function as LLVM code, to be linked into its callers; never machine code by itself."""

    def add_llvm_module(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout
        self._final_module.link_in(module)

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _CalleeLowering(NativeLowering):
    _name = "callee_lowering"

    def run_pass(self, state: Any) -> bool:
        """Translate the function, and let callers find it under a key of its own."""
        state.library = _CalleeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = state.flags.no_compile = True
        super().run_pass(state)
        key = [state.func_id].append  # numba wants a builtin function here; any one that equals no other will do
        state.targetctx.insert_user_function(key, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=key)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _EntryLowering(NativeLowering):
    _name = "entry_lowering"

    def run_pass(self, state: Any) -> bool:
        """Translate the function and all it calls to machine code."""
        state.library = JITCodeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


@contextmanager
def _builtins_resolved_once() -> Iterator[None]:
    """What a builtin returns for arguments of given types is found out at its first call, not at every one.

    numba tries all it knows, from numpy's functions to its lists, at each of some six thousand additions, comparisons
    and indices; three hundred and fifty of them differ.
    """
    resolve, known = BaseFunction.get_call_type, {}  # type: ignore[var-annotated]

    def look_up(self: Any, context: Any, args: Any, kws: Any) -> Any:
        key = self, tuple(args), tuple(sorted(kws.items()))
        signature = known.get(key)
        if signature is None:
            signature = known[key] = resolve(self, context, args, kws)
        return signature

    BaseFunction.get_call_type = look_up  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseFunction.get_call_type = resolve  # type: ignore[method-assign]


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """The compiler keeps nearly all it makes, and a tenth of its time went into looking for what it does not keep."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class CalleeCompiler(CompilerBase):
    """numba's nopython pipeline up to LLVM code."""

    lowering: type[NativeLowering] = _CalleeLowering

    def define_pipelines(self) -> list[Any]:
        """One pipeline, as numba wants it."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(self.lowering if step is NativeLowering else step, text) for step, text in passes.passes]
        passes._finalized = False
        passes.finalize()
        return [passes]


class EntryCompiler(CalleeCompiler):
    """The same, up to machine code, with all that is called."""

    lowering = _EntryLowering

    def _compile_core(self) -> Any:
        with _builtins_resolved_once(), _no_garbage_collected():
            return super()._compile_core()
