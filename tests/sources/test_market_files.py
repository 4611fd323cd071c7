"""Every file of market data at hand is read to what its raw bytes say, or refused with the reason.

The truth is read with the standard library (and, for Parquet and DBN, with their own decoders): all stamps, and one
column of values from end to end. A file that no case covers fails.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.sources import registry
from drainstats.sources.tables import FORMATS

pytestmark = pytest.mark.reference
pytest.importorskip("pyarrow")
ROOT = Path(os.environ.get("DRAINSTATS_DATA", "nowhere")) / "data"
NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OHLC = ["open", "high", "low", "close"]
BARS = [*OHLC, "volume"]
Truth = tuple[list[int], list[float]]


@dataclass(frozen=True)
class Case:
    """table, format, columns, rules : what the reader says; value : the column that is compared; truth : how the bytes
    are read otherwise: (nanoseconds since 1970, values); symbol : from the file, None when it names none."""

    table: str
    format: str
    columns: list[str]
    rules: list[str]
    value: str
    truth: Callable[[Path], Truth]
    symbol: str | None = None


def raw(path: Path) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0]).decode()
    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rb") as file:
        return file.read().decode("utf-8-sig")


def nanoseconds(moment: datetime) -> int:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    passed = moment - EPOCH
    return (passed // timedelta(microseconds=1)) * 1000


def iso(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text))


def styled(style: str, zone: Any = UTC) -> Callable[[str], int]:
    return lambda text: nanoseconds(datetime.strptime(text, style).replace(tzinfo=zone))


def session(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text).astimezone(NEW_YORK).replace(tzinfo=UTC))


def times(scale: int) -> Callable[[str], int]:
    return lambda text: int(text) * scale


def epoch(text: str) -> int:
    """Seconds as decimals or milliseconds as whole numbers."""
    number = Decimal(text)
    return int(number * (10**9 if number < 10**11 else 10**6))


def delimited(
    stamp: int, value: int, when: Callable[[str], int], *, skip: int = 1, scale: float = 1, mark: str = ","
) -> Callable[[Path], Truth]:
    """Truth of a text: columns by place, after ``skip`` lines."""

    def truth(path: Path) -> Truth:
        rows = list(csv.reader(io.StringIO(raw(path)), delimiter=mark))[skip:]
        return [when(row[stamp]) for row in rows], [float(row[value]) / scale if row[value] else np.nan for row in rows]

    return truth


def yfinance(path: Path) -> Truth:
    rows = list(csv.reader(io.StringIO(raw(path))))
    place = rows[0].index("Close")
    rows = [row for row in rows if row[0] not in ("Price", "Ticker", "Date")]
    return [iso(row[0]) for row in rows], [float(row[place]) for row in rows]


def wide(when: Callable[[str], int]) -> Callable[[Path], Truth]:
    """A column an asset, row by row, without empty cells."""

    def truth(path: Path) -> Truth:
        cells = [(row[0], v) for row in list(csv.reader(io.StringIO(raw(path))))[1:] for v in row[1:] if v != ""]
        return [when(day) for day, _ in cells], [float(v) for _, v in cells]

    return truth


def money(path: Path) -> Truth:
    rows = list(csv.reader(io.StringIO(raw(path))))[1:]
    return [styled("%Y/%m/%d")(d) for d, _ in rows], [float(v.replace("$", "").replace(",", "")) for _, v in rows]


def parquet(stamp: str, value: str) -> Callable[[Path], Truth]:
    def truth(path: Path) -> Truth:
        from pyarrow import parquet, timestamp

        table = parquet.read_table(path, columns=[stamp, value])
        per = 10**6 if stamp == "open_time" else 1
        stamps = table[stamp].cast(timestamp("ns", "UTC")).cast("int64") if per == 1 else table[stamp]
        return [s * per for s in stamps.to_pylist()], [float(v) for v in table[value].to_pylist()]

    return truth


def dbn(stamp: str, value: str, scale: float = 1e9, trades: bool = False) -> Callable[[Path], Truth]:
    def truth(path: Path) -> Truth:
        databento = pytest.importorskip("databento")
        records = databento.DBNStore.from_bytes(path.read_bytes()).to_ndarray()
        records = records[records["action"] == b"T"] if trades else records
        values = records[value]
        missing = values == np.iinfo(np.int64).max
        return records[stamp].tolist(), np.where(missing, np.nan, values / scale).tolist()

    return truth


def lobster_trades(path: Path) -> Truth:
    midnight = datetime.fromisoformat(path.name.split("_")[1]).replace(tzinfo=NEW_YORK)
    rows = [row for row in csv.reader(io.StringIO(raw(path))) if row[1] in ("4", "5")]
    return [nanoseconds(midnight) + int(Decimal(row[0]) * 10**9) for row in rows], [float(r[4]) / 1e4 for r in rows]


def lobster_book(path: Path) -> Truth:
    messages = list(csv.reader(io.StringIO(raw(path.with_name(path.name.replace("orderbook", "message"))))))
    midnight = nanoseconds(datetime.fromisoformat(path.name.split("_")[1]).replace(tzinfo=NEW_YORK))
    book = csv.reader(io.StringIO(raw(path)), delimiter=";")
    return [midnight + int(Decimal(row[0]) * 10**9) for row in messages], [float(row[0]) / 1e4 for row in book]


def stream(kind: str) -> Callable[[Path], Truth]:
    def truth(path: Path) -> Truth:
        stamps, values = [], []
        for line in raw(path).splitlines():
            received, _, text = line.partition(" ")
            message = json.loads(text)
            message = message.get("data", message)
            event = message.get("e") or ("depthUpdate" if "lastUpdateId" in message else "bookTicker")
            if event != kind:
                continue
            stamp = message.get("E" if kind == "depthUpdate" else "T")
            sides = ("bids", "asks") if "lastUpdateId" in message else ("b", "a")
            found = {"trade": ["p"], "bookTicker": ["b"]}.get(kind)
            prices = [message[k] for k in found] if found else [p for side in sides for p, _ in message[side]]
            stamps += [stamp * 10**6 if stamp else int(received)] * len(prices)
            values += map(float, prices)
        return stamps, values

    return truth


def bybit(path: Path) -> Truth:
    levels = [
        (message["ts"] * 10**6, float(price))
        for message in map(json.loads, raw(path).splitlines())
        for side in ("b", "a")
        for price, _ in message["data"][side]
    ]
    return [stamp for stamp, _ in levels], [price for _, price in levels]


YAHOO = [*BARS, "adjusted"]
KLINES = [*OHLC, "volume", "dollar_volume", "trades", "buy_volume"]
DUMP = [*OHLC, "trades", "volume", "dollar_volume"]
QUOTES = ["bid", "bid_size", "ask", "ask_size"]
NAIVE = ["naive-as-utc"]
S = "binance-l2-stream-202408/"
N = "vendor-format-samples-nautilus/"
D = "defillama-stablecoins-tvl-202308/"
B = "databento-dbn-samples/"


def levels(depth: int) -> list[str]:
    return [f"{side}{size}_{k}" for k in range(depth) for side in ("bid", "ask") for size in ("", "_size")]


def interval(name: str) -> list[str]:
    return [f"dbn-{name}"]


# Pattern of the path → cases. The first pattern that fits counts.
CASES: dict[str, list[Case]] = {
    "alpaca-*": [Case("bars", "alpaca", YAHOO, ["session-date"], "close", delimited(0, 4, session))],
    f"{S}spot*": [
        Case("trades", "binance-stream", ["price", "amount", "side", "received"], ["epoch-ms"], "price",
             stream("trade"), "ETHUSDT"),
        Case("quotes", "binance-stream", [*QUOTES, "received"], ["epoch-ns", "received-as-time"], "bid",
             stream("bookTicker"), "ETHUSDT"),
        Case("book", "binance-stream", ["side", "price", "amount", "snapshot", "received"],
             ["epoch-ms", "epoch-ns", "received-as-time"], "price", stream("depthUpdate"), "ETHUSDT"),
    ],
    f"{S}usdm*": [
        Case("trades", "binance-stream", ["price", "amount", "side", "received"], ["epoch-ms"], "price",
             stream("trade"), "*USDT"),
        Case("quotes", "binance-stream", [*QUOTES, "received"], ["epoch-ms"], "bid", stream("bookTicker"), "*USDT"),
        Case("book", "binance-stream", ["side", "price", "amount", "snapshot", "received"], ["epoch-ms"], "price",
             stream("depthUpdate"), "*USDT"),
    ],
    "binance-usdm-perp-klines-mutbug/1?/*": [
        Case("bars", "generic", BARS, ["epoch-ms"], "close", delimited(0, 4, times(10**6)))
    ],
    "bitstamp-*": [
        Case("book", "bitstamp-orders", ["price", "amount", "side", "id", "action"], ["epoch-ms", "received-as-time"],
             "amount", delimited(1, 4, times(10**6), scale=1e8))
    ],
    "cryptodatadownload-binance-daily/*": [
        Case("bars", "cryptodatadownload", DUMP, ["epoch-ms"], "close", delimited(0, 6, epoch, skip=2), "*USDT")
    ],
    "cryptodatadownload-old-format/BTC*": [
        Case("bars", "cryptodatadownload", DUMP, ["epoch-ms"], "dollar_volume", delimited(0, 8, epoch), "BTC/USDT")
    ],
    "cryptodatadownload-old-format/Bin*": [
        Case("bars", "cryptodatadownload", DUMP, ["epoch-s", "epoch-ms"], "dollar_volume", delimited(0, 8, epoch),
             "BTC/USDT")
    ],
    f"{B}*.trades.*": [
        Case("trades", "dbn", ["price", "amount", "side", "received"], interval("trades"), "price",
             dbn("ts_event", "price"), "*")
    ],
    f"{B}*.tbbo.*": [
        Case("trades", "dbn", ["price", "amount", "side", "received"], interval("tbbo"), "price",
             dbn("ts_event", "price"), "*"),
        Case("quotes", "dbn", [*QUOTES, "received"], interval("tbbo"), "ask", dbn("ts_event", "ask_px_00"), "*"),
    ],
    f"{B}IFEU*.mbp-1.*": [
        Case("quotes", "dbn", [*QUOTES, "received"], interval("mbp-1"), "ask", dbn("ts_event", "ask_px_00"), "*"),
        Case("trades", "dbn", ["price", "amount", "side", "received"], interval("mbp-1"), "price",
             dbn("ts_event", "price", trades=True), "*"),
    ],
    f"{B}*.mbp-1.*": [
        Case("quotes", "dbn", [*QUOTES, "received"], interval("mbp-1"), "ask", dbn("ts_event", "ask_px_00"), "*")
    ],
    f"{B}*.mbp-10.*": [
        Case("book", "dbn", [*levels(10), "received"], interval("mbp-10"), "bid_0", dbn("ts_event", "bid_px_00"), "*")
    ],
    f"{B}*.bbo-1m.*": [Case("quotes", "dbn", QUOTES, interval("bbo-1m"), "bid", dbn("ts_recv", "bid_px_00"), "*")],
    f"{B}*.cbbo-1m.*": [Case("quotes", "dbn", QUOTES, interval("cbbo-1m"), "bid", dbn("ts_recv", "bid_px_00"), "*")],
    **{
        f"{B}*.ohlcv-{unit}.*": [
            Case("bars", "dbn", BARS, interval(f"ohlcv-{unit}"), "close", dbn("ts_event", "close"), "*")
        ]
        for unit in ("1m", "1h", "1d")
    },
    f"{D}*Aave_TVL_by_Token*": [Case("flows", "defillama-wide", ["asset", "tvl"], NAIVE, "tvl", wide(iso))],
    f"{D}*Uniswap_tvl*": [Case("flows", "defillama-wide", ["asset", "tvl"], NAIVE, "tvl", wide(iso))],
    f"{D}*circulating_by_chain*": [Case("flows", "defillama-wide", ["asset", "supply"], NAIVE, "supply", wide(iso))],
    f"{D}*stablecoin_prices*": [Case("flows", "defillama-wide", ["asset", "price"], NAIVE, "price", wide(iso))],
    f"{D}*Solana_tvl*": [
        Case("flows", "defillama", ["asset", "tvl"], NAIVE, "tvl", delimited(0, 1, styled("%B %d, %Y")))
    ],
    f"{D}*historical_tvl*": [Case("flows", "defillama", ["asset", "tvl"], NAIVE, "tvl", delimited(0, 1, iso))],
    f"{D}*borrowed*": [Case("flows", "defillama", ["asset", "borrowed"], NAIVE, "borrowed", money)],
    f"{D}*USD_stablecoin_supply*": [
        Case("flows", "defillama", ["asset", "supply_usd", "minted_usd", "bridged_usd"], NAIVE, "minted_usd",
             delimited(0, 2, iso))
    ],
    f"{D}*native_stablecoin_supply*": [
        Case("flows", "defillama", ["asset", "supply_usd"], NAIVE, "supply_usd", delimited(0, 1, iso))
    ],
    f"{D}*supply_dominance*": [
        Case("flows", "defillama", ["asset", "supply", "chain_supply", "dominance_percent"], NAIVE, "chain_supply",
             delimited(0, 2, iso))
    ],
    f"{D}*off_peg*": [
        Case("flows", "defillama", ["asset", "off_peg_percent", "price"], NAIVE, "price", delimited(0, 1, iso))
    ],
    f"{D}*total_stablecoins*": [
        Case("flows", "defillama", ["asset", "supply_usd", "supply"], NAIVE, "supply", delimited(0, 2, iso))
    ],
    "lean-*/hour/*": [
        Case("bars", "lean", BARS, ["new-york-to-utc"], "low",
             delimited(0, 3, styled("%Y%m%d %H:%M", NEW_YORK), skip=0, scale=10_000), "*")
    ],
    "lean-*/daily/*": [
        Case("bars", "lean", BARS, ["session-date"], "low",
             delimited(0, 3, styled("%Y%m%d %H:%M"), skip=0, scale=10_000), "*")
    ],
    "lobster-*message*": [
        Case("trades", "lobster", ["price", "amount", "side", "hidden"], ["new-york-to-utc"], "price", lobster_trades,
             "AMZN")
    ],
    "lobster-*orderbook*": [Case("book", "lobster", levels(1), ["new-york-to-utc"], "ask_0", lobster_book, "AMZN")],
    "series/bmw*": [Case("flows", "generic", ["asset", "value"], NAIVE, "value", delimited(0, 1, iso))],
    "series/liquidity_portfolios*": [
        Case("flows", "generic", ["asset", "Illiquidity", "BetaLiquidityPS", "BidAskSpread", "DolVol", "Mom12m"], NAIVE,
             "DolVol", delimited(0, 4, iso))
    ],
    "stablecoin-*/binance*": [
        Case("bars", "binance-klines", KLINES, ["epoch-ms"], "dollar_volume", parquet("open_time", "quote_volume"))
    ],
    "stablecoin-*/coinbase*": [Case("bars", "generic", BARS, [], "low", parquet("timestamp", "low"))],
    "stablecoin-*/kraken*": [Case("bars", "generic", [*BARS, "trades"], [], "low", parquet("timestamp", "low"))],
    "stooq-*": [Case("bars", "generic", BARS, NAIVE, "volume", delimited(0, 5, iso))],
    f"{N}ADABTC*": [
        Case("bars", "binance-klines", KLINES, ["epoch-ms"], "dollar_volume", delimited(0, 7, times(10**6), skip=0))
    ],
    f"{N}*depth-*": [
        Case("book", "binance-depth", ["price", "amount", "side", "snapshot"], ["epoch-ms"], "price",
             delimited(1, 6, times(10**6)), "BTCUSDT")
    ],
    f"{N}*quotes.parquet": [Case("quotes", "generic", QUOTES, [], "bid", parquet("timestamp", "bid"), "BTC/USDT")],
    f"{N}*trades.parquet": [
        Case("trades", "generic", ["price", "amount", "side"], [], "price", parquet("timestamp", "price"))
    ],
    f"{N}bybit*": [
        Case("book", "bybit-ob", ["side", "price", "amount", "snapshot"], ["epoch-ms"], "price", bybit, "XRPUSDT")
    ],
    f"{N}databento__futures_mbp-1*": [
        Case("quotes", "dbn", [*QUOTES, "received"], interval("mbp-1"), "bid", dbn("ts_event", "bid_px_00"), "ESU4"),
        Case("trades", "dbn", ["price", "amount", "side", "received"], interval("mbp-1"), "price",
             dbn("ts_event", "price", trades=True), "ESU4"),
    ],
    f"{N}databento__futures_ohlcv*": [
        Case("bars", "dbn", ["asset", *BARS], interval("ohlcv-1m"), "close", dbn("ts_event", "close"))
    ],
    f"{N}databento__futures_trades*": [
        Case("trades", "dbn", ["price", "amount", "side", "received"], interval("trades"), "price",
             dbn("ts_event", "price"), "ESU4")
    ],
    f"{N}databento__orderbooks_mbo*": [
        Case("book", "dbn", ["price", "amount", "side", "id", "action", "received"], interval("mbo"), "price",
             dbn("ts_event", "price"), "ESM4")
    ],
    f"{N}tardis__*snapshot_25*": [
        Case("book", "tardis-book-snapshot", [*levels(25), "received"], ["epoch-us"], "ask_0",
             delimited(2, 4, times(1000)), "BTCUSDT")
    ],
    f"{N}tardis__*snapshot_5_*": [
        Case("book", "tardis-book-snapshot", [*levels(5), "received"], ["epoch-us"], "bid_0",
             delimited(2, 6, times(1000)), "BTCUSDT")
    ],
    f"{N}tardis__*trades*": [
        Case("trades", "tardis-trades", ["price", "amount", "side", "received"], ["epoch-us"], "amount",
             delimited(2, 7, times(1000)), "XBTUSD")
    ],
    f"{N}tardis__*incremental*": [
        Case("book", "tardis-book-updates", ["price", "amount", "side", "snapshot", "received"], ["epoch-us"], "amount",
             delimited(2, 7, times(1000)), "BTC-PERPETUAL")
    ],
    f"{N}tardis__*quotes*": [
        Case("quotes", "tardis-quotes", [*QUOTES, "received"], ["epoch-us"], "bid_size", delimited(2, 7, times(1000)),
             "BTC-USD")
    ],
    f"{N}truefx*": [Case("quotes", "generic", ["bid", "ask"], [], "ask", delimited(0, 2, iso))],
    f"{N}xcme*": [Case("bars", "generic", BARS, NAIVE, "close", delimited(0, 4, iso))],
    "yfinance-cross*": [Case("bars", "generic", BARS, NAIVE, "volume", delimited(0, 5, iso))],
    "yfinance-multiindex-csv/HYG*": [Case("bars", "yfinance", ["close"], NAIVE, "close", yfinance, "HYG")],
    "yfinance-multiindex-csv/*": [
        Case("bars", "yfinance", ["adjusted", "close", "high", "low", "open", "volume"], NAIVE, "close", yfinance, "*")
    ],
    "yfinance-us-stocks*": [Case("bars", "yahoo", YAHOO, NAIVE, "adjusted", delimited(0, 5, iso))],
}  # fmt: skip
# What is no market data of the five tables, and why: each of the five readers says so.
REFUSED = {
    "binance-usdm-perp-klines-mutbug/_manifest.csv": "No time column",
    f"{D}stablecoins__stablecoins.csv": "No time column",
    "hyperliquid-*": "No time column",
    "series/daily_trades*": "No time column",
    "series/djia*": "No time column",
    "series/dow29*": "No time column",
    "series/loss_alae*": "No time column",
    "series/smi*": "No time column",
    f"{N}databento__*_definition*": "records of the schema 'definition', which are no market data",
    # 01/10/92 could be January or October.
    "series/weekly_index*": "No (close|price|bid|side) column|'01/10/92' is not an ISO date",
}
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
