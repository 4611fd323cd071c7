"""Expected values and errors that move: GARCH variances, and conditional betas from a DCC of assets and market.

With deviations e_it from the asset's estimation mean and x_t those of the market from its own,

    garch   h_i,t+1 = s_i^2 (1 - alpha_i - beta_i) + alpha_i e_it^2 + beta_i h_it ,        A = e_i
    dcc     beta_it = rho_it sqrt(h_it / h_xt) ,  A = e_i - beta_it x_t ,  variance h_it (1 - rho_it^2) ,

rho from Q_t = (1 - a - b) S + a z z' + b Q_t-1 of standardised deviations. The recursions start at the estimation
window's own moments and run to the last row before the event window; over the event window they are forecasts, so that
nothing of the event enters what was expected of it. alpha, beta, a and b are estimated in the estimation window of a
date and hold for the dates of the next ``refit`` rows, counted from the event: then a placebo date has parameters that
are up to ``refit`` - 1 rows older than its own window. Levels, scales and correlations are each date's own. The error
of forecast is that of the static model with the moving variance in place of the constant one.

Residuals of the estimation window are brought to the level sigma: e_t sigma / sqrt(variance_t).

References
----------
Bollerslev, T. (1986), Journal of Econometrics 31(3), 307-327. Engle, R. (2002), "Dynamic conditional correlation",
Journal of Business & Economic Statistics 20(3), 339-350.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from drainstats.episodes.study.expected.abnormal import Offsets, sliding
from drainstats.episodes.study.expected.linear import mean_correlation
from drainstats.episodes.study.sample import EventSample
from drainstats.errors import DataError
from drainstats.typing import BoolArray, FloatArray

_FLAT = 1e-12


@dataclass(frozen=True, slots=True)
class Parameters:
    """Weights of the recursions: alpha, beta (n,) of the assets, of the market (2,), and a, b of the correlations."""

    alpha: FloatArray
    beta: FloatArray
    market: tuple[float, float] = (0.0, 0.0)
    correlation: tuple[float, float] = (0.0, 0.0)


def conditional_samples(
    values: FloatArray, x: FloatArray, offsets: Offsets, dates: tuple[int, int], min_rows: int, refits: tuple[int, int]
) -> EventSample:
    """Samples of consecutive dates (first row, number) with refits every so many rows from the event's row on.

    ``values`` (T, n), ``x`` (T, k): k is 0 for GARCH and 1 for DCC.
    """
    (first, number), (event, every) = dates, refits
    rows = np.arange(first, first + number)
    anchors = np.maximum(event - -(-(event - rows) // every) * every, -offsets.estimation[0])
    parts, length = [], offsets.window[1] - offsets.estimation[0] + 1
    for anchor in np.unique(anchors):
        inside = slice(anchor + offsets.estimation[0], anchor + offsets.estimation[1] + 1)
        found = estimate(values[inside], x[inside])
        block = rows[anchors == anchor]
        span = (int(block[0]) + offsets.estimation[0], len(block), length)
        parts.append(conditional_sample(sliding(values, *span), sliding(x, *span), offsets, min_rows, found))
    names = EventSample.__dataclass_fields__
    return EventSample(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def estimate(values: FloatArray, x: FloatArray) -> Parameters:
    """Weights of GARCH(1, 1) for every column of ``values`` (L, n) and, with a market, those of a DCC of all.

    A column that cannot be fitted has a constant variance, a market that cannot be fitted with the others a constant
    correlation. The last answers are kept: the date, its eve and its placebo block ask for the same window.
    """
    return _estimate(np.ascontiguousarray(values).tobytes(), values.shape, x.tobytes(), x.shape)


@lru_cache(maxsize=128)
def _estimate(values_bytes: bytes, shape: tuple[int, int], x_bytes: bytes, x_shape: tuple[int, int]) -> Parameters:
    from drainstats.models.coliquidity.dcc.engle import DCC

    values, x = np.frombuffer(values_bytes).reshape(shape), np.frombuffer(x_bytes).reshape(x_shape)
    both = np.column_stack([x, values]) if x.shape[1] else values
    weights, z = _variances(both)
    if not x.shape[1]:
        return Parameters(weights[0], weights[1])
    usable = np.flatnonzero(np.isfinite(z).sum(axis=0) >= 30)
    a, b = 0.0, 0.0
    if len(usable) >= 2 and usable[0] == 0:
        try:
            fit = DCC(margins=None).fit(pd.DataFrame(z[:, usable]).rename(columns=str))
            a, b = (float(fit.params.iloc[-2 + k]) for k in range(2))
        except DataError:
            pass
    market = (float(weights[0, 0]), float(weights[1, 0]))
    return Parameters(weights[0, 1:], weights[1, 1:], market, (a, b))


def weights_note(weights: Parameters, refit: int) -> list[str]:
    """A sentence on the weights of the event and on those of placebo dates."""
    still = int(((weights.alpha <= 0) & (weights.beta <= 0)).sum())
    text = f"GARCH weights over {len(weights.alpha)} assets: median alpha {np.median(weights.alpha):.2f}, beta "
    text += f"{np.median(weights.beta):.2f}" + (f"; {still} with a constant variance" if still else "")
    if weights.market != (0.0, 0.0) or weights.correlation != (0.0, 0.0):
        text += "; DCC weights a {:.2f}, b {:.2f}".format(*weights.correlation)
    return [f"{text}. They are estimated anew every {refit} rows back from the event."]


def _variances(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """alpha and beta (2, n) of every column (L, n), zeros where there is no fit, and standardised residuals."""
    from drainstats.models.coliquidity.margins.garch import GARCH

    try:
        fit = GARCH().fit(values)
    except DataError:
        return np.zeros((2, values.shape[1])), np.full(values.shape, np.nan)
    table = fit.params.to_numpy().reshape(values.shape[1], 4)[:, 2:].T
    return np.where(np.isfinite(table), table, 0.0), fit.std_resid_values


def conditional_sample(
    path: FloatArray, x: FloatArray, offsets: Offsets, min_rows: int, parameters: Parameters
) -> EventSample:
    """Samples at given weights.

    Parameters
    ----------
    path : (..., W, n)
        Outcomes from the first estimation row to the last event row.
    x : (..., W, k)
        The market on the same rows, k 0 or 1.
    offsets : Offsets
    min_rows : int
    parameters : Parameters
    """
    L, lead, m = offsets.length, offsets.window[0] - offsets.estimation[0], offsets.span
    seen = np.isfinite(path) & np.all(np.isfinite(x), axis=-1, keepdims=True)
    used = 1 + x.shape[-1]
    rows, e, square = _moments(path, seen, L, used)
    h = _variance_path(e, seen, square, parameters.alpha, parameters.beta, lead)
    kept: FloatArray | float = 1.0
    pull: tuple[FloatArray, FloatArray] | None = None
    if x.shape[-1]:
        present = np.isfinite(x)
        market_rows, ex, market_square = _moments(x, present, L, used)
        weights = [np.array([w]) for w in parameters.market]
        hx = _variance_path(ex, present, market_square, weights[0], weights[1], lead)
        rho = _correlation_path(e / np.sqrt(h), ex / np.sqrt(hx), seen, L, lead, parameters.correlation)
        beta, kept = rho * np.sqrt(h / hx), 1.0 - rho**2
        variation = market_square * np.maximum(market_rows - used, 1.0)
        pull = ex[..., lead:, :], np.maximum(variation, np.finfo(float).tiny)
        residual = e - beta * ex
    else:
        residual = e
    variance = h * kept
    flat = square <= _FLAT**2 * np.maximum((np.where(seen, path, 0.0) ** 2).mean(axis=-2), np.finfo(float).tiny)
    usable = (rows >= max(min_rows, used + 1)) & ~flat & seen[..., lead:, :].all(axis=-2)
    usable &= (variance > 0).all(axis=-2)
    freedom = np.maximum(rows - used, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(seen, residual / np.sqrt(variance), 0.0)[..., :L, :]
    sigma = np.sqrt((np.where(seen, residual, 0.0)[..., :L, :] ** 2).sum(axis=-2) / freedom)
    error, total_error = _errors(variance[..., lead:, :], sigma, np.maximum(rows, 1.0), m, pull)
    inside = seen[..., :L, :]
    weight = np.where(usable, np.sqrt(np.maximum(rows, 1.0) / np.maximum((z**2).sum(axis=-2), 1e-300)), 0.0)
    return EventSample(
        estimation=np.where(inside, z * sigma[..., None, :], np.nan),
        event=np.where(seen, residual, np.nan)[..., lead:, :],
        sigma=sigma,
        error=error,
        total_error=total_error,
        freedom=freedom,
        usable=usable,
        correlation=mean_correlation(z, inside, weight),
    )


def _moments(path: FloatArray, seen: BoolArray, L: int, used: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimation rows, deviations from their mean along the whole path (zero where missing), their variance.

    Its divisor, rows less the ``used`` coefficients, makes the static models the limit of no movement.
    """
    held = np.where(seen, path, 0.0)
    rows = seen[..., :L, :].sum(axis=-2).astype(np.float64)
    n = np.maximum(rows, 1.0)
    mean = held[..., :L, :].sum(axis=-2) / n
    e = np.where(seen, held - mean[..., None, :], 0.0)
    square = (e[..., :L, :] ** 2).sum(axis=-2) / np.maximum(rows - used, 1.0)
    return rows, e, square


