"""A CSV of trades into a tidy table against the CSV readers of pyarrow and pandas, one thread each."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import race

import drainstats as ds

FULL, QUICK = 17_000_000, 200_000
NEEDED = ["time", "price", "qty", "is_buyer_maker"]
NOTE = "stamps in UTC, sides decoded, every price and amount checked, against columns as they stand"
# VmHWM: unlike ru_maxrss it does not begin with what the parent had.
_PEAK = """
import sys
import pandas, pyarrow.csv
import drainstats as ds
ds.read_trades
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
before, path = peak(), sys.argv[1]
table = {work}
print(peak() - before)
"""


def write_trades(path: Path, rows: int, *, dates: bool = False, chunk: int = 1_000_000) -> None:
    """Ten days of trades as in Binance's archive; ``dates`` writes ISO stamps and the names of sides."""
    import pyarrow as pa
    import pyarrow.csv as pc

    rng = np.random.default_rng(0)
    stamps = 1_704_067_200_000 + np.sort(rng.integers(0, 86_400_000 * 10, rows))
    price = 42_000.0
    with path.open("wb") as file:
        for start in range(0, rows, chunk):
            part = stamps[start : start + chunk]
            steps = price + np.cumsum(rng.normal(0, 0.5, len(part)))
            price = float(steps[-1])
            quantity = np.round(rng.exponential(0.05, len(part)) + 1e-5, 5)
            maker = rng.random(len(part)) < 0.5
            table = pa.table(
                {
                    "id": np.arange(start, start + len(part)) + 3_000_000_000,
                    "price": np.round(steps, 2),
                    "qty": quantity,
                    "quote_qty": np.round(steps * quantity, 7),
                    "time": pa.array(part, pa.timestamp("ms")) if dates else part,
                    **({"side": np.where(maker, "sell", "buy")} if dates else {"is_buyer_maker": maker}),
                }
            )
            pc.write_csv(table, file, pc.WriteOptions(include_header=start == 0, quoting_style="none"))


def limit(path: Path) -> str:
    """What no reader of the file can do without."""
    began = time.process_time()
    lines = path.read_bytes().count(b"\n")
    return f"bringing the bytes into memory and counting {lines:,} line ends takes {time.process_time() - began:.2f} s"


def peak(path: Path, work: str) -> float:
    """MiB by which a process of its own grows at most (Linux)."""
    run = subprocess.run(
        [sys.executable, "-c", _PEAK.format(work=work), str(path)], capture_output=True, text=True, check=True
    )
    return round(float(run.stdout), 1)


def races(quick: bool = False) -> list[dict[str, Any]]:
    """Stamps as numbers, then as dates; pyarrow with every column, with the four that are needed, and pandas."""
    rows = QUICK if quick else FULL
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for dates in (False, True):
            path = Path(folder) / "trades.csv"
            write_trades(path, rows, dates=dates)
            records += _against(path, rows, dates, repeats=3)
    return records


def _against(path: Path, rows: int, dates: bool, repeats: int) -> list[dict[str, Any]]:
    import pandas as pd
    import pyarrow.csv as pc

    columns = [*NEEDED[:3], "side"] if dates else NEEDED
    single, four = pc.ReadOptions(use_threads=False), pc.ConvertOptions(include_columns=columns)
    table = ds.read_trades(path)
    peer = pc.read_csv(path, single, convert_options=four)
    if not np.array_equal(table["price"], peer["price"].to_numpy()) or len(table) != peer.num_rows:
        raise AssertionError("the two readers disagree")
    del table, peer
    size = path.stat().st_size / 1e9
    kept = "pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(use_threads=False){})"
    works = {
        "pyarrow, every column": (lambda: pc.read_csv(path, single), kept.format("")),
        "pyarrow, four columns": (
            lambda: pc.read_csv(path, single, convert_options=four),
            kept.format(f", convert_options=pyarrow.csv.ConvertOptions(include_columns={columns})"),
        ),
        "pandas, four columns": (
            lambda: pd.read_csv(path, usecols=columns),
            f"pandas.read_csv(path, usecols={columns})",
        ),
    }
    records = race(
        f"reading {rows:,} trades, {size:.2f} GB, {'dates' if dates else 'numbers'} as stamps",
        lambda: ds.read_trades(path),
        {name: work for name, (work, _) in works.items()},
        repeats=repeats,
        limit=limit(path),
        note=NOTE,
    )
    own = peak(path, "ds.read_trades(path)")
    for record in records:
        record |= {"ours_mb": own, "peer_mb": peak(path, works[record["peer"]][1])}
    return records
