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


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(k, (int, np.integer)) for k in pair)


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
    seen = np.isfinite(values)
    if market is not None:
        seen &= np.isfinite(market)[:, None]
        level = float(np.nanmean(market))
        x = np.where(np.isfinite(market), market - level, 0.0)[:, None]
    else:
        level, x = 0.0, np.zeros((values.shape[-2], 1))
    count = np.maximum(seen.sum(axis=-2, keepdims=True), 1)
    # Windows of squares lose digits to the level; a shift that all dates share costs nothing.
    anchor = np.where(seen, values, 0.0).sum(axis=-2, keepdims=True) / count
    y = np.where(seen, values - anchor, 0.0)
    mask = seen.astype(np.float64)

    before = {"first": first + offsets.estimation[0], "dates": dates, "length": offsets.length}
    mask_before, y_before, x_before = (_sliding(a, **before) for a in (mask, y, x))
    ones = np.ones(offsets.length)
    n, sy, raw = ones @ mask_before, ones @ y_before, ones @ _sliding(y * y, **before)
    n_safe = np.maximum(n, 1.0)
    syy = raw - sy * sy / n_safe
    if market is None:
        xbar = sxx = beta = np.zeros_like(n)
    else:
        weights = np.swapaxes(x_before, -1, -2)
        sx, sx2, sxy = (
            (w @ v)[..., 0, :] for w, v in ((weights, mask_before), (weights**2, mask_before), (weights, y_before))
        )
        xbar, sxx = sx / n_safe, sx2 - sx * sx / n_safe
        beta = np.divide(sxy - sx * sy / n_safe, sxx, out=np.zeros_like(sxx), where=sxx > _FLAT * sx2)
    alpha = sy / n_safe - beta * xbar
    rss = syy - beta**2 * sxx
    coefficients = 1 if market is None else 2

    during = {"first": first + offsets.window[0], "dates": dates, "length": offsets.span}
    m = offsets.span
    y_sum, x_sum, whole = (_sliding(a, **during).sum(axis=-2) for a in (y, x, mask))
    usable = (n >= max(min_rows, coefficients + 1)) & (rss > _FLAT * raw) & (whole == m)
    sigma = np.sqrt(np.where(usable, rss, 1.0) / np.maximum(n - coefficients, 1.0))
    total = y_sum - m * alpha - beta * x_sum
    leverage = np.divide((x_sum - m * xbar) ** 2, sxx, out=np.zeros_like(sxx), where=sxx > 0)
    standardized = np.where(usable, total / (sigma * np.sqrt(m + m * m / n_safe + leverage)), 0.0)

    weight = np.where(usable, np.sqrt(n_safe / np.where(usable, rss, 1.0)), 0.0)
    z = (
        _by_row(y_before, weight)
        - _by_row(mask_before, alpha * weight)
        - x_before[..., 0] * _by_row(mask_before, beta * weight)
    )
    present = _by_row(mask_before, usable.astype(np.float64))
    own = (n * usable).sum(axis=-1)
    pairs = (present**2).sum(axis=-1) - own
    correlation = np.divide((z**2).sum(axis=-1) - own, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
    return Abnormal(
        alpha=alpha + anchor - beta * level,
        beta=beta,
        sigma=sigma,
        rows=n,
        total=total,
        standardized=standardized,
        usable=usable,
        correlation=correlation,
    )


def _sliding(values: FloatArray, first: int, dates: int, length: int) -> FloatArray:
    """(..., T, K) → (..., dates, length, K): the windows that begin at rows first, first + 1, ... ; a view."""
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=-2)
    return np.swapaxes(view[..., first : first + dates, :, :], -1, -2)


def _by_row(windows: FloatArray, weights: FloatArray) -> FloatArray:
    """(..., dates, length, N) windows times (..., dates, N) weights, summed over assets."""
    return np.matmul(windows, weights[..., None])[..., 0]
