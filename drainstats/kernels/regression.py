"""Least squares in every trailing window, each from its own rows only.

The regressors of a window are demeaned (with an intercept) and made orthogonal one after the other (modified
Gram-Schmidt, the response last), never squared into normal equations: units do not matter, and a regressor that the
others explain is seen. Assets lie side by side in blocks, so that the innermost loops vectorise. The steps are called
from one place each and compiled there, once, instead of there and by themselves.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray

BLOCK = 32
NONE, CLASSICAL, HC1, HC3, HAC = range(5)
# A regressor is constant or the others' when what is its own is less than this share of it (root sums of squares).
OWN = 1e-10


@kernel
def window_regression(
    y: FloatArray, x: FloatArray, width: int, least: int, intercept: bool, errors: int, lags: int,
    beta: FloatArray, error: FloatArray, count: FloatArray,
) -> None:  # fmt: skip
    """Regress y (T, N) on x (K, T, N) in the last ``width`` rows; rows that lack a number drop out whole.

    beta, error (P, T, N): coefficients and standard errors, the intercept first when there is one; NaN with fewer than
    ``least`` rows, no row more than coefficients, or regressors that are not independent. count (T, N): rows used.
    What lies before the first full window is left as it was.
    errors: NONE, CLASSICAL (divisor n − P), HC1, HC3, HAC (Bartlett weights over ``lags`` rows, n / (n − P)).
    """
    terms, rows, columns = x.shape
    size = min(BLOCK, columns)
    z, used = np.empty((rows, terms + 1, size)), np.empty((rows, size))
    # d, of a window: the regressors, the response, a place for the intercept's influence.
    d = np.empty((width, terms + 2, size))
    upper, mean = np.empty((terms, terms + 1, size)), np.empty((terms + 1, size))
    own, raw = np.empty((terms, size)), np.empty((terms + 1, size))
    n, sound = np.empty(size), np.empty(size)
    for first in range(0, columns, BLOCK):
        lanes = min(BLOCK, columns - first)
        _fill(y, x, first, lanes, z, used)
        for t in range(width - 1, rows):
            low = t - width + 1
            _centre(z, used, low, lanes, intercept, d, mean, raw, n)
            for b in range(lanes):
                count[t, first + b] = n[b]
                sound[b] = np.nan if n[b] < max(least, terms + intercept + 1) else 1.0
            _orthogonal(d, raw, lanes, errors != NONE, upper, own, sound)
            _solve(upper, mean, sound, t, first, lanes, intercept, beta)
            if errors == HC3:
                _weigh(d, own, used, low, n, lanes, intercept)
            if errors != NONE:
                _influence(d, upper, own, mean, used, low, n, lanes)
                _errors(d, n, sound, t, first, lanes, intercept, errors, lags, error)


@kernel(inline="always")
def _fill(y: FloatArray, x: FloatArray, first: int, lanes: int, z: FloatArray, used: FloatArray) -> None:
    # z (T, K + 1, lanes): the regressors, then the response; zero in rows that are not used.
    terms = x.shape[0]
    for i in range(len(z)):
        for b in range(lanes):
            whole = y[i, first + b] == y[i, first + b]
            for k in range(terms):
                whole &= x[k, i, first + b] == x[k, i, first + b]
            used[i, b] = whole
            z[i, terms, b] = y[i, first + b] if whole else 0.0
            for k in range(terms):
                z[i, k, b] = x[k, i, first + b] if whole else 0.0


@inlined
def _dot(d: FloatArray, k: int, l: int, lag: int, out: FloatArray) -> None:
    # out (lanes): sum of column k times column l, ``lag`` rows before. The few loops that are shared compile once.
    for b in range(len(out)):
        out[b] = 0.0
    for i in range(lag, d.shape[0]):
        for b in range(len(out)):
            out[b] += d[i, k, b] * d[i - lag, l, b]


@inlined
def _less(d: FloatArray, k: int, factor: FloatArray, lanes: int, l: int) -> None:
    # Takes column k times the factor from column l.
    for i in range(d.shape[0]):
        for b in range(lanes):
            d[i, l, b] -= factor[b] * d[i, k, b]


@kernel(inline="always")
def _centre(
    z: FloatArray, used: FloatArray, low: int, lanes: int, intercept: bool,
    d: FloatArray, mean: FloatArray, raw: FloatArray, n: FloatArray,
) -> None:  # fmt: skip
    # d: the window less its means; raw (K + 1): sums of squares before; n: rows used.
    width, terms = d.shape[0], d.shape[1] - 2
    for b in range(lanes):
        n[b] = 0.0
    for i in range(width):
        for b in range(lanes):
            n[b] += used[low + i, b]
    for k in range(terms + 1):
        for b in range(lanes):
            mean[k, b], raw[k, b] = 0.0, 0.0
        for i in range(width):
            for b in range(lanes):
                mean[k, b] += z[low + i, k, b]
                raw[k, b] += z[low + i, k, b] * z[low + i, k, b]
        for b in range(lanes):
            mean[k, b] *= intercept / max(n[b], 1.0)
        for i in range(width):
            for b in range(lanes):
                d[i, k, b] = z[low + i, k, b] - used[low + i, b] * mean[k, b]


@kernel(inline="always")
def _orthogonal(
    d: FloatArray, raw: FloatArray, lanes: int, residuals: bool, upper: FloatArray, own: FloatArray, sound: FloatArray
) -> None:
    # d becomes orthogonal regressors and, if asked, the residuals; upper (K, K + 1): the unit triangular factor and the
    # response's coefficients on the orthogonal regressors; own (K): their sums of squares; sound: NaN where one has
    # nothing of its own.
    terms = d.shape[1] - 2
    for k in range(terms):
        _dot(d, k, k, 0, own[k, :lanes])
        for b in range(lanes):
            # Not "<=" alone: a sum that overflowed is unsound too.
            if not (own[k, b] > OWN * OWN * raw[k, b] and own[k, b] < np.inf):
                sound[b], own[k, b] = np.nan, 1.0
        for l in range(k + 1, terms + 1):
            _dot(d, k, l, 0, upper[k, l, :lanes])
            for b in range(lanes):
                upper[k, l, b] /= own[k, b]
            if k < terms - 1 or residuals:
                _less(d, k, upper[k, l], lanes, l)


@kernel(inline="always")
def _solve(
    upper: FloatArray, mean: FloatArray, sound: FloatArray, t: int, first: int, lanes: int, intercept: bool,
    beta: FloatArray,
) -> None:  # fmt: skip
    terms, shift = upper.shape[0], 1 if intercept else 0
    for b in range(lanes):
        level = mean[terms, b]
        for k in range(terms - 1, -1, -1):
            value = upper[k, terms, b]
            for l in range(k + 1, terms):
                value -= upper[k, l, b] * beta[shift + l, t, first + b]
            beta[shift + k, t, first + b] = value * sound[b]
            level -= beta[shift + k, t, first + b] * mean[k, b]
        if intercept:
            beta[0, t, first + b] = level * sound[b]


@kernel(inline="always")
def _weigh(
    d: FloatArray, own: FloatArray, used: FloatArray, low: int, n: FloatArray, lanes: int, intercept: bool
) -> None:
    # Each residual over one less its leverage: what it would be if its row had not been used. A row that is fitted
    # whatever its response has no such residual: NaN.
    width, terms = d.shape[0], d.shape[1] - 2
    for i in range(width):
        for b in range(lanes):
            left = 1.0 - intercept * used[low + i, b] / max(n[b], 1.0)
            for k in range(terms):
                left -= d[i, k, b] * d[i, k, b] / own[k, b]
            d[i, terms, b] = d[i, terms, b] / left if left > OWN else np.nan


@kernel(inline="always")
def _influence(
    d: FloatArray, upper: FloatArray, own: FloatArray, mean: FloatArray, used: FloatArray, low: int, n: FloatArray,
    lanes: int,
) -> None:  # fmt: skip
    # The orthogonal regressors in d become the rows of the pseudo-inverse: what a unit of each response adds to each
    # slope and, last, to the intercept.
    width, terms = d.shape[0], d.shape[1] - 2
    for i in range(width):
        for b in range(lanes):
            d[i, terms + 1, b] = used[low + i, b] / max(n[b], 1.0)
        for k in range(terms):
            for b in range(lanes):
                d[i, k, b] /= own[k, b]
    for k in range(terms - 1, -1, -1):
        for l in range(k + 1, terms):
            _less(d, l, upper[k, l], lanes, k)
        _less(d, k, mean[k], lanes, terms + 1)


@kernel(inline="always")
def _errors(
    d: FloatArray, n: FloatArray, sound: FloatArray, t: int, first: int, lanes: int, intercept: bool, errors: int,
    lags: int, error: FloatArray,
) -> None:  # fmt: skip
    width, terms = d.shape[0], d.shape[1] - 2
    shift = 1 if intercept else 0
    total, part, scale = np.empty(lanes), np.empty(lanes), np.ones(lanes)
    if errors == CLASSICAL:
        _dot(d, terms, terms, 0, scale)
    for b in range(lanes):
        free = max(n[b] - terms - shift, 1.0)
        scale[b] *= 1.0 / free if errors == CLASSICAL else n[b] / free if errors != HC3 else 1.0
    for p in range(terms + shift):
        k = p - shift if p >= shift else terms + 1
        for i in range(width if errors != CLASSICAL else 0):
            for b in range(lanes):
                d[i, k, b] *= d[i, terms, b]
        _dot(d, k, k, 0, total)
        for lag in range(1, min(lags, width - 1) + 1 if errors == HAC else 1):
            _dot(d, k, k, lag, part)
            for b in range(lanes):
                total[b] += 2.0 * (1.0 - lag / (lags + 1.0)) * part[b]
        for b in range(lanes):
            # Bartlett sums are not negative but for rounding.
            variance = total[b] if total[b] > 0.0 or total[b] != total[b] else 0.0
            error[p, t, first + b] = np.sqrt(variance * scale[b]) * sound[b]
