from __future__ import annotations

import inspect
import re

from streamrnn import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]
    assert all(issubclass(one, errors.StreamRNNError) for one in classes)
    drawn: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"( +[│├└─ ]*)([A-Z]\w+)  ", line):
            depth = len(match[1])
            above = [(other, name) for other, name in above if other < depth]
            drawn[match[2]] = above[-1][1] if above else None
            above.append((depth, match[2]))
    assert drawn == {
        one.__name__: None if one is errors.StreamRNNError else one.__bases__[0].__name__ for one in classes
    }


def test_only_wrong_usage_exits_with_2() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.StreamRNNError)]
    assert {one for one in classes if one.exit_code == 2} == {errors.ConfigurationError}
    assert {one.exit_code for one in classes} == {1, 2}
