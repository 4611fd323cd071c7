"""`LiquidityPanel`: every field as a time × asset table, with clocks, units, provenance and a ledger of repairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, require_extra
from drainstats.panel.align import Clock
from drainstats.panel.build import assembled, split_long
from drainstats.panel.cleaning import Ledger
from drainstats.panel.joining import joined
from drainstats.panel.quality import quality_table


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
        return cls(**assembled(bars, clock, assets, delay, units, provenance, ledger))

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
        bars, assets = split_long(frame, time, asset)
        return cls.from_bars(bars, assets=assets, **options)

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
        return joined(self, other, clock)

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
