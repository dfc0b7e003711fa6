"""The running size of residuals: a mean of absolute values that absurd ones cannot hold for long.

    size += gain (min(r, 8 size) - size)

A residual above 8 sizes counts as 8, so that a spike passes. A size ten times above everything in the last full block
of `PEAK_BLOCK` residuals was left behind by something absurd, and drops.
"""

from __future__ import annotations

from streamrnn.kernels.jit import kernel

PEAK_BLOCK = 64  # residuals


@kernel
def running_size(size: float, last_peak: float, residual: float, gain: float) -> float:
    """One step; `residual` >= 0, `last_peak` the largest of the last full block (0: none yet)."""
    if size == 0.0:
        size = residual
    moved = size + gain * (min(residual, 8.0 * size) - size)
    return min(moved, 10.0 * last_peak) if last_peak > 0.0 else moved
