"""Coarser rows: hours into days, minutes into sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option
from drainstats.panel import sessions as exchange
from drainstats.panel.align import Clock
from drainstats.panel.build import OUTSIDE
from drainstats.panel.cleaning import Ledger
from drainstats.panel.placing import Canvas, Rows, Source, refuse_ambiguous
from drainstats.panel.status import State
from drainstats.panel.tables import NAT, index_of
from drainstats.typing import IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

_SEEN = (State.TRADED, State.NO_TRADE)
_EXCUSED = (State.CLOSED, State.DELISTED, State.NOT_YET_LISTED)


def resampled(
    panel: LiquidityPanel, clock: str, outside: str, incomplete: str, how: Mapping[str, str] | None
) -> LiquidityPanel:
    """The panel on a coarser clock (`LiquidityPanel.resample`)."""
    check_option("outside", outside, OUTSIDE)
    check_option("incomplete", incomplete, ("keep", "drop"))
    rule = Clock.named(clock)
    if rule.name == panel.clock.name:
        return panel
    _check_coarser(panel.clock, rule)
    source, ledger = Source.of(panel), Ledger()
    by_label = _by_label(panel.clock, rule)
    rows, labels = _rows(source, rule, by_label)
    canvas = Canvas(rows, panel.assets, panel.fields)
    ends = rule.end(index_of(rows.labels)).as_unit("ns").asi8
    expected = _expected(panel.clock, rule, rows.labels, ends) if by_label else None
    shared = np.searchsorted(rows.labels, labels) if labels is not None else None
    for asset in range(len(panel.assets)):
        at = source.as_of(asset, rows, outside, ledger) if shared is None else shared
        canvas.draw(asset, source, asset, at, ledger, how)
        canvas.complete_at(asset, ends + source.delays[asset])
        if expected is not None:
            _count(canvas, source, asset, at, expected, incomplete == "drop", ledger)
    step = {"from": panel.clock.name, "to": rule.name, "outside": outside, "incomplete": incomplete}
    return replace(
        panel,
        **canvas.tables(),
        asset_table=panel.asset_table.assign(clock=rule.name),
        clock=rule,
        provenance={**panel.provenance, "resampled": [*panel.provenance.get("resampled", []), step]},
        ledger=ledger.after(panel.ledger),
    )


def _check_coarser(fine: Clock, coarse: Clock) -> None:
    if coarse.step < fine.step:
        raise OptionError(f"{coarse.name} is finer than the panel's {fine.name}: bars cannot be cut into smaller ones.")
    if fine.session is None and coarse.session is None and coarse.step % fine.step != pd.Timedelta(0):
        raise OptionError(f"Rows of {coarse.name} are not whole rows of {fine.name}: choose a multiple.")
    if fine.session and coarse.session is None and coarse.step < pd.Timedelta(days=1):
        raise OptionError(f"Rows inside sessions of {fine.name} go to {coarse.name} by join, not by resample.")


def _by_label(fine: Clock, coarse: Clock) -> bool:
    """Whether each row of the one lies inside a row of the other, so that labels alone say where it goes."""
    return coarse.session is None or coarse.session == fine.session


def _rows(source: Source, rule: Clock, by_label: bool) -> tuple[Rows, IntArray | None]:
    """The coarser rows in which the panel has a row, and, when labels say it, the label of the one for each."""
    panel = source.panel
    if by_label:
        labels = _inside(panel, rule)
        return Rows.of(rule, index_of(np.unique(labels))), labels
    known = source.known
    first, last = pd.Timestamp(known.min(), tz="UTC"), pd.Timestamp(known.max(), tz="UTC")
    rows = Rows.of(rule, rule.between(first, last), int(source.delays.max()))
    refuse_ambiguous(source, rows)
    reached = np.unique([np.searchsorted(rows.known, k, side="left") for k in known])
    return rows.only(reached[reached < len(rows.known)]), None


def _inside(panel: LiquidityPanel, rule: Clock) -> IntArray:
    labels = panel.index.as_unit("ns").asi8
    if rule.session is None:
        size = rule.step.as_unit("ns").value
        return labels // size * size
    calendar = exchange.sessions(rule.session, panel.index[0], panel.index[-1])
    starts, ends, _ = calendar.rows(rule.step) if not rule.whole_sessions else (calendar.labels, calendar.closes, None)
    return np.asarray(starts[np.minimum(np.searchsorted(ends, labels, side="right"), len(ends) - 1)])


def _expected(fine: Clock, coarse: Clock, labels: IntArray, ends: IntArray) -> IntArray | None:
    """How many finer rows each coarser one has room for; None where that is not known."""
    if fine.session is None:
        return np.full(len(labels), coarse.step // fine.step)
    if coarse.session is None or not len(labels):
        return None
    span = pd.DatetimeIndex([labels[0], ends[-1]], tz="UTC")
    finer = exchange.sessions(fine.session or "", span[0], span[1]).rows(fine.step)[1]
    last = np.searchsorted(finer, ends, side="right")
    if coarse.whole_sessions:
        calendar = exchange.sessions(fine.session or "", span[0], span[1])
        opens = calendar.opens[np.minimum(np.searchsorted(calendar.closes, ends), len(calendar.opens) - 1)]
        return last - np.searchsorted(finer, opens, side="right")
    return last - np.searchsorted(finer, labels, side="right")


def _count(
    canvas: Canvas, source: Source, asset: int, at: IntArray, expected: IntArray, drop: bool, ledger: Ledger
) -> None:
    """Note the rows of an asset that are made of fewer rows than they have room for; on request leave them out."""
    codes, size = source.status[asset], len(expected)
    seen, excused = (np.bincount(at[np.isin(codes, states)], minlength=size) for states in (_SEEN, _EXCUSED))
    short = (canvas.available[asset] != NAT) & (seen < expected - excused)
    ledger.note(source.panel.assets[asset], "incomplete-row", index_of(canvas.rows.labels)[short])
    if drop:
        for values in canvas.fields.values():
            values[asset, short] = np.nan
        canvas.available[asset, short], canvas.status[asset, short] = NAT, State.MISSING
