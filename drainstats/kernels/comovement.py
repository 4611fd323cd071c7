"""R² of every asset on the mean of the others: in one sample, in turned and resampled ones, window by window.

Regressors are demeaned and made orthogonal one after the other (modified Gram-Schmidt: controls, market terms, the
response last), so that the part of the market is read off on the way. Assets lie side by side in lanes.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray, IntArray

LANES = 16
# A regressor whose own sum of squares is a smaller share of it than this is the others' or constant.
OWN = 1e-20


@kernel
def others_mean(y: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Weighted mean over all assets but the own one, of those that are there; NaN where nobody else is. All (T, N)."""
    rows, columns = y.shape
    for t in range(rows):
        total, mass, count = 0.0, 0.0, 0
        for i in range(columns):
            if y[t, i] == y[t, i] and weights[t, i] > 0:
                total += weights[t, i] * y[t, i]
                mass += weights[t, i]
                count += 1
        for i in range(columns):
            here = y[t, i] == y[t, i] and weights[t, i] > 0
            left = mass - weights[t, i] if here else mass
            own = weights[t, i] * y[t, i] if here else 0.0
            out[t, i] = (total - own) / left if count - here > 0 and left > 1e-14 * mass else np.nan


@kernel
def explained(
    y: FloatArray, market: FloatArray, controls: FloatArray, around: int, row_weights: FloatArray, spans: IntArray,
    least: int, out: FloatArray, influence: FloatArray,
) -> None:  # fmt: skip
    """Sums of squares of the rows of each span, every market term inside it.

    y, market (T, N); controls (C, T, N); row_weights (T,), counts of rows; spans (S, 2), first row and the one past the
    last. out (S, 4, N): weighted rows, about the mean, left by the controls, left by all; NaN with fewer than ``least``
    rows, no more rows than terms, dependent regressors or a constant response. influence (S, rows), or (0, 0): each
    row's first-order part in the sum of the assets' adjusted R² is added.
    """
    columns, terms = y.shape[1], controls.shape[0] + 1 + 2 * around
    longest = 1
    for s in range(len(spans)):
        longest = max(longest, spans[s, 1] - spans[s, 0])
    size = min(LANES, columns)
    z, used, left = np.empty((terms + 2, longest, size)), np.empty((longest, size)), np.empty((4, size))
    about, own = np.empty((terms + 1, size)), np.empty((2, size))
    for s in range(len(spans)):
        low, high = spans[s, 0] + around, spans[s, 1] - around
        for first in range(0, columns, LANES):
            lanes = min(LANES, columns - first)
            _fill(y, market, controls, around, row_weights, low, high, first, lanes, z, used)
            _centre(z, used, max(high - low, 0), terms, least, left, about)
            _orthogonal(z, max(high - low, 0), terms, controls.shape[0], left, about, own)
            for j in range(lanes):
                for k in range(4):
                    out[s, k, first + j] = left[k, j]
                share = left[3, j] / left[1, j]
                if share == share and len(influence):
                    size = (left[0, j] - 1.0) / (left[0, j] - terms - 1.0) / left[1, j]
                    for t in range(high - low):
                        part = share * z[terms + 1, t, j] ** 2 - z[terms, t, j] ** 2
                        influence[s, around + t] += size * part


@inlined
def _fill(
    y: FloatArray, market: FloatArray, controls: FloatArray, around: int, row_weights: FloatArray, low: int,
    high: int, first: int, lanes: int, z: FloatArray, used: FloatArray,
) -> None:  # fmt: skip
    # z (terms + 2, rows, lanes): controls, market terms, the response, room for a copy of it. used: the row's weight.
    some = controls.shape[0]
    terms = some + 1 + 2 * around
    for t in range(low, high):
        for j in range(used.shape[1]):
            used[t - low, j] = row_weights[t] if j < lanes else 0.0
    for k in range(terms + 1):
        source = y
        ahead = 0
        if k < some:
            source = controls[k]
        elif k < terms:
            source = market
            ahead = around - (k - some)
        for t in range(low, high):
            for j in range(lanes):
                x = source[t + ahead, first + j]
                z[k, t - low, j] = x
                used[t - low, j] = used[t - low, j] if x == x else 0.0
    for k in range(terms + 1):
        for t in range(high - low):
            for j in range(used.shape[1]):
                z[k, t, j] = z[k, t, j] if used[t, j] > 0 else 0.0


@inlined
def _product(z: FloatArray, k: int, m: int, rows: int, out: FloatArray) -> None:
    for j in range(z.shape[2]):
        out[j] = 0.0
    for t in range(rows):
        for j in range(z.shape[2]):
            out[j] += z[k, t, j] * z[m, t, j]


