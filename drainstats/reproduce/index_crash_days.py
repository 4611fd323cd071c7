"""Falls of share indices on days that everybody knows, and levels of the VIX.

Closing-level facts of the reports on October 1987 (Brady Commission 1988, Roll 1988), on 6 May 2010 (CFTC and SEC 2010)
and of the daily record. They are remembered and not looked up; a series of closes that is shifted by a day, filled
over holidays or adjusted fails them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.panel.panel import LiquidityPanel
from drainstats.reproduce.runner import Item
from drainstats.sources.tables import read_bars

KEY = "index-crash-days"
PAPER = (
    "Brady Commission (1988); Roll (1988), Financial Analysts Journal 44(5), 19-35; CFTC and SEC (2010); closing values"
)
INDICES = ("DJ", "FTSE", "HSI", "NIKKEI", "SP500", "VIX")
FALLS = {
    ("SP500", "1987-10-19"): -20.47,
    ("DJ", "1987-10-19"): -22.61,
    ("FTSE", "1987-10-19"): -10.84,
    ("FTSE", "1987-10-20"): -12.22,
    ("HSI", "1987-10-26"): -33.33,
    ("NIKKEI", "1987-10-20"): -14.90,
    ("SP500", "2008-10-15"): -9.03,
    ("SP500", "2010-05-06"): -3.24,
    ("DJ", "2010-05-06"): -3.20,
    ("SP500", "2015-08-24"): -3.94,
    ("DJ", "2015-08-24"): -3.57,
}
POINTS = {
    ("DJ", "1987-10-19"): -508.0,
    ("DJ", "2015-08-24"): -588.4,
    ("NIKKEI", "1987-10-20"): -3836.48,
    ("HSI", "1987-10-26"): -1120.7,
}
LEVELS = {
    ("VIX", "2008-11-20"): 80.86,
    ("VIX", "2015-08-24"): 40.74,
    ("VIX", "2010-05-06"): 32.80,
    ("SP500", "1987-10-19"): 224.84,
}


def reproduce(folder: Path) -> list[Item]:
    """Each close against the close before it on the same exchange, which need not be the row before."""
    panel = LiquidityPanel.from_bars({name: read_bars(folder / f"{name}.csv") for name in INDICES}, "utc_day")
    closes = {name: panel["close"][name].dropna() for name in INDICES}
    changes = {name: close.diff() for name, close in closes.items()}
    falls = {name: 100.0 * np.expm1(np.log(close).diff()) for name, close in closes.items()}
    return [
        *_items(FALLS, falls, "fall, percent", 0.02, "two printed decimals, and different rounding in the press"),
        *_items(POINTS, changes, "change, points", 1.0, "press figures are rounded to a point or less"),
        *_items(LEVELS, closes, "close", 0.01, "two printed decimals"),
    ]


def _items(
    printed: dict[tuple[str, str], float], ours: dict[str, pd.Series], what: str, tolerance: float, reason: str
) -> list[Item]:
    return [
        Item(KEY, f"{name} {day}: {what}", value, "memory", float(ours[name].loc[day]), tolerance, reason)
        for (name, day), value in printed.items()
    ]
