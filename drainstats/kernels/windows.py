"""Statistics of trailing windows, each computed from its own rows only: no drift, and the same answer in any prefix.

Means and covariances cost the same whatever the width: rows are cut into stretches of one width, and a window is the
end of one stretch (gathered backwards) and the start of the next (gathered forwards). Nothing is ever subtracted.

The innermost loops run over assets, on rows taken out of their tables first, without branches: they vectorise.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray


@kernel
def window_mean(values: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Mean of the numbers among the last ``width`` rows of each column of (T, N); NaN with fewer than ``min_count``."""
    rows, columns = values.shape
    out[: width - 1] = np.nan
    least = max(min_count, 1)
    tail, tails = np.zeros((width + 1, columns)), np.zeros((width + 1, columns))
    head, heads = np.empty(columns), np.empty(columns)
    for start in range(0, rows, width):
        head[:], heads[:] = 0.0, 0.0
        stop = min(start + width, rows)
        for t in range(start, stop):
            row, answer, rest, rests = values[t], out[t], tail[t - start + 1], tails[t - start + 1]
            for j in range(columns):
                x = row[j]
                head[j] += x if x == x else 0.0
                heads[j] += 1.0 if x == x else 0.0
            if t >= width - 1:
                for j in range(columns):
                    count = heads[j] + rests[j]
                    mean = (head[j] + rest[j]) / count
                    answer[j] = mean if count >= least else np.nan
        if stop - start == width:
            tail[width], tails[width] = 0.0, 0.0
            for k in range(width - 1, -1, -1):
                row, sums, counts, later, laters = values[start + k], tail[k], tails[k], tail[k + 1], tails[k + 1]
                for j in range(columns):
                    x = row[j]
                    sums[j] = later[j] + (x if x == x else 0.0)
                    counts[j] = laters[j] + (1.0 if x == x else 0.0)


@inlined
def _gather(
    x: FloatArray, y: FloatArray, n: FloatArray, mean_x: FloatArray, mean_y: FloatArray, moment: FloatArray,
    to_n: FloatArray, to_x: FloatArray, to_y: FloatArray, to_moment: FloatArray,
) -> None:  # fmt: skip
    # Adds one row to numbers, means and summed products of deviations (Welford, 1962); a pair that lacks a part is not
    # added. The targets may be the sources.
    for j in range(x.shape[0]):
        p, q = x[j], y[j]
        both = (p == p) & (q == q)
        count = n[j] + (1.0 if both else 0.0)
        p, q = p if both else 0.0, q if both else 0.0
        away = p - mean_x[j]
        middle_x = mean_x[j] + away / max(count, 1.0)
        middle_y = mean_y[j] + (q - mean_y[j]) / max(count, 1.0)
        to_moment[j] = moment[j] + (away * (q - middle_y) if both else 0.0)
        to_x[j] = middle_x if both else mean_x[j]
        to_y[j] = middle_y if both else mean_y[j]
        to_n[j] = count


@kernel
def window_covariance(x: FloatArray, y: FloatArray, width: int, min_count: int, out: FloatArray) -> None:
    """Sample covariance (divisor n − 1) of the complete pairs among the last ``width`` rows of two (T, N) arrays."""
    rows, columns = x.shape
    out[: width - 1] = np.nan
    least = max(min_count, 2)
    tail = np.zeros((4, width + 1, columns))
    head = np.empty((4, columns))
    for start in range(0, rows, width):
        head[:] = 0.0
        stop = min(start + width, rows)
        for t in range(start, stop):
            n, mean_x, mean_y, moment = head[0], head[1], head[2], head[3]
            _gather(x[t], y[t], n, mean_x, mean_y, moment, n, mean_x, mean_y, moment)
            if t >= width - 1:
                # The two parts of the window put together (Chan, Golub and LeVeque, 1983).
                k, answer = t - start + 1, out[t]
                n2, mean_x2, mean_y2, moment2 = tail[0, k], tail[1, k], tail[2, k], tail[3, k]
                for j in range(columns):
                    count = n[j] + n2[j]
                    apart = (mean_x[j] - mean_x2[j]) * (mean_y[j] - mean_y2[j]) * (n[j] * n2[j] / max(count, 1.0))
                    covariance = (moment[j] + moment2[j] + apart) / (count - 1.0)
                    answer[j] = covariance if count >= least else np.nan
        if stop - start == width:
            tail[:, width] = 0.0
            for k in range(width - 1, -1, -1):
                a, b = tail[:, k + 1], tail[:, k]
                _gather(x[start + k], y[start + k], a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3])


