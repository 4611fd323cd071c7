"""Why a cell of a panel is as it is: nine states and one for what is not known.

====  ================  ====================================================================================
code  state             the cell
====  ================  ====================================================================================
1     traded            holds a bar, and its volume is not zero where volumes are known
2     no trade          was open and nothing traded: a volume of zero, or no row inside a span that was fetched
3     stale             holds only a price carried from before (`LiquidityPanel.carry`)
4     halted            lies in a halt of the asset
5     outage            lies in an outage of the venue
6     not fetched       lies outside the spans that were fetched
7     missing           has no bar, and nobody said why
8     delisted          lies after the asset's last day
9     not yet listed    lies before the asset's first day
10    closed            lies where the asset's exchange has no session
====  ================  ====================================================================================

A row made of several rows has the first of these states that one of them has. Nothing is guessed: states 4 to 6 and 8
to 10 come from tables and calendars that the user names (`LiquidityPanel.mark`) or, for ``closed``, from the calendar
of the clock on which the asset came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import to_pandas
from drainstats.panel import sessions as exchange
from drainstats.panel.cleaning import Ledger
from drainstats.typing import BoolArray, IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

Codes = npt.NDArray[np.int8]
LAST = np.iinfo(np.int64).max
FIRST = np.iinfo(np.int64).min


class State(IntEnum):
    """The states by their codes."""

    TRADED = 1
    NO_TRADE = 2
    STALE = 3
    HALTED = 4
    OUTAGE = 5
    NOT_FETCHED = 6
    MISSING = 7
    DELISTED = 8
    NOT_YET_LISTED = 9
    CLOSED = 10

    @property
    def label(self) -> str:
        """The state in words."""
        return self.name.lower().replace("_", " ")

    @classmethod
    def named(cls, label: str) -> State:
        """The state of that name; an unknown one raises `OptionError` with the names."""
        for state in cls:
            if state.label == label:
                return state
        raise OptionError(f"There is no state {label!r}; the states are {', '.join(s.label for s in cls)}.")


# What a mark may relabel: cells in which nothing traded and no price is carried.
_SETTLED = (State.TRADED, State.STALE)
# What has no bar at all.
_EMPTY = (State.HALTED, State.OUTAGE, State.NOT_FETCHED, State.MISSING)


def of_bars(volume: npt.NDArray[np.float64] | None, rows: int) -> Codes:
    """The states of bars that are there: no trade where the volume is zero."""
    codes = np.full(rows, State.TRADED, dtype=np.int8)
    if volume is not None:
        codes[volume == 0] = State.NO_TRADE
    return codes


def counts(status: pd.DataFrame) -> pd.DataFrame:
    """How many rows of each asset are in each state, by name."""
    values = status.to_numpy()
    tally = {s.label: (values == s).sum(axis=0) for s in State}
    table = pd.DataFrame(tally, index=status.columns)
    return table.loc[:, table.any()]


def closed(code: str, starts: IntArray, ends: IntArray) -> BoolArray:
    """Rows that no session of the exchange touches; all False without the extra ``calendars``."""
    if not len(starts) or not exchange.installed():
        return np.zeros(len(starts), dtype=bool)
    span = pd.DatetimeIndex([starts[0], ends[-1]], tz="UTC")
    calendar = exchange.sessions(code, span[0], span[1])
    at = np.searchsorted(calendar.closes, starts, side="right")
    return ~(np.r_[calendar.opens, LAST][at] < ends)


def marked(
    panel: LiquidityPanel,
    listed: Any,
    fetched: Any,
    outages: Any,
    halts: Any,
    calendars: Mapping[str, str] | None,
    infer_outages: bool,
) -> LiquidityPanel:
    """The panel with the states that tables and calendars tell (`LiquidityPanel.mark`)."""
    labels = panel.index.as_unit("ns").asi8
    ends = panel.clock.end(panel.index).as_unit("ns").asi8
    codes, ledger = panel.status.to_numpy(copy=True), Ledger()
    spans = {
        "fetched": _spans(panel, fetched, "fetched"),
        "outages": _spans(panel, outages, "outages"),
        "halts": _spans(panel, halts, "halts"),
        "listed": _spans(panel, listed, "listed", ("valid_from", "valid_to")),
    }
    shut = {a: closed(c, labels, ends) for a, c in _by_asset(panel, calendars or {}).items()}
    for column, asset in enumerate(panel.assets):
        cell = codes[:, column]
        _mark_spans(cell, labels, ends, {kind: known.get(asset, []) for kind, known in spans.items()})
        if asset in shut:
            cell[shut[asset] & np.isin(cell, _EMPTY)] = State.CLOSED
        for start, end in spans["listed"].get(asset, []):
            early, late = ends <= start, labels >= end
            ledger.note(asset, "traded-outside-listing", panel.index[(early | late) & (cell == State.TRADED)])
            loose = ~np.isin(cell, _SETTLED)
            cell[early & loose], cell[late & loose] = State.NOT_YET_LISTED, State.DELISTED
    if infer_outages:
        _infer(panel, codes, ledger)
    status = pd.DataFrame(codes, index=panel.status.index, columns=panel.status.columns)
    return replace(panel, status=status, ledger=ledger.after(panel.ledger))


def _mark_spans(cell: Codes, labels: IntArray, ends: IntArray, spans: Mapping[str, list[tuple[int, int]]]) -> None:
    if spans["fetched"]:
        inside = np.zeros(len(cell), dtype=bool)
        for start, end in spans["fetched"]:
            inside[np.searchsorted(labels, start) : np.searchsorted(ends, end, side="right")] = True
        empty = np.isin(cell, (State.MISSING, State.NOT_FETCHED))
        cell[empty & inside], cell[empty & ~inside] = State.NO_TRADE, State.NOT_FETCHED
    for kind, state in (("outages", State.OUTAGE), ("halts", State.HALTED)):
        for start, end in spans[kind]:
            rows = slice(np.searchsorted(ends, start, side="right"), np.searchsorted(labels, end))
            part = cell[rows]
            part[~np.isin(part, _SETTLED)] = state


def _infer(panel: LiquidityPanel, codes: Codes, ledger: Ledger) -> None:
    """Rows inside a venue's history in which all its assets (two at least) are absent while another venue trades."""
    venues = panel.asset_table["venue"].to_numpy()
    traded = codes == State.TRADED
    for venue in dict.fromkeys(v for v in venues if v):
        own = venues == venue
        bars = np.flatnonzero(traded[:, own].any(axis=1))
        if own.sum() < 2 or not len(bars):
            continue
        down = (codes[:, own] == State.MISSING).all(axis=1) & traded[:, ~own].any(axis=1)
        down[: bars[0]] = down[bars[-1] :] = False
        codes[np.ix_(down, own)] = State.OUTAGE
        for asset in panel.asset_table.index[own]:
            ledger.note(asset, "outage-inferred", panel.index[down])


