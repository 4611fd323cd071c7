"""Volatility from the price range: what bars show on a crash day when nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from drainstats.errors import check_option
from drainstats.frames import Wide
from drainstats.measures.estimates import estimated_root
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, checked, in_blocks, window_mean
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
    wides = checked({"high": high, "low": low}, {}, copy=False)
    window = check_window(window, len(wides[0].values), 1)

    def variance(high: FloatArray, low: FloatArray) -> FloatArray:
        log_range = np.log(np.divide(high, low, out=high), out=high)
        log_range[log_range < 0] = np.nan
        return np.asarray(log_range**2 / (4 * np.log(2)))

    return _root_of_mean(variance, wides, window, with_se, hac_lags)


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
    wides = checked({"open": open, "high": high, "low": low, "close": close}, {}, copy=False)
    window = check_window(window, len(wides[0].values), 1)

    def variance(o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray) -> FloatArray:
        outside = (np.maximum(o, c) > h) | (np.minimum(o, c) < l)
        u, d, move = (np.log(np.divide(x, o, out=x), out=x) for x in (h, l, c))
        wide = u - d
        if formula == "short":
            found = 0.5 * wide * wide - (2 * np.log(2) - 1) * move * move
        else:
            found = 0.511 * wide * wide - 0.019 * (move * (u + d) - 2 * u * d) - 0.383 * move * move
        found[outside] = np.nan
        return np.asarray(found)

    return _root_of_mean(variance, wides, window, with_se, hac_lags)


def _root_of_mean(
    variance: Callable[..., FloatArray], wides: tuple[Wide, ...], window: int, with_se: bool, lags: int | None
) -> Any:
    """The root of the mean over the window of what ``variance`` makes of a bar; dressed like the last table."""

    def block(*prices: FloatArray) -> list[FloatArray]:
        rows = variance(*prices)
        mean = window_mean(rows, window)
        return [mean, smooth_error([rows], [1.0], window, lags)] if with_se else [np.sqrt(mean, out=mean)]

    mean, *errors = in_blocks(block, *wides)
    if not with_se:
        return wides[-1].like(mean)
    return estimated_root(wides[-1], mean, errors[0], hac_method(window, lags))
