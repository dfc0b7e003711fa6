"""The experts of the next step: how many there are, what they are called, how much they remember.

The first ones share networks, tables or regressions, and `forecaster.py` asks them one by one; everything else is a
line of `EXPERTS` (see `expert.py`).
"""

from __future__ import annotations

from typing import Any, Final

from streamrnn.forecasting.experts import expert as interface
from streamrnn.forecasting.experts.median import Median

EXPERTS: Final[dict[str, Any]] = {
    "median of 9": Median(9),
}
"""By the names that the page shows, in the order of their weights. A change here changes what is stored: see
`streamrnn/state/migrations.py`."""

FURTHER: Final = tuple(EXPERTS.values())
"""For kernels."""


def expert_names(networks: int, autoregression: bool) -> tuple[str, ...]:
    """All experts of the next step, in the order of their weights.

    Expert 0 is the last value, and the last one, zero, is the median's alone: `blending.py` relies on both.
    """
    return (
        "last value",
        *(f"network {j + 1}" if networks > 1 else "network" for j in range(networks)),
        "running mean",
        "season",
        *(("autoregression",) if autoregression else ()),
        "pooled",
        "pooled and own",
        "second season",
        *EXPERTS,
        "zero",
    )


def further_size() -> int:
    """How many float32 numbers of a target the experts of `EXPERTS` need together."""
    return sum(interface.size(one) for one in FURTHER)
