"""Linear readouts learned by recursive least squares, one step ahead: step = weights . phi, in sigmas.

Their covariance is kept in blocks along the diagonal, for features that belong together (hidden state, lags, inputs,
one factor's products with the phase): with enough features what lies between them is worth next to nothing, and its
size is what an event costs. Several heads share it: each reads a run of the features with weights of its own, and all
blocks of a head share one error and one denominator,

    g_b = P_b phi_b,   q_b = phi_b . g_b,   w += e g / (lam + sum of q_b)
    P_b <- (P_b - g_b g_b' / (lam + q_b)) / lam

Its numbers lie in a target's row, from `at`: per head a running mean square of its error, and the heads' weights. The
blocks, packed, follow them there, or lie apart in 16 bits a number (`kernels/scaled_covariance.py`): half the memory.
Phi is made anew from what the series remembers when the value has come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares, scaled_covariance
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.least_squares import packed_size
from streamrnn.kernels.vector import out_of_line

Floats = NDArray[np.floating]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]

VARIANCE_RATE = 0.01
ERROR_CLIP = 4.0  # running standard deviations one error counts at most
MOST_BLOCKS: Final = 16
MOST_HEADS: Final = 2


class Blocks(NamedTuple):
    """Blocks of a covariance, in the order of the features, and the heads; padded with zeros: all have one type."""

    sizes: tuple[int, ...]  # (MOST_BLOCKS,)
    initials: tuple[float, ...]  # (MOST_BLOCKS,) of the diagonal
    heads: int
    firsts: tuple[int, ...]  # (MOST_HEADS,) the run of features that a head reads; whole blocks
    ends: tuple[int, ...]


def make_blocks(*blocks: tuple[int, float], heads: Sequence[tuple[int, int]] = ()) -> Blocks:
    """Sizes and first covariances, and first feature and end of every head; none: one over all features.

    Blocks of no features are left out.
    """
    there = [block for block in blocks if block[0] > 0]
    features = sum(size for size, _ in there)
    read = list(heads) or [(0, features)] * (features > 0)
    padded = there + [(0, 0.0)] * (MOST_BLOCKS - len(there))
    reading = read + [(0, 0)] * (MOST_HEADS - len(read))
    return Blocks(
        tuple(int(size) for size, _ in padded),
        tuple(float(initial) for _, initial in padded),
        len(read),
        tuple(int(first) for first, _ in reading),
        tuple(int(end) for _, end in reading),
    )


def covariance_size(blocks: Blocks) -> int:
    """Numbers of all blocks, packed."""
    return sum(packed_size(size) for size in blocks.sizes)


def heads_size(blocks: Blocks) -> int:
    """Numbers that the heads keep."""
    return blocks.heads + sum(end - first for first, end in zip(blocks.firsts, blocks.ends, strict=True))


def readout_size(blocks: Blocks) -> int:
    """Numbers that a readout keeps with its blocks."""
    return heads_size(blocks) + covariance_size(blocks)


@kernel
def weights_of(at: int, blocks: Blocks, head: int) -> int:
    """Where the weights of a head begin; of the one after the last, where the blocks do."""
    at += blocks.heads
    for h in range(head):
        at += blocks.ends[h] - blocks.firsts[h]
    return at


@kernel
def forecast_step(f: Floats, at: int, blocks: Blocks, head: int, phi: Floats) -> float:
    """The step that a head expects from phi (m,)."""
    first, end, w = blocks.firsts[head], blocks.ends[head], weights_of(at, blocks, head)
    return least_squares.dot(f[w : w + end - first], phi[first:end])


class Stored(NamedTuple):
    """Where the blocks of a readout lie in 16 bits a number, and room to work on them."""

    covariance: Int16  # all blocks, packed
    units: UInt8  # (m,) of the features' scales
    age: float  # values that the series has seen
    share: float  # from which part on is rounded up, see `kernels/half.py`
    room: Float32  # at least as many as the covariance
    scales: Float32  # (m,)
    phi: Float32  # (m,) scaled
    gain: Float32  # (m,) scaled


@kernel
def learn_readout(
    f: Floats, at: int, blocks: Blocks, phi: Floats, step: float, forgetting: float, gain: Floats
) -> None:
    """Learn from phi (m,) and the step that came (sigmas); the blocks follow the heads; `gain` (m,) is working room."""
    out_of_line()
    covariance = f[weights_of(at, blocks, blocks.heads) :]
    if f[at] == 0.0:  # the first time
        start_blocks(covariance, blocks)
    find_gains(covariance, blocks, phi, gain)
    if _learn_heads(f, at, blocks, phi, step, forgetting, gain):
        learn_blocks(covariance, blocks, phi, gain, forgetting)


@kernel
def learn_stored_readout(
    f: Float32, at: int, stored: Stored, blocks: Blocks, phi: Float32, step: float, forgetting: float, gain: Float32
) -> None:
    """The same where the blocks are stored."""
    out_of_line()
    if f[at] == 0.0:
        start_stored(stored, blocks)
    load_stored(stored)
    find_loaded_gains(stored, blocks, phi, gain)
    if _learn_heads(f, at, blocks, phi, step, forgetting, gain):
        learn_stored_blocks(stored, blocks, forgetting)


@kernel
def _learn_heads(f: Floats, at: int, blocks: Blocks, phi: Floats, step: float, forgetting: float, gain: Floats) -> bool:
    """Move the heads' weights along the gain; False: their error is not finite, and they start again."""
    if f[at] == 0.0:
        for h in range(blocks.heads):
            f[at + h] = 1.0
    for h in range(blocks.heads):
        first, end = blocks.firsts[h], blocks.ends[h]
        w = weights_of(at, blocks, h)
        error = step - forecast_step(f, at, blocks, h, phi)
        if not math.isfinite(error):
            for k in range(at, weights_of(at, blocks, blocks.heads)):
                f[k] = 0.0
            return False
        error = clip(error, ERROR_CLIP * math.sqrt(f[at + h]) + 1e-6)
        q = max(least_squares.dot(phi[first:end], gain[first:end]), 0.0)
        least_squares.learn_weights(f[w : w + end - first], gain[first:end], q, forgetting, error)
        f[at + h] += VARIANCE_RATE * (error * error - f[at + h])
    return True


