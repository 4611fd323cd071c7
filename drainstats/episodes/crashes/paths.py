"""Price paths on their own stamps: seconds and numbers, ties allowed, missing prices left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import as_wide, in_utc, to_pandas
from drainstats.typing import BoolArray, FloatArray

_LAST_SECOND = 1e11
"""Beyond the year 5000 in seconds, and 1973 in milliseconds."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Prices of one or more assets on one set of stamps.

    values : (T, N); seconds : (T,) since ``origin``, or as they came; index : T labels; columns : N names;
    single : whether one series came, not a table; origin : first stamp in UTC, None where the labels are numbers.
    """

    values: FloatArray
    seconds: FloatArray
    index: pd.Index
    columns: pd.Index
    single: bool
    origin: pd.Timestamp | None

    def one(self, column: int) -> tuple[BoolArray, FloatArray, FloatArray]:
        """Which rows of a column hold a price, their seconds and their prices."""
        known = np.isfinite(self.values[:, column])
        return known, self.seconds[known], self.values[known, column]

    def stamps(self, seconds: FloatArray) -> pd.Index:
        """Labels of moments given in seconds; NaN becomes NaT."""
        if self.origin is None:
            return pd.Index(seconds)
        whole = np.where(np.isfinite(seconds), np.rint(np.nan_to_num(seconds) * 1e9), 0.0).astype(np.int64)
        found = pd.DatetimeIndex(self.origin.as_unit("ns") + pd.to_timedelta(whole, unit="ns"))
        found = found.where(np.isfinite(seconds))
        zone = getattr(self.index, "tz", None)
        return found.tz_localize(None) if zone is None else found.tz_convert(zone)

    def in_seconds(self, times: Any, name: str) -> FloatArray:
        """Moments in the seconds of these paths: stamps where the prices have stamps, else numbers."""
        if self.origin is None:
            if isinstance(times, pd.DatetimeIndex):
                raise DataError(f"{name} holds stamps, the prices have none; give both in seconds or both as stamps.")
            found = np.asarray(times, dtype=np.float64)
        else:
            if len(times) and pd.api.types.is_number(times[0]):
                raise DataError(f"{name} holds numbers, the prices have stamps; give stamps.")
            try:
                stamps = in_utc(pd.DatetimeIndex(times)).as_unit("ns")
            except (TypeError, ValueError) as error:
                raise DataError(f"{name} holds no stamps, the prices do; give stamps.") from error
            found = (stamps.asi8 - self.origin.as_unit("ns").value) / 1e9
        if found.ndim != 1 or not np.isfinite(found).all() or (np.diff(found) < 0).any():
            raise DataError(f"{name} must be moments in time order, none missing.")
        return np.ascontiguousarray(found)


def price_paths(prices: Any, times: Any = None, name: str = "log_price", *, positive: bool = False) -> Paths:
    """Take a table, Series or array of prices apart.

    Parameters
    ----------
    prices : (T, N) table, Series or array
        Labels are stamps (naive ones are read as UTC) or seconds. An array without ``times`` has a row a second.
    times : (T,) stamps or seconds, optional
        For an array, or instead of the labels. They may repeat, not run backwards.
    positive : bool, default False
        Refuse prices that are not above zero.

    Raises
    ------
    DataError
        Stamps that are missing or run backwards, infinite prices, prices not above zero.
    """
    table = to_pandas(prices)
    labelled = isinstance(table, (pd.Series, pd.DataFrame))
    single = isinstance(table, pd.Series) or (not labelled and np.ndim(table) == 1)
    labels = table.index if labelled and times is None else pd.RangeIndex(len(table)) if times is None else times
    index = labels if isinstance(labels, pd.Index) else pd.Index(labels)
    if len(index) != len(table):
        raise DataError(f"times has {len(index)} rows, {name} {len(table)}: give one a row.")
    wide = as_wide(table.set_axis(pd.RangeIndex(len(table))) if labelled else table, name)
    if not len(wide.columns):
        raise DataError(f"{name} has no columns; pass at least one series of prices.")
    if np.isinf(wide.values).any():
        raise DataError(f"{name} has infinite numbers; set them to missing.")
    if positive and (wide.values <= 0).any():
        raise DataError(f"{name} has prices that are not above zero; set them to missing.")
    origin = None
    if isinstance(index, pd.DatetimeIndex):
        if index.hasnans:
            raise DataError(f"{name} has a row without a stamp; drop it.")
        whole = in_utc(index).as_unit("ns")
        origin = whole[0] if len(whole) else pd.Timestamp(0, tz="UTC")
        seconds = (whole.asi8 - origin.value) / 1e9
    elif pd.api.types.is_numeric_dtype(index):
        seconds = np.asarray(index, dtype=np.float64)
    else:
        raise DataError(f"{name} has labels that are neither stamps nor seconds; give it a time index.")
    if not np.isfinite(seconds).all() or (np.diff(seconds) < 0).any():
        raise DataError(f"{name}: the stamps are missing or run backwards; sort the rows by time.")
    if origin is None and len(seconds) and np.abs(seconds[[0, -1]]).max() > _LAST_SECOND:
        raise DataError(
            f"{name} has labels up to {seconds[-1]:.3g}, which are no seconds since 1970; convert milliseconds "
            "or finer ones to stamps with pandas.to_datetime(labels, unit='ms')."
        )
    return Paths(wide.values, np.ascontiguousarray(seconds), index, wide.columns, single, origin)


def stacked(frames: dict[Any, pd.DataFrame], paths: Paths) -> pd.DataFrame:
    """One frame of the assets' frames: as it is for a single series, else columns (quantity, asset)."""
    if paths.single:
        return next(iter(frames.values()))
    return pd.concat(frames, axis=1, sort=True).swaplevel(axis=1).sort_index(axis=1, level=0, sort_remaining=False)
