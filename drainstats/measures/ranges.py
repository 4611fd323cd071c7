"""Volatility from the price range: what bars show on a crash day when nothing else does."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import check_option
from drainstats.frames import Wide
from drainstats.measures.estimates import estimated_root
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, positive, window_mean
from drainstats.typing import FloatArray


def parkinson(high: Any, low: Any, window: int = 1, *, with_se: bool = False, hac_lags: int | None = None) -> Any:
    """Volatility per bar from high and low (Parkinson, 1980): sqrt of the mean of ln(H/L)² / (4 ln 2) over the window.

    It rises when prices must move far to find the other side, and with volatility that has nothing to do with
    liquidity: from bars alone the two cannot be told apart.

    Parameters
    ----------
    high, low : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 1
        Rows of a window.
    with_se : bool, default False
        Return an `Estimate` with errors by the delta method; one row has none.
    hac_lags : int, optional
        Rows of serial dependence; by default floor(4 (window / 100)^(2/9)).

    Returns
    -------
    Same kind and shape as ``high``, or an `Estimate` of such tables
        Standard deviation of the log price over one bar; a bar whose high is below its low does not count.

    Raises
    ------
    DataError
        A price that is not above zero or infinite, tables that do not match, fewer rows than the window.

    References
    ----------
    Parkinson (1980), Journal of Business 53(1), 61-65.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.parkinson([11.0, 12.0], [10.0, 10.0]).round(6)
    array([0.05724 , 0.109495])
    """
    wide, lows = positive(high=high, low=low)
    check_window(window, len(wide.values), 1)
    log_range = np.log(wide.values / lows.values)
    log_range[log_range < 0] = np.nan
    return _root_of_mean(wide, log_range**2 / (4 * np.log(2)), window, with_se, hac_lags)


def garman_klass(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    window: int = 1,
    *,
    formula: Literal["short", "full"] = "short",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Volatility per bar from open, high, low and close (Garman and Klass, 1980), the root of the mean variance.

    With u, d, c the logs of high, low and close over the open, a bar's variance is ½ (u − d)² − (2 ln 2 − 1) c²
    ("short"), or 0.511 (u − d)² − 0.019 (c (u + d) − 2 u d) − 0.383 c² ("full").

    Parameters
    ----------
    open, high, low, close : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 1
        Rows of a window.
    formula : {"short", "full"}, default "short"
    with_se, hac_lags
        As in `parkinson`.

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Standard deviation of the log price over one bar, the gap over night left out. A bar whose open or close lies
        outside its range contradicts itself and does not count.

    Raises
    ------
    DataError, OptionError
        As in `parkinson`.

    References
    ----------
    Garman and Klass (1980), Journal of Business 53(1), 67-78.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.garman_klass([10.0, 10.5], [11.0, 12.0], [10.0, 10.0], [10.5, 11.0]).round(6)
    array([0.060187, 0.125637])
    """
    check_option("formula", formula, ["short", "full"])
    wides = positive(open=open, high=high, low=low, close=close)
    check_window(window, len(wides[0].values), 1)
    o, h, l, c = (w.values for w in wides)
    u, d, move = np.log(h / o), np.log(l / o), np.log(c / o)
    if formula == "short":
        variance = 0.5 * (u - d) ** 2 - (2 * np.log(2) - 1) * move**2
    else:
        variance = 0.511 * (u - d) ** 2 - 0.019 * (move * (u + d) - 2 * u * d) - 0.383 * move**2
    variance[(np.maximum(o, c) > h) | (np.minimum(o, c) < l)] = np.nan
    return _root_of_mean(wides[3], variance, window, with_se, hac_lags)


def _root_of_mean(wide: Wide, variance: FloatArray, window: int, with_se: bool, lags: int | None) -> Any:
    mean = window_mean(variance, window)
    if not with_se:
        return wide.like(np.sqrt(mean))
    errors = smooth_error([variance], [1.0], window, lags)
    return estimated_root(wide, mean, errors, hac_method(window, lags))