@kernel
def start_stored(stored: Stored, blocks: Blocks) -> None:
    """Every block as it is before anything has come; to be loaded before work on them."""
    o, p = 0, 0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            scaled_covariance.start(stored.room[p : p + packed(size)], stored.units[o : o + size], blocks.initials[b])
            o += size
            p += packed(size)
    scaled_covariance.store_covariance(stored.room, stored.covariance, 0.5)


@kernel
def load_stored(stored: Stored) -> None:
    """Make the blocks ready to work on."""
    scaled_covariance.load_covariance(stored.covariance, stored.room)
    scaled_covariance.load_scales(stored.units, stored.scales)


@kernel
def find_loaded_gains(stored: Stored, blocks: Blocks, phi: Float32, gain: Float32) -> float:
    """g_b = P_b phi_b of all blocks, which are loaded; returns phi . g."""
    m = stored.units.size
    for j in range(m):
        stored.phi[j] = phi[j] * stored.scales[j]
    total = find_gains(stored.room, blocks, stored.phi[:m], stored.gain[:m])
    for j in range(m):
        gain[j] = stored.gain[j] * stored.scales[j]
    return total


@kernel
def learn_stored_blocks(stored: Stored, blocks: Blocks, forgetting: float) -> None:
    """Move every block along the gain that `find_loaded_gains` found last, and store them."""
    o, p, due = 0, 0, scaled_covariance.is_due(stored.age, forgetting)
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            own = stored.gain[o : o + size]
            q = least_squares.dot(stored.phi[o : o + size], own)
            scaled_covariance.learn_covariance(
                stored.room[p : p + packed(size)], stored.units[o : o + size], stored.scales[o : o + size], own, q,
                forgetting, blocks.initials[b], due,
            )  # fmt: skip
            o += size
            p += packed(size)
    scaled_covariance.store_covariance(stored.room, stored.covariance, stored.share)


@kernel
def start_blocks(covariance: Floats, blocks: Blocks) -> None:
    """Every block as it is before anything has come."""
    p = 0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        least_squares.start_covariance(covariance[p : p + packed(size)], size, blocks.initials[b])
        p += packed(size)


@kernel
def find_gains(covariance: Floats, blocks: Blocks, phi: Floats, gain: Floats) -> float:
    """g_b = P_b phi_b of all blocks; returns phi . g."""
    o, p, total = 0, 0, 0.0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            q = least_squares.find_gain(covariance[p : p + packed(size)], phi[o : o + size], gain[o : o + size])
            total += max(q, 0.0)
            o += size
            p += packed(size)
    return total


@kernel
def learn_blocks(covariance: Floats, blocks: Blocks, phi: Floats, gain: Floats, forgetting: float) -> None:
    """Move every block along its gain."""
    o, p = 0, 0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            own = gain[o : o + size]
            q = least_squares.dot(phi[o : o + size], own)
            least_squares.learn_covariance(covariance[p : p + packed(size)], own, q, forgetting, blocks.initials[b])
            o += size
            p += packed(size)


@kernel
def packed(size: int) -> int:
    """Numbers of a packed block."""
    return size * (size + 1) // 2


@kernel
def boost_covariance(covariance: Floats, blocks: Blocks, share: float) -> None:
    """Learn fast again, because what was learned may no longer hold: P <- P + `share` of the first one."""
    p = 0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            least_squares.boost_covariance(covariance[p : p + packed(size)], size, share * blocks.initials[b])
            p += packed(size)


@kernel
def boost_stored_covariance(stored: Stored, blocks: Blocks, share: float) -> None:
    """The same where the blocks are stored."""
    load_stored(stored)
    o, p = 0, 0
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            scaled_covariance.boost_covariance(
                stored.room[p : p + packed(size)], stored.units[o : o + size], stored.scales[o : o + size],
                share * blocks.initials[b],
            )  # fmt: skip
            o += size
            p += packed(size)
    scaled_covariance.store_covariance(stored.room, stored.covariance, 0.5)
