"""Trading one asset over several venues at once: books and pools together, equal marginal prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from drainstats.errors import OptionError
from drainstats.measures.exits.fills import Fill, Side, Venue, positive_number


@dataclass(frozen=True, slots=True)
class Route:
    """How an order is split.

    Parameters
    ----------
    side : {"sell", "buy"}
    asked : float
        Base units.
    fills : dict of str to Fill
        What each venue that takes part gets; together they are the order as far as it can be filled.
    marginal_price : float
        Money that the last unit brings or costs, after fees, on every venue that takes part; NaN when all of them are
        exhausted.
    """

    side: Side
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
        """Quote currency received by a seller or paid by a buyer, after fees."""
        return sum(fill.money for fill in self.fills.values())

    def cost_against(self, price: float) -> float:
        """Cost of what was filled against a price, in basis points of it."""
        ratio = self.money / self.filled / price if self.filled else float("nan")
        return 1e4 * (1 - ratio if self.side == "sell" else ratio - 1)


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
    asked = _checked(venues, quantity)

    def supply(price: float) -> dict[str, float]:
        return {name: venue.sold_down_to(price) for name, venue in venues.items()}

    lowest = float(np.nextafter(0.0, 1.0))
    everything = supply(lowest)
    if sum(everything.values()) <= asked:
        return Route("sell", asked, _fills(venues, everything, "sell"), float("nan"))
    fits = max(1e-12, *_shown(venues))
    while sum(supply(fits).values()) > asked:
        fits *= 2
    parts, price = _cut(supply, asked, fits, lowest)
    return Route("sell", asked, _fills(venues, parts, "sell"), price)


def buy_across(venues: Mapping[str, Venue], quantity: float, limit: float | None = None) -> Route:
    """Buy a quantity where it costs least: what a short position needs to be closed over several venues.

    Parameters
    ----------
    venues : mapping of str to venue
        As in `sell_across`.
    quantity : float
        Base units, above zero.
    limit : float, optional
        Most money for the last unit, fees included; by default a hundred times the highest price that a venue shows. A
        pool sells its last coins at any price; what costs more than the limit is unfilled.

    Returns
    -------
    Route
        No other split costs less money.

    Raises
    ------
    OptionError
        No venue, or a quantity or a limit that is not above zero.

    Examples
    --------
    >>> import drainstats as ds
    >>> book = ds.measures.OrderBook([(100.0, 5.0)], [(100.2, 5.0), (101.0, 50.0)])
    >>> pool = ds.measures.ConstantProductPool(1000.0, 100_000.0, fee=0.0)
    >>> route = ds.measures.buy_across({"book": book, "pool": pool}, 8.0)
    >>> {name: round(fill.filled, 3) for name, fill in route.fills.items()}, round(route.marginal_price, 2)
    ({'book': 5.0, 'pool': 3.0}, 100.6)
    """
    asked = _checked(venues, quantity)
    highest = positive_number("limit", limit if limit is not None else 100 * max(_shown(venues)))

    def supply(price: float) -> dict[str, float]:
        return {name: venue.bought_up_to(price) for name, venue in venues.items()}

    everything = supply(highest)
    if sum(everything.values()) <= asked:
        return Route("buy", asked, _fills(venues, everything, "buy"), float("nan"))
    fits = highest
    while sum(supply(fits).values()) > asked:
        fits /= 2
    parts, price = _cut(supply, asked, fits, highest)
    return Route("buy", asked, _fills(venues, parts, "buy"), price)


def _checked(venues: Mapping[str, Venue], quantity: float) -> float:
    if not venues:
        raise OptionError("No venues came: pass a mapping of names to books and pools.")
    return positive_number("quantity", quantity)


def _shown(venues: Mapping[str, Venue]) -> list[float]:
    """The venues' prices; a one-sided book shows its best quote, an empty one a price of 1."""
    return [_quoted(venue) for venue in venues.values()]


def _quoted(venue: Venue) -> float:
    if np.isfinite(venue.price):
        return venue.price
    sides = [np.asarray(getattr(venue, name, ())) for name in ("bids", "asks")]
    return next((float(side[0, 0]) for side in sides if len(side)), 1.0)


def _cut(
    supply: Callable[[float], dict[str, float]], asked: float, fits: float, over: float
) -> tuple[dict[str, float], float]:
    """The parts of an order, and the price at which the supply curves are cut.

    At the price ``fits`` no more than the order can be traded, at ``over`` more.
    """
    while (middle := (fits + over) / 2) not in (fits, over):
        fits, over = (middle, over) if sum(supply(middle).values()) <= asked else (fits, middle)
    # At `fits` less than the order can be had, a hair further more: the rest goes to those who take more there.
    parts, more = supply(fits), supply(over)
    rest = asked - sum(parts.values())
    for name in parts:
        extra = min(max(0.0, rest), more[name] - parts[name])
        parts[name], rest = parts[name] + extra, rest - extra
    return parts, fits


def _fills(venues: Mapping[str, Venue], parts: Mapping[str, float], side: Side) -> dict[str, Fill]:
    return {
        name: venues[name].sell(part) if side == "sell" else venues[name].buy(part)
        for name, part in parts.items()
        if part > 0
    }