@inlined
def _gather_slope(x: FloatArray, y: FloatArray, old: FloatArray, new: FloatArray) -> None:
    # As `_gather`, with the squares of x beside; old, new (5, N): number, mean x, mean y, moment x y, moment x x.
    n, mean_x, mean_y, moment, square = old[0], old[1], old[2], old[3], old[4]
    to_n, to_x, to_y, to_moment, to_square = new[0], new[1], new[2], new[3], new[4]
    for j in range(x.shape[0]):
        p, q = x[j], y[j]
        both = (p == p) & (q == q)
        one = 1.0 if both else 0.0
        share = one / max(n[j] + one, 1.0)
        away_x, away_y = (p - mean_x[j] if both else 0.0), (q - mean_y[j] if both else 0.0)
        # What is left of a deviation once the row counts in the mean.
        left = away_x * (1.0 - share)
        to_square[j] = square[j] + away_x * left
        to_moment[j] = moment[j] + away_y * left
        to_x[j], to_y[j] = mean_x[j] + away_x * share, mean_y[j] + away_y * share
        to_n[j] = n[j] + one


@kernel
def window_slope(x: FloatArray, y: FloatArray, width: int, min_count: int, own: float, out: FloatArray) -> None:
    """Slope of y on x, with intercept, among the complete pairs of the last ``width`` rows of two (T, N) arrays.

    NaN with fewer than ``min_count`` pairs, and where the variation of x is not above ``own`` times its square.
    """
    rows, columns = x.shape
    out[: width - 1] = np.nan
    tail, head = np.zeros((width + 1, 5, columns)), np.empty((5, columns))
    for start in range(0, rows, width):
        head[:] = 0.0
        stop = min(start + width, rows)
        for t in range(start, stop):
            _gather_slope(x[t], y[t], head, head)
            if t >= width - 1:
                a, b, answer = head, tail[t - start + 1], out[t]
                for j in range(columns):
                    count = a[0, j] + b[0, j]
                    weight = a[0, j] * b[0, j] / max(count, 1.0)
                    apart = a[1, j] - b[1, j]
                    square = a[4, j] + b[4, j] + apart * apart * weight
                    slope = (a[3, j] + b[3, j] + apart * (a[2, j] - b[2, j]) * weight) / square
                    raw = square + a[0, j] * a[1, j] * a[1, j] + b[0, j] * b[1, j] * b[1, j]
                    answer[j] = slope if (count >= min_count) & (square > own * raw) else np.nan
        if stop - start == width:
            tail[width] = 0.0
            for k in range(width - 1, -1, -1):
                _gather_slope(x[start + k], y[start + k], tail[k + 1], tail[k])


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
    lines = np.empty((width, columns))
    count, mean, total = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(width - 1, rows):
        count[:], mean[:], total[:] = 0.0, 0.0, 0.0
        for i in range(width):
            line = lines[i]
            slope, row = gradients[0, t], moments[0, t - width + 1 + i]
            for j in range(columns):
                line[j] = slope[j] * row[j]
            for k in range(1, terms):
                slope, row = gradients[k, t], moments[k, t - width + 1 + i]
                for j in range(columns):
                    line[j] += slope[j] * row[j]
            for j in range(columns):
                x = line[j]
                mean[j] += x if x == x else 0.0
                count[j] += 1.0 if x == x else 0.0
        for j in range(columns):
            mean[j] /= max(count[j], 1.0)
        for i in range(width):
            line = lines[i]
            for j in range(columns):
                x = line[j] - mean[j]
                line[j] = x if x == x else 0.0
                total[j] += line[j] * line[j]
        weights = 1.0
        for lag in range(1, min(lags, width - 1) + 1):
            weight = 2.0 * (1.0 - lag / (lags + 1.0))
            weights += weight
            for i in range(lag, width):
                line, before = lines[i], lines[i - lag]
                for j in range(columns):
                    total[j] += weight * line[j] * before[j]
        answer = out[t]
        for j in range(columns):
            n = count[j]
            variance = max(total[j], 0.0) / (n * (n - weights))
            answer[j] = np.sqrt(variance) if n > weights else np.nan
