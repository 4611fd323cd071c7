"""What the detector looks at, from a panel or from a table of illiquidity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.detection.costs import exit_costs
from drainstats.errors import DataError, OptionError
from drainstats.frames import as_wide, in_utc, known_stamps
from drainstats.panel.panel import LiquidityPanel


@dataclass(frozen=True, slots=True)
class Market:
    """What the detector looks at: illiquidity, when each row was known, what it is evidence of, costs if any and what
    they rest on, stable coins if any."""

    illiquidity: pd.DataFrame
    known: pd.DatetimeIndex
    evidence: str
    cost: pd.DataFrame | None
    law: str = ""
    stablecoin: Any = None


def from_panel(panel: LiquidityPanel, measure: str, notional: float) -> Market:
    from drainstats.measures.registry import MEASURES

    illiquidity = panel.measure(measure)
    if MEASURES[measure].rises_with != "illiquidity":
        raise OptionError(
            f"measure={measure!r} falls when liquidity falls; choose one that rises, such as 'parkinson'."
        )
    used = MEASURES[measure].inputs
    evidence = "price range" if "high" in used else "traded volume and prices" if len(used) > 1 else "closing prices"
    known = panel.available_at
    known = known.where(known.notna(), pd.Series(panel.clock.end(panel.index), index=panel.index))
    return Market(illiquidity, pd.DatetimeIndex(known), evidence, *exit_costs(panel, notional))


def from_table(data: Any, available_at: pd.Series | None) -> Market:
    wide = as_wide(data, "illiquidity")
    index = wide.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError("The rows of the illiquidity table need time stamps; give it a DatetimeIndex in UTC.")
    index = in_utc(index)
    if available_at is None:
        step = index.to_series().diff().median()
        known = pd.DatetimeIndex(index + step)
    else:
        seen = np.asarray(~np.isnan(wide.values).all(axis=1))
        known = known_stamps(available_at, index, seen)
    return Market(pd.DataFrame(wide.values, index=index, columns=wide.columns), known, "user-given illiquidity", None)
