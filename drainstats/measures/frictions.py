"""Frictions seen in returns of zero: the share of zeros, FHT, and the model of Lesmond, Ogden and Trzcinka (LOT).

A price does not move when the news is worth less than the cost of trading on it. The first row of a window serves as
the row before only, so a window of 21 rows holds 20 returns.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from drainstats.errors import ConvergenceWarning, OptionError, check_option, check_whole
from drainstats.measures.estimates import estimated, estimated_positive
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, checked, in_blocks, positive, window_mean
from drainstats.measures.moves import MarketKind, market_moves, moves
from drainstats.typing import FloatArray

_REASONS = ("too few rows", "no return on one side", "returns or market that do not vary", "no convergence")


def zero_returns(
    close: Any, volume: Any = None, window: int = 21, hac_lags: int | None = None, with_se: bool = False
) -> Any:
    """Share of zero returns (Lesmond, Ogden and Trzcinka, 1999).

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    volume : (T, N) table, Series or array, optional
        Traded amount, at least zero. With it a return counts as zero only when there was volume ("zeros2" of Goyenko,
        Holden and Trzcinka, 2009); the share is of all returns.
    window : int, default 21
        Rows of a window.
    hac_lags : int, optional
        Rows of dependence of the standard errors; by default floor(4 ((window − 1) / 100)^(2/9)), at least 1.
    with_se : bool, default False
        Return an `Estimate` with standard errors.

    Returns
    -------
    Same kind and shape as ``close``, or Estimate
        Fraction; rises with illiquidity, and with coarse ticks. Without a zero, or with zeros only, there is no
        standard error: such a window does not tell how far from 0 or 1 the truth is.

    Raises
    ------
    DataError
        A price that is not above zero, a negative volume, infinite numbers, fewer rows than the window.

    References
    ----------
    Lesmond, Ogden and Trzcinka (1999), Review of Financial Studies 12(5), 1113-1141.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.zero_returns([10.0, 10.0, 10.1, 10.1, 10.1], window=5)
    array([ nan,  nan,  nan,  nan, 0.75])
    >>> ds.measures.zero_returns([10.0, 10.0, 10.1, 10.1, 10.1], volume=[1.0, 0.0, 5.0, 2.0, 0.0], window=5)
    array([ nan,  nan,  nan,  nan, 0.25])
    """
    wides = checked({"close": close}, {} if volume is None else {"volume": volume}, copy=False)
    window = check_window(window, len(wides[0].values), 2)

    def block(price: FloatArray, *traded: FloatArray) -> list[FloatArray]:
        zero = _zeros(moves(price, "simple"))
        for amount in traded:
            zero = np.where(np.isnan(amount), np.nan, zero * (amount > 0))
        (share,) = _means([zero], window)
        if not with_se:
            return [share]
        inside = np.where((share > 0) & (share < 1), 1.0, np.nan)
        return [share, _blank(smooth_error([zero], [inside], window - 1, hac_lags), window)]

    share, *error = in_blocks(block, *wides)
    return estimated(wides[0], share, error[0], hac_method(window - 1, hac_lags)) if with_se else wides[0].like(share)


def fht(
    close: Any,
    window: int = 21,
    returns: Literal["log", "simple"] = "log",
    hac_lags: int | None = None,
    with_se: bool = False,
) -> Any:
    """Spread from zero returns and volatility (Fong, Holden and Trzcinka, 2017): 2 sigma N⁻¹((1 + z) / 2).

    z is the share of zero returns, sigma the standard deviation of all returns of the window, zeros included (divisor
    n − 1), N the normal distribution. With a true return that is normal and of which half the spread is lost, sigma is
    that of what is left, so that the estimate is below the spread: 19 % below it when a fifth of the returns is zero.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    window : int, default 21
        Rows of a window.
    returns : {"log", "simple"}, default "log"
    hac_lags : int, optional
        Rows of dependence of the standard errors; by default floor(4 ((window − 1) / 100)^(2/9)), at least 1.
    with_se : bool, default False
        Return an `Estimate` with standard errors.

    Returns
    -------
    Same kind and shape as ``close``, or Estimate
        Fraction of the price; rises with illiquidity. 0 without a zero return, NaN with zeros only; neither has a
        standard error.

    Raises
    ------
    DataError
        As in `zero_returns`.

    References
    ----------
    Fong, Holden and Trzcinka (2017), Review of Finance 21(4), 1355-1401.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.fht([10.0, 10.0, 10.1, 10.1, 10.0], window=5).round(6)
    array([    nan,     nan,     nan,     nan, 0.01096])
    """
    from drainstats.kernels import windows

    check_option("returns", returns, ["log", "simple"])
    (wide,) = checked({"close": close}, {}, copy=False)
    window = check_window(window, len(wide.values), 3)

    def block(price: FloatArray) -> list[FloatArray]:
        r = moves(price, returns)
        zero = _zeros(r)
        share, centre = _means([zero, r], window)
        variance = np.empty_like(r)
        windows.window_covariance(r, r, window - 1, 2, variance)
        sigma = _blank(np.sqrt(variance, out=variance), window)
        reach = ndtri((1 + np.where(share < 1, share, np.nan)) / 2)
        spread = 2 * sigma * reach
        if not with_se:
            return [spread]
        density = np.exp(-(reach**2) / 2) / np.sqrt(2 * np.pi)
        per_variance = np.divide(reach, sigma, out=np.full_like(sigma, np.nan), where=(sigma > 0) & (share > 0))
        gradients = [sigma / density, -2 * centre * per_variance, per_variance]
        return [spread, _blank(smooth_error([zero, r, r**2], gradients, window - 1, hac_lags), window)]

    spread, *error = in_blocks(block, wide)
    if not with_se:
        return wide.like(spread)
    return estimated_positive(wide, spread, error[0], hac_method(window - 1, hac_lags))


def lot(
    close: Any,
    market: Any,
    window: int = 250,
    regions: Literal["y_split", "mixed"] = "y_split",
    step: int = 1,
    market_is: MarketKind = "price",
    returns: Literal["log", "simple"] = "log",
    min_rows: int | None = None,
    with_se: bool = False,
) -> Any:
    """Cost of a round trip by maximum likelihood (Lesmond, Ogden and Trzcinka, 1999), the spread ``high − low``.

    The true return is beta times the market's plus normal noise. It is seen less low ≤ 0 when it is below low, less
    high ≥ 0 when it is above high, and as zero in between.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    market : (T,) or (T, N) table, Series or array
        One market for all assets, or one each.
    window : int, default 250
        Rows of a window.
    regions : {"y_split", "mixed"}, default "y_split"
        Which threshold a return that is not zero passed: by its own sign, as the model says, or by the sign of the
        market's return, as first published ("LOT mixed"), which overstates the cost. A row in which the market did not
        move goes by its own sign.
    step : int, default 1
        Estimate in every ``step``-th row from the first full window on; the others are NaN.
    market_is : {"price", "return"}, default "price"
    returns : {"log", "simple"}, default "log"
    min_rows : int, optional
        Fewest complete rows, at least 5; by default half the window.
    with_se : bool, default False
        Return an `Estimate` with standard errors: from the information for "y_split", of the sandwich form for
        "mixed", whose likelihood is not that of the model. Its ``method`` counts the windows without an estimate by
        reason.

    Returns
    -------
    Same kind and shape as ``close``, or Estimate
        Fraction of the price (log or simple, as the returns); rises with illiquidity. 0 without an error in a window
        without zero returns. NaN with too few rows, no return on one side, a market that does not move, or where
        Newton's method did not converge. The noise must be normal: fat tails overstate the cost (2.5 % becomes 3.4 %
        with a Student noise of five degrees of freedom), and the errors do not know it.

    Warns
    -----
    ConvergenceWarning
        When a window did not converge.

    Raises
    ------
    DataError
        A price that is not above zero, infinite numbers, tables that do not match, fewer rows than the window.

    References
    ----------
    Lesmond, Ogden and Trzcinka (1999), Review of Financial Studies 12(5), 1113-1141; Goyenko, Holden and Trzcinka
    (2009), Journal of Financial Economics 92(2), 153-181; Olsen (1978), Econometrica 46(5), 1211-1215.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> m, noise = rng.normal(0, 0.01, 250), rng.normal(0, 0.02, 250)
    >>> true = m + noise
    >>> seen = np.where(true < -0.01, true + 0.01, np.where(true > 0.01, true - 0.01, 0.0))
    >>> path = [100 * np.cumprod(1 + np.r_[0, r]) for r in (seen, m)]
    >>> found = ds.measures.lot(*path, window=251, returns="simple", with_se=True)
    >>> bool(abs(found.estimate[-1] - 0.02) < 2 * found.std_error[-1])
    True
    """
    from drainstats.kernels import friction

    check_option("regions", regions, ["y_split", "mixed"])
    check_option("returns", returns, ["log", "simple"])
    check_whole("step", step, 1)
    (price,) = positive(close=close)
    window = check_window(window, len(price.values), 7)
    least = max(5, (window - 1) // 2) if min_rows is None else min_rows
    check_whole("min_rows", least, 5)
    if least > window - 1:
        raise OptionError(f"min_rows={min_rows} is more than the {window - 1} returns of a window.")
    r = moves(price.values, returns)
    m = np.ascontiguousarray(market_moves(market, price, market_is, returns))
    spread, error = np.full_like(r, np.nan), np.full_like(r, np.nan)
    status = np.zeros(r.shape, dtype=np.int64)
    # The kernel's first window is the one that ends in row window − 1 of the prices.
    friction.friction(
        r[1:], m[1:], window - 1, least, step, regions == "mixed", spread[1:], error[1:], status[1:]
    )  # fmt: skip
    missed = {reason: int((status == k).sum()) for k, reason in enumerate(_REASONS, start=1)}
    if missed[_REASONS[-1]]:
        warnings.warn(
            f"{missed[_REASONS[-1]]} windows did not converge and are NaN: take a longer window.",
            ConvergenceWarning,
            stacklevel=2,
        )
    if not with_se:
        return price.like(spread)
    method = f"maximum likelihood, {'sandwich' if regions == 'mixed' else 'information'}"
    counts = ", ".join(f"{n} windows with {reason}" for reason, n in missed.items() if n)
    return estimated_positive(price, spread, error, f"{method}; NaN: {counts}" if counts else method)


def _zeros(r: FloatArray) -> FloatArray:
    return np.where(np.isnan(r), np.nan, (r == 0.0).astype(np.float64))


def _means(values: list[FloatArray], window: int) -> list[FloatArray]:
    return [_blank(window_mean(v, window - 1), window) for v in values]


def _blank(values: FloatArray, window: int) -> FloatArray:
    values[: window - 1] = np.nan
    return values
