"""Where a target's numbers lie: a row of float64, one of float32, one of int16 and one of bytes hold all it carries.

Kernels take such a row and an offset into it. Many small arrays would be easier to name, but handing dozens of them
from kernel to kernel is what numba spends its compile time on, and one run of memory is also what a cache likes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final, NamedTuple

from streamrnn.forecasting.blending import mixture_halves, mixture_numbers
from streamrnn.forecasting.calendar import MOST_SEASONS
from streamrnn.forecasting.drift import DRIFT_SIZE
from streamrnn.forecasting.experts.readout import Blocks, covariance_size, heads_size, readout_size
from streamrnn.forecasting.scaling import SCALE_SIZE

# Rows of the seasons' table, one number per bin; bins of both seasons lie in one row, see `season_storage.py`.
LAST: Final = 0
STEP: Final = 1
LEVEL: Final = 2
TABLE_ROWS: Final = 3
# Of the first season alone, besides: two slower levels and the ratio to the running mean.
SLOW_LEVELS: Final = 2
QUOTIENT: Final = 2
SLOW_ROWS: Final = 3
LEVELS: Final = 1 + SLOW_LEVELS  # of the first season, and running means
# Per season, int16; values are less the base and in the table's unit. Sums take 32 bits, the lower ones first.
SUM: Final = 0  # of the bins' last values
FILLED: Final = 2  # bins with a value
AGO: Final = 3  # what was last seen at the newest event's phase before that event; UNKNOWN: nothing
SURPRISE: Final = 4  # of the newest step
VISIT: Final = 5  # bin of the open visit + 1
TOTAL: Final = 6  # sum and
COUNT: Final = 8  # number of its values
CLOSED: Final = 9  # bin of the visit before + 1, still to be written
CLOSED_MEAN: Final = 10  # of its values
NOW_SIZE: Final = 11


class Layout(NamedTuple):
    """Offsets and sizes, in numbers. m: features of a readout."""

    # float64
    scale: int  # SCALE_SIZE
    drift: int  # DRIFT_SIZE
    history: int  # ring of `values` values, missing ones filled in
    values: int
    base: int  # what the seasons' tables are less
    unit: int  # of their numbers
    means: int  # (LEVELS,)
    average: int  # running mean of about ten values
    numbers: int
    # float32
    readouts: int  # one per network, `readout_stride` apart
    readout_stride: int
    readout: int  # m
    autoregression: int
    linear: int  # m; 0: the networks' readout has it as a head
    own: int  # the series' own readout beside the pooled one
    pooled_step: int  # what the pooled one expects of the next event, sigmas
    blend: int  # mixtures of the next step, `blending.py`
    singles: int
    # int16: the seasons' table (TABLE_ROWS, bins), then
    bins: int  # of both seasons together
    slow: int  # (SLOW_ROWS, slow_bins)
    now: int  # (seasons, NOW_SIZE)
    covariances: int  # one per network, `covariance_stride` apart
    own_covariance: int
    inputs: int  # of the next event, see `inputs.py`
    hidden: int  # (networks, outputs) what the networks give for it
    own_phi: int  # what the pooled readouts see of it, see `pooled.py`
    blend_halves: int
    shorts: int
    slow_bins: int
    covariance_stride: int  # 0: the readouts' blocks follow their heads, and so do all
    own_stride: int
    # bytes: visits of the seasons' bins (bins,), then
    units: int  # (networks, m) of the covariances' scales
    own_units: int
    shown: int  # (experts,) weights of the next step's mean
    bytes: int


def offsets_of(sizes: Mapping[str, int], total: str) -> dict[str, int]:
    """Where each part begins when they lie one after the other, and under `total` where the last one ends."""
    ends = [0, *itertools.accumulate(sizes.values())]
    return dict(zip([*sizes, total], ends, strict=True))


def make_layout(
    *, values: int, bins: int, networks: int, readout: Blocks, linear: Blocks, inputs: int, hidden: int, own: Blocks,
    experts: int, stored: bool, far: bool,
) -> Layout:  # fmt: skip
    """Lay everything out, one after the other; where `stored`, covariances take 16 bits a number.

    Far steps live on the slow levels: half as many cost them 2 to 3 % on 5-minute data, and the next step .3 %.
    """
    slow_bins = bins // 2 if far else bins // 4
    readout_stride, own_size = (heads_size(readout), heads_size(own)) if stored else (
        readout_size(readout), readout_size(own)
    )  # fmt: skip
    covariance_stride, own_stride = (covariance_size(readout), covariance_size(own)) if stored else (0, 0)
    m = sum(readout.sizes)
    sizes = {
        "scale": SCALE_SIZE,
        "drift": DRIFT_SIZE,
        "history": values,
        "base": 1,
        "unit": 1,
        "means": LEVELS,
        "average": 1,
    }
    singles = {
        "readouts": networks * readout_stride,
        "autoregression": readout_size(linear),
        "own": own_size,
        "pooled_step": 1,
        "blend": mixture_numbers(experts),
    }
    shorts = {
        "table": TABLE_ROWS * bins,
        "slow": SLOW_ROWS * slow_bins,
        "now": MOST_SEASONS * NOW_SIZE,
        "covariances": networks * covariance_stride,
        "own_covariance": own_stride,
        "inputs": inputs,
        "hidden": networks * hidden,
        "own_phi": sum(own.sizes),
        "blend_halves": mixture_halves(experts),
    }
    in_bytes = {
        "visits": bins,
        "units": networks * m * stored,
        "own_units": sum(own.sizes) * stored,
        "shown": experts,
    }
    offsets = offsets_of(shorts, "shorts") | offsets_of(in_bytes, "bytes")
    del offsets["table"], offsets["visits"]  # 0
    return Layout(
        **offsets_of(sizes, "numbers"),
        **offsets_of(singles, "singles"),
        **offsets,
        values=values,
        bins=bins,
        slow_bins=slow_bins,
        covariance_stride=covariance_stride,
        own_stride=own_stride,
        readout_stride=readout_stride,
        readout=m,
        linear=sum(linear.sizes),
    )
