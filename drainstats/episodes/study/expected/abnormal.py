"""What was to be expected on a date, and what came instead: abnormal values for many dates and markets at once.

For asset i and date s the estimation rows give the expected value of a model,

    constant mean   y_it = a_i + e_it
    market          y_it = a_i + b_i x_t + e_it ,

and the abnormal value of a row of the event window is its forecast error. Their sum over the m rows of the window has,
for L_i observed estimation rows and serially uncorrelated errors, the variance

    sigma_i^2 [ m + m^2 / L_i + (sum_d x_d - m xbar_i)^2 / Sxx_i ] ,

the last term for the market model only. The sum over its root is the standardised abnormal value (Patell 1976). Every
moment is taken along calendar time, from the rows that the asset has.

Arrays may carry leading axes (replications); dates are consecutive rows, so that all of them are computed in a few
matrix products over strided windows.

References
----------
Patell, J. (1976), "Corporate forecasts of earnings per share and stock price behavior: empirical tests", Journal of
Accounting Research 14(2), 246-276.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import OptionError
from drainstats.typing import BoolArray, FloatArray

SHORTEST_ESTIMATION = 10
_FLAT = 1e-12
"""Residual variation below this share of the raw sum of squares is rounding error, not variance."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """First and last row, both included, of the estimation and the event window, counted from the event's row."""

    estimation: tuple[int, int]
    window: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("estimation", "window"):
            pair = getattr(self, name)
            if not _is_pair(pair):
                raise OptionError(
                    f"{name}={pair!r}: give the first and the last row as two whole numbers, as in (-5, 5)."
                )
            if pair[0] > pair[1]:
                raise OptionError(f"{name}={pair!r} ends before it begins; write it as (first, last).")
        if self.estimation[1] >= self.window[0]:
            raise OptionError(
                f"estimation={self.estimation} reaches into the event window {self.window}: the event would be part of "
                "what is expected. Let the estimation end earlier."
            )
        if self.length < SHORTEST_ESTIMATION:
            raise OptionError(
                f"estimation={self.estimation} has {self.length} rows; at least {SHORTEST_ESTIMATION} are needed."
            )

    @property
    def length(self) -> int:
        """Rows of the estimation window."""
        return self.estimation[1] - self.estimation[0] + 1

    @property
    def span(self) -> int:
        """Rows of the event window."""
        return self.window[1] - self.window[0] + 1


def _is_whole(row: Any) -> bool:
    return isinstance(row, (int, np.integer)) and not isinstance(row, bool)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, (tuple, list)) and len(pair) == 2 and all(_is_whole(k) for k in pair)


@dataclass(frozen=True, slots=True)
class Abnormal:
    """Fits and standardised abnormal values; leading axes aside, arrays are dates × assets.

    alpha, beta : the expected value is alpha + beta x. sigma : residual standard deviation (divisor: rows minus
    coefficients). rows : estimation rows the asset has. total : sum of abnormal values over the window.
    standardized : total over its standard error, zero where not usable. usable : asset takes part on that date.
    correlation : (dates,) mean correlation of the residuals of two assets in calendar time.
    """

    alpha: FloatArray
    beta: FloatArray
    sigma: FloatArray
    rows: FloatArray
    total: FloatArray
    standardized: FloatArray
    usable: BoolArray
    correlation: FloatArray


