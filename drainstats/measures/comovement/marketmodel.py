"""The market model of liquidity (Chordia, Roll and Subrahmanyam, 2000), all assets at once.

    y_it = a_i + b_i m_it + b_i⁻ m_i,t−1 + b_i⁺ m_i,t+1 + c_i′ z_it + e_it,

where y are changes of liquidity and m_i is the mean change of all *other* assets: with N assets the own term alone
makes an R² of about 1/N out of nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drainstats.typing import BoolArray, FloatArray


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


def others_mean(y: FloatArray) -> FloatArray:
    """Mean over all assets but the own one, of those that are there; NaN where nobody else is."""
    there = np.isfinite(y)
    filled = np.where(there, y, 0.0)
    count = there.sum(axis=1, keepdims=True) - there
    total = filled.sum(axis=1, keepdims=True) - filled
    return np.divide(total, count, out=np.full_like(y, np.nan), where=count > 0)


def design(y: FloatArray, leads_and_lags: int, controls: Sequence[FloatArray] = ()) -> Design:
    """Stack constant, market terms (now, lags, leads) and controls, (T, N) or (T, 1), for changes (T, N)."""
    market = others_mean(y)
    shifts = [0, *range(1, leads_and_lags + 1), *range(-1, -leads_and_lags - 1, -1)]
    columns = [np.ones_like(y), *(_moved(market, s) for s in shifts)]
    columns += [np.broadcast_to(c, y.shape) for c in controls]
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


def fit(d: Design, min_rows: int, weights: FloatArray | None = None, hac_lags: int | None = None) -> MarketFit:
    """Least squares, an asset a regression; ``weights`` (T,) count rows (a bootstrap), ``hac_lags`` asks for errors."""
    w = d.used if weights is None else d.used * weights
    rows = w.sum(axis=1)
    k = d.x.shape[2]
    enough = (d.used.sum(axis=1) >= max(min_rows, k + 2)) & (rows > k)
    full, beta, inverse = _least_squares(d.x, d.y, w, enough)
    errors = _errors(d, beta, inverse, hac_lags, rows) if hac_lags is not None else np.full_like(beta, np.nan)
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
