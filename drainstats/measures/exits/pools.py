"""Automated market makers: what a pool pays, how deep it is, and where its liquidity ends.

x is the base asset, y the quote asset, P = price of x in y, and a fee is taken from what comes in.

- Constant product: x y = k. Selling dx brings y φ dx / (x + φ dx) with φ = 1 − fee (Adams, Zinsmeister and
  Robinson, 2020).
- Concentrated liquidity: between two prices with liquidity L, selling dx moves 1/√P by φ dx / L and brings L Δ√P;
  beyond the last range there is nothing (Adams et al., 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError
from drainstats.measures.exits.fills import Fill, positive_number
from drainstats.typing import FloatArray

TICK = 1.0001


@dataclass(frozen=True, slots=True)
class ConstantProductPool:
    """A pool with x y = k (Uniswap v2 and its kin).

    Parameters
    ----------
    base, quote : float
        Reserves, above zero.
    fee : float, default 0.003

    Examples
    --------
    >>> from drainstats.measures.exits.pools import ConstantProductPool
    >>> round(ConstantProductPool(1000.0, 2e6).sell(50.0).cost_bp, 4)
    503.4052
    """

    base: float
    quote: float
    fee: float = 0.003

    def __post_init__(self) -> None:
        positive_number("base", self.base)
        positive_number("quote", self.quote)
        check_fee(self.fee)

    @property
    def price(self) -> float:
        """Spot price before fees, y / x."""
        return self.quote / self.base

    def sell(self, quantity: float) -> Fill:
        """Sell base units to the pool; it takes any quantity, at a price that goes to zero."""
        dx = positive_number("quantity", quantity) * (1 - self.fee)
        money = self.quote * dx / (self.base + dx)
        # The fee stays in the pool.
        after = (self.quote - money) / (self.base + quantity)
        return Fill("sell", quantity, quantity, money, self.price, after)

    def buy(self, quantity: float) -> Fill:
        """Buy base units; the reserve itself is never reached."""
        dx = positive_number("quantity", quantity)
        if dx >= self.base:
            return Fill("buy", dx, 0.0, 0.0, self.price, self.price)
        money = self.quote * dx / ((self.base - dx) * (1 - self.fee))
        return Fill("buy", dx, dx, money, self.price, (self.quote + money) / (self.base - dx))

    def sold_down_to(self, price: float) -> float:
        """Base units that can be sold until the next one brings less than ``price`` after the fee."""
        keep = 1 - self.fee
        # d money / d quantity = y φ x / (x + φ q)².
        reach = np.sqrt(self.quote * self.base * keep / positive_number("price", price)) - self.base
        return max(0.0, float(reach) / keep)

    def bought_up_to(self, price: float) -> float:
        """Base units that can be bought until the next one costs more than ``price``, fee included."""
        # d money / d quantity = x y / (φ (x − q)²).
        left = np.sqrt(self.quote * self.base / ((1 - self.fee) * positive_number("price", price)))
        return max(0.0, float(self.base - left))

    def depth(self, fraction: float) -> float:
        """Base units, fee left aside, whose sale moves the spot price down by a fraction of it."""
        return self.base * (1 / np.sqrt(1 - _fraction(fraction)) - 1)

    def depth_up(self, fraction: float) -> float:
        """Quote units, fee left aside, that move the spot price up by a fraction of it: y (√(1 + d) − 1).

        Their mean price is √(1 + d) times the spot price.
        """
        return float(self.quote * (np.sqrt(1 + positive_number("fraction", fraction)) - 1))

    def impermanent_loss(self, price_ratio: float) -> float:
        """Value of the pool's share against holding, minus one, when the price is multiplied by ``price_ratio``.

        2 √r / (1 + r) − 1, fees left aside: zero or negative.
        """
        ratio = positive_number("price_ratio", price_ratio)
        return float(2 * np.sqrt(ratio) / (1 + ratio) - 1)


@dataclass(frozen=True, eq=False)
class ConcentratedPool:
    """A pool whose liquidity lies in price ranges (Uniswap v3 and its kin).

    Parameters
    ----------
    price : float
        Spot price, quote per base.
    bounds : (K + 1,) sequence of float
        Prices at which liquidity changes, rising.
    liquidity : (K,) sequence of float
        L between neighbouring bounds, at least zero. Outside the bounds there is none.
    fee : float, default 0.003

    Raises
    ------
    DataError
        Bounds that do not rise, a wrong number of liquidities, negative ones.

    Examples
    --------
    >>> from drainstats.measures.exits.pools import ConcentratedPool
    >>> pool = ConcentratedPool(2000.0, [1980.0, 2020.0], [2e6], fee=0.0)
    >>> fill = pool.sell(1000.0)
    >>> round(fill.filled, 4), round(fill.price_after, 6)
    (225.2979, 1980.0)
    """

    price: float
    bounds: Any
    liquidity: Any
    fee: float = 0.003

    def __post_init__(self) -> None:
        positive_number("price", self.price)
        check_fee(self.fee)
        bounds, liquidity = (np.asarray(v, dtype=np.float64) for v in (self.bounds, self.liquidity))
        if len(liquidity) != len(bounds) - 1 or len(liquidity) == 0:
            raise DataError(
                f"{len(bounds)} bounds make {max(len(bounds) - 1, 0)} ranges, {len(liquidity)} liquidities came."
            )
        if not (np.diff(bounds) > 0).all() or not np.isfinite(bounds).all() or bounds[0] < 0:
            raise DataError("The bounds are finite prices, at least zero, that rise.")
        if not np.isfinite(liquidity).all() or (liquidity < 0).any():
            raise DataError("Liquidity is finite and at least zero.")
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "liquidity", liquidity)

    @classmethod
    def from_ticks(
        cls, price: float, net: Mapping[int, float], fee: float = 0.003, decimals: tuple[int, int] = (0, 0)
    ) -> ConcentratedPool:
        """A pool from its initialised ticks.

        Parameters
        ----------
        price : float
            Quote per base, in whole coins.
        net : mapping of int to float
            Tick → ``liquidityNet``: what is added to L when the price rises through the tick.
        fee : float, default 0.003
        decimals : (int, int), default (0, 0)
            Decimals of base and quote when ``net`` counts smallest units: L is divided by 10^((base + quote) / 2).
        """
        ticks = sorted(net)
        if len(ticks) < 2:
            raise DataError(f"{len(ticks)} ticks came; a range has two.")
        scale = 10.0 ** (decimals[0] - decimals[1])
        bounds = [TICK**tick * scale for tick in ticks]
        levels = np.cumsum([float(net[tick]) for tick in ticks])
        if abs(levels[-1]) > 1e-9 * np.abs(levels).max():
            raise DataError("The net liquidity of all ticks must sum to zero; some ticks are missing.")
        if (levels < -1e-9 * np.abs(levels).max()).any():
            raise DataError("The net liquidity makes a range negative; some ticks are missing.")
        return cls(price, bounds, np.maximum(levels[:-1], 0.0) / 10.0 ** (sum(decimals) / 2), fee)

    def sell(self, quantity: float) -> Fill:
        """Sell base units through the ranges below the price; what lies beyond the last one is unfilled."""
        asked = positive_number("quantity", quantity)
        tops, bottoms, depth = self._below()
        # Base units, without fee, that take the price from the top to the bottom of each range.
        room = depth * (1 / bottoms - 1 / tops)
        before = np.concatenate([[0.0], np.cumsum(room)])
        entered = min(asked * (1 - self.fee), float(before[-1]))
        at = min(int(np.searchsorted(before, entered, side="left")), len(room)) - 1
        if at < 0:
            return Fill("sell", asked, 0.0, 0.0, self.price, self.price)
        root = 1 / (1 / tops[at] + (entered - before[at]) / depth[at]) if depth[at] > 0 else bottoms[at]
        money = float((depth[:at] * (tops[:at] - bottoms[:at])).sum() + depth[at] * (tops[at] - root))
        return Fill("sell", asked, entered / (1 - self.fee), money, self.price, float(root**2))

    def buy(self, quantity: float) -> Fill:
        """Buy base units through the ranges above the price."""
        asked = positive_number("quantity", quantity)
        bottoms, tops, depth = self._above()
        room = depth * (1 / bottoms - 1 / tops)
        before = np.concatenate([[0.0], np.cumsum(room)])
        filled = min(asked, float(before[-1]))
        at = min(int(np.searchsorted(before, filled, side="left")), len(room)) - 1
        if at < 0:
            return Fill("buy", asked, 0.0, 0.0, self.price, self.price)
        root = 1 / (1 / bottoms[at] - (filled - before[at]) / depth[at]) if depth[at] > 0 else tops[at]
        money = float((depth[:at] * (tops[:at] - bottoms[:at])).sum() + depth[at] * (root - bottoms[at]))
        return Fill("buy", asked, filled, money / (1 - self.fee), self.price, float(root**2))

    def sold_down_to(self, price: float) -> float:
        """Base units that can be sold until the next one brings less than ``price`` after the fee."""
        stop = np.sqrt(positive_number("price", price) / (1 - self.fee))
        tops, bottoms, depth = self._below()
        reach = np.clip(stop, bottoms, tops)
        return float((depth * (1 / reach - 1 / tops)).sum()) / (1 - self.fee)

    def bought_up_to(self, price: float) -> float:
        """Base units that can be bought until the next one costs more than ``price``, fee included."""
        stop = np.sqrt(positive_number("price", price) * (1 - self.fee))
        bottoms, tops, depth = self._above()
        return float((depth * (1 / bottoms - 1 / np.clip(stop, bottoms, tops))).sum())

    def depth(self, fraction: float) -> float:
        """Base units, fee left aside, whose sale moves the spot price down by a fraction of it."""
        down = self.price * (1 - _fraction(fraction)) * (1 - self.fee)
        return self.sold_down_to(down) * (1 - self.fee)

    def depth_up(self, fraction: float) -> float:
        """Quote units, fee left aside, that move the spot price up by a fraction of it, or to the last range's end."""
        target = np.sqrt(self.price * (1 + positive_number("fraction", fraction)))
        bottoms, tops, depth = self._above()
        return float((depth * (np.clip(target, bottoms, tops) - bottoms)).sum())

    @property
    def reserves(self) -> tuple[float, float]:
        """Base and quote units that the ranges pay out at most.

        Ticks cut off at the edge of a file, or read twice, can claim more than the pool holds: compare with its
        balances before a cost is believed.
        """
        (tops, bottoms, below), (low, high, above) = self._below(), self._above()
        return float((above * (1 / low - 1 / high)).sum()), float((below * (tops - bottoms)).sum())

    def _below(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Root prices at the top and bottom of each range below the price, and its liquidity, from the price down."""
        roots, here = np.sqrt(self.bounds), np.sqrt(self.price)
        kept = (roots[:-1] < here) & (self.liquidity > 0)
        tops, bottoms = np.minimum(roots[1:], here)[kept], np.maximum(roots[:-1], 1e-150)[kept]
        return tops[::-1], bottoms[::-1], self.liquidity[kept][::-1]

    def _above(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        roots, here = np.sqrt(self.bounds), np.sqrt(self.price)
        kept = (roots[1:] > here) & (self.liquidity > 0)
        return np.maximum(roots[:-1], here)[kept], roots[1:][kept], self.liquidity[kept]


def check_fee(fee: float) -> None:
    """`OptionError` unless the fee is a fraction from 0 to 1."""
    if not 0 <= fee < 1:
        raise OptionError(f"fee={fee!r} is a fraction from 0 to 1.")


def _fraction(fraction: float) -> float:
    if not 0 < fraction < 1:
        raise OptionError(f"fraction={fraction!r} lies between 0 and 1.")
    return float(fraction)
