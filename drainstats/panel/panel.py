"""`LiquidityPanel`: every field as a time × asset table, with clocks, states, units and a ledger of repairs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from drainstats.panel.adjusting import adjusted
from drainstats.panel.build import assembled, split_long
from drainstats.panel.carrying import carried
from drainstats.panel.cleaning import Ledger
from drainstats.panel.currency import converted
from drainstats.panel.holding import Held
from drainstats.panel.joining import joined
from drainstats.panel.quality.table import quality_table
from drainstats.panel.resampling import resampled
from drainstats.panel.status import marked
from drainstats.panel.store import restored, saved


@dataclass(frozen=True, eq=False, repr=False)
class LiquidityPanel(Held):
    """Market data of many assets on one clock.

    Build one with `from_bars`, `from_long`, `load`, `drainstats.load_dataset` or `join`; it is never changed in place.

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

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.load_dataset("us-equity-daily").window("2008-09-15", "2008-09-19").shape
    (5, 2)
    """

    @classmethod
    def from_bars(
        cls,
        bars: Mapping[str, Any],
        clock: str | None = None,
        *,
        assets: pd.DataFrame | None = None,
        symbols: Any = None,
        delay: str | pd.Timedelta = "0s",
        rows: str = "seen",
        outside: str = "accumulate",
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
            ``utc_day``, ``utc_hour``, ``utc_15min``, ``session:XNYS``, ``session:XNYS:hour`` …
            (`drainstats.panel.align`); inferred from the stamps by default. On a session clock the bars are those of
            that exchange; bring bars of other markets in with `join`.
        assets : DataFrame, optional
            Index asset; columns among ``base quote venue class``.
        symbols : DataFrame, optional
            A symbol table (`drainstats.panel.symbols`): a raw series whose ticker changed hands becomes two assets, and
            their first and last days stand in the panel's states.
        delay : str or Timedelta, default "0s"
            How long after its end a bar is published.
        rows : {"seen", "all"}, default "seen"
            The rows that some asset has, or every row of the clock between the first and the last of them.
        outside : {"accumulate", "drop"}, default "accumulate"
            Bars shorter than a day that lie outside the sessions of a session clock: merged into the next row, whose
            open is then theirs, or left out. Both stand in the ledger.
        units, provenance : mapping, optional
        ledger : Ledger, optional
            Repairs already made by a loader.

        Raises
        ------
        DataError
            Text in a number, unreadable or mixed time zones, an empty table, no assets at all, a symbol table that
            contradicts itself.
        MissingExtraError
            Bars shorter than a day on a session clock, or another exchange than XNYS, without the extra ``calendars``.

        Examples
        --------
        >>> import pandas as pd, drainstats as ds
        >>> day = pd.date_range("2024-01-01", periods=3, tz="UTC")
        >>> bars = pd.DataFrame({"high": [2.0, 3, 4], "low": [1.0, 2, 3], "close": [1.5, 2.5, 3.5]}, index=day)
        >>> ds.LiquidityPanel.from_bars({"A": bars, "B": 2 * bars})["close"]["B"].tolist()
        [3.0, 5.0, 7.0]
        """
        about = {"assets": assets, "units": units, "provenance": provenance, "ledger": ledger}
        panel = cls(**assembled(bars, clock, symbols, delay, rows, outside, **about))
        return panel if symbols is None else panel.mark(listed=panel.asset_table[["valid_from", "valid_to"]])

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
            As in `from_bars`: ``clock``, ``symbols``, ``delay``, ``rows``, ``outside``, ``units``, ``provenance``.

        Raises
        ------
        DataError
            When a column is missing, and as in `from_bars`.

        Examples
        --------
        >>> import drainstats as ds
        >>> tidy = ds.load_dataset("us-equity-daily").window("2008-09-15", "2008-09-19").to_long()
        >>> ds.LiquidityPanel.from_long(tidy, clock="session:XNYS").assets
        ['SP500', 'NASDAQ']
        """
        bars, assets = split_long(frame, time, asset)
        return cls.from_bars(bars, assets=assets, **options)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LiquidityPanel:
        """The panel that `save` wrote, bit for bit (extra ``ticks``).

        Raises
        ------
        DataError
            When the file is not there, of another kind, of a newer version, or was changed after it was saved.

        Examples
        --------
        >>> import tempfile, drainstats as ds
        >>> panel = ds.load_dataset("us-equity-daily").window("2008-09-01", "2008-09-30")
        >>> path = panel.save(tempfile.mkdtemp() + "/panel.parquet")
        >>> ds.LiquidityPanel.load(path)["close"].equals(panel["close"])
        True
        """
        return cls(**restored(path))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the panel into one Parquet file, whole or not at all (extra ``ticks``); see `load`.

        The file is a tidy table (time, asset, the fields, available_at, status) that any program reads; clock, units,
        asset table, ledger, provenance and a digest stand in its metadata. A save that fails or is killed leaves the
        file that was there.

        Returns
        -------
        Path

        Raises
        ------
        DataError
            When the provenance holds what JSON cannot.
        MissingExtraError
            Without the extra ``ticks``.
        """
        return saved(self, path)

    def join(self, other: LiquidityPanel, clock: str | None = None, *, outside: str = "accumulate") -> LiquidityPanel:
        """Both panels on one clock, each bar in the first row that ends no earlier than the bar was known.

        Nothing is filled: a bar stands in one row only. Bars that fall into one row are merged (first open, highest
        high, lowest low, last close, summed volumes).

        Parameters
        ----------
        other : LiquidityPanel
        clock : str, optional
            The clock of the result; this panel's own by default. ``"intersection"``: the rows in which both panels have
            a bar; ``"union"``: those in which one has. They are rows of the clock that both have, else of the coarser
            one, else (a session against a day) of the day of UTC.
        outside : {"accumulate", "drop"}, default "accumulate"
            What becomes of bars known longer before the end of their row than a row is long, such as the weekend of a
            market that never closes on the Monday of an exchange: merged into that row, so that its volume and range
            are of three days, or left out, so that it holds the last day only. Both stand in the ledger.

        Raises
        ------
        DataError
            When an asset stands in both panels, or there is no common row.
        MissingExtraError
            When true closes are needed and the extra ``calendars`` is not there.

        Examples
        --------
        >>> import drainstats as ds
        >>> shares = ds.load_dataset("us-equity-daily").window("2018-02-01", "2018-02-09")
        >>> coins = ds.load_dataset("crypto-venues-daily").select("coinbase-pro:BTC").window("2018-02-01", "2018-02-09")
        >>> shares.join(coins, clock="intersection").shape, shares.join(coins, clock="union").shape
        ((7, 3), (9, 3))
        """
        return joined(self, other, clock, outside)

    def resample(
        self,
        clock: str,
        *,
        outside: str = "accumulate",
        incomplete: str = "keep",
        how: Mapping[str, str] | None = None,
    ) -> LiquidityPanel:
        """The same assets in coarser rows: first open, highest high, lowest low, last close, summed volumes.

        A row made of fewer rows than it has room for (closed and unlisted ones do not count) is noted in the ledger as
        ``incomplete-row``; rows of a market that never stops on sessions are not counted.

        Parameters
        ----------
        clock : str
            A coarser clock; the panel's own gives the panel back.
        outside : {"accumulate", "drop"}, default "accumulate"
            As in `join`.
        incomplete : {"keep", "drop"}, default "keep"
            Whether cells of incomplete rows keep their values.
        how : mapping of str to str, optional
            Field → ``first``, ``max``, ``min``, ``last``, ``sum`` or ``mean``; fields of other names than the
            usual keep their last value.

        Raises
        ------
        OptionError
            For a finer clock, or one whose rows are not whole rows of this one.

        Examples
        --------
        >>> import drainstats as ds
        >>> days = ds.load_dataset("crypto-venues-daily").select("kraken:BTC").window("2020-03-01", "2020-03-28")
        >>> days.resample("utc_7day").shape
        (5, 1)
        """
        return resampled(self, clock, outside, incomplete, how)

    def carry(self, max_age: str | pd.Timedelta) -> LiquidityPanel:
        """Missing closes filled with the last one, while it is at most ``max_age`` old; such cells are ``stale``.

        Only the close: a carried price has no range, no volume and no spread. An asset before its first or after its
        last day (`mark`) has no price to carry.

        Parameters
        ----------
        max_age : str or Timedelta
            From the end of the row of the last close to the end of the row that is filled: ``"72h"``.

        Raises
        ------
        OptionError
            When the panel has no close or the age is not positive.

        Examples
        --------
        >>> import drainstats as ds
        >>> shares = ds.load_dataset("us-equity-daily").select("SP500").window("2018-02-01", "2018-02-09")
        >>> coins = ds.load_dataset("crypto-venues-daily").select("coinbase-pro:BTC").window("2018-02-01", "2018-02-09")
        >>> both = coins.join(shares).carry("72h")
        >>> both["close"]["SP500"].round().tolist()[1:5], both.status["SP500"].tolist()[1:5]
        ([2762.0, 2762.0, 2762.0, 2649.0], [1, 3, 3, 1])
        """
        return carried(self, max_age)

    def mark(
        self,
        *,
        listed: Any = None,
        fetched: Any = None,
        outages: Any = None,
        halts: Any = None,
        calendars: Mapping[str, str] | None = None,
        infer_outages: bool = False,
    ) -> LiquidityPanel:
        """Say why cells are empty: the states (`drainstats.panel.status`) that these tables and calendars tell.

        Only cells in which nothing traded get another state; no value changes. Spans are half-open, in UTC; an empty
        start or end is open. Mark before you `carry`.

        Parameters
        ----------
        listed : table, optional
            Columns asset, valid_from, valid_to: rows before and after are ``not yet listed`` and ``delisted``.
        fetched : table, optional
            Columns asset or venue, start, end: rows without a bar inside a span had ``no trade``, those outside all
            spans were ``not fetched``.
        outages, halts : table, optional
            Columns asset or venue, start, end: rows that touch a span are in an ``outage``, ``halted``.
        calendars : mapping of str to str, optional
            Asset or venue → code of an exchange: its rows without a session are ``closed``.
        infer_outages : bool, default False
            Take it for an outage when all assets of a venue (two at least) are missing while another venue trades.

        Raises
        ------
        DataError, OptionError
            When a table lacks a column, a span ends before it begins, or an asset or venue is not known.

        Examples
        --------
        >>> import pandas as pd, drainstats as ds
        >>> coins = ds.load_dataset("crypto-venues-daily").select("kraken:BTC").window("2020-03-09", "2020-03-12")
        >>> halt = pd.DataFrame({"asset": ["kraken:BTC"], "start": ["2020-03-10"], "end": ["2020-03-11"]})
        >>> coins.mark(halts=halt).states()
               traded
        kraken:BTC       4
        """
        return marked(self, listed, fetched, outages, halts, calendars, infer_outages)

    def adjust(self, actions: Any, method: str = "back") -> LiquidityPanel:
        """Prices and volumes without the jumps of splits and cash dividends; dollar volume stays what was paid.

        Parameters
        ----------
        actions : table
            Columns asset, ex_date, kind (``"split"``, ``"dividend"``), value: new shares for one old; money per share
            as the shares were on the ex-date.
        method : {"back", "forward"}, default "back"
            ``"back"`` changes what lies before each ex-date, so that the last prices are the traded ones and the past
            depends on later actions. ``"forward"`` changes what follows, so that the first prices are the traded ones
            and each row depends on earlier actions only: the choice for backtests.

        Raises
        ------
        DataError, OptionError
            When the panel is adjusted already, or an action is not of that form or of no asset here.

        Examples
        --------
        >>> import pandas as pd, drainstats as ds
        >>> day = pd.date_range("2020-08-28", periods=4, tz="UTC")
        >>> raw = pd.DataFrame({"close": [400.0, 400, 400, 101], "volume": [1.0, 1, 1, 4]}, index=day)
        >>> split = pd.DataFrame({"asset": ["X"], "ex_date": ["2020-08-31"], "kind": ["split"], "value": [4.0]})
        >>> panel = ds.LiquidityPanel.from_bars({"X": raw}).adjust(split)
        >>> panel["close"]["X"].tolist(), panel["volume"]["X"].tolist(), panel["dollar_volume"]["X"].tolist()
        ([100.0, 100.0, 100.0, 101.0], [4.0, 4.0, 4.0, 4.0], [400.0, 400.0, 400.0, 404.0])
        """
        return adjusted(self, actions, method)

    def convert(
        self, currency: str, rates: Mapping[str, pd.Series | str], max_age: str | pd.Timedelta = "1D"
    ) -> LiquidityPanel:
        """Prices and dollar volumes of all assets in one currency; volumes in base units stay.

        A row takes the last rate that was known when the row was. The whole bar takes one rate, so ratios such as
        high / low stay. Without a rate that is young enough, prices and dollar volume are missing.

        Parameters
        ----------
        currency : str
            The quote currency of the result.
        rates : mapping
            Quote currency → units of ``currency`` for one of it: a Series by the moment at which each rate was known
            (UTC), or the name of an asset of this panel with that base and quote, whose close is the rate.
        max_age : str or Timedelta, default "1D"
            How old a rate may be.

        Raises
        ------
        DataError, OptionError
            When a quote currency is not known or has no rate, or a rate is not positive.

        Examples
        --------
        >>> import pandas as pd, drainstats as ds
        >>> coins = ds.load_dataset("crypto-venues-daily").select(quote="USDT").window("2020-03-11", "2020-03-12")
        >>> tether = pd.Series(0.99, index=pd.date_range("2020-03-12", periods=2, tz="UTC"), name="USDT/USD")
        >>> dollars = coins.convert("USD", {"USDT": tether})
        >>> dollars.units["close"], set(dollars.asset_table["quote"])
        ('USD', {'USD'})
        """
        return converted(self, currency, rates, max_age)

    def quality(self) -> pd.DataFrame:
        """What is wrong with the data: a row an asset, counts of faults, repairs made, verdict and its reason."""
        return quality_table(self)
