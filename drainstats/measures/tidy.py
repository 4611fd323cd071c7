"""Tidy tables of trades and quotes taken apart: what measures over events ask of their input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import in_utc, to_pandas
from drainstats.measures.inputs import CELLS, LARGEST, SMALLEST
from drainstats.typing import FloatArray, IntArray

DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Events:
    """Rows of a tidy table.

    time : (n,) nanoseconds since 1970, UTC; index : their labels; asset : (n,) names or None; numbers : name → (n,)
    floats; side : (n,) int8 or None. None of them is to be written to.
    """

    time: IntArray
    index: pd.DatetimeIndex
    asset: Any
    numbers: dict[str, FloatArray]
    side: Any

    def parts(self) -> Iterator[tuple[Any, Any]]:
        """Each asset and where its rows are, in the order of first rows; ``None`` where the table names none."""
        if self.asset is None:
            yield None, slice(None)
        else:
            codes, names = pd.factorize(self.asset)
            for k, name in enumerate(names):
                yield name, np.flatnonzero(codes == k)


def events(table: Any, kind: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> Events:
    """Take a tidy table apart; columns of ``optional`` that are not there hold NaN.

    Raises
    ------
    DataError
        No rows, no index of stamps, a missing stamp, column or asset, text for numbers, numbers beyond 1e±100, stamps
        of an asset that run backwards.
    """
    frame = to_pandas(table)
    if isinstance(frame, pd.DataFrame) and not isinstance(frame.index, pd.DatetimeIndex) and "time" in frame:
        frame = frame.set_index("time")
    if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError(
            f"A table of {kind} has an index of time stamps, as read_{kind} returns it; {type(frame).__name__} came."
        )
    if not len(frame):
        raise DataError(f"The table of {kind} has no rows.")
    if frame.index.hasnans:
        raise DataError("The stamp is missing.", row=int(np.flatnonzero(frame.index.isna())[0]), column="time")
    numbers = {}
    for name in (*needed, *optional):
        if name in frame:
            numbers[name] = _floats(frame, name)
        elif name in optional:
            numbers[name] = still(np.full(len(frame), np.nan))
        else:
            raise DataError(f"No column {name!r}; the {kind} have {', '.join(map(str, frame.columns))}.")
    try:
        time = still(frame.index.as_unit("ns").asi8)
    except pd.errors.OutOfBoundsDatetime as error:
        raise DataError(f"A stamp lies outside the years 1678 to 2261 ({error}).") from error
    found = Events(time, in_utc(frame.index), _assets(frame), numbers, _sides(frame))
    for _, rows in found.parts():
        back = np.flatnonzero(np.diff(found.time[rows]) < 0)
        if len(back):
            raise DataError(
                f"The {kind} are not in time order; sort them by their stamps, stably, first.",
                row=found.index[rows][back[0] + 1],
            )
    return found


def _floats(frame: pd.DataFrame, name: str) -> FloatArray:
    try:
        values = still(np.asarray(frame[name], dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"The column holds text where numbers are expected ({error}).", column=name) from error
    for first in range(0, len(values), CELLS):
        size = np.abs(values[first : first + CELLS])
        far = ((size < SMALLEST) & (size != 0)) | ((size > LARGEST) & (size < np.inf))
        if far.any():
            row = first + int(np.argmax(far))
            raise DataError(
                f"{float(values[row])!r} is too far from one to compute with; change its unit.",
                row=frame.index[row], column=name,
            )  # fmt: skip
    return values


def still(array: Any) -> Any:
    """A contiguous array that cannot be written to: kernels are compiled for such arrays only, as pandas gives them."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _sides(frame: pd.DataFrame) -> Any:
    if "side" not in frame:
        return None
    side = np.asarray(frame["side"])
    bad = ~np.isin(side, (-1, 0, 1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"{side[row]!r} is none of 1, -1, 0.", row=frame.index[row], column="side")
    return side.astype(np.int8)


def _assets(frame: pd.DataFrame) -> Any:
    if "asset" not in frame:
        return None
    missing = np.flatnonzero(frame["asset"].isna())
    if len(missing):
        raise DataError("The asset is missing.", row=frame.index[missing[0]], column="asset")
    return np.asarray(frame["asset"], dtype=object)


def span(name: str, value: Any, least: int = 0) -> int:
    """A length of time in nanoseconds, at least ``least``; else an `OptionError`."""
    try:
        length = pd.Timedelta(value)
    except (ValueError, TypeError) as error:
        raise OptionError(f"{name}={value!r} is no length of time such as '5s'.") from error
    if pd.isna(length) or length.as_unit("ns").value < least:
        raise OptionError(f"{name}={value!r} must be {'above' if least else 'at least'} zero.")
    return int(length.as_unit("ns").value)


def interval_of(time: IntArray, every: Any) -> IntArray:
    """Start of the interval [t, t + every) of each stamp, from midnight UTC on and cut there, as in `tick_bars`."""
    step = span("every", every, 1)
    if step > DAY:
        raise OptionError(f"every={every!r} must be at most one day: intervals restart at midnight UTC.")
    return time - (time % DAY) % step


def stretches(start: IntArray) -> IntArray:
    """(G + 1,) where runs of equal numbers begin, and the end."""
    return np.concatenate([[0], np.flatnonzero(np.diff(start)) + 1, [len(start)]]).astype(np.int64)


def stamps(time: IntArray) -> pd.DatetimeIndex:
    """Nanoseconds as UTC labels."""
    return pd.DatetimeIndex(time.astype("datetime64[ns]"), tz="UTC", name="time")
