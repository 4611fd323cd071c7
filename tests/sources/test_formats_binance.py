"""Binance's files beyond the samples: headers, units, contracts, mark prices, streams and bands."""

from __future__ import annotations

import io

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from tests.sources.expected import T, put, utc
from tests.sources.samples import MS, US, rows, sample

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
