"""Every file of market data at hand is read to what its raw bytes say, or refused with the reason.

The truth is read with the standard library (and, for Parquet and DBN, with their own decoders): all stamps, and one
column of values from end to end. A file that no case covers fails.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.sources import registry
from drainstats.sources.tables import FORMATS
from tests.sources.market_files import CASES, QUOTES, REFUSED, ROOT, YAHOO, B, Case, D, N, S, raw

pytestmark = pytest.mark.reference
pytest.importorskip("pyarrow")
TABLES = ("bars", "trades", "quotes", "book", "flows")
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if p.is_file() and p.suffix != ".md")


def fitting(name: str, patterns: dict[str, Any]) -> Any:
    return next((found for pattern, found in patterns.items() if fnmatchcase(name, pattern)), None)


def read(table: str, path: Path) -> pd.DataFrame:
    return getattr(ds, f"read_{table}")(path)


@pytest.fixture(autouse=True)
def _there(data_root):
    """Skips where the files are not."""


def test_files_are_there(data_root):
    assert data_root / "data" == ROOT
    assert len(FILES) > 300


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_a_file_is_read_as_its_bytes_say_or_refused(name):
    if name.endswith(".dbn.zst"):
        pytest.importorskip("databento")
    reason, cases = fitting(name, REFUSED), fitting(name, CASES)
    assert (reason is None) != (cases is None), "one case covers each file"
    if reason:
        for table in TABLES:
            with pytest.raises(DataError, match=reason) as caught:
                read(table, ROOT / name)
            assert caught.value.file == ROOT / name
        return
    for case in cases:
        compare(case, ROOT / name)


def compare(case: Case, path: Path) -> None:
    table = read(case.table, path)
    stamps, values = case.truth(path)
    assert len(table) == len(stamps)
    assert str(table.index.dtype) == "datetime64[ns, UTC]"
    assert table.index.name == "time"
    assert table.index.asi8.tolist() == stamps
    np.testing.assert_array_equal(table[case.value], values)
    assert list(table.columns) == case.columns
    assert table.attrs["format"] == case.format
    assert table.attrs["rules"] == case.rules
    symbol = table.attrs.get("symbol")
    assert symbol == case.symbol or (case.symbol is not None and fnmatchcase(symbol or "", case.symbol))
    for column in set(table.columns) & {*YAHOO, *QUOTES, "price", "amount", "dollar_volume", "trades"}:
        assert table[column].dtype == np.float64
    if "side" in table and case.table != "flows":
        assert table["side"].dtype == np.int8
        assert set(table["side"]) <= {-1, 0, 1}


@pytest.mark.parametrize("name", [f for f in FILES if fitting(f, CASES)])
def test_other_readers_refuse_it_by_name(name):
    """No file passes for another table, but for flows, which take any numbers."""
    if name.endswith(".dbn.zst"):
        pytest.importorskip("databento")
    own = {case.table for case in fitting(name, CASES)}
    for table in set(TABLES[:4]) - own:
        with pytest.raises(DataError):
            read(table, ROOT / name)


def test_formats_that_say_so_are_tested_on_genuine_files():
    used = {(case.format, case.table) for cases in CASES.values() for case in cases}
    assert used == {(f.name, f.table) for f in FORMATS if f.genuine}


def test_the_registry_names_a_reader_that_reads_the_file():
    for name, entry in registry.entries().items():
        if not entry["folder"].startswith("data/"):
            continue
        for file in registry.remote_files(name, ["*"]):
            kind = next(kind for pattern, kind, _ in entry["readers"] if fnmatchcase(file.name, pattern))
            path = f"{entry['folder'].removeprefix('data/')}/{file.name}"
            if kind in TABLES:
                assert kind in {case.table for case in fitting(path, CASES)}, path
            else:
                assert fitting(path, REFUSED), path


def test_row_counts_of_the_provenance_pages():
    """The pages counted lines when the files were taken: those of a text with its header, rows of a Parquet file."""
    headers = {"cryptodatadownload-binance-daily": 2, "lean": 0, "ADABTC": 0, "lobster": 0}
    checked = 0
    for page in ROOT.glob("*/PROVENANCE.md"):
        for row in re.findall(r"^\| (\S+) \| .*? \| \d+ \| (\d+) \| [0-9a-f]{64} \|$", page.read_text(), re.MULTILINE):
            name = f"{page.parent.name}/{row[0]}"
            cases = fitting(name, CASES) or []
            if len(cases) != 1 or cases[0].format in ("lobster", "bybit-ob", "yfinance", "defillama-wide"):
                continue
            skip = next((n for part, n in headers.items() if part in name), 1)
            if name.endswith(".parquet"):
                skip = 0
            elif not raw(ROOT / name).endswith("\n"):
                skip -= 1
            assert len(read(cases[0].table, ROOT / name)) == int(row[1]) - skip, name
            checked += 1
    assert checked > 200


# Known numbers of known days ---------------------------------------------------------------------------------------


def at(table: str, name: str, stamp: str, column: str) -> float:
    return float(read(table, ROOT / name)[column].loc[pd.Timestamp(stamp, tz="UTC")])


@pytest.mark.parametrize(
    ("name", "stamp", "column", "value"),
    [
        # The flash crash: New York's 14:00 is 18:00 UTC in May.
        ("lean-us-equity-hour-daily/hour/spy.zip", "2010-05-06 18:00", "open", 114.71),
        ("lean-us-equity-hour-daily/hour/spy.zip", "2010-05-06 18:00", "low", 106.13),
        ("lean-us-equity-hour-daily/hour/spy.zip", "2010-05-06 18:00", "close", 111.80),
        ("lean-us-equity-hour-daily/hour/spy.zip", "2015-08-24 13:00", "low", 182.95),
        # In winter New York's 9:00 is 14:00 UTC.
        ("lean-us-equity-hour-daily/hour/spy.zip", "1998-01-02 14:00", "open", 97.31),
        ("alpaca-etf-daily-2020-2025/SPY.csv", "2020-07-27", "volume", 647_693),
        ("cryptodatadownload-binance-daily/Binance_BTCUSDT_d.csv", "2026-05-20", "volume", 11296.26307),
        ("cryptodatadownload-binance-daily/Binance_BTCUSDT_d.csv", "2026-05-20", "dollar_volume", 873091271.471635),
        ("cryptodatadownload-old-format/Binance_BTCUSDT_d.csv", "2021-04-18", "volume", 124882.131824),
    ],
)
def test_known_bars(name, stamp, column, value):
    assert at("bars", name, stamp, column) == pytest.approx(value, rel=1e-12)


def test_volume_of_the_flash_crash():
    assert at("bars", "lean-us-equity-hour-daily/hour/spy.zip", "2010-05-06 18:00", "volume") == pytest.approx(
        178e6, rel=0.01
    )


def test_a_dead_coin_trades_nothing():
    for name, rows, still in (("1d/FTT_USDT_1d.csv", 1515, 1301), ("1h/FTT_USDT_1h.csv", 36344, 31230)):
        table = read("bars", ROOT / "binance-usdm-perp-klines-mutbug" / name)
        assert (len(table), int((table["volume"] == 0).sum())) == (rows, still)


def test_depegs():
    prices = read("flows", ROOT / f"{D}stablecoins__stablecoin_prices.csv")
    terra = prices[prices["asset"] == "terrausd"]["price"]
    assert terra.loc[pd.Timestamp("2022-05-08", tz="UTC")] == pytest.approx(0.754, abs=5e-4)
    assert terra.loc[pd.Timestamp("2022-05-13", tz="UTC")] == pytest.approx(0.129, abs=5e-4)
    usdc = prices[prices["asset"] == "usd-coin"]["price"]
    assert usdc.loc[pd.Timestamp("2023-03-11", tz="UTC")] == pytest.approx(0.961, abs=5e-4)
    folder = ROOT / "stablecoin-depeg-202303-1m"
    assert read("bars", folder / "kraken_usdcusd.parquet")["close"].min() == pytest.approx(0.874, abs=5e-4)
    assert read("bars", folder / "binance_usdcusdt.parquet")["close"].min() == pytest.approx(0.8579, abs=5e-5)


def test_faults_of_vendors_are_kept_for_the_quality_report():
    yahoo = ROOT / "yfinance-us-stocks-1981-2021"
    assert (read("bars", yahoo / "BAC.csv")["open"] == 0).sum() == 1364
    assert (read("bars", yahoo / "JPM.csv")["open"] == 0).sum() == 758
    assert (read("bars", yahoo / "BRK-A.csv")["volume"] == 0).sum() == 320
    index = read("bars", ROOT / "yfinance-cross-asset-daily-2026" / "GSPC.csv")
    assert (index["volume"] == 0).sum() == 5497
    old = read("bars", ROOT / "cryptodatadownload-old-format" / "Binance_BTCUSDT_1h.csv")
    assert old.index.duplicated().sum() == 2646
    assert old["trades"].isna().any(), "NULL counts of trades are missing, not zero"
    assert not old.index.is_monotonic_increasing


def test_units_of_books_and_trades():
    trades = read("trades", ROOT / "lobster-amzn-20120621-l1" / "AMZN_2012-06-21_34200000_57600000_message_1.csv")
    assert trades["price"].between(200, 250).all(), "AMZN traded near 220 dollars, its file says 2200000"
    assert 0 < trades["hidden"].mean() < 0.5
    orders = read("book", ROOT / "bitstamp-l3-events-20150501" / "orders.csv.xz")
    assert orders.iloc[0][["price", "amount", "side", "action"]].tolist() == [236.47, 2.0, 1, "created"]
    assert (orders.index[-1] - orders.index[0]) < pd.Timedelta(hours=5.1)
    quotes = read("quotes", ROOT / f"{B}GLBX.MDP3__test_data.mbp-1.dbn.zst")
    assert quotes["ask"].between(3700, 3750).all(), "the S&P future of March 2021 at the end of 2020"
    tardis = read("trades", ROOT / f"{N}tardis__bitmex_trades_XBTUSD.csv")
    assert tardis.iloc[0][["price", "amount", "side"]].tolist() == [8531.5, 2152, -1]
    assert (tardis["received"] > tardis.index).all()


def test_sides_say_who_took():
    """A taker who buys pays the ask: against the book before each trade most LOBSTER buys are at or above the mid."""
    folder = ROOT / "lobster-amzn-20120621-l1"
    trades = read("trades", folder / "AMZN_2012-06-21_34200000_57600000_message_1.csv")
    book = read("book", folder / "AMZN_2012-06-21_34200000_57600000_orderbook_1.csv")
    trades = trades[~trades["hidden"]]
    before = book[~book.index.duplicated()].shift().reindex(trades.index)
    above = trades["price"] > (before["bid_0"] + before["ask_0"]) / 2
    assert above[trades["side"] == 1].mean() > 0.95
    assert above[trades["side"] == -1].mean() < 0.05
    quotes = read("quotes", ROOT / f"{S}usdm__btcusdt_20240808.gz")
    stream_trades = read("trades", ROOT / f"{S}usdm__btcusdt_20240808.gz")
    mid = (quotes["bid"] + quotes["ask"]) / 2
    known = mid[~mid.index.duplicated(keep="last")].sort_index()
    last = known.reindex(stream_trades.index - pd.Timedelta(milliseconds=1), method="ffill").to_numpy()
    buys = stream_trades["side"].to_numpy() == 1
    assert np.nanmean(stream_trades["price"].to_numpy()[buys] >= last[buys]) > 0.75
    assert np.nanmean(stream_trades["price"].to_numpy()[~buys] <= last[~buys]) > 0.75
