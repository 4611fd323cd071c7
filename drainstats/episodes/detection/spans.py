"""Which rows an episode takes: the alarm, its onset before, its end after, forward in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.episodes.detection.stress import Stress
from drainstats.typing import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Rules:
    """Every threshold of the detector; the arguments of `detect_episodes` describe them."""

    baseline: pd.Timedelta
    min_baseline: int
    line: float
    min_breadth: float
    alpha: float
    calm: float
    quiet: int
    lead: int
    flash_bars: int
    min_assets: int
    notional: float


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of an episode: onset, alarm, the row in which the end became known (None while open); rank of the alarm."""

    onset: int
    alarm: int
    last: int | None
    p_value: float


def find_spans(stress: Stress, starts: IntArray, rules: Rules) -> list[Span]:
    """The episodes, forward in time."""
    # One asset is no market: in a pair, half of the assets would be one.
    several = np.nan_to_num(stress.breadth) * stress.observed > 1.5
    wide = several & (stress.breadth >= rules.min_breadth)
    ends = np.flatnonzero(_runs_of(stress.centre < rules.calm, rules.quiet))
    counts = ~np.isnan(stress.breadth)
    spans: list[Span] = []
    free = 0
    for alarm in map(int, np.flatnonzero(wide)):
        if alarm < free:
            continue
        p_value = _rank(stress, starts[alarm], alarm, counts, rules.min_baseline)
        if not p_value <= rules.alpha:
            continue
        onset = alarm
        while onset > free and wide[onset - 1]:
            onset -= 1
        later = ends[ends >= alarm + rules.quiet]
        last = int(later[0]) if len(later) else None
        spans.append(Span(onset, alarm, last, p_value))
        if last is None:
            return spans
        counts[onset : last + 1] = False
        counts[onset + _strongest(stress, slice(onset, last + 1))] = True
        free = last + 1
    return spans


def _rank(stress: Stress, start: int, row: int, counts: BoolArray, least: int) -> float:
    """(1 + number of earlier rows that count and are at least as wide) / (1 + number of earlier rows that count)."""
    earlier = start + np.flatnonzero(counts[start:row])
    if len(earlier) < least:
        return float("nan")
    breadth, centre = stress.breadth, stress.centre
    wider = breadth[earlier] > breadth[row]
    equal = (breadth[earlier] == breadth[row]) & (centre[earlier] >= centre[row])
    return float((1 + np.count_nonzero(wider | equal)) / (1 + len(earlier)))


def _strongest(stress: Stress, rows: slice) -> int:
    """The widest of some rows, of equally wide ones the one with the largest median stress."""
    breadth, centre = (np.nan_to_num(x[rows], nan=-np.inf) for x in (stress.breadth, stress.centre))
    return int(np.lexsort((centre, breadth))[-1])


def _runs_of(flags: BoolArray, length: int) -> BoolArray:
    """True where the last ``length`` flags, this one included, are all true."""
    total = np.cumsum(np.r_[0, flags])
    return np.r_[np.zeros(length - 1, dtype=bool), total[length:] - total[:-length] == length][: len(flags)]
