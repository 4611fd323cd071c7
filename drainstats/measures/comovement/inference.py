"""How sure one can be that liquidity moves together: circular shifts for the null, the stationary bootstrap for errors.

Turning each asset's history around its own span keeps its persistence, its clusters of volatility and its
distribution, and breaks only the timing between assets: whatever commonality is left is what chance makes. All shifts
are equally likely, none at all among them, so that the p-value of a series without seam is exact. The bootstrap draws
rows of the whole cross-section, in blocks of random length (Politis and Romano, 1994).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.parallel import pmap
from drainstats.typing import BoolArray, FloatArray, IntArray

_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Spans:
    """From its first to its last number: where each of N series starts, and how many rows that is."""

    starts: IntArray
    lengths: IntArray

    def of(self, which: IntArray) -> Spans:
        """The spans of some of the series, in this order."""
        return Spans(self.starts[which], self.lengths[which])


def spans(there: BoolArray) -> Spans:
    """The spans of the columns of (T, N); one row for a column without numbers."""
    some = there.any(axis=0)
    first = np.where(some, there.argmax(axis=0), 0)
    last = np.where(some, len(there) - 1 - there[::-1].argmax(axis=0), 0)
    return Spans(first.astype(np.int64), (last - first + 1).astype(np.int64))


def draw_shifts(span: Spans, replications: int, seed: int) -> IntArray:
    """Numbers of rows (B, N) by which each series is turned."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, span.lengths, (replications, len(span.lengths)))


def turned(values: FloatArray, span: Spans, shifts: IntArray) -> FloatArray:
    """Panels (B, T, N) whose columns are turned by shifts (B, N) within their spans."""
    row = np.arange(len(values))[:, None] - span.starts
    inside = (row >= 0) & (row < span.lengths)
    moved = span.starts + (row - shifts[:, None, :]) % span.lengths
    return values[np.where(inside, moved, np.arange(len(values))[:, None]), np.arange(values.shape[1])]


def in_chunks(function: Callable[[Any], FloatArray], draws: Any, n_jobs: int) -> FloatArray:
    """Answers (B,) to draws (B, …), spread over workers; the answer does not depend on their number."""
    if not len(draws):
        return np.empty(0)
    # As many chunks for one worker as for many: sums over a batch have its order.
    chunks = np.array_split(draws, min(16, max(1, len(draws) // 10)))
    return np.concatenate(pmap(function, chunks, n_jobs=n_jobs))


def in_batches(function: Callable[[Any], FloatArray], draws: Any, cells: int) -> FloatArray:
    """As `in_chunks`, so many draws at once as fit when each takes this many numbers."""
    size = max(1, _CELLS // cells)
    return np.concatenate([function(draws[k : k + size]) for k in range(0, len(draws), size)])


def upper_p_value(observed: float, null: FloatArray) -> float:
    """Share of the null at or above what was observed, which counts as one of its draws; NaN without a null."""
    drawn = null[np.isfinite(null)]
    if not len(drawn) or not np.isfinite(observed):
        return float("nan")
    return float((1 + (drawn >= observed - 1e-12).sum()) / (1 + len(drawn)))


def draw_rows(values: FloatArray, replications: int, seed: int) -> IntArray:
    """Row numbers (B, T) of bootstrap samples of (T, N) changes."""
    if not replications:
        return np.empty((0, len(values)), dtype=np.int64)
    rng, block = np.random.default_rng(seed), block_length(values)
    return np.stack([stationary_rows(len(values), block, rng) for _ in range(replications)])


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


def spread(draws: FloatArray) -> float:
    """Standard deviation of bootstrap answers; NaN for fewer than two."""
    there = draws[np.isfinite(draws)]
    return float(there.std(ddof=1)) if len(there) > 1 else float("nan")


def mean_of(values: FloatArray) -> float:
    """Mean of the numbers; NaN without any."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def newey_west_error(series: FloatArray) -> float:
    """Standard error of a mean with Bartlett weights over 4 (n / 100)^(2/9) lags; NaN for fewer than three numbers."""
    x = series[np.isfinite(series)]
    n = len(x)
    if n < 3:
        return float("nan")
    return float(np.sqrt(max(long_run_sum(x - x.mean(), min(int(4 * (n / 100) ** (2 / 9)), n - 1)), 0.0)) / n)


def long_run_sum(x: FloatArray, lags: int) -> float:
    """Variance of the sum of a centred series, with Bartlett weights over ``lags`` rows."""
    total = (x**2).sum()
    for k in range(1, min(lags, len(x) - 1) + 1):
        total += 2 * (1 - k / (lags + 1)) * (x[k:] * x[:-k]).sum()
    return float(total)
