"""Returns in blocks, days or trailing windows of a price path, and sums of products of neighbours in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.paths import Paths
from drainstats.errors import DataError, OptionError
from drainstats.frames import as_wide
from drainstats.measures.inputs import window_mean
from drainstats.typing import BoolArray, FloatArray, IntArray

Overnight = Literal["drop", "keep"]


@dataclass(frozen=True, slots=True)
class Days:
    """Blocks by day. group (n,): place of a return's day among the labels; size (G,): returns of each day."""

    group: IntArray
    size: FloatArray
    labels: pd.Index

    def inside(self, reach: int) -> BoolArray:
        """Rows (n,) whose return ``reach`` rows earlier is of the same day."""
        found = np.ones(len(self.group), dtype=np.bool_)
        if reach:
            found[:reach] = False
            found[reach:] = self.group[reach:] == self.group[:-reach]
        return found

    def total(self, values: FloatArray, reach: int = 0) -> FloatArray:
        """Sums (G,) of values (n,), row i of which uses the returns i − reach to i of its day."""
        found = np.bincount(self.group, np.where(self.inside(reach), values, 0.0), len(self.labels))
        return found.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Windows:
    """Blocks of the last ``width`` returns, one ending at each return; size (n,): NaN before the first full one."""

    width: int
    size: FloatArray
    labels: pd.Index

    def total(self, values: FloatArray, reach: int = 0) -> FloatArray:
        """Sums (n,) of values (n,), row i of which uses the returns i − reach to i; NaN before the first window."""
        width = self.width - reach
        found = window_mean(np.where(np.isfinite(values), values, 0.0)[:, None], width)[:, 0] * width
        found[: self.width - 1] = np.nan
        return found


Blocks: TypeAlias = Days | Windows


def day_of(paths: Paths) -> IntArray:
    """Days (T,) since 1970 in UTC of the rows; 86 400 seconds each where the labels are seconds."""
    start = 0.0 if paths.origin is None else paths.origin.as_unit("ns").value / 1e9
    return np.asarray(np.floor((paths.seconds + start) / 86400.0), dtype=np.int64)


def kept_returns(paths: Paths, column: int, overnight: str) -> tuple[IntArray, FloatArray]:
    """Rows (n,) of a column that end a return, and the returns (n,); with "drop" only those within a day."""
    known, _, values = paths.one(column)
    rows = np.flatnonzero(known)
    returns, ends = np.diff(values), rows[1:]
    if overnight == "drop":
        day = day_of(paths)
        same = day[rows[1:]] == day[rows[:-1]]
        returns, ends = returns[same], ends[same]
    return ends, returns


def factors_of(seasonality: Any, paths: Paths) -> FloatArray:
    """Factors (T, N) that returns are divided by; ones without a seasonality."""
    if seasonality is None:
        return np.ones(paths.values.shape)
    factors = as_wide(seasonality, "seasonality").values
    if factors.shape != paths.values.shape:
        raise DataError(f"seasonality is {factors.shape}, log_price {paths.values.shape}: one factor a price.")
    return factors


def with_factors(ends: IntArray, returns: FloatArray, factors: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Rows, returns and factors (n,) of the returns whose row has a factor above zero; factors (T,)."""
    factor = factors[ends]
    usable = np.isfinite(factor) & (factor > 0)
    return ends[usable], returns[usable], factor[usable]


def blocks_of(paths: Paths, ends: IntArray, by: str | int) -> Blocks:
    """Days or trailing windows of the returns that end in these rows."""
    if isinstance(by, str):
        if by != "day":
            raise OptionError(f"by={by!r} is not 'day' and no whole number of returns.")
        day = day_of(paths)
        every = np.unique(day)
        group = np.searchsorted(every, day[ends])
        labels: Any = pd.Index(every, name="day")
        if paths.origin is not None:
            labels = pd.DatetimeIndex(pd.to_datetime(every, unit="D", utc=True), name="day")
        return Days(group, np.bincount(group, minlength=len(every)).astype(np.float64), labels)
    if isinstance(by, bool) or not isinstance(by, (int, np.integer)) or by < 5:
        raise OptionError(f"by={by!r} must be 'day' or a whole number of returns, at least 5.")
    if len(ends) < by:
        raise DataError(f"{len(ends)} returns came, fewer than the window of {by}: pass more prices or a shorter one.")
    size = np.full(len(ends), float(by))
    size[: by - 1] = np.nan
    return Windows(int(by), size, paths.index[ends])
