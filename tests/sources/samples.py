"""A small file in each format, written from the vendors' notes: what they must be read as; seeds of a fuzzer.

Numbers are made up. ``SAMPLES``: (format, table) → (file name, its bytes).
"""

from __future__ import annotations

import io
import json
from functools import cache

import pandas as pd

NS = 1_700_000_000_000_000_000
MS, US = NS // 10**6, NS // 10**3
LOBSTER = "AMZN_2012-06-21_34200000_57600000_{}_2.csv"


def rows(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


_TARDIS = f"binance,BTCUSDT,{US},{US + 900}"
_TEXTS: dict[tuple[str, str], tuple[str, bytes]] = {
    ("binance-klines", "bars"): (
        "BTCUSDT-1m-2021-01.csv",
        rows(
            f"{MS},100.5,101,99.5,100.75,12.5,{MS + 59_999},1259.375,42,7.5,755.6,0",
            f"{MS + 60_000},100.75,100.75,100.75,100.75,0,{MS + 119_999},0,0,0,0,0",
        ),
    ),
    ("binance-aggtrades", "trades"): (
        "BTCUSDT-aggTrades-2021-01-01.csv",
        rows(f"17,100.5,0.25,30,32,{MS},True,True", f"18,100.25,1,33,33,{MS + 5},False,True"),
    ),
    ("binance-trades", "trades"): (
        "BTCUSDT-trades-2021-01-01.csv",
        rows(
            "id,price,qty,quote_qty,time,is_buyer_maker",
            f"30,100.5,0.25,25.125,{MS},true",
            f"31,100.25,1,100.25,{MS + 5},false",
        ),
    ),
    ("binance-bookticker", "quotes"): (
        "BTCUSDT-bookTicker-2023-06-01.csv",
        rows(
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
            f"7,100.25,3,100.5,2.5,{MS + 4},{MS + 9}",
            f"6,100.25,1,100.75,2,{MS},{MS + 8}",
        ),
    ),
    ("binance-bookdepth", "book"): (
        "BTCUSDT-bookDepth-2023-06-01.csv",
        rows(
            "timestamp,percentage,depth,notional,owner",
            "2023-06-01 00:00:07,-5.00, 200,19800,me",
            "2023-06-01 00:00:07,-1.00,50,5000,me",
            "2023-06-01 00:00:07,1.00,40,4100,me",
            "2023-06-01 00:00:07,5.00,160,16800,me",
            "2023-06-01 00:00:37,-1,55,5500,me",
            "2023-06-01 00:00:37,1,45,4600,me",
        ),
    ),
    ("binance-depth", "book"): (
        "BTCUSDT_T_DEPTH_2023-06-01.csv",
        rows(
            "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu",
            f"BTCUSDT,{MS},100,100,b,snap,100.25,3,-1",
            f"BTCUSDT,{MS},100,100,a,snap,100.5,2,-1",
            f"BTCUSDT,{MS + 100},101,104,b,set,100.25,0,100",
            f"BTCUSDT,{MS + 200},105,105,a,set,100.5,4,104",
        ),
    ),
    ("binance-metrics", "flows"): (
        "BTCUSDT-metrics-2023-06-01.csv",
        rows(
            "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
            "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio",
            "2023-06-01 00:05:00,BTCUSDT,90000.5,2430000000,1.2,1.1,1.5,0.9",
            "2023-06-01 00:05:00,BTCUSDT,90000.5,2430000000,1.2,1.1,1.5,0.9",
            "2023-06-01 00:10:00,BTCUSDT,90010.5,2431000000,1.2,1.1,,0.8",
        ),
    ),
    ("binance-funding", "flows"): (
        "BTCUSDT-fundingRate-2023-06.csv",
        rows(
            "calc_time,funding_interval_hours,last_funding_rate",
            f"{MS + 3},8,0.0001",
            f"{MS + 28_800_000},8,-0.00005",
        ),
    ),
    ("binance-liquidations", "flows"): (
        "BTCUSD_PERP-liquidationSnapshot-2023-06-01.csv",
        rows(
            "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,"
            "last_fill_quantity,accumulated_fill_quantity",
            f"{MS},SELL,LIMIT,IOC,5,99.5,99.75,FILLED,2,5",
            f"{MS},SELL,LIMIT,IOC,5,99.5,99.75,FILLED,2,5",
            f"{MS + 8},BUY,LIMIT,IOC,1,101.5,101.25,FILLED,1,1",
        ),
    ),
    ("cryptodatadownload", "bars"): (
        "Binance_ETHUSDT_d.csv",
        rows(
            "https://www.CryptoDataDownload.com",
            "Unix,Date,Symbol,Open,High,Low,Close,Volume ETH,Volume USDT,tradecount",
            f"{MS + 86_400_000},2023-11-15,ETHUSDT,200,210,190,205,50,10250,99",
            f"{NS // 10**9}.0,2023-11-14,ETHUSDT,198,201,195,200,40,8000,NULL",
        ),
    ),
    ("tardis-trades", "trades"): (
        "binance_trades_2023-11-14_BTCUSDT.csv",
        rows(
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            f"{_TARDIS},a1,buy,100.5,2",
            f"{_TARDIS},a2,unknown,100.25,1.5",
        ),
    ),
    ("tardis-quotes", "quotes"): (
        "binance_quotes_2023-11-14_BTCUSDT.csv",
        rows(
            "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
            f"{_TARDIS},5,100.5,100.25,7",
            f"{_TARDIS},,,100.25,7",
        ),
    ),
    ("tardis-book-snapshot", "book"): (
        "binance_book_snapshot_5_2023-11-14_BTCUSDT.csv",
        rows(
            "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,"
            "asks[1].price,asks[1].amount,bids[1].price,bids[1].amount",
            f"{_TARDIS},100.5,5,100.25,7,100.75,1,100,2",
            f"{_TARDIS},100.5,5,100.25,7,,,100,2",
        ),
    ),
    ("tardis-book-updates", "book"): (
        "deribit_incremental_book_L2_2023-11-14_BTC-PERPETUAL.csv",
        rows(
            "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
            f"{_TARDIS},true,ask,100.5,5",
            f"{_TARDIS},false,bid,100.25,0",
        ),
    ),
    ("tardis-derivatives", "flows"): (
        "binance_derivative_ticker_2023-11-14_BTCUSDT.csv",
        rows(
            "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
            "open_interest,last_price,index_price,mark_price",
            f"{_TARDIS},{US},0.0001,,90000,100.5,100.4,100.45",
            f"{_TARDIS},,,,90010,,,100.5",
        ),
    ),
    ("tardis-liquidations", "flows"): (
        "binance_liquidations_2023-11-14_BTCUSDT.csv",
        rows("exchange,symbol,timestamp,local_timestamp,id,side,price,amount", f"{_TARDIS},,sell,99.5,2"),
    ),
    ("lobster", "trades"): (
        LOBSTER.format("message"),
        rows(
            "34200.004241176,1,16113575,18,2239500,1",
            "34200.5,4,16113575,10,2239500,1",
            "34200.75,5,0,5,2240000,-1",
            "57599.999999999,7,0,0,-1,-1",
        ),
    ),
    ("lobster", "book"): (
        LOBSTER.format("orderbook"),
        rows(
            "2240000,100,2239500,18,2241000,7,2239000,40",
            "2240000,100,2239500,8,9999999999,0,-9999999999,0",
            "2240000,95,2239500,8,2241000,7,2239000,40",
            "2240000,95,2239500,8,2241000,7,2239000,40",
        ),
    ),
    ("databento-csv", "bars"): (
        "glbx.ohlcv-1m.csv",
        rows(
            "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol",
            f"{NS},33,1,5482,3720250000000,3721000000000,3720000000000,3720500000000,350,ESH1",
        ),
    ),
    ("databento-csv", "trades"): (
        "glbx.trades.csv",
        rows(
            "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,"
            "sequence,symbol",
            f"{NS + 900},{NS},0,1,5482,T,A,0,3720250000000,5,129,19251,1170380,ESH1",
            f"{NS + 990},{NS + 7},0,1,5482,T,N,0,3720500000000,1,129,19251,1170381,ESH1",
        ),
    ),
    ("databento-csv", "quotes"): (
        "glbx.mbp-1.csv",
        rows(
            "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,"
            "sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol",
            f"{NS + 900},{NS},1,1,5482,A,A,0,3720.5,1,128,17214,1170352,3720.25,3720.5,24,11,15,9,ESH1",
            f"{NS + 950},{NS + 7},1,1,5482,C,A,0,3720.5,1,128,17214,1170353,3720.25,,24,0,15,0,ESH1",
        ),
    ),
    ("databento-csv", "book"): (
        "glbx.mbo.csv",
        rows(
            "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,channel_id,order_id,flags,"
            "ts_in_delta,sequence,symbol",
            f"{NS + 900},{NS},160,1,5482,R,N,9223372036854775807,0,0,0,128,22993,1170352,ESH1",
            f"{NS + 950},{NS + 5},160,1,5482,A,B,3720250000000,11,0,647784973705,128,22993,1170353,ESH1",
        ),
    ),
    ("bitstamp-orders", "book"): (
        "orders.csv",
        rows(
            "id,timestamp,exchange.timestamp,price,volume,action,direction",
            f"65595247,{MS + 404},{MS},236.47,200000000,created,bid",
            f"65595247,{MS + 635},{MS},236.47,178855669,changed,bid",
            f"65595248,{MS + 640},{MS},236.5,100000000,deleted,ask",
        ),
    ),
    ("truefx", "quotes"): (
        "EURUSD-2009-05.csv",
        rows("EUR/USD,20090501 00:00:00.318,1.32205,1.32226", "EUR/USD,20090501 00:00:01.005,1.32204,1.32226"),
    ),
    ("lean", "bars"): (
        "spy.csv",
        rows(
            "20100506 13:00,1151000,1152300,1148800,1149700,31000000",
            "20100506 14:00,1147100,1148800,1061300,1118000,178000000",
        ),
    ),
    ("yfinance", "bars"): (
        "download.csv",
        rows(
            "Price,Close,Close,Volume,Volume",
            "Ticker,SPY,HYG,SPY,HYG",
            "Date,,,,",
            "2024-01-02,470.5,77.25,1000,500",
            "2024-01-03,468.25,77,1200,",
        ),
    ),
    ("alpaca", "bars"): (
        "SPY.csv",
        rows(
            "Date,Open,High,Low,Close,Adj Close,Volume",
            "2020-07-27 04:00:00+00:00,320.5,322,320,321.75,321.75,1000",
            "2020-12-28 05:00:00+00:00,371.5,372,371,371.5,371.5,1200",
        ),
    ),
    ("yahoo", "bars"): (
        "JPM.csv",
        rows(
            "Date,Open,High,Low,Close,Adj Close,Volume",
            "1987-10-16,0,10.25,9.75,10,2.5,1000",
            "1987-10-19,10,10,7.5,8,2,5000",
        ),
    ),
    ("stooq", "bars"): (
        "spy.us.txt",
        rows(
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            "SPY.US,D,20050225,000000,82.5,83.5,82,83.25,86421000.5,0",
            "SPY.US,D,20050228,000000,83.25,83.5,82.5,82.75,100,0",
        ),
    ),
    ("defillama", "flows"): (
        "Aave_borrowed.csv",
        rows("Date,Borrowed_Assets", '2020/05/19,"$12,345,606.30"', '2020/05/20,"$12,298,508.45"'),
    ),
    ("defillama-wide", "flows"): (
        "stablecoin_prices.csv",
        rows("Date,terrausd,dai", "2022-05-12,0.37,1.001", "2022-05-13,0.129,"),
    ),
    ("generic", "bars"): ("bars.csv", rows("Date,Open,Close,Volume", "2024-01-01,1,1.5,10", "2024-01-02,1.5,1.25,20")),
    ("generic", "trades"): ("t.csv", rows("time,price,size,side", f"{MS},1.5,2,buy", f"{MS + 1},1.25,1,sell")),
    ("generic", "quotes"): ("q.csv", rows("time,bid,ask,bid_size", f"{US},1.25,1.5,2", f"{US + 1},1.25,,1")),
    ("generic", "book"): ("b.csv", rows("time;side;price;amount", f"{NS};bid;1.25;2", f"{NS + 1};ask;1.5;0")),
    ("generic", "flows"): ("f.csv", rows("date,asset,inflow,note", "2024-01-01,SPY,-5.5,x", "2024-01-01,TLT,,y")),
}  # fmt: skip


def message(received: int, **data: object) -> str:
    return f"{received} {json.dumps({'stream': 'x', 'data': data})}"


_STREAM = rows(
    message(NS + 1, e="trade", E=MS, T=MS - 2, s="ETHUSDT", t=1, p="100.5", q="2", m=True),
    message(NS + 2, u=5, s="ETHUSDT", b="100.25", B="3", a="100.5", A="4"),
    f'{NS + 3} {{"lastUpdateId":10,"bids":[["100.25","3"]],"asks":[["100.5","4"],["100.75","1"]]}}',
    message(NS + 4, e="depthUpdate", E=MS + 1, s="ETHUSDT", U=11, u=12, b=[["100.25", "0"]], a=[]),
    message(NS + 5, e="trade", E=MS, T=MS + 3, s="ETHUSDT", t=2, p="100.75", q="1", m=False),
    message(NS + 6, e="depthUpdate", E=MS + 2, s="ETHUSDT", U=13, u=13, b=[], a=[["100.75", "2"]]),
)
_BYBIT = rows(
    f'{{"topic":"orderbook.500.XRPUSDT","type":"snapshot","ts":{MS},"data":'
    '{"s":"XRPUSDT","b":[["1.25","7"]],"a":[["1.5","3"]],"u":20,"seq":1},"cts":1}',
    f'{{"topic":"orderbook.500.XRPUSDT","type":"delta","ts":{MS + 2},"data":'
    '{"s":"XRPUSDT","b":[["1.25","0"]],"a":[],"u":21,"seq":2},"cts":2}',
)


@cache
def dbn(table: str) -> bytes:
    """Two records of a schema of Databento's binary encoding."""
    import databento_dbn as d

    schema = {"bars": "ohlcv-1m", "trades": "trades", "quotes": "mbp-1", "book": "mbo"}[table]
    head = d.Metadata(
        dataset="GLBX.MDP3", start=NS, end=NS + 10**12, stype_in=d.SType.RAW_SYMBOL, stype_out=d.SType.INSTRUMENT_ID,
        schema=d.Schema(schema), symbols=["ESH1"], partial=[], not_found=[], ts_out=False,
        mappings=[],
    )  # fmt: skip
    price = 3_720_250_000_000
    sold, asked = (d.Action.TRADE, d.Side.ASK), (d.Action.ADD, d.Side.ASK)
    pair = d.BidAskPair(bid_px=price, ask_px=price + 250_000_000, bid_sz=24, ask_sz=11)
    records = {
        "bars": lambda k: d.OHLCVMsg(33, 1, 5482, NS + k * 60 * 10**9, price, price + 10**9, price - 10**9, price, 350),
        "trades": lambda k: d.TradeMsg(1, 5482, NS + k, price, 5 + k, *sold, 0, NS + 900 + k),
        "quotes": lambda k: d.MBP1Msg(1, 5482, NS + k, price, 1, *asked, 0, NS + 900 + k, levels=pair),
        "book": lambda k: d.MBOMsg(1, 5482, NS + k, 77 + k, price, 11, *asked, NS + 900 + k),
    }[table]
    return bytes(head) + b"".join(bytes(records(k)) for k in range(2))


@cache
def parquet() -> bytes:
    stamps = pd.date_range("2024-01-01", periods=3, freq="min", tz="UTC", name="time")
    frame = pd.DataFrame({"close": [1.5, 1.25, 1.0], "volume": ["10", "", "20"], "trades": [1, 2, 3]}, index=stamps)
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


SAMPLES: dict[tuple[str, str], tuple[str, bytes]] = {
    **_TEXTS,
    ("binance-stream", "trades"): ("ethusdt.txt", _STREAM),
    ("binance-stream", "quotes"): ("ethusdt.txt", _STREAM),
    ("binance-stream", "book"): ("ethusdt.txt", _STREAM),
    ("bybit-ob", "book"): ("xrp-ob500.data", _BYBIT),
}
BINARY = {("dbn", table): (f"glbx.{table}.dbn", table) for table in ("bars", "trades", "quotes", "book")}


def sample(key: tuple[str, str]) -> tuple[str, bytes]:
    """File name and bytes of a sample; those of binary formats need their extras."""
    if key in BINARY:
        name, table = BINARY[key]
        return name, dbn(table)
    return SAMPLES[key]


def write(folder, key):
    """The sample as a file; LOBSTER's book with the message file that it needs."""
    name, data = sample(key)
    if key == ("lobster", "book"):
        (folder / LOBSTER.format("message")).write_bytes(SAMPLES["lobster", "trades"][1])
    path = folder / name
    path.write_bytes(data)
    return path
