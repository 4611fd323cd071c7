"""How far each asset's illiquidity stands above its own trailing baseline, and how many stand there at once.

With x the log of illiquidity, the baseline of an asset is the median of x over the trailing window at the same time of
day, and its stress is z = (x − median) / (1.4826 · MAD). The row itself is not part of its baseline. Breadth is the
share of observed assets with z above a line.

Not observed are readings that are not above zero (a lost feed reads as zero depth), assets without a baseline yet, and
readings that repeat to the last digit for ``stale`` rows: a feed that stands still says nothing, least of all that
the market is calm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.typing import BoolArray, FloatArray, IntArray

MAD_TO_SIGMA = 1.4826
DAY = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Stress:
    """Arrays over T rows and N assets: excess (T, N) log illiquidity above baseline; z (T, N); breadth, observed,
    centre (T,): share above the line, number of assets with a baseline, median z; breadth and centre are NaN where too
    few assets have one."""

    excess: FloatArray
    z: FloatArray
    breadth: FloatArray
    observed: IntArray
    centre: FloatArray


def row_median(values: FloatArray) -> FloatArray:
    """Median of the numbers of each row; NaN for a row without one."""
    out = np.full(len(values), np.nan)
    seen = ~np.isnan(values).all(axis=1)
    out[seen] = np.nanmedian(values[seen], axis=1)
    return out


def log_illiquidity(frame: pd.DataFrame) -> FloatArray:
    """Logs; what is not positive has no log and counts as not observed."""
    values = frame.to_numpy(dtype=np.float64, copy=True)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError(
            "Illiquidity is infinite; set it to missing.", row=frame.index[row], column=frame.columns[column]
        )
    if values.size and not (values > 0).any():
        raise DataError("Illiquidity is nowhere above zero, so it has no logarithm; pass levels, not changes or logs.")
    values[~(values > 0)] = np.nan
    return np.log(values)


def measure_stress(
    frame: pd.DataFrame,
    *,
    baseline: pd.Timedelta,
    min_baseline: int,
    line: float,
    min_assets: int,
    stale: int = 10,
    within: pd.Timedelta = pd.Timedelta(0),  # noqa: B008
    slots: IntArray | None = None,
) -> Stress:
    """Stress and breadth of a time × asset table of illiquidity (see the module's text).

    ``within``: how far from the row's time of day a bar of its baseline may lie; ``slots``: (T,) times of day in
    nanoseconds, where they are not those of UTC.
    """
    x = log_illiquidity(frame)
    x[stale_readings(x, stale)] = np.nan
    times = clock_times(frame.index) if slots is None else slots
    median, mad = _baselines(x, frame.index, times, within, baseline, min_baseline)
    excess = x - median
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(mad > 0, excess / (MAD_TO_SIGMA * mad), np.nan)
    seen = ~np.isnan(z)
    observed = seen.sum(axis=1)
    above = (np.nan_to_num(z, nan=-np.inf) > line).sum(axis=1)
    enough = observed >= min_assets
    breadth = np.where(enough, above / np.maximum(observed, 1), np.nan)
    centre = np.where(enough, row_median(z), np.nan)
    return Stress(excess, z, breadth, observed, centre)


def window_starts(index: pd.DatetimeIndex, baseline: pd.Timedelta) -> IntArray:
    """The first row of the trailing window of every row."""
    return np.asarray(index.searchsorted(index - baseline, side="left"), dtype=np.int64)


def clock_times(index: pd.DatetimeIndex) -> IntArray:
    """Time of day of each label in nanoseconds, on the clock of the labels' zone."""
    seconds = np.asarray((index.hour * 60 + index.minute) * 60 + index.second, dtype=np.int64)
    return seconds * 10**9 + np.asarray(index.microsecond, dtype=np.int64) * 1000 + np.asarray(index.nanosecond)


def stale_readings(x: FloatArray, length: int) -> BoolArray:
    """Which of (T, N) readings are the ``length``-th or a later one of a run of equal numbers."""
    rows = np.arange(len(x))[:, None]
    fresh = np.ones(x.shape, dtype=bool)
    fresh[1:] = x[1:] != x[:-1]
    began = np.maximum.accumulate(np.where(fresh, rows, 0), axis=0)
    return rows - began >= length - 1


def _baselines(
    x: FloatArray,
    index: pd.DatetimeIndex,
    times: IntArray,
    within: pd.Timedelta,
    baseline: pd.Timedelta,
    min_baseline: int,
) -> tuple[FloatArray, FloatArray]:
    """Trailing median and MAD (T, N) among the bars of about the same time of day."""
    from drainstats.kernels import robust

    median, mad = np.empty_like(x), np.empty_like(x)
    slots, slot = np.unique(times, return_inverse=True)
    done: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    for k, time in enumerate(slots):
        apart = np.abs(slots - time)
        near = np.minimum(apart, DAY - apart) <= within.as_unit("ns").value
        rows = np.flatnonzero(near[slot])
        key = near.tobytes()
        if key not in done:
            centre, spread = np.empty((len(rows), x.shape[1])), np.empty((len(rows), x.shape[1]))
            starts = window_starts(index[rows], baseline)
            robust.trailing_median_mad(np.ascontiguousarray(x[rows]), starts, min_baseline, centre, spread)
            done = {key: (centre, spread)}
        own = slot[rows] == k
        median[rows[own]], mad[rows[own]] = done[key][0][own], done[key][1][own]
    return median, mad


def duration(name: str, value: Any, least: int = 0) -> pd.Timedelta:
    """A length of time above ``least`` nanoseconds, or a sentence."""
    try:
        length = pd.Timedelta(value)
    except (TypeError, ValueError):
        length = pd.NaT
    # A bare number would be nanoseconds, which nobody means.
    if isinstance(value, (int, float)) or pd.isna(length) or not length > pd.Timedelta(least, "ns"):
        floor = "above zero, such as '365D'" if least == 0 else "of zero or more, such as '1h'"
        raise OptionError(f"{name}={value!r} must be a length of time {floor}.")
    return length
