"""What each format must give on its sample: stamps, columns, rules and symbol; and how the tests look at tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from tests.sources.samples import NS

NAN = np.nan
T = pd.Timestamp(NS, tz="UTC")


def ms(*offsets: int) -> list[pd.Timestamp]:
    return [T + pd.Timedelta(milliseconds=k) for k in offsets]


def ns(*offsets: int) -> list[pd.Timestamp]:
    return [T + pd.Timedelta(nanoseconds=k) for k in offsets]


def utc(*stamps: str) -> list[pd.Timestamp]:
    return [pd.Timestamp(stamp, tz="UTC") for stamp in stamps]


BOTH = {"received": [T + pd.Timedelta(microseconds=900)] * 2}
# (format, table) → stamps, columns, rules, symbol.
EXPECTED = {
    ("binance-klines", "bars"): (
        ms(0, 60_000),
        {
            "open": [100.5, 100.75], "high": [101, 100.75], "low": [99.5, 100.75], "close": [100.75, 100.75],
            "volume": [12.5, 0], "dollar_volume": [1259.375, 0], "trades": [42, 0], "buy_volume": [7.5, 0],
        },
        ["epoch-ms"], None,
    ),
    # is_buyer_maker: the buyer's order rested, so the seller took.
    ("binance-aggtrades", "trades"): (
        ms(0, 5), {"price": [100.5, 100.25], "amount": [0.25, 1], "side": [-1, 1]}, ["epoch-ms"], None
    ),
    ("binance-trades", "trades"): (
        ms(0, 5), {"price": [100.5, 100.25], "amount": [0.25, 1], "side": [-1, 1]}, ["epoch-ms"], None
    ),
    ("binance-bookticker", "quotes"): (
        ms(4, 0),
        {"bid": [100.25, 100.25], "bid_size": [3, 1], "ask": [100.5, 100.75], "ask_size": [2.5, 2]},
        ["epoch-ms"], None,
    ),
    ("binance-bookdepth", "book"): (
        utc("2023-06-01 00:00:07", "2023-06-01 00:00:37"),
        {
            "bid_depth_1": [50, 55], "bid_depth_5": [200, NAN], "ask_depth_1": [40, 45], "ask_depth_5": [160, NAN],
            "bid_notional_1": [5000, 5500], "bid_notional_5": [19800, NAN], "ask_notional_1": [4100, 4600],
            "ask_notional_5": [16800, NAN],
        },
        ["naive-as-utc"], None,
    ),
    ("binance-depth", "book"): (
        ms(0, 0, 100, 200),
        {
            "price": [100.25, 100.5, 100.25, 100.5], "amount": [3, 2, 0, 4], "side": [1, -1, 1, -1],
            "snapshot": [True, True, False, False],
        },
        ["epoch-ms"], "BTCUSDT",
    ),
    ("binance-metrics", "flows"): (
        utc("2023-06-01 00:05", "2023-06-01 00:10"),
        {
            "asset": ["BTCUSDT"] * 2, "open_interest": [90000.5, 90010.5], "open_interest_value": [2.43e9, 2.431e9],
            "top_trader_account_ratio": [1.2, 1.2], "top_trader_position_ratio": [1.1, 1.1],
            "long_short_ratio": [1.5, NAN], "taker_volume_ratio": [0.9, 0.8],
        },
        ["naive-as-utc", "duplicate-identical"], "BTCUSDT",
    ),
    ("binance-funding", "flows"): (
        ms(3, 28_800_000),
        {
            "asset": ["BTCUSDT-fundingRate-2023-06"] * 2, "funding_rate": [0.0001, -0.00005],
            "funding_interval_hours": [8, 8],
        },
        ["epoch-ms"], None,
    ),
    ("binance-liquidations", "flows"): (
        ms(0, 8),
        {
            "asset": ["BTCUSD_PERP-liquidationSnapshot-2023-06-01"] * 2, "price": [99.75, 101.25], "amount": [5, 1],
            "side": [-1, 1],
        },
        ["epoch-ms", "duplicate-identical"], None,
    ),
    ("cryptodatadownload", "bars"): (
        ms(86_400_000, 0),
        {
            "open": [200, 198], "high": [210, 201], "low": [190, 195], "close": [205, 200], "trades": [99, NAN],
            "volume": [50, 40], "dollar_volume": [10250, 8000],
        },
        ["epoch-s", "epoch-ms"], "ETHUSDT",
    ),
    ("tardis-trades", "trades"): (
        [T, T], {"price": [100.5, 100.25], "amount": [2, 1.5], "side": [1, 0]} | BOTH, ["epoch-us"], "BTCUSDT"
    ),
    ("tardis-quotes", "quotes"): (
        [T, T],
        {"bid": [100.25, 100.25], "bid_size": [7, 7], "ask": [100.5, NAN], "ask_size": [5, NAN]} | BOTH,
        ["epoch-us"], "BTCUSDT",
    ),
    ("tardis-book-snapshot", "book"): (
        [T, T],
        {
            "bid_0": [100.25, 100.25], "bid_size_0": [7, 7], "ask_0": [100.5, 100.5], "ask_size_0": [5, 5],
            "bid_1": [100, 100], "bid_size_1": [2, 2], "ask_1": [100.75, NAN], "ask_size_1": [1, NAN],
        } | BOTH,
        ["epoch-us"], "BTCUSDT",
    ),
    ("tardis-book-updates", "book"): (
        [T, T],
        {"price": [100.5, 100.25], "amount": [5, 0], "side": [-1, 1], "snapshot": [True, False]} | BOTH,
        ["epoch-us"], "BTCUSDT",
    ),
    ("tardis-derivatives", "flows"): (
        [T, T],
        {
            "asset": ["BTCUSDT"] * 2, "funding_rate": [0.0001, NAN], "predicted_funding_rate": [NAN, NAN],
            "open_interest": [90000, 90010], "last_price": [100.5, NAN], "index_price": [100.4, NAN],
            "mark_price": [100.45, 100.5],
        } | BOTH,
        ["epoch-us"], "BTCUSDT",
    ),
    ("tardis-liquidations", "flows"): (
        [T], {"asset": ["BTCUSDT"], "price": [99.5], "amount": [2], "side": [-1.0], "received": BOTH["received"][:1]},
        ["epoch-us"], "BTCUSDT",
    ),
    # An executed buy order was sold into: the seller took. 9:30 in New York is 13:30 UTC in June.
    ("lobster", "trades"): (
        utc("2012-06-21 13:30:00.5", "2012-06-21 13:30:00.75"),
        {"price": [223.95, 224], "amount": [10, 5], "side": [-1, 1], "hidden": [False, True]},
        ["new-york-to-utc"], "AMZN",
    ),
    ("lobster", "book"): (
        utc("2012-06-21 13:30:00.004241176", "2012-06-21 13:30:00.5", "2012-06-21 13:30:00.75",
            "2012-06-21 19:59:59.999999999"),
        {
            "bid_0": [223.95] * 4, "bid_size_0": [18, 8, 8, 8], "ask_0": [224] * 4, "ask_size_0": [100, 100, 95, 95],
            "bid_1": [223.9, NAN, 223.9, 223.9], "bid_size_1": [40, NAN, 40, 40],
            "ask_1": [224.1, NAN, 224.1, 224.1], "ask_size_1": [7, NAN, 7, 7],
        },
        ["new-york-to-utc"], "AMZN",
    ),
    ("databento-csv", "bars"): (
        [T], {"open": [3720.25], "high": [3721], "low": [3720], "close": [3720.5], "volume": [350]}, ["epoch-ns"],
        "ESH1",
    ),
    ("databento-csv", "trades"): (
        ns(0, 7),
        {"price": [3720.25, 3720.5], "amount": [5, 1], "side": [-1, 0], "received": ns(900, 990)},
        ["epoch-ns"], "ESH1",
    ),
    ("databento-csv", "quotes"): (
        ns(0, 7),
        {
            "bid": [3720.25, 3720.25], "bid_size": [24, 24], "ask": [3720.5, NAN], "ask_size": [11, 0],
            "received": ns(900, 950),
        },
        ["epoch-ns"], "ESH1",
    ),
    # The largest number stands for no price: the book was cleared.
    ("databento-csv", "book"): (
        ns(0, 5),
        {
            "price": [NAN, 3720.25], "amount": [0, 11], "side": [0, 1], "id": [0, 647784973705], "action": ["R", "A"],
            "received": ns(900, 950),
        },
        ["epoch-ns"], "ESH1",
    ),
    ("bitstamp-orders", "book"): (
        ms(404, 635, 640),
        {
            "price": [236.47, 236.47, 236.5], "amount": [2, 1.78855669, 1], "side": [1, 1, -1],
            "id": [65595247, 65595247, 65595248], "action": ["created", "changed", "deleted"],
        },
        ["epoch-ms", "received-as-time"], None,
    ),
    ("truefx", "quotes"): (
        utc("2009-05-01 00:00:00.318", "2009-05-01 00:00:01.005"),
        {"bid": [1.32205, 1.32204], "ask": [1.32226, 1.32226]}, ["naive-as-utc"], "EUR/USD",
    ),
    ("lean", "bars"): (
        utc("2010-05-06 17:00", "2010-05-06 18:00"),
        {
            "open": [115.1, 114.71], "high": [115.23, 114.88], "low": [114.88, 106.13], "close": [114.97, 111.8],
            "volume": [31e6, 178e6],
        },
        ["new-york-to-utc"], "SPY",
    ),
    ("yfinance", "bars"): (
        utc("2024-01-02", "2024-01-03") * 2,
        {
            "asset": ["SPY", "SPY", "HYG", "HYG"], "close": [470.5, 468.25, 77.25, 77],
            "volume": [1000, 1200, 500, NAN],
        },
        ["naive-as-utc"], None,
    ),
    # 4:00 UTC in summer and 5:00 in winter are New York's midnight: the session's date is what is meant.
    ("alpaca", "bars"): (
        utc("2020-07-27", "2020-12-28"),
        {
            "open": [320.5, 371.5], "high": [322, 372], "low": [320, 371], "close": [321.75, 371.5],
            "volume": [1000, 1200], "adjusted": [321.75, 371.5],
        },
        ["session-date"], None,
    ),
    ("yahoo", "bars"): (
        utc("1987-10-16", "1987-10-19"),
        {
            "open": [0, 10], "high": [10.25, 10], "low": [9.75, 7.5], "close": [10, 8], "volume": [1000, 5000],
            "adjusted": [2.5, 2],
        },
        ["naive-as-utc"], None,
    ),
    ("stooq", "bars"): (
        utc("2005-02-25", "2005-02-28"),
        {
            "open": [82.5, 83.25], "high": [83.5, 83.5], "low": [82, 82.5], "close": [83.25, 82.75],
            "volume": [86421000.5, 100],
        },
        ["naive-as-utc"], "SPY.US",
    ),
    ("defillama", "flows"): (
        utc("2020-05-19", "2020-05-20"), {"asset": ["Aave_borrowed"] * 2, "borrowed": [12345606.3, 12298508.45]},
        ["naive-as-utc"], None,
    ),
    ("defillama-wide", "flows"): (
        utc("2022-05-12", "2022-05-12", "2022-05-13"),
        {"asset": ["terrausd", "dai", "terrausd"], "price": [0.37, 1.001, 0.129]}, ["naive-as-utc"], None,
    ),
    ("generic", "bars"): (
        utc("2024-01-01", "2024-01-02"), {"open": [1, 1.5], "close": [1.5, 1.25], "volume": [10, 20]},
        ["naive-as-utc"], None,
    ),
    ("generic", "trades"): (
        ms(0, 1), {"price": [1.5, 1.25], "amount": [2, 1], "side": [1, -1]}, ["epoch-ms"], None
    ),
    ("generic", "quotes"): (
        ns(0, 1000), {"bid": [1.25, 1.25], "bid_size": [2, 1], "ask": [1.5, NAN]}, ["epoch-us"], None
    ),
    ("generic", "book"): (
        ns(0, 1), {"price": [1.25, 1.5], "amount": [2, 0], "side": [1, -1], "snapshot": [False, False]}, ["epoch-ns"],
        None,
    ),
    ("generic", "flows"): (
        utc("2024-01-01", "2024-01-01"), {"asset": ["SPY", "TLT"], "inflow": [-5.5, NAN]}, ["naive-as-utc"], None
    ),
    ("binance-stream", "trades"): (
        ms(-2, 3),
        {"price": [100.5, 100.75], "amount": [2, 1], "side": [-1, 1], "received": ns(1, 5)}, ["epoch-ms"], "ETHUSDT",
    ),
    ("binance-stream", "quotes"): (
        ns(2),
        {"bid": [100.25], "bid_size": [3], "ask": [100.5], "ask_size": [4], "received": ns(2)},
        ["epoch-ns", "received-as-time"], "ETHUSDT",
    ),
    ("binance-stream", "book"): (
        [*ns(3, 3, 3), *ms(1, 2)],
        {
            "side": [1, -1, -1, 1, -1], "price": [100.25, 100.5, 100.75, 100.25, 100.75], "amount": [3, 4, 1, 0, 2],
            "snapshot": [True, True, True, False, False], "received": ns(3, 3, 3, 4, 6),
        },
        ["epoch-ms", "epoch-ns", "received-as-time"], "ETHUSDT",
    ),
    ("bybit-ob", "book"): (
        ms(0, 0, 2),
        {"side": [1, -1, 1], "price": [1.25, 1.5, 1.25], "amount": [7, 3, 0], "snapshot": [True, True, False]},
        ["epoch-ms"], "XRPUSDT",
    ),
    # These files name no symbol for the instrument: its number stands in.
    ("dbn", "bars"): (
        ms(0, 60_000),
        {"open": [3720.25] * 2, "high": [3721.25] * 2, "low": [3719.25] * 2, "close": [3720.25] * 2,
         "volume": [350] * 2},
        ["dbn-ohlcv-1m"], "5482",
    ),
    ("dbn", "trades"): (
        ns(0, 1),
        {"price": [3720.25] * 2, "amount": [5, 6], "side": [-1, -1], "received": ns(900, 901)}, ["dbn-trades"], "5482",
    ),
    ("dbn", "quotes"): (
        ns(0, 1),
        {"bid": [3720.25] * 2, "bid_size": [24] * 2, "ask": [3720.5] * 2, "ask_size": [11] * 2,
         "received": ns(900, 901)},
        ["dbn-mbp-1"], "5482",
    ),
    ("dbn", "book"): (
        ns(0, 1),
        {"price": [3720.25] * 2, "amount": [11, 11], "side": [-1, -1], "id": [77, 78], "action": ["A", "A"],
         "received": ns(900, 901)},
        ["dbn-mbo"], "5482",
    ),
}  # fmt: skip


def read(table, path, **options):
    return getattr(ds, f"read_{table}")(path, **options)


def put(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def same(column, values):
    """Floats to a few units in the last place, since prices in whole units were divided; all else exactly."""
    if column.dtype == np.float64:
        np.testing.assert_allclose(column, np.array(values, dtype=float), rtol=1e-15)
    else:
        assert list(column) == list(values)


def needs(key):
    if key[0] == "dbn":
        pytest.importorskip("databento")
