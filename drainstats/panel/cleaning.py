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
before-first-row          bars known before the first row of a join have no row to stand in
after-last-row            bars known only after the last row of a join have no row to stand in
========================  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import TIME_NAMES, to_pandas

PRICES = ("open", "high", "low", "close")
VOLUMES = ("volume", "dollar_volume")
DESCRIPTIONS = ("base", "quote", "venue", "class")
LEDGER_COLUMNS = ("asset", "rule", "rows", "first")


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
        return pd.DataFrame(self.entries, columns=list(LEDGER_COLUMNS))


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


def tidy(asset: str, bars: Any, ledger: Ledger) -> pd.DataFrame:
    """One asset's bars as float columns on a unique, ordered UTC index, repaired by the named rules only."""
    frame = to_pandas(bars)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{asset}: bars are a table with a column a field, a {type(frame).__name__} came.")
    named = [c for c in frame.columns if str(c).lower() in TIME_NAMES]
    if named and not isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.set_index(named[0])
    if frame.empty:
        raise DataError(f"{asset}: the table has no {'rows' if len(frame.columns) else 'columns'}.")
    assumed = frame.attrs.get("rules", ())
    values = {str(name).lower(): _numbers(asset, frame[name]) for name in frame.columns}
    frame = pd.DataFrame(values, index=utc_index(frame.index, asset, ledger))
    for rule in assumed:
        ledger.note(asset, rule, frame.index)
    return _repaired(asset, _ordered(asset, frame, ledger), ledger)


def _numbers(asset: str, column: pd.Series) -> np.ndarray:
    numeric = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(np.asarray(numeric.isna() & column.notna()))
    if len(bad):
        cell, row = column.iloc[bad[0]], column.index[bad[0]]
        raise DataError(f"{asset}: {cell!r} is not a number.", row=row, column=column.name)
    return np.asarray(numeric, dtype=np.float64)


def _ordered(asset: str, frame: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    missing = np.asarray(frame.index.isna())
    ledger.note(asset, "missing-stamp", frame.index[missing])
    frame = frame[~missing]
    if not frame.index.is_monotonic_increasing:
        late = np.r_[False, frame.index[1:] < frame.index[:-1]]
        ledger.note(asset, "sorted", frame.index[late])
        frame = frame.sort_index(kind="stable")
    if frame.index.is_unique:
        return frame
    twin = np.asarray(frame.reset_index().duplicated(keep="last"))
    ledger.note(asset, "duplicate-identical", frame.index[twin])
    frame = frame[~twin]
    older = frame.index.duplicated(keep="last")
    ledger.note(asset, "duplicate-last", frame.index[older])
    return frame[~older]


def _repaired(asset: str, frame: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    infinite = np.isinf(frame)
    ledger.note(asset, "infinite-to-missing", frame.index[np.asarray(infinite.any(axis=1))])
    frame = frame.mask(infinite)
    prices = [c for c in PRICES if c in frame]
    if prices:
        low = np.asarray((frame[prices] <= 0).any(axis=1))
        ledger.note(asset, "price-not-positive", frame.index[low])
        frame.loc[low, prices] = np.nan
    if {"high", "low"} <= set(prices):
        crossed = np.asarray(frame["high"] < frame["low"])
        ledger.note(asset, "high-below-low", frame.index[crossed])
        frame.loc[crossed, prices] = np.nan
    for name in (c for c in VOLUMES if c in frame):
        negative = np.asarray(frame[name] < 0)
        ledger.note(asset, "negative-volume", frame.index[negative])
        frame.loc[negative, name] = np.nan
    return frame
