"""Trailing median and median absolute deviation, exact, from a window that is kept sorted."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray, IntArray


@inlined
def _kth_distance(ordered: FloatArray, size: int, centre: float, k: int) -> float:
    # Distances to the centre fall, then rise, along the sorted window, so the k + 1 smallest stand side by side:
    # the answer is the best window ordered[i .. i + k] of that length, found by bisection on i.
    low, high = 0, size - 1 - k
    while low < high:
        middle = (low + high) // 2
        if centre - ordered[middle] > ordered[middle + k + 1] - centre:
            low = middle + 1
        else:
            high = middle
    return max(centre - ordered[low], ordered[low + k] - centre)


@kernel
def trailing_median_mad(
    values: FloatArray, starts: IntArray, min_count: int, median: FloatArray, mad: FloatArray
) -> None:
    """Median and unscaled MAD of rows ``starts[t]`` to ``t - 1`` of each column, written into (T, N) arrays.

    Row t itself is left out. Fewer than ``min_count`` numbers give NaN. ``starts`` must not fall.
    """
    rows, columns = values.shape
    ordered = np.empty(rows)
    for j in range(columns):
        size = 0
        first = 0
        for t in range(rows):
            if t > 0 and not np.isnan(values[t - 1, j]):
                x = values[t - 1, j]
                at = np.searchsorted(ordered[:size], x)
                for i in range(size, at, -1):
                    ordered[i] = ordered[i - 1]
                ordered[at] = x
                size += 1
            while first < starts[t]:
                x = values[first, j]
                if not np.isnan(x):
                    at = np.searchsorted(ordered[:size], x)
                    for i in range(at, size - 1):
                        ordered[i] = ordered[i + 1]
                    size -= 1
                first += 1
            if size < min_count or size == 0:
                median[t, j] = np.nan
                mad[t, j] = np.nan
                continue
            half = size // 2
            if size % 2:
                centre = ordered[half]
                spread = _kth_distance(ordered, size, centre, half)
            else:
                centre = 0.5 * (ordered[half - 1] + ordered[half])
                spread = 0.5 * (
                    _kth_distance(ordered, size, centre, half - 1) + _kth_distance(ordered, size, centre, half)
                )
            median[t, j] = centre
            mad[t, j] = spread
