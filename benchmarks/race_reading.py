"""A trades CSV to a tidy table against pyarrow's own CSV reader, one thread each."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import race

import drainstats as ds

# About 68 bytes a row: 2 MB and 300 MB.
QUICK, ROWS, CHUNK = 30_000, 4_500_000, 250_000
NEEDED = ("price", "qty", "time", "is_buyer_maker")


def write_trades(path: Path, rows: int) -> None:
    """A spot trades file as Binance writes them, with a header."""
    import pyarrow as pa
    import pyarrow.csv as pc

    rng = np.random.default_rng(0)
    level, stamp, writer = 42_000.0, 1_704_067_200_000_000, None
    for first in range(0, rows, CHUNK):
        n = min(CHUNK, rows - first)
        price = np.round(level + np.cumsum(rng.normal(0, 0.5, n)), 2)
        amount = np.round(rng.exponential(0.05, n) + 1e-5, 5)
        stamps = stamp + np.cumsum(rng.integers(0, 40_000, n))
        level, stamp = float(price[-1]), int(stamps[-1])
        columns = {
            "id": np.arange(first, first + n) + 3_358_000_000, "price": price, "qty": amount,
            "quote_qty": np.round(price * amount, 7), "time": stamps, "is_buyer_maker": rng.random(n) < 0.5,
        }  # fmt: skip
        table = pa.table(columns)
        writer = writer or pc.CSVWriter(path, table.schema, write_options=pc.WriteOptions(quoting_style="none"))
        writer.write_table(table)
    if writer:
        writer.close()


def races(quick: bool = False) -> list[dict[str, Any]]:
    """`read_trades` against all columns, and against the four that it takes; the bar is a third of their speed."""
    import pyarrow as pa
    import pyarrow.csv as pc

    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "BTCUSDT-trades-2024-01.csv")
        write_trades(path, QUICK if quick else ROWS)
        size = path.stat().st_size
        read, needed = pc.ReadOptions(use_threads=False), pc.ConvertOptions(include_columns=list(NEEDED))
        records = race(
            f"a trades CSV of {size / 1e6:.0f} MB to a tidy table",
            lambda: ds.read_trades(path),
            {
                "pyarrow.csv.read_csv, all columns": lambda: pc.read_csv(path, read),
                "pyarrow.csv.read_csv, the four": lambda: pc.read_csv(path, read, convert_options=needed),
            },
            repeats=3,
            note="theirs gives an Arrow table with whole numbers for stamps; ours a checked frame with UTC stamps and "
            "sides. Arrow's own memory is not counted",
        )
    for record in records:
        if record["peer_s"]:
            speed = size / record["peer_s"] / 1e6
            record["limit"] = f"pyarrow's tokeniser and conversion pass {speed:.0f} MB a second on this core"
    return records
