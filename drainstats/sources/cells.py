"""Columns of a delimited text or a Parquet file, in one parse; a cell that is not what it should be names its line.

A text is parsed by pyarrow where that is installed (extra ``ticks``). Where it is not, or where it meets a cell that it
cannot take, the text is read again cell by cell, by pandas, in bounded blocks: slowly, and so that the fault is found.
Both ways give the same numbers. Rows that are too short or too long are found by counting separators, because pandas
would fill or cut them.
"""

from __future__ import annotations

import csv
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, require_extra
from drainstats.sources.fastcsv import labelled, parsed
from drainstats.sources.opening import MAX_BYTES
from drainstats.sources.stamps import StampColumn, shown
from drainstats.typing import FloatArray, IntArray

Kind = Literal["number", "whole", "money", "time", "text", "label"]
BLANKS = ("", "NaN", "nan", "NULL", "null", "None", "NA", "N/A")
SEPARATORS = ",;\t|"
_BLOCK = 2**25
_ROWS = 2**18
_INFINITIES = ("inf", "infinity")
_MONEY = re.compile(r"^\$|,|%$")


class Cells(ABC):
    """A table of cells, of which columns are read by name.

    names : the header's, stripped, or those given for a file without one.
    """

    file: Path
    names: list[str]

    @abstractmethod
    def read(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """Column name → what its kind says, in one parse.

        "number" → float64 array, blanks NaN; "money" → the same from ``$1,234.50`` or ``12 %``; "whole" → uint64 array,
        exact, for identifiers; "time" → `StampColumn`; "text" → object array of str; "label" → Categorical of stripped
        str, for columns with few values such as sides.
        """

    def line(self, row: int) -> int:
        """The 1-based line of a data row."""
        return row + 1

    def refuse(self, bad: Any, name: str, values: Any, why: str) -> None:
        """A `DataError` for the first row that is flagged."""
        rows = np.flatnonzero(bad)
        if len(rows):
            row = int(rows[0])
            raise DataError(f"{shown(values[row])} {why}.", file=self.file, row=self.line(row), column=name)


class TextCells(Cells):
    """Cells of a delimited text.

    Parameters
    ----------
    data : bytes
        As `plain` leaves it.
    file : Path
    names : sequence of str, optional
        When the file has no header.
    skip : int, default 0
        Lines before the header, or before the first row when there is none.
    """

    def __init__(self, data: bytes, file: Path, names: Sequence[str] | None = None, skip: int = 0) -> None:
        self.file = file
        start = _after(data, skip)
        self.separator = separator(data[start : _after(data, 1, start)])
        if names is None:
            first, start = start, _after(data, 1, start)
            self.names = _header(data[first:start], self.separator, self.file, skip + 1)
        else:
            self.names = list(names)
        self._data, self._start, self._first = data, start, skip + (names is None) + 1
        self._lines: IntArray | None = None
        if start >= len(data):
            raise DataError(
                "The file has a header and no rows." if names is None else "The file has no rows.", file=self.file
            )

    def line(self, row: int) -> int:
        """The 1-based line of a data row, also where cells hold line ends."""
        return int(self._lines[row]) if self._lines is not None else self._first + row

    def read(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """Columns by their kinds, by pyarrow where it can and else cell by cell."""
        places = {name: self.names.index(name) for name in kinds}
        fast = parsed(self._data, self._start, self.separator, len(self.names), places, kinds, BLANKS)
        columns = fast if fast is not None else self._carefully(kinds, places)
        for name, kind in kinds.items():
            if kind == "time":
                columns[name] = StampColumn(columns[name], name, self.file, self.line)
        return columns

    def _carefully(self, kinds: Mapping[str, Kind], places: Mapping[str, int]) -> dict[str, Any]:
        self._check()
        parts: dict[str, list[Any]] = {name: [] for name in kinds}
        rows = 0
        for block in self._blocks(places):
            for name, kind in kinds.items():
                text = _filled(block[places[name]])
                if kind == "whole":
                    parts[name].append(wholes(self, name, text, before=rows))
                elif kind in ("number", "money"):
                    parts[name].append(numbers(self, name, text, money=kind == "money", before=rows))
                elif kind == "label":
                    parts[name].append(_labels(text))
                else:
                    parts[name].append(text)
            rows += len(block)
        return {name: _joined(pieces) for name, pieces in parts.items()}

    def _blocks(self, places: Mapping[str, int]) -> Iterator[pd.DataFrame]:
        stream = io.BytesIO(self._data)
        stream.seek(self._start)
        try:
            with pd.read_csv(
                stream,
                sep=self.separator,
                header=None,
                names=range(len(self.names)),
                index_col=False,
                usecols=sorted(set(places.values())),
                dtype=str,
                na_filter=False,
                skipinitialspace=True,
                skip_blank_lines=False,
                chunksize=_ROWS,
            ) as reader:
                yield from reader
        except UnicodeDecodeError as error:
            raise self._not_utf8() or DataError(f"The file is not a table ({error}).", file=self.file) from error
        except (ValueError, pd.errors.ParserError) as error:
            raise DataError(f"The file is not a table ({str(error).strip()}).", file=self.file) from error

    def _not_utf8(self) -> DataError | None:
        try:
            self._data.decode("utf-8")
        except UnicodeDecodeError as error:
            row = self._data.count(b"\n", 0, error.start) + 1
            found = self._data[error.start]
            return DataError(
                f"The file is not a table in UTF-8 (byte 0x{found:02x}); save it as UTF-8.", file=self.file, row=row
            )
        return None

    def _check(self) -> None:
        """Refuse the first row that has more or fewer cells than there are names."""
        data, wanted = self._data, len(self.names)
        if data.find(b'"', self._start) >= 0:
            self._check_quoted()
            return
        rows, start = 0, self._start
        while start < len(data):
            stop = data.rfind(b"\n", start, start + _BLOCK) + 1 or _after(data, 1, start)
            block = np.frombuffer(data, np.uint8, stop - start, start)
            ends = np.flatnonzero(block == 10)
            if not len(ends) or ends[-1] != len(block) - 1:
                ends = np.append(ends, len(block))
            found = np.flatnonzero(block == ord(self.separator))
            counts = np.diff(np.searchsorted(found, ends), prepend=0)
            if (counts != wanted - 1).any():
                row = int(np.flatnonzero(counts != wanted - 1)[0])
                empty = ends[row] == (ends[row - 1] + 1 if row else 0)
                self._ragged(self._first + rows + row, 0 if empty else int(counts[row]) + 1)
            rows, start = rows + len(ends), stop

    def _check_quoted(self) -> None:
        lines = []
        with io.TextIOWrapper(io.BytesIO(self._data[self._start :]), encoding="utf-8", newline="") as text:
            reader = csv.reader(text, delimiter=self.separator, strict=True)
            before = 0
            try:
                for row in reader:
                    if len(row) != len(self.names):
                        self._ragged(self._first + before, len(row))
                    lines.append(self._first + before)
                    before = reader.line_num
            except csv.Error as error:
                raise DataError(
                    f"The file is not a table ({error}).", file=self.file, row=self._first + before
                ) from error
            except UnicodeDecodeError as error:
                raise self._not_utf8() or error from None
        self._lines = np.array(lines, dtype=np.int64)

    def _ragged(self, line: int, cells: int) -> None:
        if not cells:
            raise DataError("A line in the middle of the file is empty.", file=self.file, row=line)
        raise DataError(
            f"The row has {cells} cells where {len(self.names)} are expected; is the file cut off, or a cell unquoted?",
            file=self.file,
            row=line,
        )


class ParquetCells(Cells):
    """Cells of a Parquet file; a named index counts as a column. The "line" of a cell is its row, counted from 1."""

    def __init__(self, path: Path) -> None:
        parquet = require_extra("pyarrow.parquet", "ticks")
        self.file = path
        try:
            metadata = parquet.read_metadata(path)
            size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            self.names = [str(name) for name in metadata.schema.to_arrow_schema().names]
        except Exception as error:
            raise DataError(f"The file is not Parquet ({error}).", file=path) from error
        if size > MAX_BYTES:
            raise DataError(f"The file holds more than {MAX_BYTES:,} bytes, uncompressed; split it by time.", file=path)
        if not metadata.num_rows:
            raise DataError("The file has columns and no rows.", file=path)
        _refuse_twins(self.names, path, None)

    def read(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """Columns by their kinds; no other column is read from the disk."""
        parquet = require_extra("pyarrow.parquet", "ticks")
        try:
            table = parquet.read_table(self.file, columns=list(kinds), use_threads=False)
            # Text is not looked at before it is used: what is no UTF-8 would fail there, under another name.
            table.validate(full=True)
            frame = {name: table.column(name).to_pandas().reset_index(drop=True) for name in kinds}
        except Exception as error:
            raise DataError(f"The file is not Parquet ({error}).", file=self.file) from error
        return {name: self._column(name, kind, frame[name]) for name, kind in kinds.items()}

    def _column(self, name: str, kind: Kind, values: pd.Series) -> Any:
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if kind == "time":
            dated = numeric or pd.api.types.is_datetime64_any_dtype(values)
            return StampColumn(values if dated else _filled(values), name, self.file, self.line)
        if kind == "label":
            return _labels(_filled(values))
        if kind == "text":
            return _filled(values)
        if kind == "whole":
            return wholes(self, name, _filled(values))
        if numeric:
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers(self, name, _filled(values), money=kind == "money")


def separator(line: bytes) -> str:
    """What separates the cells of a line: the most frequent of comma, semicolon, tab and bar."""
    return max(SEPARATORS, key=lambda mark: line.count(mark.encode()))


def numbers(cells: Cells, name: str, text: Any, *, money: bool = False, before: int = 0) -> FloatArray:
    """Cells of text as floats, blanks as NaN; anything else names its line. ``before``: rows above the first one."""
    column = [str(cell).strip() for cell in text]
    blank = np.fromiter((cell in BLANKS for cell in column), dtype=bool, count=len(column))
    if money:
        column = [_MONEY.sub("", cell) for cell in column]
    values = np.asarray(pd.to_numeric(np.array(column, dtype=object), errors="coerce"), dtype=np.float64)
    bad = np.isnan(values) & ~blank
    large = np.isinf(values)
    for place in np.flatnonzero(large):
        large[place] = column[place].lower().lstrip("+-") not in _INFINITIES
    rows = np.flatnonzero(bad | large)
    if len(rows):
        cell, row = text[rows[0]], int(rows[0])
        why = "is larger than any number here can be" if large[row] else "is not a number"
        if not large[row] and "," in str(cell):
            why += "; a decimal point and no marks between thousands are expected"
        raise DataError(f"{shown(cell)} {why}.", file=cells.file, row=cells.line(before + row), column=name)
    return values


def wholes(cells: Cells, name: str, text: Any, *, before: int = 0) -> np.ndarray:
    """Cells of text as whole numbers from 0 to 2⁶⁴ - 1, exact; anything else names its line."""
    column = pd.Series(text, dtype="str").str.strip()
    odd = ~np.asarray(column.str.fullmatch(r"[0-9]{1,20}"))
    values = [0 if bad else int(cell) for cell, bad in zip(column, odd, strict=True)]
    rows = np.flatnonzero(odd | np.array([value >= 2**64 for value in values]))
    if len(rows):
        row = int(rows[0])
        why = f"{str(text[row])!r} is no whole number from 0 to 2⁶⁴ - 1."
        raise DataError(why, file=cells.file, row=cells.line(before + row), column=name)
    return np.array(values, dtype=np.uint64)


def plain(data: bytes, file: Path) -> bytes:
    """A text without byte order mark, with \\n as line end, without blank lines at its end; other bytes are refused.

    Examples
    --------
    >>> plain(b"a,b\\r\\n1,2\\r\\n\\r\\n", Path("x.csv"))
    b'a,b\\n1,2\\n'
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("The file is text in UTF-16; save it as UTF-8.", file=file, row=1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    null = data.find(b"\0")
    if null >= 0:
        raise DataError("The file is no text: a null byte stands in it.", file=file, row=data.count(b"\n", 0, null) + 1)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = len(data)
    while end and data[end - 1] in b"\n ":
        end -= 1
    # One line end stays; a copy is made only where there was more than that.
    return data if end >= len(data) - 1 else data[:end] + b"\n"


def _after(data: bytes, lines: int, start: int = 0) -> int:
    for _ in range(lines):
        end = data.find(b"\n", start)
        start = end + 1 if end >= 0 else len(data)
    return start


def _header(line: bytes, mark: str, file: Path, number: int) -> list[str]:
    try:
        rows = csv.reader([line.decode("utf-8").strip("\n")], delimiter=mark, strict=True)
        names = [cell.strip() for cell in next(rows, [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"The header cannot be read ({error}).", file=file, row=number) from error
    _refuse_twins(names, file, number)
    return names


def _refuse_twins(names: Sequence[str], file: Path, number: int | None) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise DataError(f"The header has {name!r} twice; rename one.", file=file, row=number, column=name)
        seen.add(name.lower())


def _filled(values: pd.Series) -> Any:
    """Text cells as an object array of str in which a missing one is an empty string."""
    return values.to_numpy(dtype=object, na_value="")


def _labels(text: Any) -> pd.Categorical:
    codes, names = pd.factorize(np.array([str(cell) for cell in text], dtype=object))
    return labelled(codes, names)


def _joined(pieces: list[Any]) -> Any:
    if len(pieces) == 1:
        return pieces[0]
    if isinstance(pieces[0], pd.Categorical):
        united = pd.api.types.union_categoricals(pieces)
        return labelled(united.codes, united.categories)
    return np.concatenate(pieces)
