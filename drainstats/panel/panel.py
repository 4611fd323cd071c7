"""`LiquidityPanel`: every field as a time × asset table, with clocks, units, provenance and a ledger of repairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, require_extra
from drainstats.frames import to_pandas
from drainstats.panel.align import Clock, aggregate, rows_as_of
from drainstats.panel.cleaning import DESCRIPTIONS, Ledger, tidy
from drainstats.panel.quality import quality_table

UNITS = {
    **dict.fromkeys(("open", "high", "low", "close"), "quote currency"),
    "volume": "base units",
    "dollar_volume": "quote currency",
}


@dataclass(frozen=True, eq=False, repr=False)
class LiquidityPanel:
    """Market data of many assets on one clock.

    Build one with `from_bars`, `from_long`, `drainstats.load_dataset` or `join`; it is never changed in place.

    Parameters
    ----------
    fields : dict of DataFrame
        Field name → time × asset table (float64); all tables share labels. Rows are labelled by their start, in UTC.
    asset_table : DataFrame
        A row an asset: ``base``, ``quote``, ``venue``, ``class``, ``clock``.
    available : DataFrame
        Time × asset: when each bar was complete, plus the delay; NaT where there is no bar.
    clock : Clock
        What the rows are.
    units, provenance : dict
        Unit of each field; where the data come from.
    ledger : DataFrame
        Which cleaning rule touched how many rows of which asset (the rules: `drainstats.panel.cleaning`).
    """

    fields: Mapping[str, pd.DataFrame]
    asset_table: pd.DataFrame
    available: pd.DataFrame
    clock: Clock
    units: Mapping[str, str]
    provenance: Mapping[str, Any]
    ledger: pd.DataFrame

    @classmethod
    def from_bars(
        cls,
        bars: Mapping[str, Any],
        clock: str | None = None,
        *,
        assets: pd.DataFrame | None = None,
        delay: str | pd.Timedelta = "0s",
        units: Mapping[str, str] | None = None,
        provenance: Mapping[str, Any] | None = None,
        ledger: Ledger | None = None,
    ) -> LiquidityPanel:
        """Assemble a panel from one table of bars an asset.

        Parameters
        ----------
        bars : mapping of str to table
            Asset → bars (pandas, polars or arrow): a time index or column (bar start) and numeric columns such as
            ``open high low close volume dollar_volume``. Histories may differ in length.
        clock : str, optional
            ``utc_day``, ``utc_hour``, ``utc_15min``, ``session:XNYS`` …; inferred from the stamps by default.
        assets : DataFrame, optional
            Index asset; columns among ``base quote venue class``.
        delay : str or Timedelta, default "0s"
            How long after its end a bar is published.
        units, provenance : mapping, optional
        ledger : Ledger, optional
            Repairs already made by a loader.

        Raises
        ------
        DataError
            Text in a number, unreadable or mixed time zones, an empty table, no assets at all.

        Examples
        --------
        >>> import pandas as pd, drainstats as ds
        >>> day = pd.date_range("2024-01-01", periods=3, tz="UTC")
        >>> bars = pd.DataFrame({"high": [2.0, 3, 4], "low": [1.0, 2, 3], "close": [1.5, 2.5, 3.5]}, index=day)
        >>> ds.LiquidityPanel.from_bars({"A": bars, "B": 2 * bars})["close"]["B"].tolist()
        [3.0, 5.0, 7.0]
        """
        if not bars:
            raise DataError("No assets came: pass a mapping asset → bars with at least one table.")
        ledger = ledger or Ledger()
        tables = {str(asset): tidy(str(asset), table, ledger) for asset, table in bars.items()}
        stamps = pd.DatetimeIndex(np.concatenate([t.index.as_unit("ns").asi8 for t in tables.values()]), tz="UTC")
        rule = Clock.named(clock) if clock else Clock.inferred(stamps)
        for asset, table in tables.items():
            rows = rule.label(table.index)
            ledger.note(asset, "several-bars-in-row", table.index[rows.duplicated()])
            tables[asset] = aggregate(table, rows)
        wide = _widen(tables)
        index = next(iter(wide.values())).index
        known = rule.end(index) + pd.Timedelta(delay)
        present = _present(wide)
        available = pd.DataFrame({a: known.where(present[a]) for a in present}, index=index)
        table = _asset_table(list(tables), assets).assign(clock=rule.name)
        units = UNITS | dict(units or {})
        return cls(
            wide, table, available, rule, {f: units.get(f, "") for f in wide}, dict(provenance or {}), ledger.frame()
        )

    @classmethod
    def from_long(cls, frame: Any, *, time: str = "time", asset: str = "asset", **options: Any) -> LiquidityPanel:
        """Assemble a panel from one tidy table with a row a time and asset.

        Parameters
        ----------
        frame : table
            pandas, polars or arrow; columns ``time``, ``asset``, numeric fields, and optionally ``base``, ``quote``,
            ``venue``, ``class``, which go to the asset table.
        time, asset : str
            Names of those two columns.
        **options
            As in `from_bars`: ``clock``, ``delay``, ``units``, ``provenance``.

        Raises
        ------
        DataError
            When a column is missing, and as in `from_bars`.
        """
        data = to_pandas(frame)
        if data.index.name in (time, asset) or isinstance(data.index, pd.MultiIndex):
            data = data.reset_index()
        lacking = [c for c in (time, asset) if c not in data]
        if lacking:
            raise DataError(f"The table lacks the column {lacking[0]!r}; it has {', '.join(map(str, data.columns))}.")
        if data.empty:
            raise DataError("The table has no rows.")
        described = [c for c in DESCRIPTIONS if c in data]
        table = data.groupby(asset, sort=False)[described].first() if described else None
        numbers = data.drop(columns=described)
        bars = {str(a): part.drop(columns=asset).set_index(time) for a, part in numbers.groupby(asset, sort=False)}
        return cls.from_bars(bars, assets=table, **options)

    def __getitem__(self, field: str) -> pd.DataFrame:
        if field in self.fields:
            return self.fields[field].copy()
        if field in self.field_names:
            return self.fields["close"] * self.fields["volume"]
        raise OptionError(f"The panel has no field {field!r}; it has {', '.join(self.field_names)}.")

    @property
    def field_names(self) -> list[str]:
        """Fields that can be asked for: those stored, and dollar volume where volume counts units of what is priced."""
        names = list(self.fields)
        priced = {"close", "volume"} <= set(names) and self.units["volume"] == "base units"
        return [*names, "dollar_volume"] if priced and "dollar_volume" not in names else names

    @property
    def assets(self) -> list[str]:
        """Names of the assets, in column order."""
        return list(self.asset_table.index)

    @property
    def index(self) -> pd.DatetimeIndex:
        """Row labels (bar starts, UTC)."""
        return self.available.index

    @property
    def available_at(self) -> pd.Series:
        """When each row was known in full: the latest availability among its assets."""
        return self.available.max(axis=1).rename("available_at")

    def measure(self, name: str, **options: Any) -> pd.DataFrame:
        """A liquidity measure by name, as a time × asset table (`drainstats.list_measures` shows them).

        Examples
        --------
        >>> import drainstats as ds
        >>> panel = ds.load_dataset("us-equity-daily").window("2010-01-01", "2010-12-31")
        >>> panel.measure("edge", window=21).shape == panel["close"].shape
        True
        """
        from drainstats.measures.registry import MEASURES

        if name not in MEASURES:
            raise OptionError(f"There is no measure {name!r}; there are {', '.join(MEASURES)}.")
        measure = MEASURES[name]
        values: pd.DataFrame = measure.function(*(self[field] for field in measure.fields), **options)
        return values

    def window(self, start: Any = None, end: Any = None) -> LiquidityPanel:
        """Rows from ``start`` to ``end``, both inclusive; a date means the whole day."""
        return self._rows(self.available.loc[start:end].index)

    def select(self, assets: str | Iterable[str] | None = None, **where: Any) -> LiquidityPanel:
        """Some assets, by name or by columns of the asset table.

        Examples
        --------
        >>> import drainstats as ds
        >>> ds.load_dataset("crypto-venues-daily").select(venue="kraken", base=["BTC", "ETH"]).assets
        ['kraken:BTC', 'kraken:ETH']
        """
        names = self.assets if assets is None else [assets] if isinstance(assets, str) else list(assets)
        unknown = [a for a in names if a not in self.asset_table.index]
        if unknown:
            raise OptionError(f"The panel has no asset {unknown[0]!r}; it has {', '.join(self.assets)}.")
        table = self.asset_table.loc[names]
        for column, wanted in where.items():
            if column not in table:
                raise OptionError(f"The asset table has no column {column!r}; it has {', '.join(table.columns)}.")
            table = table[table[column].isin([wanted] if isinstance(wanted, str) else list(wanted))]
        if table.empty:
            raise OptionError(f"No asset has {where}.")
        keep = list(table.index)
        return replace(
            self,
            fields={f: v[keep] for f, v in self.fields.items()},
            asset_table=table,
            available=self.available[keep],
            ledger=self.ledger[self.ledger["asset"].isin(keep)],
        )

    def join(self, other: LiquidityPanel, clock: str | None = None) -> LiquidityPanel:
        """Both panels on one clock, each bar in the first row that ends no earlier than the bar was known.

        Nothing is filled: a bar stands in one row only. Bars that fall into one row are merged (first open, highest
        high, lowest low, last close, summed volumes): on a session clock the crypto bars of a weekend stand in Monday.

        Parameters
        ----------
        other : LiquidityPanel
        clock : str, optional
            The clock of the result; this panel's own by default.

        Raises
        ------
        DataError
            When an asset stands in both panels, or no panel has rows on a session clock that is asked for.
        """
        twice = [a for a in self.assets if a in other.asset_table.index]
        if twice:
            raise DataError(f"The asset {twice[0]!r} stands in both panels; select or rename one.")
        rule = Clock.named(clock) if clock else self.clock
        ends, labels = _rows_of(rule, (self, other))
        ledger = Ledger()
        tables, known = {}, {}
        for panel in (self, other):
            for asset in panel.assets:
                tables[asset], known[asset] = panel._placed(asset, labels, ends, ledger)
        wide = _widen(tables)
        index = next(iter(wide.values())).index
        return LiquidityPanel(
            fields=wide,
            asset_table=pd.concat([self.asset_table, other.asset_table]),
            available=pd.DataFrame(known).reindex(index),
            clock=rule,
            units={**other.units, **self.units},
            provenance={"joined": [dict(self.provenance), dict(other.provenance)], "clock": rule.name},
            ledger=pd.concat([self.ledger, other.ledger, ledger.frame()], ignore_index=True),
        )

    def to_long(self) -> pd.DataFrame:
        """A tidy table with a row a time and asset that has at least one value."""
        stacked = pd.concat({f: v.stack(future_stack=True) for f, v in self.fields.items()}, axis=1)
        stacked.index.names = ["time", "asset"]
        return stacked.dropna(how="all").reset_index()

    def to_xarray(self) -> Any:
        """An xarray Dataset with dimensions time and asset (extra ``arrays``); times are UTC without a zone."""
        xarray = require_extra("xarray", "arrays")
        times = self.index.tz_localize(None)
        data = {f: (("time", "asset"), v.to_numpy(), {"units": self.units[f]}) for f, v in self.fields.items()}
        return xarray.Dataset(data, coords={"time": times, "asset": self.assets})

    def quality(self) -> pd.DataFrame:
        """What is wrong with the data: a row an asset, counts of faults, repairs made, verdict and its reason."""
        clocks = {a: Clock.named(str(self.asset_table.at[a, "clock"])) for a in self.assets}
        return quality_table(dict(self.fields), clocks, self.index, self.ledger)

    def cut(self, rows: int) -> LiquidityPanel:
        """The first ``rows`` rows."""
        return self._rows(self.index[:rows])

    def known_at(self, row: int) -> pd.Timestamp:
        """When row number ``row`` was known in full."""
        return self.available_at.iloc[row]

    def disturbed(self, rows: int, how: str, seed: int) -> LiquidityPanel:
        """A copy whose values from row ``rows`` on are replaced: ``nan``, ``permute`` (rows shuffled) or ``scale``."""
        order = np.arange(len(self.index))
        order[rows:] = np.random.default_rng(seed).permutation(order[rows:])
        changed = {}
        for name, table in self.fields.items():
            values = table.to_numpy(copy=True)
            values[rows:] = {
                "nan": values[rows:] * np.nan,
                "permute": values[order][rows:],
                "scale": values[rows:] * 1000,
            }[how]
            changed[name] = pd.DataFrame(values, index=table.index, columns=table.columns)
        return replace(self, fields=changed)

    def __repr__(self) -> str:
        cells = self.available.size
        missing = float(self.available.isna().to_numpy().mean()) if cells else 0.0
        span = (
            f"{self.index[0]:%Y-%m-%d %H:%M} to {self.index[-1]:%Y-%m-%d %H:%M} UTC" if len(self.index) else "no rows"
        )
        shown = ", ".join(self.assets[:6]) + (f" … ({len(self.assets)})" if len(self.assets) > 6 else "")
        repairs = int(self.ledger["rows"].sum()) if len(self.ledger) else 0
        return (
            f"LiquidityPanel: {len(self.assets)} assets × {len(self.index)} rows on {self.clock.name}\n"
            f"  span     {span}\n  assets   {shown}\n  fields   {', '.join(self.fields)}\n"
            f"  missing  {missing:.1%} of cells; {repairs} rows touched by cleaning rules"
        )

    def _rows(self, index: pd.DatetimeIndex) -> LiquidityPanel:
        fields = {f: v.loc[index] for f, v in self.fields.items()}
        return replace(self, fields=fields, available=self.available.loc[index])

    def _placed(
        self, asset: str, labels: pd.DatetimeIndex, ends: pd.DatetimeIndex, ledger: Ledger
    ) -> tuple[pd.DataFrame, pd.Series]:
        known = self.available[asset].dropna()
        bars = pd.DataFrame({f: v[asset] for f, v in self.fields.items()}).loc[known.index]
        rows = rows_as_of(pd.DatetimeIndex(known), ends)
        before = np.asarray(known <= ends[0] - self.clock.step)
        inside = (rows < len(ends)) & ~before
        ledger.note(asset, "before-first-row", known.index[before])
        ledger.note(asset, "after-last-row", known.index[rows == len(ends)])
        rows = labels[rows[inside]]
        ledger.note(asset, "several-bars-in-row", known.index[inside][rows.duplicated()])
        return aggregate(bars[inside], rows), known[inside].groupby(rows).max()


def _widen(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    names = list(dict.fromkeys(field for table in tables.values() for field in table.columns))
    index = pd.DatetimeIndex([], tz="UTC")
    for table in tables.values():
        index = index.union(table.index)
    index = index.rename("time")
    wide = {}
    for name in names:
        columns = {a: t[name] if name in t else pd.Series(np.nan, index=t.index) for a, t in tables.items()}
        wide[name] = pd.DataFrame(columns, dtype=np.float64).reindex(index)
    return wide


def _present(wide: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    tables = list(wide.values())
    present = tables[0].notna()
    for table in tables[1:]:
        present = present | table.notna()
    return present


def _asset_table(names: list[str], given: pd.DataFrame | None) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(names, name="asset"), columns=list(DESCRIPTIONS), dtype=object)
    if given is not None:
        table.update(given)
    table["base"] = table["base"].where(table["base"].notna(), pd.Series(names, index=table.index))
    return table.fillna("")


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
