"""How far a bar's price moves for the value that is traded in it: Amihud and its relatives.

All of them are blind to a flash crash in a daily bar: volume explodes with the move, and what reverts within the day is
no return.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import OptionError, check_number, check_option, check_whole
from drainstats.frames import Wide
from drainstats.measures.estimates import estimated_positive
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, checked, in_blocks, window_mean
from drainstats.typing import FloatArray

ZeroVolume = Literal["skip", "nan"]


def amihud(
    close: Any,
    dollar_volume: Any,
    window: int = 21,
    returns: Literal["log", "simple"] = "log",
    zero_volume: ZeroVolume = "skip",
    *,
    side: Literal["both", "down", "up"] = "both",
    root: bool = False,
    open: Any = None,
    min_bars: int = 1,
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Illiquidity of Amihud (2002): the mean over the window of absolute return over traded value.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero. With `turnover` in its place the answer is per unit of turnover,
        which does not make large assets liquid by arithmetic (Florackis, Gregoriou and Kostakis, 2011).
    window : int, default 21
        Bars whose ratios are averaged; a window of 1 is the ratio itself.
    returns : {"log", "simple"}, default "log"
    zero_volume : {"skip", "nan"}, default "skip"
        A bar without volume has no ratio: leave it out of the mean, or make the windows that hold it missing.
    side : {"both", "down", "up"}, default "both"
        Moves of the other sign count as zero, so that "down" and "up" add to "both" (half-Amihud; Brennan, Huh and
        Subrahmanyam, 2013).
    root : bool, default False
        Average the square roots of the ratios (Hasbrouck, 2009): single days weigh less.
    open : table like ``close``, optional
        Returns from open to close instead of close to close: without the night, in which nothing is traded (Barardehi,
        Bernhardt, Ruchti and Weidenmier, 2021).
    min_bars : int, default 1
        Windows with fewer ratios are missing. Amihud asks for 200 days in a year.
    with_se : bool, default False
        Return an `Estimate` with Newey-West errors of the mean.
    hac_lags : int, optional
        Rows of serial dependence; by default floor(4 (window / 100)^(2/9)).

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Per unit of quote currency (multiply by 1e6 for the return per million).

    Raises
    ------
    DataError
        A price that is not above zero, a negative volume, infinite numbers, fewer rows than the window.
    OptionError

    References
    ----------
    Amihud (2002), Journal of Financial Markets 5(1), 31-56.

    Examples
    --------
    >>> import drainstats as ds
    >>> 1e6 * ds.measures.amihud([10.0, 10.1, 10.0], [1e6, 2e6, 1e6], window=1, returns="simple").round(10)
    array([   nan, 0.005 , 0.0099])
    """
    check_option("returns", returns, ["log", "simple"])
    check_option("zero_volume", zero_volume, ["skip", "nan"])
    check_option("side", side, ["both", "down", "up"])
    prices = {"close": close} if open is None else {"close": close, "open": open}
    wides = checked(prices, {"dollar_volume": dollar_volume}, copy=False)
    window = check_window(window, len(wides[0].values), 1)
    check_whole("min_bars", min_bars, 1)
    if min_bars > window:
        raise OptionError(f"min_bars={min_bars} is more than the {window} bars of a window.")

    def block(price: FloatArray, *others: FloatArray) -> list[FloatArray]:
        value = others[-1]
        move = _moves(price, None if open is None else others[0], returns)
        if side == "both":
            np.abs(move, out=move)
        else:
            np.maximum(-move if side == "down" else move, 0.0, out=move)
        ratio = _per_value(move, value)
        if root:
            np.sqrt(ratio, out=ratio)
        mean = window_mean(ratio, window, min_bars)
        if zero_volume == "nan":
            mean[window_mean((value == 0).astype(np.float64), window) > 0] = np.nan
        if not with_se:
            return [mean]
        return [mean, np.where(np.isnan(mean), np.nan, smooth_error([ratio], [1.0], window, hac_lags))]

    return _answer(wides[0], in_blocks(block, *wides), window, hac_lags)


def high_low_impact(
    high: Any, low: Any, dollar_volume: Any, window: int = 21, *, with_se: bool = False, hac_lags: int | None = None
) -> Any:
    """The mean over the window of log range over traded value: Amihud with the range in place of the return.

    A day that falls and comes back has a range but no return; this measure sees it.

    Parameters
    ----------
    high, low : (T, N) tables, Series or arrays
        Prices above zero; a bar whose high is below its low does not count.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero; a bar without does not count.
    window : int, default 21
    with_se, hac_lags
        As in `amihud`.

    Returns
    -------
    Same kind and shape as ``high``, or an `Estimate` of such tables
        Per unit of quote currency.

    Raises
    ------
    DataError
        As in `amihud`.

    References
    ----------
    Amihud (2002), Journal of Financial Markets 5(1), 31-56; Parkinson (1980), Journal of Business 53(1), 61-65.

    Examples
    --------
    >>> import drainstats as ds
    >>> 1e6 * ds.measures.high_low_impact([11.0, 12.0], [10.0, 10.0], [1e6, 2e6], window=1).round(10)
    array([0.0953, 0.0912])
    """
    wides = checked({"high": high, "low": low}, {"dollar_volume": dollar_volume}, copy=False)
    window = check_window(window, len(wides[0].values), 1)

    def block(high: FloatArray, low: FloatArray, value: FloatArray) -> list[FloatArray]:
        log_range = np.log(np.divide(high, low, out=high), out=high)
        log_range[log_range < 0] = np.nan
        ratio = _per_value(log_range, value)
        found = [window_mean(ratio, window)]
        return [*found, smooth_error([ratio], [1.0], window, hac_lags)] if with_se else found

    return _answer(wides[0], in_blocks(block, *wides), window, hac_lags)


