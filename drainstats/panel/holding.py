"""What a panel holds, and how one looks at it: fields, rows, assets, states."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option
from drainstats.panel.align import Clock
from drainstats.panel.export import long_of, xarray_of
from drainstats.panel.status import State, counts


@dataclass(frozen=True, eq=False, repr=False)
class Held:
    """The parts of a panel.

    Parameters
    ----------
    fields : dict of DataFrame
        Field name → time × asset table (float64); all tables share labels. Rows are labelled by their start, in UTC.
    asset_table : DataFrame
        A row an asset: ``base``, ``quote``, ``venue``, ``class``, ``clock``, and what a symbol table says of it.
    available : DataFrame
        Time × asset: when each bar was complete, plus the delay; NaT where there is no bar.
    status : DataFrame
        Time × asset: why each cell is as it is (int8; the codes: `drainstats.panel.status`).
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
    status: pd.DataFrame
    clock: Clock
    units: Mapping[str, str]
    provenance: Mapping[str, Any]
    ledger: pd.DataFrame

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
    def shape(self) -> tuple[int, int]:
        """Number of rows and of assets."""
        return len(self.index), len(self.assets)

    @property
    def available_at(self) -> pd.Series:
        """When each row was known in full: the latest availability among its assets."""
        return self.available.max(axis=1).rename("available_at")

    def measure(self, name: str, **options: Any) -> Any:
        """A liquidity measure by name, as a time × asset table (`drainstats.list_measures` shows them).

        Options are those of the function; with ``with_se=True`` an `Estimate` of tables.

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
        if measure.table != "bars":
            raise OptionError(f"{name!r} is made of {measure.table}, not of a panel: call drainstats.measures.{name}.")
        known = list(inspect.signature(measure.function).parameters)[len(measure.inputs) :]
        for option in options:
            if not known:
                raise OptionError(f"{name!r} takes no options; {option!r} came.")
            check_option(f"option of {name}", option, known)
        return measure.function(*(self[field] for field in measure.inputs), **options)

    def window(self, start: Any = None, end: Any = None) -> Self:
        """Rows from ``start`` to ``end``, both inclusive; a date means the whole day."""
        return self._rows(self.available.loc[start:end].index)

    def select(self, assets: str | Iterable[str] | None = None, **where: Any) -> Self:
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
            status=self.status[keep],
            ledger=self.ledger[self.ledger["asset"].isin(keep)],
        )

    def states(self) -> pd.DataFrame:
        """How many rows of each asset are in each state; states that do not occur are left out."""
        return counts(self.status)

    def where(self, state: str) -> pd.DataFrame:
        """Time × asset: whether a cell is in that state, such as ``"no trade"`` or ``"stale"``.

        Examples
        --------
        >>> import drainstats as ds
        >>> ds.load_dataset("us-equity-daily").where("no trade").sum().tolist()
        [0, 2]
        """
        return self.status == State.named(state)

    def to_long(self) -> pd.DataFrame:
        """A tidy table with a row a time and asset that has at least one value."""
        return long_of(self)

    def to_xarray(self) -> Any:
        """An xarray Dataset with dimensions time and asset (extra ``arrays``); times are UTC without a zone.

        Beside the fields it has ``available_at`` and ``status`` (with flag_values and flag_meanings), the asset table
        as coordinates, and clock, provenance and ledger among its attributes.
        """
        return xarray_of(self)

    def cut(self, rows: int) -> Self:
        """The first ``rows`` rows."""
        return self._rows(self.index[:rows])

    def known_at(self, row: int) -> pd.Timestamp:
        """When row number ``row`` was known in full."""
        return self.available_at.iloc[row]

    def disturbed(self, rows: int, how: str, seed: int) -> Self:
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

    def _rows(self, index: pd.DatetimeIndex) -> Self:
        fields = {f: v.loc[index] for f, v in self.fields.items()}
        return replace(self, fields=fields, available=self.available.loc[index], status=self.status.loc[index])
