"""Parquet files of any size as batches of arrays: plain columns straight from Arrow, all others through the readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, require_extra
from drainstats.sources.cells import Cells, Kind, numbers
from drainstats.sources.layout import Source
from drainstats.sources.schema import MAKER_SIDES, SIDES
from drainstats.sources.stamps import StampColumn

ROWS = 2**16
_GROUP = 2**26
# Of plain numbers since 1970: what each unit covers, and nanoseconds (see `drainstats.sources.stamps`).
_EPOCHS = ((10**8, 10**11, 10**9), (10**11, 10**14, 10**6), (10**14, 10**17, 10**3), (10**17, 4 * 10**18, 1))
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_NAMES = {10**9: "epoch-s", 10**6: "epoch-ms", 10**3: "epoch-us", 1: "epoch-ns"}


class BatchSource(Source):
    """A record batch under the file's name, for the formats' own readers."""

    def __init__(self, path: Path, batch: Any, first: int) -> None:
        super().__init__(path)
        self.is_parquet = True
        self._cells = BatchCells(path, batch, first)

    def cells(self, names: tuple[str, ...] | None = None, skip: int = 0) -> Cells:
        """Its columns."""
        return self._cells


class BatchCells(Cells):
    """Cells of a record batch whose first row is row ``first`` of the file."""

    def __init__(self, path: Path, batch: Any, first: int) -> None:
        self.file, self.names, self.rows = path, list(batch.schema.names), batch.num_rows
        self._batch, self._first = batch, first

    def line(self, row: int) -> int:
        """The 1-based row of the file."""
        return self._first + row + 1

    def read(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """As `drainstats.sources.cells.ParquetCells` does."""
        out: dict[str, Any] = {}
        for name, kind in kinds.items():
            values = self._batch.column(name).to_pandas()
            if kind == "time":
                out[name] = StampColumn(values, name, self.file, self.line)
                continue
            if kind in ("text", "label"):
                plain = values.astype(object)
                text = plain.where(plain.notna(), "").to_numpy(dtype=object)
                out[name] = pd.Categorical([str(t) for t in text]) if kind == "label" else text
            elif pd.api.types.is_numeric_dtype(values):
                out[name] = values.to_numpy(dtype=np.float64, na_value=np.nan)
            else:
                out[name] = numbers(self, name, values.astype(object).to_numpy(dtype=object))
        return out


def record_batches(path: Path, columns: list[str] | None, rows: int = ROWS) -> Iterator[Any]:
    """The record batches of a file, of some columns or all; one thread, so that memory stays with the batch."""
    parquet = require_extra("pyarrow.parquet", "ticks")
    try:
        metadata = parquet.read_metadata(path)
        largest = max(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
        # A row group decoded as a whole costs a fifth less. A large one goes page by page; reading ahead would take in
        # the file.
        whole = rows >= ROWS and largest <= _GROUP
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=0 if whole else 2**18) as file:
            for k in range(metadata.num_row_groups):
                if whole:
                    group = file.read_row_group(k, columns, use_threads=False).to_batches(max_chunksize=rows)
                else:
                    group = file.iter_batches(rows, [k], columns, use_threads=False)
                for batch in group:
                    batch.validate(full=True)
                    if batch.num_rows:
                        yield batch
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"The file is not Parquet ({error}).", file=path) from error


def empty(path: Path) -> Any:
    """A record batch without rows that has the file's columns; a file without rows is refused."""
    parquet = require_extra("pyarrow.parquet", "ticks")
    try:
        metadata = parquet.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    except (OSError, ValueError) as error:
        raise DataError(f"The file is not Parquet ({error}).", file=path) from error
    if not metadata.num_rows:
        raise DataError("The file has columns and no rows.", file=path)
    return require_extra("pyarrow", "ticks").RecordBatch.from_pylist([], schema=schema)


def plain(batch: Any, theirs: Mapping[str, str], fields: tuple[str, ...]) -> dict[str, Any] | None:
    """time, symbol (codes and names), side and the numbers of a batch; None when a column is not plain and complete.

    Plain are stamps with or without a zone and whole numbers since 1970, numbers, sides as -1, 0, 1, words or booleans,
    and symbols as text.
    """
    out: dict[str, Any] = {}
    time = _stamps(batch.column(theirs["time"]))
    if time is None:
        return None
    out["time"], out["rules"] = time
    for name in fields:
        if name not in theirs:
            out[name] = np.full(batch.num_rows, np.nan)
            continue
        column = batch.column(theirs[name])
        if column.null_count or str(column.type) not in ("double", "float", "int64", "int32", "int16"):
            return None
        out[name] = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    if "side" in theirs:
        out["side"] = _sides(batch.column(theirs["side"]), theirs["side"])
        if out["side"] is None:
            return None
    if "symbol" in theirs:
        coded = _labels(batch.column(theirs["symbol"]))
        if coded is None:
            return None
        out["symbol"], out["names"] = coded[0], tuple(str(name) for name in coded[1])
    return out


def _stamps(column: Any) -> tuple[np.ndarray, tuple[str, ...]] | None:
    pa = require_extra("pyarrow", "ticks")

    if column.null_count:
        return None
    if pa.types.is_timestamp(column.type):
        whole = column.view(pa.int64()).to_numpy()
        scale, rule = _UNITS[column.type.unit], () if column.type.tz else ("naive-as-utc",)
    elif pa.types.is_int64(column.type):
        whole = column.to_numpy()
        scale = next((s for low, high, s in _EPOCHS if low <= whole.min() and whole.max() < high), 0)
        rule = (_NAMES.get(scale, ""),)
    else:
        return None
    # Years 1700 to 2200, as everywhere.
    if not scale or whole.min() * 1.0 * scale < -8.52e18 or whole.max() * 1.0 * scale > 7.28e18:
        return None
    return (whole if scale == 1 else whole * scale), rule


def _sides(column: Any, name: str) -> np.ndarray | None:
    pa = require_extra("pyarrow", "ticks")

    if column.null_count:
        return None
    meaning = MAKER_SIDES if name.lower() in ("is_buyer_maker", "buyer_maker", "m") else SIDES
    if pa.types.is_int8(column.type) and meaning is SIDES:
        side = column.to_numpy()
        return side if side.min() >= -1 and side.max() <= 1 else None
    if pa.types.is_boolean(column.type):
        if meaning is SIDES:
            return None
        return np.where(column.to_numpy(zero_copy_only=False), -1, 1).astype(np.int8)
    coded = _labels(column)
    if coded is None:
        return None
    table = np.array([meaning.get(str(label).strip().lower(), 2) for label in coded[1]], dtype=np.int8)
    side = table[coded[0]]
    return side if (side != 2).all() else None


def _labels(column: Any) -> tuple[np.ndarray, list[Any]] | None:
    pa = require_extra("pyarrow", "ticks")

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.dictionary_encode()
    if not pa.types.is_dictionary(column.type) or column.null_count or not pa.types.is_string(column.type.value_type):
        return None
    return np.asarray(column.indices.to_numpy(), dtype=np.int32), column.dictionary.to_pylist()
