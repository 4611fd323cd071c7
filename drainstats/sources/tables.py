"""`read_bars`, `read_trades`, `read_quotes`, `read_book`, `read_flows`: any market file as a tidy table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.sources import binance, daily, databento, defillama, generic, lobster, orderevents, streams, tardis
from drainstats.sources.layout import Format, Source
from drainstats.sources.schema import NEEDED

PathLike = str | os.PathLike[str]
# In this order they are tried; each tells its files by header, first row or name, so that the order hardly matters.
FORMATS: tuple[Format, ...] = (
    *lobster.FORMATS,
    *tardis.FORMATS,
    *binance.FORMATS,
    *databento.FORMATS,
    *streams.FORMATS,
    *orderevents.FORMATS,
    *daily.FORMATS,
    *defillama.FORMATS,
    *generic.FORMATS,
)


def list_formats() -> pd.DataFrame:
    """The file formats that are read, a row each.

    Returns
    -------
    DataFrame
        Index: format. Columns: table, title, traps, tested_on ("the vendor's bytes" or "files written from
        documentation").

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.list_formats().loc["lean", "table"]
    'bars'
    """
    tested = {True: "the vendor's bytes", False: "files written from documentation"}
    rows = [(f.name, f.table, f.title, f.traps, tested[f.genuine]) for f in FORMATS]
    return pd.DataFrame(rows, columns=["format", "table", "title", "traps", "tested_on"]).set_index("format")


def read_bars(
    path: PathLike, format: str | None = None, asset: str | None = None, *, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of bars into a tidy table.

    Parameters
    ----------
    path : path
        CSV or Parquet, plain or in gz, xz, bz2, zst or a zip of one file; DBN. At most 4 GiB uncompressed.
    format : str, optional
        One of `list_formats`; told by the file's header, first row or name if not given.
    asset : str, optional
        The name of the file's asset, put into a column ``asset``; of a file with several assets, the one to take.
    columns : mapping of str to str, optional
        Our name → the file's, for the generic format: ``{"time": "T", "close": "px_last"}``.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC, bar starts, in the order of the file: duplicates and disorder are left for the panel,
        which records what it does to them); float columns among ``open high low close volume dollar_volume trades
        buy_volume adjusted`` (`drainstats.sources.schema`). Values are as in the file: infinite, negative and crossed
        prices too are left for the panel. ``attrs["rules"]`` lists what was assumed: ``naive-as-utc`` (stamps without
        a zone are UTC), ``offsets-to-utc`` (stamps with several offsets, as around daylight saving), ``epoch-s``,
        ``-ms``, ``-us`` or ``-ns`` (numbers are times since 1970, the unit told by their size; eight digits such as
        20240131 are a date), ``new-york-to-utc``, ``session-date`` (a session is labelled by its date);
        ``attrs["ignored"]`` the columns left aside.

    Raises
    ------
    DataError
        Empty file, no time or close column, one header twice, a row that is shorter or longer than the header, text in
        a number, a stamp that cannot be read, stamps with and without a zone, or of several units; a file of another
        kind: with the file, the line (1-based, the header is line 1) and the column.
    OptionError
        An unknown format; the message lists the known ones.
    MissingExtraError
        Parquet and zst without the extra ``ticks``, DBN without ``dbn``.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "btc.csv"
    >>> _ = path.write_text("Date,Close,Volume\\n2024-01-01,42000,10\\n2024-01-02,43000,12\\n")
    >>> ds.read_bars(path)["close"].tolist()
    [42000.0, 43000.0]
    """
    return _read("bars", path, format, asset, columns)


def read_trades(
    path: PathLike, format: str | None = None, asset: str | None = None, *, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of trades into a tidy table.

    Parameters
    ----------
    path, format, asset, columns
        As in `read_bars`.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC); ``price``, ``amount`` (base units), ``side`` (int8: 1 the buyer took, -1 the seller, 0
        unknown; absent where the file does not say). Files larger than memory: `drainstats.tick_bars`.

    Raises
    ------
    DataError
        As in `read_bars`, and for a price or amount that is missing or infinite, or a negative amount.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trades.csv"
    >>> _ = path.write_text("time,price,qty,is_buyer_maker\\n1700000000000,100.5,2,true\\n")
    >>> ds.read_trades(path).iloc[0].tolist()
    [100.5, 2.0, -1.0]
    """
    return _read("trades", path, format, asset, columns)


def read_quotes(
    path: PathLike, format: str | None = None, asset: str | None = None, *, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of best bids and asks into a tidy table.

    Parameters
    ----------
    path, format, asset, columns
        As in `read_bars`.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC); ``bid``, ``bid_size``, ``ask``, ``ask_size``; NaN where a side is empty. Crossed and
        locked quotes are left as they are.

    Raises
    ------
    DataError
        As in `read_bars`.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "quotes.csv"
    >>> _ = path.write_text("timestamp,bid,ask\\n2013-01-01 22:00:00.295Z,86.655,86.728\\n")
    >>> float(ds.read_quotes(path)["ask"].iloc[0])
    86.728
    """
    return _read("quotes", path, format, asset, columns)


def read_book(
    path: PathLike, format: str | None = None, asset: str | None = None, *, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of order book snapshots or updates into a tidy table.

    Parameters
    ----------
    path, format, asset, columns
        As in `read_bars`.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC). Snapshots: ``bid_0 bid_size_0 ask_0 ask_size_0 bid_1 …`` from the best level on. Updates:
        ``side`` (1 bid, -1 ask), ``price``, ``amount`` (what is there from now on; 0 deletes the level), ``snapshot``.
        Events of single orders: ``side``, ``price``, ``amount``, ``id`` (uint64), ``action``.
        Depth within bands of the mid (Binance bookDepth): ``bid_depth_1`` …, ``bid_notional_1`` …. A gap in a chain of
        update numbers adds ``book-gap`` to ``attrs["rules"]``.

    Raises
    ------
    DataError
        As in `read_bars`.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "book.csv"
    >>> _ = path.write_text("time,side,price,amount\\n1700000000,bid,99.5,3\\n1700000000,ask,100.5,0\\n")
    >>> ds.read_book(path)["side"].tolist()
    [1, -1]
    """
    return _read("book", path, format, asset, columns)


def read_flows(
    path: PathLike, format: str | None = None, asset: str | None = None, *, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of flows (funding, open interest, liquidations, stablecoin supply, value locked) into a tidy table.

    Parameters
    ----------
    path, format, asset, columns
        As in `read_bars`; a file that names no asset gets its own name.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC); ``asset``, and a float column a quantity.

    Raises
    ------
    DataError
        As in `read_bars`.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "funding.csv"
    >>> _ = path.write_text("calc_time,funding_interval_hours,last_funding_rate\\n1700000000003,8,0.0001\\n")
    >>> ds.read_flows(path, asset="BTC")["funding_rate"].tolist()
    [0.0001]
    """
    return _read("flows", path, format, asset, columns)


def _read(
    table: str, path: PathLike, name: str | None, asset: str | None, columns: Mapping[str, str] | None
) -> pd.DataFrame:
    source = Source(Path(path))
    if not source.path.is_file():
        raise DataError("There is no such file.", file=source.path)
    if columns is not None and name not in (None, "generic"):
        raise OptionError(f"columns= is for the generic format, not for format={name!r}.")
    if not (source.is_parquet or source.is_dbn) and (not source.text or source.text.isspace()):
        raise DataError("The file is empty.", file=source.path)
    if columns is not None:
        result, used = generic.read_generic(source, table, columns), "generic"
    else:
        chosen = _chosen(source, table, name)
        result, used = chosen.read(source), chosen.name
    _check_columns(result, table, source, used)
    return _named(result, table, source, used, asset)


def _chosen(source: Source, table: str, name: str | None) -> Format:
    own = [f for f in FORMATS if f.table == table]
    if name is not None:
        check_option("format", name, dict.fromkeys(f.name for f in own))
        return next(f for f in own if f.name == name)
    found = [f for f in FORMATS if f.matches(source)]
    for candidate in found:
        if candidate.table == table:
            return candidate
    if found:
        verbs = " or ".join(dict.fromkeys(f"read_{f.table}" for f in found))
        raise DataError(
            f"This is a file of {found[0].table} ({found[0].title}): read it with {verbs}.", file=source.path
        )
    return own[-1]


def _check_columns(result: pd.DataFrame, table: str, source: Source, used: str) -> None:
    """A file that was forced into a format, or a damaged header, may lack what its table is about."""
    wanted = {name for name in NEEDED[table] if name != "time"}
    levels = table == "book" and any(name.startswith("bid_") for name in result)
    lacking = set() if levels else wanted - set(result)
    if lacking or not result.shape[1]:
        names = ", ".join(sorted(lacking)) or "any value"
        raise DataError(f"There is no column for {names} in this file; is it of the format {used!r}?", file=source.path)
    if result.empty:
        raise DataError(f"The file holds no {table}.", file=source.path)


def _named(result: pd.DataFrame, table: str, source: Source, used: str, asset: str | None) -> pd.DataFrame:
    attrs = result.attrs | {"format": used, "file": str(source.path)}
    if "asset" in result and asset is not None:
        kept = result["asset"] == asset
        if not kept.any():
            present: Iterable[str] = map(str, result["asset"].unique()[:10])
            raise DataError(f"There is no asset {asset!r} in the file; it has {', '.join(present)}.", file=source.path)
        result = result[kept]
    elif "asset" not in result and (asset is not None or table == "flows"):
        result = result.copy(deep=False)
        result.insert(0, "asset", asset or attrs.get("symbol") or source.name.split(".")[0])
    result.attrs = attrs
    return result
