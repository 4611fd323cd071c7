"""Selling one asset over several venues at once: books and pools together, equal marginal prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drainstats.errors import OptionError
from drainstats.measures.exits.fills import Fill, Venue, positive_number


@dataclass(frozen=True, slots=True)
class Route:
    """How an order is split.

    Parameters
    ----------
    asked : float
        Base units.
    fills : dict of str to Fill
        What each venue that takes part gets; together they are the order as far as it can be filled.
    marginal_price : float
        Money that the last unit brings, after fees, on every venue that takes part; NaN when all of them are exhausted.
    """

    asked: float
    fills: Mapping[str, Fill]
    marginal_price: float

    @property
    def filled(self) -> float:
        """Base units that found a taker."""
        return sum(fill.filled for fill in self.fills.values())

    @property
    def unfilled(self) -> float:
        """Base units that no venue takes."""
        return max(0.0, self.asked - self.filled)

    @property
    def money(self) -> float:
        """Quote currency received, after fees."""
        return sum(fill.money for fill in self.fills.values())

    def cost_against(self, price: float) -> float:
        """Cost of what was filled against a price, in basis points of it."""
        return 1e4 * (1 - self.money / self.filled / price) if self.filled else float("nan")


def sell_across(venues: Mapping[str, Venue], quantity: float) -> Route:
    """Sell a quantity where it brings most: the venues' supply curves are added up, and cut at one marginal price.

    Parameters
    ----------
    venues : mapping of str to venue
        Books and pools (`drainstats.measures.OrderBook`, `ConstantProductPool`, …) of one asset in one quote currency.
    quantity : float
        Base units, above zero.

    Returns
    -------
    Route
        No other split brings more money: a unit moved between venues would bring less, fees included.

    Raises
    ------
    OptionError
        No venue, or a quantity that is not above zero.

    Examples
    --------
    >>> import drainstats as ds
    >>> book = ds.measures.OrderBook([(100.0, 5.0), (99.0, 50.0)], [(100.2, 5.0)])
    >>> pool = ds.measures.ConstantProductPool(1000.0, 100_000.0, fee=0.0)
    >>> route = ds.measures.sell_across({"book": book, "pool": pool}, 10.0)
    >>> {name: round(fill.filled, 3) for name, fill in route.fills.items()}, round(route.marginal_price, 2)
    ({'book': 5.0, 'pool': 5.0}, 99.01)
    """
    if not venues:
        raise OptionError("No venues came: pass a mapping of names to books and pools.")
    asked = positive_number("quantity", quantity)

    def supply(price: float) -> dict[str, float]:
        return {name: venue.sold_down_to(price) for name, venue in venues.items()}

    lowest = float(np.nextafter(0.0, 1.0))
    everything = supply(lowest)
    if sum(everything.values()) <= asked:
        return Route(asked, _fills(venues, everything), float("nan"))
    low, high = lowest, _above(venues, asked)
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (low, middle) if sum(supply(middle).values()) <= asked else (middle, high)
    # At `high` less than the order fits, a hair below it more: the rest goes to those who take more there.
    parts, more = supply(high), supply(low)
    rest = asked - sum(parts.values())
    for name in parts:
        extra = min(max(0.0, rest), more[name] - parts[name])
        parts[name], rest = parts[name] + extra, rest - extra
    return Route(asked, _fills(venues, parts), high)


def _fills(venues: Mapping[str, Venue], parts: Mapping[str, float]) -> dict[str, Fill]:
    return {name: venues[name].sell(part) for name, part in parts.items() if part > 0}


def _above(venues: Mapping[str, Venue], asked: float) -> float:
    """A price at which less than the order can be sold."""
    price = max(1e-12, *(np.nan_to_num(venue.price, nan=1.0) for venue in venues.values()))
    while sum(venue.sold_down_to(price) for venue in venues.values()) > asked:
        price *= 2
    return float(price)
