"""R² of liquidity month by month (Karolyi, Lee and van Dijk, 2012).

Within each month and asset the level of liquidity is filtered by its own lag and weekdays; the R² of what is left on
the others' mean residual, today's, yesterday's and tomorrow's, is the month's commonality. A share lies between 0 and
1, so averages and regressions use its logit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.measures.comovement.marketmodel import design, fit
from drainstats.typing import FloatArray


def month_r2(levels: FloatArray, index: pd.DatetimeIndex, min_rows: int) -> tuple[pd.PeriodIndex, FloatArray]:
    """Months and the (M, N) R² of each, unadjusted; NaN where an asset has fewer than ``min_rows`` residuals."""
    months = index.tz_localize(None).to_period("M") if index.tz is not None else index.to_period("M")
    before = np.concatenate([np.full((1, levels.shape[1]), np.nan), levels[:-1]])
    weekdays = np.asarray(index.day_of_week)
    names = months.unique()
    out = np.full((len(names), levels.shape[1]), np.nan)
    for position, month in enumerate(names):
        rows = np.asarray(months == month)
        residuals = filtered(levels[rows], before[rows], weekdays[rows], min_rows)
        d = design(residuals, 1)
        found = fit(d, min_rows)
        k = d.x.shape[2]
        # The paper's R² is not adjusted.
        out[position] = 1 - (1 - found.r2) * (found.rows - k) / (found.rows - 1)
    return names, out


def filtered(levels: FloatArray, before: FloatArray, weekdays: FloatArray, min_rows: int) -> FloatArray:
    """Residuals (D, N) of each asset's level on its own lag and one constant a weekday."""
    used = np.isfinite(levels) & np.isfinite(before)
    y, lag = np.where(used, levels, 0.0), np.where(used, before, 0.0)
    for day in np.unique(weekdays):
        here = (weekdays == day)[:, None] & used
        count = np.maximum(here.sum(axis=0), 1)
        y = np.where(here, y - (y * here).sum(axis=0) / count, y)
        lag = np.where(here, lag - (lag * here).sum(axis=0) / count, lag)
    spread = (lag**2).sum(axis=0)
    slope = np.divide((lag * y).sum(axis=0), spread, out=np.zeros_like(spread), where=spread > 0)
    enough = used.sum(axis=0) >= min_rows
    return np.where(used & enough, y - slope * lag, np.nan)
