"""From the rows of an episode to its record: members, source, depth, costs, decay."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.detection.market import Market
from drainstats.episodes.detection.source import BASIS, source_shares
from drainstats.episodes.detection.spans import Rules, Span
from drainstats.episodes.detection.stress import Stress, row_median
from drainstats.episodes.episode import Episode
from drainstats.episodes.flight import measure_flight
from drainstats.episodes.recovery.decay import fit_decay, loss_speed, member_table
from drainstats.episodes.serial import STAMPS
from drainstats.typing import FloatArray

# Bars before the onset in which a calm cost, and the start of the loss, are looked for.
BEFORE = 60


def record(market: Market, stress: Stress, rules: Rules, span: Span) -> Episode:
    """The episode of a span: what was known at the alarm, and what only its end showed."""
    onset, alarm, last = span.onset, span.alarm, span.last
    index, names = market.illiquidity.index, market.illiquidity.columns
    stop = len(index) if last is None else last + 1
    end = span.end
    arrivals = _arrivals(stress.z, onset, stop, rules)
    source, identified = _source(market, stress, rules, span, arrivals)
    members = sorted(arrivals, key=lambda i: (arrivals[i], str(names[i])))
    rows = slice(onset, stop if end is None else end + 1)
    trough = onset + int(np.nanargmax(row_median(stress.z[rows][:, members])))
    excess = row_median(stress.excess[:stop][:, members])
    decay = fit_decay(excess[trough:])
    cost, cost_before, priced = _costs(market.cost, members, trough, onset)
    bars, speed = _speed(index, excess, trough, onset)
    length = stop - onset if end is None else end - onset + 1
    final = pd.NaT if last is None else market.known[last]
    arrived = {str(names[i]): (i, arrivals[i]) for i in members}
    return Episode(
        onset=index[onset],
        detected_at=market.known[alarm],
        known_at=final,
        trough=index[trough],
        end=pd.NaT if end is None else index[end],
        members=tuple(arrived),
        arrivals=pd.Series({name: index[row] for name, (_, row) in arrived.items()}),
        breadth=float(np.nanmax(stress.breadth[rows])),
        breadth_p_value=span.p_value,
        breadth_p_horizon=span.p_horizon,
        depth=float(np.exp(-excess[trough])),
        speed_bars=bars,
        speed=speed,
        source=source,
        source_identified=identified,
        source_basis=BASIS,
        exit_cost=cost,
        exit_cost_baseline=cost_before,
        exit_law=market.law,
        notional=rules.notional if market.cost is not None else float("nan"),
        flight=measure_flight(market.stablecoin, index[onset], index[trough], market.known[stop - 1], rules.baseline),
        half_life=decay.half_life,
        half_life_censored=decay.censored,
        recovered=end is not None,
        kind="regime" if end is None else "flash" if length <= rules.flash_bars else "bleed",
        evidence=market.evidence,
        corroborated=span.corroborated is not None,
        member_table=member_table(index, stress.excess, stress.z, arrived, stop, rules.calm),
        field_known_at=_field_known_at(market.known[alarm], final),
        notes=(*span.notes, *_notes(market, end, priced, len(members))),
    )


# Fields on which rows after the alarm have no bearing; the others are final with the record.
AT_THE_ALARM = (
    "onset", "detected_at", "breadth_p_value", "breadth_p_horizon", "source", "source_identified", "source_basis",
    "exit_law", "notional", "evidence", "corroborated",
)  # fmt: skip
NO_FACTS = ("known_at", "field_known_at", "name", "reference")


def _field_known_at(alarm: pd.Timestamp, final: Any) -> pd.Series:
    stamps = {f.name: alarm if f.name in AT_THE_ALARM else final for f in fields(Episode) if f.name not in NO_FACTS}
    return pd.Series(stamps, dtype=STAMPS)


def _source(
    market: Market, stress: Stress, rules: Rules, span: Span, arrivals: dict[int, int]
) -> tuple[pd.Series, bool]:
    """Shares of the assets seen from the onset to the alarm, from rows up to the alarm."""
    seen = np.flatnonzero(~np.isnan(stress.z[span.onset : span.alarm + 1]).all(axis=0))
    rows = slice(max(span.onset - rules.lead, 0), span.alarm + 1)
    late = len(stress.z)
    came = np.array([arrivals[i] if arrivals.get(int(i), late) <= span.alarm else late for i in map(int, seen)])
    shares, identified = source_shares(stress.excess[rows][:, seen], stress.z[rows][:, seen], came)
    return pd.Series(shares, index=[str(market.illiquidity.columns[i]) for i in seen]), identified


def _speed(index: pd.DatetimeIndex, excess: FloatArray, trough: int, onset: int) -> tuple[float, Any]:
    """Bars, and time, from a tenth of the loss to nine tenths, looked for from `BEFORE` bars before the onset on."""
    start = max(onset - BEFORE, 0)
    low, high = loss_speed(np.exp(-excess[start : trough + 1]), trough - start)
    if high != high:
        return float("nan"), pd.NaT
    time = index.as_unit("ns").asi8[start : trough + 1].astype(np.float64)
    moments = np.interp([low, high], np.arange(len(time)), time - time[0])
    return high - low, pd.Timedelta(int(moments[1] - moments[0]), unit="ns")


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


def _costs(cost: pd.DataFrame | None, members: list[int], trough: int, onset: int) -> tuple[float, float, int]:
    """Median cost at the trough and before it over the members that have both, and their number."""
    if cost is None:
        return float("nan"), float("nan"), 0
    values = cost.to_numpy()[:, members]
    before = row_median(values[max(onset - BEFORE, 0) : onset].T)
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
