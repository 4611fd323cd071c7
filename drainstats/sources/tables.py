"""`read_bars`: bars from a CSV or Parquet file, checked cell by cell, errors that name file, row and column."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, require_extra
from drainstats.sources.schema import ALIASES, BAR_COLUMNS, canonical

FORMATS = ("csv", "parquet")
MAX_BYTES = 2**30
# What stands after a clock time: Z, UTC, +01, +0100, +01:00. A date alone ends in -05 too, so the time must be there.
_ZONED = r"(?:Z|UTC|[T ]\d[\d:.]*\s*[+-]\d{2}(?::?\d{2})?)\s*$"
_OFFSET = r"([+-]\d{2}(?::?\d{2})?)\s*$"
_BLANK = ("", "NaN", "nan", "NULL")
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
        By the file's ending if not given. Files of more than 1 GiB, uncompressed, are refused.
    asset : str, optional
        Adds a column ``asset`` with this name.

    Returns
    -------
    DataFrame
        Index ``time`` (UTC, bar starts, in the order of the file: duplicates and disorder are left for the panel,
        which records what it does to them); float columns among ``open high low close volume dollar_volume adjusted``.
        Values are as in the file: infinite, negative and crossed prices too are left for the panel.
        ``attrs["rules"]`` lists what was assumed: ``naive-as-utc`` (stamps without a zone are UTC), ``offsets-to-utc``
        (stamps with several offsets, as around daylight saving), ``epoch-s``, ``-ms``, ``-us`` or ``-ns`` (numbers are
        times since 1970, the unit told by their size; eight digits such as 20240131 are a date).

    Raises
    ------
    DataError
        Empty file, no time or close column, one header twice, a row that is shorter or longer than the header, text in
        a number, a stamp that cannot be read, stamps with and without a zone, or of several units: with the file, the
        line (1-based, the header is line 1) and the column.
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
    name = format or ("parquet" if path.suffix.lower() == ".parquet" else "csv")
    check_option("format", name, FORMATS)
    if not path.is_file():
        raise DataError("There is no such file.", file=path)
    raw = _read_csv(path) if name == "csv" else _read_parquet(path)
    headers = canonical(map(str, raw.columns))
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
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"The file cannot be read ({error}).", file=path) from error
    _check_size(len(content), path)
    content = content.rstrip()
    if not content:
        raise DataError("The file is empty.", file=path)
    try:
        _check_cells(content, path)
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (csv.Error, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"The file is not a table ({str(error).strip()}).", file=path) from error


def _check_cells(content: bytes, path: Path) -> None:
    # pandas renames a header that stands twice, fills short rows with empty cells and takes surplus ones as an index.
    with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        header = [cell.strip() for cell in next(rows)]
        plain = [cell.lower() for cell in header]
        twice = [cell for i, cell in enumerate(header) if plain[i] in plain[:i]]
        if twice:
            raise DataError(f"The header has {twice[0]!r} twice; rename one.", file=path, row=1, column=twice[0])
        for row in rows:
            if len(row) != len(header):
                raise DataError(
                    f"The row has {len(row)} cells, the header {len(header)}; is the file cut off, or a cell unquoted?",
                    file=path,
                    row=rows.line_num,
                )


def _read_parquet(path: Path) -> pd.DataFrame:
    parquet = require_extra("pyarrow.parquet", "ticks")
    try:
        metadata = parquet.read_metadata(path)
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        frame = pd.read_parquet(path) if size <= MAX_BYTES else pd.DataFrame()
    except (OSError, ValueError) as error:
        raise DataError(f"The file is not Parquet ({error}).", file=path) from error
    _check_size(size, path)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _check_size(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise DataError(f"The file holds more than {MAX_BYTES:,} bytes, uncompressed; split it by time.", file=path)


def _line(position: int) -> int:
    return int(position) + 2  # the header is line 1


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    text = column.astype(object).where(column.notna(), "")
    numbers = pd.to_numeric(text.replace(dict.fromkeys(_BLANK, np.nan)), errors="coerce")
    filled = ~text.astype(str).str.strip().isin(_BLANK)
    bad = np.flatnonzero(np.asarray(numbers.isna() & filled))
    if len(bad):
        raise DataError(f"{text.iloc[bad[0]]!r} is not a number.", file=path, row=_line(bad[0]), column=column.name)
    return np.asarray(numbers, dtype=np.float64)


def _stamps(column: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    if pd.api.types.is_datetime64_any_dtype(column):
        _refuse(column.isna(), column, "is no time", path)
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            return pd.DatetimeIndex(column).tz_convert("UTC")
        rules.append("naive-as-utc")
        return pd.DatetimeIndex(column).tz_localize("UTC")
    text = column.astype(str).str.strip()
    numbers = pd.to_numeric(column, errors="coerce")
    if pd.isna(numbers.iloc[0]) or text.str.fullmatch(r"(?:19|20)\d{6}").all():
        return _texts(text, path, rules)
    return _epochs(numbers, column, path, rules)


def _refuse(bad: pd.Series, column: pd.Series, why: str, path: Path) -> None:
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        raise DataError(f"{str(column.iloc[rows[0]])!r} {why}.", file=path, row=_line(rows[0]), column=column.name)


def _epochs(numbers: pd.Series, column: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    _refuse(numbers.isna(), column, "is not a number, as the stamps before it are", path)
    low, high, unit = next((e for e in _EPOCHS if e[0] <= numbers.iloc[0] < e[1]), (np.inf, np.inf, ""))
    _refuse((numbers < low) | (numbers >= high), column, _wrong_unit(unit), path)
    rules.append(f"epoch-{unit}")
    if pd.api.types.is_integer_dtype(numbers):
        return pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit, utc=True))
    # Floats hold a second of this century to a quarter of a microsecond; what lies below is noise.
    return pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit, utc=True)).round("us")


def _wrong_unit(unit: str) -> str:
    if not unit:
        return "is no time since 1970 in seconds, milli-, micro- or nanoseconds"
    return f"is not in {unit} since 1970, as the first row is; bring the stamps to one unit"


def _texts(text: pd.Series, path: Path, rules: list[str]) -> pd.DatetimeIndex:
    zoned = text.str.contains(_ZONED, regex=True)
    stamps = pd.to_datetime(text.str.replace("UTC", "Z"), errors="coerce", utc=True, format="ISO8601")
    _refuse(stamps.isna(), text, "is not an ISO date or time", path)
    # Nanoseconds, which panels count in, end in 2262.
    _refuse((stamps.dt.year < 1700) | (stamps.dt.year > 2200), text, "lies outside the years 1700 to 2200", path)
    missing = (
        "names a time zone, the first row does not" if not zoned.iloc[0] else "names no time zone, the first row does"
    )
    _refuse(zoned != zoned.iloc[0], text, f"{missing}; give all stamps one", path)
    if not zoned.iloc[0]:
        rules.append("naive-as-utc")
    elif text.str.extract(_OFFSET)[0].fillna("Z").nunique() > 1:
        rules.append("offsets-to-utc")
    return pd.DatetimeIndex(stamps)
