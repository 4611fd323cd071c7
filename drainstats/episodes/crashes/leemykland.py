"""Which return is a jump? Each return against the local volatility of the returns before it (Lee and Mykland, 2008).

    statistic_i = r_i / sigma_i,   sigma²_i = π/2 · mean of |r_j| |r_{j−1}| over the K − 2 rows before i.

The largest of n such statistics in size, without jumps, follows Gumbel's law with centre
C = sqrt(2 ln n) − (ln π + ln ln n) / (2 sqrt(2 ln n)) and scale S = 1 / sqrt(2 ln n).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.blocks import Overnight, factors_of, kept_returns, with_factors
from drainstats.episodes.crashes.paths import price_paths, stacked
from drainstats.errors import OptionError, check_option
from drainstats.measures.inputs import window_mean
from drainstats.typing import FloatArray

COLUMNS = ["statistic", "p_value", "size", "volatility", "jump"]


def lee_mykland(
    log_price: Any,
    window: int = 270,
    level: float = 0.01,
    family: int | None = None,
    seasonality: Any = None,
    overnight: Overnight = "drop",
    *,
    times: Any = None,
) -> pd.DataFrame:
    """Jumps at single returns, with their times and sizes (Lee and Mykland, 2008).

    Parameters
    ----------
    log_price : (T, N) table, Series or array
        Log prices at equal distances within the day. Labels are stamps or seconds. Missing prices are left out.
    window : int, default 270
        K returns of the local volatility. The paper takes 270 at five minutes, 110 at thirty, 78 at an hour, 16 at a
        day. Volatility that jumps within the window, as overnight, makes false calls.
    level : float, default 0.01
        Chance that any of ``family`` returns is called by mistake.
    family : int, optional
        Returns over which that chance holds, such as a day's; by default ``window``.
    seasonality : Series, frame or array like ``log_price``, optional
        Factors of `intraday_seasonality`; returns are divided by them. Without a factor no statistic.
    overnight : {"drop", "keep"}, default "drop"
        The return from one day's last price to the next day's first; keep it where trading never stops.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row a row of the prices; columns statistic, p_value (of the largest of ``family`` being so large), size (the
        log return), volatility (of a return, with the factor), jump (bool). For a table the columns are pairs
        (quantity, asset). All use the row and earlier ones; NaN and False before ``window`` returns.

    Raises
    ------
    OptionError
        A window below ten, a level outside (0, 1), a family below three.
    DataError
        Factors of another shape.

    References
    ----------
    Lee and Mykland (2008), Review of Financial Studies 21(6), 2535-2563. Boudt, Croux and Laurent (2011), Journal of
    Empirical Finance 18(2), 353-367.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 0.001, 2000).cumsum()
    >>> path[1500:] -= 0.01
    >>> found = ds.lee_mykland(path)
    >>> found.index[found["jump"]].tolist()
    [1500]
    """
    check_option("overnight", overnight, ["drop", "keep"])
    if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 10:
        raise OptionError(f"window={window!r} must be a whole number of returns, at least 10.")
    family = window if family is None else family
    if not 0 < level < 1 or not family >= 3:
        raise OptionError(f"level={level!r} must lie between 0 and 1, and family={family!r} be at least 3.")
    paths = price_paths(log_price, times)
    factors = factors_of(seasonality, paths)
    found = {}
    for number, column in enumerate(paths.columns):
        ends, returns = kept_returns(paths, number, overnight)
        rows, r, f = with_factors(ends, returns, factors[:, number])
        table = np.full((len(paths.index), 4), np.nan)
        table[rows] = _statistics(r, f, int(window), int(family))
        frame = pd.DataFrame(table, index=paths.index, columns=COLUMNS[:4])
        found[column] = frame.assign(jump=frame["p_value"].to_numpy() < level)
    return stacked(found, paths)


def _statistics(r: FloatArray, factor: FloatArray, window: int, family: int) -> FloatArray:
    """Statistic, p-value, size and volatility (n, 4)."""
    out = np.full((len(r), 4), np.nan)
    out[:, 2] = r
    if len(r) <= window:
        return out
    calm = r / factor
    product = np.abs(calm[1:] * calm[:-1])
    mean = window_mean(product[:, None], window - 2)[:, 0]
    # The products up to the row before: product k ends in row k + 1, and row i takes those up to row i − 1.
    variance = np.concatenate([[np.nan, np.nan], mean[:-1]]) * np.pi / 2.0
    variance[: window - 1] = np.nan
    sigma = np.sqrt(np.where(variance > 0, variance, np.nan))
    out[:, 0] = calm / sigma
    root = np.sqrt(2.0 * np.log(family))
    centre = root - 0.5 * np.log(np.pi * np.log(family)) / root
    out[:, 1] = -np.expm1(-np.exp(-(np.abs(out[:, 0]) - centre) * root))
    out[:, 3] = sigma * factor
    return out
