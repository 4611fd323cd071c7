"""Volatility from the price range: what bars show on a crash day when nothing else does."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainstats.measures.inputs import check_window, positive, window_mean


def parkinson(high: Any, low: Any, window: int = 1) -> Any:
    """Volatility per bar from high and low (Parkinson, 1980): sqrt of the mean of ln(H/L)² / (4 ln 2) over the window.

    It rises when prices must move far to find the other side, and with volatility that has nothing to do with
    liquidity: from bars alone the two cannot be told apart.

    Parameters
    ----------
    high, low : (T, N) tables, Series or arrays
        Prices above zero.
    window : int, default 1
        Rows of a window.

    Returns
    -------
    Same kind and shape as ``high``
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
    return wide.like(np.sqrt(window_mean(log_range**2, window) / (4 * np.log(2))))
