"""The law holds whatever the network is made of."""

from __future__ import annotations

import pytest

from streamrnn.cells.catalog import CELLS
from tests.streams import configured, every, run, stream

COUNT = 200
EVERYDAY = [("lstm", 2)]
OTHERS = [(name, layers) for name in CELLS for layers in (1, 2) if (name, layers) not in (("gru", 1), *EVERYDAY)]


@pytest.mark.parametrize(
    ("cell", "layers"), [*EVERYDAY, *(pytest.param(*other, marks=pytest.mark.slow) for other in OTHERS)]
)
def test_batches_and_restores_change_no_byte(cell: str, layers: int) -> None:
    config = configured(model__cell=cell, model__layers=layers, model__truncation_length=3)
    records = stream(config, COUNT)
    whole = run(config, records)
    assert run(config, records, every(7, COUNT), [50, 120]) == whole
    assert whole.outputs != run(configured(model__truncation_length=3), records).outputs
