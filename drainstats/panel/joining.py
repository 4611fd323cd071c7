"""Two panels on one clock: each bar stands in the first row that ends no earlier than the bar was known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.panel.align import Clock, aggregate, rows_as_of
from drainstats.panel.build import widened
from drainstats.panel.cleaning import Ledger

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel


def joined(one: LiquidityPanel, other: LiquidityPanel, clock: str | None) -> LiquidityPanel:
    """Both panels on one clock (`LiquidityPanel.join`)."""
    twice = [a for a in one.assets if a in other.asset_table.index]
    if twice:
        raise DataError(f"The asset {twice[0]!r} stands in both panels; select or rename one.")
    rule = Clock.named(clock) if clock else one.clock
    ends, labels = _rows_of(rule, (one, other))
    ledger = Ledger()
    tables, known = {}, {}
    for panel in (one, other):
        for asset in panel.assets:
            tables[asset], known[asset] = _placed(panel, asset, labels, ends, ledger)
    wide = widened(tables)
    index = next(iter(wide.values())).index
    return replace(
        one,
        fields=wide,
        asset_table=pd.concat([one.asset_table, other.asset_table]),
        available=pd.DataFrame(known).reindex(index),
        clock=rule,
        units={**other.units, **one.units},
        provenance={"joined": [dict(one.provenance), dict(other.provenance)], "clock": rule.name},
        ledger=pd.concat([one.ledger, other.ledger, ledger.frame()], ignore_index=True),
    )


def _placed(
    panel: LiquidityPanel, asset: str, labels: pd.DatetimeIndex, ends: pd.DatetimeIndex, ledger: Ledger
) -> tuple[pd.DataFrame, pd.Series]:
    known = panel.available[asset].dropna()
    bars = pd.DataFrame({f: v[asset] for f, v in panel.fields.items()}).loc[known.index]
    rows = rows_as_of(pd.DatetimeIndex(known), ends)
    before = np.asarray(known <= ends[0] - panel.clock.step)
    inside = (rows < len(ends)) & ~before
    ledger.note(asset, "before-first-row", known.index[before])
    ledger.note(asset, "after-last-row", known.index[rows == len(ends)])
    rows = labels[rows[inside]]
    ledger.note(asset, "several-bars-in-row", known.index[inside][rows.duplicated()])
    return aggregate(bars[inside], rows), known[inside].groupby(rows).max()


def _rows_of(rule: Clock, panels: tuple[LiquidityPanel, ...]) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Row ends and labels of a join: the sessions that a panel has, or every row of a clock that never stops."""
    own = [p for p in panels if p.clock.name == rule.name]
    if rule.session and not own:
        raise DataError(f"No panel is on the clock {rule.name}, so its sessions are not known; join on another clock.")
    if rule.session:
        labels = own[0].index.union(own[-1].index)
    else:
        known = [p.available_at.dropna() for p in panels]
        first = min(k.min() for k in known) - rule.step
        last = max(k.max() for k in known)
        labels = pd.date_range(first.floor(rule.step), last.floor(rule.step), freq=rule.step)
    delay = max((p.available_at - rule.end(p.index)).max() for p in own) if own else pd.Timedelta(0)
    return rule.end(labels) + delay, labels
