"""Kernels that other kernels call: handed on to LLVM once, inside the caller, not compiled on their own as well.

numba makes of every function it meets a finished piece of machine code with a wrapper for Python, then links the
same function into its caller and optimizes it again, level by level. Here a function that is called from a kernel stops
after the translation to LLVM's language; what is entered from Python is optimized once, with everything it calls. It
halves the cold start, and there is one place less where the bits of a result could depend on what was cached.

This is numba's documented way to change its pipeline (`pipeline_class`); the library class below follows numba 0.68.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _Part(JITCodeLibrary):
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
class _PartLowering(NativeLowering):
    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Translate the function, and let callers find it under a key of its own."""
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = state.flags.no_compile = True
        super().run_pass(state)
        key = [state.func_id].append  # numba wants a builtin function here; any one that equals no other will do
        state.targetctx.insert_user_function(key, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=key)
        return True


class Part(CompilerBase):
    """numba's nopython pipeline up to LLVM code."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline, as numba wants it."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (_PartLowering, text) if step is NativeLowering else (step, text) for step, text in passes.passes
        ]
        passes._finalized = False
        passes.finalize()
        return [passes]
