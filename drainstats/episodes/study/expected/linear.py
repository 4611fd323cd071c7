"""Abnormal values of linear expected-value models: a mean, a market, several factors, or nothing estimated at all.

For asset i, with estimation rows t = 1, ..., L_i that it has,

    y_it = a_i + b_i' x_t + e_it ,        A_is = y_is - a_i - b_i' x_s

and with d_s = x_s - xbar_i and S_i = sum_t d_t d_t' the errors of forecast of a row and of the sum over m rows are

    sigma_i^2 [ 1 + 1 / L_i + d_s' S_i^-1 d_s ]        sigma_i^2 [ m + m^2 / L_i + D' S_i^-1 D ] ,  D = sum_s d_s .

Without parameters (``intercept=False``: raw outcomes, or outcomes less the market) A is the outcome itself, sigma its
standard deviation about the estimation mean, and nothing is added for estimation (Brown and Warner 1985).

References
----------
Patell, J. (1976), Journal of Accounting Research 14(2), 246-276. Brown, S. and Warner, J. (1985), "Using daily stock
returns: the case of event studies", Journal of Financial Economics 14(1), 3-31.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.episodes.study.expected.abnormal import SHORTEST_ESTIMATION, Offsets
from drainstats.episodes.study.sample import EventSample
from drainstats.typing import BoolArray, FloatArray

_ROUNDING = 1e-28
"""A residual sum of squares below this share of the raw one is rounding error of the level."""
_EXPLAINED = 1e-12
"""Below this share of the centred one the regressors leave nothing."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Outcomes and regressors of the estimation and the event rows; arrays may carry leading axes.

    estimation : (..., L, n); event : (..., m, n); NaN where missing. estimation_x : (..., L, n or 1, k) and event_x :
    (..., m, n or 1, k); k may be 0.
    """

    estimation: FloatArray
    event: FloatArray
    estimation_x: FloatArray
    event_x: FloatArray


def event_sample(
    values: FloatArray,
    offsets: Offsets,
    row: int,
    *,
    market: FloatArray | None = None,
    min_rows: int = SHORTEST_ESTIMATION,
) -> EventSample:
    """What the tests see of one date: a constant mean, or a regression on one or several series.

    Parameters
    ----------
    values : (..., T, n)
        Outcomes; NaN where missing.
    offsets : Offsets
    row : int
        Of the event.
    market : (T,) or (T, k), optional
    min_rows : int
        Estimation rows an asset must have.

    Returns
    -------
    EventSample
    """
    x = np.empty((values.shape[-2], 0)) if market is None else np.reshape(market, (len(market), -1))
    before, during = (slice(row + low, row + high + 1) for low, high in (offsets.estimation, offsets.window))
    windows = Windows(values[..., before, :], values[..., during, :], x[before, None], x[during, None])
    return linear_sample(windows, min_rows)


def linear_sample(windows: Windows, min_rows: int, intercept: bool = True) -> EventSample:
    """Fit every asset of every date by itself and standardise what came in the event window."""
    y, x = windows.estimation, windows.estimation_x
    k, m = x.shape[-1], windows.event.shape[-2]
    seen = np.isfinite(y) & np.isfinite(x).all(axis=-1)
    rows, ybar, centred = _centre(y, seen)
    xbar, xc = _centre_regressors(x, seen, rows)
    inverse, slope = _slopes(xc, centred)
    residual = centred - (xc * slope[..., None, :, :]).sum(axis=-1)
    ahead = windows.event_x - xbar[..., None, :, :]
    event = windows.event - ybar[..., None, :] - (ahead * slope[..., None, :, :]).sum(axis=-1)
    whole = np.isfinite(event).all(axis=-2)
    coefficients = 1 + k
    rss, raw = (residual**2).sum(axis=-2), np.where(seen, y, 0.0)
    flat = rss <= np.maximum(_ROUNDING * (raw**2).sum(axis=-2), _EXPLAINED * (centred**2).sum(axis=-2))
    usable = (rows >= max(min_rows, coefficients + 1)) & ~flat & whole
    freedom = np.maximum(rows - coefficients, 1.0)
    sigma = np.sqrt(rss / freedom)
    if not intercept:
        sample = (np.where(seen, y, np.nan), windows.event, sigma)
        error, total_error = np.broadcast_to(sigma[..., None, :], event.shape).copy(), sigma * np.sqrt(m)
    else:
        sample = (np.where(seen, residual, np.nan), event, sigma)
        n = np.maximum(rows, 1.0)
        error = sigma[..., None, :] * np.sqrt(1.0 + 1.0 / n[..., None, :] + _form(ahead, inverse[..., None, :, :, :]))
        total_error = sigma * np.sqrt(m + m * m / n + _form(ahead.sum(axis=-3), inverse))
    weight = np.where(usable, np.sqrt(np.maximum(rows, 1.0) / np.where(usable, rss, 1.0)), 0.0)
    return EventSample(*sample, error, total_error, freedom, usable, mean_correlation(residual, seen, weight))


def mean_correlation(residual: FloatArray, seen: BoolArray, weight: FloatArray) -> FloatArray:
    """Mean correlation over pairs of assets in calendar time, a pair weighted by the rows that both have.

    ``residual`` (..., L, n), zero where not ``seen``; ``weight`` (..., n) brings its mean square to one and is zero for
    assets that do not count. The products of all pairs in a row are the squared sum less the sum of squares.
    """
    used = seen * (weight > 0)[..., None, :]
    z = residual * weight[..., None, :] * used
    own = used.sum(axis=(-2, -1))
    pairs = (used.sum(axis=-1) ** 2).sum(axis=-1) - own
    products = (z.sum(axis=-1) ** 2).sum(axis=-1) - (z**2).sum(axis=(-2, -1))
    return np.divide(products, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def _centre(y: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows each asset has, its mean, and deviations from it with zeros where missing."""
    rows = seen.sum(axis=-2).astype(np.float64)
    mean = np.where(seen, y, 0.0).sum(axis=-2) / np.maximum(rows, 1.0)
    return rows, mean, np.where(seen, y - mean[..., None, :], 0.0)


