"""Bars of one clock in rows of another: as of when they were known, merged where they share a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import MissingExtraError
from drainstats.panel import sessions as exchange
from drainstats.panel.align import Clock
from drainstats.panel.cleaning import Ledger
from drainstats.panel.merging import merged, repeated, rule_of, runs
from drainstats.panel.status import Codes, State, closed
from drainstats.panel.tables import NAT, index_of, nanoseconds_of, stamps_of, table_of, values_of
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a result: clock, labels (T,) and the moments (T,) from which they count as known (nanoseconds)."""

    clock: Clock
    labels: IntArray
    known: IntArray

    @classmethod
    def of(cls, clock: Clock, index: pd.DatetimeIndex, delay: int = 0) -> Rows:
        """Rows with those labels, known ``delay`` nanoseconds after their ends."""
        return cls(clock, index.as_unit("ns").asi8, clock.end(index).as_unit("ns").asi8 + delay)

    @property
    def window(self) -> IntArray:
        """(T,) from when on a row gathers bars, if it is not to reach back further than its nominal length."""
        return self.known - self.clock.step.as_unit("ns").value

    def only(self, wanted: Any) -> Rows:
        """Some of the rows."""
        return Rows(self.clock, self.labels[wanted], self.known[wanted])


@dataclass(frozen=True, slots=True)
class Source:
    """A panel as arrays by asset (N, T): fields, moments at which its cells were known, and states."""

    panel: LiquidityPanel
    fields: dict[str, FloatArray]
    available: IntArray
    known: IntArray
    status: Codes
    delays: IntArray

    @classmethod
    def of(cls, panel: LiquidityPanel) -> Source:
        """A cell without a bar counts as known at the end of its row plus the asset's delay."""
        available = nanoseconds_of(panel.available)
        ends = panel.clock.end(panel.index).as_unit("ns").asi8
        there = available != NAT
        late = np.where(there, available - ends, 0)
        delays = late.max(axis=1, initial=0)
        known = np.where(there, available, ends + delays[:, None])
        fields = {f: values_of(v) for f, v in panel.fields.items()}
        np.maximum.accumulate(known, axis=1, out=known)
        return cls(panel, fields, available, known, values_of(panel.status), delays)

    def as_of(self, asset: int, rows: Rows, outside: str, ledger: Ledger) -> IntArray:
        """For each cell of an asset the first row known no earlier than the cell; -1 where there is no row for it."""
        known, there, name = self.known[asset], self.available[asset] != NAT, self.panel.assets[asset]
        index = self.panel.index
        at = np.searchsorted(rows.known, known, side="left")
        before = known <= rows.window[0]
        after = at == len(rows.known)
        far = ~before & ~after & (known <= rows.window[np.minimum(at, len(rows.known) - 1)])
        ledger.note(name, "before-first-row", index[before & there])
        ledger.note(name, "after-last-row", index[after & there])
        ledger.note(name, f"outside-{'dropped' if outside == 'drop' else 'accumulated'}", index[far & there])
        left_out = before | after | (far if outside == "drop" else False)
        return np.where(left_out, -1, at)

    def present(self, rows: Rows) -> IntArray:
        """Numbers of the rows in which the panel has a bar of its own, not only a carried price."""
        found = np.zeros(len(rows.known) + 1, dtype=bool)
        for known, available, codes in zip(self.known, self.available, self.status, strict=True):
            own = (available != NAT) & (codes != State.STALE) & (known > rows.window[0])
            found[np.searchsorted(rows.known, known[own], side="left")] = True
        return np.flatnonzero(found[:-1])


class Canvas:
    """Tables that are filled asset by asset."""

    def __init__(self, rows: Rows, assets: list[str], fields: Iterable[str]) -> None:
        shape = (len(assets), len(rows.labels))
        self.rows, self.assets = rows, assets
        self.fields = {f: np.full(shape, np.nan) for f in fields}
        self.available = np.full(shape, NAT)
        self.status = np.full(shape, State.MISSING, dtype=np.int8)

    def draw(
        self, line: int, source: Source, asset: int, at: IntArray, ledger: Ledger, how: Mapping[str, str] | None = None
    ) -> None:
        """Put an asset's cells into the rows ``at``, in order (-1: nowhere); cells that share a row are merged."""
        cells = np.flatnonzero(at >= 0)
        if not len(cells):
            return
        starts = runs(at[cells])
        out = at[cells][starts]
        single = len(starts) == len(cells)
        for name, values in source.fields.items():
            taken = values[asset][cells]
            self.fields[name][line, out] = taken if single else merged(taken, starts, rule_of(name, how))
        self.available[line, out] = np.maximum.reduceat(source.available[asset][cells], starts)
        self.status[line, out] = np.minimum.reduceat(source.status[asset][cells], starts)
        if not single:
            bars = cells[source.available[asset][cells] != NAT]
            again = bars[repeated(at[bars])]
            ledger.note(self.assets[line], "several-bars-in-row", source.panel.index[again])

    def complete_at(self, line: int, moments: IntArray) -> None:
        """Rows made of finer ones are known when they end, not when their last bar was."""
        there = self.available[line] != NAT
        self.available[line, there] = moments[there]

    def close(self, clocks: Iterable[str]) -> None:
        """Mark as closed what is missing where the asset's own exchange has no session."""
        shut: dict[str, Any] = {}
        ends = self.rows.clock.end(index_of(self.rows.labels)).as_unit("ns").asi8
        for line, name in enumerate(clocks):
            code = Clock.named(name).session
            if code is None:
                continue
            if code not in shut:
                shut[code] = closed(code, self.rows.labels, ends)
            self.status[line, shut[code] & (self.status[line] == State.MISSING)] = State.CLOSED

    def tables(self) -> dict[str, Any]:
        """Fields, availability and states as time × asset tables, by the names of a panel's parts."""
        index = index_of(self.rows.labels)
        return {
            "fields": {f: table_of(v, index, self.assets) for f, v in self.fields.items()},
            "available": stamps_of(self.available, index, self.assets),
            "status": table_of(self.status, index, self.assets),
        }


def refuse_ambiguous(source: Source, rows: Rows) -> None:
    """Without calendars, refuse bars known on an afternoon on which the exchange may have closed early."""
    code = rows.clock.session
    if code is None or exchange.installed() or source.panel.clock.name == rows.clock.name:
        return
    room = exchange.REGULAR[code][1] - exchange.EARLIEST_CLOSE[code]
    for known, available in zip(source.known, source.available, strict=True):
        bars = known[available != NAT]
        at = np.searchsorted(rows.known, bars, side="left")
        inside = at < len(rows.known)
        if np.any(bars[inside] > rows.known[at[inside]] - room.as_unit("ns").value):
            raise MissingExtraError(
                f"Bars were known between noon and the regular close of {code}, which on a half day is after the true "
                "close: install the calendars with  pip install 'drainstats[calendars]'"
            )
