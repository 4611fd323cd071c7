"""Momentum crashes: moments of winners minus losers, and its worst months, which follow two bad years of the market.

Daniel and Moskowitz (2016) build their own deciles from CRSP; here the deciles of the public data library (value
weights, ranked on months -12 to -2) take their place, so that the worst months are the same and their size differs by
up to seven points. Barroso and Santa-Clara (2015) use the library, whose history is revised with each vintage of CRSP.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.reproduce.runner import Item

KEY = "daniel-moskowitz-2016-momentum-crashes"
PAPER = (
    "Daniel and Moskowitz (2016), Momentum crashes, J. Financial Economics 122, 221-247; Barroso and Santa-Clara "
    "(2015), Momentum has its moments, J. Financial Economics 116, 111-120"
)
MOMENTS = {
    "largest month, percent": 26.18,
    "smallest month, percent": -78.96,
    "mean, percent a year": 14.46,
    "standard deviation, percent a year": 27.53,
    "excess kurtosis": 18.24,
    "skewness": -2.47,
    "Sharpe ratio": 0.53,
}
WORST = {
    193208: -74.36,
    193207: -60.98,
    200101: -49.19,
    200904: -45.52,
    193909: -43.83,
    193304: -43.14,
    200903: -42.28,
}
VINTAGE = "remembered, not looked up; the library is revised with each vintage of CRSP: 3 % of the printed number"
OWN_DECILES = "remembered, not looked up; the authors form their own deciles: same months, up to 7 points off"
_ROW = re.compile(r"^(\d{6})((?:,\s*-?[\d.]+)+)\s*$")


def reproduce(folder: Path) -> list[Item]:
    """Moments over March 1927 to December 2011, worst months to March 2013, both of monthly percent returns.

    Skewness and kurtosis are corrected for the bias of small samples.
    """
    wml = winners_minus_losers(folder)
    sample = wml.loc[192703:201112]
    moments = [
        Item(KEY, f"WML 1927-03 to 2011-12: {name}", printed, "memory", ours, 0.03 * abs(printed), VINTAGE)
        for (name, printed), ours in zip(MOMENTS.items(), _moments(sample), strict=True)
    ]
    months = [
        Item(KEY, f"WML {month}, percent", printed, "memory", float(wml[month]), 8.0, OWN_DECILES)
        for month, printed in WORST.items()
    ]
    lowest = set(wml.loc[:201303].nsmallest(len(WORST)).index)
    same = float(len(lowest & set(WORST)))
    whole = Item(KEY, "the seven worst months to 2013-03 that are the printed ones", 7.0, "memory", same, 0.0, "a set")
    return [*moments, *months, whole]


def winners_minus_losers(folder: Path) -> pd.Series:
    """Highest less lowest decile of past returns, value-weighted, in percent by month (YYYYMM)."""
    deciles = first_block(folder / "10_Portfolios_Prior_12_2.CSV")
    return deciles.iloc[:, -1] - deciles.iloc[:, 0]


def past_two_years(folder: Path) -> pd.Series:
    """Return of the market over the 24 months before each month, in percent."""
    factors = first_block(folder / "F-F_Research_Data_Factors.CSV")
    growth = np.log1p((factors.iloc[:, 0] + factors.iloc[:, -1]) / 100.0)
    return 100.0 * np.expm1(growth.rolling(24).sum().shift())


def first_block(path: Path) -> pd.DataFrame:
    """The first table of a file of the data library: months in rows, -99.99 as missing."""
    rows: dict[int, list[float]] = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        found = _ROW.match(line.strip())
        if found:
            rows[int(found[1])] = [float(cell) for cell in found[2].split(",")[1:]]
        elif rows:
            break
    return pd.DataFrame.from_dict(rows, orient="index").replace([-99.99, -999.0], np.nan)


def _moments(monthly: pd.Series) -> list[float]:
    mean, deviation = 12.0 * monthly.mean(), np.sqrt(12.0) * monthly.std()
    values = [monthly.max(), monthly.min(), mean, deviation, monthly.kurt(), monthly.skew(), mean / deviation]
    return [float(v) for v in values]
