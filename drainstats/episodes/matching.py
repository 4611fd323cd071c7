"""Which detected and documented episodes can be one: falls with the width of their stamps, and the best pairing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.episodes.serial import stamp
from drainstats.errors import DataError
from drainstats.typing import FloatArray

UNITS = {
    "month": pd.Timedelta("31D"),
    "day": pd.Timedelta("1D"),
    "hour": pd.Timedelta("1h"),
    "minute": pd.Timedelta("1min"),
    "second": pd.Timedelta("1s"),
}
ZERO = pd.Timedelta(0)


class Fall(NamedTuple):
    """First and last moment of the onset and of the trough, which is the onset where no trough is known."""

    onset: pd.Timestamp
    onset_until: pd.Timestamp
    trough: pd.Timestamp
    until: pd.Timestamp

    @classmethod
    def of(cls, e: Episode, bar: pd.Timedelta | None = None) -> Fall:
        """The fall of an episode; stamps of detected ones are as wide as a bar of the detector."""
        trough = e.onset if pd.isna(e.trough) else max(e.onset, e.trough)
        onset_until = e.onset + (bar or unit_of(e, "onset"))
        return cls(e.onset, onset_until, trough, max(onset_until, trough + (bar or unit_of(e, "trough"))))


def unit_of(e: Episode, name: str) -> pd.Timedelta:
    """The width of a stamp: as the catalogue says, else by the digits that it has."""
    stated = getattr(e, f"{name}_precision", "")
    return UNITS[stated or digits_of(getattr(e, name))]


def digits_of(stamp: Any) -> str:
    """The precision that a stamp shows: day, hour or minute."""
    if pd.isna(stamp) or stamp == stamp.normalize():
        return "day"
    return "hour" if stamp == stamp.floor("h") else "minute"


def spans_of(coverage: Any) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """Market → first and last moment; one span of no market for a pair; none when everything is covered."""
    if coverage is None:
        return {}
    given = coverage if isinstance(coverage, Mapping) else {"": coverage}
    try:
        spans = {str(m): (stamp("coverage", a), stamp("coverage", b)) for m, (a, b) in given.items()}
    except (TypeError, ValueError) as error:
        raise DataError(
            f"coverage={coverage!r} cannot be read: pass a pair of dates, or a mapping from markets to pairs."
        ) from error
    for first, last in spans.values():
        if not first <= last:
            raise DataError(f"coverage={coverage!r} must hold a first date and a later last one.")
    return spans


def of_markets(e: Episode, spans: Mapping[str, tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The spans of the markets that an episode hit; all of them when it names no member."""
    return [span for market, span in spans.items() if not market or not e.members or market in e.members]


def inside(fall: Fall, spans: Iterable[tuple[Any, Any]]) -> bool:
    """Whether the onset touches one of the spans."""
    return any(start < fall.onset_until and fall.onset <= end for start, end in spans)


def best_pairs(ours: Sequence[Fall], theirs: Sequence[Fall], reach: str, slack: pd.Timedelta) -> list[tuple[int, int]]:
    """One to one: as many pairs within ``slack`` as possible, of those the least distance of onsets in total."""
    if not ours or not theirs:
        return []
    from scipy.optimize import linear_sum_assignment

    far = _distances([f[:2] for f in ours], [f[:2] for f in theirs])
    near = far if reach == "onset" else _distances([(f[0], f[3]) for f in ours], [(f[0], f[3]) for f in theirs])
    may = near <= slack / UNITS["day"]
    # One more pair weighs more than all distances together.
    cost = np.where(may, far - 1.0 - far[may].sum(), 0.0)
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(cost), strict=True) if may[i, j]]


def _distances(a: Sequence[tuple[Any, Any]], b: Sequence[tuple[Any, Any]]) -> FloatArray:
    """Days between the stretches of two lists; zero where two touch."""
    x, y = (np.array([[t.value for t in stretch] for stretch in s]) for s in (a, b))
    later, earlier = x[:, :1] - y[None, :, 1], y[None, :, 0] - x[:, 1:]
    return np.maximum(np.maximum(later, earlier), 0) / UNITS["day"].value


def gap(a: Sequence[pd.Timestamp], b: Sequence[pd.Timestamp]) -> pd.Timedelta:
    """How much later ``a`` begins than ``b`` ends, or, below zero, ends than ``b`` begins; zero when they touch."""
    if a[0] >= b[1]:
        return a[0] - b[1]
    return min(a[1] - b[0], ZERO)


def bars_apart(a: Sequence[pd.Timestamp], b: Sequence[pd.Timestamp], bar: pd.Timedelta) -> int:
    """Whole bars from ``b`` to the bar ``a``: zero when they overlap, one when they touch, negative when earlier."""
    later, earlier = a[0] - b[1], b[0] - a[1]
    if later >= ZERO:
        return int(later // bar) + 1
    return -int(earlier // bar) - 1 if earlier >= ZERO else 0
