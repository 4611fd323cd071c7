"""Pools of coins that should trade at par (Curve's stable swap, Egorov, 2019).

A n Σx + D = A n D + D^(n+1) / (n^n Πx), with A as contracts store it (A n^(n−1) of the paper), D and the balance of one
coin by Newton's method, the fee taken from what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from drainstats.errors import OptionError
from drainstats.measures.exits.fills import Fill, positive_number
from drainstats.measures.exits.pools import check_fee


@dataclass(frozen=True, slots=True)
class StableSwapPool:
    """A pool of coins that should trade at par (Curve's stable swap).

    Parameters
    ----------
    balances : sequence of float
        One a coin, above zero, in whole coins.
    amplification : float
        A as the contract stores it.
    fee : float, default 0.0004
        Taken from what goes out.
    sold, bought : int, default 0, 1
        Which coin `sell` gives to the pool and which it takes.

    Raises
    ------
    OptionError
        Balances at or below zero, fewer than two coins, positions that are none.

    Examples
    --------
    >>> from drainstats.measures.exits.stableswap import StableSwapPool
    >>> pool = StableSwapPool((1.8e6, 0.2e6), 100, fee=0.0)
    >>> round(pool.price, 6), round(pool.sell(1e5).cost_against(1.0), 4)
    (0.894035, 1683.0937)
    """

    balances: tuple[float, ...]
    amplification: float
    fee: float = 0.0004
    sold: int = 0
    bought: int = 1

    def __post_init__(self) -> None:
        for i, balance in enumerate(self.balances):
            positive_number(f"balances[{i}]", balance)
        positive_number("amplification", self.amplification)
        check_fee(self.fee)
        coins = range(len(self.balances))
        if len(coins) < 2 or self.sold not in coins or self.bought not in coins or self.sold == self.bought:
            raise OptionError(f"sold={self.sold} and bought={self.bought} must be two of {len(coins)} coins.")

    @property
    def invariant(self) -> float:
        """D, the value of the pool at par."""
        x = np.asarray(self.balances, dtype=np.float64)
        n, ann, d = len(x), self.amplification * len(x), float(x.sum())
        for _ in range(255):
            product = d * np.prod(d / (n * x))
            new = (ann * x.sum() + n * product) * d / ((ann - 1) * d + (n + 1) * product)
            if abs(new - d) <= 1e-15 * d:
                break
            d = new
        return float(new)

    @property
    def price(self) -> float:
        """Spot price of the coin sold in the coin bought, before the fee."""
        return self._slope(self.balances, self.invariant)

    def sell(self, quantity: float) -> Fill:
        """Sell units of one coin for the other."""
        asked = positive_number("quantity", quantity)
        x = list(self.balances)
        x[self.sold] += asked
        left = self._balance(x, self.invariant)
        money = (x[self.bought] - left) * (1 - self.fee)
        x[self.bought] -= money
        after = StableSwapPool(tuple(x), self.amplification, self.fee, self.sold, self.bought).price
        return Fill("sell", asked, asked, money, self.price, after)

    def buy(self, quantity: float) -> Fill:
        """Buy units of the coin that `sell` sells, paid in the other; what the pool does not hold is not bought."""
        asked = positive_number("quantity", quantity)
        x = list(self.balances)
        # The fee is taken from what goes out, and stays in the pool.
        x[self.sold] -= asked / (1 - self.fee)
        if x[self.sold] <= 0:
            return Fill("buy", asked, 0.0, 0.0, self.price, self.price)
        paid = self._balance(x, self.invariant) - x[self.bought]
        x[self.sold], x[self.bought] = self.balances[self.sold] - asked, x[self.bought] + paid
        after = StableSwapPool(tuple(x), self.amplification, self.fee, self.sold, self.bought).price
        return Fill("buy", asked, asked, paid, self.price, after)

    def sold_down_to(self, price: float) -> float:
        """Units that can be sold until the next one brings less than ``price`` after the fee (found by bisection)."""
        stop = positive_number("price", price) / (1 - self.fee)
        # A billion times the pool: nothing is left by then, and balances beyond it lose the invariant to rounding.
        most, d = 1e9 * sum(self.balances), self.invariant
        high = float(sum(self.balances))
        while high < most and self._marginal(high, d) > stop:
            high *= 2
        return self._reach(high, lambda quantity: self._marginal(quantity, d) > stop)

    def bought_up_to(self, price: float) -> float:
        """Units that can be bought until the next one costs more than ``price``, fee included (found by bisection)."""
        stop = positive_number("price", price) * (1 - self.fee)
        everything, d = float(self.balances[self.sold]), self.invariant
        return self._reach(everything, lambda quantity: self._marginal(-quantity, d) < stop) * (1 - self.fee)

    @staticmethod
    def _reach(high: float, fits: Callable[[float], bool]) -> float:
        """The largest quantity from 0 to ``high`` that fits."""
        low = 0.0
        if not fits(low):
            return low
        while (middle := (low + high) / 2) not in (low, high):
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def _marginal(self, quantity: float, d: float) -> float:
        """Spot price after ``quantity`` came in, or went out when it is negative; without fees D stays."""
        x = list(self.balances)
        x[self.sold] += quantity
        x[self.bought] = self._balance(x, d)
        return self._slope(x, d)

    def _slope(self, x: Sequence[float], d: float) -> float:
        """Spot price at balances with the invariant D."""
        tail = d * prod(d / (len(x) * v) for v in x)
        ann = self.amplification * len(x)
        return float((ann + tail / x[self.sold]) / (ann + tail / x[self.bought]))

    def _balance(self, x: Sequence[float], d: float) -> float:
        """The balance of the coin bought that keeps D, given the others."""
        n, ann = len(x), self.amplification * len(x)
        others = [v for i, v in enumerate(x) if i != self.bought]
        c = d * prod(d / (n * v) for v in others) * d / (n * ann)
        b = sum(others) + d / ann
        y = d
        for _ in range(255):
            new = float((y * y + c) / (2 * y + b - d))
            if abs(new - y) <= 1e-15 * y:
                break
            y = new
        return float(new)