@inlined
def _centre(
    z: FloatArray, used: FloatArray, rows: int, terms: int, least: int, left: FloatArray, about: FloatArray
) -> None:
    # Demean with the rows' weights and scale by their roots, so that about (terms + 1, lanes) are sums of squares.
    # left[0]: weighted rows, NaN where they do not suffice.
    size = used.shape[1]
    count, mean, n = np.zeros(size), np.empty(size), np.zeros(size)
    for t in range(rows):
        for j in range(size):
            n[j] += used[t, j]
            count[j] += used[t, j] > 0
    for j in range(size):
        left[0, j] = n[j] if count[j] >= max(least, terms + 3) and n[j] > terms + 1 else np.nan
        n[j] = max(n[j], 1.0)
    for k in range(terms + 1):
        for j in range(size):
            mean[j] = 0.0
        for t in range(rows):
            for j in range(size):
                mean[j] += used[t, j] * z[k, t, j] / n[j]
        for t in range(rows):
            for j in range(size):
                z[k, t, j] = np.sqrt(used[t, j]) * (z[k, t, j] - mean[j])
        _product(z, k, k, rows, about[k])
        for j in range(size):
            # Numbers that differ by rounding alone do not vary.
            if not about[k, j] > 1e-24 * (about[k, j] + n[j] * mean[j] * mean[j]):
                left[0, j] = np.nan


@inlined
def _orthogonal(
    z: FloatArray, rows: int, terms: int, controls: int, left: FloatArray, about: FloatArray, own: FloatArray
) -> None:
    # Each regressor's part is taken out of what follows it; what is left of the response goes to left[1:].
    lanes = left.shape[1]
    for j in range(lanes):
        left[1, j] = about[terms, j]
        left[2, j] = about[terms, j]
    for t in range(rows):
        for j in range(lanes):
            z[terms + 1, t, j] = z[terms, t, j]
    for k in range(terms + 1):
        _product(z, k, k, rows, own[0])
        for j in range(lanes):
            if k == terms:
                left[3, j] = own[0, j]
            elif not own[0, j] > OWN * about[k, j]:
                left[0, j] = np.nan
        for m in range(k + 1, terms + 1):
            _product(z, k, m, rows, own[1])
            for j in range(lanes):
                own[1, j] /= own[0, j]
                # What the controls take out of the response is not the market's.
                if m == terms and k < controls:
                    left[2, j] -= own[1, j] * own[1, j] * own[0, j]
            for t in range(rows):
                for j in range(lanes):
                    z[m, t, j] -= own[1, j] * z[k, t, j]
    for j in range(lanes):
        for k in range(1, 4):
            left[k, j] = left[k, j] if left[0, j] == left[0, j] else np.nan


@kernel
def turn(values: FloatArray, starts: IntArray, spans: IntArray, by: IntArray, out: FloatArray) -> None:
    """Each column of (T, N) turned by its own number of rows within its span; the rest as it is."""
    for t in range(values.shape[0]):
        for i in range(values.shape[1]):
            inside = t - starts[i]
            if 0 <= inside < spans[i]:
                inside -= by[i]
                out[t, i] = values[starts[i] + (inside if inside >= 0 else inside + spans[i]), i]
            else:
                out[t, i] = values[t, i]


@kernel
def filtered(levels: FloatArray, weekdays: IntArray, edges: IntArray, least: int, out: FloatArray) -> None:
    """Residuals on the own lag and one constant a weekday, in the rows between edges (M + 1,), each stretch by itself.

    NaN where an asset has fewer than ``least`` of them in a stretch.
    """
    sums = np.empty((3, 7))
    for m in range(len(edges) - 1):
        start, stop = edges[m], edges[m + 1]
        for i in range(levels.shape[1]):
            sums[:] = 0.0
            count, square, cross = 0, 0.0, 0.0
            for t in range(max(start, 1), stop):
                x, y = levels[t - 1, i], levels[t, i]
                if x == x and y == y:
                    sums[0, weekdays[t]] += 1.0
                    sums[1, weekdays[t]] += x
                    sums[2, weekdays[t]] += y
                    count += 1
            for day in range(7):
                sums[1, day] /= max(sums[0, day], 1.0)
                sums[2, day] /= max(sums[0, day], 1.0)
            for t in range(max(start, 1), stop):
                x, y = levels[t - 1, i] - sums[1, weekdays[t]], levels[t, i] - sums[2, weekdays[t]]
                if x == x and y == y:
                    square += x * x
                    cross += x * y
            slope = cross / square if square > 0 else 0.0
            for t in range(start, stop):
                out[t, i] = np.nan
                if t > 0 and count >= least:
                    out[t, i] = levels[t, i] - sums[2, weekdays[t]] - slope * (levels[t - 1, i] - sums[1, weekdays[t]])
