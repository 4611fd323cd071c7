"""Paths of correlation matrices on disk, written a stretch at a time: Parquet and Zarr."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, require_extra
from drainstats.files import replacing
from drainstats.typing import FloatArray

# Rows of one row group of the Parquet file.
GROUP_ROWS = 2**20
# Where xarray looks for the names of an array's axes.
DIMENSIONS = "_ARRAY_DIMENSIONS"
Matrices = Iterable[tuple[Any, FloatArray]]


def write_parquet(matrices: Matrices, index: pd.Index, columns: pd.Index, path: Path) -> Path:
    """Write a row a time step and pair: ``time``, ``first``, ``second`` (dictionary-encoded), ``correlation``.

    ``matrices`` are pairs of a label and an (N, N) matrix in the order of ``index``.
    """
    pa, parquet = require_extra("pyarrow", "ticks"), require_extra("pyarrow.parquet", "ticks")
    rows, cols = np.triu_indices(len(columns), 1)
    steps = max(1, GROUP_ROWS // len(rows))
    names = pa.array([str(c) for c in columns])
    times = pa.array(index if isinstance(index, pd.DatetimeIndex) else _times(index)[0])
    coded = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("time", times.type), ("first", coded), ("second", coded), ("correlation", pa.float64())])
    walk, done = iter(matrices), 0
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        while stretch := [matrix[rows, cols] for _, matrix in islice(walk, steps)]:
            count = len(stretch)
            places = [pa.array(np.tile(x, count), pa.int32()) for x in (rows, cols)]
            where = [pa.DictionaryArray.from_arrays(x, names) for x in places]
            time = times.take(pa.array(np.repeat(np.arange(done, done + count), len(rows))))
            writer.write_table(pa.table([time, *where, np.concatenate(stretch)], schema=schema))
            done += count
    return path


def write_zarr(matrices: Matrices, index: pd.Index, columns: pd.Index, steps: int, path: Path) -> Path:
    """Write a Zarr store of format 2: ``correlation`` (T, N, N) in chunks of ``steps`` time steps, with its labels."""
    zarr = require_extra("zarr", "arrays")
    if path.exists():
        raise OptionError(f"{path} is there already; remove it or take another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    T, N = len(index), len(columns)
    try:
        store = zarr.create_group(str(folder), zarr_format=2, overwrite=True)
        cells = store.create_array("correlation", shape=(T, N, N), chunks=(min(steps, T), N, N), dtype="f8")
        cells.attrs[DIMENSIONS] = ["time", "asset", "asset_other"]
        walk, done = iter(matrices), 0
        while stretch := [matrix for _, matrix in islice(walk, steps)]:
            cells[done : done + len(stretch)] = np.array(stretch)
            done += len(stretch)
        labels, unit = _times(index)
        names = np.array([str(c) for c in columns])
        for name, values in (("time", labels), ("asset", names), ("asset_other", names)):
            store.create_array(name, data=values).attrs.update({DIMENSIONS: [name]} | (unit if name == "time" else {}))
        folder.chmod(0o755)
        folder.rename(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path


def _times(index: pd.Index) -> tuple[Any, dict[str, str]]:
    """Time labels as numbers with their unit (UTC), or as text when they are no times."""
    if not isinstance(index, pd.DatetimeIndex):
        return (index.to_numpy() if index.dtype.kind in "iu" else np.array([str(t) for t in index])), {}
    plain = index.tz_convert(None) if index.tz is not None else index
    unit = {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
    return plain.as_unit("ns").asi8, unit
