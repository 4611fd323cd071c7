"""Tardis: CSV files of trades, quotes, books, derivative tickers and liquidations; microseconds, UTC."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Layout, Source, sided

_BASE = ("exchange", "symbol", "timestamp", "local_timestamp")
_tardis = partial(Layout, "timestamp", received="local_timestamp", symbol="symbol")
_TRADE = {"price": "price", "amount": "amount"}
_TICKED = ("funding_rate", "predicted_funding_rate", "open_interest", "last_price", "index_price", "mark_price")
_TRADES = _tardis(_TRADE, side=sided("side"), needed=("side", "price", "amount"), whole=True)
_QUOTES = _tardis({"bid": "bid_price", "bid_size": "bid_amount", "ask": "ask_price", "ask_size": "ask_amount"})
_UPDATES = _tardis(_TRADE, side=sided("side"), flags={"snapshot": "is_snapshot"}, whole=True)
_TICKER = _tardis({name: name for name in _TICKED})


def _book(source: Source) -> pd.DataFrame:
    asks = (re.fullmatch(r"asks\[(\d{1,3})\]\.price", name) for name in source.columns)
    depth = 1 + max((int(found[1]) for found in asks if found), default=0)
    fields = {}
    for level in range(depth):
        for ours, theirs in (("bid", "bids"), ("ask", "asks")):
            fields[f"{ours}_{level}"] = f"{theirs}[{level}].price"
            fields[f"{ours}_size_{level}"] = f"{theirs}[{level}].amount"
    return _tardis(fields).read(source)


def _has(*columns: str) -> Any:
    return lambda source: source.has(*_BASE, *columns)


def _is_quotes(source: Source) -> bool:
    _refuse_options(source)
    return source.has(*_BASE, "bid_price", "bid_amount", "ask_price")


def _quotes(source: Source) -> pd.DataFrame:
    _refuse_options(source)
    return _QUOTES.read(source)


def _refuse_options(source: Source) -> None:
    """A row of an options chain is any change of an option, of its Greeks too: it is no quote."""
    if source.has(*_BASE, "strike_price", "expiration"):
        raise DataError(
            "This is Tardis options_chain, whose strikes, Greeks and volatilities none of the tables holds; fetch the "
            "data type quotes of the options instead.",
            file=source.path,
        )


def _is_trades(source: Source) -> bool:
    return source.has(*_BASE, "id", "side", "price", "amount")


def _names_liquidations(source: Source) -> bool:
    return "liquidations" in source.name.lower()


def _liquidations(source: Source) -> pd.DataFrame:
    table = _TRADES.read(source)
    return table.assign(side=np.asarray(table["side"], dtype=np.float64))


FORMATS = (
    Format(
        "tardis-trades", "trades", "Tardis trades", lambda s: _is_trades(s) and not _names_liquidations(s),
        _TRADES.read, "local_timestamp is the time of receipt",
    ),
    Format(
        "tardis-quotes", "quotes", "Tardis quotes", _is_quotes, _quotes,
        "the ask comes before the bid; options_chain holds quotes too, and is refused",
    ),
    Format(
        "tardis-book-snapshot", "book", "Tardis book_snapshot_5 and _25", _has("asks[0].price", "bids[0].price"), _book,
        "levels interleaved, the ask first",
    ),
    Format(
        "tardis-book-updates", "book", "Tardis incremental_book_L2", _has("is_snapshot", "side", "price", "amount"),
        _UPDATES.read, "amount 0 deletes a level",
    ),
    Format(
        "tardis-derivatives", "flows", "Tardis derivative_ticker", _has("funding_rate", "open_interest"), _TICKER.read,
        "cells may be empty: what did not change is not repeated", genuine=False,
    ),
    Format(
        "tardis-liquidations", "flows", "Tardis liquidations", lambda s: _is_trades(s) and _names_liquidations(s),
        _liquidations, "the same columns as trades: told by the file's name; side is that of the closing order",
        genuine=False,
    ),
)  # fmt: skip
