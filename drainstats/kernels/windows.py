"""Statistics of trailing windows, each computed from its own rows only: no drift, and the same answer in any prefix.

Assets lie side by side in blocks and the innermost loops run over them, without branches, so that the compiler can
vectorise. A mean takes three additions whatever the width: rows are cut into stretches of one width, and a window is
the end of one stretch (summed backwards) and the start of the next (summed forwards); nothing is ever subtracted.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray

BLOCK = 64
CHUNK = 256


@kernel
def window_mean(values: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Mean of the numbers among the last ``width`` rows of each column of (T, N); NaN with fewer than ``min_count``."""
    rows, columns = values.shape
    out[: width - 1] = np.nan
    tail, tails = np.empty((width + 1, BLOCK)), np.empty((width + 1, BLOCK))
    head, heads = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, columns, BLOCK):
        size = min(BLOCK, columns - first)
        tail[:], tails[:] = 0.0, 0.0
        for start in range(0, rows, width):
            head[:], heads[:] = 0.0, 0.0
            stop = min(start + width, rows)
            for t in range(start, stop):
                k = t - start + 1
                for b in range(size):
                    x = values[t, first + b]
                    head[b] += x if x == x else 0.0
                    heads[b] += x == x
                if t >= width - 1:
                    for b in range(size):
                        count = heads[b] + tails[k, b]
                        mean = (head[b] + tail[k, b]) / max(count, 1.0)
                        out[t, first + b] = mean if (count >= min_count) & (count > 0) else np.nan
            if stop - start == width:
                tail[width], tails[width] = 0.0, 0.0
                for k in range(width - 1, -1, -1):
                    for b in range(size):
                        x = values[start + k, first + b]
                        tail[k, b] = tail[k + 1, b] + (x if x == x else 0.0)
                        tails[k, b] = tails[k + 1, b] + (x == x)


@kernel
def window_covariance(x: FloatArray, y: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Sample covariance (divisor n − 1) of the complete pairs among the last ``width`` rows of two (T, N) arrays."""
    rows, columns = x.shape
    out[: width - 1] = np.nan
    height = min(CHUNK + width - 1, rows)
    p, q, pair = np.zeros((height, BLOCK)), np.zeros((height, BLOCK)), np.zeros((height, BLOCK))
    mean_x, mean_y, count, total = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    least = max(min_count, 2)
    for first in range(0, columns, BLOCK):
        size = min(BLOCK, columns - first)
        for begin in range(width - 1, rows, CHUNK):
            low, stop = begin - width + 1, min(begin + CHUNK, rows)
            for i in range(stop - low):
                for b in range(size):
                    xx, yy = x[low + i, first + b], y[low + i, first + b]
                    both = (xx == xx) & (yy == yy)
                    p[i, b] = xx if both else 0.0
                    q[i, b] = yy if both else 0.0
                    pair[i, b] = both
            for t in range(begin, stop):
                mean_x[:], mean_y[:], count[:], total[:] = 0.0, 0.0, 0.0, 0.0
                for i in range(t - begin, t - begin + width):
                    for b in range(size):
                        mean_x[b] += p[i, b]
                        mean_y[b] += q[i, b]
                        count[b] += pair[i, b]
                for b in range(size):
                    mean_x[b] /= max(count[b], 1.0)
                    mean_y[b] /= max(count[b], 1.0)
                for i in range(t - begin, t - begin + width):
                    for b in range(size):
                        total[b] += pair[i, b] * (p[i, b] - mean_x[b]) * (q[i, b] - mean_y[b])
                for b in range(size):
                    out[t, first + b] = total[b] / (count[b] - 1.0) if count[b] >= least else np.nan


@kernel
def smooth_error(moments: FloatArray, gradients: FloatArray, width: int, lags: int, out: FloatArray) -> None:
    """Standard errors (T, N) of a smooth function of window means (the delta method).

    moments (K, T, N): what is averaged; gradients (K, T, N): derivatives at the means of the window that ends in the
    row. The long-run variance of the linearised row takes Bartlett weights over ``lags`` rows (Newey and West, 1987);
    a row that lacks a moment does not count, and its neighbours keep their distance (Parzen, 1963). Taking the mean out
    lowers each autocovariance by the long-run variance over n, so that the weights' sum over n is missing from the
    variance; it is put back.
    """
    terms, rows, columns = moments.shape
    out[: width - 1] = np.nan
    line = np.empty((width, BLOCK))
    count, mean, total = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, columns, BLOCK):
        size = min(BLOCK, columns - first)
        for t in range(width - 1, rows):
            count[:], mean[:], total[:] = 0.0, 0.0, 0.0
            for i in range(width):
                for b in range(size):
                    line[i, b] = gradients[0, t, first + b] * moments[0, t - width + 1 + i, first + b]
                for k in range(1, terms):
                    for b in range(size):
                        line[i, b] += gradients[k, t, first + b] * moments[k, t - width + 1 + i, first + b]
                for b in range(size):
                    x = line[i, b]
                    mean[b] += x if x == x else 0.0
                    count[b] += x == x
            for b in range(size):
                mean[b] /= max(count[b], 1.0)
            for i in range(width):
                for b in range(size):
                    x = line[i, b] - mean[b]
                    line[i, b] = x if x == x else 0.0
                    total[b] += line[i, b] * line[i, b]
            weights = 1.0
            for lag in range(1, min(lags, width - 1) + 1):
                weight = 2.0 * (1.0 - lag / (lags + 1.0))
                weights += weight
                for i in range(lag, width):
                    for b in range(size):
                        total[b] += weight * line[i, b] * line[i - lag, b]
            for b in range(size):
                n = count[b]
                variance = max(total[b], 0.0) / max(n * (n - weights), 1e-300)
                out[t, first + b] = np.sqrt(variance) if n > weights else np.nan
