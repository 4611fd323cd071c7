"""Each format from a small file: what it is taken for, units, sides, stamps, what is recorded and what left aside."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.sources.tables import FORMATS
from tests.sources.samples import BINARY, MS, NS, SAMPLES, US, parquet, rows, sample, write

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


def test_every_format_has_a_sample():
    assert {(f.name, f.table) for f in FORMATS} == set(EXPECTED) == {*SAMPLES, *BINARY}
    listed = ds.list_formats()
    assert len(listed) == len(FORMATS)
    assert listed.index.name == "format"
    assert (listed["title"].str.len() > 0).all()
    assert (listed["traps"].str.len() > 0).all()


@pytest.mark.parametrize("key", EXPECTED, ids="-".join)
def test_a_format(key, tmp_path):
    needs(key)
    stamps, columns, rules, symbol = EXPECTED[key]
    table = read(key[1], write(tmp_path, key))
    assert table.attrs["format"] == key[0]
    assert list(table.index) == stamps
    assert table.attrs["rules"] == rules
    assert table.attrs.get("symbol") == symbol
    assert set(table.columns) == set(columns)
    for name, values in columns.items():
        same(table[name], values)
    pd.testing.assert_frame_equal(read(key[1], write(tmp_path, key), format=key[0]), table)


@pytest.mark.parametrize("key", EXPECTED, ids="-".join)
def test_an_asset_is_named_or_taken(key, tmp_path):
    needs(key)
    path = write(tmp_path, key)
    table = read(key[1], path)
    several = key[1] == "flows" or key[0] == "yfinance"
    if "asset" in table and several:
        name = table["asset"].iloc[0]
        only = read(key[1], path, asset=name)
        assert set(only["asset"]) == {name}
        if table["asset"].nunique() > 1:
            with pytest.raises(DataError, match="There is no asset 'NOPE' in the file; it has"):
                read(key[1], path, asset="NOPE")
    else:
        assert (read(key[1], path, asset="X")["asset"] == "X").all()


@pytest.mark.parametrize("key", [k for k in EXPECTED if k[0] != "lobster"], ids="-".join)
def test_compressed_files_are_the_same(key, tmp_path):
    needs(key)
    name, data = sample(key)
    plain = read(key[1], put(tmp_path, name, data))
    packed = [put(tmp_path, f"{name}.gz", gzip.compress(data)), tmp_path / f"{name}.zip"]
    with zipfile.ZipFile(packed[1], "w") as archive:
        archive.writestr(f"folder/{name}", data)
    for path in packed:
        pd.testing.assert_frame_equal(read(key[1], path), plain)


def test_parquet_of_bars(tmp_path):
    pytest.importorskip("pyarrow")
    table = ds.read_bars(put(tmp_path, "x.parquet", parquet()))
    assert table["close"].tolist() == [1.5, 1.25, 1.0]
    np.testing.assert_array_equal(table["volume"], [10, NAN, 20])
    assert table.attrs["rules"] == []


# Binance -----------------------------------------------------------------------------------------------------------

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def test_klines_with_header_and_in_microseconds(tmp_path):
    line = f"{US},1,2,0.5,1.5,10,{US + 59_999_999},15,3,4,6,0"
    for text in (rows(HEADER, line), rows(line)):
        table = ds.read_bars(put(tmp_path, "BTCUSDT-1m-2025-01.csv", text))
        assert table.index[0] == T
        assert table.attrs["rules"] == ["epoch-us"]
        assert table.iloc[0].tolist() == [1, 2, 0.5, 1.5, 10, 15, 3, 4]


def test_klines_that_change_their_unit(tmp_path):
    """A year of spot files put together: milliseconds up to 2024, microseconds from 2025."""
    one, two = 1_735_689_540_000, 1_735_689_600_000_000
    lines = [f"{one},1,1,1,1,1,{one + 59_999},1,1,1,1,0", f"{two},1,1,1,1,1,{two + 59_999_999},1,1,1,1,0"]
    table = ds.read_bars(put(tmp_path, "x.csv", rows(*lines)))
    assert list(table.index) == utc("2024-12-31 23:59", "2025-01-01")
    assert table.attrs["rules"] == ["epoch-ms", "epoch-us"]


def test_coin_margined_klines_count_contracts(tmp_path):
    line = f"{MS},100,100,100,100,2000,{MS + 59_999},20,7,1500,15,0"
    table = ds.read_bars(put(tmp_path, "BTCUSD_PERP-1m-2023-06.csv", rows(HEADER, line)))
    assert table.iloc[0][["volume", "buy_volume"]].tolist() == [20, 15], "coins, not contracts"
    assert "dollar_volume" not in table
    assert table.attrs["rules"] == ["epoch-ms", "contracts-to-coins"]


@pytest.mark.parametrize("headed", [True, False])
def test_mark_prices_are_refused_as_a_source_of_volume(tmp_path, headed):
    lines = [f"{MS + k * 60_000},1,1,1,1,0,{MS + k * 60_000 + 59_999},0,60,0,0,0" for k in range(3)]
    path = put(tmp_path, "BTCUSDT-1m-2023-06.csv", rows(*([HEADER] if headed else []), *lines))
    with pytest.raises(DataError, match="bars of a mark or index price"):
        ds.read_bars(path)
    if headed:
        assert len(ds.read_bars(path, format="generic")) == 3


def test_a_dead_market_is_no_mark_price(tmp_path):
    lines = [f"{MS + k * 60_000},1,1,1,1,0,{MS + k * 60_000 + 59_999},0,0,0,0,0" for k in range(3)]
    assert (ds.read_bars(put(tmp_path, "x.csv", rows(*lines)))["volume"] == 0).all()


def test_trades_without_header_and_of_coins(tmp_path):
    spot = ds.read_trades(put(tmp_path, "a.csv", rows(f"1,100.5,0.25,25.1,{US},False,True")))
    assert spot.index[0] == T
    assert spot.iloc[0].tolist() == [100.5, 0.25, 1]
    text = rows("id,price,qty,base_qty,time,is_buyer_maker", f"1,20000,10,0.05,{MS},true")
    coins = ds.read_trades(put(tmp_path, "b.csv", text))
    assert coins["amount"].tolist() == [0.05]
    assert coins.attrs["rules"] == ["epoch-ms", "contracts-to-coins"]
    text = rows(
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        f"17,100.5,0.25,30,32,{MS},true",
    )
    assert ds.read_trades(put(tmp_path, "c.csv", text)).attrs["format"] == "binance-aggtrades"


@pytest.mark.parametrize(
    ("name", "head", "stamp", "tail", "rule"),
    [
        ("BTCUSDT-aggTrades-2023-06-01.csv", True, MS, "", "epoch-ms"),
        ("BTCUSDT-aggTrades-2025-01-01.csv", False, US, ",True", "epoch-us"),
    ],
    ids=["futures", "spot"],
)
def test_aggregates_with_header_and_in_microseconds(tmp_path, name, head, stamp, tail, rule):
    header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
    lines = [f"17,100.5,0.25,30,32,{stamp},true{tail}", f"18,100.25,0.5,33,33,{stamp},false{tail}"]
    table = ds.read_trades(put(tmp_path, name, rows(*([header] if head else []), *lines)))
    assert list(table.index) == [T, T]
    assert table.to_dict("list") == {"price": [100.5, 100.25], "amount": [0.25, 0.5], "side": [-1, 1]}
    assert table.attrs["rules"] == [rule]


def test_klines_in_parquet_with_numbers_as_texts(tmp_path):
    """As the REST interface gives them: the prices were turned into numbers, the last fields were not."""
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "open_time": [MS], "open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5], "volume": [10.0],
            "close_time": [MS + 59_999], "quote_volume": ["15.25"], "trades": [3], "taker_buy_base": ["4.5"],
            "taker_buy_quote": ["6.75"], "ignore": ["0"],
        }
    )  # fmt: skip
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    table = ds.read_bars(put(tmp_path, "btc.parquet", buffer.getvalue()))
    assert table.attrs["format"] == "binance-klines"
    assert list(table.index) == [T]
    assert table.iloc[0].to_dict() == {
        "open": 1, "high": 2, "low": 0.5, "close": 1.5, "volume": 10, "dollar_volume": 15.25, "trades": 3,
        "buy_volume": 4.5,
    }  # fmt: skip


def test_a_gap_in_the_chain_of_updates_is_recorded(tmp_path):
    name, data = sample(("binance-depth", "book"))
    assert ds.read_book(put(tmp_path, name, data.replace(b",104\n", b",103\n"))).attrs["rules"][-1] == "book-gap"
    name, data = sample(("binance-stream", "book"))
    assert ds.read_book(put(tmp_path, name, data.replace(b'"U": 13', b'"U": 14'))).attrs["rules"][-1] == "book-gap"
    name, data = sample(("bybit-ob", "book"))
    assert ds.read_book(put(tmp_path, name, data.replace(b'"u":21', b'"u":22'))).attrs["rules"][-1] == "book-gap"


def test_streams_of_several_assets(tmp_path):
    name, data = sample(("binance-stream", "book"))
    two = data.replace(b"ETHUSDT", b"BTCUSDT", 2)
    assert ds.read_trades(put(tmp_path, name, two))["asset"].tolist() == ["BTCUSDT", "ETHUSDT"]
    mixed = b"".join(line for line in data.splitlines(True) if b"lastUpdateId" not in line)
    mixed += mixed.replace(b"ETHUSDT", b"BTCUSDT")
    assert set(ds.read_book(put(tmp_path, name, mixed))["asset"]) == {"BTCUSDT", "ETHUSDT"}
    with pytest.raises(DataError, match="A full book names no asset, and the recording has ETHUSDT, BTCUSDT") as caught:
        ds.read_book(put(tmp_path, name, data + data.replace(b"ETHUSDT", b"BTCUSDT")))
    assert caught.value.row == 3
    book = sample(("bybit-ob", "book"))[1]
    both = ds.read_book(put(tmp_path, "x.data", book + book.replace(b"XRPUSDT", b"BTCUSDT")))
    assert both["asset"].value_counts().to_dict() == {"XRPUSDT": 3, "BTCUSDT": 3}


def test_repeated_bands_keep_the_last(tmp_path):
    name, data = sample(("binance-bookdepth", "book"))
    again = data + b"2023-06-01 00:00:37,1.00,46,4700,me\n"
    table = ds.read_book(put(tmp_path, name, again))
    assert table["ask_depth_1"].tolist() == [40, 46]
    assert table.attrs["rules"] == ["naive-as-utc", "duplicate-last"]


# Others ------------------------------------------------------------------------------------------------------------


def test_databento_prices_in_decimals(tmp_path):
    name, data = sample(("databento-csv", "bars"))
    for price in (b"3720250000000", b"3721000000000", b"3720000000000", b"3720500000000"):
        data = data.replace(price, b"%.9f" % (int(price) / 1e9))
    pretty = data.replace(str(NS).encode(), b"2023-11-14T22:13:20.000000000Z")
    table = ds.read_bars(put(tmp_path, name, pretty))
    assert table.iloc[0].tolist() == [3720.25, 3721, 3720, 3720.5, 350]
    assert table.index[0] == T


@pytest.mark.parametrize("fixed", [True, False], ids=["billionths", "decimals"])
def test_databento_books_of_ten_levels(tmp_path, fixed):
    """The second record holds one level: the largest number, or nothing, stands for the prices that are not there."""
    none = str(2**63 - 1) if fixed else ""

    def price(quarters):
        return str(quarters * 250_000_000) if fixed else f"{quarters / 4:.9f}"

    def record(offset, filled):
        levels = (
            f"{price(400 - k)},{price(401 + k)},{24 + k},{11 + k},1,2" if k < filled else f"{none},{none},0,0,0,0"
            for k in range(10)
        )
        head = f"{NS + 900 + offset},{NS + offset},10,1,5482,A,B,0,{price(400)},1,128,165,{offset}"
        return ",".join([head, *levels, "ESH1"])

    names = ("bid_px", "ask_px", "bid_sz", "ask_sz", "bid_ct", "ask_ct")
    columns = (f"{name}_{k:02d}" for k in range(10) for name in names)
    head = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence"
    path = put(tmp_path, "glbx.mbp-10.csv", rows(",".join([head, *columns, "symbol"]), record(0, 10), record(7, 1)))
    table = ds.read_book(path)
    assert list(table.index) == ns(0, 7)
    assert list(table["received"]) == ns(900, 907)
    assert (table.attrs["format"], table.attrs["symbol"]) == ("databento-csv", "ESH1")
    assert table.shape[1] == 41
    for k in range(10):
        same(table[f"bid_{k}"], [100 - k / 4, NAN if k else 100])
        same(table[f"ask_{k}"], [100.25 + k / 4, NAN if k else 100.25])
        same(table[f"bid_size_{k}"], [24 + k, 0 if k else 24])
        same(table[f"ask_size_{k}"], [11 + k, 0 if k else 11])
    for reader in (ds.read_trades, ds.read_quotes):
        with pytest.raises(DataError, match="read it with read_book"):
            reader(path)


def test_databento_trades_come_with_the_quotes_before_them(tmp_path):
    name, data = sample(("databento-csv", "quotes"))
    path = put(tmp_path, name, data.replace(b",A,A,0,3720.5,1,", b",T,A,0,3720.25,6,"))
    trades = ds.read_trades(path)
    assert list(trades.index) == [T]
    assert trades.iloc[0][["price", "amount", "side"]].tolist() == [3720.25, 6, -1]
    pd.testing.assert_frame_equal(ds.read_quotes(path), ds.read_quotes(put(tmp_path, "plain.csv", data)))


def test_databento_events_that_are_no_trades_are_left_out_of_trades(tmp_path):
    name, data = sample(("databento-csv", "trades"))
    assert len(ds.read_trades(put(tmp_path, name, data.replace(b",T,N,", b",F,N,")))) == 1


def test_order_numbers_stay_exact(tmp_path):
    name, data = sample(("databento-csv", "book"))
    large = 2**63 + 12345
    table = ds.read_book(put(tmp_path, name, data.replace(b"647784973705", str(large).encode())))
    assert table["id"].tolist() == [0, large]
    quoted = data.replace(b"647784973705", f'"{large}"'.encode())
    assert ds.read_book(put(tmp_path, name, quoted))["id"].tolist() == [0, large]
    with pytest.raises(DataError, match="'-1' is no whole number") as caught:
        ds.read_book(put(tmp_path, name, data.replace(b"647784973705", b"-1")))
    assert (caught.value.row, caught.value.column) == (3, "order_id")


def test_definitions_are_no_market_data(tmp_path):
    d = pytest.importorskip("databento_dbn")
    head = d.Metadata("GLBX.MDP3", NS, d.SType.RAW_SYMBOL, d.SType.INSTRUMENT_ID, d.Schema("definition"))
    path = put(tmp_path, "x.dbn", bytes(head))
    for table in ("bars", "trades", "quotes", "book", "flows"):
        with pytest.raises(DataError, match="schema 'definition', which are no market data"):
            read(table, path)


def test_lean_daily_bars_are_dates(tmp_path):
    path = put(tmp_path, "ibm.csv", rows("20100506 00:00,1000000,1010000,990000,1005000,5"))
    table = ds.read_bars(path)
    assert list(table.index) == utc("2010-05-06")
    assert table.attrs["rules"] == ["session-date"]
    path = put(tmp_path, "ibm.csv", rows("20100506 00:00,1,1,1,1,5", "20100507 10:00,1,1,1,1,5"))
    with pytest.raises(DataError, match="is not a date, as the first row is") as caught:
        ds.read_bars(path)
    assert caught.value.row == 2


def test_lean_hours_that_did_not_happen(tmp_path):
    path = put(tmp_path, "ibm.csv", rows("20100312 09:00,1,1,1,1,5", "20100314 02:30,1,1,1,1,5"))
    with pytest.raises(DataError, match="does not name one moment in America/New_York") as caught:
        ds.read_bars(path)
    assert caught.value.row == 2


def test_yfinance_with_four_header_lines_and_an_unnamed_adjusted_close(tmp_path):
    text = rows(
        "Price,Price,Close,Volume", "Ticker,LQD,LQD,LQD", "Ticker,LQD,LQD,LQD", "Date,,,", "2002-07-30,38.5,101.25,7"
    )
    table = ds.read_bars(put(tmp_path, "LQD.csv", text))
    assert table.iloc[0].to_dict() == {"adjusted": 38.5, "close": 101.25, "volume": 7}
    assert table.attrs["symbol"] == "LQD"


def test_alpaca_stamps_of_other_hours(tmp_path):
    name, data = sample(("alpaca", "bars"))
    with pytest.raises(DataError, match="is not midnight in New York, as the first row is") as caught:
        ds.read_bars(put(tmp_path, name, data.replace(b"2020-12-28 05", b"2020-12-28 04")))
    assert caught.value.row == 3


def test_stooq_intraday_is_refused(tmp_path):
    name, data = sample(("stooq", "bars"))
    with pytest.raises(DataError, match="intraday stamps of Stooq name no time zone") as caught:
        ds.read_bars(put(tmp_path, name, data.replace(b"20050228,000000", b"20050228,153000")))
    assert caught.value.row == 3


def test_lobster_needs_its_messages_and_the_day_in_the_name(tmp_path):
    path = write(tmp_path, ("lobster", "book"))
    next(tmp_path.glob("*message*")).unlink()
    with pytest.raises(DataError, match=r"stand in its message file, AMZN_.*_message_2\.csv, which is not there"):
        ds.read_book(path)
    path = put(tmp_path, "x.csv", sample(("lobster", "trades"))[1])
    with pytest.raises(DataError, match="The day of a LOBSTER file stands in its name"):
        ds.read_trades(path, format="lobster")


def test_a_lobster_book_saved_again_with_semicolons(tmp_path):
    path = write(tmp_path, ("lobster", "book"))
    plain = ds.read_book(path)
    path.write_bytes(path.read_bytes().replace(b",", b";"))
    pd.testing.assert_frame_equal(ds.read_book(path), plain)


def test_lobster_books_that_do_not_fit_their_messages(tmp_path):
    path = write(tmp_path, ("lobster", "book"))
    path.write_bytes(path.read_bytes() + b"1,1,1,1,1,1,1,1\n")
    with pytest.raises(DataError, match="The book has 5 rows, its message file 4"):
        ds.read_book(path)


def test_the_single_file_of_stooq_is_generic(tmp_path):
    text = rows("Date,Open,High,Low,Close,Volume", "2020-03-12,256,266.66,247.68,248.11,392220700")
    table = ds.read_bars(put(tmp_path, "spy_us_d.csv", text))
    assert table.attrs["format"] == "generic"
    assert list(table.index) == utc("2020-03-12")
    assert table.iloc[0].tolist() == [256, 266.66, 247.68, 248.11, 392220700]


def test_minutes_of_coinbase_as_texts_in_parquet(tmp_path):
    """The low comes before the high, the open after both, and every cell is a text."""
    pytest.importorskip("pyarrow")
    names = ["start", "low", "high", "open", "close", "volume"]
    cells = [[str(NS // 10**9), "0.874", "0.99", "0.98", "0.88", "10.5"]]
    buffer = io.BytesIO()
    pd.DataFrame(cells, columns=names).to_parquet(buffer)
    table = ds.read_bars(put(tmp_path, "usdcusd.parquet", buffer.getvalue()))
    assert list(table.index) == [T]
    assert table.iloc[0].to_dict() == {"open": 0.98, "high": 0.99, "low": 0.874, "close": 0.88, "volume": 10.5}
    assert table.attrs["rules"] == ["epoch-s"]


def test_what_a_wide_file_holds_must_be_known(tmp_path):
    data = sample(("defillama-wide", "flows"))[1]
    with pytest.raises(DataError, match="The name of the file does not say what its columns hold"):
        ds.read_flows(put(tmp_path, "x.csv", data), format="defillama-wide")


# The mapper --------------------------------------------------------------------------------------------------------


def test_columns_are_mapped(tmp_path):
    path = put(tmp_path, "x.csv", rows("T,px_last,VOLM,junk", "2024-01-01,1.5,10,z"))
    table = ds.read_bars(path, columns={"time": "T", "close": "px_last", "volume": "VOLM"})
    assert table.iloc[0].to_dict() == {"close": 1.5, "volume": 10}
    assert table.attrs["ignored"] == ["junk"]
    flows = ds.read_flows(path, columns={"time": "T", "outflow": "VOLM"}, asset="SPY")
    assert flows[["asset", "outflow"]].iloc[0].tolist() == ["SPY", 10]


@pytest.mark.parametrize("mark", list(";\t|"))
def test_columns_between_other_marks_are_mapped(tmp_path, mark):
    text = rows("T,px_last,lots,who", f"{MS},1.5,2,sell", f"{MS + 1},1.25,3,buy").replace(b",", mark.encode())
    names = {"time": "T", "price": "px_last", "amount": "lots", "side": "who"}
    table = ds.read_trades(put(tmp_path, "x.txt", text), columns=names)
    assert list(table.index) == ms(0, 1)
    assert table.to_dict("list") == {"price": [1.5, 1.25], "amount": [2, 3], "side": [-1, 1]}


@pytest.mark.parametrize("header", ["asset", "Symbol", "ticker"])
def test_several_assets_in_one_file_are_kept_apart(tmp_path, header):
    path = put(tmp_path, "x.csv", rows(f"time,{header},close", "2024-01-01,A,1", "2024-01-01,B,2", "2024-01-02,A,3"))
    table = ds.read_bars(path)
    assert table["asset"].tolist() == ["A", "B", "A"]
    assert ds.read_bars(path, asset="A")["close"].tolist() == [1, 3]
    assert ds.LiquidityPanel.from_long(table.reset_index(), clock="utc_day")["close"]["A"].tolist() == [1, 3]
    one = put(tmp_path, "y.csv", rows(f"time,{header},close", "2024-01-01,A,1"))
    assert ds.read_bars(one).attrs["symbol"] == "A"
    mapped = put(tmp_path, "z.csv", rows("time,who,close", "2024-01-01,A,1", "2024-01-01,B,2"))
    assert ds.read_bars(mapped, columns={"asset": "who"})["asset"].tolist() == ["A", "B"]
    assert ds.read_flows(mapped, columns={"asset": "who"})["asset"].tolist() == ["A", "B"]


def test_maps_that_do_not_fit(tmp_path):
    path = put(tmp_path, "x.csv", rows("T,px_last", "2024-01-01,1.5"))
    with pytest.raises(DataError, match="There is no column 'nope'; the file has T, px_last"):
        ds.read_bars(path, columns={"time": "T", "close": "nope"})
    with pytest.raises(OptionError, match="columns= names 'last', which bars do not have; they have time, open"):
        ds.read_bars(path, columns={"time": "T", "last": "px_last"})
    with pytest.raises(OptionError, match="columns= is for the generic format, not for format='lean'"):
        ds.read_bars(path, format="lean", columns={"time": "T"})


def test_a_maker_column_by_another_name(tmp_path):
    path = put(tmp_path, "x.csv", rows("time,price,size,flag", f"{MS},1,2,true"))
    with pytest.raises(DataError, match="'true' is none of 'buy'"):
        ds.read_trades(path, columns={"side": "flag"})


@pytest.mark.parametrize("key", [k for k in EXPECTED if k[0] != "generic"], ids="-".join)
def test_every_other_reader_names_the_one_that_fits(key, tmp_path):
    needs(key)
    path = write(tmp_path, key)
    # A recording of streams holds three tables.
    own = {"trades", "quotes", "book"} if key[0] == "binance-stream" else {key[1]}
    for table in {"bars", "trades", "quotes", "book", "flows"} - own:
        # Databento's quotes may come with trades: the columns are those of tbbo, but this file has none.
        none = (*key, table) == ("databento-csv", "quotes", "trades")
        with pytest.raises(DataError, match="holds no trades" if none else rf"read it with .*\bread_{key[1]}\b"):
            read(table, path)


def test_a_file_of_another_table_names_its_reader(tmp_path):
    path = write(tmp_path, ("tardis-quotes", "quotes"))
    with pytest.raises(DataError, match=r"This is a file of quotes \(Tardis quotes\): read it with read_quotes\."):
        ds.read_trades(path)
    with pytest.raises(DataError, match="This is a file of bars: read it with read_bars"):
        ds.read_flows(write(tmp_path, ("generic", "bars")))
    with pytest.raises(DataError, match="There is no column for ask, bid in this file; is it of the format 'tardis"):
        ds.read_quotes(put(tmp_path, "y.csv", rows("timestamp,x", f"{US},1")), format="tardis-quotes")
