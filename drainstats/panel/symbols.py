"""Which asset a ticker stood for, and when: one raw series with a reused ticker becomes two assets.

A symbol table has a row for each stretch of time: ``raw`` (the ticker in the data), ``asset`` (our name), and
optionally ``venue``, ``base``, ``quote``, ``type``, ``multiplier``, ``valid_from``, ``valid_to`` (half-open in UTC;
empty: open). The multiplier is recorded, not applied: whether it scales prices or volumes differs between venues.
"""

from __future__ import annotations

import json
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import to_pandas
from drainstats.panel.cleaning import Bars, Ledger

TEXT = ("venue", "base", "quote", "type")
VALID = ("valid_from", "valid_to")


def reused_symbols() -> pd.DataFrame:
    """Tickers that are known to have changed hands, as a symbol table (`LiquidityPanel.from_bars`, ``symbols=``).

    A short list of cases that were checked against data, not a security master: a ticker that is not in it may be
    reused all the same.

    Returns
    -------
    DataFrame
        Columns: venue, raw, asset, base, quote, type, multiplier, valid_from, valid_to (UTC), source.

    Examples
    --------
    >>> import drainstats as ds
    >>> table = ds.reused_symbols()
    >>> table[table["raw"] == "LUNAUSDT"]["asset"].tolist()
    ['LUNC', 'LUNA2']
    """
    text = (resources.files("drainstats.panel") / "reused.json").read_text(encoding="utf-8")
    return checked(pd.DataFrame(json.loads(text)))


def checked(symbols: Any) -> pd.DataFrame:
    """A symbol table with all its columns, in order of time; contradictions are errors.

    Raises
    ------
    DataError
        A column is missing, a stretch ends before it begins, two assets hold one ticker at once, or one asset has two
        stretches that do not meet.
    """
    table = to_pandas(symbols).reset_index(drop=True)
    lacking = [c for c in ("raw", "asset") if c not in table]
    if lacking:
        raise DataError(
            f"The symbol table lacks the column {lacking[0]!r}; it has {', '.join(map(str, table.columns))}."
        )
    table = table.assign(**{c: table[c].fillna("").astype(str) if c in table else "" for c in TEXT})
    table = table.assign(**{c: pd.to_datetime(table.get(c, pd.NaT), utc=True) for c in VALID})
    table["multiplier"] = table["multiplier"].astype(float).fillna(1.0) if "multiplier" in table else 1.0
    table = table.sort_values("valid_from", na_position="first", kind="stable").reset_index(drop=True)
    for row in table.itertuples():
        if row.valid_to <= row.valid_from:
            raise DataError(f"The symbol table ends {row.asset!r} at {row.valid_to} before it begins it.")
    for (venue, raw), part in table.groupby(["venue", "raw"]):
        for one, two in pairwise(part.itertuples()):
            if not one.valid_to <= two.valid_from:
                held = f"{one.asset!r} and {two.asset!r}"
                raise DataError(f"The symbol table gives {raw!r} (venue {venue!r}) to {held} at the same time.")
    for asset, part in table.groupby("asset"):
        for one, two in pairwise(part.itertuples()):
            if one.valid_to != two.valid_from:
                raise DataError(
                    f"The symbol table has two stretches of {asset!r} that do not meet ({one.valid_to:%Y-%m-%d} and "
                    f"{two.valid_from:%Y-%m-%d}): let them meet, or give the second its own name."
                )
    return table


def split(tables: dict[str, Bars], symbols: Any, ledger: Ledger) -> dict[str, Bars]:
    """Raw series → assets, by the table; a series that it does not name keeps its name.

    A series is named by its raw ticker, or ``venue:raw`` when several venues use the ticker.
    """
    table = checked(symbols)
    pieces: dict[str, list[Bars]] = {}
    for name, bars in tables.items():
        held = _held(name, table)
        taken = np.zeros(len(bars.index), dtype=bool)
        for row in held.itertuples():
            after = True if pd.isna(row.valid_from) else bars.index >= row.valid_from
            inside = after & (True if pd.isna(row.valid_to) else bars.index < row.valid_to)
            inside = np.broadcast_to(inside, len(bars.index))
            taken |= inside
            if inside.any():
                pieces.setdefault(row.asset, []).append(bars.take(inside))
        if held.empty:
            pieces.setdefault(name, []).append(bars)
        else:
            ledger.note(name, "outside-validity", bars.index[~taken])
    if not pieces:
        raise DataError("The symbol table gives no row of the data to an asset: check valid_from and valid_to.")
    return {asset: _whole(asset, parts) for asset, parts in pieces.items()}


def described(symbols: Any, names: list[str]) -> pd.DataFrame:
    """What the table says of those assets: their last row for the text, their whole stretch for the dates."""
    table = checked(symbols)
    table = table[table["asset"].isin(names)]
    last = table.groupby("asset")[[*TEXT, "multiplier", "valid_to"]].last()
    # `last` passes over an open end, so the dates are taken from the rows themselves.
    ends = table.drop_duplicates("asset", keep="last").set_index("asset")["valid_to"]
    starts = table.drop_duplicates("asset").set_index("asset")["valid_from"]
    known = last.assign(valid_from=starts, valid_to=ends).reindex(names)
    known["type"] = known["type"].fillna("")
    return known.assign(base=known["base"].where(known["base"] != ""))[[*TEXT, "multiplier", *VALID]]


def _held(name: str, table: pd.DataFrame) -> pd.DataFrame:
    held = table[(table["raw"] == name) | (table["venue"] + ":" + table["raw"] == name)]
    if held["venue"].nunique() > 1:
        venues = ", ".join(sorted(held["venue"].unique()))
        raise DataError(f"Several venues use the ticker {name!r} ({venues}): name the series venue:{name}.")
    return held


def _whole(asset: str, parts: list[Bars]) -> Bars:
    """The pieces of an asset one after another; a field that a piece lacks is missing there."""
    if len(parts) == 1:
        return parts[0]
    parts = sorted(parts, key=lambda part: part.index[0])
    index = pd.DatetimeIndex(np.concatenate([p.index.as_unit("ns").asi8 for p in parts]), tz="UTC")
    if not (index.is_monotonic_increasing and index.is_unique):
        raise DataError(f"Two series claim rows of {asset!r} at the same time: give each its own in the symbol table.")
    names = dict.fromkeys(name for part in parts for name in part.fields)
    blank = [np.full(len(part.index), np.nan) for part in parts]
    fields = {n: np.concatenate([p.fields.get(n, b) for p, b in zip(parts, blank, strict=True)]) for n in names}
    return Bars(index, fields)
