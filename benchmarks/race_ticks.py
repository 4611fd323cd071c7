"""Trades in Parquet to one-minute bars with Amihud, Kyle's lambda, imbalance and VPIN, against polars and pandas.

Every competitor works in a process of its own, so that its peak memory is that of the whole process; CPU seconds are
those of the job, without imports and without loading the kernels that a first call compiled. The answers are compared,
column by column, before a ratio is given.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS, MANY, CSV_ROWS, QUICK = 20_000_000, 100_000_000, 3_000_000, 400_000
SYMBOLS, DAYS, WINDOW, REPEATS = 20, 5, 50, 3
COLUMNS = (
    "open", "high", "low", "close", "volume", "dollar_volume", "trades", "buy_volume", "imbalance", "amihud",
    "kyle_lambda", "vpin",
)  # fmt: skip
# Sums of ten thousand numbers in another order; a bucket's edge is a difference of sums over a day.
AGREE = {"vpin": 1e-7, "imbalance": 1e-9, "kyle_lambda": 1e-6}


def bucket_of(rows: int) -> float:
    """A fiftieth of the mean daily volume of a symbol whose amounts have mean 1."""
    return max(rows / SYMBOLS / DAYS / 50.0, 1.0)


def write_trades(path: Path, rows: int, chunk: int = 1_000_000) -> None:
    """Random walks with a bounce on a grid of 1e-4, exponential amounts, in time order over all symbols and days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    level = rng.uniform(3.0, 10.0, SYMBOLS)
    names = [f"S{k:02d}" for k in range(SYMBOLS)]
    chunks = max(rows // chunk, 1)
    edges = np.linspace(0, DAYS * 86_400_000_000, chunks + 1).astype(np.int64) + 1_704_067_200_000_000
    writer = None
    for k in range(chunks):
        n = rows // chunks
        stamps = np.sort(rng.integers(edges[k], edges[k + 1], n))
        symbol, side = rng.integers(0, SYMBOLS, n).astype(np.int32), rng.choice(np.array([-1, 1], np.int8), n)
        price = np.empty(n)
        for s in range(SYMBOLS):
            own = symbol == s
            walk = level[s] + np.cumsum(rng.normal(0, 1e-4, own.sum()))
            level[s] = walk[-1] if len(walk) else level[s]
            price[own] = np.exp(walk + 2e-4 * side[own])
        table = pa.table(
            {
                "time": pa.array(stamps, pa.timestamp("us", tz="UTC")),
                "asset": pa.DictionaryArray.from_arrays(pa.array(symbol), names),
                "price": np.round(price, 4),
                "amount": np.round(rng.exponential(1.0, n) + 1e-4, 4),
                "side": side,
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def ours(path: str, bucket: float) -> Any:
    """`drainstats.tick_bars`; its kernels are loaded beforehand, as the peers' libraries are."""
    import drainstats as ds

    first = pd.DataFrame({"price": [1.0], "amount": [1.0], "side": [1]}, pd.DatetimeIndex(["2024-01-01"], tz="UTC"))
    ds.tick_bars(first, vpin_bucket=0.1, vpin_window=2)
    return lambda: ds.tick_bars(path, "1min", vpin_bucket=bucket, vpin_window=WINDOW)


def polars_streaming(path: str, bucket: float) -> Any:
    """Polars' streaming engine: window expressions by asset and day, one group-by, buckets from the crossings."""
    import polars as pl

    day = ["asset", "day"]
    volume, signed = pl.col("amount"), pl.col("amount") * pl.col("side")

    def work() -> pd.DataFrame:
        trades = (
            pl.scan_parquet(path)
            .with_columns(day=pl.col("time").dt.date(), minute=pl.col("time").dt.truncate("1m"), q=signed)
            .with_columns(
                v=pl.col("price").diff().over(day),
                cum=volume.cum_sum().over(day),
                flow=pl.col("q").cum_sum().over(day),
            )
        )
        x, y = pl.col("q").filter(pl.col("v").is_not_null()), pl.col("v").drop_nulls()
        bars = trades.group_by("asset", "minute").agg(
            pl.col("price").first().alias("open"), pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"), pl.col("price").last().alias("close"),
            volume.sum().alias("volume"), (pl.col("price") * volume).sum().alias("dollar_volume"),
            pl.len().alias("trades"), volume.filter(pl.col("side") > 0).sum().alias("buy_volume"),
            pl.col("q").sum().alias("signed"), x.len().alias("n"), x.sum().alias("sx"), y.sum().alias("sy"),
            (x * x).sum().alias("sxx"), (x * y).sum().alias("sxy"), pl.col("v").is_null().any().alias("first"),
        )  # fmt: skip
        full = (pl.col("cum") / bucket).floor()
        edges = (
            trades.filter(full > ((pl.col("cum") - volume) / bucket).floor())
            .select("asset", "day", "minute", "side", "cum", "flow", full.alias("k"))
        )  # fmt: skip
        table, crossed = pl.collect_all([bars, edges], engine="streaming")
        # The flow at the edge of a bucket: what the crossing trade brought beyond it belongs to the next one.
        at = pl.col("flow") - pl.col("side") * (pl.col("cum") - pl.col("k") * bucket)
        crossed = (
            crossed.sort("asset", "day", "k")
            .with_columns(at=at)
            .with_columns(moved=(pl.col("at") - pl.col("at").shift(1).over(day).fill_null(0.0)).abs() / bucket)
            .with_columns(vpin=pl.col("moved").rolling_mean(WINDOW).over("asset"))
            .group_by("asset", "minute")
            .agg(pl.col("vpin").last())
        )
        slope = pl.col("sxy") - pl.col("sx") * pl.col("sy") / pl.col("n")
        slope = slope / (pl.col("sxx") - pl.col("sx") ** 2 / pl.col("n"))
        before = pl.when("first").then("open").otherwise(pl.col("close").shift(1).over("asset"))
        done = (
            table.sort("asset", "minute")
            .join(crossed, on=["asset", "minute"], how="left", maintain_order="left")
            .with_columns(
                imbalance=pl.col("signed") / pl.col("volume"),
                amihud=pl.when(pl.col("n") > 0).then((pl.col("close") / before).log().abs() / pl.col("dollar_volume")),
                kyle_lambda=pl.when(pl.col("n") > 2).then(slope),
                vpin=pl.col("vpin").forward_fill().over("asset"),
            )
        )
        return done.select("asset", "minute", *COLUMNS).to_pandas()

    return work


def pandas_whole(path: str, bucket: float) -> Any:
    """pandas: the whole file in memory, group-by with built-in aggregations."""

    def work() -> pd.DataFrame:
        t = pd.read_parquet(path)
        t["day"], t["minute"] = t["time"].dt.floor("D"), t["time"].dt.floor("min")
        t["q"] = t["amount"] * t["side"]
        t["money"] = t["price"] * t["amount"]
        t["bought"] = t["amount"].where(t["side"] > 0, 0.0)
        by_day = t.groupby(["asset", "day"], observed=True, sort=False)
        t["v"] = by_day["price"].diff()
        t["cum"], t["flow"] = by_day["amount"].cumsum(), by_day["q"].cumsum()
        t["x"] = t["q"].where(t["v"].notna())
        t["xx"], t["xy"] = t["x"] ** 2, t["x"] * t["v"]
        g = t.groupby(["asset", "minute"], observed=True, sort=True)
        bars = g.agg(
            open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
            volume=("amount", "sum"), dollar_volume=("money", "sum"), trades=("price", "size"),
            buy_volume=("bought", "sum"), signed=("q", "sum"), n=("x", "count"), sx=("x", "sum"), sy=("v", "sum"),
            sxx=("xx", "sum"), sxy=("xy", "sum"),
        )  # fmt: skip
        k = np.floor(t["cum"] / bucket)
        crossed = t.loc[
            k > np.floor((t["cum"] - t["amount"]) / bucket), ["asset", "day", "minute", "side", "cum", "flow"]
        ]
        crossed = crossed.assign(k=k[crossed.index]).sort_values(["asset", "day", "k"])
        crossed["at"] = crossed["flow"] - crossed["side"] * (crossed["cum"] - crossed["k"] * bucket)
        earlier = crossed.groupby(["asset", "day"], observed=True)["at"].shift(1).fillna(0.0)
        crossed["moved"] = (crossed["at"] - earlier).abs() / bucket
        rolled = crossed.groupby("asset", observed=True)["moved"].rolling(WINDOW).mean().droplevel(0)
        last = crossed.assign(vpin=rolled).groupby(["asset", "minute"], observed=True)["vpin"].last()
        bars["vpin"] = last.reindex(bars.index).groupby("asset", observed=True).ffill()
        asset = bars.index.get_level_values(0).codes
        day = bars.index.get_level_values(1).floor("D")
        first = np.r_[True, (asset[1:] != asset[:-1]) | (day[1:] != day[:-1])]
        before = bars["open"].where(first, bars["close"].shift(1))
        bars["imbalance"] = bars["signed"] / bars["volume"]
        bars["amihud"] = (np.log(bars["close"] / before).abs() / bars["dollar_volume"]).where(bars["n"] > 0)
        slope = (bars["sxy"] - bars["sx"] * bars["sy"] / bars["n"]) / (bars["sxx"] - bars["sx"] ** 2 / bars["n"])
        bars["kyle_lambda"] = slope.where(bars["n"] > 2)
        return bars.reset_index()[["asset", "minute", *COLUMNS]]

    return work


def decode(path: str, bucket: float) -> Any:
    """pyarrow reads the columns batch by batch and nothing is done with them: the physical limit."""
    import pyarrow.parquet as pq

    def work() -> None:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=2**16) as file:
            for _ in file.iter_batches(batch_size=2**16, use_threads=False):
                pass

    return work


WORKERS = {"ours": ours, "polars streaming": polars_streaming, "pandas": pandas_whole, "decode": decode}


def alone(who: str, path: Path, bucket: float, answer: Path | None = None) -> tuple[float, float]:
    """CPU seconds of the job and peak MiB of the process, in a process of its own."""
    command = [sys.executable, __file__, who, str(path), repr(bucket), str(answer or "")]
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def _worker(who: str, path: str, bucket: str, answer: str) -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    work = WORKERS[who](path, float(bucket))
    began = time.process_time()
    result = work()
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if answer:
        frame = result.rename_axis("minute").reset_index() if who == "ours" else result
        frame = frame[["asset", "minute", *COLUMNS]].assign(asset=frame["asset"].astype(str))
        frame.to_parquet(answer)
    sys.stdout.write(json.dumps([seconds, peak]) + "\n")


def check(a: Path, b: Path) -> str:
    """The largest difference of the answers as a sentence; an error when they disagree."""
    mine, theirs = pd.read_parquet(a), pd.read_parquet(b)
    if list(mine["asset"]) != list(theirs["asset"]) or list(mine["minute"]) != list(theirs["minute"]):
        raise ValueError(f"{len(mine)} bars against {len(theirs)}: not the same minutes")
    worst = 0.0
    for name in COLUMNS:
        x, y = mine[name].to_numpy(float), theirs[name].to_numpy(float)
        np.testing.assert_array_equal(np.isnan(x), np.isnan(y), err_msg=name)
        scale = np.nanmax(np.abs(x), initial=1e-300)
        gap = np.nanmax(np.abs(x - y), initial=0.0) / scale
        if gap > AGREE.get(name, 1e-10):
            raise ValueError(f"{name} differs by {gap:g} of its largest value")
        worst = max(worst, gap)
    return f"answers agree to {worst:.0e}"


def races(quick: bool = False) -> list[dict[str, Any]]:
    """Against each peer, then our own memory on five times the rows, then a CSV against pyarrow's reader."""
    rows, repeats = (QUICK, 1) if quick else (ROWS, REPEATS)
    out = []
    with tempfile.TemporaryDirectory() as folder:
        path, bucket = Path(folder, "trades.parquet"), bucket_of(rows)
        write_trades(path, rows)
        alone("ours", path, bucket, Path(folder, "ours.parquet"))
        limit = statistics.median(alone("decode", path, bucket)[0] for _ in range(repeats))
        for peer in ("polars streaming", "pandas"):
            out.append(_race(peer, path, bucket, rows, repeats, f"reading the columns alone takes {limit:.2f} s"))
        if not quick:
            out.append(_memory(Path(folder, "many.parquet"), bucket, alone("ours", path, bucket)[1]))
        out.append(_csv(Path(folder, "trades.csv"), QUICK if quick else CSV_ROWS, repeats))
    return out


def _race(peer: str, path: Path, bucket: float, rows: int, repeats: int, limit: str) -> dict[str, Any]:
    mine, theirs = [], []
    answer = path.with_name("theirs.parquet")
    try:
        alone(peer, path, bucket, answer)
        note = check(path.with_name("ours.parquet"), answer)
        for _ in range(repeats):
            mine.append(alone("ours", path, bucket))
            theirs.append(alone(peer, path, bucket))
    except subprocess.CalledProcessError as error:
        note, mine, theirs = f"not run: {error.stderr.strip().splitlines()[-1]}", [(np.nan, 0.0)], [(np.nan, 0.0)]
    ratios = [b[0] / a[0] for a, b in zip(mine, theirs, strict=True)]
    return {
        "race": f"{rows / 1e6:g} million trades of {SYMBOLS} symbols to minute bars", "peer": peer,
        "ours_s": statistics.median(a[0] for a in mine), "peer_s": statistics.median(b[0] for b in theirs),
        "ratio": statistics.median(ratios), "limit": limit, "repeats": repeats,
        "ours_mb": round(max(a[1] for a in mine)), "peer_mb": round(max(b[1] for b in theirs)),
        "note": f"{note}; memory of the whole process",
    }  # fmt: skip


def _memory(path: Path, bucket: float, few: float) -> dict[str, Any]:
    write_trades(path, MANY)
    seconds, many = alone("ours", path, bucket * MANY / ROWS)
    return {
        "race": f"{MANY / 1e6:g} million trades to minute bars, peak memory", "peer": f"ours on {ROWS / 1e6:g} million",
        "ours_s": seconds, "peer_s": None, "ratio": None, "limit": "", "repeats": 1, "ours_mb": round(many),
        "peer_mb": round(few), "note": "the same five days, five times denser; memory of the whole process",
    }  # fmt: skip


def _csv(path: Path, rows: int, repeats: int) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.csv as pc
    from harness import race

    import drainstats as ds

    rng = np.random.default_rng(0)
    price = np.round(42_000 + np.cumsum(rng.normal(0, 0.5, rows)), 2)
    amount = np.round(rng.exponential(0.05, rows) + 1e-5, 5)
    stamps = 1_704_067_200_000 + np.sort(rng.integers(0, 864_000_000, rows))
    table = {"id": np.arange(rows), "price": price, "qty": amount, "quote_qty": np.round(price * amount, 7)}
    pc.write_csv(pa.table({**table, "time": stamps, "is_buyer_maker": rng.random(rows) < 0.5}), path)
    pa.set_cpu_count(1)
    size = path.stat().st_size / 2**20
    one = pc.ReadOptions(use_threads=False)
    name = f"a trades CSV of {size:.0f} MiB to minute bars"
    note = "the peer only reads; ours reads in blocks and makes the bars"
    return race(
        name,
        lambda: ds.tick_bars(path),
        {"pyarrow.csv.read_csv": lambda: pc.read_csv(path, one)},
        repeats=repeats,
        note=note,
    )[0]


if __name__ == "__main__":
    _worker(*sys.argv[1:])
