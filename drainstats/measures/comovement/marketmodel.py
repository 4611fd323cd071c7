"""The market model of liquidity (Chordia, Roll and Subrahmanyam, 2000), all assets at once.

    y_it = a_i + b_i m_it + b_i⁻ m_i,t−1 + b_i⁺ m_i,t+1 + c_i′ z_it + e_it,

where y are changes of liquidity and m_i is the mean change of all *other* assets: with N assets the own term alone
makes an R² of about 1/N out of nothing.

The null is that the market adds nothing to the controls. What the controls leave of each asset is turned around its
span and put back on what they explain (Freedman and Lane, 1983): so much as controls that all share make of
commonality, they make of the turned panels' too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.measures.comovement.inference import Spans
from drainstats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Design:
    """Regressions side by side: y (N, T), x (N, T, k) with the constant first and the market terms next.

    used : (N, T), rows with every number there, the others are zero; market : number of market terms.
    """

    y: FloatArray
    x: FloatArray
    used: FloatArray
    market: int


@dataclass(frozen=True, slots=True)
class MarketFit:
    """Coefficients and errors (N, k); adjusted R² and the market's part of it (N,), rows (N,); NaN where not fitted."""

    coefficients: FloatArray
    errors: FloatArray
    r2: FloatArray
    r2_market: FloatArray
    rows: FloatArray


