"""R² of liquidity month by month (Karolyi, Lee and van Dijk, 2012).

Within each month and asset the level of liquidity is filtered by its own lag and weekdays; the R² of what is left on
the others' mean residual, today's, yesterday's and tomorrow's, is the month's commonality. A share lies between 0 and
1, so averages and regressions use its logit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.measures.comovement.inference import Spans, mean_of
from drainstats.measures.comovement.marketmodel import others_mean, sums_of_squares
from drainstats.typing import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Months:
    """Levels (T, N) with the weights of the market, and the rows (M + 1,) at which months begin and end."""

    levels: FloatArray
    weights: FloatArray
    names: pd.PeriodIndex
    weekdays: IntArray
    edges: IntArray
    min_rows: int

    def r2(self) -> FloatArray:
        """R² (M, N), unadjusted; NaN where an asset has fewer than ``min_rows`` residuals in a month."""
        return self._r2(self.levels, self.weights)

    def turned(self, span: Spans, shifts: IntArray) -> FloatArray:
        """The mean R² of panels whose levels are turned by shifts (B, N), and their weights with them."""
        from drainstats.kernels import comovement

        levels, weights = np.empty_like(self.levels), np.empty_like(self.levels)
        out = np.empty(len(shifts))
        for b, by in enumerate(shifts):
            comovement.turn(self.levels, span.starts, span.lengths, by, levels)
            comovement.turn(self.weights, span.starts, span.lengths, by, weights)
            out[b] = mean_of(self._r2(levels, weights))
        return out

    def _r2(self, levels: FloatArray, weights: FloatArray) -> FloatArray:
        from drainstats.kernels import comovement

        rest = np.empty_like(levels)
        comovement.filtered(levels, self.weekdays, self.edges, self.min_rows, rest)
        spans = np.column_stack([self.edges[:-1], self.edges[1:]])
        none, ones = np.empty((0, *levels.shape)), np.ones(len(levels))
        left = sums_of_squares(rest, others_mean(rest, weights), none, 1, ones, spans, self.min_rows)
        return np.asarray(1 - left[:, 3] / left[:, 1])


def by_month(levels: FloatArray, weights: FloatArray, index: pd.DatetimeIndex, min_rows: int) -> Months:
    """Cut levels into months of the index's own clock."""
    months = index.tz_localize(None).to_period("M") if index.tz is not None else index.to_period("M")
    first = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
    weekdays = np.asarray(index.day_of_week, dtype=np.int64)
    return Months(levels, weights, months[first], weekdays, np.append(first, len(index)).astype(np.int64), min_rows)
