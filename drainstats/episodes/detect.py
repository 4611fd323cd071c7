"""`detect_episodes`: when did liquidity leave many markets at once, what was knowable then, and what followed.

An alarm is raised in the first bar in which at least ``min_breadth`` of the observed assets stand ``line`` robust
standard deviations above their own trailing baseline, and in which that breadth is rare in its own trailing
distribution (p ≤ ``alpha``): among the rows of the trailing window, of which an earlier episode counts by its
strongest row only, at most that share had as large a breadth, equal ones being ordered by the median stress. Ordinary
commonality is part of that distribution, so it is no drain, and a drain does not hide the next one. The episode ends
when the median asset has been back below ``calm`` for ``quiet`` bars.
The rules run forward in time, so what is recorded up to a date does not depend on what came after it; the onset, the
trough and the half-life are retrospective, and ``known_at`` says when they were final.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.episodes.recovery import fit_decay
from drainstats.episodes.stress import Stress, measure_stress, row_median, window_starts
from drainstats.errors import DataError, OptionError, check_number, check_whole
from drainstats.frames import as_wide, in_utc, known_stamps
from drainstats.panel.panel import LiquidityPanel
from drainstats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Rules:
    """Every threshold of the detector; the arguments of `detect_episodes` describe them."""

    baseline: pd.Timedelta
    min_baseline: int
    line: float
    min_breadth: float
    alpha: float
    calm: float
    quiet: int
    lead: int
    flash_bars: int
    min_assets: int
    notional: float


@dataclass(frozen=True, slots=True)
class _Market:
    """What the detector looks at: illiquidity, when each row was known, what it is evidence of, costs if any."""

    illiquidity: pd.DataFrame
    known: pd.DatetimeIndex
    evidence: str
    cost: pd.DataFrame | None


def detect_episodes(
    data: Any,
    measure: str = "parkinson",
    *,
    baseline: str | pd.Timedelta = "365D",
    min_baseline: int = 60,
    line: float = 3.0,
    min_breadth: float = 0.5,
    alpha: float = 0.01,
    calm: float = 1.0,
    quiet: int = 3,
    lead: int = 5,
    flash_bars: int = 5,
    min_assets: int = 2,
    notional: float = 1e6,
    available_at: pd.Series | None = None,
) -> list[Episode]:
    """Find drain episodes in a panel or in a time × asset table of illiquidity.

    Parameters
    ----------
    data : LiquidityPanel or table
        A panel, or a T × N table (pandas, polars) that rises when liquidity falls, on a time index; naive stamps are
        read as UTC.
    measure : str, default "parkinson"
        For a panel: the measure of illiquidity (`drainstats.list_measures`). Bars of prices show price ranges, not
        depth: `Episode.evidence` says so.
    baseline : Timedelta, default 365 days
        Length of the trailing window, at most; bars of the same time of day are compared with each other.
    min_baseline : int, default 60
        Bars that a baseline needs.
    line : float, default 3
        Robust standard deviations above the baseline at which an asset counts as drained.
    min_breadth : float, default 0.5
        Share of observed assets above the line.
    alpha : float, default 0.01
        Largest rank of the breadth in its own trailing distribution, in which an earlier episode counts once: of equal
        drains a year of days can hold three.
    calm : float, default 1
        The market is calm while the median asset stands below this.
    quiet : int, default 3
        Calm bars in a row that end an episode.
    lead : int, default 5
        Bars before the onset in which an asset that stayed above the line may have arrived first.
    flash_bars : int, default 5
        An episode that ends within so many bars is a ``flash``; a longer one a ``bleed``; an open one a ``regime``.
    min_assets : int, default 2
        Assets with a baseline that a bar needs.
    notional : float, default 1e6
        Position, in quote currency, whose exit cost is given (square-root law; panels with volume only).
    available_at : Series, optional
        For a table: when each row was known, with the labels of the table or in the order of its rows. By default a
        bar is known when the next one starts.

    Returns
    -------
    list of Episode
        In time order. Empty when there is none.

    Raises
    ------
    DataError
        Fewer than ``min_assets`` assets, no row with a baseline, infinite values, labels that are no times, a row that
        would be known before it starts.
    OptionError
        A threshold or a length that makes no sense; a measure that falls when liquidity falls.

    Notes
    -----
    Only rows up to the alarm enter ``detected_at`` and the source; a later bar changes neither. Prices alone do not
    tell a drain from volatility that all assets share. False alarms with the defaults, on 60 simulated calm years of 12
    assets with t6 shocks: none when 30 % of the variance is common, one in 6 years at 50 %, one in 3.3 years at 70 %.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> [f"{e.onset:%Y-%m-%d}" for e in ds.detect_episodes(panel)]
    ['2020-03-12']
    """
    rules = Rules(
        _duration(baseline),
        min_baseline,
        line,
        min_breadth,
        alpha,
        calm,
        quiet,
        lead,
        flash_bars,
        min_assets,
        notional,
    )
    _check(rules)
    market = (
        _from_panel(data, measure, notional) if isinstance(data, LiquidityPanel) else _from_table(data, available_at)
    )
    assets, needed = market.illiquidity.shape[1], max(min_assets, 2)
    if assets < needed:
        raise DataError(f"{assets} asset(s) came; breadth needs at least {needed}: add assets to the panel.")
    stress = measure_stress(
        market.illiquidity,
        baseline=rules.baseline,
        min_baseline=min_baseline,
        line=line,
        min_assets=min_assets,
    )
    if not np.isfinite(stress.breadth).any():
        raise DataError(
            f"No bar has a baseline: of {len(market.illiquidity)} rows, {min_baseline} of the same time of day "
            "are needed before the first; pass more history or a smaller min_baseline."
        )
    starts = window_starts(market.illiquidity.index, rules.baseline)
    return [_record(market, stress, rules, span) for span in _spans(stress, starts, rules)]


def _duration(value: Any) -> pd.Timedelta:
    try:
        length = pd.Timedelta(value)
    except (TypeError, ValueError):
        length = pd.NaT
    # A bare number would be nanoseconds, which nobody means.
    if isinstance(value, (int, float)) or pd.isna(length) or not length > pd.Timedelta(0):
        raise OptionError(f"baseline={value!r} must be a length of time above zero, such as '365D'.")
    return length


def _check(rules: Rules) -> None:
    for name, least in (("min_baseline", 1), ("quiet", 1), ("flash_bars", 1), ("min_assets", 1), ("lead", 0)):
        check_whole(name, getattr(rules, name), least)
    for name, low in (("line", 0.0), ("calm", -float("inf")), ("notional", 0.0)):
        check_number(name, getattr(rules, name), low)
    for name in ("min_breadth", "alpha"):
        if getattr(rules, name) != 1:
            check_number(name, getattr(rules, name), 0.0, 1.0)


def _from_panel(panel: LiquidityPanel, measure: str, notional: float) -> _Market:
    from drainstats.measures.registry import MEASURES

    illiquidity = panel.measure(measure)
    if MEASURES[measure].rises_with != "illiquidity":
        raise OptionError(
            f"measure={measure!r} falls when liquidity falls; choose one that rises, such as 'parkinson'."
        )
    used = MEASURES[measure].inputs
    evidence = "price range" if "high" in used else "traded volume and prices" if len(used) > 1 else "closing prices"
    known = panel.available_at
    known = known.where(known.notna(), pd.Series(panel.clock.end(panel.index), index=panel.index))
    return _Market(illiquidity, pd.DatetimeIndex(known), evidence, _exit_cost(panel, notional))


def _exit_cost(panel: LiquidityPanel, notional: float) -> pd.DataFrame | None:
    if not {"high", "low", "dollar_volume"} <= set(panel.field_names):
        return None
    from drainstats.measures.exits.laws import square_root_cost
    from drainstats.measures.ranges import parkinson

    volatility = parkinson(panel["high"], panel["low"], window=1)
    volume = panel["dollar_volume"]
    cost: pd.DataFrame = square_root_cost(volatility, volume, notional)
    # The law describes orders that are part of the bar's volume; for larger ones it says nothing.
    return cost.where(volume >= notional)


def _from_table(data: Any, available_at: pd.Series | None) -> _Market:
    wide = as_wide(data, "illiquidity")
    index = wide.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError("The rows of the illiquidity table need time stamps; give it a DatetimeIndex in UTC.")
    index = in_utc(index)
    if available_at is None:
        step = index.to_series().diff().median()
        known = pd.DatetimeIndex(index + step)
    else:
        seen = np.asarray(~np.isnan(wide.values).all(axis=1))
        known = known_stamps(available_at, index, seen)
    return _Market(pd.DataFrame(wide.values, index=index, columns=wide.columns), known, "user-given illiquidity", None)


@dataclass(frozen=True, slots=True)
class _Span:
    """Rows of an episode: onset, alarm, the row in which the end became known (None while open); rank of the alarm."""

    onset: int
    alarm: int
    last: int | None
    p_value: float


def _spans(stress: Stress, starts: IntArray, rules: Rules) -> list[_Span]:
    """The episodes, forward in time."""
    # One asset is no market: in a pair, half of the assets would be one.
    several = np.nan_to_num(stress.breadth) * stress.observed > 1.5
    wide = several & (stress.breadth >= rules.min_breadth)
    ends = np.flatnonzero(_runs_of(stress.centre < rules.calm, rules.quiet))
    counts = ~np.isnan(stress.breadth)
    spans: list[_Span] = []
    free = 0
    for alarm in map(int, np.flatnonzero(wide)):
        if alarm < free:
            continue
        p_value = _rank(stress, starts[alarm], alarm, counts, rules.min_baseline)
        if not p_value <= rules.alpha:
            continue
        onset = alarm
        while onset > free and wide[onset - 1]:
            onset -= 1
        later = ends[ends >= alarm + rules.quiet]
        last = int(later[0]) if len(later) else None
        spans.append(_Span(onset, alarm, last, p_value))
        if last is None:
            return spans
        counts[onset : last + 1] = False
        counts[onset + _strongest(stress, slice(onset, last + 1))] = True
        free = last + 1
    return spans


def _rank(stress: Stress, start: int, row: int, counts: BoolArray, least: int) -> float:
    """(1 + number of earlier rows that count and are at least as wide) / (1 + number of earlier rows that count)."""
    earlier = start + np.flatnonzero(counts[start:row])
    if len(earlier) < least:
        return float("nan")
    breadth, centre = stress.breadth, stress.centre
    wider = breadth[earlier] > breadth[row]
    equal = (breadth[earlier] == breadth[row]) & (centre[earlier] >= centre[row])
    return float((1 + np.count_nonzero(wider | equal)) / (1 + len(earlier)))


def _strongest(stress: Stress, rows: slice) -> int:
    """The widest of some rows, of equally wide ones the one with the largest median stress."""
    breadth, centre = (np.nan_to_num(x[rows], nan=-np.inf) for x in (stress.breadth, stress.centre))
    return int(np.lexsort((centre, breadth))[-1])


def _runs_of(flags: BoolArray, length: int) -> BoolArray:
    """True where the last ``length`` flags, this one included, are all true."""
    total = np.cumsum(np.r_[0, flags])
    return np.r_[np.zeros(length - 1, dtype=bool), total[length:] - total[:-length] == length][: len(flags)]


def _record(market: _Market, stress: Stress, rules: Rules, span: _Span) -> Episode:
    onset, alarm, last = span.onset, span.alarm, span.last
    index, names = market.illiquidity.index, market.illiquidity.columns
    stop = len(index) if last is None else last + 1
    end = None if last is None else last - rules.quiet
    arrivals = _arrivals(stress.z, onset, stop, rules)
    first_seen = {int(i): row for i, row in arrivals.items() if row <= alarm}
    shares = _source_shares(first_seen)
    members = sorted(arrivals, key=lambda i: (arrivals[i], i))
    rows = slice(onset, stop if end is None else end + 1)
    strength = row_median(stress.z[rows][:, members])
    trough = onset + int(np.nanargmax(strength))
    depth = float(np.exp(-np.nanmedian(stress.excess[trough, members])))
    decay = fit_decay(row_median(stress.excess[trough:stop][:, members]))
    cost, cost_before, priced = _costs(market.cost, members, trough, onset)
    length = stop - onset if end is None else end - onset + 1
    return Episode(
        onset=index[onset],
        detected_at=market.known[alarm],
        known_at=pd.NaT if last is None else market.known[last],
        trough=index[trough],
        end=pd.NaT if end is None else index[end],
        members=tuple(str(names[i]) for i in members),
        arrivals=pd.Series({str(names[i]): index[arrivals[i]] for i in members}),
        breadth=float(np.nanmax(stress.breadth[rows])),
        breadth_p_value=span.p_value,
        depth=depth,
        source=pd.Series({str(names[i]): shares.get(i, 0.0) for i in members}),
        source_identified=max(shares.values()) == 1.0,
        exit_cost=cost,
        exit_cost_baseline=cost_before,
        notional=rules.notional if market.cost is not None else float("nan"),
        half_life=decay.half_life,
        half_life_censored=decay.censored,
        recovered=end is not None,
        kind="regime" if end is None else "flash" if length <= rules.flash_bars else "bleed",
        evidence=market.evidence,
        notes=_notes(market, end, priced, len(members)),
    )


def _arrivals(z: FloatArray, onset: int, stop: int, rules: Rules) -> dict[int, int]:
    """Asset → row in which it crossed the line: an unbroken stay that reaches the onset counts from its start."""
    above = z > rules.line
    arrivals: dict[int, int] = {}
    for i in np.flatnonzero(above[onset:stop].any(axis=0)):
        row = onset + int(np.argmax(above[onset:stop, i]))
        if row == onset:
            before = above[max(onset - rules.lead, 0) : onset, i][::-1]
            row -= int(np.argmin(before)) if not before.all() else len(before)
        arrivals[int(i)] = row
    return arrivals


def _source_shares(arrivals: dict[int, int]) -> dict[int, float]:
    """Equal shares for the assets that arrived first, half of that for those one bar later.

    Neighbouring bars are too close to order by: a crossing late in one and one early in the next may be minutes apart.
    """
    first = min(arrivals.values())
    weights = {i: {0: 1.0, 1: 0.5}[row - first] for i, row in arrivals.items() if row - first <= 1}
    total = sum(weights.values())
    return {i: weight / total for i, weight in weights.items()}


def _costs(cost: pd.DataFrame | None, members: list[int], trough: int, onset: int) -> tuple[float, float, int]:
    """Median cost at the trough and before it over the members that have both, and their number."""
    if cost is None:
        return float("nan"), float("nan"), 0
    values = cost.to_numpy()[:, members]
    before = row_median(values[max(onset - 60, 0) : onset].T)
    both = np.flatnonzero(~np.isnan(values[trough]) & ~np.isnan(before))
    if not len(both):
        return float("nan"), float("nan"), 0
    return float(np.median(values[trough, both])), float(np.median(before[both])), len(both)


def _notes(market: _Market, end: int | None, priced: int, members: int) -> tuple[str, ...]:
    notes = []
    if market.evidence == "price range":
        notes.append("price ranges cannot tell a drain from volatility that all assets share")
    if 0 < priced < members:
        which = "those that traded the notional before and at the trough"
        notes.append(f"exit cost over {priced} of {members} members, {which}")
    if end is None:
        notes.append("still open at the last bar: trough, depth and half-life may change")
    return tuple(notes)
