"""How sure one can be that liquidity moves together: circular shifts for the null, the stationary bootstrap for errors.

Shifting each asset's history around its own span keeps its persistence, its clusters of volatility and its
distribution, and breaks only the timing between assets: whatever commonality is left is what chance makes. The
bootstrap draws rows of the whole cross-section, in blocks of random length (Politis and Romano, 1994).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drainstats.parallel import pmap
from drainstats.typing import FloatArray, IntArray


def shifted(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each column turned by its own random number of rows, between its first and last number."""
    out = values.copy()
    for j in range(values.shape[1]):
        there = np.flatnonzero(np.isfinite(values[:, j]))
        if len(there) > 1:
            span = slice(int(there[0]), int(there[-1]) + 1)
            out[span, j] = np.roll(values[span, j], int(rng.integers(1, there[-1] - there[0] + 1)))
    return out


def null_distribution(
    statistic: Callable[[FloatArray], float], values: FloatArray, replications: int, seed: int, n_jobs: int
) -> FloatArray:
    """The statistic of shifted panels."""

    def one(_: int, rng: np.random.Generator) -> float:
        return statistic(shifted(values, rng))

    return np.array(pmap(one, range(replications), seed=seed, n_jobs=n_jobs), dtype=np.float64)


def upper_p_value(observed: float, null: FloatArray) -> float:
    """Share of the null at or above what was observed, which counts as one of its draws; NaN without a null."""
    drawn = null[np.isfinite(null)]
    if not len(drawn) or not np.isfinite(observed):
        return float("nan")
    return float((1 + (drawn >= observed - 1e-12).sum()) / (1 + len(drawn)))


def stationary_rows(rows: int, block: float, rng: np.random.Generator) -> IntArray:
    """Row numbers of one bootstrap sample: blocks of geometric length with this mean, around the circle."""
    new = rng.random(rows) < 1 / max(block, 1.0)
    new[0] = True
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, rows))
    first = rng.integers(0, rows, len(starts))
    return (np.repeat(first - starts, lengths) + np.arange(rows)) % rows


def block_length(values: FloatArray) -> float:
    """Mean block of the stationary bootstrap for the mean change and its square (Politis and White, 2004)."""
    from arch.bootstrap import optimal_block_length

    mean = np.nanmean(values[np.isfinite(values).any(axis=1)], axis=1)
    if len(mean) < 20 or np.ptp(mean) == 0:
        return 1.0
    found = optimal_block_length(np.column_stack([mean, (mean - mean.mean()) ** 2]))["stationary"]
    return float(min(max(1.0, np.nanmax(found)), len(mean) / 4))


def newey_west_error(series: FloatArray) -> float:
    """Standard error of a mean with Bartlett weights over 4 (n / 100)^(2/9) lags; NaN for fewer than three numbers."""
    x = series[np.isfinite(series)]
    n = len(x)
    if n < 3:
        return float("nan")
    x = x - x.mean()
    lags = min(int(4 * (n / 100) ** (2 / 9)), n - 1)
    total = (x**2).sum() + 2 * sum((1 - k / (lags + 1)) * (x[k:] * x[:-k]).sum() for k in range(1, lags + 1))
    return float(np.sqrt(max(total, 0.0)) / n)
