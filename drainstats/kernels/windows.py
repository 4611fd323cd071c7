"""Statistics of trailing windows, each computed from its own rows only: no drift, and the same answer in any prefix."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def window_mean(values: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Mean of the numbers among the last ``width`` rows of each column of (T, N); NaN with fewer than ``min_count``."""
    rows, columns = values.shape
    out[: width - 1] = np.nan
    for t in range(width - 1, rows):
        for j in range(columns):
            total, count = 0.0, 0
            for i in range(t - width + 1, t + 1):
                x = values[i, j]
                if not np.isnan(x):
                    total += x
                    count += 1
            out[t, j] = total / count if count >= min_count and count > 0 else np.nan


@kernel
def window_covariance(x: FloatArray, y: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Sample covariance (divisor n − 1) of the complete pairs among the last ``width`` rows of two (T, N) arrays."""
    rows, columns = x.shape
    out[: width - 1] = np.nan
    for t in range(width - 1, rows):
        for j in range(columns):
            mean_x, mean_y, count = 0.0, 0.0, 0
            for i in range(t - width + 1, t + 1):
                if not np.isnan(x[i, j]) and not np.isnan(y[i, j]):
                    mean_x += x[i, j]
                    mean_y += y[i, j]
                    count += 1
            if count < max(min_count, 2):
                out[t, j] = np.nan
                continue
            mean_x /= count
            mean_y /= count
            total = 0.0
            for i in range(t - width + 1, t + 1):
                if not np.isnan(x[i, j]) and not np.isnan(y[i, j]):
                    total += (x[i, j] - mean_x) * (y[i, j] - mean_y)
            out[t, j] = total / (count - 1)
