"""EDGE on the authors' simulated bars: the values that their own tests assert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.measures.efficient import edge
from drainstats.reproduce.runner import Item

KEY = "ardia-guidotti-kroencke-2024-edge"
PAPER = "Ardia, Guidotti and Kroencke (2024), Journal of Financial Economics 161, 103916"
ASSERTED = {
    "all bars": 0.0101849034905478,
    "first ten bars": -0.016889917516422,
    "missing cells, all bars": 0.01013284969780197,
}
TRUTH = 0.01


def reproduce(folder: Path) -> list[Item]:
    """Signed EDGE of one window; missing cells take their row out of the averages in which they stand."""
    whole, holes = _bars(folder / "ohlc.csv"), _bars(folder / "ohlc-miss.csv")
    found = edge(**whole, window=len(whole["close"]), with_se=True)
    ours = {
        "all bars": found.estimate[-1],
        "first ten bars": edge(**{name: p[:10] for name, p in whole.items()}, window=10)[-1],
        "missing cells, all bars": edge(**holes, window=len(holes["close"]))[-1],
    }
    read = "seen: the authors' python/tests/test_edge.py (the article's tables need CRSP and TAQ)"
    items = [
        Item(KEY, name, printed, read, float(ours[name]), 1e-9 * abs(printed), "rounding of a sum over 10,000 bars")
        for name, printed in ASSERTED.items()
    ]
    simulated = "seen: the authors' description of the bars, the spread that they simulated"
    error = 2 * float(found.std_error[-1])
    return [*items, Item(KEY, "spread", TRUTH, simulated, float(ours["all bars"]), error, "two standard errors")]


def _bars(path: Path) -> dict[str, Any]:
    table = pd.read_csv(path)
    return {name.lower(): np.asarray(table[name], dtype=np.float64) for name in ("Open", "High", "Low", "Close")}
