"""One position through its venue: what was traded, at which reference, and what is left."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.measures.exits.book import OrderBook
from drainstats.measures.exits.fills import Fill, Side, Venue
from drainstats.measures.exits.laws import SquareRootLaw
from drainstats.measures.exits.pools import ConcentratedPool, ConstantProductPool
from drainstats.measures.exits.routing import Route, buy_across, sell_across
from drainstats.measures.exits.stableswap import StableSwapPool

Unit: TypeAlias = Literal["base", "money"]
COLUMNS = [
    "side", "asked", "filled", "unfilled", "reference", "value", "filled_value", "unfilled_value", "money", "cost",
    "cost_bp", "how", "censored",
]  # fmt: skip
_HOW: dict[type, str] = {
    OrderBook: "book", ConstantProductPool: "pool", ConcentratedPool: "pool", StableSwapPool: "pool",
    SquareRootLaw: "law",
}  # fmt: skip


def positions_of(positions: Any) -> pd.Series:
    """Asset → position, finite, rows of one asset added up."""
    if not isinstance(positions, (Mapping, pd.Series)):
        raise OptionError(f"positions is a {type(positions).__name__}; pass a mapping or Series of asset to quantity.")
    raw = pd.Series(positions, dtype=object)
    if raw.empty:
        raise DataError("There are no positions.")
    try:
        held = raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"A position is no number ({error}).") from error
    bad = held[~np.isfinite(held)]
    if len(bad):
        raise DataError(f"The position in {bad.index[0]} is {bad.iloc[0]:g}; leave it out or give its size.")
    return held.groupby(level=0, sort=False).sum()


def venue_of(asset: Hashable, position: float, venues: Mapping[Any, Any], price: float | None, unit: Unit) -> Any:
    """Where the asset is traded, laws with a price; None where there is nothing to trade and no venue."""
    if asset not in venues:
        if position == 0:
            return None
        raise DataError(f"There is no venue for {asset}; pass venues={{{asset!r}: …}} or leave the position out.")
    venue = venues[asset]
    if not isinstance(venue, Mapping):
        return _priced(asset, venue, price, unit)
    if not venue:
        raise OptionError(f"venues[{asset!r}] is empty: pass at least one book, pool or law.")
    return {name: _priced(asset, one, price, unit) for name, one in venue.items()}


def _priced(asset: Hashable, venue: Any, price: float | None, unit: Unit) -> Any:
    if not all(hasattr(venue, name) for name in ("price", "sell", "buy")):
        raise OptionError(
            f"The venue of {asset} is a {type(venue).__name__}; pass an OrderBook, a pool, a SquareRootLaw or a "
            "mapping of them."
        )
    if not isinstance(venue, SquareRootLaw) or not np.isnan(venue.price):
        return venue
    if price is None and unit == "base":
        raise OptionError(
            f"The law of {asset} has no price; pass prices={{{asset!r}: …}} or give positions in money (unit='money')."
        )
    return replace(venue, price=1.0 if price is None else price)


def reference_of(venue: Venue | Mapping[str, Venue] | None) -> float:
    """The price that a venue shows, the median over several; NaN when there is none."""
    if venue is None:
        return float("nan")
    if not isinstance(venue, Mapping):
        return float(venue.price)
    shown = [one.price for one in venue.values() if np.isfinite(one.price)]
    return float(np.median(shown)) if shown else float("nan")


def leave(venue: Any, position: float, reference: float, unit: Unit) -> tuple[list[Any], Fill | Route | None]:
    """The row of a position (`COLUMNS`), and what the venue answered; None when it was not asked."""
    how = "none" if venue is None else "route" if isinstance(venue, Mapping) else _HOW.get(type(venue), "venue")
    side = "none" if position == 0 else "sell" if position > 0 else "buy"
    size = abs(position) / reference if unit == "money" else abs(position)
    if side == "none" or np.isnan(size):
        # Nothing is held, or money without a price, of which no units are known.
        value, size = abs(position), size if side != "none" else 0.0
        row = [side, size, 0.0, size, reference, value, 0.0, value, 0.0, 0.0, float("nan"), how, side != "none"]
        return row, None
    fill = _trade(venue, "sell" if side == "sell" else "buy", size)
    # A route adds up parts: what rounding leaves over is not unfilled.
    unfilled = fill.unfilled if fill.unfilled > 1e-12 * size else 0.0
    worth = fill.filled * reference if fill.filled > 0 else 0.0
    row = [
        side, size, fill.filled, unfilled, reference, abs(position) if unit == "money" else size * reference, worth,
        unfilled * reference if unfilled > 0 else 0.0, fill.money, (worth - fill.money) * (1 if side == "sell" else -1),
        fill.cost_against(reference) if fill.filled > 0 else float("nan"), how, unfilled > 0,
    ]  # fmt: skip
    return row, fill


def _trade(venue: Any, side: Side, size: float) -> Fill | Route:
    if isinstance(venue, Mapping):
        return sell_across(venue, size) if side == "sell" else buy_across(venue, size)
    fill: Fill = venue.sell(size) if side == "sell" else venue.buy(size)
    return fill
