"""From the rows of an episode to its record: members, source, depth, costs, decay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.episodes.detection.market import Market
from drainstats.episodes.detection.spans import Rules, Span
from drainstats.episodes.detection.stress import Stress, row_median
from drainstats.episodes.episode import Episode
from drainstats.episodes.recovery import fit_decay
from drainstats.typing import FloatArray


def record(market: Market, stress: Stress, rules: Rules, span: Span) -> Episode:
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


def _notes(market: Market, end: int | None, priced: int, members: int) -> tuple[str, ...]:
    notes = []
    if market.evidence == "price range":
        notes.append("price ranges cannot tell a drain from volatility that all assets share")
    if 0 < priced < members:
        which = "those that traded the notional before and at the trough"
        notes.append(f"exit cost over {priced} of {members} members, {which}")
    if end is None:
        notes.append("still open at the last bar: trough, depth and half-life may change")
    return tuple(notes)
