"""Flash events: falls and rises too fast for the market they happen in, by three definitions.

"v": a move beyond a multiple of the volatility before it, within some minutes, whose recovery is then awaited.
"ticks": Nanex's mini flash crash: ten ticks one way without one the other way, within 1.5 seconds, beyond 0.8 %.
"runs": a run of moves one way that outgrows nearly all of the last thousand runs, after the idea of dating events by
sequences of moves instead of windows (Desagre, Laly and Petitjean, 2025), which misdate them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.events import WAYS, Move, check_number, table_of
from drainstats.episodes.crashes.paths import price_paths
from drainstats.errors import OptionError, check_option
from drainstats.typing import BoolArray, FloatArray, IntArray

# Within, recovery within (seconds), least moves, least size, by rule.
DEFAULTS = {"v": (300.0, 900.0, 1, 0.0), "ticks": (1.5, 60.0, 10, 0.008), "runs": (np.inf, 60.0, 3, 0.0)}


@dataclass(frozen=True, slots=True)
class _Rule:
    """The thresholds of one search."""

    within: float
    recovery: float
    moves: int
    min_size: float
    multiple: float
    volatility_window: float
    quantile: float
    history: int
    retrace: float


def flash_events(
    price: Any,
    rule: Literal["v", "ticks", "runs"] = "v",
    direction: Literal["down", "up", "both"] = "both",
    *,
    within: float | None = None,
    multiple: float = 8.0,
    volatility_window: float = 3600.0,
    moves: int | None = None,
    min_size: float | None = None,
    quantile: float = 0.999,
    history: int = 1000,
    retrace: float = 0.5,
    recovery_within: float | None = None,
    times: Any = None,
) -> pd.DataFrame:
    """Flash crashes and flash rallies in a price path.

    Parameters
    ----------
    price : (T, N) table, Series or array
        Prices above zero, trades or quotes or bars. Labels are stamps or seconds; equal stamps are allowed. Missing
        prices are left out.
    rule : {"v", "ticks", "runs"}, default "v"
    direction : {"down", "up", "both"}, default "both"
    within : float, optional
        Seconds in which the move has to happen: 300 for "v", 1.5 for "ticks"; no limit for "runs".
    multiple : float, default 8
        "v": the move exceeds that many standard deviations of a move over ``within`` seconds.
    volatility_window : float, default 3600
        "v": seconds of the volatility, which end where ``within`` begins, so that the move does not raise its own bar.
    moves : int, optional
        Least price changes one way: 10 for "ticks", 3 for "runs".
    min_size : float, optional
        Least size in log returns: 0.008 for "ticks", else 0. Where nothing moved before, "v" needs one above zero.
    quantile, history : float and int, default 0.999 and 1000
        "runs": a run's size exceeds that quantile of the sizes of that many runs before it.
    retrace : float, default 0.5
        Share of the size that has to come back for a recovery.
    recovery_within : float, optional
        Seconds after the extremum in which it is looked for: 900 for "v", else 60.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row an event, by onset: onset, detected_at (when the move met the rule), extremum, recovery (NaT without one),
        known_at (when the whole row was final; NaT while the data end before), direction, size (log return), seconds,
        speed (size a second), moves (rows from onset to extremum), retraced (share, as of the recovery or the largest
        until the time was over). For a table also asset.

    Raises
    ------
    DataError
        Prices not above zero, bad stamps.
    OptionError
        Thresholds that are not above zero.

    References
    ----------
    Nanex (2010), "Flash equity failures", nanex.net. Desagre, Laly and Petitjean (2025), on sequences.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 1e-4, 9000).cumsum()
    >>> path[7000:7060] -= np.linspace(0, 0.03, 60)
    >>> path[7060:7200] -= np.linspace(0.03, 0, 140)
    >>> found = ds.flash_events(100 * np.exp(path), within=120)
    >>> found["direction"].tolist(), bool(abs(found["extremum"].iloc[0] - 7060) < 5)
    (['down'], True)
    """
    finders: dict[str, Callable[[FloatArray, FloatArray, int, _Rule], list[Move]]] = {
        "v": _shapes, "ticks": partial(_runs, long=False), "runs": partial(_runs, long=True),
    }  # fmt: skip
    check_option("rule", rule, finders)
    check_option("direction", direction, WAYS)
    defaults = DEFAULTS[rule]
    numbers = _Rule(
        defaults[0] if within is None else check_number("within", within),
        defaults[1] if recovery_within is None else check_number("recovery_within", recovery_within),
        int(defaults[2] if moves is None else check_number("moves", moves)),
        defaults[3] if min_size is None else check_number("min_size", min_size),
        check_number("multiple", multiple), check_number("volatility_window", volatility_window),
        check_number("quantile", quantile), int(check_number("history", history)), check_number("retrace", retrace),
    )  # fmt: skip
    if numbers.quantile >= 1:
        raise OptionError(f"quantile={quantile!r} must lie between 0 and 1.")
    paths = price_paths(price, times, "price", positive=True)
    found = []
    for number, column in enumerate(paths.columns):
        _, seconds, values = paths.one(number)
        path = np.log(values)
        events = [m for way in WAYS[direction] for m in finders[rule](seconds, path, way, numbers)]
        found.append((column, seconds, path, _first_ones(events), numbers.recovery))
    return table_of(found, paths, numbers.retrace)


def _first_ones(events: list[Move]) -> list[Move]:
    """Without the way back of an earlier event, which is no event of its own."""
    kept: list[Move] = []
    for move in sorted(events, key=lambda m: (m.detected, m.onset)):
        if (
            not kept
            or kept[-1].way == move.way
            or move.onset > kept[-1].extremum + (kept[-1].extremum - kept[-1].onset)
        ):
            kept.append(move)
    return kept


def _shapes(seconds: FloatArray, path: FloatArray, way: int, rule: _Rule) -> list[Move]:
    """Moves of one direction beyond a multiple of the volatility before them, extremum by extremum."""
    if len(path) < 3:
        return []
    y = way * path
    lowest, before = _recent_low(seconds, y, rule.within), _deviation(seconds, path, rule)
    bar = np.maximum(rule.multiple * before * np.sqrt(rule.within), rule.min_size)
    hits = np.flatnonzero((y - lowest > bar) & ((before > 0) | (rule.min_size > 0)) & np.isfinite(before))
    found, floor, place = [], 0, 0
    while place < len(hits):
        hit = int(hits[place])
        first = max(int(np.searchsorted(seconds, seconds[hit] - rule.within)), floor)
        onset = hit - int(np.argmin(y[first : hit + 1][::-1]))
        place += 1
        if onset < hit and y[hit] - y[onset] > bar[hit]:
            top, floor, over = _summit(seconds, y, onset, hit, rule)
            found.append(Move(onset, hit, top, way, over, top - onset))
            place = int(np.searchsorted(hits, floor, side="right"))
    return found


def _summit(seconds: FloatArray, y: FloatArray, onset: int, hit: int, rule: _Rule) -> tuple[int, int, float]:
    """Rows of the extremum and of the event's end, and when the extremum was known to be it.

    The extremum is the highest value until ``retrace`` of the rise has come back or ``recovery`` seconds went by
    without a higher one.
    """
    stop = hit + 1
    while True:
        stop = min(max(2 * (stop - hit) + hit, hit + 64), len(y))
        part = y[hit:stop]
        high = np.maximum.accumulate(part)
        fresh = np.r_[True, part[1:] > high[:-1]]
        since = seconds[hit:stop] - seconds[hit:stop][np.maximum.accumulate(np.where(fresh, np.arange(len(part)), 0))]
        done = np.flatnonzero((high - part >= rule.retrace * (high - y[onset])) | (since >= rule.recovery))
        if len(done):
            end = int(done[0])
            top = hit + int(np.argmax(part[: end + 1]))
            return top, hit + end, float(min(seconds[hit + end], seconds[top] + rule.recovery))
        if stop == len(y):
            return hit + int(np.argmax(part)), len(y) - 1, np.nan


def _recent_low(seconds: FloatArray, y: FloatArray, within: float) -> FloatArray:
    """Lowest value (n,) of the last ``within`` seconds, the row's own among them."""
    stamps = pd.to_datetime(np.rint((seconds - seconds[0]) * 1e9).astype(np.int64))
    window = pd.Timedelta(round(within * 1e9), "ns")
    return np.asarray(pd.Series(y, stamps).rolling(window, closed="both").min(), dtype=np.float64)


