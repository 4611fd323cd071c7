"""What every file of market data at hand holds, read with the standard library or the formats' own decoders."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

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
