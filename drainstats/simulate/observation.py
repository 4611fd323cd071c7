"""What an observer sees of simulated states: bars of prices, spread, volume and depth, with gaps.

Within a bar the log mid is a Brownian bridge from its open to its close, whose highest and lowest points are drawn from
their laws, H = ½ (r + √(r² − 2σ² ln U)); trades take place at mid × (1 ± spread / 2), so the bars carry the bounce that
estimators of the spread feed on. The forced sales of a bar are sold by takers; a liquidation feed shows between a half
and nine tenths of them (feeds are samples), and in every family a few liquidations after ordinary falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.align import Clock
from drainstats.panel.build import UNITS as PANEL_UNITS
from drainstats.panel.cleaning import Ledger
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.status import State, of_bars
from drainstats.panel.tables import NAT, index_of, stamps_of, table_of
from drainstats.typing import BoolArray, FloatArray

UNITS = PANEL_UNITS | {
    "signed_dollar_volume": "quote currency",
    "spread": "fraction of the mid",
    "depth": "quote currency within 1 % of the mid",
    "liquidations": "quote currency",
}
LARGEST_SPREAD = 0.5
FEED = (0.5, 0.9)


@dataclass(slots=True)
class States:
    """The noise-free states of a market at the end of each bar, (T, N).

    mid : quote currency; start (N,) : the mid before the first bar; volatility : standard deviation of the bar's log
    mid; spread : proportional; depth : quote currency within 1 % of the mid, both sides; volume : quote currency,
    without forced sales; pressure : net taker flow as a share of that volume; forced : forced sales in quote currency.
    """

    mid: FloatArray
    start: FloatArray
    volatility: FloatArray
    spread: FloatArray
    depth: FloatArray
    volume: FloatArray
    pressure: FloatArray
    forced: FloatArray


def observed(states: States, seed: int) -> dict[str, FloatArray]:
    """The fields of a panel, (T, N) each, before anything is lost on the way to the observer."""
    rng = np.random.default_rng([seed, 20])
    fields = bars(states.mid, states.start, states.volatility, states.spread, rng)
    money = states.volume + states.forced
    fall = np.maximum(-np.log(states.mid / _before(states)) / states.volatility - 1.0, 0.0)
    feed = rng.uniform(*FEED, size=states.mid.shape)
    fields["volume"] = money / ((fields["high"] + fields["low"] + fields["close"]) / 3)
    fields["dollar_volume"] = money
    fields["signed_dollar_volume"] = states.volume * np.clip(states.pressure, -0.95, 0.95) - states.forced
    fields["spread"] = states.spread
    fields["depth"] = states.depth
    fields["liquidations"] = feed * (states.forced + 0.002 * states.volume * np.minimum(fall, 3.0))
    return fields


def bars(
    mid: FloatArray, start: FloatArray, volatility: FloatArray, spread: FloatArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Open, high, low and close of trades around the mid."""
    close, opened = np.log(mid), np.log(np.vstack([start, mid[:-1]]))
    move = close - opened
    reach = [np.sqrt(move**2 - 2 * volatility**2 * np.log(1.0 - rng.random(mid.shape))) for _ in range(2)]
    side = rng.choice(np.array([-0.5, 0.5]), (2, *mid.shape))
    return {
        "open": np.exp(opened) * (1 + side[0] * spread),
        "high": np.exp(opened + 0.5 * (move + reach[0])) * (1 + 0.5 * spread),
        "low": np.exp(opened + 0.5 * (move - reach[1])) * (1 - 0.5 * spread),
        "close": mid * (1 + side[1] * spread),
    }


def lose(
    fields: dict[str, FloatArray],
    seed: int,
    gaps: float,
    late: float,
    *,
    missing: BoolArray,
    blind: BoolArray,
    zero: BoolArray,
) -> None:
    """Blank bars and depth reads in place: gaps at random, late listings, and what the scenario loses."""
    rng = np.random.default_rng([seed, 21])
    rows, assets = missing.shape
    gone = missing | (rng.random(missing.shape) < gaps)
    first = np.where(rng.random(assets) < late, rng.integers(1, max(2, rows // 4), assets), 0)
    gone |= np.arange(rows)[:, None] < first
    fields["spread"][blind] = np.nan
    fields["depth"][zero] = 0.0
    for values in fields.values():
        values[gone] = np.nan


def panel_of(
    fields: dict[str, FloatArray],
    index: pd.DatetimeIndex,
    assets: list[str],
    venues: list[str],
    provenance: dict[str, Any],
) -> LiquidityPanel:
    """The panel that `LiquidityPanel.from_bars` makes of these bars, which need no cleaning, with every row."""
    clock, index = Clock.inferred(index), index_of(index.as_unit("ns").asi8)
    values = {name: np.ascontiguousarray(table.T) for name, table in fields.items()}
    seen = ~np.isnan(list(values.values())).all(axis=0)
    status = np.full(seen.shape, State.MISSING, dtype=np.int8)
    status[seen] = of_bars(values["volume"][seen], int(seen.sum()))
    about = {"base": assets, "quote": "USD", "venue": venues, "class": "simulated", "clock": clock.name}
    return LiquidityPanel(
        fields={name: table_of(table, index, assets) for name, table in values.items()},
        asset_table=pd.DataFrame(about, index=pd.Index(assets, name="asset")),
        available=stamps_of(np.where(seen, clock.end(index).as_unit("ns").asi8, NAT), index, assets),
        status=table_of(status, index, assets),
        clock=clock,
        units={name: UNITS[name] for name in fields},
        provenance=dict(provenance),
        ledger=Ledger().frame(),
    )


def _before(states: States) -> FloatArray:
    return np.vstack([states.start, states.mid[:-1]])
