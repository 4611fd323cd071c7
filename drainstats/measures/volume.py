"""Traded value."""

from __future__ import annotations

from typing import Any

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
