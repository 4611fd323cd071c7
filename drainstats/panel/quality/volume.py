"""Faults of volume: bars without trade, assets that died, units that do not fit, volume that ignores the price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.quality.prices import is_flat
from drainstats.panel.quality.stack import Stack, ratio
from drainstats.typing import BoolArray, FloatArray

# A month of sessions without a trade, and twice the longest silence before: the asset does not come back by itself.
SILENT = 20
# Amounts are rounded to a few digits; a base or quote unit taken for the other is a factor of the price.
UNIT_SLACK = 0.01
AROUND = 16
LEAST_PAIRS = 250


def volume_faults(stack: Stack, index: pd.DatetimeIndex, quote_and_base: bool) -> dict[str, Any]:
    """Columns of the quality table. ``quote_and_base``: volume counts units of what is priced."""
    columns = _life(stack, index)
    if "volume" not in stack.values:
        return columns
    volume, close = stack.values["volume"], stack.values.get("close")
    known = ~np.isnan(volume)
    some = stack.count(known) > 0
    columns |= {
        "zero_volume": stack.count(volume == 0),
        "no_volume": np.where(some & (stack.count(volume > 0) == 0), 1.0, 0.0),
        "volume_missing": np.where(some, stack.share(~known), np.nan),
    } | _level_breaks(stack, index)
    if close is not None:
        columns["price_missing"] = stack.share((volume > 0) & np.isnan(close))
    if quote_and_base and {"dollar_volume", "high", "low", "close"} <= set(stack.values):
        columns |= _units(stack)
    if {"high", "low"} <= set(stack.values):
        columns["volume_range_agreement"] = _agreement(stack)
    return columns


def _life(stack: Stack, index: pd.DatetimeIndex) -> dict[str, Any]:
    """Silence at the start and at the end of a history, and the share of silent bars between them."""
    alive = _traded(stack)
    size = stack.size
    silent = stack.runs(~alive)
    last = stack.ends - 1
    some = size > 0
    tail = np.where(some, silent[np.maximum(last, 0)], 0) if len(silent) else np.zeros(len(size), dtype=np.int64)
    first = stack.first(alive)
    head = np.where(first >= 0, first - stack.starts, 0)
    place = stack.place
    middle = (place >= np.repeat(head, size)) & (place < np.repeat(size - tail, size))
    longest = np.nan_to_num(stack.most(np.where(middle, silent, 0).astype(np.float64)))
    dead = (tail >= SILENT) & (tail > 2 * longest) & (tail < size)
    late = head >= SILENT
    between = (place >= np.repeat(np.where(late, head, 0), size)) & (place < np.repeat(size - dead * tail, size))
    columns: dict[str, Any] = {
        "dead_rows": np.where(dead, tail, 0),
        "dead_since": stack.stamp(np.where(dead, stack.ends - tail, -1), index),
    }
    if "volume" in stack.values:
        zero = stack.values["volume"] == 0
        traded_ever = stack.count(stack.values["volume"] > 0) > 0
        columns |= {
            "silent_start": np.where(late, head, 0),
            "volume_since": stack.stamp(np.where(late, first, -1), index),
            "zero_share": np.where(traded_ever, stack.share(zero & between, between), np.nan),
        }
    return columns


def _traded(stack: Stack) -> BoolArray:
    """(M,) bars with a trade: by their volume, or by their prices in assets without one."""
    close = stack.values.get("close", np.full(len(stack.row), np.nan))
    moved = ~(is_flat(stack) & (close == stack.before(close)))
    if "volume" not in stack.values:
        return np.asarray(moved)
    volume = stack.values["volume"]
    counted = np.repeat(stack.count(volume > 0) > 0, stack.size) & ~np.isnan(volume)
    return np.asarray(np.where(counted, volume > 0, moved))


def _level_breaks(stack: Stack, index: pd.DatetimeIndex) -> dict[str, Any]:
    """The largest factor by which every one of 16 volumes exceeds every one of the 16 before or after it."""
    part = stack.keep(stack.values["volume"] > 0)
    logs = np.log(part.values["volume"])
    place, size = part.place, np.repeat(part.size, part.size)
    inside = (place >= AROUND) & (place <= size - AROUND)
    up = _ahead(logs, np.minimum) - _behind(logs, np.maximum)
    down = _behind(logs, np.minimum) - _ahead(logs, np.maximum)
    clear = np.where(inside, np.maximum(up, down), -np.inf)
    largest = part.most(clear)
    at = part.first(inside & (clear == np.repeat(largest, part.size)))
    return {
        "volume_break": np.exp(np.fmax(largest, 0)),
        "volume_break_at": part.stamp(np.where(largest > 0, at, -1), index),
    }


def _ahead(values: FloatArray, extreme: Any) -> FloatArray:
    """Extreme of each number and the 15 after it."""
    out = values.copy()
    for step in (1, 2, 4, 8):
        out[:-step] = extreme(out[:-step], out[step:])
    return out


def _behind(values: FloatArray, extreme: Any) -> FloatArray:
    """Extreme of the 16 numbers before each."""
    out = np.full_like(values, np.nan)
    out[AROUND:] = _ahead(values, extreme)[:-AROUND]
    return out


def _units(stack: Stack) -> dict[str, Any]:
    """Where dollar volume / volume is no price of the bar, and what it is instead."""
    volume, dollars = stack.values["volume"], stack.values["dollar_volume"]
    high, low, close = (stack.values[name] for name in ("high", "low", "close"))
    both = (volume > 0) & (dollars > 0) & (close > 0)
    price = ratio(dollars, np.where(both, volume, 0))
    outside = both & ((price > high * (1 + UNIT_SLACK)) | (price < low * (1 - UNIT_SLACK)))
    same = outside & (np.abs(price - 1) < UNIT_SLACK)
    swapped = outside & ~same & (price * low < 1 + UNIT_SLACK) & (price * high > 1 - UNIT_SLACK)
    return {
        "dollars_equal_base": stack.share(same, both),
        "dollars_base_swapped": stack.share(swapped, both),
        "dollars_outside": stack.share(outside & ~same & ~swapped, both),
        "dollars_to_value": stack.middle(ratio(price, np.where(both, close, 0))),
    }


def _agreement(stack: Stack) -> FloatArray:
    """How much oftener volume and range move the same way than apart, from bar to bar; NaN below 250 pairs."""
    volume = stack.values["volume"]
    span = stack.values["high"] - stack.values["low"]
    part = stack.keep((volume > 0) & (span > 0))
    signs = [np.sign(x - part.before(x)) for x in (part.values["volume"], _relative(part))]
    product = signs[0] * signs[1]
    known = ~np.isnan(product) & (product != 0)
    share = 2 * part.share(known & (product > 0), known) - 1
    return np.where(part.count(known) >= LEAST_PAIRS, share, np.nan)


def _relative(stack: Stack) -> FloatArray:
    return np.asarray(np.log(stack.values["high"] / stack.values["low"]))


def twin_faults(fields: Mapping[str, pd.DataFrame], assets: pd.DataFrame) -> dict[str, Any]:
    """Assets with one base: the share of the largest one's volume, and, where all else is the same, who contradicts.

    Two series that claim to be one market (base, quote, venue and class) must agree.
    """
    share = pd.Series(np.nan, index=assets.index)
    apart = pd.Series(np.nan, index=assets.index)
    if "volume" not in fields or "base" not in assets:
        return {"volume_of_largest": share.to_numpy(), "twin_gap": apart.to_numpy()}
    volume = fields["volume"]
    claims = [c for c in ("base", "quote", "venue", "class") if c in assets]
    for base, group in assets[assets.duplicated("base", keep=False)].groupby("base"):
        names = list(group.index)
        if not base:
            continue
        largest = volume[names].median().fillna(-1).idxmax()
        for name in names:
            if name == largest:
                share[name] = 1.0
                continue
            share[name] = _common_share(volume[name], volume[largest])
            if (group.loc[name, claims] == group.loc[largest, claims]).all() and (group.loc[name, claims] != "").all():
                apart[name] = _median_gap(volume[name], volume[largest])
    return {"volume_of_largest": share.to_numpy(), "twin_gap": apart.to_numpy()}


def _common_share(one: pd.Series, other: pd.Series) -> float:
    # Sums over common days: an asset with a longer history is not larger for that.
    both = np.asarray(one.notna() & other.notna())
    total = float(other[both].sum())
    return float(one[both].sum()) / total if total > 0 else np.nan


def _median_gap(one: pd.Series, other: pd.Series) -> float:
    both = np.asarray((one > 0) & (other > 0))
    return float(np.median(np.abs(np.log(one[both] / other[both])))) if both.any() else np.nan
