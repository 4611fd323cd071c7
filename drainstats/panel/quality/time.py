"""Faults of time: what is missing on an asset's own clock, where the gaps are, stamps that cannot be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.panel import sessions as calendars
from drainstats.panel.align import Clock
from drainstats.panel.quality.stack import Stack, ratio
from drainstats.panel.status import Codes, State
from drainstats.typing import BoolArray, FloatArray, IntArray

DAY = pd.Timedelta(days=1)
WEEK = 7 * DAY.as_unit("ns").value
# Closing hours are learned from this many weeks on: by then an hour that trades in half of them has done so.
MIN_WEEKS = 6
# An hour of the week with fewer bars than this share of the busiest one's is a closing hour.
CLOSED = 0.05
# Where the open hours are less full than this, the asset is thin rather than closed.
LEAST_OPEN = 0.5
# Rows without a bar that nobody misses: open and nothing traded, or a reason that someone gave.
EXPLAINED = (
    State.NO_TRADE, State.HALTED, State.OUTAGE, State.NOT_FETCHED, State.DELISTED, State.NOT_YET_LISTED,
)  # fmt: skip
# 1.7e9 seconds read as milliseconds, or milliseconds as microseconds, are 20 January 1970.
MISREAD = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("1970-03-01", tz="UTC"), pd.Timestamp("1972", tz="UTC")


def effective_clock(own: Clock, panel: Clock) -> Clock:
    """The clock on which an asset's rows are expected: its own, on a finer panel; a panel of sessions has no others."""
    if panel.session or (own.session is None and own.step < panel.step):
        return panel
    return own


def clock_rows(clock: Clock, index: pd.DatetimeIndex, seen: BoolArray) -> tuple[IntArray, BoolArray]:
    """(T,) number of the clock's row in which each label lies, and (T,) whether the label is a row of the clock.

    Sessions come from the exchange's calendar; where it is not installed or does not reach, they are the labels in
    ``seen``, where any asset of this clock has a bar.
    """
    stamps = index.as_unit("ns").asi8
    if clock.session is None:
        return stamps // clock.step.as_unit("ns").value, np.ones(len(stamps), dtype=bool)
    labels = _session_rows(clock, index)
    if labels is None:
        return np.maximum(np.cumsum(seen) - 1, 0), np.ones(len(stamps), dtype=bool)
    return np.searchsorted(labels, stamps, side="right") - 1, np.isin(stamps, labels)


def _session_rows(clock: Clock, index: pd.DatetimeIndex) -> IntArray | None:
    if not calendars.installed() or not len(index):
        return None
    try:
        known = calendars.sessions(str(clock.session).partition(":")[0], index[0], index[-1])
    except DataError:
        return None
    return known.labels if clock.step >= DAY else known.rows(clock.step)[0]


def time_faults(
    stack: Stack,
    index: pd.DatetimeIndex,
    clocks: Sequence[Clock],
    panel: Clock,
    rows: Mapping[str, tuple[IntArray, BoolArray]],
    states: Codes,
) -> tuple[dict[str, Any], FloatArray]:
    """Columns of the quality table, and (M,) the number of each bar on its clock, rows that cannot lack left out.

    states : (T, A) the state of each cell without a bar (`drainstats.panel.status`), 0 where there is one.
    """
    names = list(rows)
    which = np.array([names.index(clock.name) for clock in clocks], dtype=np.int64)
    numbers = np.stack([rows[name][0] for name in names])[which[stack.asset], stack.row]
    on_clock = np.stack([rows[name][1] for name in names])[which[stack.asset], stack.row]
    told = (states == State.CLOSED).any(axis=0)
    number, closed = _without_closing_hours(stack, numbers.astype(np.float64), clocks, told)
    number, explained = _without_explained(stack, number, clocks, rows, states)
    distance = number - stack.before(number)
    longest = np.fmax(stack.most(distance), np.where(stack.size > 0, 1.0, np.nan))
    missing = np.fmax(distance - 1, 0)
    total = np.array([np.nansum(missing[a:b]) for a, b in zip(stack.starts, stack.ends, strict=True)])
    widest = stack.first((distance > 1) & (distance == np.repeat(longest, stack.size)))
    end = pd.Timestamp.now("UTC") + DAY
    where = pd.DatetimeIndex(index)
    columns = {
        "first": stack.stamp(np.where(stack.size > 0, stack.starts, -1), where),
        "last": stack.stamp(np.where(stack.size > 0, stack.ends - 1, -1), where),
        "bars": stack.size,
        "coverage": np.nan_to_num(ratio(stack.size, stack.size + total)),
        "missing": total.astype(np.int64),
        "explained": explained,
        "gaps": stack.count(distance > 1),
        "longest_gap": np.nan_to_num(longest).astype(np.int64),
        "longest_gap_from": stack.stamp(np.where(widest > 0, widest - 1, -1), where),
        "closing_hours": closed,
        "off_calendar": stack.count(~on_clock) if panel.session else np.zeros(len(stack.size), dtype=np.int64),
        "stamps_1970": stack.share(_misread(stack, where)),
        "stamps_future": stack.share(np.asarray(where > end)[stack.row]),
    }
    return columns, number


