"""Expected values by the clock: an hour of the day, a day of the week, has its own mean in the estimation window.

For the clock class c of a row and the n_ic estimation rows of asset i in it,

    y_it = a_ic + e_it ,    error of forecast   sigma_i^2 (1 + 1 / n_ic) ,
    of a sum with m_c rows in class c            sigma_i^2 (m + sum_c m_c^2 / n_ic) .

A scale that all assets share in a class (the open, the weekend) cancels in the two default tests, which studentise by
the date itself; for the others take a model with a moving variance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.episodes.study.expected.linear import mean_correlation
from drainstats.episodes.study.rows import bar_length
from drainstats.episodes.study.sample import EventSample
from drainstats.errors import DataError, OptionError, check_option
from drainstats.typing import FloatArray, IntArray

CLOCKS = ("auto", "time_of_day", "day_of_week", "both")
_DAY = pd.Timedelta("1D")


def clock_classes(index: pd.Index, clock: str, zone: str = "UTC") -> IntArray:
    """A whole number for every row (T,): which class of the clock it is in.

    Parameters
    ----------
    index : DatetimeIndex
    clock : {"auto", "time_of_day", "day_of_week", "both"}
        "auto": the time of day for bars shorter than a day, else the day of the week.
    zone : str, default "UTC"
        Time zone in which the clock is read; that of the exchange keeps summer time out of the classes.

    Raises
    ------
    DataError
        When the rows have no time stamps.
    """
    check_option("clock", clock, CLOCKS)
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError('model="seasonal" needs rows with time stamps; give the outcome a DatetimeIndex.')
    if clock == "auto":
        clock = "time_of_day" if bar_length(index) < _DAY else "day_of_week"
    try:
        local = index.tz_localize("UTC").tz_convert(zone) if index.tz is None else index.tz_convert(zone)
    except (KeyError, ValueError, TypeError) as error:
        raise OptionError(f"clock_zone={zone!r} is no time zone; write it as 'America/New_York'.") from error
    time = np.asarray(local.hour * 3600 + local.minute * 60 + local.second, dtype=np.int64)
    day = np.asarray(local.day_of_week, dtype=np.int64)
    labels = {"time_of_day": time, "day_of_week": day, "both": day * 86400 + time}[clock]
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


def seasonal_sample(
    estimation: FloatArray, event: FloatArray, classes: tuple[IntArray, IntArray], min_rows: int
) -> EventSample:
    """Fit class means to every asset of every date and standardise what came in the event window.

    Parameters
    ----------
    estimation, event : (..., L, n) and (..., m, n)
        Outcomes; NaN where missing.
    classes : (..., L, n or 1) and (..., m, n or 1)
        Of the rows. An event row whose class the estimation window has not seen makes the asset unusable.
    min_rows : int
    """
    seen = np.isfinite(estimation)
    inside = np.broadcast_to(classes[0], estimation.shape)
    ahead = np.broadcast_to(classes[1], event.shape)
    size = int(max(inside.max(initial=0), ahead.max(initial=0))) + 1
    # Deviations from the asset's own level first: sums of squares keep their digits.
    rows = seen.sum(axis=-2).astype(np.float64)
    level = np.where(seen, estimation, 0.0).sum(axis=-2) / np.maximum(rows, 1.0)
    y = np.where(seen, estimation - level[..., None, :], 0.0)
    count, total = (_by_class(v, inside, size) for v in (seen.astype(np.float64), y))
    means = total / np.maximum(count, 1.0)
    residual = np.where(seen, y - _pick(means, inside), 0.0)
    known = _pick(count, ahead) > 0
    abnormal = np.where(known, event - level[..., None, :] - _pick(means, ahead), np.nan)
    coefficients = (count > 0).sum(axis=-2)
    rss = (residual**2).sum(axis=-2)
    raw = np.where(seen, estimation, 0.0)
    flat = rss <= np.maximum(1e-28 * (raw**2).sum(axis=-2), 1e-12 * (y**2).sum(axis=-2))
    usable = (rows >= np.maximum(min_rows, coefficients + 1)) & ~flat & np.isfinite(abnormal).all(axis=-2)
    freedom = np.maximum(rows - coefficients, 1.0)
    sigma = np.sqrt(rss / freedom)
    error = sigma[..., None, :] * np.sqrt(1.0 + 1.0 / np.maximum(_pick(count, ahead), 1.0))
    repeats = _by_class(np.ones(event.shape), ahead, size)
    spread = (repeats**2 / np.maximum(count, 1.0)).sum(axis=-2)
    total_error = sigma * np.sqrt(event.shape[-2] + spread)
    weight = np.where(usable, np.sqrt(np.maximum(rows, 1.0) / np.where(usable, rss, 1.0)), 0.0)
    correlation = mean_correlation(residual, seen, weight)
    shown = np.where(seen, residual, np.nan)
    return EventSample(shown, abnormal, sigma, error, total_error, freedom, usable, correlation)


def _by_class(values: FloatArray, classes: IntArray, size: int) -> FloatArray:
    """Sums (..., size, n) of ``values`` (..., L, n) over the rows of each class."""
    *lead, _, n = values.shape
    units = np.arange(int(np.prod(lead, dtype=np.int64))).reshape(*lead, 1, 1)
    place = (units * size + classes) * n + np.arange(n)
    sums = np.bincount(place.ravel(), values.ravel(), minlength=units.size * size * n)
    return np.asarray(sums.reshape(*lead, size, n), dtype=np.float64)


def _pick(table: FloatArray, classes: IntArray) -> FloatArray:
    """From (..., size, n) the entry of every row's class, (..., L, n)."""
    return np.asarray(np.take_along_axis(table, classes, axis=-2))
