"""Sessions of an exchange: when it opened and closed, day by day.

With the extra ``calendars`` (package exchange_calendars) they are the true ones: holidays, half days, lunch breaks and
the hours of former times. Without it only XNYS is known, by its regular close: 16:00 in New York, never earlier than
the true close. That is late and so cannot leak; where the difference could move a bar into another row, it is an error.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, require_extra
from drainstats.typing import BoolArray, IntArray

REGULAR = {"XNYS": ("America/New_York", pd.Timedelta(hours=16))}
# No close of the NYSE lies before noon local time: a bar known before it, or after 16:00, has one possible row.
EARLIEST_CLOSE = {"XNYS": pd.Timedelta(hours=12)}
NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions in order, as nanoseconds since 1970 (UTC).

    zone : the exchange's time zone; labels : (S,) their dates at midnight UTC; opens, closes : (S,); breaks : (2, S)
    start and end of the lunch break, `NEVER` where there is none; regular : time of the usual close after midnight.
    """

    zone: str
    labels: IntArray
    opens: IntArray
    closes: IntArray
    breaks: IntArray
    regular: pd.Timedelta

    def close_of(self, labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When the sessions of those dates closed; a date without a session gets the usual close."""
        usual = usual_close(labels, self.zone, self.regular).as_unit("ns").asi8
        asked = labels.as_unit("ns").asi8
        at = np.minimum(np.searchsorted(self.labels, asked), max(len(self.labels) - 1, 0))
        known = self.labels[at] == asked if len(self.labels) else np.zeros(len(asked), dtype=bool)
        return pd.DatetimeIndex(np.where(known, self.closes[at], usual), tz="UTC")

    def are(self, labels: pd.DatetimeIndex) -> BoolArray:
        """Which of those dates had a session."""
        return np.isin(labels.as_unit("ns").asi8, self.labels)

    def rows(self, step: pd.Timedelta) -> tuple[IntArray, IntArray, IntArray]:
        """Labels, ends and sessions of the rows of length ``step`` inside the sessions.

        Rows start on the clock (9:00, 10:00 …), so that hours of an exchange and of a market that never stops are the
        same hours; the last one ends at the close. Rows that lie wholly inside a lunch break are left out.
        """
        size = step.as_unit("ns").value
        first = self.opens // size * size
        count = -((first - self.closes) // size)
        which = np.repeat(np.arange(len(count)), count)
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        after = np.r_[NEVER, self.closes[:-1]]
        starts = np.maximum(first[which] + place * size, after[which])
        ends = np.minimum(first[which] + (place + 1) * size, self.closes[which])
        open_ = ~((starts >= self.breaks[0][which]) & (ends <= self.breaks[1][which]))
        return starts[open_], ends[open_], which[open_]


def usual_close(labels: pd.DatetimeIndex, zone: str, close: pd.Timedelta) -> pd.DatetimeIndex:
    """The time ``close`` after local midnight of those dates, in UTC."""
    return (labels.tz_localize(None) + close).tz_localize(zone).tz_convert("UTC")


def installed() -> bool:
    """Whether the extra ``calendars`` is there."""
    return importlib.util.find_spec("exchange_calendars") is not None


def known_code(code: str) -> str:
    """The calendar's own code for a code or alias; an unknown one raises `OptionError`."""
    if code in REGULAR:
        return code
    calendars = require_extra("exchange_calendars", "calendars")
    if code not in calendars.get_calendar_names():
        listed = ", ".join(sorted(calendars.get_calendar_names(include_aliases=False)))
        raise OptionError(f"There is no calendar {code!r}; exchange_calendars knows {listed}.")
    return str(calendars.resolve_alias(code))


def sessions(code: str, first: pd.Timestamp, last: pd.Timestamp) -> Sessions:
    """The sessions of an exchange from the year of ``first`` to at least a month after ``last``.

    Raises
    ------
    MissingExtraError
        Without the extra ``calendars``.
    DataError
        When the calendar does not reach back or forward that far.
    """
    low, high = _bounds(code)
    if not low <= f"{first:%Y-%m-%d}" <= f"{last:%Y-%m-%d}" <= high:
        raise DataError(
            f"The holidays of {code} are recorded from {low} to {high}, the data run from {first:%Y-%m-%d} to "
            f"{last:%Y-%m-%d}: cut them, or use a UTC clock."
        )
    # Whole decades, so that panels of about the same span share one calendar.
    start, end = f"{first.year // 10 * 10}-01-01", f"{(last + pd.Timedelta(days=31)).year}-12-31"
    return _read(code, max(start, low), min(end, high))


@cache
def _bounds(code: str) -> tuple[str, str]:
    names = require_extra("exchange_calendars", "calendars")
    with _quiet():
        calendar = names.get_calendar(code)
    low, high = calendar.bound_min(), calendar.bound_max()
    return "1900-01-01" if low is None else f"{low:%Y-%m-%d}", "2200-12-31" if high is None else f"{high:%Y-%m-%d}"


@contextmanager
def _quiet() -> Iterator[None]:
    """What the calendars' package does with its own tables is not the user's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=16)
def _read(code: str, first: str, last: str) -> Sessions:
    names = require_extra("exchange_calendars", "calendars")
    with _quiet():
        calendar = names.get_calendar(code, start=first, end=last)
        table = calendar.schedule
        parts = {name: _nanoseconds(table[name]) for name in ("open", "close", "break_start", "break_end")}
        hours, offset = calendar.close_times[-1][1], calendar.close_offset
    regular = pd.Timedelta(hours=hours.hour, minutes=hours.minute) + pd.Timedelta(days=offset)
    labels = pd.DatetimeIndex(table.index).tz_localize("UTC").as_unit("ns").asi8
    breaks = np.stack([parts["break_start"], parts["break_end"]])
    return Sessions(str(calendar.tz), labels, parts["open"], parts["close"], breaks, regular)


def _nanoseconds(column: Any) -> IntArray:
    return np.asarray(pd.DatetimeIndex(column).as_unit("ns").asi8)
