"""Price impact from daily data."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import check_option
from drainstats.measures.inputs import check_window, not_negative, positive, window_mean


def amihud(
    close: Any,
    dollar_volume: Any,
    window: int = 21,
    returns: Literal["log", "simple"] = "log",
    zero_volume: Literal["skip", "nan"] = "skip",
) -> Any:
    """Illiquidity of Amihud (2002): the mean over the window of absolute return over traded value.

    Daily Amihud does not see flash crashes: volume explodes with the move, and what reverts in the day is no return.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero.
    window : int, default 21
        Bars whose ratios are averaged; a window of 1 is the ratio itself.
    returns : {"log", "simple"}, default "log"
    zero_volume : {"skip", "nan"}, default "skip"
        A bar without volume has no ratio: leave it out of the mean, or make the windows that hold it missing.

    Returns
    -------
    Same kind and shape as ``close``
        Per unit of quote currency (multiply by 1e6 for the return per million).

    Raises
    ------
    DataError
        A price that is not above zero, a negative volume, infinite numbers, fewer rows than the window.

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
    (price,) = positive(close=close)
    _, value = not_negative(close=close, dollar_volume=dollar_volume)
    check_window(window, len(price.values), 1)
    ratio = price.values[1:] / price.values[:-1]
    move = np.abs(np.log(ratio) if returns == "log" else ratio - 1)
    move = np.concatenate([np.full((1, move.shape[1]), np.nan), move])
    illiquidity = np.divide(move, value.values, out=np.full_like(move, np.nan), where=value.values > 0)
    mean = window_mean(illiquidity, window)
    if zero_volume == "nan":
        mean[window_mean((value.values == 0).astype(np.float64), window) > 0] = np.nan
    return price.like(mean)
