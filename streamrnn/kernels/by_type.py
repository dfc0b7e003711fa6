"""How a kernel finds the code for the settings it was given: by their type, while numba compiles.

Settings are small NamedTuples, such as `GRU(input_size=8, hidden_size=32)`. A function marked `@chosen_by_type` is a
placeholder; functions marked `@implements(...)` say what it means for one type of its first argument. So only the code
in use is compiled, and there is nothing to dispatch at run time. (Passing functions as values would do the same but
defeats numba's cache on disk.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba.extending import overload

from streamrnn.kernels.jit import CALLEE_OPTIONS

Function = TypeVar("Function", bound=Callable[..., Any])

_CODE: dict[tuple[str, str, type], Callable[..., Any]] = {}


def implements(generic: Callable[..., Any], kind: type) -> Callable[[Function], Function]:
    """Mark a function as what `generic` means for a first argument of type `kind`, in Python and in kernels."""

    def register(function: Function) -> Function:
        _CODE[generic.__module__, generic.__name__, kind] = function
        return function

    return register


def code_of(
    generic: Callable[..., Any], settings: Any, otherwise: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """What `generic` means for these settings, for callers in Python.

    Raises `NotImplementedError` where nothing was said of their type, and `otherwise` says nothing either.
    """
    found = _CODE.get((generic.__module__, generic.__name__, type(settings)), otherwise)
    if found is None:
        raise NotImplementedError(f"{generic.__name__} is not implemented for {type(settings).__name__}")
    return found


def chosen_by_type(generic: Function, otherwise: Callable[..., Any] | None = None) -> Function:
    """Let kernels call `generic(settings, ...)`; `otherwise` is what it means for types of which nothing was said."""

    @overload(generic, strict=False, jit_options=CALLEE_OPTIONS)
    def choose(settings: Any, *_: Any) -> Any:
        kind = getattr(settings, "instance_class", type(None))
        return _CODE.get((generic.__module__, generic.__name__, kind), otherwise)

    return generic


def overridden_by_type(generic: Function) -> Function:
    """The same; for types of which nothing was said, `generic` means what it says itself."""
    return chosen_by_type(generic, generic)
