"""Any table in, the same kind out: the boundary between labelled data and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.typing import BoolArray, FloatArray

_LARGEST = 1e70
TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts")


@dataclass(frozen=True, slots=True)
class Wide:
    """A time × asset table taken apart.

    values : (T, N) float64, C-contiguous, own memory; index : T labels; columns : N names; kind : what came in.
    """

    values: FloatArray
    index: pd.Index
    columns: pd.Index
    kind: Literal["frame", "series", "matrix", "vector"]

    def like(self, values: FloatArray) -> Any:
        """Dress a (T, N) array in the form of the input."""
        if self.kind == "frame":
            return pd.DataFrame(values, index=self.index, columns=self.columns, copy=False)
        if self.kind == "series":
            return pd.Series(values[:, 0], index=self.index, name=self.columns[0])
        return values[:, 0] if self.kind == "vector" else values


def to_pandas(data: Any) -> Any:
    """Turn a polars or arrow table into pandas, its time column into the index; pandas and arrays pass through."""
    if isinstance(data, (pd.DataFrame, pd.Series, np.ndarray)):
        return data
    if isinstance(data, (list, tuple)):
        try:
            return np.asarray(data, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError("The list is no table of numbers; pass rows of equal length that hold floats.") from error
    import narwhals as nw

    try:
        native = nw.from_native(data, eager_only=True, allow_series=True)
    except TypeError as error:
        raise DataError(
            f"A table or array was expected, a {type(data).__name__} came: pass a pandas, polars or arrow table."
        ) from error
    frame = native.to_pandas()
    if isinstance(frame, pd.DataFrame):
        times = [c for c in frame.columns if str(c).lower() in TIME_NAMES]
        times += [c for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c]) and c not in times]
        if times:
            frame = frame.set_index(times[0])
    return frame


_NO_NUMBERS = {"c": "complex numbers", "M": "dates", "m": "lengths of time", "U": "text", "S": "text"}


def _floats(data: Any, name: str, copy: bool) -> FloatArray:
    for kind in {getattr(t, "kind", "") for t in (data.dtypes if isinstance(data, pd.DataFrame) else [data.dtype])}:
        if kind in _NO_NUMBERS:
            raise DataError(f"{name} holds {_NO_NUMBERS[kind]} where numbers are expected; convert or drop them.")
    _refuse_text(data, name)
    if isinstance(data, np.ma.MaskedArray):
        data = np.ma.filled(data.astype(np.float64), np.nan)
    try:
        if not copy:
            return np.asarray(data, dtype=np.float64)
        return np.array(data, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        pass
    frame = pd.DataFrame(data)
    for column in frame.columns:
        numeric = pd.to_numeric(frame[column], errors="coerce")
        bad = frame.index[numeric.isna() & frame[column].notna()]
        if len(bad):
            raise DataError(
                f"{name}: {frame.loc[bad[0], column]!r} is not a number; convert the column to floats.",
                row=bad[0],
                column=column,
            )
    return np.array(frame.astype(np.float64), order="C")


def _refuse_text(data: Any, name: str) -> None:
    """A `DataError` for the first cell that is text, digits or not."""
    columns = data.items() if isinstance(data, pd.DataFrame) else [(getattr(data, "name", None), data)]
    for column, values in columns:
        if getattr(values.dtype, "kind", "O") != "O":
            continue
        cells = np.asarray(values, dtype=object).ravel()
        text = next((k for k, cell in enumerate(cells) if isinstance(cell, (str, bytes))), None)
        if text is not None:
            raise DataError(
                f"{name}: {cells[text]!r} is not a number; convert the column to floats.",
                row=getattr(values, "index", range(len(cells)))[text],
                column=column,
            )


def as_wide(data: Any, name: str = "data", *, copy: bool = True) -> Wide:
    """Take a DataFrame, Series, polars or arrow table, or a one- or two-dimensional array apart.

    Parameters
    ----------
    data : table
        Time runs along the rows. Booleans and integers become floats; text is an error.
    name : str
        What to call it in an error message.
    copy : bool, default True
        Without a copy the values may be the caller's own memory, in any order: they must not be written to.

    Raises
    ------
    DataError
        When a cell is text, the array has more than two dimensions, a column stands twice, or the row labels repeat or
        run backwards.
    """
    data = to_pandas(data)
    if isinstance(data, pd.Series):
        values, columns, kind = _floats(data, name, copy)[:, None], pd.Index([data.name]), "series"
    elif isinstance(data, pd.DataFrame):
        values, columns, kind = _floats(data, name, copy), data.columns, "frame"
    elif data.ndim in (1, 2):
        values = _floats(data, name, copy)
        kind = "vector" if data.ndim == 1 else "matrix"
        values = values[:, None] if data.ndim == 1 else values
        columns = pd.RangeIndex(values.shape[1])
    else:
        raise DataError(f"{name} has {data.ndim} dimensions; time × asset has two.")
    if not columns.is_unique:
        raise DataError(f"{name}: the column {columns[columns.duplicated()][0]!r} stands twice; rename or drop one.")
    index = data.index if isinstance(data, (pd.DataFrame, pd.Series)) else pd.RangeIndex(len(values))
    if not index.is_unique:
        raise DataError(
            f"{name}: the label {index[index.duplicated()][0]!s} stands twice; drop or aggregate duplicates first."
        )
    if not index.is_monotonic_increasing:
        raise DataError(f"{name}: the rows are not in time order; sort them first.")
    return Wide(np.ascontiguousarray(values) if copy else values, index, columns, kind)  # type: ignore[arg-type]


def as_wides(*, copy: bool = True, **tables: Any) -> tuple[Wide, ...]:
    """Several tables of one shape with the same labels, in the order given; else a `DataError` names the odd one.

    Without ``copy`` they must not be written to (see `as_wide`).
    """
    wides = {name: as_wide(table, name, copy=copy) for name, table in tables.items()}
    first_name, first = next(iter(wides.items()))
    for name, wide in wides.items():
        if wide.values.shape != first.values.shape:
            raise DataError(
                f"{name} is {wide.values.shape}, {first_name} is {first.values.shape}: the shapes must agree."
            )
        labelled = wide.kind in ("frame", "series") and first.kind in ("frame", "series")
        if labelled and not wide.index.equals(first.index):
            raise DataError(f"{name} and {first_name} have different time labels; align them first.")
        if wide.kind == first.kind == "frame" and not wide.columns.equals(first.columns):
            raise DataError(f"{name} and {first_name} have different columns; align them first.")
    return tuple(wides.values())


def in_utc(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Stamps in UTC; naive ones are read as UTC."""
    return index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")


