"""`read_bars`: bars from a CSV or Parquet file, checked cell by cell, errors that name file, row and column."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, require_extra
from drainstats.sources.schema import ALIASES, BAR_COLUMNS, canonical

FORMATS = ("csv", "parquet")
MAX_BYTES = 4 * 2**30
# Seconds, milli-, micro- and nanoseconds since 1970 are told apart by size: each covers 1973 to 5138 on its own scale.
_EPOCHS = ((1e8, 1e11, "s"), (1e11, 1e14, "ms"), (1e14, 1e17, "us"), (1e17, 1e20, "ns"))


def read_bars(path: str | os.PathLike[str], format: str | None = None, asset: str | None = None) -> pd.DataFrame:
    """Read a file of bars into a tidy table.

    Parameters
    ----------
    path : path
        ``.csv``, ``.csv.gz`` or ``.parquet`` with a header: a time column and at least ``close``. Usual spellings of
        the headers are known (``Date``, ``Adj Close``, ``quote_volume`` …); other columns are left aside and listed
        in ``attrs["ignored"]``.
    format : {"csv", "parquet"}, optional
        By the file's ending if not given.
    asset : str, optional
        Adds a column ``asset`` with this name.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC, bar starts, in the order of the file: duplicates and disorder are left for the panel,
        which records what it does to them); float columns among ``open high low close volume dollar_volume adjusted``.
        ``attrs["rules"]`` lists what was assumed: stamps without a zone are read as UTC, whole numbers as seconds,
        milli-, micro- or nanoseconds since 1970 by their size.

    Raises
    ------
    DataError
        Empty file, no time or close column, text in a number, a stamp that cannot be read, mixed time zones or units:
        with the file, the line (1-based, the header is line 1) and the column.
    MissingExtraError
        Parquet without the extra ``ticks``.

    Examples
    --------
    >>> import pathlib, tempfile, drainstats as ds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "btc.csv"
    >>> _ = path.write_text("Date,Close,Volume\\n2024-01-01,42000,10\\n2024-01-02,43000,12\\n")
    >>> ds.read_bars(path)["close"].tolist()
    [42000.0, 43000.0]
    """
    path = Path(path)
    name = format or ("parquet" if path.suffix == ".parquet" else "csv")
    check_option("format", name, FORMATS)
    if not path.is_file():
        raise DataError("There is no such file.", file=path)
    raw = _read_csv(path) if name == "csv" else _read_parquet(path)
    headers: dict[str, str] = {}
    for header in raw.columns:
        known = canonical(str(header))
        if known and known not in headers:
            headers[known] = header
    for needed in ("time", "close"):
        if needed not in headers:
            spelled = ", ".join(ALIASES[needed])
            raise DataError(
                f"No {needed} column: one of {spelled} is expected, the header has {', '.join(map(str, raw.columns))}.",
                file=path,
                row=1,
            )
    if raw.empty:
        raise DataError("The file has a header and no rows.", file=path)
    rules: list[str] = []
    index = _stamps(raw[headers["time"]], path, rules)
    columns = {c: _numbers(raw[headers[c]], path) for c in BAR_COLUMNS if c in headers}
    table = pd.DataFrame(columns, index=index.rename("time"))
    if asset is not None:
        table.insert(0, "asset", asset)
    table.attrs = {"rules": rules, "ignored": [c for c in raw.columns if c not in headers.values()], "file": str(path)}
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise DataError(f"The file cannot be read ({error}).", file=path) from error
    if len(content) > MAX_BYTES:
        raise DataError(f"The file holds more than {MAX_BYTES >> 30} GiB; split it, or use Parquet.", file=path)
    if not content.strip():
        raise DataError("The file is empty.", file=path)
    try:
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"The file is not a table ({str(error).strip()}).", file=path) from error


def _read_parquet(path: Path) -> pd.DataFrame:
    require_extra("pyarrow", "ticks")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"The file is not Parquet ({error}).", file=path) from error
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _line(position: int) -> int:
    return int(position) + 2  # the header is line 1


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    text = column.astype(object).where(column.notna(), "")
    numbers = pd.to_numeric(text.replace({"": np.nan, "NaN": np.nan, "nan": np.nan, "NULL": np.nan}), errors="coerce")
    filled = ~text.astype(str).str.strip().isin(["", "NaN", "nan", "NULL"])
    bad = np.flatnonzero(np.asarray(numbers.isna() & filled))
    if len(bad):
        raise DataError(f"{text.iloc[bad[0]]!r} is not a number.", file=path, row=_line(bad[0]), column=column.name)
    return np.asarray(numbers, dtype=np.float64)


def _stamps(column: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column).tz_convert("UTC")
    if pd.api.types.is_datetime64_dtype(column):
        rules.append("naive-as-utc")
        return pd.DatetimeIndex(column).tz_localize("UTC")
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return _epochs(numbers, column, path, rules)
    return _texts(column.astype(str), path, rules)


def _epochs(numbers: pd.Series, column: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    units = np.full(len(numbers), "", dtype=object)
    for low, high, unit in _EPOCHS:
        units[np.asarray((numbers >= low) & (numbers < high))] = unit
    odd = np.flatnonzero(units != units[0]) if units[0] else np.array([0])
    if len(odd):
        what = "is no time since 1970" if not units[odd[0]] else f"is in {units[odd[0]]}, the first row in {units[0]}"
        raise DataError(
            f"{column.iloc[odd[0]]!r} {what}; bring the stamps to one unit.",
            file=path,
            row=_line(odd[0]),
            column=column.name,
        )
    rules.append(f"epoch-{units[0]}")
    return pd.DatetimeIndex(pd.to_datetime(numbers.astype("int64"), unit=units[0], utc=True))


def _texts(text: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    zoned = text.str.contains(r"(?:Z|UTC|[+-]\d{2}:?\d{2})\s*$", regex=True)
    if zoned.any() and not zoned.all():
        odd = int(np.flatnonzero(np.asarray(zoned != zoned.iloc[0]))[0])
        raise DataError(
            "Some stamps name a time zone and some do not; give all of them one.",
            file=path,
            row=_line(odd),
            column=text.name,
        )
    stamps = pd.to_datetime(text.str.replace("UTC", "Z"), errors="coerce", utc=True, format="ISO8601")
    bad = np.flatnonzero(np.asarray(stamps.isna()))
    if len(bad):
        raise DataError(
            f"{text.iloc[bad[0]]!r} is not an ISO date or time.", file=path, row=_line(bad[0]), column=text.name
        )
    if not zoned.any():
        rules.append("naive-as-utc")
    return pd.DatetimeIndex(stamps)
