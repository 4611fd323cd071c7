"""Columns of a delimited text by pyarrow's parser, where that gives what the careful parse gives; else nothing."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

_LONGEST = 19  # digits of a whole number that fits 64 bits
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?")


def parsed(
    data: bytes,
    start: int,
    separator: str,
    width: int,
    places: Mapping[str, int],
    kinds: Mapping[str, str],
    blanks: Sequence[str],
) -> dict[str, Any] | None:
    """Columns by name, or None where the text needs the careful parse.

    Parameters
    ----------
    data, start : bytes, int
        The text, and where its first row begins.
    separator, width : str, int
        What separates cells, and how many a row has.
    places, kinds : mapping
        Column name → place in a row; → see `cells.Cells.read`.
    blanks : sequence of str
        Cells that stand for a missing number.
    """
    # With quotes the two parsers part ways in damaged files; money and text need stripping.
    if {"money", "text"} & set(kinds.values()) or data.find(b'"', start) >= 0:
        return None
    first = _cells(data, start, separator)
    whole = {name for name, kind in kinds.items() if kind == "time" and _is_whole(first, places[name])}
    # An empty line is a row of blanks to pyarrow. Among whole stamps a blank is seen; elsewhere it must be looked for.
    if not whole and (first == [b""] or data.find(b"\n\n", start) >= 0):
        return None
    # 0x10 is a whole number to pyarrow.
    if whole and (data.find(b"0x", start) >= 0 or data.find(b"0X", start) >= 0):
        return None
    try:
        arrow, reader = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.csv")
    except ImportError:
        return None
    types = {
        "number": arrow.float64(),
        "whole": arrow.uint64(),
        "label": arrow.dictionary(arrow.int32(), arrow.string()),
    }
    wanted = {
        str(places[name]): (arrow.int64() if name in whole else arrow.string()) if kind == "time" else types[kind]
        for name, kind in kinds.items()
    }
    try:
        table = reader.read_csv(
            arrow.BufferReader(arrow.py_buffer(memoryview(data)[start:])),
            reader.ReadOptions(use_threads=False, column_names=[str(place) for place in range(width)]),
            reader.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
            reader.ConvertOptions(
                include_columns=list(wanted), column_types=wanted, null_values=list(blanks), strings_can_be_null=False
            ),
        )
    except arrow.ArrowInvalid:
        # A row of another length, a cell that is no number, bytes that are no text, a row of megabytes.
        return None
    columns = {name: _column(table.column(str(places[name])), kind) for name, kind in kinds.items()}
    return None if any(column is None for column in columns.values()) else columns


def _cells(data: bytes, start: int, separator: str) -> list[bytes]:
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else len(data)].split(separator.encode())


def _is_whole(first: list[bytes], place: int) -> bool:
    cell = first[place] if place < len(first) else b""
    return cell.isdigit() and len(cell) <= _LONGEST


def _column(values: Any, kind: str) -> Any:
    """A column as NumPy or pandas hold it; None where pyarrow reads more leniently than we do."""
    if kind == "label":
        whole = values.unify_dictionaries().combine_chunks()
        return labelled(whole.indices.to_numpy(), whole.dictionary.to_pylist())
    if kind == "time" and str(values.type) == "string":
        dated = _dated(values)
        return values.to_pandas().to_numpy(dtype=object) if dated is None else dated
    array = values.to_numpy()
    if kind in ("time", "whole"):
        return array if values.null_count == 0 else None
    # nan(1) and 1e999 are numbers to pyarrow.
    return array if np.count_nonzero(np.isfinite(array)) == len(array) - values.null_count else None


def _dated(values: Any) -> pd.Series | None:
    """ISO stamps of one zone or of none as datetimes; None for other styles and mixtures."""
    arrow, compute = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.compute")
    found = _ISO.fullmatch(values[0].as_py())
    if not found:
        return None
    zone = found[1] or ""
    if zone and not compute.all(compute.ends_with(values, zone)).as_py():
        return None
    try:
        stamps = values.cast(arrow.timestamp("ns", "UTC" if zone else None))
    except arrow.ArrowInvalid:
        return None
    index = pd.DatetimeIndex(stamps.cast(arrow.int64()).to_numpy().view("datetime64[ns]"))
    return pd.Series(index.tz_localize("UTC") if zone else index)


def labelled(codes: Any, names: Iterable[Any]) -> pd.Categorical:
    """Labels without blanks around them, their categories in order."""
    plain = [str(name).strip() for name in names]
    known = {label: place for place, label in enumerate(sorted(set(plain)))}
    places = np.array([known[label] for label in plain] or [0], dtype=np.int32)
    return pd.Categorical.from_codes(places[codes], list(known), validate=False)