def _spans(
    panel: LiquidityPanel, table: Any, name: str, columns: tuple[str, str] = ("start", "end")
) -> dict[str, list[tuple[int, int]]]:
    """Asset → its spans in nanoseconds; an open start or end reaches as far as the panel and further."""
    if table is None:
        return {}
    frame = to_pandas(table).reset_index()
    start, end = columns
    key = "asset" if "asset" in frame else "venue"
    lacking = [c for c in (key, start, end) if c not in frame]
    if lacking:
        raise DataError(f"{name} has no column {lacking[0]!r}: it needs asset (or venue), {start} and {end}.")
    spans: dict[str, list[tuple[int, int]]] = {}
    begins, ends = (_nanoseconds(frame[c], fill) for c, fill in ((start, FIRST), (end, LAST)))
    for who, begin, stop in zip(frame[key].astype(str), begins, ends, strict=True):
        if stop <= begin:
            raise DataError(f"{name}: the span of {who!r} ends before it begins.")
        for asset in _assets(panel, who, key):
            spans.setdefault(asset, []).append((int(begin), int(stop)))
    if name == "listed" and (twice := [a for a, known in spans.items() if len(known) > 1]):
        raise DataError(
            f"listed: {twice[0]!r} has two spans; an asset is listed once, so give the second its own name."
        )
    return spans


def _nanoseconds(column: pd.Series, fill: int) -> IntArray:
    stamps = pd.DatetimeIndex(pd.to_datetime(column, utc=True)).as_unit("ns")
    return np.where(stamps.isna(), fill, stamps.asi8)


def _by_asset(panel: LiquidityPanel, calendars: Mapping[str, str]) -> dict[str, str]:
    named = {}
    for who, code in calendars.items():
        key = "asset" if who in panel.asset_table.index else "venue"
        named.update(dict.fromkeys(_assets(panel, who, key), exchange.known_code(code)))
    return named


def _assets(panel: LiquidityPanel, who: str, key: str) -> list[str]:
    names = panel.asset_table.index
    found = list(names[names == who] if key == "asset" else names[panel.asset_table["venue"] == who])
    if not found:
        raise OptionError(f"The panel has no {key} {who!r}; its assets are {', '.join(panel.assets)}.")
    return found