def _centre_regressors(x: FloatArray, seen: BoolArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (..., n, k) of the regressors over the rows an asset has, and deviations (..., L, n, k), zero elsewhere."""
    held = np.where(seen[..., None], x, 0.0)
    mean = held.sum(axis=-3) / np.maximum(rows, 1.0)[..., None]
    return mean, np.where(seen[..., None], x - mean[..., None, :, :], 0.0)


def _slopes(xc: FloatArray, yc: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse of S (..., n, k, k), a generalised one when regressors are collinear, and slopes (..., n, k)."""
    k = xc.shape[-1]
    if k == 0:
        return np.empty((*yc.shape[:-2], yc.shape[-1], 0, 0)), np.empty((*yc.shape[:-2], yc.shape[-1], 0))
    s = np.stack([np.stack([(xc[..., a] * xc[..., b]).sum(axis=-2) for b in range(k)], -1) for a in range(k)], -2)
    scale = np.sqrt(np.maximum(np.diagonal(s, axis1=-2, axis2=-1), np.finfo(float).tiny))
    units = scale[..., :, None] * scale[..., None, :]
    inverse = np.linalg.pinv(s / units, rcond=1e-12, hermitian=True) / units
    sxy = (xc * yc[..., None]).sum(axis=-3)
    return inverse, (inverse * sxy[..., None, :]).sum(axis=-1)


def _form(d: FloatArray, inverse: FloatArray) -> FloatArray:
    """d' S^-1 d over the last axis of ``d`` (..., k) and the last two of ``inverse``."""
    return np.asarray(((d[..., :, None] * inverse).sum(axis=-2) * d).sum(axis=-1))
