"""A linear readout learned by recursive least squares, one step ahead: step = weights . phi, in sigmas.

Its numbers lie in a target's row, from `at`: running mean square of its error, weights (m,), phi (m,) of the pending
forecast, packed precision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.cells.vector import out_of_line
from streamrnn.compiled import kernel
from streamrnn.online import rls
from streamrnn.online.scaling import clip

Float64 = NDArray[np.float64]

VARIANCE_RATE = 0.01
ERROR_CLIP = 4.0  # running standard deviations one error counts at most


@kernel
def forecast_step(z: Float64, at: int, m: int) -> float:
    """The step that the readout expects from its phi."""
    return rls.dot(z[at + 1 : at + 1 + m], z[at + 1 + m : at + 1 + 2 * m])


@kernel
def learn_readout(z: Float64, at: int, m: int, step: float, forgetting: float, initial: float, gain: Float64) -> None:
    """Learn from the step that came (sigmas); `gain` has room for m numbers."""
    out_of_line()
    weights, phi, precision = z[at + 1 : at + 1 + m], z[at + 1 + m : at + 1 + 2 * m], z[at + 1 + 2 * m :]
    error = step - rls.dot(weights, phi)
    if z[at] == 0.0:  # the first time
        rls.start_precision(precision, m, initial)
        z[at] = 1.0
    if math.isfinite(error):
        error = clip(error, ERROR_CLIP * math.sqrt(z[at]) + 1e-6)
        rls.learn(precision, weights, phi, gain[:m], error, forgetting, initial)
        z[at] += VARIANCE_RATE * (error * error - z[at])
    else:  # the expert starts again
        for k in range(m):
            weights[k] = 0.0
        z[at] = 0.0
