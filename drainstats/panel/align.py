"""Clocks: which row a bar belongs to, and when that row was known.

A row is labelled by its start. It is known at its end, plus a delay: joining by label leaks, because the daily bar of
12 March is complete only at midnight. Joins therefore place a bar in the first row whose end is not before the moment
at which the bar became available.

=========================  =======================================================================================
clock                      rows
=========================  =======================================================================================
``utc_day`` ``utc_hour``   days, hours of UTC; ``utc_15min``, ``utc_5s`` … are rows of that many units since 1970
``session:XNYS``           one row a session of the exchange, labelled by its date, ended by its true close; every
                           calendar of exchange_calendars (extra ``calendars``) by its code: ``session:XTKS``
``session:XNYS:hour``      rows inside the sessions, on the clock (9:00, 10:00 …); the last ends at the close
=========================  =======================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, require_extra
from drainstats.panel import sessions as exchange
from drainstats.typing import BoolArray, IntArray

_UNITS = {"day": "D", "hour": "h", "minute": "min", "min": "min", "second": "s", "s": "s"}
_LENGTH = r"(\d*)(day|hour|minute|min|second|s)"
DAY = pd.Timedelta(days=1)
# Bars further apart than this are daily ones, whatever the hour of their stamps.
DAILY = pd.Timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Clock:
    """A rule that turns stamps into row labels and labels into row ends.

    name : ``utc_day``, ``utc_hour``, ``utc_15min`` …, ``session:XNYS``, ``session:XNYS:hour`` …; step : nominal length
    of a row.
    """

    name: str
    step: pd.Timedelta

    @classmethod
    def named(cls, name: str) -> Clock:
        """The clock of that name; an unknown one raises `OptionError` with the forms that exist."""
        if match := re.fullmatch(f"utc_{_LENGTH}", name):
            return cls(name, _length(match))
        if match := re.fullmatch(f"session:(.+?)(?::{_LENGTH})?", name):
            code = exchange.known_code(match[1])
            if match[3] is None:
                return cls(f"session:{code}", DAY)
            step = pd.Timedelta(int(match[2] or 1), _UNITS[match[3]])
            if step >= DAY or DAY % step != pd.Timedelta(0):
                raise OptionError(f"clock={name!r}: rows inside a session are a part of a day, such as hour or 30min.")
            return cls(f"session:{code}:{match[2]}{match[3]}", step)
        raise OptionError(
            f"clock={name!r} is not known: use utc_day, utc_hour, utc_<n>min, utc_<n>s, session:XNYS (or the code of "
            "another exchange) or session:XNYS:hour."
        )

    @classmethod
    def inferred(cls, stamps: pd.DatetimeIndex) -> Clock:
        """The UTC clock whose step is the usual distance between neighbouring stamps."""
        if len(stamps) < 2:
            return cls.named("utc_day")
        gaps = np.diff(np.unique(stamps.as_unit("ns").asi8))
        step = pd.Timedelta(int(np.median(gaps)), "ns")
        if step >= DAILY:
            return cls.named("utc_day")
        for unit, word in (("h", "hour"), ("min", "min"), ("s", "s")):
            count = step / pd.Timedelta(1, unit)
            if count >= 1 and count == int(count):
                return cls.named(f"utc_{'' if count == 1 else int(count)}{word}")
        raise DataError(f"No clock has the step {step}: aggregate the bars to whole seconds, or pass clock=.")

    @property
    def session(self) -> str | None:
        """The exchange whose sessions make the rows, or None for a clock that never stops."""
        return self.name.split(":")[1] if self.name.startswith("session:") else None

    @property
    def whole_sessions(self) -> bool:
        """Whether a row is a whole session."""
        return self.session is not None and self.step == DAY

    def label(self, stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The row of each bar that starts at that stamp (`placed` says which of them lie outside the sessions)."""
        return pd.DatetimeIndex(placed(self, stamps).labels, tz="UTC")

    def end(self, labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When each row ends: at the true close; without the extra ``calendars`` at the regular one, which is late."""
        code = self.session
        if code is None:
            return labels + self.step
        if self.whole_sessions and not exchange.installed():
            return exchange.usual_close(labels, *exchange.REGULAR[code])
        if not len(labels):
            return labels
        calendar = exchange.sessions(code, labels[0], labels[-1])
        if self.whole_sessions:
            return calendar.close_of(labels)
        starts, ends, _ = calendar.rows(self.step)
        asked = labels.as_unit("ns").asi8
        at = np.minimum(np.searchsorted(starts, asked), len(starts) - 1)
        late = asked + self.step.as_unit("ns").value
        return pd.DatetimeIndex(np.where(starts[at] == asked, ends[at], late), tz="UTC")

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Labels of all rows that end at ``first`` or later and have begun before ``last``."""
        if self.session is None:
            start = (first - pd.Timedelta(1, "ns")).floor(self.step)
            return pd.date_range(start, last - pd.Timedelta(1, "ns"), freq=self.step).as_unit("ns")
        calendar = exchange.sessions(self.session, first, last)
        if self.whole_sessions:
            labels, begins, ends = calendar.labels, calendar.opens, calendar.closes
        else:
            labels, ends, which = calendar.rows(self.step)
            begins = np.maximum(labels, calendar.opens[which])
        wanted = (ends >= first.as_unit("ns").value) & (begins < last.as_unit("ns").value)
        return pd.DatetimeIndex(labels[wanted], tz="UTC")


@dataclass(frozen=True, slots=True)
class Placed:
    """Bars on a clock: the row label of each (T,) in nanoseconds, and which of them (T,) lie outside the sessions,
    end after the close, or stand on a day without a session."""

    labels: IntArray
    outside: BoolArray
    late: BoolArray
    idle: BoolArray


def placed(clock: Clock, stamps: pd.DatetimeIndex) -> Placed:
    """The row of each bar that starts at that stamp; the stamps are in order.

    On a session clock, daily bars stand on their date: the exchange's own, or the one that a midnight of UTC names.
    Shorter bars stand in the row in which they begin; those that lie outside the sessions, in the next row.
    """
    at = stamps.as_unit("ns").asi8
    none = np.zeros(len(at), dtype=bool)
    code = clock.session
    if code is None:
        size = clock.step.as_unit("ns").value
        return Placed(at // size * size, none, none, none)
    gaps = np.diff(at)
    if not len(at) or not len(gaps) or np.median(gaps) >= DAILY.as_unit("ns").value:
        if not clock.whole_sessions:
            raise DataError(f"Daily bars came for the clock {clock.name}: put them on session:{code}.")
        return _daily(code, stamps, none)
    require_extra("exchange_calendars", "calendars")
    return _inside(clock, code, at, int(gaps[gaps > 0].min()))


def _daily(code: str, stamps: pd.DatetimeIndex, none: BoolArray) -> Placed:
    if not exchange.installed():
        return Placed(np.maximum.accumulate(_dates(stamps, exchange.REGULAR[code][0])), none, none, none)
    if not len(stamps):
        return Placed(stamps.asi8, none, none, none)
    calendar = exchange.sessions(code, stamps[0], stamps[-1])
    labels = np.maximum.accumulate(_dates(stamps, calendar.zone))
    return Placed(labels, none, none, ~np.isin(labels, calendar.labels))


def _dates(stamps: pd.DatetimeIndex, zone: str) -> IntArray:
    local = stamps.tz_convert(zone).tz_localize(None).normalize().tz_localize("UTC")
    return np.asarray(local.where(stamps != stamps.normalize(), stamps).as_unit("ns").asi8)


def _inside(clock: Clock, code: str, at: IntArray, length: int) -> Placed:
    calendar = exchange.sessions(code, *pd.DatetimeIndex(at[[0, -1]], tz="UTC"))
    if clock.whole_sessions:
        labels, begins, ends = calendar.labels, calendar.opens, calendar.closes
    else:
        labels, ends, which = calendar.rows(clock.step)
        begins = np.maximum(labels, calendar.opens[which])
    row = np.searchsorted(ends, at, side="right")
    outside = at + length <= begins[row]
    late = ~outside & (at + length > ends[row]) & np.isin(ends[row], calendar.closes)
    return Placed(labels[row], outside, late, np.zeros(len(at), dtype=bool))


def _length(match: re.Match[str]) -> pd.Timedelta:
    count = int(match[1] or 1)
    if count < 1:
        raise OptionError(f"clock={match[0]!r}: a row has at least one {match[2]}.")
    return pd.Timedelta(count, _UNITS[match[2]])
