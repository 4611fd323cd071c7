"""What a price did from one row to the next, its own and the market's."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from drainstats.errors import DataError, check_option
from drainstats.frames import Wide, as_wide, as_wides, refuse_extreme
from drainstats.measures.inputs import positive
from drainstats.typing import FloatArray

Returns: TypeAlias = Literal["log", "simple", "difference"]
MarketKind: TypeAlias = Literal["price", "return"]


def finite(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables whose numbers are finite and not so far from one that their squares overflow; NaN is missing."""
    wides = as_wides(**tables)
    for name, wide in zip(tables, wides, strict=True):
        bad = np.argwhere(np.isinf(wide.values))
        if len(bad):
            row, column = bad[0]
            raise DataError(f"{name} is infinite; set it to missing.", row=wide.index[row], column=wide.columns[column])
        refuse_extreme(wide.values, wide.columns)
    return wides


def before(values: FloatArray, rows: int = 1) -> FloatArray:
    """The (T, N) values ``rows`` rows earlier, NaN where there is none."""
    return np.concatenate([np.full((rows, values.shape[1]), np.nan), values[:-rows]])[: len(values)]


def moves(price: FloatArray, returns: Returns) -> FloatArray:
    """Log returns, simple returns or differences (T, N); an unchanged price gives exactly zero."""
    check_option("returns", returns, ["log", "simple", "difference"])
    if returns == "difference":
        return price - before(price)
    ratio = price / before(price)
    return np.log(ratio) if returns == "log" else ratio - 1


def beside(name: str, table: Any, like: Wide) -> Wide:
    """A table of one column for all assets, or one each, on the rows of ``like``.

    Raises
    ------
    DataError
        When its rows, labels or number of columns are others.
    """
    wide = as_wide(table, name)
    if len(wide.values) != len(like.values) or wide.values.shape[1] not in (1, like.values.shape[1]):
        raise DataError(
            f"{name} is {wide.values.shape}, the assets are {like.values.shape}: give one column for all, or one each, "
            "on the same rows."
        )
    labelled = {"frame", "series"}
    if wide.kind in labelled and like.kind in labelled and not wide.index.equals(like.index):
        raise DataError(f"{name} has other time labels than the assets; align them first.")
    if wide.kind == like.kind == "frame" and wide.values.shape[1] > 1 and not wide.columns.equals(like.columns):
        raise DataError(f"{name} has other columns than the assets; align them first.")
    return wide


def market_moves(market: Any, like: Wide, kind: MarketKind, returns: Returns) -> FloatArray:
    """The market's returns (T, N) from its prices, or as they came."""
    check_option("market_is", kind, ["price", "return"])
    beside("market", market, like)
    (wide,) = positive(market=market) if kind == "price" else finite(market=market)
    change = moves(wide.values, returns) if kind == "price" else wide.values
    return np.broadcast_to(change, like.values.shape)
