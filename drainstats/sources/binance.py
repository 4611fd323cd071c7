"""Binance's archive (data.binance.vision): klines, trades, books, metrics, funding and liquidations, header or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Layout, Source, sided
from drainstats.sources.schema import MAKER_SIDES

_KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time",
    "quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_AGGREGATES = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
)  # fmt: skip
_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
_BEST = "is_best_match"
_PRICES = {name: name for name in ("open", "high", "low", "close")}
# The spellings of the archive, of the REST interface as people save it, and of python-binance.
_QUOTE_VOLUME = ("quote_volume", "quote_asset_volume")
_COUNT = ("count", "trades", "number_of_trades")
_BUY_VOLUME = ("taker_buy_volume", "taker_buy_base", "taker_buy_base_asset_volume")


def _digits(cell: str) -> bool:
    return cell.isdigit() and len(cell) in (13, 16)


def _is_klines(source: Source) -> bool:
    cells = source.columns
    headed = cells[:7] == _KLINES[:7] and len(cells) >= 8
    return headed or (len(cells) == 12 and _digits(cells[0]) and _digits(cells[6]))


def _is_bare(source: Source, names: tuple[str, ...], stamp: int) -> bool:
    cells = source.columns
    width = len(cells) in (len(names), len(names) + 1)
    return width and _digits(cells[stamp]) and cells[len(names) - 1] in ("true", "false")


def _klines(source: Source) -> pd.DataFrame:
    bare = source.columns[:1] != ("open_time",)
    theirs = _KLINES if bare else source.columns
    fields = _PRICES | {"volume": "volume"} | _first("dollar_volume", _QUOTE_VOLUME, theirs)
    fields |= _first("trades", _COUNT, theirs) | _first("buy_volume", _BUY_VOLUME, theirs)
    rules = []
    if "USD_" in source.name.upper() and "dollar_volume" in fields:
        # Coin-margined futures count contracts; the eighth column is the volume in coins.
        fields |= {"volume": fields.pop("dollar_volume"), "buy_volume": "taker_buy_quote_volume"}
        rules.append("contracts-to-coins")
    table = Layout("open_time", fields, names=_KLINES if bare else None, mixed=True).read(source)
    table.attrs["rules"] += rules
    _refuse_index_prices(table, source)
    return table


def _refuse_index_prices(table: pd.DataFrame, source: Source) -> None:
    # A minute of a mark or index price has volume 0 and a count of seconds where trade bars have a count of trades.
    if not {"volume", "trades"} <= set(table.columns):
        return
    if (table["volume"] == 0).all() and table["trades"].gt(0).all():
        raise DataError(
            "These are bars of a mark or index price (no volume, a count of seconds): they measure no trading. "
            'Read them with format="generic" if prices are all that is wanted.',
            file=source.path,
        )


def _first(ours: str, spellings: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    return next(({ours: name} for name in spellings if name in theirs), {})


def _bare_names(source: Source, names: tuple[str, ...], stamp: int) -> tuple[str, ...] | None:
    """The names of a file without header; spot has one column more."""
    return (*names, _BEST)[: len(source.columns)] if _is_bare(source, names, stamp) else None


def _aggregates(source: Source) -> pd.DataFrame:
    fields = {"price": "price", "amount": "quantity"}
    names = _bare_names(source, _AGGREGATES, 5)
    maker = ("is_buyer_maker", MAKER_SIDES)
    return Layout("transact_time", fields, names=names, side=maker, mixed=True, whole=True).read(source)


def _trades(source: Source) -> pd.DataFrame:
    # On coin-margined futures qty counts contracts and base_qty coins.
    fields = {"price": "price", "amount": "base_qty" if source.has("base_qty") else "qty"}
    names = _bare_names(source, _TRADES, 4)
    maker = ("is_buyer_maker", MAKER_SIDES)
    table = Layout("time", fields, names=names, side=maker, mixed=True, whole=True).read(source)
    if fields["amount"] == "base_qty":
        table.attrs["rules"].append("contracts-to-coins")
    return table


_TICKER = Layout(
    "transaction_time",
    {"bid": "best_bid_price", "bid_size": "best_bid_qty", "ask": "best_ask_price", "ask_size": "best_ask_qty"},
    mixed=True,
)
_EVENTS = Layout(
    "timestamp", {"price": "price", "amount": "qty", "first": "first_update_id", "last": "last_update_id", "pu": "pu"},
    side=sided("side"), labels={"kind": "update_type"}, symbol="symbol", mixed=True, whole=True,
)  # fmt: skip
_METRICS = Layout(
    "create_time",
    {
        "open_interest": "sum_open_interest",
        "open_interest_value": "sum_open_interest_value",
        "top_trader_account_ratio": "count_toptrader_long_short_ratio",
        "top_trader_position_ratio": "sum_toptrader_long_short_ratio",
        "long_short_ratio": "count_long_short_ratio",
        "taker_volume_ratio": "sum_taker_long_short_vol_ratio",
    },
    symbol="symbol",
)
_FUNDING = Layout(
    "calc_time", {"funding_rate": "last_funding_rate", "funding_interval_hours": "funding_interval_hours"}, mixed=True
)
_LIQUIDATIONS = Layout(
    "time",
    {"price": "average_price", "amount": "accumulated_fill_quantity"},
    side=sided("side"),
    mixed=True,
    whole=True,
)


def _depth_events(source: Source) -> pd.DataFrame:
    """Level updates; a message whose number does not follow the one before adds the rule ``book-gap``."""
    table = _EVENTS.read(source)
    attrs = table.attrs
    if {"kind", "last", "pu"} <= set(table.columns):
        table["snapshot"] = np.asarray(table["kind"] == "snap")
        updates = table[~table["snapshot"]]
        follows = np.asarray(updates["pu"])[1:] == np.asarray(updates["last"])[:-1]
        same = np.asarray(updates["last"])[1:] == np.asarray(updates["last"])[:-1]
        if not (follows | same).all():
            attrs["rules"].append("book-gap")
    table = table.drop(columns=["kind", "first", "last", "pu"], errors="ignore")
    table.attrs = attrs
    return table


def _bands(source: Source) -> pd.DataFrame:
    """Depth within 1 to 5 % of the mid, a row a snapshot: ``bid_depth_1`` … in coins, ``bid_notional_1`` … in quote."""
    theirs = ("percentage", "depth", "notional")
    layout = Layout("timestamp", {name: name for name in theirs}, needed=theirs)
    long = layout.read(source)
    attrs = long.attrs
    band = np.asarray(long["percentage"])
    source.cells().refuse(~np.isfinite(band) | (band == 0), "percentage", band, "is no band around the mid")
    names = [f"{'bid' if b < 0 else 'ask'}_{{}}_{abs(b):g}" for b in band]
    twice = pd.MultiIndex.from_arrays([long.index, names]).duplicated(keep="last")
    if twice.any():
        attrs["rules"].append("duplicate-last")
    parts = []
    for what in ("depth", "notional"):
        columns = [name.format(what) for name in names]
        part = pd.Series(long[what].to_numpy(), index=[long.index, columns])[~twice].unstack()
        order = sorted(part.columns, key=lambda c: (not c.startswith("bid"), float(c.rpartition("_")[2])))
        parts.append(part[order])
    # In the order of the file.
    table = pd.concat(parts, axis=1).loc[long.index.unique()].rename_axis("time")
    table.attrs = attrs
    return table


def _once(layout: Layout, source: Source) -> pd.DataFrame:
    """Archives that hold rows twice, word for word: one of each is kept, by the rule ``duplicate-identical``."""
    table = layout.read(source)
    twin = np.asarray(table.reset_index().duplicated())
    if twin.any():
        attrs = table.attrs
        table = table[~twin]
        table.attrs = attrs | {"rules": [*attrs["rules"], "duplicate-identical"]}
    return table


def _named(*columns: str) -> Any:
    return lambda source: source.has(*columns)


FORMATS = (
    Format(
        "binance-klines", "bars", "Binance archive and REST klines, spot and futures", _is_klines, _klines,
        "no header on spot; microseconds on spot from 2025; coin-margined volumes count contracts; mark and index "
        "prices come under the same name with volume 0 and are refused",
    ),
    Format(
        "binance-aggtrades", "trades", "Binance archive aggTrades",
        lambda s: s.has("transact_time", "is_buyer_maker") or _is_bare(s, _AGGREGATES, 5), _aggregates,
        "no header on spot; is_buyer_maker = true means that the seller took; microseconds on spot from 2025",
        genuine=False,
    ),
    Format(
        "binance-trades", "trades", "Binance archive trades",
        lambda s: s.has("time", "qty", "is_buyer_maker") or _is_bare(s, _TRADES, 4), _trades,
        "no header on spot; coin-margined files count contracts in qty and coins in base_qty, which is taken",
        genuine=False,
    ),
    Format(
        "binance-bookticker", "quotes", "Binance archive bookTicker", _named("best_bid_price", "transaction_time"),
        _TICKER.read, "rows can be out of order; discontinued", genuine=False,
    ),
    Format(
        "binance-bookdepth", "book", "Binance archive bookDepth: depth within 1 to 5 %",
        _named("timestamp", "percentage", "depth", "notional"), _bands,
        "cumulative bands; -5.00 for -5 in 2026; columns added by others are left aside", genuine=False,
    ),
    Format(
        "binance-depth", "book", "Binance T_DEPTH snapshots and updates",
        _named("first_update_id", "update_type", "qty"), _depth_events,
        "amount 0 deletes a level; gaps in the chain of updates are recorded: book-gap",
    ),
    Format(
        "binance-metrics", "flows", "Binance archive metrics: open interest and ratios",
        _named("create_time", "sum_open_interest"), lambda s: _once(_METRICS, s), "early files hold every row twice",
        genuine=False,
    ),
    Format(
        "binance-funding", "flows", "Binance archive fundingRate", _named("calc_time", "last_funding_rate"),
        _FUNDING.read, "stamps have milliseconds of jitter; no symbol inside: pass asset=", genuine=False,
    ),
    Format(
        "binance-liquidations", "flows", "Binance archive liquidationSnapshot",
        _named("time", "side", "average_price", "accumulated_fill_quantity"), lambda s: _once(_LIQUIDATIONS, s),
        "SELL means that a long position was closed; rows stand twice", genuine=False,
    ),
)  # fmt: skip
