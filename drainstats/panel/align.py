"""Clocks: which row a bar belongs to, and when that row was known.

A row is labelled by its start. It is known at its end, plus a delay: joining by label leaks, because the daily bar of
12 March is complete only at midnight. Joins therefore place a bar in the first row whose end is not before the moment
at which the bar became available.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError

_UNITS = {"day": "D", "hour": "h", "minute": "min", "min": "min", "second": "s", "s": "s"}
_SESSIONS = {"XNYS": ("America/New_York", pd.Timedelta(hours=16))}
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "dollar_volume": "sum"}


@dataclass(frozen=True, slots=True)
class Clock:
    """A rule that turns stamps into row labels and labels into row ends.

    name : ``utc_day``, ``utc_hour``, ``utc_15min`` … or ``session:XNYS``; step : nominal length of a row.
    """

    name: str
    step: pd.Timedelta

    @classmethod
    def named(cls, name: str) -> Clock:
        """The clock of that name; an unknown one raises `OptionError` with the forms that exist."""
        match = re.fullmatch(r"utc_(\d*)(day|hour|minute|min|second|s)", name)
        if match:
            return cls(name, pd.Timedelta(int(match[1] or 1), _UNITS[match[2]]))
        if name.removeprefix("session:") in _SESSIONS and name.startswith("session:"):
            return cls(name, pd.Timedelta(days=1))
        sessions = ", ".join(f"session:{key}" for key in _SESSIONS)
        raise OptionError(f"clock={name!r} is not known: use utc_day, utc_hour, utc_<n>min, utc_<n>s or {sessions}.")

    @classmethod
    def inferred(cls, stamps: pd.DatetimeIndex) -> Clock:
        """The UTC clock whose step is the usual distance between neighbouring stamps."""
        if len(stamps) < 2:
            return cls.named("utc_day")
        gaps = np.diff(stamps.unique().sort_values().as_unit("ns").asi8)
        step = pd.Timedelta(int(np.median(gaps)), "ns")
        if step >= pd.Timedelta(hours=20):
            return cls.named("utc_day")
        for unit, word in (("h", "hour"), ("min", "min"), ("s", "s")):
            count = step / pd.Timedelta(1, unit)
            if count >= 1 and count == int(count):
                return cls.named(f"utc_{'' if count == 1 else int(count)}{word}")
        raise DataError(f"No clock has the step {step}: aggregate the bars to whole seconds, or pass clock=.")

    @property
    def session(self) -> str | None:
        """The exchange whose sessions make the rows, or None for a clock that never stops."""
        return self.name.removeprefix("session:") if self.name.startswith("session:") else None

    def label(self, stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The row in which each stamp lies; a stamp at midnight UTC names its session by date."""
        if self.session is None:
            return stamps.floor(self.step)
        zone = _SESSIONS[self.session][0]
        local = stamps.tz_convert(zone).tz_localize(None).normalize().tz_localize("UTC")
        return local.where(stamps != stamps.normalize(), stamps)

    def end(self, labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When each row ends; on half days the regular close is taken, which is late and so never leaks."""
        if self.session is None:
            return labels + self.step
        zone, close = _SESSIONS[self.session]
        return (labels.tz_localize(None) + close).tz_localize(zone).tz_convert("UTC")


def aggregate(bars: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    """Merge the bars that fall into one row: first open, highest high, lowest low, last close, summed volumes.

    A volume of which every part is missing stays missing; any other field keeps its last value.
    """
    if rows.is_unique:
        return bars.set_axis(rows, axis=0)
    groups = bars.groupby(np.asarray(rows))
    parts = {}
    for field in bars.columns:
        how = _HOW.get(field, "last")
        parts[field] = groups[field].sum(min_count=1) if how == "sum" else getattr(groups[field], how)()
    merged = pd.DataFrame(parts)
    merged.index = pd.DatetimeIndex(merged.index)
    return merged.tz_localize("UTC") if merged.index.tz is None else merged


def rows_as_of(available: pd.DatetimeIndex, ends: pd.DatetimeIndex) -> np.ndarray:
    """For each bar the first row that ends no earlier than the bar was available; ``len(ends)`` when there is none."""
    return np.asarray(ends.searchsorted(available, side="left"))
