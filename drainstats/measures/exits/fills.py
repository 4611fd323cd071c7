"""What an order gets when it walks a book or a pool: `Fill`, the common answer of every venue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from drainstats.errors import OptionError

Side = Literal["sell", "buy"]


@dataclass(frozen=True, slots=True)
class Fill:
    """One order, as far as the venue could take it.

    Parameters
    ----------
    side : {"sell", "buy"}
    asked, filled : float
        Base units. What the venue cannot take is returned as `unfilled`, never extrapolated: a book that ends early
        is censored, not infinitely dear.
    money : float
        Quote currency received by a seller or paid by a buyer, fees included.
    reference : float
        Price before the order: the mid of a book, the spot price of a pool.
    price_after : float
        Marginal price of the next unit before fees; NaN when the side is exhausted.

    Examples
    --------
    >>> fill = Fill("sell", asked=2.0, filled=1.0, money=99.0, reference=100.0, price_after=98.0)
    >>> fill.unfilled, round(fill.cost_bp, 6)
    (1.0, 100.0)
    """

    side: Side
    asked: float
    filled: float
    money: float
    reference: float
    price_after: float

    @property
    def unfilled(self) -> float:
        """Base units that found no taker."""
        return self.asked - self.filled

    @property
    def average(self) -> float:
        """Money per unit filled; NaN when nothing was."""
        return self.money / self.filled if self.filled > 0 else float("nan")

    @property
    def cost_bp(self) -> float:
        """Cost against `reference`, in basis points of it; a gain is negative."""
        return self.cost_against(self.reference)

    def cost_against(self, price: float) -> float:
        """Cost against another price (the best quote, par), in basis points of it."""
        ratio = self.average / price
        return 1e4 * (1 - ratio if self.side == "sell" else ratio - 1)


class Venue(Protocol):
    """Where an asset can be sold and bought: a book, a pool or an impact law."""

    @property
    def price(self) -> float:
        """Reference price before any order."""

    def sell(self, quantity: float) -> Fill:
        """Sell base units."""

    def sold_down_to(self, price: float) -> float:
        """Base units that can be sold until the next one brings less than ``price``, after fees."""

    def buy(self, quantity: float) -> Fill:
        """Buy base units."""

    def bought_up_to(self, price: float) -> float:
        """Base units that can be bought until the next one costs more than ``price``, fees included."""


def positive_number(name: str, value: float, zero: bool = False) -> float:
    """The value as a float; `OptionError` unless it is finite and above zero (or at least zero)."""
    number = float(value)
    if not np.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise OptionError(f"{name}={value!r} must be a finite number {'at least' if zero else 'above'} zero.")
    return number
