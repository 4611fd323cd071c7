"""Cumulative abnormal returns of 33 markets after 11 September 2001: Chen and Siems (2004), Table 2."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd

from drainstats.episodes.study.study import event_study
from drainstats.errors import CommonShareWarning
from drainstats.reproduce.runner import Item

KEY = "chen-siems-2004-911"
PAPER = (
    "Chen and Siems (2004), The effects of terrorism on global capital markets, European Journal of Political Economy "
    "20, 349-366, Table 2"
)
READ = "seen: vignette of the R package eventstudies, which recomputes the table on data of its own"
TOLERANCE, REASON = 2e-5, "seven significant digits are printed"


def reproduce(folder: Path) -> list[Item]:
    """A constant mean over 20 rows, 30 to 11 before the event, and eleven days from the last trading day on or before.

    Every market has its own date and its own trading days.
    """
    returns = pd.read_csv(folder / "TerrorIndiceReturns.csv", index_col="date", parse_dates=True)
    dates = pd.read_csv(folder / "TerrorAttack.csv")
    printed = json.loads((folder / "EXPECTED.json").read_text(encoding="utf-8"))["items"][0]["values"]
    with warnings.catch_warnings():
        # It is about p-values, which the table does not have.
        warnings.simplefilter("ignore", CommonShareWarning)
        study = event_study(
            returns, dates, estimation=(-30, -11), window=(0, 10), tests="kp_bmp", closed="last", min_rows=20
        )
    ours = study.abnormal.sum()
    return [
        Item(KEY, f"11-day CAR, {market}, percent", value, READ, float(ours[market]), TOLERANCE, REASON)
        for market, value in printed.items()
    ]
