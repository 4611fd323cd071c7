"""The five tidy tables: their columns, units and usual spellings. Every one has a UTC index ``time``, in file order.

======  ====================================================================================================
table   columns
======  ====================================================================================================
bars    open high low close (quote currency), volume (base units), dollar_volume (quote currency), trades
        (number), buy_volume (base units bought by takers), adjusted (close after splits and dividends);
        the index is the start of the bar
trades  price, amount (base units), side (int8: 1 the buyer took, -1 the seller, 0 unknown)
quotes  bid, bid_size, ask, ask_size; NaN where a side is empty
book    levels: bid_0 bid_size_0 ask_0 ask_size_0 bid_1 …, from the best on; or updates: side (1 bid, -1 ask),
        price, amount (what stands there from now on; 0 deletes the level), snapshot (the row belongs to a full book);
        or events of single orders: side, price, amount, id, action
flows   asset, and floats: funding_rate, open_interest, supply, tvl, price, borrowed, side, amount …
======  ====================================================================================================

Columns are there only where the source has them. ``received`` is when the recorder had the row, where a source says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Spellings in order of preference: when a file has both ``close`` and ``last``, the first of them is the close.
_TIME = (
    "time",
    "timestamp",
    "datetime",
    "date",
    "day",
    "ts",
    "timestamp_utc",
    "open_time",
    "opentime",
    "start",
    "unix",
)
_LATE_TIME = ("ts_event", "local_timestamp", "created_at", "index", "")
_SYMBOL = ("symbol", "asset", "instrument", "ticker")
ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "bars": {
        "time": (*_TIME, *_LATE_TIME),
        "open": ("open", "o", "price_open"),
        "high": ("high", "h", "price_high"),
        "low": ("low", "l", "price_low"),
        "close": ("close", "c", "last", "price_close"),
        "volume": ("volume", "vol", "v", "base_volume"),
        "dollar_volume": ("dollar_volume", "quote_volume", "quote_asset_volume", "turnover", "amount"),
        "trades": ("trades", "count", "tradecount", "number_of_trades"),
        "buy_volume": ("buy_volume", "taker_buy_volume", "taker_buy_base", "taker_buy_base_asset_volume"),
        "adjusted": ("adjusted", "adj close", "adj_close", "adjclose"),
        "symbol": _SYMBOL,
    },
    "trades": {
        "time": (*_TIME, "trade_time", *_LATE_TIME),
        "price": ("price", "p", "trade_price"),
        "amount": ("amount", "quantity", "qty", "size", "volume", "q"),
        "side": ("side", "taker_side", "direction", "is_buyer_maker", "buyer_maker", "m"),
        "symbol": _SYMBOL,
    },
    "quotes": {
        "time": (*_TIME, *_LATE_TIME),
        "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bid_px_00"),
        "bid_size": ("bid_size", "bid_amount", "bid_qty", "best_bid_qty", "bid_volume", "bid_sz_00"),
        "ask": ("ask", "ask_price", "best_ask", "best_ask_price", "offer", "ask_px_00"),
        "ask_size": ("ask_size", "ask_amount", "ask_qty", "best_ask_qty", "ask_volume", "ask_sz_00"),
        "symbol": _SYMBOL,
    },
    "book": {
        "time": (*_TIME, *_LATE_TIME),
        "side": ("side",),
        "price": ("price",),
        "amount": ("amount", "qty", "quantity", "size"),
        "symbol": _SYMBOL,
    },
    "flows": {"time": (*_TIME, *_LATE_TIME), "symbol": ("asset", "symbol", "coin", "ticker", "instrument")},
}
NEEDED = {
    "bars": ("time", "close"),
    "trades": ("time", "price", "amount"),
    "quotes": ("time", "bid", "ask"),
    "book": ("time", "side", "price", "amount"),
    "flows": ("time",),
}
SIDES = {
    "buy": 1, "b": 1, "bid": 1, "bids": 1, "1": 1, "sell": -1, "s": -1, "a": -1, "ask": -1, "asks": -1, "-1": -1,
    "unknown": 0, "n": 0, "none": 0, "0": 0, "": 0, "1.0": 1, "-1.0": -1, "0.0": 0,
}  # fmt: skip
# A maker who buys was hit by a seller.
MAKER_SIDES = {"true": -1, "false": 1, "1": -1, "0": 1}


def canonical(table: str, headers: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The schema's name → the header of a file that stands for it, by ``given`` or by the preferred spelling."""
    plain = {header.strip().lower(): header for header in headers}
    spelled = ALIASES[table].items()
    found = {name: next((plain[a] for a in aliases if a in plain), None) for name, aliases in spelled}
    return {name: header for name, header in found.items() if header is not None} | dict(given or {})
