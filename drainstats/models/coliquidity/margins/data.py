"""What a margin is fitted to: a series with its gaps, the regressors of its mean, and those of its variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import Wide, as_wide
from drainstats.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.garch import GARCH


@dataclass(frozen=True, slots=True)
class Sample:
    """One series as the recursion takes it, from the first row with a known shock on.

    y (T,): NaN where the shock is not known; X (T, M): regressors of the mean, 0 there; W (T, V): regressors of the
    variance; first: the row of the table where it begins; rows: number of known shocks.
    """

    y: FloatArray
    X: FloatArray
    W: FloatArray
    first: int
    rows: int

    @property
    def known(self) -> BoolArray:
        """Rows (T,) with a known shock."""
        return ~np.isnan(self.y)

    def scaled(self, shift: float, scale: float, lagged: slice, loads: FloatArray) -> Sample:
        """The sample of (y - shift) / scale; ``loads`` (V,) divide the regressors of the variance."""
        X = self.X
        if X[:, lagged].shape[1]:
            X = X.copy()
            X[:, lagged] /= scale
        return Sample((self.y - shift) / scale, X, self.W / loads, self.first, self.rows)


@dataclass(frozen=True, slots=True)
class Regressors:
    """Regressors that all series share: values (T, k) and their names."""

    values: FloatArray
    names: tuple[str, ...]


def plain_sample(spec: GARCH, y: FloatArray) -> Sample:
    """A series without gaps, lags and regressors."""
    X = np.ones((len(y), 1)) if spec.mean == "constant" else np.empty((len(y), 0))
    return Sample(np.ascontiguousarray(y), X, np.empty((len(y), 0)), 0, len(y))


def make_sample(
    spec: GARCH,
    past: FloatArray,
    y: FloatArray,
    mean_x: FloatArray,
    variance_x: FloatArray,
    to_end: bool = False,
) -> Sample:
    """Put one series (T,) behind its ``past`` (L,) beside its regressors (T, k); cut to the rows that can be used.

    ``to_end``: rows after the last known shock stay.
    """
    lagged = lag_columns(spec, np.concatenate([past, y]), len(y))
    ones = np.ones((len(y), 0 if spec.mean == "zero" else 1))
    X = np.concatenate([ones, lagged, mean_x], axis=1) if lagged.size or mean_x.size else ones
    known = ~np.isnan(y)
    if lagged.size:
        known &= ~np.isnan(lagged).any(axis=1)
    places = np.flatnonzero(known)
    if len(places) == len(y):
        return Sample(np.ascontiguousarray(y), X, variance_x, 0, len(y))
    first, end = (int(places[0]), len(y) if to_end else int(places[-1]) + 1) if len(places) else (0, 0)
    y, X = np.where(known, y, np.nan)[first:end], np.where(known[:, None], X, 0.0)[first:end]
    return Sample(y, X, variance_x[first:end], first, len(places))


def lag_columns(spec: GARCH, values: FloatArray, rows: int) -> FloatArray:
    """Lagged regressors (rows, m) of the last ``rows`` of ``values``; NaN where one is not known.

    An average of the heterogeneous autoregression is that of the values that are there.
    """
    lags, end = spec.lag_set, len(values)
    if spec.mean == "har":
        total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
        count = np.concatenate([[0.0], np.cumsum(~np.isnan(values))])
        stop = np.arange(end - rows, end)
        out = [
            (total[stop] - total[stop - lag]) / np.where((n := count[stop] - count[stop - lag]) > 0, n, np.nan)
            for lag in lags
        ]
    else:
        out = [values[end - rows - lag : end - lag] for lag in lags]
    return np.column_stack(out) if out else np.empty((rows, 0))


def regressors(data: Any, wide: Wide, name: str, prefix: str, least: float = -np.inf) -> Regressors:
    """Take a table of regressors apart and insist that it stands on the rows of the data."""
    if data is None:
        return Regressors(np.empty((len(wide.values), 0)), ())
    table = as_wide(data, name)
    if len(table.values) != len(wide.values):
        raise DataError(f"{name} has {len(table.values)} rows and y has {len(wide.values)}; pass one row a time step.")
    labelled = table.kind in ("frame", "series") and wide.kind in ("frame", "series")
    if labelled and not table.index.equals(wide.index):
        raise DataError(f"{name} and y have different time labels; align them with {name}.reindex(y.index).")
    bad = ~np.isfinite(table.values)
    if bad.any():
        row, column = (int(k[0]) for k in np.nonzero(bad))
        raise DataError(
            f"{name} has a missing or infinite value, and a regressor must be known in every row; fill it by a rule of "
            "your own. The first stands at",
            row=table.index[row],
            column=table.columns[column],
        )
    if (table.values < least).any():
        column = table.columns[int((table.values < least).any(axis=0).argmax())]
        raise DataError(
            f"{name} must be {least:g} or more in the variance of a GARCH, whose coefficients are not negative; square "
            "it, or use EGARCH.",
            column=column,
        )
    return Regressors(table.values, tuple(f"{prefix}.{c}" for c in table.columns))


def seasonal_dummies(index: Any, period: str = "weekday") -> pd.DataFrame:
    """Dummies of a calendar for the mean or the variance of a margin.

    Parameters
    ----------
    index : DatetimeIndex of T rows
    period : {"weekday", "hour", "month"}, default "weekday"

    Returns
    -------
    (T, k - 1) frame of zeros and ones, one column a value of the calendar but the first, which the constant stands for.
    Known in advance, so that nothing looks ahead.

    Raises
    ------
    OptionError
        An index without dates, or another period.

    Examples
    --------
    >>> import pandas as pd
    >>> list(seasonal_dummies(pd.date_range("2024-01-01", periods=6)))
    ['weekday1', 'weekday2', 'weekday3', 'weekday4', 'weekday5']
    """
    if period not in ("weekday", "hour", "month"):
        raise OptionError(f"period={period!r} is unknown; the periods are weekday, hour, month.")
    if not isinstance(index, pd.DatetimeIndex):
        raise OptionError(f"seasonal_dummies needs an index of dates, a {type(index).__name__} came.")
    values = np.asarray(getattr(index, "day_of_week" if period == "weekday" else period))
    levels = np.unique(values)[1:]
    table = (values[:, None] == levels).astype(np.float64)
    return pd.DataFrame(table, index=index, columns=[f"{period}{level}" for level in levels])
