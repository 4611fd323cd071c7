"""Other vendors' files beyond the samples: Databento, LEAN, yfinance, Alpaca, Stooq, LOBSTER, Coinbase, DefiLlama."""

from __future__ import annotations

import io

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from tests.sources.expected import NAN, T, ns, put, read, same, utc
from tests.sources.samples import NS, US, rows, sample, write


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


def test_databento_mbp_1_gives_the_same_trades_in_both_encodings(tmp_path):
    d = pytest.importorskip("databento_dbn")
    head = d.Metadata("GLBX.MDP3", NS, d.SType.RAW_SYMBOL, d.SType.INSTRUMENT_ID, d.Schema("mbp-1"))
    price, best = 3_720_250_000_000, d.BidAskPair(bid_px=3_720_250_000_000, ask_px=3_720_500_000_000)
    actions = [d.Action.ADD, d.Action.TRADE, d.Action.CANCEL, d.Action.TRADE]
    sides = [d.Side.BID, d.Side.ASK, d.Side.ASK, d.Side.BID]
    records = [
        d.MBP1Msg(1, 5482, NS + k, price + k * 10**9, 5 + k, actions[k], sides[k], 0, NS + 900 + k, levels=best)
        for k in range(4)
    ]
    binary = put(tmp_path, "x.mbp-1.dbn", bytes(head) + b"".join(map(bytes, records)))
    names = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence"
    lines = [
        f"{NS + 900 + k},{NS + k},1,1,5482,{'ATCT'[k]},{'BAAB'[k]},0,{price + k * 10**9},{5 + k},0,0,0,{price},"
        f"{price + 250_000_000},0,0,0,0,5482"
        for k in range(4)
    ]
    head_line = f"{names},bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol"
    text = put(tmp_path, "x.mbp-1.csv", rows(head_line, *lines))
    for reader, count in ((ds.read_trades, 2), (ds.read_quotes, 4)):
        one, other = reader(binary), reader(text)
        assert len(one) == count
        pd.testing.assert_frame_equal(one, other[one.columns])
    bars = [ds.tick_bars(path, "1min", asset="5482") for path in (binary, text)]
    pd.testing.assert_frame_equal(*bars)


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


CHAIN = (
    "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,bid_price,"
    "bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,"
    "vega,theta,rho"
)


@pytest.mark.parametrize("table", ["bars", "trades", "quotes", "book", "flows"])
def test_an_options_chain_of_tardis_is_refused(tmp_path, table):
    option = f"deribit,BTC-9JUN20-9875-P,{US},{US + 3},put,9875,{US},0.1,0.014,0.0145,29.6,60,0.016,41.8,63,0.015,61"
    path = put(tmp_path, "deribit_options_chain.csv", rows(CHAIN, f"{option},index,9756,-0.6,0.0008,2.4,-55,-0.2"))
    with pytest.raises(DataError, match="Tardis options_chain") as caught:
        read(table, path)
    assert caught.value.file == path
    if table == "quotes":
        with pytest.raises(DataError, match="Tardis options_chain"):
            ds.read_quotes(path, format="tardis-quotes")


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
