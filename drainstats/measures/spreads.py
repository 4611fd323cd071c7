"""Spreads from prices alone: EDGE, Corwin-Schultz, Abdi-Ranaldo, Roll.

All are proportional spreads, as fractions of the price, estimated from the last ``window`` rows. A squared spread can
come out negative; "keep" returns the root of its absolute value with the sign of the square, which is what averages
need: a third of the signed estimates is negative for a spread of 1 % on thin simulated bars, so absolute values bias.

Prices are logs and a subscript 1 means the row before; the first row of a window serves as that row only. A missing
cell takes its pair out of every average in which it stands, in each window alike: the rolling answer is the one-window
formula, also with missing data. In a bar whose high is below its low both count as missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drainstats.measures.inputs import (
    apply_negative,
    check_window,
    positive,
    signed_root,
    window_mean,
    without_crossed,
)
from drainstats.typing import FloatArray, Negative


def edge(open: Any, high: Any, low: Any, close: Any, window: int = 21, negative: Negative = "keep") -> Any:
    """Efficient spread from open, high, low and close prices (Ardia, Guidotti and Kroencke, 2024).

    Parameters
    ----------
    open, high, low, close : (T, N) tables, Series or arrays
        Prices above zero; NaN where there is none.
    window : int, default 21
        Rows of a window, at least 3.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"

    Returns
    -------
    Same kind and shape as ``close``
        Spread as a fraction of the price; NaN before the first full window and where fewer than two rows of a window
        show a price change, or no open or close differs from its high or low.

    Raises
    ------
    DataError
        A price that is not above zero or infinite, tables that do not match, fewer rows than the window.

    References
    ----------
    Ardia, Guidotti and Kroencke (2024), Journal of Financial Economics 161, 103916.

    Examples
    --------
    >>> import drainstats as ds
    >>> o, h, l, c = [10.0, 10.1, 10.0], [10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9]
    >>> ds.measures.edge(o, h, l, c, window=3).round(6)
    array([      nan,       nan, -0.005001])
    """
    from drainstats.kernels import edge as kernels

    wides = positive(open=open, high=high, low=low, close=close)
    check_window(window, len(wides[0].values), 3)
    prices = [w.values for w in wides]
    prices[1:3] = without_crossed(*prices[1:3])
    out = kernels.edge([np.log(p, out=p) for p in prices], window)
    return wides[3].like(apply_negative(out, negative))


def corwin_schultz(
    high: Any, low: Any, close: Any, window: int = 21, overnight: bool = True, negative: Negative = "keep"
) -> Any:
    """Spread from two-day highs and lows (Corwin and Schultz, 2012), the mean of signed two-day estimates.

    With beta the sum of two squared daily log ranges, gamma the squared range of both days and k = 3 − 2 sqrt 2,
    alpha = (sqrt(2 beta) − sqrt(beta)) / k − sqrt(gamma / k) and S = 2 (e^alpha − 1) / (1 + e^alpha).

    Parameters
    ----------
    high, low, close : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 21
        Rows of a window, at least 2.
    overnight : bool, default True
        Shift a day's high and low by the gap between them and the close before, when that close lies outside.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
        Applied to the mean over the window.

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price

    Raises
    ------
    DataError
        As in `edge`.

    References
    ----------
    Corwin and Schultz (2012), Journal of Finance 67(2), 719-760.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.corwin_schultz([10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9], window=3).round(6)
    array([     nan,      nan, 0.005146])
    """
    wides = positive(high=high, low=low, close=close)
    check_window(window, len(wides[0].values), 2)
    h, l = without_crossed(wides[0].values, wides[1].values)
    h, l, c = np.log(h), np.log(l), np.log(wides[2].values)
    h1, l1, c1 = _before(h), _before(l), _before(c)
    beta = (h - l) ** 2 + (h1 - l1) ** 2
    gap = np.maximum(0.0, c1 - h) + np.minimum(0.0, c1 - l) if overnight else 0.0
    gamma = (np.maximum(h + gap, h1) - np.minimum(l + gap, l1)) ** 2
    scale = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / scale - np.sqrt(gamma / scale)
    # 2 (e^a − 1) / (1 + e^a) is 2 tanh(a / 2), which does not overflow.
    return wides[2].like(apply_negative(_mean_of_pairs(2 * np.tanh(alpha / 2), window), negative))


def abdi_ranaldo(high: Any, low: Any, close: Any, window: int = 21, negative: Negative = "keep") -> Any:
    """Spread from closes against mid-ranges (Abdi and Ranaldo, 2017), the root of the mean over the window.

    With eta the middle of a day's log range, S² is the mean of 4 (c₁ − eta₁)(c₁ − eta).

    Parameters
    ----------
    high, low, close : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 21
        Rows of a window, at least 2.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price

    Raises
    ------
    DataError
        As in `edge`.

    References
    ----------
    Abdi and Ranaldo (2017), Review of Financial Studies 30(12), 4437-4480.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.abdi_ranaldo([10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9], window=3).round(6)
    array([     nan,      nan, 0.001216])
    """
    wides = positive(high=high, low=low, close=close)
    check_window(window, len(wides[0].values), 2)
    h, l = without_crossed(wides[0].values, wides[1].values)
    h, l, c = np.log(h), np.log(l), np.log(wides[2].values)
    eta = (h + l) / 2
    c1, eta1 = _before(c), _before(eta)
    square = _mean_of_pairs(4 * (c1 - eta1) * (c1 - eta), window)
    return wides[2].like(apply_negative(signed_root(square), negative))


def roll(close: Any, window: int = 21, negative: Negative = "keep") -> Any:
    """Spread from the serial covariance of returns (Roll, 1984): S² = −4 cov(r, r₁).

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    window : int, default 21
        Rows of a window, at least 4 (two pairs of returns).
    negative : {"keep", "nan", "zero", "abs"}, default "keep"

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price
        The covariance is that of the complete pairs, with divisor n − 1.

    Raises
    ------
    DataError
        As in `edge`.

    References
    ----------
    Roll (1984), Journal of Finance 39(4), 1127-1139.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.roll([10.0, 10.1, 10.0, 10.1, 10.0], window=5).round(6)
    array([     nan,      nan,      nan,      nan, 0.022979])
    """
    from drainstats.kernels import windows

    (wide,) = positive(close=close)
    check_window(window, len(wide.values), 4)
    r = np.diff(np.log(wide.values), axis=0, prepend=np.nan)
    covariance = np.empty_like(r)
    windows.window_covariance(r, _before(r), window - 2, 2, covariance)
    covariance[: window - 1] = np.nan
    return wide.like(apply_negative(signed_root(-4 * covariance), negative))


def _before(values: FloatArray) -> FloatArray:
    return np.concatenate([np.full((1, values.shape[1]), np.nan), values[:-1]])


def _mean_of_pairs(pairs: FloatArray, window: int) -> FloatArray:
    mean = window_mean(pairs, window - 1)
    mean[: window - 1] = np.nan
    return mean