def abnormal_values(
    values: FloatArray,
    offsets: Offsets,
    first: int,
    dates: int,
    *,
    market: FloatArray | None = None,
    min_rows: int = SHORTEST_ESTIMATION,
) -> Abnormal:
    """Fit the model before each of ``dates`` consecutive dates and standardise what came in its event window.

    Parameters
    ----------
    values : (..., T, N)
        Outcomes; NaN where missing.
    offsets : Offsets
    first : int
        Row of the first date.
    dates : int
    market : (T,), optional
        Regressor of the market model; without it the expected value is the mean.
    min_rows : int
        Estimation rows that an asset must have.

    Returns
    -------
    Abnormal
    """
    series = _centred(values, market)
    before = _Span(first + offsets.estimation[0], dates, offsets.length)
    fit = _regress(series, before, market is not None)
    during, m = _Span(first + offsets.window[0], dates, offsets.span), offsets.span
    y_sum, x_sum, whole = (_sliding(a, during).sum(axis=-2) for a in (series.y, series.x, series.seen))
    coefficients = 1 if market is None else 2
    usable = (fit.rows >= max(min_rows, coefficients + 1)) & ~fit.flat & (whole == m)
    rows = np.maximum(fit.rows, 1.0)
    rss = np.where(usable, fit.rss, 1.0)
    sigma = np.sqrt(rss / np.maximum(rows - coefficients, 1.0))
    total = y_sum - m * fit.alpha - fit.beta * x_sum
    leverage = np.divide((x_sum - m * fit.xbar) ** 2, fit.sxx, out=np.zeros_like(rows), where=fit.sxx > 0)
    error = sigma * np.sqrt(m + m * m / rows + leverage)
    return Abnormal(
        alpha=fit.alpha + series.anchor - fit.beta * series.level,
        beta=fit.beta,
        sigma=sigma,
        rows=fit.rows,
        total=total,
        standardized=np.where(usable, total / error, 0.0),
        usable=usable,
        correlation=_mean_correlation(series, before, fit, np.where(usable, np.sqrt(rows / rss), 0.0)),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """Windows of ``length`` rows that begin at rows first, first + 1, ..., first + dates - 1."""

    first: int
    dates: int
    length: int


@dataclass(frozen=True, slots=True)
class _Series:
    """y (..., T, N) less its anchor and x (T, 1) less its level, zero where not seen; seen is 0 or 1."""

    y: FloatArray
    x: FloatArray
    seen: FloatArray
    anchor: FloatArray
    level: float


@dataclass(frozen=True, slots=True)
class _Regression:
    """Least squares per date and asset. xbar, sxx: mean and variation of x; rss: residual squares; flat: none left."""

    rows: FloatArray
    alpha: FloatArray
    beta: FloatArray
    xbar: FloatArray
    sxx: FloatArray
    rss: FloatArray
    flat: BoolArray


def _centred(values: FloatArray, market: FloatArray | None) -> _Series:
    seen = np.isfinite(values)
    level, x = 0.0, np.zeros((values.shape[-2], 1))
    if market is not None:
        seen &= np.isfinite(market)[:, None]
        level = float(np.nanmean(market))
        x = np.where(np.isfinite(market), market - level, 0.0)[:, None]
    # Windows of squares lose digits to the level of a series; taking off one number per asset costs nothing.
    anchor = np.where(seen, values, 0.0).sum(axis=-2, keepdims=True) / np.maximum(seen.sum(axis=-2, keepdims=True), 1)
    return _Series(np.where(seen, values - anchor, 0.0), x, seen.astype(np.float64), anchor, level)


def _regress(series: _Series, before: _Span, with_market: bool) -> _Regression:
    y, seen, x = (_sliding(a, before) for a in (series.y, series.seen, series.x))
    ones = np.ones(before.length)
    rows, sy, raw = ones @ seen, ones @ y, ones @ _sliding(series.y**2, before)
    n = np.maximum(rows, 1.0)
    xbar = sxx = beta = np.zeros_like(n)
    if with_market:
        xt = np.swapaxes(x, -1, -2)
        sx, sx2, sxy = (a[..., 0, :] for a in (xt @ seen, xt**2 @ seen, xt @ y))
        xbar, sxx = sx / n, sx2 - sx * sx / n
        beta = np.divide(sxy - sx * sy / n, sxx, out=np.zeros_like(n), where=sxx > _FLAT * sx2)
    rss = raw - sy * sy / n - beta**2 * sxx
    return _Regression(rows, sy / n - beta * xbar, beta, xbar, sxx, rss, rss <= _FLAT * raw)


def _mean_correlation(series: _Series, before: _Span, fit: _Regression, weight: FloatArray) -> FloatArray:
    """Mean over pairs of assets of the residual correlation, each pair weighted by the rows that both have.

    With residuals scaled to mean square one and zero where missing, the products of all pairs in a row are the squared
    sum less the sum of squares: no pair is ever formed.
    """
    y, used = _sliding(series.y, before), (weight > 0).astype(np.float64)
    if (series.seen == 1.0).all():
        expected, present = (fit.alpha * weight).sum(axis=-1)[..., None], used.sum(axis=-1)[..., None]
        present = np.broadcast_to(present, (*present.shape[:-1], before.length))
        slope = (fit.beta * weight).sum(axis=-1)[..., None]
    else:
        seen = _sliding(series.seen, before)
        expected, present, slope = (_by_row(seen, w) for w in (fit.alpha * weight, used, fit.beta * weight))
    z = _by_row(y, weight) - expected - _sliding(series.x, before)[..., 0] * slope
    own = (fit.rows * used).sum(axis=-1)
    pairs = (present**2).sum(axis=-1) - own
    return np.divide((z**2).sum(axis=-1) - own, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def sliding(values: FloatArray, first: int, dates: int, length: int) -> FloatArray:
    """Windows of ``length`` rows that begin at rows first, first + 1, ...: (..., T, K) to (..., dates, length, K)."""
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=-2)
    return np.swapaxes(view[..., first : first + dates, :, :], -1, -2)


def _sliding(values: FloatArray, span: _Span) -> FloatArray:
    return sliding(values, span.first, span.dates, span.length)


def _by_row(windows: FloatArray, weights: FloatArray) -> FloatArray:
    """(..., dates, length, N) windows times (..., dates, N) weights, summed over assets."""
    return np.asarray(np.matmul(windows, weights[..., None])[..., 0])
