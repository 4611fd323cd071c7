"""Two panels on one clock: each bar stands in the first row that ends no earlier than the bar was known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, require_extra
from drainstats.panel import sessions as exchange
from drainstats.panel.align import Clock
from drainstats.panel.build import OUTSIDE, UNITS
from drainstats.panel.cleaning import Ledger
from drainstats.panel.placing import Canvas, Rows, Source, refuse_ambiguous
from drainstats.panel.tables import NAT

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

BOTH = ("intersection", "union")


def joined(one: LiquidityPanel, other: LiquidityPanel, clock: str | None, outside: str) -> LiquidityPanel:
    """Both panels on one clock (`LiquidityPanel.join`)."""
    check_option("outside", outside, OUTSIDE)
    twice = [a for a in one.assets if a in other.asset_table.index]
    if twice:
        raise DataError(f"The asset {twice[0]!r} stands in both panels; select or rename one.")
    ledger = Ledger()
    one, other = _with_value(one, other, ledger), _with_value(other, one, ledger)
    sources = (Source.of(one), Source.of(other))
    rule = _common(one.clock, other.clock) if clock in BOTH else Clock.named(clock) if clock else one.clock
    rows = _rows(rule, sources)
    if clock in BOTH:
        mine, theirs = (source.present(rows) for source in sources)
        rows = rows.only(np.intersect1d(mine, theirs) if clock == "intersection" else np.union1d(mine, theirs))
        if not len(rows.labels):
            raise DataError(f"The panels have no common row on {rule.name}: check their spans, or join by union.")
    table = pd.concat([one.asset_table, other.asset_table])
    canvas = Canvas(rows, list(table.index), dict.fromkeys([*one.fields, *other.fields]))
    for source, first in zip(sources, (0, len(one.assets)), strict=True):
        refuse_ambiguous(source, rows)
        for asset in range(len(source.panel.assets)):
            at = source.as_of(asset, rows, outside, ledger)
            canvas.draw(first + asset, source, asset, at, ledger)
            if source.panel.clock.step < rule.step:
                canvas.complete_at(first + asset, rows.known)
    canvas.close(table["clock"])
    return replace(
        one,
        **canvas.tables(),
        asset_table=table,
        clock=rule,
        units={**other.units, **one.units},
        provenance={"joined": [dict(one.provenance), dict(other.provenance)], "clock": clock or rule.name},
        ledger=ledger.after(one.ledger, other.ledger),
    )


def _with_value(panel: LiquidityPanel, other: LiquidityPanel, ledger: Ledger) -> LiquidityPanel:
    """The panel with traded value as a field, where the other has it so: else its assets' value would be lost."""
    name = "dollar_volume"
    if name not in other.fields or name in panel.fields or name not in panel.field_names:
        return panel
    value = panel[name]
    for asset in panel.assets:
        ledger.note(asset, "value-at-close", panel.index[value[asset].notna().to_numpy()])
    return replace(panel, fields={**panel.fields, name: value}, units={**panel.units, name: UNITS[name]})


def _common(one: Clock, other: Clock) -> Clock:
    """The clock on which rows of both can be compared: the same, the coarser, or for two kinds of day UTC's."""
    if one.name == other.name or one.step > other.step:
        return one
    if other.step > one.step:
        return other
    plain = [c for c in (one, other) if c.session is None]
    return plain[0] if plain else Clock.named("utc_day" if one.whole_sessions else f"utc_{one.name.split(':')[2]}")


def _rows(rule: Clock, sources: tuple[Source, ...]) -> Rows:
    """The rows of a join: those of the clock from the first to the last bar, or where its own panels have rows."""
    own = [s.panel for s in sources if s.panel.clock.name == rule.name]
    delays = [int(s.delays.max()) for s in sources if s.panel.clock.name == rule.name]
    delay = max(delays, default=0)
    if rule.session and own:
        return Rows.of(rule, _own_sessions(rule, own), delay)
    if rule.session:
        require_extra("exchange_calendars", "calendars")
    moments = np.concatenate([s.available[s.available != NAT] for s in sources])
    if not len(moments):
        raise DataError("Neither panel has a bar: there is nothing to join.")
    first, last = pd.Timestamp(moments.min(), tz="UTC"), pd.Timestamp(moments.max(), tz="UTC")
    late = pd.Timedelta(delay)
    return Rows.of(rule, rule.between(first - late, last - late), delay)


def _own_sessions(rule: Clock, own: list[LiquidityPanel]) -> pd.DatetimeIndex:
    labels = own[0].index.union(own[-1].index)
    if not exchange.installed():
        return labels
    whole = rule.between(labels[0] + pd.Timedelta(1, "ns"), rule.end(labels)[-1])
    return labels.union(whole[(whole >= labels[0]) & (whole <= labels[-1])])
