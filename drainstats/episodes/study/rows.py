"""From a stamp, or an episode's onset, to the row of the bar that contains it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError


def as_onsets(events: Any) -> list[Any]:
    """One stamp or episode, or several, as a list of stamps; an episode counts by its ``onset``, as in their table."""
    if isinstance(events, pd.DataFrame) and "onset" in events:
        events = events["onset"]
    single = hasattr(events, "onset") or isinstance(events, (str, bytes)) or not isinstance(events, Iterable)
    onsets = [getattr(e, "onset", e) for e in ([events] if single else events)]
    if not onsets:
        raise DataError("No event came; pass a time stamp, an episode, or a list of them.")
    return onsets


CLOSED = ("error", "next", "last")


def row_of(index: pd.Index, onset: Any, closed: str = "error") -> int:
    """The row whose bar contains ``onset``: the last label at or before it, at most one usual bar length earlier.

    When no bar contains it, as on a closed market, ``closed`` decides: an error, the next row, or the last one before.

    Raises
    ------
    DataError
        When no bar contains it; the message names the labels on both sides.
    """
    if not isinstance(index, pd.DatetimeIndex):
        if onset in index:
            return int(index.get_loc(onset))
        raise DataError(f"The event {onset!r} is no row label of the outcome, whose labels run from {_ends(index)}.")
    if not len(index):
        raise DataError("The outcome has no rows; give it history before the event.")
    stamp = _stamp(index, onset)
    row = int(index.searchsorted(stamp, side="right")) - 1
    if row >= 0 and (index[row] == stamp or stamp - index[row] < bar_length(index)):
        return row
    if closed != "error" and _is_near(index, row, stamp):
        near = row if closed == "last" else row + 1
        if 0 <= near < len(index):
            return near
    sides = [iso(index[k]) for k in (row, row + 1) if 0 <= k < len(index)]
    raise DataError(
        f"No row contains the event {iso(stamp)}: the outcome runs from {_ends(index)} and the nearest labels are "
        f"{' and '.join(sides)}. Pass the label of the row that the event belongs to, or closed='next' or 'last'."
    )


def _is_near(index: pd.DatetimeIndex, row: int, stamp: pd.Timestamp) -> bool:
    """Whether a stamp lies between two rows, or no more than ten bars outside of them."""
    if 0 <= row < len(index) - 1:
        return True
    edge = index[0] if row < 0 else index[-1]
    return bool(abs(stamp - edge) <= 10 * bar_length(index))


def bar_length(index: pd.DatetimeIndex) -> pd.Timedelta:
    """The usual step between labels: their median difference."""
    return pd.Timedelta(np.median(np.diff(index.as_unit("ns").asi8))) if len(index) > 1 else pd.Timedelta(0)


def iso(label: Any) -> str:
    """A stamp as an ISO date, with the time of day when it has one; other labels as they are."""
    if not isinstance(label, pd.Timestamp):
        return str(label)
    form = "%Y-%m-%d" if label == label.normalize() else "%Y-%m-%dT%H:%M" if label.second == 0 else "%Y-%m-%dT%H:%M:%S"
    return label.strftime(form)


def _stamp(index: pd.DatetimeIndex, onset: Any) -> pd.Timestamp:
    if isinstance(onset, (int, float)):
        raise DataError(f"The event {onset!r} is a number and the rows are time stamps; write it as 2020-03-12.")
    try:
        stamp = pd.Timestamp(onset)
    except (TypeError, ValueError) as error:
        raise DataError(f"The event {onset!r} is not a time stamp; write it as 2020-03-12.") from error
    if pd.isna(stamp):
        raise DataError("An event has no time stamp (NaT).")
    if stamp.tz is None:
        return stamp if index.tz is None else stamp.tz_localize("UTC").tz_convert(index.tz)
    return stamp.tz_convert("UTC").tz_localize(None) if index.tz is None else stamp.tz_convert(index.tz)


def _ends(index: pd.Index) -> str:
    return f"{iso(index[0])} to {iso(index[-1])}" if len(index) else "nothing to nothing"
