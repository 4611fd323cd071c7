"""Funding of perpetual futures.

Funding is paid between longs and shorts at fixed hours: a rate above zero is paid by longs. What was paid is known;
only a mean over settlements is an estimate and has a standard error. Open interest needs nothing of its own: contracts
and price go into `drainstats.measures.flow_split`, whose flow is what was opened and closed, free of the price.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, Literal

import numpy as np

from drainstats.errors import OptionError, check_option
from drainstats.frames import Wide
from drainstats.measures.estimates import estimated
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, checked, positive, window_mean
from drainstats.typing import FloatArray

HOURS_A_YEAR = 365 * 24


def annualised_funding(
    rate: Any, interval_hours: Any = 8.0, window: int = 1, with_se: bool = False, hac_lags: int | None = None
) -> Any:
    """What holding a long position costs in a year at the funding of the last settlements.

    Parameters
    ----------
    rate : (T, N) table, Series or array
        Funding rate of each settlement, a fraction of the position; above zero longs pay.
    interval_hours : float or like ``rate``, default 8.0
        Hours that a settlement stands for. Venues shorten it in stress, so that rates alone do not compare.
    window : int, default 1
        Settlements: Σ rates over Σ hours, of those that have both.
    with_se : bool, default False
        Return an `Estimate`. With a window of 1 the rate is observed and has no error.
    hac_lags : int, optional
        Rows over which funding remembers; by default floor(√window), more than elsewhere because it remembers long.
        With an autocorrelation of 0.5 intervals of 95 % from 90 settlements cover 90 %, with 0.8 they cover 83 %.

    Returns
    -------
    Same kind and shape as ``rate``, or Estimate
        Fraction per year of 365 days, without compounding.

    Raises
    ------
    DataError
        Infinite rates, intervals at or below zero, fewer rows than the window.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.annualised_funding([0.0001, 0.0003, -0.0002]).round(4)
    array([ 0.1095,  0.3285, -0.219 ])
    """
    wide, hours = _rates(rate, interval_hours)
    window = check_window(window, len(wide.values), 1)
    both = np.isfinite(wide.values) & np.isfinite(hours)
    paid, over = np.where(both, wide.values, np.nan), np.where(both, hours, np.nan)
    mean, length = window_mean(paid, window), window_mean(over, window)
    value = HOURS_A_YEAR * mean / length
    if not with_se:
        return wide.like(value)
    if window == 1:
        return estimated(wide, value, np.full_like(value, np.nan), "observed: one settlement has no error")
    lags = isqrt(window) if hac_lags is None else hac_lags
    error = smooth_error([paid, over], [HOURS_A_YEAR / length, -value / length], window, lags)
    return estimated(wide, value, error, hac_method(window, lags))


def _rates(rate: Any, interval_hours: Any) -> tuple[Wide, FloatArray]:
    if isinstance(interval_hours, (int, float)):
        if not (np.isfinite(interval_hours) and interval_hours > 0):
            raise OptionError(f"interval_hours={interval_hours!r} must be a finite number above zero.")
        wide = _finite(rate=rate)[0]
        return wide, np.full_like(wide.values, float(interval_hours))
    wide, _ = _finite(rate=rate, interval_hours=interval_hours)
    (hours,) = positive(interval_hours=interval_hours)
    return wide, hours.values


def _finite(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables of any sign within the limits of `checked`."""
    return checked({}, {}, tables)


def funding_paid(rate: Any, window: int = 3, mark: Any = None) -> Any:
    """Funding that a long position paid over the last settlements; observed, so without an error.

    Parameters
    ----------
    rate : (T, N) table, Series or array
        Funding rate of each settlement; above zero longs pay.
    window : int, default 3
        Settlements: a day at eight hours each.
    mark : like ``rate``, optional
        Mark price at the settlement. With it the answer is money per coin, Σ rate × mark; without, the sum of rates.

    Returns
    -------
    Same kind and shape as ``rate``
        Missing while a settlement of the window is: what it cost is unknown. A short received as much.

    Raises
    ------
    DataError
        Infinite rates, prices at or below zero, fewer rows than the window.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.funding_paid([0.01, 0.02, -0.01], window=2, mark=[100.0, 50.0, 60.0])
    array([nan, 2. , 0.4])
    """
    wide = _finite(rate=rate)[0] if mark is None else _finite(rate=rate, mark=mark)[0]
    money = wide.values if mark is None else wide.values * positive(mark=mark)[0].values
    window = check_window(window, len(money), 1)
    return wide.like(window_total(money, window))


def window_total(values: FloatArray, width: int) -> FloatArray:
    """Sum of the last ``width`` rows; NaN when one of them is missing."""
    from drainstats.kernels import windows

    out = np.empty_like(values)
    windows.window_mean(np.ascontiguousarray(values), width, width, out)
    return out * width


def funding_stress(rate: Any, window: int = 90, scale: Literal["deviation", "mad"] = "deviation") -> Any:
    """How far funding stands from where it stood, in deviations of the rows before.

    Parameters
    ----------
    rate : (T, N) table, Series or array
        Funding rate of each settlement.
    window : int, default 90
        Rows before that make the baseline (a month at eight hours each); the row itself is not among them.
    scale : {"deviation", "mad"}, default "deviation"
        Mean and standard deviation; or median and 1.4826 MAD, which one storm in the baseline does not widen.

    Returns
    -------
    Same kind and shape as ``rate``
        Far above zero: longs crowd; far below: shorts. It describes a row and has no error. Missing where the baseline
        does not vary: venues clamp funding, and many rows may hold the same rate to the last digit.

    Raises
    ------
    DataError
        Infinite rates, no more rows than the window.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.funding_stress([0.0, 2.0, 0.0, 2.0, 9.0], window=4, scale="mad").round(2)
    array([nan, nan, nan, nan, 5.4])
    """
    from drainstats.kernels import robust, windows

    check_option("scale", scale, ["deviation", "mad"])
    (wide,) = _finite(rate=rate)
    values, rows = wide.values, len(wide.values)
    window = check_window(window, rows - 1, 2)
    centre, spread = np.full_like(values, np.nan), np.full_like(values, np.nan)
    if scale == "mad":
        starts = np.maximum(np.arange(rows) - window, 0)
        robust.trailing_median_mad(np.ascontiguousarray(values), starts, 2, centre, spread)
        centre[:window], spread = np.nan, 1.4826 * spread
    else:
        before = np.ascontiguousarray(values[:-1])
        variance = np.empty_like(before)
        windows.window_covariance(before, before, window, 2, variance)
        centre[1:], spread[1:] = window_mean(before, window), np.sqrt(variance)
    # A clamped rate varies by rounding at most.
    varies = spread > 1e-12 * np.abs(centre)
    return wide.like(np.divide(values - centre, spread, out=np.full_like(values, np.nan), where=varies))
