"""The named rules by which bars are repaired on their way into a panel. Each use is a row in the panel's ledger.

========================  ==================================================================================
rule                      what happens
========================  ==================================================================================
naive-as-utc              stamps without a time zone are read as UTC
epoch-s, -ms, -us, -ns    a file's numbers were read as times since 1970 (`drainstats.read_bars`)
offsets-to-utc            a file's stamps had several offsets and were brought to UTC
sorted                    rows out of order are put in time order
duplicate-identical       the same row twice: one is kept
duplicate-last            two different rows with one stamp: the later one in the file is kept
missing-stamp             a row without a stamp cannot be placed and is left out
infinite-to-missing       an infinite number becomes missing
price-not-positive        a bar with a price at or below zero loses its prices
high-below-low            a bar whose high is below its low loses its prices
negative-volume           a negative volume becomes missing
several-bars-in-row       bars that share a row of the clock are merged
outside-accumulated       bars outside the sessions stand in the next row
outside-dropped           bars outside the sessions are left out, as was asked for
ends-at-close             a bar that would end after the close of the exchange is taken to end there
no-session-on-day         a daily bar stands on a day without a session: it keeps its date, the usual close is its end
regular-close             no calendar is installed: the regular close stands for the true one
value-at-close            an asset without traded value of its own, beside one that has it, gets close × volume
before-first-row          bars known before the first row of a join have no row to stand in
after-last-row            bars known only after the last row of a join have no row to stand in
incomplete-row            a coarser row was made of fewer rows than it has room for
outside-validity          rows of a raw series that the symbol table gives to no asset are left out
traded-outside-listing    bars with volume before the first or after the last day of an asset
outage-inferred           all assets of a venue were absent together while another venue traded
price-carried             a missing close was filled with an earlier one, within the maximum age
split-adjusted            prices and volumes were brought to one number of shares
dividend-adjusted         prices were brought to one side of a cash dividend
action-outside-span       a corporate action lies outside the rows of its asset and changes nothing
converted                 prices and dollar volumes were brought to another currency
rate-missing              there was no rate young enough: prices and dollar volume became missing
========================  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import TIME_NAMES, to_pandas
from drainstats.typing import FloatArray

PRICES = ("open", "high", "low", "close")
VOLUMES = ("volume", "dollar_volume")
DESCRIPTIONS = ("base", "quote", "venue", "class")
LEDGER_COLUMNS = ("asset", "rule", "rows", "first")
_DTYPES = {"asset": "str", "rule": "str", "rows": "int64"}


@dataclass(slots=True)
class Ledger:
    """What was done to the data on their way in, a row a rule and asset."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def note(self, asset: str, rule: str, stamps: pd.Index) -> None:
        """Record that a rule was applied to the rows with these stamps; none, no entry."""
        if len(stamps):
            self.entries.append({"asset": asset, "rule": rule, "rows": len(stamps), "first": stamps[0]})

    def frame(self) -> pd.DataFrame:
        """The ledger as a table."""
        columns = {name: [entry[name] for entry in self.entries] for name in LEDGER_COLUMNS}
        # Stamps stay objects: what came without a time zone is recorded without one.
        return pd.DataFrame({name: pd.Series(v, dtype=_DTYPES.get(name, object)) for name, v in columns.items()})

    def after(self, *earlier: pd.DataFrame) -> pd.DataFrame:
        """The ledgers of what came before, with this one below them."""
        tables = [table for table in (*earlier, self.frame()) if len(table)]
        return pd.concat(tables, ignore_index=True) if tables else self.frame()


def utc_index(stamps: Any, asset: str, ledger: Ledger) -> pd.DatetimeIndex:
    """Stamps of any kind as UTC; mixed or unreadable ones are an error."""
    if isinstance(stamps, pd.DatetimeIndex):
        index = stamps
    elif pd.api.types.is_numeric_dtype(stamps):
        raise DataError(
            f"{asset}: the stamps are plain numbers; convert them with pandas.to_datetime(..., unit=..., utc=True)."
        )
    else:
        try:
            index = pd.DatetimeIndex(pd.to_datetime(stamps))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{asset}: the stamps cannot be read as times of one time zone ({error}); convert them to UTC."
            ) from error
    if index.tz is None:
        ledger.note(asset, "naive-as-utc", index[index.notna()])
        return index.tz_localize("UTC")
    return index.tz_convert("UTC")


