"""Rebuild data.csv.gz from PyPI mlfinpy 0.1.2: closes of 23 exchange-traded funds, raw values kept."""

from __future__ import annotations

import io
import pathlib
import sys

import pandas as pd

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from _build import member, out_folder, write

if __name__ == "__main__":
    closes = pd.read_csv(io.BytesIO(member("mlfinpy", "0.1.2", "mlfinpy/dataset/data/stock_prices.csv")))
    write(out_folder(__file__), closes.to_csv(index=False, lineterminator="\n"))