def _deviation(seconds: FloatArray, path: FloatArray, rule: _Rule) -> FloatArray:
    """Root of the squared moves a second (n,) in the window that ends ``within`` seconds before a row; NaN before."""
    squares = np.r_[0.0, np.cumsum(np.diff(path) ** 2)]
    stop, start = seconds - rule.within, seconds - rule.within - rule.volatility_window
    last = np.searchsorted(seconds, stop, side="right") - 1
    first = np.searchsorted(seconds, start, side="left")
    there = (start >= seconds[0]) & (last > first)
    total = squares[np.maximum(last, 0)] - squares[np.minimum(first, len(path) - 1)]
    # Differences of sums leave rounding where nothing moved.
    total = np.where(total > 1e-14 * squares[-1], total, 0.0) if squares[-1] > 0 else total
    return np.where(there, np.sqrt(np.maximum(total, 0.0) / rule.volatility_window), np.nan)


def _runs(seconds: FloatArray, path: FloatArray, way: int, rule: _Rule, long: bool) -> list[Move]:
    """Runs of changes one way that meet the rule of "runs" (long) or of "ticks" at one of their changes."""
    r = np.diff(path)
    ticks = np.flatnonzero(r != 0.0)
    if not len(ticks):
        return []
    sign = np.sign(r[ticks])
    fresh = np.r_[True, sign[1:] != sign[:-1]]
    run, heads = np.cumsum(fresh) - 1, np.flatnonzero(fresh)
    place = np.arange(len(ticks))
    if long:
        first = heads[run]
        enough = _unusual(path, ticks, run, heads, rule)
    else:
        moments = seconds[ticks + 1]
        first = np.maximum(np.searchsorted(moments, moments - rule.within, side="left"), heads[run])
        enough = np.ones(len(ticks), dtype=np.bool_)
    size = np.abs(path[ticks + 1] - path[ticks[first]])
    hits = np.flatnonzero(enough & (sign == way) & (place - first + 1 >= rule.moves) & (size > rule.min_size))
    hits = hits[np.r_[True, run[hits][1:] != run[hits][:-1]]] if len(hits) else hits
    tails = np.r_[heads[1:] - 1, len(ticks) - 1]
    return [_as_move(int(k), int(first[k]), int(tails[run[k]]), ticks, seconds, way) for k in hits]


def _as_move(hit: int, first: int, tail: int, ticks: IntArray, seconds: FloatArray, way: int) -> Move:
    """The run from its first change that counts to its last; over when the next change goes the other way."""
    onset, top = int(ticks[first]), int(ticks[tail]) + 1
    over = float(seconds[ticks[tail + 1] + 1]) if tail + 1 < len(ticks) else np.nan
    return Move(onset, int(ticks[hit]) + 1, top, way, over, int(tail - first) + 1)


def _unusual(path: FloatArray, ticks: IntArray, run: IntArray, heads: IntArray, rule: _Rule) -> BoolArray:
    """Changes (k,) at which their run so far is larger than the quantile of the runs before it."""
    stops = np.r_[ticks[heads[1:] - 1], ticks[-1]] + 1
    whole = np.abs(path[stops] - path[ticks[heads]])
    bar = pd.Series(whole).rolling(rule.history).quantile(rule.quantile).shift(1).to_numpy()
    so_far = np.abs(path[ticks + 1] - path[ticks[heads[run]]])
    with np.errstate(invalid="ignore"):
        return np.asarray(so_far > bar[run])
