"""What leaving a position costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainstats.errors import DataError, check_number
from drainstats.measures.inputs import not_negative


def square_root_cost(
    volatility: Any,
    dollar_volume: Any,
    notional: float,
    prefactor: float = 1.0,
    exponent: float = 0.5,
    mean: bool = True,
) -> Any:
    """Cost of leaving a notional by the square-root law of market impact: Y · sigma · (Q / V)^delta.

    A proxy: the law describes patient metaorders, with volatility and volume of the same day. In a crash sigma and V
    both jump, so the cost rises by less than sigma does.

    Parameters
    ----------
    volatility : (T, N) table, Series or array
        Standard deviation of log prices over one bar.
    dollar_volume : (T, N) table, Series or array
        Traded value of the bar, quote currency.
    notional : float
        Q, in quote currency, above zero.
    prefactor : float, default 1
        Y; of order one, 0.5 to 1.5 is usual.
    exponent : float, default 0.5
        delta.
    mean : bool, default True
        The mean cost along the order, peak / (1 + delta); False gives the peak impact.

    Returns
    -------
    Same kind and shape as ``volatility``
        Fraction of the notional; NaN where nothing traded.

    Raises
    ------
    DataError, OptionError

    References
    ----------
    Sato and Kanazawa (2024), arXiv 2411.13965: exponent 0.489 (0.0015) over the stocks of the Tokyo exchange.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.square_root_cost([0.04], [1e8], notional=1e7, mean=False).round(6)
    array([0.012649])
    """
    check_number("notional", notional, 0.0)
    check_number("prefactor", prefactor, 0.0)
    check_number("exponent", exponent, 0.0, 1.0)
    sigma, value = not_negative(volatility=volatility, dollar_volume=dollar_volume)
    if sigma.values.size == 0:
        raise DataError("The table of volatilities is empty.")
    share = np.divide(notional, value.values, out=np.full_like(value.values, np.nan), where=value.values > 0)
    peak = prefactor * sigma.values * share**exponent
    return sigma.like(peak / (1 + exponent) if mean else peak)
