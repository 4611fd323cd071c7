"""Return reversal after volume (Pastor and Stambaugh, 2003), and the market's liquidity innovations built from it.

A large order flow in a thin market moves the price too far, and the next day takes part of it back. With r the return
of an asset, e its return less the market's, and v its traded value, gamma is the last coefficient of

    e[t+1] = theta + phi r[t] + gamma sign(e[t]) v[t] + noise                                          (1)
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.measures.inputs import check_window, not_negative, positive
from drainstats.measures.moves import MarketKind, before, beside, finite, market_moves, moves
from drainstats.measures.regressions import Errors, dressed, fit_windows
from drainstats.typing import FloatArray


def pastor_stambaugh(
    close: Any,
    dollar_volume: Any,
    market: Any = None,
    window: int = 21,
    market_is: MarketKind = "price",
    returns: Literal["log", "simple"] = "log",
    min_rows: int = 16,
    errors: Errors = "hc3",
    lags: int | None = None,
    with_se: bool = False,
) -> Any:
    """Reversal gamma of Pastor and Stambaugh (2003), equation (1), in trailing windows.

    The first two rows of a window serve as the rows before only: 21 rows hold 19 pairs of days. The paper asks for more
    than 15 pairs in a month and for prices between 5 and 1000 dollars; the first is the default here, the second is a
    matter of choosing assets.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices above zero.
    dollar_volume : (T, N) table, Series or array
        Traded value in quote currency, at least zero.
    market : (T,) or (T, N) table, Series or array, optional
        What returns are measured against: one column for all assets, or one each. By default nothing is subtracted.
    window : int, default 21
        Rows of a window.
    market_is : {"price", "return"}, default "price"
        Whether ``market`` holds prices, or returns of the kind that ``returns`` names.
    returns : {"log", "simple"}, default "log"
        The paper takes simple returns.
    min_rows : int, default 16
        Fewest complete pairs.
    errors : {"classical", "hc1", "hc3", "newey_west"}, default "hc3"
    lags : int, optional
        Rows of dependence for "newey_west".
    with_se : bool, default False
        Return an `Estimate` with standard errors.

    Returns
    -------
    Same kind and shape as ``close``, or Estimate
        Per unit of quote currency: multiply by 1e6 for the paper's unit, a million. Gamma is normally negative and
        falls when illiquidity rises; −gamma is a measure of illiquidity. NaN in windows with too few pairs or without
        any volume.

    Raises
    ------
    DataError
        A price that is not above zero, a negative volume, infinite numbers, tables that do not match, fewer rows than
        the window.
    OptionError
        A ``min_rows`` that the window cannot hold.

    References
    ----------
    Pastor and Stambaugh (2003), Journal of Political Economy 111(3), 642-685.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> value, r = rng.uniform(1e6, 9e6, 250), np.zeros(250)
    >>> for t in range(249):
    ...     r[t + 1] = -1e-9 * np.sign(r[t]) * value[t] + rng.normal(0, 0.01)
    >>> found = ds.measures.pastor_stambaugh(100 * np.exp(r.cumsum()), value, window=250, with_se=True)
    >>> bool(abs(found.estimate[-1] + 1e-9) < 2 * found.std_error[-1])
    True
    """
    check_option("returns", returns, ["log", "simple"])
    (price,) = positive(close=close)
    _, value = not_negative(close=close, dollar_volume=dollar_volume)
    window = check_window(window, len(price.values), 5)
    r = moves(price.values, returns)
    excess = r if market is None else r - market_moves(market, price, market_is, returns)
    flow = np.sign(excess) * value.values
    fit = fit_windows(
        excess, [before(r), before(flow)], window - 2, blank=window - 1, errors=errors, lags=lags, min_rows=min_rows,
        with_se=with_se,
    )  # fmt: skip
    return dressed(price, fit, 2, with_se)


def liquidity_innovations(gamma: Any, market_value: Any, scale: float = 100.0) -> pd.DataFrame:
    """The market's liquidity and its innovations from the assets' gammas, period by period.

    With g the assets' gammas, m the value of the market and m[1] its first, the level is the mean of g scaled by
    m / m[1], the change is the mean, over the assets known in both periods, of the change of g, scaled alike (6), and
    the innovation is the residual of

        change[t] = a + b change[t−1] + c (m[t−1] / m[1]) mean g[t−1] + u[t]                               (7)

    divided by ``scale`` (8). The coefficients come from all periods, so that innovations look ahead; levels and
    changes do not.

    Parameters
    ----------
    gamma : (T, N) table
        A row a period that does not overlap with others, e.g. every 21st row of `pastor_stambaugh`.
    market_value : (T,) Series or array
        The value of the assets in the average, known before the period starts (the paper: at the end of the month
        before); above zero.
    scale : float, default 100
        The paper divides residuals by 100 for convenience.

    Returns
    -------
    DataFrame
        Columns level, change, innovation (level and change in units of gamma); index of ``gamma``. All fall when
        illiquidity rises.

    Raises
    ------
    DataError
        Tables that do not match, or fewer than five periods with a change and the change before.

    References
    ----------
    Pastor and Stambaugh (2003), Journal of Political Economy 111(3), 642-685, equations (5) to (8).

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> gamma = np.random.default_rng(0).normal(-0.03, 0.1, (60, 40))
    >>> ds.measures.liquidity_innovations(gamma, np.full(60, 1e12)).columns.tolist()
    ['level', 'change', 'innovation']
    """
    (g,) = finite(gamma=gamma)
    if beside("market_value", market_value, g).values.shape[1] != 1:
        raise DataError("market_value has a column an asset; one is expected, the value of the whole market.")
    size = positive(market_value=market_value)[0].values[:, 0]
    known = size[np.isfinite(size)]
    relative = size / (known[0] if len(known) else np.nan)
    level = relative * _mean(g.values)
    change = relative * _mean(g.values - before(g.values))
    frame = pd.DataFrame({"level": level, "change": change}, index=g.index)
    return frame.assign(innovation=innovations_of_changes(level, change) / scale)


def innovations_of_changes(level: FloatArray, change: FloatArray) -> FloatArray:
    """Residuals (T,) of equation (7): each change on the one before and the level before; NaN where one is missing."""
    past = [before(v[:, None])[:, 0] for v in (change, level)]
    x = np.column_stack([np.ones(len(level)), *past])
    rows = np.isfinite(x).all(axis=1) & np.isfinite(change)
    if rows.sum() < 5:
        raise DataError(f"{rows.sum()} periods have a change and the one before; at least 5 are needed.")
    out = np.full(len(level), np.nan)
    coefficients = np.linalg.lstsq(x[rows], change[rows], rcond=None)[0]
    out[rows] = change[rows] - x[rows] @ coefficients
    return out


def _mean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(len(values), np.nan), where=known.any(axis=1))
