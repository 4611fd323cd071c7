"""A vendor's layout as data: which of his columns is which of ours; and the one way in which layouts are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.cells import Cells, Kind, ParquetCells, TextCells, plain, separator
from drainstats.sources.opening import Content, content
from drainstats.sources.schema import SIDES

_FLAGS = {"true": 1, "false": 0, "1": 1, "0": 0}
_LINES = 8
_LONGEST = 2**24


class Source:
    """A file that is looked at once: its bytes, its first lines, the columns of its header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables: dict[tuple[tuple[str, ...] | None, int], Cells] = {}

    @cached_property
    def content(self) -> Content:
        """Its bytes, uncompressed."""
        return content(self.path)

    @cached_property
    def is_parquet(self) -> bool:
        """Whether its first bytes or its name say so."""
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1" or self.path.suffix.lower() == ".parquet"

    @cached_property
    def is_dbn(self) -> bool:
        """Whether it is of Databento's binary kind."""
        return not self.is_parquet and self.content.data.startswith(b"DBN")

    @cached_property
    def name(self) -> str:
        """Of the file, or of the one member of a zip."""
        return self.path.name if self.is_parquet else self.content.name

    @cached_property
    def text(self) -> bytes:
        """What a text file holds, as `plain` leaves it; nothing of a binary one."""
        return b"" if self.is_parquet or self.is_dbn else plain(self.content.data, self.path)

    @cached_property
    def lines(self) -> list[str]:
        """The first lines of a text."""
        lines: list[str] = []
        start = 0
        while start < len(self.text) and len(lines) < _LINES:
            end = self.text.find(b"\n", start, start + _LONGEST)
            end = min(len(self.text), start + _LONGEST) if end < 0 else end
            lines.append(self.text[start:end].decode("utf-8", errors="replace"))
            start = end + 1
        return lines

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Header cells in lower case, or the cells of the first line of a file without header."""
        return self.row(0)

    def row(self, number: int) -> tuple[str, ...]:
        """The cells of one of the first lines, in lower case."""
        if self.is_parquet:
            return tuple(name.lower() for name in self.cells().names) if number == 0 else ()
        if number >= len(self.lines):
            return ()
        line = self.lines[number]
        return tuple(cell.strip().strip('"').lower() for cell in line.split(separator(line.encode())))

    def has(self, *columns: str) -> bool:
        """Whether the header has all these columns."""
        return set(columns) <= set(self.columns)

    def cells(self, names: tuple[str, ...] | None = None, skip: int = 0) -> Cells:
        """Its columns; ``names`` for a text without a header, ``skip`` lines before it."""
        if (names, skip) not in self._tables:
            self._tables[names, skip] = (
                ParquetCells(self.path) if self.is_parquet else TextCells(self.text, self.path, names, skip)
            )
        return self._tables[names, skip]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: how it is recognised and how it is read.

    name : as in ``format=``; table : one of the five; matches : whether a file is of it; read : the tidy table;
    title : what it is; traps : what goes wrong with it; genuine : tested on the vendor's own bytes, else on files
    written from documentation.
    """

    name: str
    table: str
    title: str
    matches: Callable[[Source], bool]
    read: Callable[[Source], pd.DataFrame]
    traps: str = ""
    genuine: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a vendor's table.

    time : his column of stamps; fields : our name → his, of numbers; names : of a file without a header; skip : lines
    before the header; divide : our name → divisor of whole numbers; side : his column and what its values (lower case)
    mean; flags : our name → his columns of true and false; labels : our name → his, of words; ids : our name → his, of
    identifiers; received : his stamps of receipt; symbol : his column of instruments; mixed : stamps may change their
    unit; zone : of stamps that name none; money : numbers carry signs of currency; whole : price and amount must be
    finite, and the amount not negative.
    """

    time: str
    fields: Mapping[str, str]
    names: tuple[str, ...] | None = None
    skip: int = 0
    divide: Mapping[str, float] = field(default_factory=dict)
    side: tuple[str, Mapping[str, int]] | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    received: str | None = None
    symbol: str | None = None
    needed: tuple[str, ...] = ()
    mixed: bool = False
    zone: str = "UTC"
    money: bool = False
    whole: bool = False

    def read(self, source: Source) -> pd.DataFrame:
        """The tidy table, with ``attrs``: rules, ignored columns, and the symbol when the file has one only."""
        cells = source.cells(self.names, self.skip)
        theirs = {name.lower(): name for name in cells.names}
        for name in (self.time, *self.needed):
            if name not in theirs:
                listed = shortened(cells.names)
                raise DataError(f"No column {name!r}; the file has {listed}.", file=source.path, row=self.skip + 1)
        kinds = self._kinds(theirs)
        raw = cells.read(kinds)
        rules: list[str] = []
        index = raw[theirs[self.time]].to_utc(rules, mixed=self.mixed, zone=self.zone)
        columns = self._columns(cells, theirs, raw)
        table = pd.DataFrame(columns, index=index.rename("time"), copy=False)
        table.attrs = {"rules": rules, "ignored": [name for name in cells.names if name not in kinds]}
        if self.symbol is not None and self.symbol in theirs:
            name_symbols(table, raw[theirs[self.symbol]])
        return table

    def _kinds(self, theirs: Mapping[str, str]) -> dict[str, Kind]:
        wanted: dict[str, Kind] = dict.fromkeys(self.fields.values(), "money" if self.money else "number")
        words = [*self.flags.values(), *self.labels.values(), self.symbol, self.side[0] if self.side else None]
        wanted |= dict.fromkeys([name for name in words if name is not None], "label")
        wanted |= dict.fromkeys(self.ids.values(), "whole")
        wanted |= dict.fromkeys([name for name in (self.time, self.received) if name is not None], "time")
        return {theirs[name]: kind for name, kind in wanted.items() if name in theirs}

    def _columns(self, cells: Cells, theirs: Mapping[str, str], raw: Mapping[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for ours, name in self.fields.items():
            if name in theirs:
                values = raw[theirs[name]]
                if self.whole and ours in ("price", "amount"):
                    _refuse_partial(cells, theirs[name], values, ours)
                columns[ours] = values / self.divide[ours] if ours in self.divide else values
        if self.side and self.side[0] in theirs:
            name = theirs[self.side[0]]
            columns["side"] = _coded(cells, name, raw[name], self.side[1])
        for ours, name in self.flags.items():
            if name in theirs:
                columns[ours] = _coded(cells, theirs[name], raw[theirs[name]], _FLAGS) == 1
        for ours, name in (*self.ids.items(), *self.labels.items()):
            if name in theirs:
                columns[ours] = raw[theirs[name]]
        if self.received and self.received in theirs:
            columns["received"] = raw[theirs[self.received]].to_utc([], mixed=self.mixed)
        return columns


def _refuse_partial(cells: Cells, name: str, values: Any, ours: str) -> None:
    cells.refuse(~np.isfinite(values), name, values, "is no finite number")
    if ours == "amount":
        cells.refuse(values < 0, name, values, "is a negative amount")


def _coded(cells: Cells, name: str, labels: Any, meaning: Mapping[str, int]) -> np.ndarray:
    plain = [str(label).lower() for label in labels.categories]
    codes = np.array([meaning.get(label, 2) for label in plain] + [meaning.get("", 2)], dtype=np.int8)
    coded = codes[labels.codes]
    cells.refuse(coded == 2, name, labels, f"is none of {', '.join(repr(m) for m in meaning if m)}")
    return coded


def name_symbols(table: pd.DataFrame, symbols: Any) -> None:
    """The one symbol of a file goes to its ``attrs``; several become a column ``asset``."""
    present = [str(s) for s in symbols.categories]
    if len(present) == 1:
        table.attrs["symbol"] = present[0]
    else:
        table.insert(0, "asset", symbols.astype(str))


def shortened(names: list[str]) -> str:
    """The first names of a header, for an error."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def sided(column: str) -> tuple[str, Mapping[str, int]]:
    """A column that names the side in words: buy and sell, bid and ask, B and A."""
    return column, SIDES
