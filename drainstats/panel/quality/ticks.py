"""Faults of single events: trades, quotes and books, in the order of their file."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.quality.grid import grid
from drainstats.panel.quality.sizes import size_hints
from drainstats.typing import BoolArray, FloatArray

# Barndorff-Nielsen, Hansen, Lunde and Shephard (2009), rules Q4, Q3 and T4: a price further than 10 mean absolute
# deviations from the median of the 50 around it, a spread above 50 median spreads, a trade a spread outside the quotes.
NEIGHBOURS, FAR, WIDE = 50, 10.0, 50.0
LEAST_SIDES = 100


def tick_faults(table: pd.DataFrame, kind: str, quotes: pd.DataFrame | None = None) -> dict[str, Any]:
    """A row of the quality table for one tidy table of ``kind``; trades are held against ``quotes``."""
    row = _order(table)
    if not len(table):
        return row
    if kind == "trades":
        return row | _trades(table) | (_against(table, quotes) if quotes is not None else {})
    if kind == "quotes":
        return row | _quotes(table, "bid", "ask")
    return row | _book(table)


def _order(table: pd.DataFrame) -> dict[str, Any]:
    stamps = pd.DatetimeIndex(table.index).as_unit("ns")
    nanos = stamps.asi8[~np.asarray(stamps.isna())]
    row: dict[str, Any] = {"rows": len(table), "missing_stamps": int(len(table) - len(nanos))}
    if not len(nanos):
        return row
    steps = np.diff(nanos)
    back = steps < 0
    ordered = np.sort(nanos)
    distinct = np.unique(ordered)
    gaps = np.diff(distinct)
    widest = int(gaps.argmax()) if len(gaps) else -1
    usual = (distinct[-1] - distinct[0] - (gaps.max() if len(gaps) else 0)) / max(len(gaps) - 1, 1)
    row |= {
        "first": pd.Timestamp(ordered[0], tz="UTC"),
        "last": pd.Timestamp(ordered[-1], tz="UTC"),
        "disorder_share": float(back.mean()) if len(steps) else 0.0,
        "late_rows": int(back.sum()),
        "newest_first": float(bool(len(steps)) and bool((steps <= 0).all()) and bool(back.any())),
        "largest_step_back": float(-steps.min(initial=0)) / 1e9,
        "same_stamp": 1 - len(distinct) / len(nanos),
        "longest_gap": float(gaps.max(initial=0)) / 1e9,
        "longest_gap_from": pd.Timestamp(distinct[widest], tz="UTC") if widest >= 0 else pd.NaT,
        "gap_ratio": float(gaps.max() / usual) if len(gaps) > 1 and usual > 0 else np.nan,
        "resolution": float(np.gcd.reduce(distinct - distinct[0])) / 1e9 if len(distinct) > 1 else np.nan,
        "stamps_1970": float((ordered < pd.Timestamp("1970-03-01").value).mean()),
        "stamps_future": float((ordered > (pd.Timestamp.now("UTC") + pd.Timedelta(days=1)).value).mean()),
        # A file with the newest row first is in order, the other way round.
        "book_gap": float("book-gap" in table.attrs.get("rules", ())),
    }
    if row["newest_first"]:
        row["disorder_share"] = 0.0
    if "received" in table:
        received = pd.DatetimeIndex(table["received"]).as_unit("ns").asi8
        delay = (received - stamps.asi8)[~np.asarray(stamps.isna() | table["received"].isna())] / 1e9
        if len(delay):
            row |= {
                "clock_ahead": float((delay < 0).mean()),
                "delay_median": float(np.median(delay)),
                "delay_max": float(delay.max()),
            }
    return row | _repeated(table)


def _repeated(table: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"repeated_rows": float(table.reset_index().duplicated().mean())}
    if "id" in table and pd.api.types.is_numeric_dtype(table["id"]) and "price" in table and "action" not in table:
        ids = table["id"].to_numpy()
        ids = ids[~np.isnan(ids.astype(np.float64))].astype(np.int64)
        distinct = np.unique(ids)
        span = int(distinct[-1] - distinct[0]) + 1 if len(distinct) else 0
        row["duplicate_ids"] = 1 - len(distinct) / max(len(ids), 1)
        # Numbers that skip most of the time are not counted one by one.
        row["id_gaps"] = 1 - len(distinct) / span if span and len(distinct) > 0.5 * span else np.nan
    return row


def _trades(table: pd.DataFrame) -> dict[str, Any]:
    price, amount = (table[name].to_numpy(dtype=np.float64) for name in ("price", "amount"))
    row: dict[str, Any] = {
        "bad_prices": float((~(price > 0)).mean()),
        "bad_amounts": float((~(amount > 0)).mean()),
    }
    decimals, tick = _grid(price)
    row |= {"decimals": decimals, "tick_size": tick, "tick_share": tick / _median(price), "lot_size": _grid(amount)[1]}
    row["outliers"] = float(outlying(price, tick).mean())
    if "side" in table:
        side = table["side"].to_numpy()
        change = np.sign(np.diff(price, prepend=price[:1]))
        judged = (side != 0) & (change != 0) & ~np.isnan(change)
        row["unknown_side"] = float((side == 0).mean())
        agree = float((side == change)[judged].mean()) if judged.sum() >= LEAST_SIDES else np.nan
        row["side_tick_agreement"] = agree
    return row | size_hints(amount, row["lot_size"])


def _quotes(table: pd.DataFrame, bid_name: str, ask_name: str) -> dict[str, Any]:
    bid, ask = (table[name].to_numpy(dtype=np.float64) for name in (bid_name, ask_name))
    both = ~np.isnan(bid) & ~np.isnan(ask)
    many = max(int(both.sum()), 1)
    spread = ask - bid
    open_ = both & (spread > 0)
    usual = float(np.median(spread[open_])) if open_.any() else np.nan
    mid = (bid + ask) / 2
    decimals, tick = _grid(np.concatenate([bid, ask]))
    sizes = [table[n].to_numpy(dtype=np.float64) for n in _size_names(bid_name, ask_name) if n in table]
    empty = [(~(s > 0)) & ~np.isnan(p) for s, p in zip(sizes, (bid, ask), strict=False)]
    row: dict[str, Any] = {
        "crossed": float((bid > ask).sum()) / many,
        "locked": float((bid == ask).sum()) / many,
        "one_sided": float((~both).mean()),
        "bad_prices": float(((bid <= 0) | (ask <= 0)).mean()),
        "bad_amounts": float(np.mean(np.logical_or.reduce(empty))) if empty else np.nan,
        "wide_spreads": float((spread > WIDE * usual).sum()) / many if usual > 0 else 0.0,
        "spread_median": usual / _median(mid),
        "decimals": decimals,
        "tick_size": tick,
        "tick_share": tick / _median(mid),
        "outliers": float(outlying(mid[both], tick).mean()) if both.any() else np.nan,
    }
    if sizes:
        row["lot_size"] = _grid(np.concatenate(sizes))[1]
    return row


def _size_names(bid: str, ask: str) -> tuple[str, str]:
    return bid.replace("bid", "bid_size"), ask.replace("ask", "ask_size")


def _book(table: pd.DataFrame) -> dict[str, Any]:
    if "bid_0" in table:
        row = _quotes(table, "bid_0", "ask_0")
        levels = sum(1 for name in table.columns if str(name).startswith("bid_") and str(name)[4:].isdigit())
        wrong = np.zeros(len(table), dtype=bool)
        for level in range(1, levels):
            wrong |= np.asarray(table[f"bid_{level}"] >= table[f"bid_{level - 1}"])
            wrong |= np.asarray(table[f"ask_{level}"] <= table[f"ask_{level - 1}"])
        return row | {"levels": levels, "level_disorder": float(wrong.mean())}
    if "price" in table:
        price, amount = (table[name].to_numpy(dtype=np.float64) for name in ("price", "amount"))
        decimals, tick = _grid(price)
        row = {
            "bad_prices": float((~(price > 0)).mean()),
            "bad_amounts": float((~(amount >= 0)).mean()),
            "decimals": decimals,
            "tick_size": tick,
            "lot_size": _grid(amount)[1],
        }
        if "snapshot" in table and "action" not in table:
            row["no_snapshot"] = float(not bool(table["snapshot"].any()))
        return row
    bands = sorted(int(n.rpartition("_")[2]) for n in map(str, table.columns) if n.startswith("bid_depth_"))
    wrong = np.zeros(len(table), dtype=bool)
    for inner, outer in pairwise(bands):
        for side in ("bid", "ask"):
            wrong |= np.asarray(table[f"{side}_depth_{outer}"] < table[f"{side}_depth_{inner}"])
    return {"levels": len(bands), "level_disorder": float(wrong.mean())}


def _against(trades: pd.DataFrame, quotes: pd.DataFrame) -> dict[str, Any]:
    """Trades held against the quotes that stood just before them and at the end of their own stamp.

    Of quotes and trades with one stamp none is known to be first, so that both count.
    """
    stamps = pd.DatetimeIndex(quotes.index).as_unit("ns").asi8
    order = np.argsort(stamps, kind="stable")
    times = pd.DatetimeIndex(trades.index).as_unit("ns").asi8
    bid, ask = (quotes[name].to_numpy(dtype=np.float64)[order] for name in ("bid", "ask"))
    before, at = (np.searchsorted(stamps[order], times, side=side) - 1 for side in ("left", "right"))
    known = at >= 0
    ends = [np.where(before >= 0, before, at), at]
    low = np.fmin(*(bid[np.maximum(end, 0)] for end in ends))
    high = np.fmax(*(ask[np.maximum(end, 0)] for end in ends))
    known &= high > low
    price = trades["price"].to_numpy(dtype=np.float64)
    slack = high - low
    outside = known & ((price > high + slack) | (price < low - slack))
    row: dict[str, Any] = {
        "quoted": float(known.mean()),
        "outside_quotes": float(outside.sum()) / max(int(known.sum()), 1),
    }
    if "side" in trades:
        side = trades["side"].to_numpy()
        judged = known & (side != 0) & ((price >= high) | (price <= low))
        wrong = judged & (np.where(price >= high, 1, -1) != side)
        many = int(judged.sum())
        # Quotes of another moment say nothing of sides.
        fits = many >= LEAST_SIDES and row["outside_quotes"] <= 0.5
        row["side_against_quotes"] = float(wrong.sum()) / many if fits else np.nan
    return row


def outlying(price: FloatArray, tick: float) -> BoolArray:
    """Prices further than 10 mean absolute deviations, and than 10 ticks, from the median of the 50 around them."""
    if len(price) < NEIGHBOURS:
        return np.zeros(len(price), dtype=bool)
    series = pd.Series(np.where(price > 0, price, np.nan))
    window = series.rolling(NEIGHBOURS + 1, center=True, min_periods=NEIGHBOURS // 2)
    centre = window.median()
    away = (series - centre).abs()
    around = away.rolling(NEIGHBOURS + 1, center=True, min_periods=NEIGHBOURS // 2)
    count = around.count()
    others = (around.mean() * count - away) / (count - 1)
    floor = np.nan_to_num(tick) + 1e-9 * centre
    return np.asarray(away > FAR * np.maximum(others, floor))


def _grid(values: FloatArray) -> tuple[float, float]:
    seen = np.abs(values[np.isfinite(values) & (values != 0)])
    # A sample over the whole file: the grid of a million prices is that of ten thousand.
    seen = seen[:: max(len(seen) // 10_000, 1)]
    decimals, step = grid(seen, np.zeros(len(seen), dtype=np.int64), 1)
    return float(decimals[0]), float(step[0])


def _median(values: FloatArray) -> float:
    seen = values[~np.isnan(values)]
    return float(np.median(seen)) if len(seen) else np.nan
