"""Spreads from highs, lows and closes: Corwin-Schultz, Abdi-Ranaldo, Roll.

All are proportional spreads, as fractions of the price, estimated from the last ``window`` rows. A squared spread can
come out negative; "keep" returns the root of its absolute value with the sign of the square, which is what averages
need: a third of the signed estimates is negative for a spread of 1 % on thin simulated bars, so absolute values bias.

Prices are logs and a subscript 1 means the row before; the first row of a window serves as that row only. A missing
cell takes its pair out of every average in which it stands, in each window alike: the rolling answer is the one-window
formula, also with missing data. In a bar whose high is below its low both count as missing.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import check_option
from drainstats.measures.estimates import estimated, estimated_positive, estimated_root
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import (
    apply_negative,
    check_window,
    checked,
    in_blocks,
    signed_root,
    window_mean,
    without_crossed,
)
from drainstats.typing import FloatArray, Negative


def corwin_schultz(
    high: Any,
    low: Any,
    close: Any,
    window: int = 21,
    overnight: bool = True,
    negative: Negative = "keep",
    *,
    two_day: Literal["keep", "zero", "nan"] = "keep",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Spread from two-day highs and lows (Corwin and Schultz, 2012), the mean of two-day estimates.

    With beta the sum of two squared daily log ranges, gamma the squared range of both days and k = 3 − 2 sqrt 2,
    alpha = (sqrt(2 beta) − sqrt(beta)) / k − sqrt(gamma / k) and S = 2 (e^alpha − 1) / (1 + e^alpha).

    Parameters
    ----------
    high, low, close : (T, N) tables, Series or arrays
        Prices above zero; ``close`` serves the shift over night only.
    window : int, default 21
        Rows of a window, at least 2.
    overnight : bool, default True
        Shift a day's high and low by the gap between them and the close before, when that close lies outside.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
        Applied to the mean over the window.
    two_day : {"keep", "zero", "nan"}, default "keep"
        What becomes of a negative two-day estimate before it is averaged: kept, set to zero (the paper's choice for
        its tables; R's CS2), or left out.
    with_se : bool, default False
        Return an `Estimate` with Newey-West errors of the mean. Of the mean: thin trading biases what it is a mean of.
    hac_lags : int, optional
        Rows of serial dependence; by default floor(4 (window / 100)^(2/9)).

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price; or an `Estimate` of such tables

    Raises
    ------
    DataError
        A price that is not above zero or infinite, tables that do not match, fewer rows than the window.
    OptionError

    References
    ----------
    Corwin and Schultz (2012), Journal of Finance 67(2), 719-760.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.corwin_schultz([10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9], window=3).round(6)
    array([     nan,      nan, 0.005146])
    """
    from drainstats.kernels import ranges

    check_option("two_day", two_day, ["keep", "zero", "nan"])
    wides = checked({"high": high, "low": low, "close": close}, {}, copy=False)
    window = check_window(window, len(wides[0].values), 2)

    def block(h: FloatArray, l: FloatArray, c: FloatArray) -> list[FloatArray]:
        h, l, c = _logs(h, l, c)
        beta, gamma = np.empty_like(h), np.empty_like(h)
        ranges.two_day_parts(h, l, c, bool(overnight), beta, gamma)
        alpha = h  # done with
        ranges.two_day_alpha(beta, gamma, alpha)
        # 2 (e^a − 1) / (1 + e^a) is 2 tanh(a / 2), which does not overflow.
        spread = np.tanh(np.multiply(alpha, 0.5, out=alpha), out=alpha)
        spread *= 2
        if two_day != "keep":
            spread[spread < 0] = 0.0 if two_day == "zero" else np.nan
        return _mean_of_pairs(spread, window, with_se, hac_lags)

    mean, *errors = in_blocks(block, *wides)
    mean = apply_negative(mean, negative)
    if not with_se:
        return wides[2].like(mean)
    dress = estimated if two_day == "keep" else estimated_positive
    return dress(wides[2], mean, errors[0], hac_method(window - 1, hac_lags))


