"""Putting series on one scale before their components are taken."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import Wide
from drainstats.typing import FloatArray

Standardise = Literal["own", "own_past", "average_past", "time_of_day", "none"]
STANDARDISE = ("own", "own_past", "average_past", "time_of_day", "none")


def standardised(wide: Wide, how: Standardise, min_past: int) -> FloatArray:
    """The (T, N) series less a mean, over a standard deviation; NaN where a series does not vary.

    "own": the series' own, of all rows. "own_past": of its rows before this one, at least ``min_past``. "average_past":
    of the cross-sectional average in the rows before (Korajczyk and Sadka, 2008). "time_of_day": of its rows at the
    same time of day (Hasbrouck and Seppi, 2001).
    """
    values = wide.values
    if how == "none":
        return values
    if how == "own":
        return _scaled(values)
    if how == "time_of_day":
        return _by_time_of_day(values, wide.index)
    if how == "own_past":
        mean, deviation = _past(values, min_past)
    else:
        there = np.isfinite(values)
        count = there.sum(axis=1)
        average = np.where(there, values, 0.0).sum(axis=1) / np.where(count, count, np.nan)
        mean, deviation = _past(average[:, None], min_past)
    return np.asarray((values - mean) / deviation)


def _scaled(values: FloatArray) -> FloatArray:
    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, values, 0.0).sum(axis=0) / count
    away = values - mean
    square = np.where(there, away**2, 0.0).sum(axis=0) / count
    varies = square > 1e-24 * (square + mean**2)
    return np.asarray(away / np.sqrt(np.where(varies, square, np.nan)))


def _by_time_of_day(values: FloatArray, index: pd.Index) -> FloatArray:
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError('standardise="time_of_day" needs a table whose index is time stamps.')
    since = np.asarray(index - index.normalize())
    out = np.empty_like(values)
    for moment in np.unique(since):
        rows = since == moment
        out[rows] = _scaled(values[rows])
    return out


def _past(values: FloatArray, min_past: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (divisor n) of the rows before; NaN with fewer than ``min_past`` numbers."""
    there = np.isfinite(values)
    # About the first number, so that squares do not drown a small spread in a large mean.
    first = np.where(there.any(axis=0), values[there.argmax(axis=0), np.arange(values.shape[1])], 0.0)
    filled = np.where(there, values - first, 0.0)
    count = np.cumsum(there, axis=0) - there
    total, square = np.cumsum(filled, axis=0) - filled, np.cumsum(filled**2, axis=0) - filled**2
    enough = np.where(count >= min_past, count, np.nan)
    mean = total / enough
    variance = square / enough - mean**2
    varies = variance > 1e-14 * (square / enough + 1e-300)
    return mean + first, np.sqrt(np.where(varies, variance, np.nan))