def known_stamps(available_at: Any, index: pd.DatetimeIndex, needed: BoolArray) -> pd.DatetimeIndex:
    """When each row of ``index`` was known, in UTC: by label where a Series has stamps for labels, else in row order.

    Parameters
    ----------
    available_at : Series, index or array of stamps
        Naive ones are read as UTC.
    index : (T,) labels in UTC
    needed : (T,) bool
        Rows with a value; the others may do without a stamp (NaT).

    Raises
    ------
    DataError
        When it holds no stamps, has too few, lacks one that is needed, or a row would be known before it starts.
    """
    labels = available_at.index if isinstance(available_at, pd.Series) else None
    try:
        stamps = in_utc(pd.DatetimeIndex(available_at))
    except (TypeError, ValueError) as error:
        raise DataError("available_at holds no time stamps; pass one a row, such as panel.available_at.") from error
    if isinstance(labels, pd.DatetimeIndex):
        if not labels.is_unique:
            raise DataError(f"available_at: the label {labels[labels.duplicated()][0]!s} stands twice; keep one.")
        stamps = pd.DatetimeIndex(pd.Series(stamps, index=in_utc(labels)).reindex(index))
    elif len(stamps) != len(index):
        raise DataError(f"available_at has {len(stamps)} rows, the table {len(index)}: give one stamp a row.")
    unknown = np.flatnonzero(np.asarray(stamps.isna()) & needed)
    if len(unknown):
        raise DataError(f"available_at lacks {len(unknown)} of the stamps that are needed.", row=index[unknown[0]])
    early = np.flatnonzero(np.asarray(stamps < index))
    if len(early):
        raise DataError(
            f"available_at says {stamps[early[0]]!s}, before the row starts; a row is known when it has ended.",
            row=index[early[0]],
        )
    return stamps


def refuse_extreme(values: FloatArray, columns: Iterable[Any]) -> None:
    """A `DataError` for a column of (T, N) whose largest number is so far from one that squares of squares overflow.

    Infinite and missing numbers do not count.
    """
    size = np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=0, initial=0.0)
    far = np.flatnonzero((size > _LARGEST) | ((size > 0.0) & (size < 1.0 / _LARGEST)))
    if len(far):
        raise DataError(
            f"A series is of the size {size[far[0]]:.3g}, too far from one for squares of squares; change its unit.",
            column=list(columns)[far[0]],
        )