def abdi_ranaldo(
    high: Any,
    low: Any,
    close: Any,
    window: int = 21,
    negative: Negative = "keep",
    *,
    average: Literal["square", "two_day"] = "square",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Spread from closes against mid-ranges (Abdi and Ranaldo, 2017).

    With eta the middle of a day's log range, S² is the mean of 4 (c₁ − eta₁)(c₁ − eta).

    Parameters
    ----------
    high, low, close : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 21
        Rows of a window, at least 2.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
    average : {"square", "two_day"}, default "square"
        The root of the mean of the two-day squares (the paper's monthly correction, R's AR), or the mean of their
        roots, negative squares counting as zero (its two-day correction, R's AR2).
    with_se, hac_lags
        As in `corwin_schultz`; delta method for "square".

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price; or an `Estimate` of such tables

    Raises
    ------
    DataError, OptionError
        As in `corwin_schultz`.

    References
    ----------
    Abdi and Ranaldo (2017), Review of Financial Studies 30(12), 4437-4480.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.abdi_ranaldo([10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9], window=3).round(6)
    array([     nan,      nan, 0.001216])
    """
    from drainstats.kernels import ranges

    check_option("average", average, ["square", "two_day"])
    wides = checked({"high": high, "low": low, "close": close}, {}, copy=False)
    window = check_window(window, len(wides[0].values), 2)

    def block(h: FloatArray, l: FloatArray, c: FloatArray) -> list[FloatArray]:
        product = np.empty_like(h)
        ranges.mid_range_product(*_logs(h, l, c), product)
        if average == "two_day":
            product = np.sqrt(np.maximum(product, 0.0))
        found = _mean_of_pairs(product, window, with_se, hac_lags)
        return found if with_se or average == "two_day" else [signed_root(found[0])]

    mean, *errors = in_blocks(block, *wides)
    if not with_se:
        return wides[2].like(apply_negative(mean, negative))
    if average == "two_day":
        return estimated_positive(wides[2], mean, errors[0], hac_method(window - 1, hac_lags))
    return estimated_root(wides[2], mean, errors[0], hac_method(window - 1, hac_lags), negative)


def roll(
    close: Any,
    window: int = 21,
    negative: Negative = "keep",
    *,
    returns: Literal["log", "simple", "difference"] = "log",
    missing: Literal["joint", "separate"] = "joint",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Spread from the serial covariance of returns (Roll, 1984): S² = −4 cov(r, r₁).

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    window : int, default 21
        Rows of a window, at least 4 (two pairs of returns).
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
    returns : {"log", "simple", "difference"}, default "log"
        With "difference" the spread comes in units of the price.
    missing : {"joint", "separate"}, default "joint"
        The covariance of the complete pairs, with divisor n − 1; or each mean over its own rows, as in R's ``bidask``.
    with_se, hac_lags
        As in `corwin_schultz`; delta method.

    Returns
    -------
    Same kind and shape as ``close``, fraction of the price; or an `Estimate` of such tables

    Raises
    ------
    DataError, OptionError
        As in `corwin_schultz`.

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

    check_option("returns", returns, ["log", "simple", "difference"])
    check_option("missing", missing, ["joint", "separate"])
    (wide,) = checked({"close": close}, {}, copy=False)
    window = check_window(window, len(wide.values), 4)

    def block(price: FloatArray) -> list[FloatArray]:
        if returns == "log":
            np.log(price, out=price)
        r, r1 = np.full_like(price, np.nan), np.full_like(price, np.nan)
        np.subtract(price[1:], price[:-1], out=r[1:])
        if returns == "simple":
            r[1:] /= price[:-1]
        r1[1:] = r[:-1]
        if missing == "joint":
            covariance = np.empty_like(r)
            windows.window_covariance(r, r1, window - 2, 2, covariance)
        else:
            covariance = _separate_covariance(r, r1, window)
        covariance[: window - 1] = np.nan
        square = np.multiply(covariance, -4, out=covariance)
        return [square, _roll_error(r, r1, window, hac_lags)] if with_se else [signed_root(square)]

    found, *errors = in_blocks(block, wide)
    if not with_se:
        return wide.like(apply_negative(found, negative))
    return estimated_root(wide, found, errors[0], hac_method(window - 2, hac_lags), negative)


def _roll_error(r: FloatArray, r1: FloatArray, window: int, lags: int | None) -> FloatArray:
    lost = np.isnan(r + r1)
    rows: list[FloatArray] = [np.where(lost, np.nan, x) for x in (r * r1, r, r1)]
    slopes: list[Any] = [-4.0, 4 * window_mean(rows[2], window - 2), 4 * window_mean(rows[1], window - 2)]
    errors = smooth_error(rows, slopes, window - 2, lags)
    errors[: window - 1] = np.nan
    return errors


def _separate_covariance(r: FloatArray, r1: FloatArray, window: int) -> FloatArray:
    """R's rule: the mean of r r₁ less the product of the means of r and r₁, corrected by the number of r₁."""
    count = window_mean((~np.isnan(r1)).astype(np.float64), window - 2) * (window - 2)
    product, lagged = window_mean(r * r1, window - 2), window_mean(r1, window - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance: FloatArray = count / (count - 1) * (product - window_mean(r, window - 2) * lagged)
    return np.where(count >= 2, covariance, np.nan)


def _logs(h: FloatArray, l: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logs of high, low and close, crossed bars missing."""
    h, l = without_crossed(h, l)
    return np.log(h, out=h), np.log(l, out=l), np.log(c, out=c)


def _mean_of_pairs(pairs: FloatArray, window: int, with_se: bool, lags: int | None) -> list[FloatArray]:
    """Mean of the pairs of each window, and its error if asked for."""
    found = [window_mean(pairs, window - 1)]
    if with_se:
        found.append(smooth_error([pairs], [1.0], window - 1, lags))
    for table in found:
        table[: window - 1] = np.nan
    return found
