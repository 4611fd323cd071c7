"""What the detector looks at, from a panel or from a table of illiquidity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.detection.costs import exit_costs
from drainstats.episodes.detection.evidence import forced_share
from drainstats.episodes.detection.stress import Stress, clock_times, duration, measure_stress
from drainstats.errors import DataError, OptionError
from drainstats.frames import as_wide, in_utc, known_stamps
from drainstats.panel import sessions as exchange
from drainstats.panel.panel import LiquidityPanel
from drainstats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Market:
    """What the detector looks at.

    illiquidity : (T, N); known : (T,) when each row and all before it were known; evidence : what it is evidence of;
    cost : (T, N) or None, and ``law``, what it rests on; stablecoin : tables of stable coins; forced : (T,) share of
    traded money that was liquidated; volatility : (T, N) price ranges; zeros : (T, N) readings of zero depth; slots :
    (T,) local times of day in nanoseconds, None for those of UTC.
    """

    illiquidity: pd.DataFrame
    known: pd.DatetimeIndex
    evidence: str
    cost: pd.DataFrame | None
    law: str = ""
    stablecoin: Any = None
    forced: FloatArray | None = None
    volatility: pd.DataFrame | None = None
    zeros: BoolArray | None = None
    slots: IntArray | None = None


# What a panel shows of liquidity, the best first: fields, then measures with the fields that they need.
BOOK = {"depth": "book depth", "spread": "quoted spread"}
FLOWS = {"liquidations", "dollar_volume"}
BARS = {"parkinson": {"high", "low"}, "amihud": {"close", "dollar_volume"}}


def best_measure(panel: LiquidityPanel) -> str:
    """The best evidence of illiquidity that the panel has fields for."""
    names = set(panel.field_names)
    for field in BOOK:
        if field in names:
            return field
    for measure, needed in BARS.items():
        if needed <= names:
            return measure
    raise DataError(
        f"The panel has {', '.join(panel.field_names)}: none of depth, spread, high and low, close and dollar volume; "
        "pass a measure= that it has the fields for, or a table of illiquidity."
    )


def from_panel(panel: LiquidityPanel, measure: str | None, notional: float, stablecoin: Any = None) -> Market:
    """The market that a panel shows, by its best measure or the one named."""
    name = best_measure(panel) if measure is None else measure
    zeros = None
    if name in BOOK and name in panel.field_names:
        table, evidence = panel[name], BOOK[name]
        zeros = table.to_numpy() == 0
        # A book that reads as empty is a feed that was lost.
        illiquidity = 1.0 / table.where(table > 0) if name == "depth" else table
    else:
        illiquidity, evidence = _measured(panel, name, one_bar=measure is None)
    known = panel.available_at
    known = known.where(known.notna(), pd.Series(panel.clock.end(panel.index), index=panel.index))
    fields = set(panel.field_names)
    return Market(
        illiquidity,
        _all_known(pd.DatetimeIndex(known)),
        evidence,
        *exit_costs(panel, notional),
        stablecoin,
        forced=forced_share(panel["liquidations"], panel["dollar_volume"]) if fields >= FLOWS else None,
        volatility=panel.measure("parkinson") if name in BOOK and {"high", "low"} <= fields else None,
        zeros=zeros,
        slots=_local_times(panel),
    )


def _measured(panel: LiquidityPanel, name: str, *, one_bar: bool) -> tuple[pd.DataFrame, str]:
    from drainstats.measures.registry import MEASURES

    illiquidity = panel.measure(name, **({"window": 1} if one_bar and name == "amihud" else {}))
    if MEASURES[name].rises_with != "illiquidity":
        raise OptionError(f"measure={name!r} falls when liquidity falls; choose one that rises, such as 'parkinson'.")
    used = MEASURES[name].inputs
    return illiquidity, (
        "price range" if "high" in used else "traded volume and prices" if len(used) > 1 else "closing prices"
    )


def _local_times(panel: LiquidityPanel) -> IntArray | None:
    """Rows inside sessions are compared by the exchange's own time, which daylight saving does not move."""
    clock = panel.clock
    if clock.session is None or clock.whole_sessions or not len(panel.index):
        return None
    zone = exchange.sessions(clock.session, panel.index[0], panel.index[-1]).zone
    return clock_times(panel.index.tz_convert(zone))


def _all_known(known: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """When each row and every row before it was known: a bar that was filled in late delays what rests on it."""
    stamps = np.maximum.accumulate(known.as_unit("ns").asi8)
    return pd.DatetimeIndex(stamps, tz="UTC")


def from_table(data: Any, available_at: pd.Series | None, measure: str | None = None) -> Market:
    """The market of a table of illiquidity, for which there is no measure to choose."""
    if measure is not None:
        raise OptionError(f"measure={measure!r} belongs to a panel; a table is taken as the illiquidity itself.")
    wide = as_wide(data, "illiquidity")
    index = wide.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError("The rows of the illiquidity table need time stamps; give it a DatetimeIndex in UTC.")
    index = in_utc(index)
    if available_at is None:
        known = pd.DatetimeIndex(index + _steps(index))
    else:
        seen = np.asarray(~np.isnan(wide.values).all(axis=1))
        known = known_stamps(available_at, index, seen)
    names = pd.Index([str(c) for c in wide.columns])
    if not names.is_unique:
        raise DataError(f"illiquidity: two columns read {names[names.duplicated()][0]!r} as text; rename one.")
    table = pd.DataFrame(wide.values, index=index, columns=wide.columns)
    return Market(table, _all_known(known), "user-given illiquidity", None)


def _steps(index: pd.DatetimeIndex) -> pd.TimedeltaIndex:
    """The usual step of the rows up to each one, which later rows do not move."""
    gaps = np.diff(index.as_unit("ns").asi8)
    usual = pd.Series(gaps, dtype=np.float64).expanding().median().to_numpy()
    return pd.to_timedelta(np.r_[usual[:1], usual], unit="ns") if len(gaps) else pd.to_timedelta(np.zeros(len(index)))


def stress_of(
    data: Any,
    measure: str | None,
    *,
    baseline: str | pd.Timedelta,
    min_baseline: int,
    clock_within: str | pd.Timedelta,
    line: float,
) -> tuple[Market, Stress]:
    """A panel or table of illiquidity and its stress, as the detector measures it, down to one observed asset."""
    market = from_panel(data, measure, 1e6) if isinstance(data, LiquidityPanel) else from_table(data, None, measure)
    stress = measure_stress(
        market.illiquidity,
        baseline=duration("baseline", baseline),
        min_baseline=min_baseline,
        line=line,
        min_assets=1,
        within=duration("clock_within", clock_within, least=-1),
        slots=market.slots,
    )
    return market, stress
