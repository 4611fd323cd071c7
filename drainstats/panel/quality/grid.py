"""The grid on which prices and amounts stand: decimals, tick size, and when it changed. Robust to float noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.quality.stack import Stack, ratio
from drainstats.typing import FloatArray, IntArray

# Multiples of the last decimal that are ticks somewhere: 0.02 and 0.05, eighths (0.125) to sixty-fourths, hundreds.
MULTIPLES = (2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 250, 500, 625, 1000, 3125, 15625)
DECIMALS = 10
# One in twenty may lie off the grid: misprints and averages.
ON_GRID = 0.95
# A float32 keeps a price to 6e-8 of itself, a float64 to 1e-16; vendors store either.
SINGLE, DOUBLE = 1.2e-7, 4.5e-16
PERIOD = 250
SAMPLE = 32
LEAST = 50
# Numbers that span fewer steps may stand on a coarser grid by chance.
SPAN = 20


def grid(values: FloatArray, group: IntArray, groups: int) -> tuple[FloatArray, FloatArray]:
    """Decimals and step of the grid on which each group's numbers stand; NaN where there is none or too few numbers.

    The step is also NaN where the numbers span fewer than 20 steps.

    Parameters
    ----------
    values : (M,) positive numbers
    group : (M,) group of each, from 0 to ``groups`` - 1
    """
    decimals, step = np.full(groups, np.nan), np.full(groups, np.nan)
    total = np.bincount(group, minlength=groups)
    open_ = total >= LEAST
    for places in range(DECIMALS + 1):
        wanted = open_[group]
        values, group = values[wanted], group[wanted]
        if not len(values):
            break
        scaled, slack = _scaled(values, places)
        whole = np.rint(scaled)
        fits = np.abs(scaled - whole) <= slack
        found = open_ & (np.bincount(group[fits], minlength=groups) >= ON_GRID * np.maximum(total, 1))
        if found.any():
            decimals[found] = places
            mine = found[group] & fits
            step[found] = _multiple(whole[mine], group[mine], groups)[found] / 10.0**places
            open_ &= ~found
    return decimals, step


def _scaled(values: FloatArray, places: int) -> tuple[FloatArray, FloatArray]:
    scaled = values * 10.0**places
    # Noise of a single float may be told from a digit only while it is small against the last decimal.
    single = scaled * SINGLE
    slack = np.where(single <= 0.05, single, np.maximum(scaled * DOUBLE, 1e-9))
    return scaled, np.where(slack <= 0.05, slack, -1.0)


def _multiple(whole: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """The largest of the usual multiples of the last decimal that divides nearly all of a group's numbers."""
    span = np.full(groups, -np.inf)
    lowest = np.full(groups, np.inf)
    np.maximum.at(span, group, whole)
    np.minimum.at(lowest, group, whole)
    span -= lowest
    best = np.where(span >= SPAN, 1.0, np.nan)
    total = np.bincount(group, minlength=groups)
    for multiple in MULTIPLES:
        part = whole / multiple
        divided = np.bincount(group[part == np.rint(part)], minlength=groups)
        best[(divided >= ON_GRID * total) & (span >= SPAN * multiple)] = multiple
    return best


def grid_faults(stack: Stack, index: pd.DatetimeIndex) -> dict[str, Any]:
    """Columns of the quality table: decimals and tick of the last period, how often and when the tick changed.

    The history of an asset is taken in periods of 250 bars, of which 32 are looked at; bars without a range are not, as
    a price that stands still says nothing of its grid.
    """
    from drainstats.panel.quality.prices import is_flat

    moved = stack.keep(~is_flat(stack)) if "high" in stack.values else stack
    size = moved.size
    periods = np.maximum(size // PERIOD, 1)
    period = np.minimum(moved.place // PERIOD, np.repeat(periods, size) - 1)
    offset = np.cumsum(periods) - periods
    key = np.repeat(offset, size) + period
    looked = moved.place - PERIOD * period < SAMPLE
    prices = [moved.values[name][looked] for name in ("high", "low", "close") if name in moved.values]
    groups = int(periods.sum())
    flat = np.concatenate(prices)
    known = flat > 0
    decimals, tick = grid(flat[known], np.tile(key[looked], len(prices))[known], groups)
    owner = np.repeat(np.arange(len(size)), periods)
    last = _last_known(tick, owner, len(size))
    shown = _last_known(decimals, owner, len(size))
    changes, changed = _changes(tick, owner, len(size))
    first_bar = moved.starts[owner] + PERIOD * (np.arange(groups) - offset[owner])
    at = np.where(changed >= 0, first_bar[np.maximum(changed, 0)], -1)
    price = ratio(np.bincount(key, moved.values["close"], minlength=groups), np.bincount(key, minlength=groups))
    some = np.maximum(last, 0)
    size_of = np.where(last >= 0, tick[some], np.nan)
    return {
        "decimals": np.where(shown >= 0, decimals[np.maximum(shown, 0)], np.nan),
        "tick_size": size_of,
        "tick_share": ratio(size_of, np.where(last >= 0, price[some], np.nan)),
        "tick_changes": changes,
        "tick_changed": moved.stamp(at, index),
        "off_grid": np.where((shown < 0) & (size >= LEAST), 1.0, 0.0),
    }


def _last_known(numbers: FloatArray, owner: IntArray, assets: int) -> IntArray:
    out = np.full(assets, -1)
    known = np.flatnonzero(~np.isnan(numbers))
    out[owner[known]] = known
    return out


def _changes(tick: FloatArray, owner: IntArray, assets: int) -> tuple[IntArray, IntArray]:
    """How often the tick differs from the period before it, and the period of the last change, -1 without one."""
    known = np.flatnonzero(~np.isnan(tick))
    here, then = known[1:], known[:-1]
    # Ticks are powers of ten times small numbers: those that differ do so by far more than rounding.
    new = here[(owner[here] == owner[then]) & (np.abs(np.log(tick[here] / tick[then])) > 0.01)]
    last = np.full(assets, -1)
    last[owner[new]] = new
    return np.bincount(owner[new], minlength=assets), last