def _misread(stack: Stack, index: pd.DatetimeIndex) -> BoolArray:
    """Bars in the first weeks of 1970 of assets with no other bar from before 1972: no history begins and stops so."""
    start, stop, silent = (np.asarray(index < bound)[stack.row] for bound in MISREAD)
    inside = stop & ~start
    other = stack.count(start | (silent & ~stop)) > 0
    return inside & ~np.repeat(other, stack.size)


def _without_explained(
    stack: Stack,
    numbers: FloatArray,
    clocks: Sequence[Clock],
    rows: Mapping[str, tuple[IntArray, BoolArray]],
    states: Codes,
) -> tuple[FloatArray, IntArray]:
    """Row numbers without the rows whose absence has a known reason, and how many there are between first and last."""
    explained = np.isin(states, EXPLAINED)
    for asset, clock in enumerate(clocks):
        slots, on_clock = rows[clock.name]
        # A row of an asset's own clock may be several rows of the panel, and is one row all the same.
        explained[:, asset] |= (states[:, asset] == State.CLOSED) & (clock.session is None)
        explained[:, asset] &= on_clock & (np.diff(slots, prepend=-1) > 0)
    so_far = np.cumsum(explained, axis=0)[stack.row, stack.asset].astype(np.float64)
    between = np.zeros(len(clocks), dtype=np.int64)
    some = stack.starts < stack.ends
    between[some] = so_far[stack.ends[some] - 1] - so_far[stack.starts[some]]
    return numbers - so_far, between


def _without_closing_hours(
    stack: Stack, numbers: FloatArray, clocks: Sequence[Clock], told: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Row numbers that count open hours only, and the share of the week in which each asset is closed.

    told : (A,) assets whose closing hours are known from a calendar: theirs are not learned.
    """
    closed = np.zeros(len(clocks))
    out = numbers.copy()
    for step in {clock.step for clock in clocks if clock.session is None}:
        a_week = WEEK // step.as_unit("ns").value
        if not a_week or WEEK % step.as_unit("ns").value:
            continue
        chosen = np.array([clock.session is None and clock.step == step for clock in clocks]) & ~told
        taken = np.repeat(chosen, stack.size)
        part = stack.keep(taken)
        counted, shut = _weekly(part, numbers[taken].astype(np.int64), a_week)
        out[taken], closed[chosen] = counted, shut[chosen]
    return out, closed


def _weekly(stack: Stack, numbers: IntArray, a_week: int) -> tuple[FloatArray, FloatArray]:
    bins = a_week if a_week <= 168 else 168 if a_week % 168 == 0 else 7
    if a_week % bins or not len(numbers):
        return numbers.astype(np.float64), np.zeros(len(stack.size))
    width, assets = a_week // bins, len(stack.size)
    week, rest = np.divmod(numbers, a_week)
    slot, inside = np.divmod(rest, width)
    used = np.bincount(stack.asset * bins + slot, minlength=assets * bins).reshape(assets, bins)
    open_ = used >= CLOSED * used.max(axis=1, keepdims=True)
    some = stack.starts < stack.ends
    span = np.zeros(assets)
    span[some] = numbers[stack.ends[some] - 1] - numbers[stack.starts[some]] + 1
    expected = span / a_week * open_.sum(axis=1) * width
    learned = (span >= MIN_WEEKS * a_week) & (used.sum(axis=1) >= LEAST_OPEN * expected)
    open_[~learned] = True
    until = np.concatenate([np.zeros((assets, 1)), np.cumsum(open_ * width, axis=1)], axis=1)
    asset = stack.asset
    counted = week * until[asset, -1] + until[asset, slot] + np.where(open_[asset, slot], inside, 0)
    return counted, 1 - open_.mean(axis=1)
