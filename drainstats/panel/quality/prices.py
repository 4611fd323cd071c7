"""Faults of prices: bars that contradict themselves, copies, spikes, breaks that a market does not make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.quality.grid import grid_faults
from drainstats.panel.quality.stack import Stack, logs
from drainstats.typing import BoolArray, FloatArray

# Prices multiplied by an adjustment factor differ in the last digits: 17 bars of one fund by less than this, and one by
# a tenth of a percent.
ROUNDING = 1e-9
# Barndorff-Nielsen, Hansen, Lunde and Shephard (2009) drop quotes that far from the median of their neighbours.
FAR = 10.0
# Out and back within a bar: twice as far, since bid-ask bounce in thin minutes and depegs come near to ten.
SPIKE = 20.0
# A month of sessions, or a day of hours: longer than holidays and outages.
LONG_GAP = 20
REUSED, REDENOMINATED = 5.0, 50.0
SPLITS = np.log([1.5, 2, 3, 4, 5, 8, 10, 20])
LEAST_WICK = 1.5


def price_faults(stack: Stack, index: pd.DatetimeIndex) -> dict[str, Any]:
    """Columns of the quality table. ``stack`` holds the prices, and as ``number`` that of a bar on its clock."""
    values = stack.values
    columns: dict[str, Any] = {}
    ohlc = [name in values for name in ("open", "high", "low", "close")]
    if all(ohlc):
        columns |= _contradictions(stack)
    if "close" not in values:
        return columns
    columns |= _repetitions(stack)
    # A bar without a trade repeats a price; moves are those of bars that traded.
    priced = stack.keep((values["close"] > 0) & ~(values.get("volume", values["close"]) == 0))
    return columns | _moves(priced, index) | grid_faults(priced, index)


def _contradictions(stack: Stack) -> dict[str, Any]:
    o, h, l, c = (stack.values[name] for name in ("open", "high", "low", "close"))
    top, bottom = h * (1 + ROUNDING), l * (1 - ROUNDING)
    outside = (o > top) | (c > top) | (o < bottom) | (c < bottom)
    known = ~np.isnan(c)
    return {
        "ohlc_violations": stack.count(outside),
        "ohlc_share": stack.share(outside, known),
        "flat_bars": stack.count(h == l),
    }


def _repetitions(stack: Stack) -> dict[str, Any]:
    close = stack.values["close"]
    same = close == stack.before(close)
    volume = stack.values.get("volume", np.full(len(close), np.nan))
    flat = is_flat(stack)
    stale = same & flat & ~(volume == 0)
    copied = same & ~flat & (volume > 0)
    for name in ("open", "high", "low", "volume"):
        column = stack.values.get(name, volume)
        copied &= column == stack.before(column)
    return {
        "stale_run": np.nan_to_num(stack.most(stack.runs(same).astype(np.float64))).astype(np.int64),
        "stale_share": stack.share(stale),
        "copied_bars": stack.count(copied),
    }


def is_flat(stack: Stack) -> BoolArray:
    """(M,) bars without a range; closes alone have none."""
    if "high" not in stack.values or "low" not in stack.values:
        return np.ones(len(stack.row), dtype=bool)
    high, low = stack.values["high"], stack.values["low"]
    return np.asarray((high == low) | np.isnan(high) | np.isnan(low))


def _moves(stack: Stack, index: pd.DatetimeIndex) -> dict[str, Any]:
    close = logs(stack.values["close"])
    move = close - stack.before(close)
    scale = stack.scale(move)
    opened = stack.values.get("open")
    # A market trades its way down; another unit or another asset is there at the open.
    gap = move if opened is None else np.where(opened > 0, logs(opened) - stack.before(close), move)
    number = stack.values["number"]
    far = number - stack.before(number) > LONG_GAP
    spike = _spikes(move, stack.after(move), scale) | _spikes(gap, move - gap, scale)
    lasting = ~spike & ~np.asarray(stack.before(spike, fill=False), dtype=bool)
    reused = far & (np.abs(gap) > np.log(REUSED))
    broken = ~far & (np.abs(gap) > np.log(REDENOMINATED)) & lasting
    split = _quiet(stack, gap, scale, ~far & ~broken & lasting & _like_split(gap, scale))
    return {
        "largest_jump": stack.most(np.abs(move)),
        "jumps": stack.count(np.abs(move) > FAR * scale),
        "spikes": stack.count(spike),
        "spike_at": stack.stamp(stack.first(spike), index),
        "reused": stack.count(reused),
        "price_breaks": stack.count(broken),
        "break_at": stack.stamp(stack.first(reused | broken), index),
        "splits": stack.count(split),
        "split_at": stack.stamp(stack.first(split), index),
        "wicks": stack.count(_wicks(stack, close, scale)),
    }


def _spikes(there: FloatArray, back: FloatArray, scale: FloatArray) -> BoolArray:
    """Prices far from those before and after them, which agree: out and back at once."""
    far = (np.abs(there) > SPIKE * scale) & (np.abs(back) > SPIKE * scale)
    return np.asarray(far & (np.abs(there + back) < 0.5 * np.minimum(np.abs(there), np.abs(back))))


def _like_split(gap: FloatArray, scale: FloatArray) -> BoolArray:
    """Openings away from the last close by a ratio of small numbers, to within two ordinary moves."""
    size = np.abs(gap)
    possible = np.flatnonzero((size > 8 * scale) & (size > SPLITS[0] - 2 * scale))
    out = np.zeros(len(gap), dtype=bool)
    nearest = np.abs(size[possible, None] - SPLITS).min(axis=1, initial=np.inf)
    out[possible] = nearest < np.minimum(2 * scale[possible], 0.1)
    return out


def _quiet(stack: Stack, gap: FloatArray, scale: FloatArray, candidates: BoolArray) -> BoolArray:
    """Candidates on an ordinary day: as many shares as the ratio makes of the usual ones, or no wide range.

    Two companies that lost 35 and 47 % overnight traded 20 and 30 times the usual shares; in splits it is 1 to 5 times.
    """
    out = candidates.copy()
    volume, place = stack.values.get("volume"), stack.place
    for at in np.flatnonzero(candidates):
        before = np.array([]) if volume is None else volume[max(at - 16, at - place[at]) : at]
        if volume is not None and (before > 0).any():
            out[at] = volume[at] < 3 * np.exp(np.abs(gap[at])) * np.median(before[before > 0])
        elif {"high", "low"} <= set(stack.values):
            out[at] = np.log(stack.values["high"][at] / stack.values["low"][at]) < 3 * scale[at]
    return out


def _wicks(stack: Stack, close: FloatArray, scale: FloatArray) -> BoolArray:
    """Highs and lows far outside open and close."""
    if not {"open", "high", "low"} <= set(stack.values):
        return np.zeros(len(close), dtype=bool)
    o, h, l = (logs(stack.values[name]) for name in ("open", "high", "low"))
    wick = np.maximum(h - np.maximum(o, close), np.minimum(o, close) - l)
    return np.asarray(wick > np.fmax(FAR * scale, np.log(LEAST_WICK)))
