"""Bars of many assets as one column, one asset after the other: what counting faults asset by asset is done on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from drainstats.typing import BoolArray, FloatArray, IntArray

BLOCK = 50


@dataclass(frozen=True)
class Stack:
    """Bars of A assets, M in all.

    row : (M,) row of the panel in which each bar stands; starts, ends : (A,) first bar of an asset and the one after
    its last (equal when it has none); values : field → (M,) numbers.
    """

    row: IntArray
    starts: IntArray
    ends: IntArray
    values: dict[str, FloatArray]

    @classmethod
    def of(cls, fields: dict[str, FloatArray], seen: BoolArray) -> Stack:
        """From time × asset arrays, taking the cells in ``seen``."""
        by_asset = np.ascontiguousarray(seen.T)
        counts = by_asset.sum(axis=1)
        ends = np.cumsum(counts)
        row = np.nonzero(by_asset)[1]
        whole = bool(by_asset.all())
        columns = {name: table.T.ravel() if whole else table.T[by_asset] for name, table in fields.items()}
        return cls(row, ends - counts, ends, columns)

    @cached_property
    def size(self) -> IntArray:
        """Bars of each asset."""
        return self.ends - self.starts

    @cached_property
    def asset(self) -> IntArray:
        """(M,) number of the asset to which each bar belongs."""
        return np.repeat(np.arange(len(self.starts)), self.size)

    @cached_property
    def place(self) -> IntArray:
        """(M,) number of a bar within its asset."""
        return np.arange(len(self.row)) - np.repeat(self.starts, self.size)

    def keep(self, wanted: BoolArray) -> Stack:
        """The bars in ``wanted`` only."""
        if wanted.all():
            return self
        before = np.concatenate([[0], np.cumsum(wanted)])
        values = {name: column[wanted] for name, column in self.values.items()}
        return Stack(self.row[wanted], before[self.starts], before[self.ends], values)

    def count(self, flags: BoolArray) -> IntArray:
        """How many bars of each asset are flagged."""
        pairs = zip(self.starts, self.ends, strict=True)
        return np.array([np.count_nonzero(flags[a:b]) for a, b in pairs], dtype=np.int64)

    def share(self, flags: BoolArray, among: BoolArray | None = None) -> FloatArray:
        """Flagged bars over those ``among`` which one looked (all by default); NaN where there are none."""
        looked = self.size if among is None else self.count(among)
        return ratio(self.count(flags), looked)

    def most(self, values: FloatArray) -> FloatArray:
        """The largest number of each asset; NaN where there is none."""
        out = np.full(len(self.starts), np.nan)
        some = self.starts < self.ends
        if some.any():
            out[some] = np.fmax.reduceat(values, self.starts[some])
        return out

    def middle(self, values: FloatArray) -> FloatArray:
        """The median of each asset's numbers; NaN where there is none."""
        return np.array([_median(values[a:b]) for a, b in zip(self.starts, self.ends, strict=True)])

    def before(self, values: Any, steps: int = 1, fill: Any = np.nan) -> Any:
        """What stood ``steps`` bars earlier in the same asset."""
        out = np.full(len(values), fill, dtype=np.result_type(values.dtype, type(fill)))
        out[steps:] = values[:-steps]
        out[self.place < steps] = fill
        return out

    def after(self, values: Any, fill: Any = np.nan) -> Any:
        """What stands a bar later in the same asset."""
        out = np.full(len(values), fill, dtype=np.result_type(values.dtype, type(fill)))
        out[:-1] = values[1:]
        out[self.ends[self.starts < self.ends] - 1] = fill
        return out

    def first(self, flags: BoolArray) -> IntArray:
        """The first flagged bar of each asset, as a position in the stack; -1 where there is none."""
        at = np.flatnonzero(flags)
        found = np.searchsorted(at, self.starts)
        position = np.concatenate([at, [len(flags)]])[found]
        return np.where(position < self.ends, position, -1)

    def runs(self, flags: BoolArray) -> IntArray:
        """(M,) how many flagged bars stand in a row up to and with each."""
        here = np.arange(len(flags))
        broken = np.where(flags, -1, here)
        some = self.starts[self.starts < self.ends]
        broken[some] = np.where(flags[some], some - 1, some)
        return here - np.maximum.accumulate(broken) if len(here) else here

    def scale(self, moves: FloatArray) -> FloatArray:
        """(M,) robust standard deviation of the moves around each bar: 1.4826 times their median size.

        Taken in blocks of 50 bars, the median of a block and its two neighbours: a shock of a few bars does not widen
        it, a change of regime does. NaN where most moves are zero.
        """
        size = self.size
        blocks = np.maximum(size // BLOCK, 1)
        # The rest of the last block goes with it: a block of three bars has no scale.
        block = np.minimum(self.place // BLOCK, np.repeat(blocks, size) - 1)
        offset = np.cumsum(blocks) - blocks
        key = np.repeat(offset, size) + block
        table = np.full((int(blocks.sum()), 2 * BLOCK), np.nan)
        table[key, self.place - BLOCK * block] = np.abs(moves)
        own = row_medians(table)
        last = offset + blocks - 1
        left, right = np.roll(own, 1), np.roll(own, -1)
        left[offset], right[last] = own[offset], own[last]
        three = np.sort(np.stack([left, own, right]), axis=0)
        middle = np.where(np.isnan(three[1]), three[0], three[1])[key]
        return np.where(middle > 0, 1.4826 * middle, np.nan)

    def stamp(self, position: IntArray, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Labels of bars at positions of the stack; NaT for -1."""
        if not len(self.row):
            return pd.DatetimeIndex([pd.NaT] * len(position), tz="UTC")
        found = index[self.row[np.maximum(position, 0)]]
        return found.where(position >= 0, pd.NaT)


def ratio(part: Any, whole: Any) -> FloatArray:
    """One count over another; NaN where the other is zero."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)


def logs(values: FloatArray) -> FloatArray:
    """Natural logs; NaN where a number is not above zero."""
    return np.asarray(np.log(np.where(values > 0, values, np.nan)))


def row_medians(table: FloatArray) -> FloatArray:
    """Lower median of the numbers in each row; NaN where there is none. ``table`` is sorted in place."""
    table.sort(axis=1)
    counts = np.count_nonzero(~np.isnan(table), axis=1)
    return table[np.arange(len(table)), np.maximum(counts - 1, 0) // 2]


def _median(values: FloatArray) -> float:
    seen = values[~np.isnan(values)]
    return float(np.median(seen)) if len(seen) else np.nan
