"""Trades and quotes of files and tables as a stream of batches, each with the place of its rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import to_pandas
from drainstats.sources import generic
from drainstats.sources.layout import Format, Source
from drainstats.sources.schema import canonical
from drainstats.sources.tables import FORMATS
from drainstats.sources.ticks import parquet, streams
from drainstats.typing import FloatArray, IntArray

FIELDS = {"trades": ("price", "amount"), "quotes": ("bid", "bid_size", "ask", "ask_size")}
# Formats whose stamps may change their unit within a file.
_MAY_CHANGE_UNIT = ("binance-aggtrades", "binance-trades", "binance-bookticker")
# Formats whose files cannot be cut into parts that are files of their own.
_UNCUT = ("dbn", "binance-stream")
_FRAME_ROWS = 2**18


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of rows.

    time : (n,) nanoseconds since 1970, UTC; symbol : (n,) int32 into ``names``; numbers : our name → (n,) floats; side
    : (n,) int8 or None; file, row, columns : where a row lies and what the columns are called there; rules : what was
    assumed of the stamps.
    """

    time: IntArray
    symbol: np.ndarray
    names: tuple[str, ...]
    numbers: Mapping[str, FloatArray]
    side: np.ndarray | None
    file: Any
    row: Callable[[int], Any]
    columns: Mapping[str, str]
    rules: tuple[str, ...] = ()

    @property
    def price(self) -> FloatArray:
        """Prices of trades."""
        return self.numbers["price"]

    @property
    def amount(self) -> FloatArray:
        """Amounts of trades, in base units."""
        return self.numbers["amount"]

    def column(self, name: str) -> str:
        """What a column is called in the file."""
        return self.columns.get(name, name)

    def take(self, rows: Any) -> Batch:
        """Some rows, in the order given."""
        places = np.arange(len(self.time))[rows]
        return replace(
            self,
            time=self.time[rows], symbol=self.symbol[rows], numbers={k: v[rows] for k, v in self.numbers.items()},
            side=None if self.side is None else self.side[rows], row=lambda k: self.row(int(places[k])),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    table : trades or quotes; format, columns : as in `drainstats.read_trades`; asset : the one wanted, or the name of
    one that is not named; several : whether the file is one of several, whose names are not those of assets.
    """

    table: str
    format: str | None = None
    columns: Mapping[str, str] | None = None
    asset: str | None = None
    several: bool = False

    def __post_init__(self) -> None:
        if self.format is not None:
            check_option("format", self.format, dict.fromkeys(f.name for f in FORMATS if f.table == self.table))
        if self.columns is not None and self.format not in (None, "generic"):
            raise OptionError(f"columns= is for the generic format, not for format={self.format!r}.")

    def batches(self, source: Any, small: bool = False) -> Iterator[Batch]:
        """The batches of a path or a table; ``small`` when only the first rows matter."""
        if not isinstance(source, (str, os.PathLike)):
            raw = _from_table(to_pandas(source), self)
        else:
            path = Path(source)
            if not path.is_file():
                raise DataError("There is no such file.", file=path)
            with path.open("rb") as file:
                start = file.read(4)
            if start == b"PAR1":
                raw = _from_parquet(path, self, 256 if small else parquet.ROWS)
            else:
                raw = _from_text(path, self, 2**16 if small else streams.BLOCK)
        wanted = (self._wanted(batch) for batch in raw)
        yield from (batch for batch in wanted if batch is not None)

    def name(self, file: Path, inside: str) -> str:
        """What the asset of a file is called that does not say; ``inside``: the file's name, or its member's."""
        if self.asset is None and self.several:
            raise DataError("The file names no asset; pass asset=, or a mapping of assets to files.", file=file)
        return self.asset or inside.split(".")[0]

    def _wanted(self, batch: Batch) -> Batch | None:
        if self.asset is None or batch.names == (self.asset,):
            return batch
        if self.asset not in batch.names:
            return None
        rows = batch.symbol == batch.names.index(self.asset)
        chosen = batch.take(rows)
        return replace(chosen, symbol=np.zeros_like(chosen.symbol), names=(self.asset,)) if rows.any() else None


def _from_table(frame: pd.DataFrame, reading: Reading) -> Iterator[Batch]:
    if isinstance(frame, pd.DataFrame) and not isinstance(frame.index, pd.DatetimeIndex) and "time" in frame:
        frame = frame.set_index("time")
    if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError(
            f"A table of {reading.table} has an index of time stamps, as read_{reading.table} returns it; "
            f"{type(frame).__name__} came."
        )
    for start in range(0, len(frame), _FRAME_ROWS):
        part = frame.iloc[start : start + _FRAME_ROWS]
        yield _of_frame(part, reading, frame.attrs, lambda: reading.asset or "")
    if not len(frame):
        raise DataError("The table has no rows.")


def _of_frame(frame: pd.DataFrame, reading: Reading, attrs: Mapping[str, Any], name: Callable[[], str]) -> Batch:
    index = frame.index if frame.index.tz is not None else frame.index.tz_localize("UTC")
    if index.hasnans:
        raise DataError("The stamp is missing.", row=int(np.flatnonzero(index.isna())[0]), column="time")
    numbers = {}
    for field in FIELDS[reading.table]:
        if field not in frame:
            if field.endswith("size"):
                numbers[field] = np.full(len(frame), np.nan)
                continue
            raise DataError(f"No column {field!r}; the table has {', '.join(map(str, frame.columns))}.")
        try:
            numbers[field] = np.ascontiguousarray(frame[field], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"The column holds text where numbers are expected ({error}).", column=field) from error
    side = None
    if "side" in frame:
        side = np.asarray(frame["side"])
        bad = ~np.isin(side, (-1, 0, 1))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(f"{side[row]!r} is none of 1, -1, 0.", row=frame.index[row], column="side")
        side = side.astype(np.int8)
    codes, names = _assets(frame, attrs, name)
    places = frame.index
    return Batch(
        np.ascontiguousarray(index.as_unit("ns").asi8), codes, names, numbers, side, attrs.get("file"),
        lambda k: places[k], {},
        tuple(rule for rule in attrs.get("rules", ())),
    )  # fmt: skip


def _assets(
    frame: pd.DataFrame, attrs: Mapping[str, Any], name: Callable[[], str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    if "asset" not in frame:
        return np.zeros(len(frame), dtype=np.int32), (str(attrs.get("symbol") or name()),)
    codes, names = pd.factorize(frame["asset"])
    if (codes < 0).any():
        raise DataError("The asset is missing.", row=frame.index[int(np.flatnonzero(codes < 0)[0])], column="asset")
    return codes.astype(np.int32), tuple(str(name) for name in names)


def _format(source: Source, reading: Reading) -> Format:
    """What reads a part of the file, by the user's choice or by what the first part looks like."""
    columns = reading.columns
    own = [f for f in FORMATS if f.table == reading.table]
    generic_format = own[-1]
    if columns is None:
        if reading.format not in (None, "generic"):
            return next(f for f in own if f.name == reading.format)
        found = [f for f in FORMATS if f.matches(source)] if reading.format is None else []
        matching = next((f for f in found if f.table == reading.table), None)
        if matching is not None:
            return matching
        if found:
            raise DataError(
                f"This is a file of {found[0].table} ({found[0].title}), not of {reading.table}.", file=source.path
            )
    names = {name.lower(): name for name in source.cells().names}
    symbol = {"symbol": names["asset"]} if "asset" in names and "symbol" not in names else {}
    given = {**symbol, **(columns or {})} or None
    return replace(generic_format, read=lambda part: generic.read_generic(part, reading.table, given))


def _from_text(path: Path, reading: Reading, size: int) -> Iterator[Batch]:
    form: Format | None = None
    first = ""
    for block in streams.blocks(path, size):
        if form is None and block.source.content.data.startswith(b"DBN"):
            yield from _whole(path, reading, _format(Source(path), reading))
            return
        form = form or _format(block.source, reading)
        if form.name in _UNCUT:
            yield from _whole(path, reading, form)
            return
        frame = _read_part(form.read, block)
        if frame.empty:
            continue
        rules = ", ".join(sorted(frame.attrs.get("rules", ()))) or "zoned"
        first = first or rules
        if form.name not in _MAY_CHANGE_UNIT and rules != first:
            raise DataError(
                f"The stamps from here on are {rules}, those before {first}; bring them to one unit and zone.",
                file=path, row=block.before + block.headed + 1,
            )  # fmt: skip
        yield _of_part(frame, reading, path, block)


def _read_part(read: Callable[[Source], pd.DataFrame], block: streams.Block) -> pd.DataFrame:
    try:
        return read(block.source)
    except DataError as error:
        if block.before == 0 or not isinstance(error.row, int):
            raise
        text = str(error).rsplit(" [", 1)[0]
        raise DataError(text, file=error.file, row=error.row + block.before, column=error.column) from None


def _of_part(frame: pd.DataFrame, reading: Reading, path: Path, block: streams.Block) -> Batch:
    # Where a format leaves rows out, the line of a row is not known; the block's first stands for it.
    exact = len(frame) == block.lines
    path, inside = block.source.path, block.source.name
    batch = _of_frame(frame, reading, frame.attrs, lambda: reading.name(path, inside))
    first = block.before + block.headed + 1
    return replace(batch, file=path, row=(lambda k: first + k) if exact else (lambda k: f"after {first}"))


def _whole(path: Path, reading: Reading, form: Format) -> Iterator[Batch]:
    """A file that cannot be cut: read as a table, within the readers' cap."""
    frame = form.read(Source(path))
    yield replace(_of_frame(frame, reading, frame.attrs, lambda: reading.name(path, path.name)), file=path)


def _from_parquet(path: Path, reading: Reading, rows: int) -> Iterator[Batch]:
    source = parquet.BatchSource(path, parquet.empty(path), 0)
    names = source.cells().names
    columns = reading.columns or {}
    theirs = canonical(reading.table, names, {**({"symbol": "asset"} if "asset" in names else {}), **columns})
    missing = [name for name in columns.values() if name not in names]
    needed = [name for name in ("time", *FIELDS[reading.table]) if name not in theirs and not name.endswith("size")]
    vendor = any(f.matches(source) for f in FORMATS if f.table == reading.table) and not columns
    fast = reading.format in (None, "generic") and not (missing or needed or vendor)
    form: Format | None = None
    first = 0
    for batch in parquet.record_batches(path, list(dict.fromkeys(theirs.values())) if fast else None, rows):
        found = parquet.plain(batch, theirs, FIELDS[reading.table]) if fast else None
        if found is not None:
            yield _of_arrays(found, reading, path, first, theirs)
        else:
            source = parquet.BatchSource(path, batch, first)
            form = form or _format(source, reading)
            frame = form.read(source)
            found_batch = _of_frame(frame, reading, frame.attrs, lambda: reading.name(path, path.name))
            yield replace(found_batch, file=path, row=source.cells().line, columns=theirs)
        first += batch.num_rows


def _of_arrays(found: dict[str, Any], reading: Reading, path: Path, first: int, theirs: Mapping[str, str]) -> Batch:
    count = len(found["time"])
    symbol = found.get("symbol")
    if symbol is None:
        symbol = np.zeros(count, dtype=np.int32)
    names = found.get("names") or (reading.name(path, path.name),)
    fields = {name: found[name] for name in FIELDS[reading.table]}
    return Batch(
        found["time"], symbol, names, fields, found.get("side"), path, lambda k: first + k + 1, theirs, found["rules"]
    )
