"""What stands in the book: depth near the mid, imbalance, slope, and the price of a round trip, a row a snapshot.

All take a snapshot table as `drainstats.read_book` returns it: ``bid_0 bid_size_0 ask_0 ask_size_0 bid_1 …``, the best
level first, NaN where a level is empty. A moment with an empty side or a crossed book has no mid and is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import to_pandas
from drainstats.typing import BoolArray, FloatArray

SIDES = ("bid", "ask", "both")


@dataclass(frozen=True, slots=True)
class _Levels:
    """Snapshots taken apart: (T, L) prices and sizes of both sides, best first; mid (T,), NaN where there is none."""

    bid: FloatArray
    bid_size: FloatArray
    ask: FloatArray
    ask_size: FloatArray
    mid: FloatArray
    index: pd.Index


def _levels(book: Any) -> _Levels:
    """Take a snapshot table apart; a level whose price is missing holds nothing.

    Raises
    ------
    DataError
        No such columns, or prices at or below zero, negative sizes.
    """
    frame = to_pandas(book)
    if not isinstance(frame, pd.DataFrame) or not {"bid_0", "bid_size_0", "ask_0", "ask_size_0"} <= set(frame.columns):
        raise DataError(
            "A table of snapshots with bid_0, bid_size_0, ask_0, ask_size_0 … is expected, as read_book returns it; "
            "updates must be applied to a book first."
        )
    depth = sum(bool(re.fullmatch(r"bid_\d+", str(c))) for c in frame.columns)
    parts = {}
    for name in ("bid", "ask"):
        price = frame[[f"{name}_{i}" for i in range(depth)]].to_numpy(dtype=np.float64)
        size = frame[[f"{name}_size_{i}" for i in range(depth)]].to_numpy(dtype=np.float64)
        for what, bad in (("price", price <= 0), ("size", size < 0)):
            if bad.any():
                row = int(np.argwhere(bad)[0][0])
                raise DataError(f"A {name} {what} lies below its least value.", row=frame.index[row], column=name)
        parts[name], parts[f"{name}_size"] = price, np.where(np.isnan(price), 0.0, np.nan_to_num(size))
    mid = (parts["bid"][:, 0] + parts["ask"][:, 0]) / 2
    mid[parts["bid"][:, 0] > parts["ask"][:, 0]] = np.nan
    return _Levels(**parts, mid=mid, index=frame.index)


def depth_within(
    book: Any,
    bp: float = 10.0,
    side: Literal["bid", "ask", "both"] = "both",
    unit: Literal["base", "quote"] = "base",
) -> pd.Series:
    """What stands within a distance of the mid.

    Parameters
    ----------
    book : table of T snapshots
    bp : float, default 10.0
        Distance in basis points of the mid, the bound included.
    side : {"bid", "ask", "both"}, default "both"
    unit : {"base", "quote"}, default "base"
        Coins, or money at the levels' own prices.

    Returns
    -------
    Series of T
        Missing where there is no mid. Where the snapshot ends before the distance the depth is a lower bound:
        `depth_reach` says how far a snapshot sees.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> book = pd.DataFrame({"bid_0": [99.95], "bid_size_0": [2.0], "ask_0": [100.05], "ask_size_0": [3.0]})
    >>> ds.measures.depth_within(book, bp=10).tolist(), ds.measures.depth_within(book, bp=1).tolist()
    ([5.0], [0.0])
    """
    check_option("side", side, SIDES)
    check_option("unit", unit, ["base", "quote"])
    if not (np.isfinite(bp) and bp >= 0):
        raise OptionError(f"bp={bp!r} must be a finite distance, at least zero.")
    taken = _levels(book)
    total = np.zeros(len(taken.mid))
    for name in ("bid", "ask") if side == "both" else (side,):
        price, size = getattr(taken, name), getattr(taken, f"{name}_size")
        amount = size * np.nan_to_num(price) if unit == "quote" else size
        total += np.where(_near(price, taken.mid, bp), amount, 0.0).sum(axis=1)
    return pd.Series(np.where(np.isnan(taken.mid), np.nan, total), index=taken.index, name="depth_within")


def _near(price: FloatArray, mid: FloatArray, bp: float) -> BoolArray:
    # A level that stands on the bound itself must not fall off by rounding.
    return np.abs(price / mid[:, None] - 1) <= bp / 1e4 * (1 + 1e-9)


def depth_reach(book: Any) -> pd.Series:
    """How far a snapshot sees: distance of its last filled level from the mid, the nearer side, in basis points.

    Raises
    ------
    DataError

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> book = pd.DataFrame({"bid_0": [99.0], "bid_size_0": [2.0], "ask_0": [101.0], "ask_size_0": [3.0]})
    >>> ds.measures.depth_reach(book).round(6).tolist()
    [100.0]
    """
    taken = _levels(book)
    filled = [np.where(s > 0, p, np.nan) for p, s in ((taken.bid, taken.bid_size), (taken.ask, taken.ask_size))]
    far = [np.nanmax(np.abs(np.nan_to_num(p / taken.mid[:, None] - 1, nan=0.0)), axis=1) for p in filled]
    reach = 1e4 * np.minimum(*far)
    return pd.Series(np.where(np.isnan(taken.mid), np.nan, reach), index=taken.index, name="depth_reach")


def book_imbalance(book: Any, depth: int = 1) -> pd.Series:
    """Bids against asks: (bid size − ask size) / (bid size + ask size) over the best levels.

    Parameters
    ----------
    book : table of T snapshots
    depth : int, default 1
        Number of levels.

    Returns
    -------
    Series of T, −1 to 1
        1 when there are bids only; missing when both sides are empty.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> book = pd.DataFrame({"bid_0": [99.0], "bid_size_0": [3.0], "ask_0": [101.0], "ask_size_0": [1.0]})
    >>> ds.measures.book_imbalance(book).tolist()
    [0.5]
    """
    taken = _levels(book)
    if not isinstance(depth, (int, np.integer)) or not 1 <= depth <= taken.bid.shape[1]:
        raise OptionError(f"depth={depth!r} is a number of levels from 1 to {taken.bid.shape[1]}.")
    bids, asks = (s[:, :depth].sum(axis=1) for s in (taken.bid_size, taken.ask_size))
    total = bids + asks
    share = np.divide(bids - asks, total, out=np.full_like(total, np.nan), where=total > 0)
    return pd.Series(share, index=taken.index, name="book_imbalance")


def book_slope(
    book: Any,
    side: Literal["bid", "ask", "both"] = "both",
    method: Literal["elasticity", "depth"] = "elasticity",
) -> pd.Series:
    """How fast depth grows with distance from the mid: small for a flat book, with little behind the best quotes.

    "elasticity" (Naes and Skjeltorp, 2006): with v_k the log of the cumulative size up to level k and p_0 the mid, the
    mean over the levels of ``v_1 / |p_1/p_0 − 1|`` for the first and ``(v_{k+1}/v_k − 1) / |p_{k+1}/p_k − 1|`` for
    those behind it. "depth" (Della Vedova, Gao, Grant and Westerholm): all that stands on a side over the distance
    ``|p_K/p_0 − 1|`` of its last filled level.

    Parameters
    ----------
    book : table of T snapshots
        For "elasticity" sizes in units such that the first level holds more than one: the logs must be above zero.
    side : {"bid", "ask", "both"}, default "both"
        "both" is the mean of the two sides.
    method : {"elasticity", "depth"}, default "elasticity"

    Returns
    -------
    Series of T
        A pure number, or base units per unit of relative distance; divided by the mid "depth" is per unit of price.
        Missing where there is no mid, a side is empty, or the levels stand at the mid (a locked book); "elasticity"
        also where the first level holds at most one unit or an empty level has a filled one behind it.

    Raises
    ------
    DataError, OptionError

    References
    ----------
    Naes and Skjeltorp (2006), Journal of Financial Markets 9(4), 408-432. Della Vedova, Gao, Grant and Westerholm, The
    limit order book slope, working paper, as frds 2.4.1 computes it.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> book = pd.DataFrame({"bid_0": [99.0], "bid_size_0": [np.e], "ask_0": [101.0], "ask_size_0": [np.e]})
    >>> ds.measures.book_slope(book).round(6).tolist(), ds.measures.book_slope(book, method="depth").round(2).tolist()
    ([100.0], [271.83])
    """
    check_option("side", side, SIDES)
    check_option("method", method, ["elasticity", "depth"])
    taken = _levels(book)
    names = ("bid", "ask") if side == "both" else (side,)
    slope = _elasticity if method == "elasticity" else _depth_slope
    slopes = [slope(getattr(taken, n), getattr(taken, f"{n}_size"), taken.mid) for n in names]
    return pd.Series(sum(slopes) / len(slopes), index=taken.index, name="book_slope")


def _depth_slope(price: FloatArray, size: FloatArray, mid: FloatArray) -> FloatArray:
    distance = np.where(size > 0, np.abs(price / mid[:, None] - 1), 0.0).max(axis=1)
    return np.divide(size.sum(axis=1), distance, out=np.full(len(mid), np.nan), where=distance > 0)


def _elasticity(price: FloatArray, size: FloatArray, mid: FloatArray) -> FloatArray:
    filled = size > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.cumsum(size, axis=1))
        prices = np.concatenate([mid[:, None], price], axis=1)
        distance = np.abs(np.diff(prices, axis=1) / prices[:, :-1])
        growth = np.concatenate([logs[:, :1], np.diff(logs, axis=1) / logs[:, :-1]], axis=1)
        terms = np.where(filled, growth / distance, 0.0)
        slope = terms.sum(axis=1) / filled.sum(axis=1)
    usable = (
        filled[:, 0]
        & (logs[:, 0] > 0)
        & np.isfinite(slope)
        & (filled == np.minimum.accumulate(filled, axis=1)).all(axis=1)
    )
    return np.where(usable, slope, np.nan)


def book_cost(
    book: Any,
    size: float,
    side: Literal["sell", "buy", "both"] = "sell",
    by: Literal["money", "shares"] = "money",
) -> pd.Series:
    """What an order costs that walks the book, against the mid, in basis points; "both" is the round trip.

    Parameters
    ----------
    book : table of T snapshots
    size : float
        Of each side: money before fees, or units.
    side : {"sell", "buy", "both"}, default "sell"
    by : {"money", "shares"}, default "money"
        Round trips of the same money (XLM) and of the same shares (CRT) differ.

    Returns
    -------
    Series of T
        Missing where there is no mid, or where the snapshot ends before the size is filled: censored, not free.

    Raises
    ------
    DataError, OptionError

    References
    ----------
    Irvine, Benston and Kandel (2000), Liquidity beyond the inside spread; Gomber, Schweickert and Theissen (2015),
    European Financial Management 21(1), 52-78.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> book = pd.DataFrame({"bid_0": [99.0], "bid_size_0": [2.0], "ask_0": [101.0], "ask_size_0": [3.0]})
    >>> ds.measures.book_cost(book, 1.0, "both", by="shares").round(6).tolist()
    [200.0]
    """
    check_option("side", side, ["sell", "buy", "both"])
    check_option("by", by, ["money", "shares"])
    if not (np.isfinite(size) and size > 0):
        raise OptionError(f"size={size!r} must be a finite number above zero.")
    taken = _levels(book)
    cost = np.zeros(len(taken.mid))
    for name, price, amount, sign in (
        ("sell", taken.bid, taken.bid_size, -1),
        ("buy", taken.ask, taken.ask_size, 1),
    ):
        if side in (name, "both"):
            cost += sign * 1e4 * (_average_price(np.nan_to_num(price), amount, size, by == "money") / taken.mid - 1)
    return pd.Series(cost, index=taken.index, name="book_cost")


def _average_price(price: FloatArray, amount: FloatArray, size: float, money: bool) -> FloatArray:
    """Mean price of the first ``size`` (money or units) of each row; NaN where the row holds less."""
    paid, units = np.cumsum(price * amount, axis=1), np.cumsum(amount, axis=1)
    along = paid if money else units
    before = np.concatenate([np.zeros((len(price), 1)), along[:, :-1]], axis=1)
    part = np.clip(size - before, 0.0, along - before)
    value = part if money else part * price
    count = np.divide(part, price, out=np.zeros_like(part), where=price > 0) if money else part
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = value.sum(axis=1) / count.sum(axis=1)
    return np.where(along[:, -1] >= size * (1 - 1e-12), mean, np.nan)