def kyle_obizhaeva(
    close: Any,
    dollar_volume: Any,
    window: int = 21,
    *,
    bet_cost: float = 1.0,
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Illiquidity 1/L of market microstructure invariance: the cube root of C σ² / V (Kyle and Obizhaeva, 2016).

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero.
    window : int, default 21
        Bars of which σ², the sample variance of log returns, and V, the mean traded value, are taken; at least 3.
    bet_cost : float, default 1.0
        C, the mean cost of a bet in quote currency, the same for all assets: a scale (1 leaves it out, as Brauneis,
        Mestel, Riordan and Theissen, 2021, do).
    with_se, hac_lags
        As in `amihud`; delta method.

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Fraction of value when C is in quote currency. Missing where nothing is traded or fewer than two returns are
        there; zero where the price stands still.

    Raises
    ------
    DataError, OptionError
        As in `amihud`.

    References
    ----------
    Kyle and Obizhaeva (2016), Econometrica 84(4), 1345-1404; Brauneis, Mestel, Riordan and Theissen (2021), Journal of
    Banking & Finance 124, 106041.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.kyle_obizhaeva([10.0, 10.1, 10.0], [1e6, 2e6, 3e6], window=3).round(6)
    array([     nan,      nan, 0.000429])
    """
    from drainstats.kernels import windows

    check_number("bet_cost", bet_cost, 0.0)

    wides = checked({"close": close}, {"dollar_volume": dollar_volume}, copy=False)
    window = check_window(window, len(wides[0].values), 3)

    def block(price: FloatArray, value: FloatArray) -> list[FloatArray]:
        move, value = _both(_moves(price, None, "log"), value)
        variance = np.empty_like(move)
        windows.window_covariance(move, move, window, 2, variance)
        volume = window_mean(value, window)
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.cbrt(bet_cost * variance / volume)
        level[~(volume > 0)] = np.nan
        if not with_se:
            return [level]
        with np.errstate(invalid="ignore", divide="ignore"):
            by_variance = level / (3 * variance)
            slopes = [by_variance, -2 * window_mean(move, window) * by_variance, -level / (3 * volume)]
        return [level, smooth_error([move**2, move, value], slopes, window, hac_lags)]

    return _answer(wides[0], in_blocks(block, *wides), window, hac_lags)


def amivest(
    close: Any, dollar_volume: Any, window: int = 21, *, with_se: bool = False, hac_lags: int | None = None
) -> Any:
    """Liquidity ratio: traded value over absolute returns, both summed over the window (Cooper, Groth and Avera, 1985).

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero.
    window : int, default 21
    with_se, hac_lags
        As in `amihud`; delta method.

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Quote currency that moves the log price by one: it falls when liquidity falls. Missing where no bar of the
        window moved: a price that stands still does not make a market infinitely liquid.

    Raises
    ------
    DataError
        As in `amihud`.

    References
    ----------
    Cooper, Groth and Avera (1985), Journal of Economics and Business 37(1), 19-33.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.amivest([10.0, 10.1, 10.0], [1e6, 2e6, 1e6], window=2).round(-3)
    array([           nan, 2.00998e+08, 1.50749e+08])
    """
    wides = checked({"close": close}, {"dollar_volume": dollar_volume}, copy=False)
    window = check_window(window, len(wides[0].values), 1)

    def block(price: FloatArray, value: FloatArray) -> list[FloatArray]:
        move = _moves(price, None, "log")
        move, value = _both(np.abs(move, out=move), value)
        moved = window_mean(move, window)
        moved[moved == 0] = np.nan
        level = window_mean(value, window) / moved
        if not with_se:
            return [level]
        return [level, smooth_error([value, move], [1 / moved, -level / moved], window, hac_lags)]

    return _answer(wides[0], in_blocks(block, *wides), window, hac_lags)


def _answer(wide: Wide, found: list[FloatArray], window: int, lags: int | None) -> Any:
    """The table alone, or with its errors when they were made."""
    if len(found) == 1:
        return wide.like(found[0])
    estimate, errors = found
    return estimated_positive(wide, estimate, errors, hac_method(window, lags))


def _moves(close: FloatArray, open: FloatArray | None, returns: str) -> FloatArray:
    """Returns of the rows, signed; the first row has none unless they run from the open."""
    move = np.full_like(close, np.nan)
    if open is None:
        np.divide(close[1:], close[:-1], out=move[1:])
    else:
        np.divide(close, open, out=move)
    return np.log(move, out=move) if returns == "log" else np.subtract(move, 1.0, out=move)


def _both(move: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Moves and values, both missing where one is."""
    lost = np.isnan(move) | np.isnan(value)
    move[lost], value[lost] = np.nan, np.nan
    return move, value


def _per_value(move: FloatArray, value: FloatArray) -> FloatArray:
    """Moves over traded value, in the memory of the moves; missing where nothing is traded."""
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(move, value, out=move)
    move[value == 0] = np.nan
    return move
