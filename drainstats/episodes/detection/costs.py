"""What it costs to leave a notional in every bar: from the book where there is one, else by the square-root law."""

from __future__ import annotations

import pandas as pd

from drainstats.panel.panel import LiquidityPanel

BOOK = "spread and depth"
SQUARE_ROOT = "square-root law, a proxy"


def exit_costs(panel: LiquidityPanel, notional: float) -> tuple[pd.DataFrame | None, str]:
    """Time × asset cost, a fraction of the notional, and what it rests on; None without the fields for either.

    With the depth D within one per cent of the mid, both sides, spread evenly over prices, a sale of Q walks down to
    .01 · Q / (D / 2) and pays half of that on average, beside half the spread:

        spread / 2 + .01 · Q / D.

    Orders larger than D / 2 are priced as if the book went on like that beyond one per cent, which flatters the exit.
    """
    names = set(panel.field_names)
    if {"spread", "depth"} <= names:
        depth = panel["depth"].where(panel["depth"] > 0)
        return panel["spread"] / 2 + 0.01 * notional / depth, BOOK
    if not {"high", "low", "dollar_volume"} <= names:
        return None, ""
    from drainstats.measures.exits.laws import square_root_cost
    from drainstats.measures.ranges import parkinson

    volatility = parkinson(panel["high"], panel["low"], window=1)
    volume = panel["dollar_volume"]
    cost: pd.DataFrame = square_root_cost(volatility, volume, notional)
    # The law describes orders that are part of the bar's volume; for larger ones it says nothing.
    return cost.where(volume >= notional), SQUARE_ROOT
