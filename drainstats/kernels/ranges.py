"""Row-by-row parts of the measures from highs, lows and closes, in one pass: what they cost is reading the tables."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def two_day_parts(
    h: FloatArray, l: FloatArray, c: FloatArray, overnight: bool, beta: FloatArray, gamma: FloatArray
) -> None:
    """Corwin and Schultz's beta and gamma of each row and the one before, from (T, N) logs; NaN where a part is."""
    rows, columns = h.shape
    beta[0], gamma[0] = np.nan, np.nan
    for t in range(1, rows):
        for j in range(columns):
            hh, ll, h1, l1, c1 = h[t, j], l[t, j], h[t - 1, j], l[t - 1, j], c[t - 1, j]
            gap = max(0.0, c1 - hh) + min(0.0, c1 - ll) if overnight else 0.0
            wide = max(hh + gap, h1) - min(ll + gap, l1)
            # Comparisons lose a missing cell; the sum keeps it.
            known = (hh + ll + h1 + l1) * 0.0 + (c1 * 0.0 if overnight else 0.0)
            beta[t, j] = (hh - ll) ** 2 + (h1 - l1) ** 2 + known
            gamma[t, j] = wide * wide + known


@kernel
def two_day_alpha(beta: FloatArray, gamma: FloatArray, alpha: FloatArray) -> None:
    """alpha = (sqrt(2 beta) − sqrt(beta)) / k − sqrt(gamma / k) with k = 3 − 2 sqrt 2, cell by cell."""
    k = 3.0 - 2.0 * np.sqrt(2.0)
    a, b = (np.sqrt(2.0) - 1.0) / k, 1.0 / np.sqrt(k)
    rows, columns = beta.shape
    for t in range(rows):
        for j in range(columns):
            alpha[t, j] = a * np.sqrt(beta[t, j]) - b * np.sqrt(gamma[t, j])


@kernel
def mid_range_product(h: FloatArray, l: FloatArray, c: FloatArray, out: FloatArray) -> None:
    """Abdi and Ranaldo's 4 (c₁ − eta₁)(c₁ − eta) of each row, from (T, N) logs."""
    rows, columns = h.shape
    out[0] = np.nan
    for t in range(1, rows):
        for j in range(columns):
            before = c[t - 1, j]
            out[t, j] = 4.0 * (before - (h[t - 1, j] + l[t - 1, j]) / 2.0) * (before - (h[t, j] + l[t, j]) / 2.0)
