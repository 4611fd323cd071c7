"""Which measures there are, what they need, what they can and cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: ``fields`` of a panel in calling order, unit, direction, what it sees, horizon in rows, source."""

    name: str
    fields: tuple[str, ...]
    unit: str
    rises_with: str
    sees: str
    window: int
    source: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function in `drainstats.measures`, loaded now."""
        import drainstats.measures as room

        function: Callable[..., Any] = getattr(room, self.name)
        return function


_FRACTION = "fraction of price"
MEASURES = {
    m.name: m
    for m in (
        Measure(
            "edge", ("open", "high", "low", "close"), _FRACTION, "illiquidity",
            "the spread level over a month; smooths a crash day away", 21,
            "Ardia, Guidotti and Kroencke (2024)",
        ),
        Measure(
            "corwin_schultz", ("high", "low", "close"), _FRACTION, "illiquidity",
            "changes of the spread over time; biased when trading is thin", 21, "Corwin and Schultz (2012)",
        ),
        Measure(
            "abdi_ranaldo", ("high", "low", "close"), _FRACTION, "illiquidity",
            "changes of the spread over time; overnight gaps dominate in shares", 21, "Abdi and Ranaldo (2017)",
        ),
        Measure(
            "roll", ("close",), _FRACTION, "illiquidity", "bid-ask bounce; negative in trends", 21, "Roll (1984)"
        ),
        Measure(
            "parkinson", ("high", "low"), "log price per bar", "illiquidity",
            "the crash day itself, but volatility and drain alike", 1, "Parkinson (1980)",
        ),
        Measure(
            "amihud", ("close", "dollar_volume"), "per unit of quote currency", "illiquidity",
            "slow changes of impact; blind to flash crashes, in which volume explodes", 21, "Amihud (2002)",
        ),
        Measure(
            "vpin", ("buy_volume", "volume"), "share of volume", "illiquidity",
            "one-sided flow; follows volume and volatility by construction", 50,
            "Easley, López de Prado and O'Hara (2012)",
        ),
        Measure(
            "pastor_stambaugh", ("close", "dollar_volume"), "per unit of quote currency", "liquidity",
            "reversals after volume over many assets; very noisy for one asset and month", 21,
            "Pastor and Stambaugh (2003)",
        ),
        Measure(
            "kyle_lambda", ("close", "signed_volume"), "price change per base unit", "illiquidity",
            "what net selling moved; a window that holds a crash has the crash's impact", 21, "Kyle (1985)",
        ),
        Measure(
            "zero_returns", ("close",), "share of returns", "illiquidity",
            "markets that stand still; blind to a crash, in which every price moves", 21,
            "Lesmond, Ogden and Trzcinka (1999)",
        ),
        Measure(
            "fht", ("close",), _FRACTION, "illiquidity",
            "as zero_returns; volatility in a crash inflates it while zeros remain in the window", 21,
            "Fong, Holden and Trzcinka (2017)",
        ),
        Measure(
            "dollar_volume", ("close", "volume"), "quote currency", "liquidity",
            "activity; rises in a crash", 1, "",
        ),
        Measure(
            "annualised_funding", ("funding_rate",), "fraction per year", "demand to be long",
            "who is crowded before a crash, at the speed of settlements; turns negative in it", 1, "",
        ),
        Measure(
            "funding_stress", ("funding_rate",), "deviations of the rows before", "demand to be long",
            "extremes on either side; missing while a venue clamps the rate", 90, "",
        ),
        Measure(
            "liquidation_intensity", ("liquidated", "open_interest_value"), "share of open interest", "illiquidity",
            "forced selling as it happens; a lower bound where the feed is a sample", 1, "",
        ),
    )
}  # fmt: skip


def list_measures() -> pd.DataFrame:
    """The measures a panel offers, a row each.

    Returns
    -------
    DataFrame
        Index: name. Columns: inputs, unit, what it rises with, what it sees in a crash, default window, source.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.list_measures().loc["amihud", "inputs"]
    'close, dollar_volume'
    """
    rows = [(m.name, ", ".join(m.fields), m.unit, m.rises_with, m.sees, m.window, m.source) for m in MEASURES.values()]
    return pd.DataFrame(rows, columns=["name", "inputs", "unit", "rises_with", "sees", "window", "source"]).set_index(
        "name"
    )
