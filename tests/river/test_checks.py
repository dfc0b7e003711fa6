"""River's own estimator checks, all that apply, for every estimator and every parameter set, as river runs them.

The check of anomaly detectors reads a data set that has to be downloaded; where it is not, one of the same kind stands
in (`cards`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import streamrnn

pytest.importorskip("sklearn", reason="river.checks needs scikit-learn: pip install scikit-learn")
pytest.importorskip("pandas", reason="river's mini-batch checks need pandas: pip install pandas")

from river import base, checks, datasets


class StandInCards:
    """Rows of correlated numbers, a few of them far off: what river's CreditCard is, in small."""

    is_downloaded = True

    def take(self, count: int) -> Iterator[tuple[dict[str, float], int]]:
        random = np.random.default_rng(7)
        mixing = random.normal(size=(5, 5))
        for row in range(count):
            fraud = row > 50 and random.random() < 0.02
            values = mixing @ random.normal(size=5) * (4.0 if fraud else 1.0)
            yield {f"V{k}": float(value) for k, value in enumerate(values)}, int(fraud)


def cases() -> Iterator[Any]:
    for name in streamrnn.__all__:
        kind = getattr(streamrnn, name)
        if not (isinstance(kind, type) and issubclass(kind, base.Base)):
            continue  # no estimator of river's
        for number, parameters in enumerate(kind._unit_test_params()):
            model = kind(**parameters)
            seen: dict[str, int] = {}
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(datasets, "CreditCard", StandInCards)
                for check in checks.yield_checks(model):
                    seen[check.__name__] = seen.get(check.__name__, 0) + 1
                    label = f"{name}-{number}-{check.__name__}-{seen[check.__name__]}"
                    yield pytest.param(model, check, id=label)


@pytest.mark.parametrize(("model", "check"), list(cases()))
def test_check(model: Any, check: Any) -> None:
    assert check.__name__ not in model._unit_test_skips()
    check(model.clone())


def test_no_estimator_skips_a_check() -> None:
    names = [name for name in streamrnn.__all__ if hasattr(getattr(streamrnn, name), "_unit_test_skips")]
    assert len(names) == 8
    for name in names:
        assert not getattr(streamrnn, name)()._unit_test_skips()