def _variance_path(
    e: FloatArray, seen: BoolArray, square: FloatArray, alpha: FloatArray, beta: FloatArray, lead: int
) -> FloatArray:
    """Variances (..., W, n): each from the rows before it up to ``lead``, from there on forecasts."""
    level = np.maximum(square, np.finfo(float).tiny)
    h = np.empty(e.shape)
    h[..., 0, :] = level
    base = level * (1.0 - alpha - beta)
    for t in range(1, e.shape[-2]):
        before = h[..., t - 1, :]
        news = np.where(seen[..., t - 1, :], e[..., t - 1, :] ** 2, before) if t <= lead else before
        h[..., t, :] = base + alpha * news + beta * before
    return h


def _correlation_path(
    z: FloatArray, zx: FloatArray, seen: BoolArray, L: int, lead: int, weights: tuple[float, float]
) -> FloatArray:
    """Conditional correlations (..., W, n) of every asset with the market; a row not seen adds what was expected."""
    a, b = weights
    joint = seen[..., :L, :]
    pairs = [np.where(joint, p[..., :L, :], 0.0).sum(axis=-2) for p in (z * zx, z**2, zx**2 * np.ones(z.shape))]
    target = pairs[0] / np.sqrt(np.maximum(pairs[1] * pairs[2], np.finfo(float).tiny))
    q, qi, qx = target.copy(), np.ones(target.shape), np.ones(target.shape)
    rho = np.empty(z.shape)
    rho[..., 0, :] = target
    for t in range(1, z.shape[-2]):
        known = seen[..., t - 1, :] if t <= lead else np.zeros(target.shape, dtype=np.bool_)
        zi, zm = z[..., t - 1, :], zx[..., t - 1, :]
        q = (1.0 - a - b) * target + a * np.where(known, zi * zm, q) + b * q
        qi = 1.0 - a - b + a * np.where(known, zi**2, qi) + b * qi
        qx = 1.0 - a - b + a * np.where(known, zm**2, qx) + b * qx
        rho[..., t, :] = q / np.sqrt(qi * qx)
    return rho


def _errors(
    variance: FloatArray, sigma: FloatArray, n: FloatArray, m: int, pull: tuple[FloatArray, FloatArray] | None
) -> tuple[FloatArray, FloatArray]:
    """Errors of a row (..., m, n) and of the sum (..., n): the moving variance, the mean's error, the slope's."""
    one, total = 1.0 / n, m * m / n
    leverage, leverage_total = np.zeros_like(variance), np.zeros_like(sigma)
    if pull is not None:
        x, variation = pull
        leverage = leverage + x**2 / variation[..., None, :]
        leverage_total = leverage_total + x.sum(axis=-2) ** 2 / variation
    spread = sigma[..., None, :] ** 2
    error = np.sqrt(variance + spread * (one[..., None, :] + leverage))
    return error, np.sqrt(variance.sum(axis=-2) + sigma**2 * (total + leverage_total))
