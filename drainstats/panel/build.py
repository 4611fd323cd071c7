"""From one table of bars an asset to tables of time × asset: what `LiquidityPanel.from_bars` assembles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import to_pandas
from drainstats.panel.align import Clock, aggregate
from drainstats.panel.cleaning import DESCRIPTIONS, Ledger, tidy

UNITS = {
    **dict.fromkeys(("open", "high", "low", "close"), "quote currency"),
    "volume": "base units",
    "dollar_volume": "quote currency",
}


def assembled(
    bars: Mapping[str, Any],
    clock: str | None,
    assets: pd.DataFrame | None,
    delay: str | pd.Timedelta,
    units: Mapping[str, str] | None,
    provenance: Mapping[str, Any] | None,
    ledger: Ledger | None,
) -> dict[str, Any]:
    """The parts of a panel, by their names (the arguments are those of `LiquidityPanel.from_bars`)."""
    if not bars:
        raise DataError("No assets came: pass a mapping asset → bars with at least one table.")
    ledger = ledger or Ledger()
    tables = {str(asset): tidy(str(asset), table, ledger) for asset, table in bars.items()}
    stamps = pd.DatetimeIndex(np.concatenate([t.index.as_unit("ns").asi8 for t in tables.values()]), tz="UTC")
    rule = Clock.named(clock) if clock else Clock.inferred(stamps)
    for asset, table in tables.items():
        rows = rule.label(table.index)
        ledger.note(asset, "several-bars-in-row", table.index[rows.duplicated()])
        tables[asset] = aggregate(table, rows)
    wide = widened(tables)
    index = next(iter(wide.values())).index
    known = rule.end(index) + pd.Timedelta(delay)
    present = _present(wide)
    named = UNITS | dict(units or {})
    return {
        "fields": wide,
        "asset_table": _asset_table(list(tables), assets).assign(clock=rule.name),
        "available": pd.DataFrame({a: known.where(present[a]) for a in present}, index=index),
        "clock": rule,
        "units": {f: named.get(f, "") for f in wide},
        "provenance": dict(provenance or {}),
        "ledger": ledger.frame(),
    }


def split_long(frame: Any, time: str, asset: str) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
    """A tidy table taken apart: bars by asset, and what it says of the assets."""
    data = to_pandas(frame)
    if data.index.name in (time, asset) or isinstance(data.index, pd.MultiIndex):
        data = data.reset_index()
    lacking = [c for c in (time, asset) if c not in data]
    if lacking:
        raise DataError(f"The table lacks the column {lacking[0]!r}; it has {', '.join(map(str, data.columns))}.")
    if data.empty:
        raise DataError("The table has no rows.")
    described = [c for c in DESCRIPTIONS if c in data]
    table = data.groupby(asset, sort=False)[described].first() if described else None
    numbers = data.drop(columns=described)
    return {str(a): p.drop(columns=asset).set_index(time) for a, p in numbers.groupby(asset, sort=False)}, table


def widened(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables by asset → tables by field, time × asset, over all of their labels."""
    names = list(dict.fromkeys(field for table in tables.values() for field in table.columns))
    index = pd.DatetimeIndex([], tz="UTC")
    for table in tables.values():
        index = index.union(table.index)
    index = index.rename("time")
    wide = {}
    for name in names:
        columns = {a: t[name] if name in t else pd.Series(np.nan, index=t.index) for a, t in tables.items()}
        wide[name] = pd.DataFrame(columns, dtype=np.float64).reindex(index)
    return wide


def _present(wide: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    tables = list(wide.values())
    present = tables[0].notna()
    for table in tables[1:]:
        present = present | table.notna()
    return present


def _asset_table(names: list[str], given: pd.DataFrame | None) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(names, name="asset"), columns=list(DESCRIPTIONS), dtype=object)
    if given is not None:
        table.update(given)
    table["base"] = table["base"].where(table["base"].notna(), pd.Series(names, index=table.index))
    return table.fillna("")
