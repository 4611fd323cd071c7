"""Bars from files: every layout and compression, cut anywhere, gives the bars of the table; faults name their line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.sources.ticks import parquet as parquet_batches
from drainstats.sources.ticks import streams
from tests.kernels.tick_twin import DAY, market, tidy


def one(seed=0, n=500, days=2):
    return market(seed, n=n, assets=1, days=days).assign(asset="BTCUSDT")


def assert_same(a, b):
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def maker(trades):
    return np.where(trades["side"] > 0, "false", "true")


def sided(trades):
    return trades.assign(side=np.where(trades["side"] > 0, 1, -1).astype(np.int8))


def binance_trades(trades, header):
    table = pd.DataFrame(
        {
            "id": range(len(trades)), "price": trades["price"], "qty": trades["amount"], "quote_qty": 1.0,
            "time": trades["time"] // 10**6, "is_buyer_maker": maker(trades),
        }
    )  # fmt: skip
    return table.to_csv(index=False, header=header)


def binance_aggregates(trades, header):
    table = pd.DataFrame(
        {
            "agg_trade_id": range(len(trades)), "price": trades["price"], "quantity": trades["amount"],
            "first_trade_id": 1, "last_trade_id": 1, "transact_time": trades["time"] // 10**3,
            "is_buyer_maker": maker(trades),
        }
    )  # fmt: skip
    return table.to_csv(index=False, header=header)


def tardis(trades, header=True):
    table = pd.DataFrame(
        {
            "exchange": "x", "symbol": trades["asset"], "timestamp": trades["time"] // 10**3,
            "local_timestamp": trades["time"] // 10**3, "id": "a", "side": np.where(trades["side"] > 0, "buy", "sell"),
            "price": trades["price"], "amount": trades["amount"],
        }
    )  # fmt: skip
    return table.to_csv(index=False)


def generic(unit):
    def write(trades, header=True):
        table = trades[["time", "asset", "price", "amount", "side"]].assign(time=trades["time"] // unit)
        return table.to_csv(index=False)

    return write


LAYOUTS = {
    "Binance trades, headed": (binance_trades, True),
    "Binance trades, bare": (binance_trades, False),
    "Binance aggTrades, headed": (binance_aggregates, True),
    "Binance aggTrades, bare": (binance_aggregates, False),
    "Tardis": (tardis, True),
    "generic, s": (generic(10**9), True),
    "generic, ms": (generic(10**6), True),
    "generic, us": (generic(10**3), True),
    "generic, ns": (generic(1), True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("block", [200, 2**16])
def test_text_layouts_in_blocks_of_any_size(tmp_path, monkeypatch, layout, block):
    write, header = LAYOUTS[layout]
    trades = sided(one())
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(write(trades, header))
    monkeypatch.setattr(streams, "BLOCK", block)
    mine = ds.tick_bars(path, "1h", vpin_bucket=4.0, vpin_window=5)
    expected = ds.tick_bars(tidy(trades), "1h", vpin_bucket=4.0, vpin_window=5)
    assert_same(mine, expected)


def test_the_tables_of_read_trades_give_the_same_bars(tmp_path):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(binance_trades(sided(one()), True))
    assert_same(ds.tick_bars(path, "1h", asset="B"), ds.tick_bars(ds.read_trades(path, asset="B"), "1h"))


def zipped(path, text):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.csv", text)


PACKED = {
    ".gz": lambda path, text: path.write_bytes(gzip.compress(text.encode())),
    ".xz": lambda path, text: path.write_bytes(lzma.compress(text.encode())),
    ".bz2": lambda path, text: path.write_bytes(bz2.compress(text.encode())),
    ".zst": lambda path, text: path.write_bytes(pa.Codec("zstd").compress(text.encode(), asbytes=True)),
    ".zip": zipped,
}


@pytest.mark.parametrize("ending", PACKED)
def test_compressed_texts(tmp_path, monkeypatch, ending):
    trades = sided(one())
    path = tmp_path / f"trades.csv{ending}"
    PACKED[ending](path, tardis(trades))
    monkeypatch.setattr(streams, "BLOCK", 5000)
    assert_same(ds.tick_bars(path, "1h"), ds.tick_bars(tidy(trades), "1h"))


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("cut", [200, 5])
def test_a_cut_compressed_file_is_an_error_that_names_it(tmp_path, ending, cut):
    path = tmp_path / f"trades.csv{ending}"
    PACKED[ending](path, tardis(sided(one())))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"cannot be read|not a zip") as caught:
        ds.tick_bars(path)
    assert caught.value.file == path


@pytest.mark.parametrize("read", [ds.tick_bars, ds.read_trades])
@pytest.mark.parametrize("members", [0, 2])
def test_a_zip_that_is_refused_is_closed(tmp_path, monkeypatch, read, members):
    opened = []

    class Watched(zipfile.ZipFile):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            opened.append(self)

    path = tmp_path / "trades.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in range(members):
            archive.writestr(f"{member}.csv", tardis(sided(one())))
    monkeypatch.setattr(zipfile, "ZipFile", Watched)
    with pytest.raises(DataError, match="one file is expected"):
        read(path)
    assert opened
    assert all(archive.fp is None for archive in opened)


def parquet(path, trades, **columns):
    stamps = pa.array(trades["time"].to_numpy(), pa.timestamp("ns", tz="UTC"))
    plain = {"time": stamps, "asset": trades["asset"], "price": trades["price"], "amount": trades["amount"]}
    pq.write_table(pa.table({**plain, "side": trades["side"], **columns}), path, row_group_size=150)


@pytest.mark.parametrize("read", [ds.tick_bars, ds.read_trades])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_stamps_of_parquet_beyond_the_calendar_name_their_row(tmp_path, read, zone):
    trades = sided(market(1, n=500))
    stamps = trades["time"].to_numpy() // 10**9
    stamps[3] = 10**12
    parquet(tmp_path / "t.parquet", trades, time=pa.array(stamps * 1000, pa.timestamp("ms", tz=zone)))
    with pytest.raises(DataError, match=r"'33658-.* outside the years") as caught:
        read(tmp_path / "t.parquet")
    assert caught.value.row == 4


@pytest.mark.parametrize("column", ["asset", "side", "price"])
@pytest.mark.parametrize("read", [ds.tick_bars, ds.read_trades])
def test_parquet_text_that_is_no_utf_8_is_an_error_that_names_the_file(tmp_path, read, column):
    trades = sided(market(1, n=500))
    latin = pa.array([b"d\xe9j\xe0"] * len(trades), pa.binary())
    parquet(tmp_path / "t.parquet", trades.assign(side="buy"), **{column: latin.view(pa.string())})
    with pytest.raises(DataError, match=r"not Parquet.*UTF") as caught:
        read(tmp_path / "t.parquet")
    assert caught.value.file == tmp_path / "t.parquet"


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"time": lambda t: pa.array(t["time"] // 10**3, pa.timestamp("us"))},
        {"time": lambda t: pa.array(t["time"] // 10**6)},
        {"time": lambda t: pa.array([str(pd.Timestamp(x, tz="UTC")) for x in t["time"]])},
        {"side": lambda t: pa.array(np.where(t["side"] > 0, "buy", "sell")).dictionary_encode()},
        {"side": lambda t: pa.array(np.where(t["side"] > 0, "B", "A"))},
        {"side": lambda t: pa.array(t["side"].astype(np.int64))},
        {"asset": lambda t: pa.array(t["asset"]).dictionary_encode()},
        {"price": lambda t: pa.array(t["price"].astype(str))},
        {"amount": lambda t: pa.array([str(a) for a in t["amount"]])},
    ],
    ids=[
        "plain", "naive us", "epoch ms", "text stamps", "coded words", "letters", "int64", "coded assets",
        "text price", "text amount",
    ],
)  # fmt: skip
def test_parquet_columns_of_any_kind(tmp_path, monkeypatch, columns):
    trades = sided(market(1, n=500))
    parquet(tmp_path / "t.parquet", trades, **{name: make(trades) for name, make in columns.items()})
    monkeypatch.setattr(parquet_batches, "ROWS", 100)
    assert_same(ds.tick_bars(tmp_path / "t.parquet", "1h"), ds.tick_bars(tidy(trades), "1h"))


def test_makers_and_given_names(tmp_path):
    trades = sided(one())
    table = pa.table({"T": trades["time"], "p": trades["price"], "v": trades["amount"], "m": trades["side"] < 0})
    pq.write_table(table, tmp_path / "BTCUSDT.parquet")
    mine = ds.tick_bars(tmp_path / "BTCUSDT.parquet", "1h", columns={"time": "T", "amount": "v"})
    assert_same(mine, ds.tick_bars(tidy(trades), "1h"))
    with pytest.raises(DataError, match="nothing"):
        ds.tick_bars(tmp_path / "BTCUSDT.parquet", columns={"time": "nothing"})


def days_of(trades, every=DAY):
    for _, part in trades.groupby((trades["time"] - trades["time"].min() // DAY * DAY) // every):
        yield part


def written(tmp_path, trades, every):
    paths = []
    for k, part in enumerate(days_of(trades, every)):
        paths.append(tmp_path / f"{k:02d}.parquet")
        parquet(paths[-1], part)
    return paths


@pytest.mark.parametrize("hours", [24, 7])
@pytest.mark.parametrize("by", ["time", "volume"])
def test_files_cut_at_midnight_or_within_days(tmp_path, hours, by):
    trades = market(2, n=900, days=4)
    paths = written(tmp_path, trades, hours * 3600 * 10**9)
    size = "1h" if by == "time" else 5.0
    whole = ds.tick_bars(tidy(trades), size, by, vpin_bucket=3.0, vpin_window=60)
    assert whole["vpin"].notna().any()
    assert_same(whole, ds.tick_bars(paths, size, by, vpin_bucket=3.0, vpin_window=60))
    assert_same(whole, ds.tick_bars(paths[::-1], size, by, vpin_bucket=3.0, vpin_window=60))
    with joblib.parallel_config(backend="threading"):
        assert_same(whole, ds.tick_bars(paths, size, by, vpin_bucket=3.0, vpin_window=60, n_jobs=2))


def test_processes_give_the_same_bytes(tmp_path):
    trades = market(2, n=900, days=3)
    paths = written(tmp_path, trades, 24 * 3600 * 10**9)
    with joblib.parallel_config(backend="loky"):
        parallel = ds.tick_bars(paths, "1h", vpin_bucket=3.0, n_jobs=2)
    assert_same(ds.tick_bars(paths, "1h", vpin_bucket=3.0), parallel)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    trades = market(2, n=900, days=3)
    paths = written(tmp_path, trades, 7 * 3600 * 10**9)
    one_machine = ds.tick_bars(paths, "1h", vpin_bucket=3.0)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        spread = ds.tick_bars(paths, "1h", vpin_bucket=3.0, n_jobs=2)
    assert_same(one_machine, spread)


def test_files_of_an_asset_each(tmp_path):
    trades = market(4, n=600)
    paths = {}
    for name, part in trades.groupby("asset"):
        paths[name] = tmp_path / f"{name}-trades.csv"
        paths[name].write_text(binance_trades(sided(part), False))
    assert_same(ds.tick_bars(paths, "1h"), ds.tick_bars(tidy(sided(trades)), "1h"))


def test_one_asset_of_several(tmp_path):
    trades = market(4, n=600)
    parquet(tmp_path / "t.parquet", trades)
    alone = ds.tick_bars(tmp_path / "t.parquet", "1h", asset="A1")
    assert_same(alone, ds.tick_bars(tidy(trades[trades["asset"] == "A1"]), "1h"))
    with pytest.raises(DataError, match="no asset 'Z'"):
        ds.tick_bars(tmp_path / "t.parquet", "1h", asset="Z")
    # Also when the file has one only: which of them a block holds must not matter.
    parquet(tmp_path / "one.parquet", trades[trades["asset"] == "A0"])
    with pytest.raises(DataError, match="no asset 'A1'"):
        ds.tick_bars({"A1": tmp_path / "one.parquet"}, "1h")


def test_files_that_name_no_asset(tmp_path):
    trades = sided(one())
    paths = []
    for k, part in enumerate(days_of(trades)):
        paths.append(tmp_path / f"BTCUSDT-{k}.csv")
        paths[-1].write_text(binance_trades(part, False))
    expected = ds.tick_bars(tidy(trades), "1h")
    assert_same(ds.tick_bars(paths, "1h", asset="BTCUSDT"), expected)
    assert_same(ds.tick_bars({"BTCUSDT": paths}, "1h", n_jobs=2), expected)
    assert set(ds.tick_bars(paths[0], "1h")["asset"]) == {"BTCUSDT-0"}
    with pytest.raises(DataError, match="names no asset; pass asset="):
        ds.tick_bars(paths, "1h")


def test_an_asset_may_pause_for_a_file(tmp_path):
    trades = market(2, n=600, days=3)
    paused = trades[(trades["asset"] == "A0") | (trades["time"] // DAY != trades["time"].min() // DAY + 1)]
    paths = written(tmp_path, paused, DAY)
    expected = ds.tick_bars(tidy(paused[paused["asset"] == "A1"]), "1h")
    assert_same(ds.tick_bars(paths, "1h", asset="A1"), expected)
    assert_same(ds.tick_bars(paths, "1h", asset="A1", n_jobs=2), expected)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    code = (
        "import resource, sys, drainstats as ds; ds.tick_bars(sys.argv[1], '1min')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    peaks = []
    for rows in (1_000_000, 6_000_000):
        path = tmp_path / f"{rows}.parquet"
        with pq.ParquetWriter(path, pa.schema([("time", pa.int64()), ("price", pa.float64()), ("amount", pa.float64()),
                                               ("side", pa.int8())])) as writer:  # fmt: skip
            groups = rows // 100_000
            for k in range(groups):
                time = 1_704_067_200_000 + (k * 100_000 + np.arange(100_000)) * 86_400_000 // rows
                price, amount, side = np.ones(100_000) + time % 7, np.ones(100_000), np.ones(100_000, dtype=np.int8)
                writer.write_table(pa.table([time, price, amount, side], schema=writer.schema))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    # Six times the rows in groups of the same size; the rows alone would be 125 MiB more.
    assert peaks[1] < peaks[0] + 60
    assert peaks[1] < 800


def test_empty_missing_and_foreign_files(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    bare = tmp_path / "bare.csv"
    bare.write_text("time,price,amount\n")
    klines = tmp_path / "k.csv"
    klines.write_text("open_time,open,high,low,close,volume,close_time,quote_volume,count\n1,1,1,1,1,1,1,1,1\n")
    for path in (empty, bare, klines, tmp_path / "none.csv"):
        with pytest.raises(DataError):
            ds.tick_bars(path)
    for bad in ([], {}):
        with pytest.raises(OptionError):
            ds.tick_bars(bad)
    sideless = tmp_path / "s.csv"
    sideless.write_text("time,price,amount\n1700000000,1,1\n")
    with pytest.raises(DataError, match="no side"):
        ds.tick_bars(sideless)
    assert len(ds.tick_bars(sideless, sign="tick")) == 1


@pytest.mark.reference
@pytest.mark.parametrize(
    "name",
    [
        "tardis__bitmex_trades_XBTUSD.csv", "binance__btcusdt-trades.parquet", "usdm__ethusdt_20240808.gz",
        "AMZN_2012-06-21_34200000_57600000_message_1.csv", "GLBX.MDP3__test_data.trades.dbn.zst",
    ],
)  # fmt: skip
def test_vendors_own_files(data_root, monkeypatch, name):
    path = next((data_root / "data").rglob(name))
    trades = ds.read_trades(path)
    monkeypatch.setattr(streams, "BLOCK", 20_000)
    options = {"tolerance": "1h", "sign": "given" if "side" in trades else "tick"}
    bars = ds.tick_bars(path, "1s", **options)
    assert bars["trades"].sum() == len(trades)
    assert_same(bars.drop(columns="asset"), ds.tick_bars(trades, "1s", **options).drop(columns="asset"))
