"""What tells a drain from volatility that all assets share, where the panel has it.

Thin books in many assets at once are no drain by themselves: makers answer volatility, and a market in which
volatility has quadrupled and nobody is forced to sell has two fifths of its depth. What a drain has and common
volatility has not:

forced sales
    liquidations as a share of the money that was traded, over all assets but the one with most of them, so that one
    asset's accident is not the market's:

        f_t = sum of liquidations / sum of dollar volume.

    Rare when f_t is at least ``forced_times`` its own trailing 99 % quantile. The onset is then dated by the share over
    all assets, in which the sales of the first one show.

depth beyond volatility
    with y_t the median over assets of log illiquidity above baseline and c_t the same of the price range, the part of
    y_t that a regression on 1, c_t and c_t-1 over the trailing rows leaves; rare when it stands `BEYOND` robust
    standard deviations above its own trailing median while the range stands `MOVED` above its own (books that were
    pulled while prices were calm are not a drain). Weaker: a drain raises volatility itself, and volatility then
    explains part of it.

Bars of prices have neither: there a drain and common volatility look alike.

Everything is asked of rows before the one that is judged, an earlier episode counting by its strongest row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.episodes.detection.stress import MAD_TO_SIGMA, Stress, row_median
from drainstats.typing import FloatArray, IntArray

FORCED = "forced sales"
BEYOND_VOLATILITY = "depth beyond volatility"
QUANTILE = 0.99
BEYOND, MOVED = 3.0, 1.5


def robust_z(value: float, earlier: FloatArray) -> float:
    """Robust standard deviations of a value above the median of earlier numbers; NaN when they do not vary."""
    centre = np.median(earlier)
    spread = MAD_TO_SIGMA * np.median(np.abs(earlier - centre))
    return float((value - centre) / spread) if spread > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class ForcedSales:
    """Rare forced sales: share (T, 2) of traded money, over all assets but one and over all; NaN where no feed was
    seen."""

    share: FloatArray
    times: float
    name: str = FORCED

    def unknown(self, row: int) -> bool:
        """Whether the row says nothing: no feed, or one that has shown nothing yet."""
        return bool(np.isnan(self.share[row, 0]) or not (self.share[: row + 1, 1] > 0).any())

    def holds(self, row: int, earlier: IntArray, which: int = 0) -> bool:
        """Whether forced sales of a row are rare among the earlier ones."""
        here, past = self.share[row, which], self.share[earlier, which]
        past = past[~np.isnan(past)]
        return bool(here > 0 and len(past) and here >= self.times * np.quantile(past, QUANTILE))

    def begins(self, row: int, earlier: IntArray) -> bool:
        """Whether the row may be the first: forced sales over all assets are rare."""
        return self.holds(row, earlier, 1)


@dataclass(frozen=True, slots=True)
class BeyondVolatility:
    """Books thinner than volatility explains: excess, moved (T,) medians over assets, in logs above baseline."""

    excess: FloatArray
    moved: FloatArray
    least: int
    name: str = BEYOND_VOLATILITY

    def begins(self, row: int, earlier: IntArray) -> bool:
        """Volatility does not date the onset."""
        return False

    def unknown(self, row: int) -> bool:
        """Whether the row says nothing."""
        return row == 0 or bool(np.isnan(self._regressors(np.array([row]))).any())

    def holds(self, row: int, earlier: IntArray) -> bool:
        """Whether a row is thinner than its volatility explains, and prices moved."""
        earlier = earlier[earlier > 0]
        x, y = self._regressors(earlier), self.excess[earlier]
        seen = ~(np.isnan(x).any(axis=1) | np.isnan(y))
        if seen.sum() < max(self.least, 3) or self.unknown(row) or np.isnan(self.excess[row]):
            return False
        slopes = np.linalg.lstsq(x[seen], y[seen], rcond=None)[0]
        left = y[seen] - x[seen] @ slopes
        here = self.excess[row] - float(self._regressors(np.array([row]))[0] @ slopes)
        return robust_z(here, left) >= BEYOND and robust_z(self.moved[row], self.moved[earlier[seen]]) >= MOVED

    def _regressors(self, rows: IntArray) -> FloatArray:
        return np.column_stack([np.ones(len(rows)), self.moved[rows], self.moved[rows - 1]])


Corroboration = ForcedSales | BeyondVolatility


def forced_share(liquidations: pd.DataFrame, money: pd.DataFrame) -> FloatArray:
    """Share of the money that was liquidated (T, 2): over all assets but the one with most, and over all.

    From liquidations and dollar volume (T, N) in quote currency.
    """
    sold, traded = liquidations.to_numpy(dtype=np.float64), money.to_numpy(dtype=np.float64)
    seen = ~(np.isnan(sold) | np.isnan(traded))
    sold, traded = np.where(seen, sold, 0.0), np.where(seen, traded, 0.0)
    rows, top = np.arange(len(sold)), np.argmax(sold, axis=1)
    most_sold, most_traded = sold[rows, top], traded[rows, top]
    sums = np.column_stack([sold.sum(axis=1) - most_sold, sold.sum(axis=1)])
    base = np.column_stack([traded.sum(axis=1) - most_traded, traded.sum(axis=1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(base > 0, np.maximum(sums / base, 0.0), np.nan)
    return share


def beyond_volatility(books: Stress, ranges: Stress, min_assets: int, least: int) -> BeyondVolatility:
    """What volatility leaves of thin books, from the stress of both; rows of fewer than ``min_assets`` say nothing."""
    excess, moved = (np.where(s.observed >= min_assets, row_median(s.excess), np.nan) for s in (books, ranges))
    return BeyondVolatility(excess, moved, least)
