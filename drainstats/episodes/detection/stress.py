"""How far each asset's illiquidity stands above its own trailing baseline, and how many stand there at once.

With x the log of illiquidity, the baseline of an asset is the median of x over the trailing window at the same time of
day, and its stress is z = (x − median) / (1.4826 · MAD). The row itself is not part of its baseline. Breadth is the
share of observed assets with z above a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.typing import FloatArray, IntArray

MAD_TO_SIGMA = 1.4826


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
    frame: pd.DataFrame, *, baseline: pd.Timedelta, min_baseline: int, line: float, min_assets: int
) -> Stress:
    """Stress and breadth of a time × asset table of illiquidity (see the module's text)."""
    x = log_illiquidity(frame)
    median, mad = _baselines(x, frame.index, baseline, min_baseline)
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


def _baselines(
    x: FloatArray, index: pd.DatetimeIndex, baseline: pd.Timedelta, min_baseline: int
) -> tuple[FloatArray, FloatArray]:
    from drainstats.kernels import robust

    median, mad = np.empty_like(x), np.empty_like(x)
    clock_time = (index - index.normalize()).as_unit("ns").asi8
    for slot in np.unique(clock_time):
        rows = np.flatnonzero(clock_time == slot)
        centre, spread = np.empty((len(rows), x.shape[1])), np.empty((len(rows), x.shape[1]))
        starts = window_starts(index[rows], baseline)
        robust.trailing_median_mad(np.ascontiguousarray(x[rows]), starts, min_baseline, centre, spread)
        median[rows], mad[rows] = centre, spread
    return median, mad
