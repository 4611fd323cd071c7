"""`quality`: what is wrong with the data, a row an asset, a column a fault, a verdict with its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.frames import to_pandas
from drainstats.panel.align import Clock
from drainstats.panel.quality.prices import price_faults
from drainstats.panel.quality.rules import TABLES, judge
from drainstats.panel.quality.stack import Stack, ratio
from drainstats.panel.quality.time import clock_rows, effective_clock, time_faults
from drainstats.panel.quality.volume import twin_faults, volume_faults
from drainstats.panel.status import State
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

# Assets taken at once: their bars then fit into the processor's cache, and memory does not grow with the panel.
AT_ONCE = 50
SPREAD_WINDOW = 21
LEAST_SPREADS = 12
# Column → the rules of the ledger that it counts.
LEDGER = {
    "duplicates": ("duplicate-identical", "duplicate-last"),
    "disorder": ("sorted",),
    "merged": ("several-bars-in-row",),
    "missing_stamp": ("missing-stamp",),
    "not_positive": ("price-not-positive",),
    "high_below_low": ("high-below-low",),
    "infinite": ("infinite-to-missing",),
    "negative_volume": ("negative-volume",),
}
_LAST = ("verdict", "why", "hints")


def quality(data: Any, quotes: Any = None, *, kind: str | None = None) -> pd.DataFrame:
    """What is wrong with the data: a row an asset, the measured faults, a verdict and the rules that produced it.

    Parameters
    ----------
    data : LiquidityPanel, tidy table, or mapping of name to tidy table
        As `drainstats.read_bars`, `read_trades`, `read_quotes` and `read_book` return them; a column ``asset`` splits
        a table. Bars become a panel first.
    quotes : tidy table, or mapping of name to one, optional
        The quotes against which trades are held.
    kind : {"bars", "trades", "quotes", "book"}, optional
        What the tables are; told by their columns if not given. Events of a book with the columns of trades need it.

    Returns
    -------
    DataFrame
        Index: asset, or the table's name. Columns: shares and times (in seconds) of what was measured, then
        ``verdict`` ("clean", "usable", "dead", "poor", "empty"), ``why`` (each rule that changed it, the gravest
        first) and ``hints``, which change no verdict. `drainstats.quality_rules` lists the rules with their thresholds.

    Raises
    ------
    DataError
        A table of another kind, tables of several kinds, quotes beside anything but trades.
    OptionError
        An unknown ``kind``.

    References
    ----------
    Barndorff-Nielsen, Hansen, Lunde and Shephard (2009), Econometrics Journal 12(3), C1-C32, for ticks. Cong, Li, Tang
    and Yang (2023), Management Science 69(11), and Aloosh and Li (2024), Management Science 70(12), for wash trading.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> time = pd.date_range("2024-01-01", periods=3, freq="s", tz="UTC")
    >>> quotes = pd.DataFrame({"bid": [9.9, 10.2, 9.9], "ask": [10.1, 10.1, 10.1]}, index=time)
    >>> ds.quality(quotes).loc["quotes", ["verdict", "why"]].tolist()
    ['poor', 'crossed: 33.33% of the quotes are crossed']
    """
    if kind is not None:
        check_option("kind", kind, TABLES)
    if hasattr(data, "asset_table"):
        return quality_table(data)
    tables = _named_tables(data)
    kinds = {name: kind or _kind(table, name) for name, table in tables.items()}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{name}: {found}" for name, found in list(kinds.items())[:5])
        raise DataError(f"Tables of several kinds came ({listed}); pass those of one kind at a time.")
    found = next(iter(kinds.values()))
    if quotes is not None and found != "trades":
        raise DataError(f"Quotes are for trades to be held against; {found} came.")
    if found == "bars":
        from drainstats.panel.panel import LiquidityPanel

        return quality_table(LiquidityPanel.from_bars(tables))
    from drainstats.panel.quality.ticks import tick_faults

    beside = _beside(quotes, tables)
    rows = {name: tick_faults(table, found, beside.get(name)) for name, table in tables.items()}
    return judge(pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset"), found)


def _named_tables(data: Any) -> dict[str, pd.DataFrame]:
    """Tables by asset, split by their column ``asset``; one that has none goes by its symbol or kind."""
    given: Iterable[tuple[Any, Any]] = data.items() if isinstance(data, Mapping) else [(None, data)]
    tables: dict[str, pd.DataFrame] = {}
    for name, part in given:
        table = to_pandas(part)
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"A panel or a tidy table was expected, a {type(part).__name__} came.")
        if "asset" in table:
            attrs = table.attrs
            for asset, rows in table.groupby("asset", sort=False):
                label = str(asset) if name is None or table["asset"].nunique() > 1 else str(name)
                tables[label] = rows.drop(columns="asset")
                tables[label].attrs = attrs
        else:
            tables[str(table.attrs.get("symbol") or _kind(table, "the table")) if name is None else str(name)] = table
    if not tables:
        raise DataError("No table came: pass a panel, a tidy table, or a mapping of name to table.")
    return tables


def _kind(table: pd.DataFrame, name: str) -> str:
    columns = {str(c) for c in table.columns}
    if "close" in columns:
        return "bars"
    if {"bid", "ask"} <= columns:
        return "quotes"
    if columns & {"bid_0", "snapshot", "action"} or any(c.startswith("bid_depth_") for c in columns):
        return "book"
    if {"price", "amount"} <= columns:
        return "trades"
    raise DataError(
        f"{name} is no table of bars, trades, quotes or a book; it has the columns {', '.join(sorted(columns))}."
    )


def _beside(quotes: Any, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    if quotes is None:
        return {}
    found = _named_tables(quotes)
    for name, table in found.items():
        if not {"bid", "ask"} <= set(table.columns):
            raise DataError(f"The quotes of {name} lack bid or ask.")
    if len(found) == len(tables) == 1:
        return dict(zip(tables, found.values(), strict=True))
    lacking = [name for name in tables if name not in found]
    if lacking:
        raise DataError(f"There are no quotes of {lacking[0]}; there are those of {', '.join(found)}.")
    return found


def quality_table(panel: LiquidityPanel) -> pd.DataFrame:
    """The quality table of a panel (`drainstats.quality`)."""
    counted = panel.units.get("volume") == "base units"
    parts = []
    for chosen, fields, stack, columns in pieces(panel):
        columns |= price_faults(stack, panel.index) | volume_faults(stack, panel.index, counted)
        parts.append(pd.DataFrame(columns | _spreads(fields), index=chosen))
    table = pd.concat(parts).assign(**twin_faults(panel.fields, panel.asset_table))
    return _with_ledger(table, panel.ledger)


def pieces(panel: LiquidityPanel) -> Iterator[tuple[pd.Index, dict[str, FloatArray], Stack, dict[str, Any]]]:
    """Fifty assets at a time: names, fields, bars (with ``number``, that of a bar on its clock) and time faults."""
    assets = pd.Index(panel.assets, name="asset")
    fields = {name: np.asarray(table[panel.assets]) for name, table in panel.fields.items()}
    status = np.asarray(panel.status[panel.assets])
    clocks = [effective_clock(Clock.named(str(name)), panel.clock) for name in panel.asset_table["clock"]]
    rows = {}
    for clock in dict.fromkeys(clocks):
        mine = np.array([own == clock for own in clocks])
        seen = np.logical_or.reduce([~np.isnan(table[:, mine]).all(axis=1) for table in fields.values()])
        rows[clock.name] = clock_rows(clock, panel.index, seen)
    for first in range(0, len(assets), AT_ONCE):
        chosen = slice(first, first + AT_ONCE)
        some = {name: table[:, chosen] for name, table in fields.items()}
        state = status[:, chosen]
        # A carried price is no bar.
        seen = np.logical_or.reduce([~np.isnan(table) for table in some.values()]) & (state != State.STALE)
        stack = Stack.of(some, seen)
        states = np.where(seen, 0, state)
        columns, number = time_faults(stack, panel.index, clocks[chosen], panel.clock, rows, states)
        stack.values["number"] = number
        yield assets[chosen], some, stack, columns


def _spreads(fields: dict[str, FloatArray]) -> dict[str, Any]:
    """Share of negative estimates in windows of 21 rows side by side, where an asset has a dozen of them."""
    rows = len(next(iter(fields.values())))
    out: dict[str, Any] = {}
    if rows < SPREAD_WINDOW or not {"high", "low", "close"} <= set(fields):
        return out
    from drainstats.measures.efficient import edge
    from drainstats.measures.spreads import corwin_schultz

    high, low, close = (_side_by_side(fields[name]) for name in ("high", "low", "close"))
    estimates = {"negative_corwin_schultz": corwin_schultz(high, low, close, window=SPREAD_WINDOW)}
    if "open" in fields:
        estimates["negative_edge"] = edge(_side_by_side(fields["open"]), high, low, close, window=SPREAD_WINDOW)
    for name, values in estimates.items():
        last = values[-1].reshape(-1, fields["close"].shape[1])
        known = np.count_nonzero(~np.isnan(last), axis=0)
        share = ratio(np.count_nonzero(last < 0, axis=0), known)
        out[name] = np.where(known >= LEAST_SPREADS, share, np.nan)
    return out


def _side_by_side(values: FloatArray) -> FloatArray:
    """(T, N) → (21, windows × N): every window in columns of its own."""
    windows = len(values) // SPREAD_WINDOW
    whole = values[: windows * SPREAD_WINDOW].reshape(windows, SPREAD_WINDOW, -1)
    return np.ascontiguousarray(whole.transpose(1, 0, 2).reshape(SPREAD_WINDOW, -1))


def _with_ledger(table: pd.DataFrame, ledger: pd.DataFrame) -> pd.DataFrame:
    """Faults that were repaired on the way in, the verdict, and how often each rule of the ledger was applied."""
    used = ledger.pivot_table(index="asset", columns="rule", values="rows", aggfunc="sum") if len(ledger) else None
    counts = pd.DataFrame(index=table.index) if used is None else used.reindex(table.index).fillna(0).astype(int)
    for column, names in LEDGER.items():
        applied = counts.reindex(columns=list(names), fill_value=0).sum(axis=1)
        share = np.minimum(ratio(applied, table["bars"]), 1.0)
        table = table.assign(**{column: applied, f"{column}_share": share})
    judged = judge(table, "bars").join(counts.rename(columns=lambda rule: f"rule:{rule}"))
    table = judged[[c for c in judged.columns if c not in _LAST] + list(_LAST)]
    table.attrs["kind"] = "bars"
    return table
