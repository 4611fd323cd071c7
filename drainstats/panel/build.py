"""From one table of bars an asset to tables of time × asset: what `LiquidityPanel.from_bars` assembles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.frames import to_pandas
from drainstats.panel import sessions as exchange
from drainstats.panel.align import Clock, placed
from drainstats.panel.cleaning import DESCRIPTIONS, Bars, Ledger, tidy
from drainstats.panel.merging import merged, repeated, rule_of, runs
from drainstats.panel.status import State, of_bars
from drainstats.panel.symbols import described, split
from drainstats.panel.tables import NAT, index_of, stamps_of, table_of

UNITS = {
    **dict.fromkeys(("open", "high", "low", "close", "adjusted", "dollar_volume"), "quote currency"),
    **dict.fromkeys(("volume", "buy_volume"), "base units"),
    "trades": "number",
}
OUTSIDE = ("accumulate", "drop")


def assembled(
    bars: Mapping[str, Any],
    clock: str | None,
    symbols: Any,
    delay: str | pd.Timedelta,
    rows: str,
    outside: str,
    *,
    assets: Any,
    units: Any,
    provenance: Any,
    ledger: Any,
) -> dict[str, Any]:
    """The parts of a panel, by their names (the arguments are those of `LiquidityPanel.from_bars`)."""
    check_option("rows", rows, ("seen", "all"))
    check_option("outside", outside, OUTSIDE)
    if not bars:
        raise DataError("No assets came: pass a mapping asset → bars with at least one table.")
    ledger = ledger or Ledger()
    tables = {str(asset): tidy(str(asset), table, ledger) for asset, table in bars.items()}
    if symbols is not None:
        tables = split(tables, symbols, ledger)
    rule = Clock.named(clock) if clock else _inferred(tables)
    names, named = list(tables), UNITS | dict(units or {})
    if named["volume"] == UNITS["volume"]:
        _value(tables, ledger)
    # Each table is let go once it is placed, so that the bars are not held twice.
    on_clock = {asset: _on_clock(asset, tables.pop(asset), rule, outside, ledger) for asset in names}
    index = _rows(rule, on_clock, rows)
    fields, available, status = _filled(on_clock, index, rule, pd.Timedelta(delay))
    return {
        "fields": fields,
        "asset_table": _asset_table(names, assets, symbols).assign(clock=rule.name),
        "available": available,
        "status": status,
        "clock": rule,
        "units": {f: named.get(f, "") for f in fields},
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
    about = [c for c in DESCRIPTIONS if c in data]
    table = data.groupby(asset, sort=False)[about].first() if about else None
    numbers = data.drop(columns=about)
    return {str(a): p.drop(columns=asset).set_index(time) for a, p in numbers.groupby(asset, sort=False)}, table


def _inferred(tables: Mapping[str, Bars]) -> Clock:
    stamps = np.concatenate([pd.unique(t.index.as_unit("ns").asi8) for t in tables.values()])
    return Clock.inferred(pd.DatetimeIndex(pd.unique(stamps), tz="UTC"))


def _value(tables: Mapping[str, Bars], ledger: Ledger) -> None:
    """Where some assets come with traded value, the others get theirs from closes and volumes."""
    if not any("dollar_volume" in t.fields for t in tables.values()):
        return
    for asset, table in tables.items():
        if "dollar_volume" not in table.fields and {"close", "volume"} <= set(table.fields):
            table.fields["dollar_volume"] = table.fields["close"] * table.fields["volume"]
            ledger.note(asset, "value-at-close", table.index)


def _on_clock(asset: str, bars: Bars, rule: Clock, outside: str, ledger: Ledger) -> Bars:
    """One asset's bars by the labels of their rows; those that share a row are merged."""
    index = bars.index
    place = placed(rule, index)
    if rule.session and not exchange.installed():
        ledger.note(asset, "regular-close", index)
    ledger.note(asset, "no-session-on-day", index[place.idle])
    ledger.note(asset, "ends-at-close", index[place.late])
    ledger.note(asset, f"outside-{'dropped' if outside == 'drop' else 'accumulated'}", index[place.outside])
    labels = place.labels
    if outside == "drop" and place.outside.any():
        bars, labels = bars.take(~place.outside), labels[~place.outside]
    starts = runs(labels)
    if len(starts) == len(labels):
        return Bars(index_of(labels), bars.fields)
    index = bars.index
    ledger.note(asset, "several-bars-in-row", index[repeated(labels)])
    return Bars(index_of(labels[starts]), {f: merged(v, starts, rule_of(f)) for f, v in bars.fields.items()})


def _rows(rule: Clock, on_clock: Mapping[str, Bars], rows: str) -> pd.DatetimeIndex:
    """The labels that any asset has, or all that the clock has from the first to the last of them."""
    labels = np.sort(pd.unique(np.concatenate([b.index.asi8 for b in on_clock.values()])))
    index = index_of(labels)
    if rows == "seen" or not len(index):
        return index
    whole = rule.between(index[0] + pd.Timedelta(1, "ns"), rule.end(index)[-1])
    return index_of(np.union1d(whole.asi8[(whole >= index[0]) & (whole <= index[-1])], labels))


def _filled(
    on_clock: Mapping[str, Bars], index: pd.DatetimeIndex, rule: Clock, delay: pd.Timedelta
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Fields, availability and states as time × asset tables."""
    names, shape, stamps = list(on_clock), (len(on_clock), len(index)), index.asi8
    fields = {f: np.full(shape, np.nan) for f in dict.fromkeys(f for b in on_clock.values() for f in b.fields)}
    available = np.full(shape, NAT)
    status = np.full(shape, State.MISSING, dtype=np.int8)
    known = (rule.end(index) + delay).as_unit("ns").asi8
    for row, bars in enumerate(on_clock.values()):
        at = np.searchsorted(stamps, bars.index.asi8)
        present = np.zeros(len(at), dtype=bool)
        for name, values in bars.fields.items():
            fields[name][row, at] = values
            present |= ~np.isnan(values)
        there = at[present]
        available[row, there] = known[there]
        volume = bars.fields.get("volume")
        status[row, there] = of_bars(None if volume is None else volume[present], len(there))
    tables = {f: table_of(v, index, names) for f, v in fields.items()}
    return tables, stamps_of(available, index, names), table_of(status, index, names)


def _asset_table(names: list[str], given: pd.DataFrame | None, symbols: Any) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(names, name="asset"), columns=list(DESCRIPTIONS), dtype=object)
    known = described(symbols, names) if symbols is not None else None
    for source in (known, given):
        if source is not None:
            table.update(source)
    table["base"] = table["base"].where(table["base"].notna(), pd.Series(names, index=table.index))
    table = table.fillna("")
    return table if known is None else table.join(known.drop(columns=list(DESCRIPTIONS), errors="ignore"))
