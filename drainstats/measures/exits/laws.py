"""The square-root law of market impact: as a function of tables, and as a venue where no book is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError, check_number
from drainstats.measures.exits.fills import Fill, Side, positive_number
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


@dataclass(frozen=True, slots=True)
class SquareRootLaw:
    """What a patient order costs by the law spread / 2 + Y · sigma · (Q / V)^delta / (1 + delta), as a venue.

    Parameters
    ----------
    volatility : float
        sigma, standard deviation of log prices over a day, of the same days as the volume. Those of calm days
        understate what a crash takes: there both jump.
    dollar_volume : float
        V, traded value a day, quote currency; with 0 nothing can be traded.
    prefactor : float, default 1.0
        Y; of order one, 0.5 to 1.5 is usual.
    exponent : float, default 0.5
        delta, between 0 and 1.
    spread : float, default 0.0
        Relative spread, of which half is paid.
    price : float, optional
        Reference price, quote per base unit. `drainstats.measures.exit_cost` can do without it where a position is
        given in money.
    capacity : float, default 1.0
        Largest order, as a share of V. The law is not known beyond a day's volume, so that what is larger is unfilled.

    Raises
    ------
    OptionError
        A number out of its range.

    References
    ----------
    As `square_root_cost`.

    Examples
    --------
    >>> from drainstats.measures.exits.laws import SquareRootLaw
    >>> law = SquareRootLaw(volatility=0.04, dollar_volume=1e9, price=100.0)
    >>> round(law.sell(1e6).cost_bp, 7)
    84.3274043
    >>> law.sell(2e7).unfilled
    10000000.0
    """

    volatility: float
    dollar_volume: float
    prefactor: float = 1.0
    exponent: float = 0.5
    spread: float = 0.0
    price: float = float("nan")
    capacity: float = 1.0

    def __post_init__(self) -> None:
        positive_number("volatility", self.volatility, zero=True)
        positive_number("dollar_volume", self.dollar_volume, zero=True)
        positive_number("prefactor", self.prefactor)
        check_number("exponent", self.exponent, 0.0, 1.0)
        if not 0 <= self.spread < 2:
            raise OptionError(f"spread={self.spread!r} is a fraction of the price, from 0 to 2.")
        positive_number("capacity", self.capacity)
        if not np.isnan(self.price):
            positive_number("price", self.price)

    def cost(self, notional: float, days: float = 1.0, lasting: bool = True) -> float:
        """Cost of leaving a notional evenly over some days, as a fraction of it.

        Parameters
        ----------
        notional : float
            Q, quote currency.
        days : float, default 1.0
            T. One order of T days meets volatility sigma √T and volume V T.
        lasting : bool, default True
            Whether an order of several days is one order, whose impact lasts: then with delta = ½ the time does not
            matter. False: each day is an order of its own, and its impact is gone the next morning.
        """
        if notional == 0:
            return self.spread / 2
        share = notional / (self.dollar_volume * days) if self.dollar_volume > 0 else float("inf")
        spell = days if lasting else min(days, 1.0)
        peak = self.prefactor * self.volatility * spell**0.5 * share**self.exponent
        return float(self.spread / 2 + peak / (1 + self.exponent))

    def sell(self, quantity: float) -> Fill:
        """Sell base units, as many as the law is known for."""
        return self._trade("sell", positive_number("quantity", quantity))

    def buy(self, quantity: float) -> Fill:
        """Buy base units, as many as the law is known for."""
        return self._trade("buy", positive_number("quantity", quantity))

    def sold_down_to(self, price: float) -> float:
        """Base units that can be sold until the next one brings less than ``price``."""
        return self._units(1 - positive_number("price", price) / self._price())

    def bought_up_to(self, price: float) -> float:
        """Base units that can be bought until the next one costs more than ``price``."""
        return self._units(positive_number("price", price) / self._price() - 1)

    def _price(self) -> float:
        if np.isnan(self.price):
            raise OptionError("The law has no price, without which it knows no units: pass price=.")
        return self.price

    def _units(self, loss: float) -> float:
        """Units until the next one is worse than the price by a fraction of it; the peak is the last unit's cost."""
        room = loss - self.spread / 2
        if room < 0:
            return 0.0
        most = self.capacity * self.dollar_volume / self._price()
        scale = self.prefactor * self.volatility
        if scale == 0:
            return most
        # A fraction above capacity^delta is beyond the law, whatever the power makes of it.
        share = min(room / scale, self.capacity**self.exponent) ** (1 / self.exponent)
        return min(most, share * self.dollar_volume / self._price())

    def _trade(self, side: Side, asked: float) -> Fill:
        price, sign = self._price(), -1 if side == "sell" else 1
        # No seller pays to be rid of the last unit.
        filled = min(asked, self._units(1.0) if side == "sell" else self._units(float("inf")))
        if filled == 0:
            return Fill(side, asked, 0.0, 0.0, price, float("nan"))
        money = filled * price * (1 + sign * self.cost(filled * price))
        peak = self.prefactor * self.volatility * (filled * price / self.dollar_volume) ** self.exponent
        after = price * (1 + sign * (self.spread / 2 + peak)) if filled == asked else float("nan")
        return Fill(side, asked, filled, money, price, after)
