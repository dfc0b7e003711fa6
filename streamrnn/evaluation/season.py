"""The season length, in events, that the seasonal baselines are told.

They get it from the whole series, the future included: a stream could not know it, so this errs in their favor.
Declared periods (`model.seasonality`) are taken as they are. Otherwise the candidates are the day, the week and the
year, in steps of the median gap, and the largest peak of the autocorrelation; those count that pass the seasonality
test of the M4 competition at 90 % (Makridakis et al. 2020), here on the increments, since the level of a random walk
passes at any lag:

    r_m > z sqrt((1 + 2 sum_{i<m} r_i^2) / n),    z = 1.645, for the peak among k lags the quantile 1 - .05 / k

Of several, the one whose seasonal persistence errs least is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from streamrnn.records.events import Float64, Int64

_DAY = 86_400_000_000
_CALENDAR = (_DAY, 7 * _DAY, 31_556_952_000_000)  # microseconds; the year has 365.2425 days
_LONGEST = 1500  # events; beyond it a season is rarely seen often enough to be of use
_CHANCE = 0.05  # one-sided, as in the M4 competition


def season_length(times: Int64, values: Float64, declared: Sequence[float] = ()) -> int:
    """Events per season of one series, 1 if it has none.

    Args:
        times: `(events,)` microseconds since 1970.
        values: `(events,)`, NaN where missing.
        declared: periods in seconds.
    """
    known = ~np.isnan(values)
    if known.sum() < 6:
        return 1
    filled = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
    gaps = np.diff(times)
    gap = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    longest = min(_LONGEST, len(values) // 3)
    periods = [second * 1e6 for second in declared] or _CALENDAR
    candidates = {round(period / gap) for period in periods} if gap else set()
    usable = sorted(m for m in candidates if 2 <= m <= longest)
    if not declared:
        correlation = _autocorrelation(np.diff(filled), longest)
        # The largest of many correlations is large by chance: it has to pass for all of them.
        usable = [m for m in usable if _is_season(correlation, m, len(values), 1)]
        usable += [m for m in _peak(correlation) if _is_season(correlation, m, len(values), longest)]
    return min(usable, key=lambda m: float(np.mean(np.abs(filled[m:] - filled[:-m]))), default=1)


def _autocorrelation(values: Float64, longest: int) -> Float64:
    """r_0 .. r_longest, by way of the spectrum."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return np.zeros(longest + 1)
    centered = values / largest
    centered = centered - centered.mean()
    spectrum = np.fft.rfft(centered, 2 * len(values))
    products = np.fft.irfft(spectrum * spectrum.conj())[: longest + 1]
    return products / products[0] if products[0] > 0 else np.zeros(longest + 1)


def _peak(correlation: Float64) -> list[int]:
    """The lag of the largest local maximum beyond lag 1."""
    inner = np.arange(2, len(correlation) - 1)
    if not inner.size:
        return []
    peaks = inner[(correlation[inner] > correlation[inner - 1]) & (correlation[inner] >= correlation[inner + 1])]
    return [int(peaks[np.argmax(correlation[peaks])])] if peaks.size else []


def _is_season(correlation: Float64, m: int, count: int, lags: int) -> bool:
    critical = NormalDist().inv_cdf(1 - _CHANCE / lags)
    limit = critical * np.sqrt((1 + 2 * float(np.sum(correlation[1:m] ** 2))) / count)
    return bool(correlation[m] > limit)
