"""Time stamps of files: numbers since 1970 in any unit, and the ways in which vendors write dates. UTC comes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.typing import BoolArray

# Seconds, milli-, micro- and nanoseconds since 1970 are told apart by size: each covers 1973 to 5138 on its own scale.
_EPOCHS = {"s": (10**8, 10**11, 10**9), "ms": (10**11, 10**14, 10**6), "us": (10**14, 10**17, 10**3)}
_EPOCHS |= {"ns": (10**17, 10**20, 1)}
# What stands after a clock time: Z, UTC, +01, +0100, +01:00. A date alone ends in -05 too, so the time must be there.
_ZONED = r"(?:Z|UTC|[T ]\d[\d:.]*\s*[+-]\d{2}(?::?\d{2})?)$"
_OFFSET = r"([+-]\d{2}(?::?\d{2})?)$"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMPACT = r"(?:19|20)\d{6}"
# Dates in which the order of day and month is certain; 01/10/92 is no date of which one could be sure.
_STYLES = (
    "%B %d, %Y",
    "%b %d, %Y",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %I-%p",
    "%Y%m%d %H:%M",
    "%Y%m%d %H:%M:%S.%f",
    "%Y%m%d-%H%M%S.%f",
)
_STYLED = re.compile(r"[A-Za-z]{3,9} \d|\d{4}/\d|\d{4}-\d\d?-\d\d? \d\d?-|\d{8}[ -]\d")
_NO_EPOCH = "is no time since 1970 in seconds, milli-, micro- or nanoseconds"
# Nanoseconds, which panels count in, end in 2262.
_LATEST = pd.Timestamp("2200-12-31").value
_SHOWN = 80
_FAR = "lies outside the years 1700 to 2200"


def shown(cell: object) -> str:
    """A cell as errors show it: its beginning, in quotes."""
    if isinstance(cell, pd.Timestamp) and not 1 <= cell.year <= 9999:
        # Python's calendar, by which pandas writes a time, ends in 9999.
        cell = cell.to_numpy()
    text = str(cell).strip()
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


class StampColumn:
    """A column of stamps as it stands in a file, and where, so that a fault names its line.

    values : integers, floats, datetimes or text; name, file : of the column; line : from row number to line.
    """

    def __init__(self, values: Any, name: str, file: Any, line: Callable[[int], int]) -> None:
        self.values, self.name, self.file, self.line = values, name, file, line

    def to_utc(self, rules: list[str], *, mixed: bool = False, zone: str = "UTC") -> pd.DatetimeIndex:
        """UTC nanoseconds; what was assumed is added to ``rules``. ``mixed`` allows several epoch units in a column."""
        values = self.values
        if isinstance(values, pd.Series) and pd.api.types.is_datetime64_any_dtype(values):
            return self._datetimes(values, rules, zone)
        if np.asarray(values).dtype.kind in "iuf":
            numbers = np.asarray(values)
            if numbers.dtype.kind in "iu" and ((numbers >= 19000101) & (numbers <= 21001231)).all():
                return self._texts(pd.Series(numbers.astype(str), dtype="str"), rules, zone)
            return self._epochs(numbers, rules, mixed)
        text = pd.Series(values, dtype="str").str.strip()
        if not _NUMBER.fullmatch(str(text.iloc[0])) or text.str.fullmatch(_COMPACT).all():
            return self._texts(text, rules, zone)
        numbers = pd.to_numeric(text, errors="coerce")
        self._refuse(np.asarray(numbers.isna()), "is not a number, as the stamps before it are")
        return self._epochs(numbers.to_numpy(), rules, mixed)

    def _refuse(self, bad: BoolArray, why: str) -> None:
        rows = np.flatnonzero(bad)
        if len(rows):
            cell = self.values.iloc[rows[0]] if isinstance(self.values, pd.Series) else self.values[rows[0]]
            raise DataError(f"{shown(cell)} {why}.", file=self.file, row=self.line(int(rows[0])), column=self.name)

    def _datetimes(self, values: pd.Series, rules: list[str], zone: str) -> pd.DatetimeIndex:
        self._refuse(np.asarray(values.isna()), "is no time")
        index = pd.DatetimeIndex(values)
        if index.tz is None:
            index = self._localized(index, rules, zone)
        return self._nanoseconds(index.tz_convert("UTC"))

    def _epochs(self, numbers: np.ndarray, rules: list[str], mixed: bool) -> pd.DatetimeIndex:
        units = {unit: (numbers >= low) & (numbers < high) for unit, (low, high, _) in _EPOCHS.items()}
        first = next((unit for unit, rows in units.items() if rows[0]), None)
        if mixed or first is None:
            self._refuse(~np.logical_or.reduce(list(units.values())), _NO_EPOCH)
        else:
            why = f"is not in {first} since 1970, as the first row is; bring the stamps to one unit"
            self._refuse(~units[first], why)
            units = {first: units[first]}
        nanoseconds = np.zeros(len(numbers), dtype=np.int64)
        for unit, rows in units.items():
            if not rows.any():
                continue
            rules.append(f"epoch-{unit}")
            scale = _EPOCHS[unit][2]
            self._refuse(rows & (numbers > _LATEST // scale), "lies after the year 2200")
            where = slice(None) if rows.all() else rows
            nanoseconds[where] = _from_epoch(numbers[where], scale)
        return pd.DatetimeIndex(nanoseconds.view("datetime64[ns]")).tz_localize("UTC")

    def _texts(self, text: pd.Series, rules: list[str], zone: str) -> pd.DatetimeIndex:
        zoned = np.asarray(text.str.contains(_ZONED, regex=True), dtype=bool)
        stamps = _parsed(text)
        # "now" and "today" are times to pandas.
        words = ~np.asarray(text.str.contains("[0-9]", regex=True), dtype=bool)
        self._refuse(np.asarray(stamps.isna()) | words, "is not an ISO date or time")
        missing = "names no time zone, the first row does" if zoned[0] else "names a time zone, the first row does not"
        self._refuse(zoned != zoned[0], f"{missing}; give all stamps one")
        index = self._nanoseconds(pd.DatetimeIndex(stamps))
        if zoned[0]:
            if text.str.extract(_OFFSET)[0].fillna("Z").nunique() > 1:
                rules.append("offsets-to-utc")
            return index
        return self._localized(index.tz_localize(None), rules, zone)

    def _localized(self, local: pd.DatetimeIndex, rules: list[str], zone: str) -> pd.DatetimeIndex:
        if zone == "UTC":
            rules.append("naive-as-utc")
            return local.tz_localize("UTC")
        known = local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        self._refuse(np.asarray(known.isna()), f"does not name one moment in {zone}, where clocks were changed then")
        return known.tz_convert("UTC")

    def _nanoseconds(self, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
        years = index.year
        self._refuse(np.asarray((years < 1700) | (years > 2200)), _FAR)
        return index.as_unit("ns")


def _from_epoch(numbers: np.ndarray, scale: int) -> np.ndarray:
    if numbers.dtype.kind != "f":
        return numbers.astype(np.int64) * scale
    # Floats hold a second of this century to a quarter of a microsecond; what lies below is noise.
    per_second = 10**9 // scale
    whole = np.floor(numbers / per_second)
    micro = np.rint((numbers - whole * per_second) * (1e6 / per_second))
    return whole.astype(np.int64) * 10**9 + micro.astype(np.int64) * 1000


def _parsed(text: pd.Series) -> pd.Series:
    plain = text.str.replace("UTC", "Z") if str(text.iloc[0]).endswith("UTC") else text
    stamps = pd.to_datetime(plain, errors="coerce", utc=True, format="ISO8601")
    for style in _STYLES:
        missing = np.asarray(stamps.isna())
        # A cell that looks like none of the styles is refused later: no use in trying them all.
        if not missing.any() or not _STYLED.match(str(plain.iloc[int(np.argmax(missing))])):
            break
        stamps[missing] = pd.to_datetime(plain[missing], errors="coerce", utc=True, format=style)
    return stamps


def seconds_after_midnight(seconds: Sequence[float] | np.ndarray, day: str, zone: str) -> pd.DatetimeIndex:
    """Stamps of a day from decimal seconds after its local midnight, to the nanosecond.

    Examples
    --------
    >>> str(seconds_after_midnight([34200.5], "2012-06-21", "America/New_York")[0])
    '2012-06-21 13:30:00.500000+00:00'
    """
    midnight = pd.Timestamp(day, tz=zone).tz_convert("UTC").value
    values = np.asarray(seconds, dtype=np.float64)
    whole = np.floor(values)
    rest = np.rint((values - whole) * 1e9).astype(np.int64)
    stamps = midnight + whole.astype(np.int64) * 10**9 + rest
    return pd.DatetimeIndex(stamps.view("datetime64[ns]")).tz_localize("UTC")
