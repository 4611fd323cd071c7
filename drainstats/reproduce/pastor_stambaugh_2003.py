"""The aggregate liquidity of Pastor and Stambaugh (2003): its worst months, moments, and its tie to the market.

The gammas of single shares need CRSP; here the authors' own monthly series (update of 2023), August 1962 to December
1999 as in the article, is summarised. Its printed numbers are remembered and not looked up again, and the series is
revised with each vintage of CRSP.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.measures.regressions import rolling_regression
from drainstats.reproduce.runner import Item

KEY = "pastor-stambaugh-2003"
PAPER = "Pastor and Stambaugh (2003), Journal of Political Economy 111(3), 642-685"
FIRST, LAST = 196208, 199912
WORST = (198710, 197311, 199809, 197005)
ROUNDING = (0.005, "half of the last printed digit; remembered, not looked up")
REVISION = (0.035, "the series is revised with each vintage of CRSP; remembered, not looked up")
MOMENTS = {
    "mean of the level": (-0.03, *ROUNDING),
    "median of the level": (-0.02, *ROUNDING),
    "autocorrelation of the level": (0.22, *REVISION),
    "correlation of innovations and market": (0.36, *REVISION),
    "the same in months with a negative market": (0.52, *REVISION),
    "the same in the other months": (0.03, *REVISION),
}
_ROW = re.compile(r"^(\d{6})\s*,\s*(-?[\d.]+),\s*-?[\d.]+,\s*-?[\d.]+,\s*(-?[\d.]+)\s*$", re.MULTILINE)


def reproduce(folder: Path) -> list[Item]:
    """Market: the return of all shares, that is the excess return and the bill rate of the data library."""
    table = pd.read_csv(folder / "liq.csv", index_col="month").loc[FIRST:LAST]
    level, innovation = table["agg_liq"], table["innov_liq_eq8"]
    market = _market(folder / "F-F_Research_Data_Factors.CSV").reindex(table.index)
    past = rolling_regression(level, {"past": level.shift()}, window=len(level), errors="classical")
    down = market < 0
    ours = [
        level.mean(),
        level.median(),
        past.coefficients["past"].estimate.iloc[-1],
        innovation.corr(market),
        innovation[down].corr(market[down]),
        innovation[~down].corr(market[~down]),
    ]
    place = level.rank()
    ranks = [
        Item(KEY, f"rank of {month} among drops", rank, "memory", float(place[month]), 0.0, "the order of the months")
        for rank, month in enumerate(WORST, start=1)
    ]
    return ranks + [
        Item(KEY, name, printed, "memory", float(value), tolerance, reason)
        for (name, (printed, tolerance, reason)), value in zip(MOMENTS.items(), ours, strict=True)
    ]


def _market(path: Path) -> pd.Series:
    """Monthly returns of the market in percent by month (YYYYMM); the file's annual part has shorter labels."""
    rows = _ROW.findall(path.read_text(encoding="latin-1"))
    months = [int(month) for month, _, _ in rows]
    return pd.Series(np.array([float(excess) + float(bill) for _, excess, bill in rows]), index=months)
