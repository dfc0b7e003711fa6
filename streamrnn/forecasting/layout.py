"""Where a target's numbers lie: one row of float64 and one of float32 holds everything it carries.

Kernels take such a row and an offset into it. Many small arrays would be easier to name, but handing dozens of them
from kernel to kernel is what numba spends its compile time on, and one run of memory is also what a cache likes.
"""

from __future__ import annotations

from typing import NamedTuple

from streamrnn.forecasting.calendar import MOST_SEASONS
from streamrnn.forecasting.drift import DRIFT_SIZE
from streamrnn.forecasting.experts.readout import Blocks, readout_size
from streamrnn.forecasting.scaling import SCALE_SIZE

# Per season and bin.
LAST, STEP, DEVIATION, RATIO = 0, 1, 2, 3
LEVEL = 4
TABLE_ROWS = 5
# Per season: about the newest value.
PERIOD_AGO, SURPRISE, PERIOD_MEAN, VALUES = 0, 1, 2, 3
NOW_SIZE = 4
# Levels per bin, and running means.
LEVELS = 3


class Layout(NamedTuple):
    """Offsets and sizes, in numbers. m: features of a readout."""

    # float64
    scale: int  # SCALE_SIZE
    drift: int  # DRIFT_SIZE
    history: int  # ring of `values` values, missing ones filled in
    values: int
    table: int  # (seasons, TABLE_ROWS, bins)
    now: int  # (seasons, NOW_SIZE)
    levels: int  # (LEVELS, bins)
    means: int  # (LEVELS,)
    average: int  # running mean of about ten values
    numbers: int
    # float32
    readouts: int  # one per network, `readout_stride` apart
    readout_stride: int
    readout: int  # m
    autoregression: int
    linear: int  # m
    own: int  # the series' own readout beside the pooled one
    pooled_step: int  # what the pooled one expects of the next event, sigmas
    visits: int  # (seasons, bins)
    blend: int  # mixtures of the next step, `blending.py`
    singles: int


def make_layout(
    *, values: int, seasons: int, bins: int, networks: int, readout: Blocks, linear: Blocks, own: Blocks, blend: int,
) -> Layout:  # fmt: skip
    """Lay everything out, one after the other."""
    sizes = {
        "scale": SCALE_SIZE,
        "drift": DRIFT_SIZE,
        "history": values,
        "table": seasons * TABLE_ROWS * bins,
        "now": MOST_SEASONS * NOW_SIZE,
        "levels": LEVELS * bins,
        "means": LEVELS,
        "average": 1,
    }
    singles = {
        "readouts": networks * readout_size(readout),
        "autoregression": readout_size(linear),
        "own": readout_size(own),
        "pooled_step": 1,
        "visits": seasons * bins,
        "blend": blend,
    }
    at: dict[str, int] = {}
    for part, total in ((sizes, "numbers"), (singles, "singles")):
        offset = 0
        for name, size in part.items():
            at[name] = offset
            offset += size
        at[total] = offset
    return Layout(
        **at,
        values=values,
        readout_stride=readout_size(readout),
        readout=sum(readout.sizes),
        linear=sum(linear.sizes),
    )
