"""A panel in one Parquet file, bit for bit: tidy rows that any program reads, and what only a panel knows beside them.

Rows are sorted by asset, then time; every cell of the panel is a row, also one without a bar. Columns: ``time``,
``asset``, the fields, ``available_at`` and ``status`` (`drainstats.panel.status`). The schema's metadata hold clock,
units, asset table, ledger and provenance as JSON under ``drainstats``, with a digest of all of it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drainstats.errors import DataError, require_extra
from drainstats.files import replacing
from drainstats.panel.align import Clock
from drainstats.panel.records import dumped, frame_record, framed, loaded
from drainstats.panel.tables import NAT, index_of, nanoseconds_of, stamps_of, table_of, values_of
from drainstats.typing import IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

KEY = b"drainstats"
VERSION = 1
# Rows in one group of the file: what is in memory beside the panel while it is written.
GROUP = 2_000_000
OWN = ("time", "asset", "available_at", "status")


def saved(panel: LiquidityPanel, path: str | os.PathLike[str]) -> Path:
    """Write the panel whole or not at all (`LiquidityPanel.save`)."""
    require_extra("pyarrow", "ticks")
    reserved = sorted(set(panel.fields) & set(OWN))
    if reserved:
        raise DataError(f"A field is called {reserved[0]!r}, a name that the file needs itself; rename it.")
    fields = {f: values_of(v) for f, v in panel.fields.items()}
    available, status = nanoseconds_of(panel.available), np.ascontiguousarray(values_of(panel.status))
    about = {
        "version": VERSION,
        "shape": list(status.shape),
        "fields": list(fields),
        "clock": panel.clock.name,
        "units": dict(panel.units),
        "asset_table": frame_record(panel.asset_table),
        "ledger": frame_record(panel.ledger),
        "provenance": dict(panel.provenance),
    }
    times = panel.index.as_unit("ns").asi8
    text = dumped(about)
    seal = _digest(text, times, [*fields.values(), available, status])
    with replacing(Path(path)) as temporary:
        _write(str(temporary), text, seal, times, panel.assets, fields, available, status)
    return Path(path)


def restored(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The parts of a saved panel, by their names (`LiquidityPanel.load`)."""
    about, text, seal = _record(Path(path))
    assets, shape = about["asset_table"]["index"], tuple(about["shape"])
    columns = _columns(Path(path), about["fields"], shape)
    times = columns["time"][: shape[1]]
    fields = {f: columns[f].reshape(shape) for f in about["fields"]}
    available, status = columns["available_at"].reshape(shape), columns["status"].reshape(shape)
    if len(assets) != shape[0] or _digest(text, times, [*fields.values(), available, status]) != seal:
        raise DataError("The file does not agree with its digest: it was changed after it was saved.", file=path)
    index = index_of(times)
    return {
        "fields": {f: table_of(v, index, assets) for f, v in fields.items()},
        "asset_table": framed(about["asset_table"]),
        "available": stamps_of(available, index, assets),
        "status": table_of(status, index, assets),
        "clock": Clock.named(about["clock"]),
        "units": about["units"],
        "provenance": about["provenance"],
        "ledger": framed(about["ledger"]),
    }


def _record(path: Path) -> tuple[dict[str, Any], str, str]:
    """What the metadata say of the panel, as a dict and as text, and the digest."""
    arrow, parquet = require_extra("pyarrow", "ticks"), require_extra("pyarrow.parquet", "ticks")
    if not path.is_file():
        raise DataError("There is no such file.", file=path)
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"This is not a whole Parquet file ({error}).", file=path) from error
    if KEY not in metadata:
        raise DataError(
            "This Parquet file was not written by LiquidityPanel.save: read it with drainstats.read_bars, or as a "
            "table with LiquidityPanel.from_long.",
            file=path,
        )
    try:
        text, seal = metadata[KEY].decode(), metadata[KEY + b".sha256"].decode()
        about = loaded(text)
        version = about["version"]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError("The file's record of the panel cannot be read: it was changed.", file=path) from error
    if version != VERSION:
        raise DataError(f"The file is of version {version}, {VERSION} is read: update drainstats.", file=path)
    return about, text, seal


def _columns(path: Path, fields: list[str], shape: tuple[int, ...]) -> dict[str, Any]:
    """The file's columns as flat arrays, filled group by group so that the file is not in memory twice."""
    arrow, parquet = require_extra("pyarrow", "ticks"), require_extra("pyarrow.parquet", "ticks")
    cells = shape[0] * shape[1]
    kinds = {"time": np.int64, **dict.fromkeys(fields, np.float64), "available_at": np.int64, "status": np.int8}
    columns: dict[str, Any] = {name: np.empty(cells, dtype=kind) for name, kind in kinds.items()}
    try:
        with parquet.ParquetFile(path) as file:
            if file.metadata.num_rows != cells:
                raise DataError("The file has other rows than its record says: it was changed.", file=path)
            start = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(kinds))
                for name, out in columns.items():
                    column = table[name].cast("int64").fill_null(NAT) if out.dtype == np.int64 else table[name]
                    out[start : start + len(column)] = column.to_numpy()
                start += table.num_rows
    except (arrow.ArrowException, KeyError, OSError, TypeError) as error:
        raise DataError(f"The file's columns cannot be read ({error}).", file=path) from error
    return columns


def _digest(text: str, times: IntArray, arrays: list[Any]) -> str:
    seal = hashlib.sha256(text.encode())
    seal.update(np.ascontiguousarray(times).data)
    for values in arrays:
        for row in values:
            seal.update(np.ascontiguousarray(row).data)
    return seal.hexdigest()


def _write(
    name: str,
    text: str,
    seal: str,
    times: IntArray,
    assets: list[str],
    fields: dict[str, Any],
    available: IntArray,
    status: Any,
) -> None:
    arrow, parquet = require_extra("pyarrow", "ticks"), require_extra("pyarrow.parquet", "ticks")
    stamp = arrow.timestamp("ns", tz="UTC")
    columns = [("time", stamp), ("asset", arrow.dictionary(arrow.int32(), arrow.string()))]
    columns += [(f, arrow.float64()) for f in fields] + [("available_at", stamp), ("status", arrow.int8())]
    schema = arrow.schema(columns, metadata={KEY: text.encode(), KEY + b".sha256": seal.encode()})
    labels = arrow.array(assets, arrow.string())
    many = max(1, GROUP // max(1, len(times)))
    with parquet.ParquetWriter(name, schema, compression="zstd", use_dictionary=["asset", "time"]) as writer:
        for first in range(0, len(assets), many):
            part = slice(first, min(first + many, len(assets)))
            count = part.stop - part.start
            which = arrow.array(np.repeat(np.arange(part.start, part.stop, dtype=np.int32), len(times)))
            known = available[part].ravel()
            arrays = [
                arrow.array(np.tile(times, count)).cast(stamp),
                arrow.DictionaryArray.from_arrays(which, labels),
                *(arrow.array(np.ascontiguousarray(v[part]).ravel()) for v in fields.values()),
                arrow.array(known, mask=known == NAT).cast(stamp),
                arrow.array(status[part].ravel()),
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