@dataclass(frozen=True, slots=True)
class Bars:
    """One asset's bars: index (T,) in UTC, unique and in order once they are tidy; fields: name → (T,) own array."""

    index: pd.DatetimeIndex
    fields: dict[str, FloatArray]

    def take(self, rows: Any) -> Bars:
        """Some of the rows, by a mask or their numbers."""
        return Bars(self.index[rows], {name: values[rows] for name, values in self.fields.items()})


def tidy(asset: str, bars: Any, ledger: Ledger) -> Bars:
    """One asset's bars as float columns on a unique, ordered UTC index, repaired by the named rules only."""
    frame = to_pandas(bars)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{asset}: bars are a table with a column a field, a {type(frame).__name__} came.")
    named = [c for c in frame.columns if str(c).lower() in TIME_NAMES]
    if named and not isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.set_index(named[0])
    if frame.empty:
        raise DataError(f"{asset}: the table has no {'rows' if len(frame.columns) else 'columns'}.")
    fields = {str(name).lower(): _numbers(asset, column) for name, column in frame.items()}
    index = utc_index(frame.index, asset, ledger)
    for rule in frame.attrs.get("rules", ()):
        ledger.note(asset, rule, index)
    return _repaired(asset, _ordered(asset, Bars(index, fields), ledger), ledger)


def _numbers(asset: str, column: pd.Series) -> FloatArray:
    if column.dtype == np.float64:
        return np.array(column, dtype=np.float64)
    numeric = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(np.asarray(numeric.isna() & column.notna()))
    if len(bad):
        cell, row = column.iloc[bad[0]], column.index[bad[0]]
        raise DataError(f"{asset}: {cell!r} is not a number.", row=row, column=column.name)
    return np.array(numeric, dtype=np.float64)


def _ordered(asset: str, bars: Bars, ledger: Ledger) -> Bars:
    if bars.index.hasnans:
        missing = np.asarray(bars.index.isna())
        ledger.note(asset, "missing-stamp", bars.index[missing])
        bars = bars.take(~missing)
    if not bars.index.is_monotonic_increasing:
        late = np.r_[False, bars.index[1:] < bars.index[:-1]]
        ledger.note(asset, "sorted", bars.index[late])
        bars = bars.take(np.argsort(bars.index.asi8, kind="stable"))
    if bars.index.is_unique:
        return bars
    twin = pd.DataFrame({"": bars.index, **bars.fields}).duplicated(keep="last").to_numpy()
    ledger.note(asset, "duplicate-identical", bars.index[twin])
    bars = bars.take(~twin)
    older = bars.index.duplicated(keep="last")
    ledger.note(asset, "duplicate-last", bars.index[older])
    return bars.take(~older)


def _repaired(asset: str, bars: Bars, ledger: Ledger) -> Bars:
    """Blank what cannot be, in the arrays that `tidy` made."""
    fields = bars.fields
    infinite = {name: np.isinf(values) for name, values in fields.items()}
    touched = np.any(list(infinite.values()), axis=0)
    ledger.note(asset, "infinite-to-missing", bars.index[touched])
    if touched.any():
        for name, cells in infinite.items():
            fields[name][cells] = np.nan
    prices = [fields[c] for c in PRICES if c in fields]
    if prices:
        low = np.any([values <= 0 for values in prices], axis=0)
        _blank(asset, "price-not-positive", low, prices, bars.index, ledger)
    if {"high", "low"} <= set(fields):
        _blank(asset, "high-below-low", fields["high"] < fields["low"], prices, bars.index, ledger)
    for values in (fields[c] for c in VOLUMES if c in fields):
        _blank(asset, "negative-volume", values < 0, [values], bars.index, ledger)
    return bars


def _blank(
    asset: str, rule: str, cells: Any, columns: list[FloatArray], index: pd.DatetimeIndex, ledger: Ledger
) -> None:
    if cells.any():
        ledger.note(asset, rule, index[cells])
        for values in columns:
            values[cells] = np.nan
