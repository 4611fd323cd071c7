"""Traded value."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from drainstats.errors import check_number
from drainstats.measures.inputs import not_negative


def dollar_volume(close: Any, volume: Any) -> Any:
    """Traded value of a bar in quote currency, taken at its close.

    Parameters
    ----------
    close : (T, N) table, Series or array
        Prices, quote currency per base unit.
    volume : (T, N) table, Series or array
        Base units.

    Returns
    -------
    Same kind and shape as ``close``, quote currency
        It falls when liquidity falls in calm markets, and explodes in a crash: it is not a measure of illiquidity.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.dollar_volume([10.0, 11.0], [2.0, 0.0])
    array([20.,  0.])
    """
    price, amount = not_negative(close=close, volume=volume)
    return price.like(price.values * amount.values)


def turnover(volume: Any, shares: Any) -> Any:
    """Share of the units in existence that changed hands in a bar.

    Parameters
    ----------
    volume : (T, N) table, Series or array
        Base units.
    shares : like ``volume``, or one number
        Shares outstanding or coins in circulation, adjusted for splits in the same way as the volume.

    Returns
    -------
    Same kind and shape as ``volume``, fraction
        Missing where nothing is outstanding. Like traded value it explodes in a crash.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.turnover([2.0, 0.0], 100.0)
    array([0.02, 0.  ])
    """
    if isinstance(shares, Real):
        check_number("shares", shares, 0.0)
        (amount,) = not_negative(volume=volume)
        shares = np.full(amount.values.shape, float(shares))
    amount, base = not_negative(volume=volume, shares=shares)
    out = np.divide(amount.values, base.values, out=np.full_like(amount.values, np.nan), where=base.values > 0)
    return amount.like(out)
