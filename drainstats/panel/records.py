"""Ledgers, asset tables and provenance as JSON and back, with their types."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError


def dumped(value: Any) -> str:
    """JSON of nested mappings, lists, numbers, text, stamps and durations; anything else is an error."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=False, allow_nan=True)


def loaded(text: str) -> Any:
    """What `dumped` wrote."""
    return _rich(json.loads(text))


def frame_record(table: pd.DataFrame) -> dict[str, Any]:
    """A small table by columns, with the dtype of each."""
    columns = [[str(c), str(table[c].dtype), list(table[c])] for c in table.columns]
    return {"columns": columns, "index": [str(i) for i in table.index], "name": table.index.name}


def framed(record: dict[str, Any]) -> pd.DataFrame:
    """The table of a record."""
    index = pd.Index(record["index"], name=record["name"]) if record["name"] else pd.RangeIndex(len(record["index"]))
    columns = {name: pd.Series(values, index=index, dtype=dtype) for name, dtype, values in record["columns"]}
    return pd.DataFrame(columns, index=index)


def _plain(value: Any) -> Any:
    if value is pd.NaT:
        return {"$": "nat"}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, pd.Timestamp):
        return {"$": "time", "at": value.isoformat(), "unit": value.unit}
    if isinstance(value, pd.Timedelta):
        return {"$": "length", "ns": value.as_unit("ns").value}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray, pd.Index)):
        return [_plain(v) for v in value]
    if value is pd.NA:
        return None
    raise DataError(
        f"A {type(value).__name__} stands in the provenance or the asset table and cannot be saved: use text, numbers, "
        "stamps, lists and dicts."
    )


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind == "nat":
        return pd.NaT
    if kind == "time":
        return pd.Timestamp(value["at"]).as_unit(value["unit"])
    if kind == "length":
        return pd.Timedelta(value["ns"], "ns")
    return {k: _rich(v) for k, v in value.items()}
