"""What a provider of concentrated liquidity holds, and what the price does to it.

A position of liquidity L between the prices a and b holds, at the price P clamped to [a, b] (Adams et al., 2021),

    base = L (1/√P − 1/√b),    quote = L (√P − √a),

so that below its range it is all base, the coin that falls, and above it all quote. Its value is quote + P base with
the unclamped price, and the slope of the value in the price is the base it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError
from drainstats.measures.exits.fills import positive_number


@dataclass(frozen=True, slots=True)
class RangePosition:
    """Liquidity between two prices, fees left aside.

    Parameters
    ----------
    lower, upper : float
        Prices, quote per base; 0 and infinity give the whole range, a share of a constant-product pool.
    liquidity : float, default 1.0
        L, above zero.

    Raises
    ------
    OptionError
        Bounds that do not rise, liquidity that is not above zero.

    Examples
    --------
    >>> from drainstats.measures.exits.positions import RangePosition
    >>> position = RangePosition(1600.0, 2500.0, liquidity=1000.0)
    >>> float(position.base(2025.0).round(4)), float(position.quote(2025.0))
    (2.2222, 5000.0)
    >>> [round(float(position.impermanent_loss(2025.0, p)), 4) for p in (1000.0, 2025.0, 4000.0)]
    [-0.3077, 0.0, -0.28]
    """

    lower: float
    upper: float
    liquidity: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.lower < self.upper:
            raise OptionError(f"lower={self.lower!r} and upper={self.upper!r} must be prices that rise, from zero on.")
        positive_number("liquidity", self.liquidity)

    def base(self, price: Any) -> Any:
        """Base units held at a price or an array of prices: the exposure, d value / d price."""
        inside = np.clip(_prices(price), self.lower, self.upper)
        with np.errstate(divide="ignore"):
            return self.liquidity * (1 / np.sqrt(inside) - 1 / np.sqrt(np.float64(self.upper)))

    def quote(self, price: Any) -> Any:
        """Quote units held at a price or an array of prices."""
        return self.liquidity * (np.sqrt(np.clip(_prices(price), self.lower, self.upper)) - np.sqrt(self.lower))

    def value(self, price: Any) -> Any:
        """Value in quote currency at a price or an array of prices."""
        return self.quote(price) + _prices(price) * self.base(price)

    def impermanent_loss(self, entry: float, price: Any) -> Any:
        """Value now over that of what was put in at ``entry`` had it been held, minus one: zero or negative.

        The price may leave the range, and the entry may lie outside: then one coin was put in.

        Parameters
        ----------
        entry : float
            Price when the liquidity was provided.
        price : float or array
            Prices now.
        """
        start, now = positive_number("entry", entry), _prices(price)
        held = self.quote(start) + now * self.base(start)
        return self.value(now) / held - 1


def _prices(price: Any) -> Any:
    prices = np.asarray(price, dtype=np.float64)
    if not (np.isfinite(prices) & (prices > 0)).all():
        raise DataError("A price is not finite and above zero.")
    return prices
