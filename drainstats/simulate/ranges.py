"""What settings may be: numbers in a range, and the length and labels of bars, read alike in both modes."""

from __future__ import annotations

from numbers import Number, Real
from typing import Any

import pandas as pd

from drainstats.errors import OptionError
from drainstats.panel.tables import index_of

DAY = pd.Timedelta(days=1)


def bar_length(freq: Any) -> pd.Timedelta:
    """Length of a bar: ``"D"``, ``"h"``, ``"15min"`` …, above zero and up to a day.

    Raises
    ------
    OptionError
        When it cannot be read, or is longer than a day.
    """
    asked = f"freq={freq!r} must be a length of time up to a day, such as 'D', 'h' or '15min'."
    if not isinstance(freq, str) or not freq:
        raise OptionError(asked)
    try:
        step = pd.Timedelta(freq if freq[:1].isdigit() else f"1{freq}")
    except ValueError as error:
        raise OptionError(asked) from error
    if not pd.Timedelta(0) < step <= DAY:
        raise OptionError(asked)
    return step


def bar_labels(start: Any, rows: int, step: pd.Timedelta) -> pd.DatetimeIndex:
    """Labels of the bars in UTC, to the nanosecond; a naive start is read as UTC.

    Raises
    ------
    OptionError
        When the start is no time stamp, or the bars leave the years 1677 to 2262.
    """
    try:
        first = pd.NaT if isinstance(start, Number) else pd.Timestamp(start)
    except (TypeError, ValueError):
        first = pd.NaT
    if first is pd.NaT:
        raise OptionError(f"start={start!r} is not a time stamp; write it as '2018-01-01'.")
    first = first.tz_localize("UTC") if first.tzinfo is None else first.tz_convert("UTC")
    try:
        return index_of(pd.date_range(first, periods=rows, freq=step).as_unit("ns").asi8)
    except (ValueError, OverflowError) as error:
        raise OptionError(f"start={start!r} and {rows} bars leave the years 1677 to 2262; begin elsewhere.") from error


def check_between(name: str, value: Any, low: float, high: float) -> None:
    """Raise `OptionError` unless the number lies between both, ends included; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise OptionError(f"{name}={value!r} must be a number from {low:g} to {high:g}.")