def others_mean(y: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over all assets but the own one, of those that are there; NaN where nobody else is."""
    from drainstats.kernels import comovement

    out = np.empty_like(y)
    comovement.others_mean(y, weights, out)
    return out


def design(y: FloatArray, market: FloatArray, leads_and_lags: int, controls: FloatArray) -> Design:
    """Stack constant, market terms (now, lags, leads) and controls (C, T, N), for changes (T, N)."""
    shifts = [0, *range(1, leads_and_lags + 1), *range(-1, -leads_and_lags - 1, -1)]
    columns = [np.ones_like(y), *(_moved(market, s) for s in shifts), *controls]
    x = np.ascontiguousarray(np.stack(columns, axis=2).transpose(1, 0, 2))
    used = np.isfinite(y.T) & np.isfinite(x).all(axis=2)
    x[~used] = 0.0
    return Design(np.where(used, y.T, 0.0), x, used.astype(np.float64), len(shifts))


def _moved(values: FloatArray, rows: int) -> FloatArray:
    out = np.full_like(values, np.nan)
    if rows > 0:
        out[rows:] = values[:-rows]
    elif rows < 0:
        out[:rows] = values[-rows:]
    else:
        out[:] = values
    return out


def fit(d: Design, min_rows: int, hac_lags: int) -> MarketFit:
    """Least squares, an asset a regression, with errors that survive ``hac_lags`` rows of serial dependence."""
    w = d.used
    rows = w.sum(axis=1)
    k = d.x.shape[2]
    enough = rows >= max(min_rows, k + 2)
    full, beta, inverse = _least_squares(d.x, d.y, w, enough)
    errors = _errors(d, beta, inverse, hac_lags, rows)
    adjusted = _adjusted(full, rows, k)
    base_terms = [0, *range(1 + d.market, k)]
    base = np.zeros_like(full)
    if len(base_terms) > 1:
        base = _adjusted(_least_squares(d.x[:, :, base_terms], d.y, w, enough)[0], rows, len(base_terms))
    return MarketFit(beta, errors, adjusted, adjusted - base, np.where(enough, rows, np.nan))


def _adjusted(r2: FloatArray, rows: FloatArray, k: int) -> FloatArray:
    return np.asarray(1 - (1 - r2) * (rows - 1) / np.maximum(rows - k, 1))


def _least_squares(
    x: FloatArray, y: FloatArray, w: FloatArray, enough: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """R² about the mean (N,), coefficients (N, k) and the inverse of X′WX (N, k, k); NaN where X has not full rank."""
    weighted = (x * w[:, :, None]).transpose(0, 2, 1)
    moments, cross = weighted @ x, (weighted @ y[:, :, None])[:, :, 0]
    scale = np.sqrt(np.maximum(np.einsum("nkk->nk", moments), 1e-300))
    normed = moments / (scale[:, :, None] * scale[:, None, :])
    good = enough & (np.linalg.eigvalsh(normed)[:, 0] > 1e-12)
    k = x.shape[2]
    inverse = np.full((len(good), k, k), np.nan)
    inverse[good] = np.linalg.inv(normed[good]) / (scale[good, :, None] * scale[good, None, :])
    beta = (inverse @ cross[:, :, None])[:, :, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (w * y).sum(axis=1) / w.sum(axis=1)
        spread = (w * (y - mean[:, None]) ** 2).sum(axis=1)
        left = (w * (y - (x @ beta[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
        # A constant series has no variance to explain.
        r2 = np.where(spread > 1e-24 * (w * y**2).sum(axis=1), 1 - left / spread, np.nan)
    return r2, beta, inverse


def _errors(d: Design, beta: FloatArray, inverse: FloatArray, lags: int, rows: FloatArray) -> FloatArray:
    """Standard errors that survive heteroskedasticity and ``lags`` rows of serial dependence (Newey and West, 1987)."""
    residual = (d.y - (d.x @ np.nan_to_num(beta)[:, :, None])[:, :, 0]) * d.used
    scores = d.x * residual[:, :, None]
    turned = scores.transpose(0, 2, 1)
    middle = turned @ scores
    for lag in range(1, lags + 1):
        across = turned[:, :, lag:] @ scores[:, :-lag]
        middle += (1 - lag / (lags + 1)) * (across + across.transpose(0, 2, 1))
    covariance = inverse @ middle @ inverse * (rows / np.maximum(rows - d.x.shape[2], 1))[:, None, None]
    return np.sqrt(np.maximum(np.einsum("nkk->nk", covariance), 0.0))


def without_controls(y: FloatArray, controls: FloatArray) -> FloatArray:
    """What the controls (C, T, N) leave of y (T, N), by least squares with a constant; NaN where one is missing."""
    if not len(controls):
        return y
    none = np.full_like(y, np.nan)
    for i in range(y.shape[1]):
        x = np.column_stack([np.ones(len(y)), controls[:, :, i].T])
        used = np.isfinite(y[:, i]) & np.isfinite(x).all(axis=1)
        if used.any():
            scale = np.sqrt((x[used] ** 2).sum(axis=0))
            z = x[used] / np.where(scale > 0, scale, 1.0)
            none[used, i] = y[used, i] - z @ np.linalg.lstsq(z, y[used, i], rcond=None)[0]
    return none


@dataclass(frozen=True, slots=True)
class Gains:
    """The mean of what the market adds to the adjusted R², for many panels.

    y, weights (T, N); controls (C, T, N).
    """

    y: FloatArray
    weights: FloatArray
    controls: FloatArray
    around: int
    min_rows: int

    def turned(self, rest: FloatArray, span: Spans, shifts: IntArray) -> FloatArray:
        """Of panels in which the rest, what the controls leave, is turned by shifts (B, N), and its weights with it."""
        from drainstats.kernels import comovement

        fitted = np.where(np.isfinite(rest), self.y - rest, 0.0)
        y, w, market, ones = (*(np.empty_like(rest) for _ in range(3)), np.ones(len(rest)))
        left = np.empty((len(shifts), 4, rest.shape[1]))
        for b, by in enumerate(shifts):
            comovement.turn(rest, span.starts, span.lengths, by, y)
            comovement.turn(self.weights, span.starts, span.lengths, by, w)
            y += fitted
            comovement.others_mean(y, w, market)
            left[b] = self._left(y, market, ones)
        return mean_gains(left, len(self.controls), self.around)[0]

    def resampled(self, rows: IntArray) -> FloatArray:
        """Of panels made of rows (B, T), each with the neighbours and the market that it has in the sample."""
        market = others_mean(self.y, self.weights)
        counts = (np.bincount(r, minlength=len(self.y)).astype(np.float64) for r in rows)
        left = np.stack([self._left(self.y, market, c) for c in counts])
        return mean_gains(left, len(self.controls), self.around)[0]

    def _left(self, y: FloatArray, market: FloatArray, row_weights: FloatArray) -> FloatArray:
        whole = np.array([[0, len(y)]])
        return sums_of_squares(y, market, self.controls, self.around, row_weights, whole, self.min_rows)[0]


def mean_gains(left: FloatArray, controls: int, around: int) -> tuple[FloatArray, IntArray]:
    """Mean over the assets of what the market adds to the adjusted R², and their number, of `sums_of_squares`."""
    n, about, base, rest = left.transpose(1, 0, 2)
    k = controls + 1 + 2 * around
    with np.errstate(invalid="ignore", divide="ignore"):
        gains = ((n - 1) / (n - 1 - controls) * base - (n - 1) / (n - 1 - k) * rest) / about
        count = np.isfinite(gains).sum(axis=1)
        return np.where(count > 0, np.nansum(gains, axis=1) / count, np.nan), count


def sums_of_squares(
    y: FloatArray,
    market: FloatArray,
    controls: FloatArray,
    around: int,
    row_weights: FloatArray,
    spans: IntArray,
    min_rows: int,
    influence: FloatArray | None = None,
) -> FloatArray:
    """(S, 4, N) of S spans of rows: their number, sums of squares about the mean, left by the controls, left by all.

    influence (S, rows), when given, gets each row's part in the sum of the assets' adjusted R² added.
    """
    from drainstats.kernels import comovement

    out = np.empty((len(spans), 4, y.shape[1]))
    parts = np.empty((0, 0)) if influence is None else influence
    comovement.explained(y, market, controls, around, row_weights, spans, min_rows, out, parts)
    return out
