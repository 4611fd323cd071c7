"""Arrays of asset × time as labelled tables of time × asset, and back: by asset, as pandas keeps its blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from drainstats.typing import IntArray

NAT = np.iinfo(np.int64).min


def index_of(stamps: IntArray) -> pd.DatetimeIndex:
    """Row labels from nanoseconds since 1970."""
    return pd.DatetimeIndex(stamps, tz="UTC", name="time")


def table_of(values: npt.NDArray[Any], index: pd.DatetimeIndex, assets: list[str]) -> pd.DataFrame:
    """An (N, T) array as a time × asset table that shares its memory."""
    return pd.DataFrame(values.T, index=index, columns=assets, copy=False)


def stamps_of(values: IntArray, index: pd.DatetimeIndex, assets: list[str]) -> pd.DataFrame:
    """An (N, T) array of nanoseconds, `NAT` where there is none, as a table of UTC stamps."""
    columns = {asset: pd.DatetimeIndex(row, tz="UTC") for asset, row in zip(assets, values, strict=True)}
    return pd.DataFrame(columns).set_axis(index)


def values_of(table: pd.DataFrame) -> npt.NDArray[Any]:
    """A table's numbers as an (N, T) array, without a copy where that is possible."""
    return np.asarray(table.to_numpy().T)


def nanoseconds_of(table: pd.DataFrame) -> IntArray:
    """A table of stamps as an (N, T) array of nanoseconds."""
    return np.stack([pd.DatetimeIndex(table.iloc[:, j]).as_unit("ns").asi8 for j in range(table.shape[1])])
