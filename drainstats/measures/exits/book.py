"""`OrderBook`: one snapshot of a limit order book, and what walking it costs.

Selling q fills the bids from the best on; the cost is that of the average price against the mid. The round trip of a
size sells and buys at the same instant. The same *money* on both sides is the exchange liquidity measure (XLM) of
Gomber, Schweickert and Theissen (2015), the same *shares* the cost of round trip CRT(D) of Irvine, Benston and Kandel
(2000); the two differ, so the caller says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.measures.exits.fills import Fill, Side, positive_number
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class OrderBook:
    """A book at one moment.

    Parameters
    ----------
    bids, asks : (L, 2) arrays
        Price in quote currency and amount in base units, the best level first; a side may be empty. Levels whose
        price or amount is missing or whose amount is zero are left out.
    fee : float, default 0
        Taker fee, a fraction of the money.

    Raises
    ------
    DataError
        Levels out of order, prices at or below zero, negative amounts, or a best bid above the best ask. A locked book
        (best bid = best ask) is taken.

    Examples
    --------
    >>> from drainstats.measures.exits.book import OrderBook
    >>> book = OrderBook(bids=[(99.9, 5), (99.0, 10)], asks=[(100.1, 5), (101.0, 10)])
    >>> book
    OrderBook: 99.9 / 100.1, 2 bids of 15, 2 asks of 15
    >>> round(book.sell(10).cost_bp, 6)
    55.0
    >>> book.sell(20).unfilled
    5.0
    """

    bids: Any
    asks: Any
    fee: float = 0.0

    def __post_init__(self) -> None:
        bids, asks = _levels("bids", self.bids, -1), _levels("asks", self.asks, 1)
        if len(bids) and len(asks) and bids[0, 0] > asks[0, 0]:
            raise DataError(
                f"The book is crossed: bid {bids[0, 0]:g} above ask {asks[0, 0]:g}; leave such moments out."
            )
        if not 0 <= self.fee < 1:
            raise DataError(f"fee={self.fee!r} is a fraction from 0 to 1.")
        object.__setattr__(self, "bids", bids)
        object.__setattr__(self, "asks", asks)

    @classmethod
    def from_row(cls, row: pd.Series, fee: float = 0.0) -> OrderBook:
        """A row of a snapshot table (`drainstats.read_book`): ``bid_0 bid_size_0 ask_0 ask_size_0 bid_1 …``."""
        depth = sum(1 for name in row.index if str(name).startswith("bid_") and str(name)[4:].isdigit())
        sides = [
            [(row[f"{side}_{i}"], row[f"{side}_size_{i}"]) for i in range(depth) if f"{side}_{i}" in row.index]
            for side in ("bid", "ask")
        ]
        return cls(sides[0], sides[1], fee)

    @property
    def price(self) -> float:
        """The mid; NaN when a side is empty."""
        if not len(self.bids) or not len(self.asks):
            return float("nan")
        return float(self.bids[0, 0] + self.asks[0, 0]) / 2

    def sell(self, quantity: float) -> Fill:
        """Sell base units into the bids."""
        return self._walk("sell", self.bids, positive_number("quantity", quantity))

    def buy(self, quantity: float) -> Fill:
        """Buy base units from the asks."""
        return self._walk("buy", self.asks, positive_number("quantity", quantity))

    def units_for(self, money: float, side: Side) -> float:
        """Base units that are sold for, or bought with, that much money before fees; NaN beyond the depth."""
        levels = self.bids if side == "sell" else self.asks
        units, paid = _climb(levels)
        return float(np.interp(positive_number("money", money), paid, units, right=np.nan))

    def round_trip_bp(self, size: float, by: Literal["money", "shares"] = "money") -> float:
        """Cost of selling and buying back at one instant, both sides against the mid, in basis points.

        NaN when a side cannot take the size: the cost is censored by the depth of the snapshot.
        """
        check_option("by", by, ["money", "shares"])
        sold, bought = (self.units_for(size, side) if by == "money" else size for side in ("sell", "buy"))
        if np.isnan([sold, bought]).any():
            return float("nan")
        legs = self.sell(sold), self.buy(bought)
        return sum(leg.cost_bp for leg in legs) if not any(leg.unfilled for leg in legs) else float("nan")

    def sold_down_to(self, price: float) -> float:
        """Base units of the bids that bring at least ``price`` after the fee."""
        return float(self.bids[self.bids[:, 0] * (1 - self.fee) >= price, 1].sum())

    def bought_up_to(self, price: float) -> float:
        """Base units of the asks that cost at most ``price``, fee included."""
        return float(self.asks[self.asks[:, 0] * (1 + self.fee) <= price, 1].sum())

    def _walk(self, side: Side, levels: FloatArray, asked: float) -> Fill:
        units, paid = _climb(levels)
        filled = min(asked, float(units[-1]))
        money = float(np.interp(filled, units, paid)) * (1 - self.fee if side == "sell" else 1 + self.fee)
        # The level that serves the next unit.
        after = int(np.searchsorted(units, filled, side="right")) - 1
        price = float(levels[after, 0]) if after < len(levels) else float("nan")
        return Fill(side, asked, filled, money, self.price, price)

    def __repr__(self) -> str:
        best = [f"{side[0, 0]:g}" if len(side) else "–" for side in (self.bids, self.asks)]
        depth = [
            f"{len(side)} {name} of {side[:, 1].sum():g}" for name, side in (("bids", self.bids), ("asks", self.asks))
        ]
        return f"OrderBook: {best[0]} / {best[1]}, {', '.join(depth)}"


def _climb(levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Units and money after each level, from nothing on."""
    zero = np.zeros(1)
    return (
        np.concatenate([zero, np.cumsum(levels[:, 1])]),
        np.concatenate([zero, np.cumsum(levels[:, 0] * levels[:, 1])]),
    )


def _levels(name: str, levels: Any, direction: int) -> FloatArray:
    array = np.array(levels, dtype=np.float64).reshape(-1, 2)
    array = array[~np.isnan(array).any(axis=1)]
    if not np.isfinite(array).all() or (array[:, 0] <= 0).any() or (array[:, 1] < 0).any():
        raise DataError(f"{name}: prices must be above zero, amounts at least zero, all finite.")
    array = array[array[:, 1] > 0]
    if (np.diff(array[:, 0]) * direction <= 0).any():
        raise DataError(f"{name} must stand from the best on, each price once.")
    return array
