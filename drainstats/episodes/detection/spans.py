"""Which rows an episode takes: the alarm, its onset before, its end after, forward in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.episodes.detection.evidence import FORCED, Corroboration, robust_z
from drainstats.episodes.detection.null import block_length, chance_within
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
    common_line: float = 0.0
    refractory: int = 0
    horizon: int = 20
    # line, common_line and alpha where nothing can corroborate.
    alone: tuple[float, float, float] = (3.0, 0.0, 0.01)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of an episode and how rare its alarm was.

    onset, alarm, last : the row in which the end became known (None while open); end : the last row that was seen
    before the calm ones (None while open); p_value : rank of the alarm's breadth;
    p_horizon : chance that the widest of ``horizon`` calm rows is as wide; strength : the median stress of the alarm
    row in robust standard deviations of its own past; corroborated : row that held the evidence asked for (None: none
    was asked for, or the panel had none to give there); notes : what the record must say of the alarm.
    """

    onset: int
    alarm: int
    last: int | None
    end: int | None
    p_value: float
    p_horizon: float = float("nan")
    strength: float = float("nan")
    corroborated: int | None = None
    notes: tuple[str, ...] = ()


def find_spans(
    stress: Stress, starts: IntArray, rules: Rules, corroboration: Corroboration | None = None
) -> list[Span]:
    """The episodes, forward in time."""
    search = _Search(stress, starts, rules, corroboration)
    # One asset is no market: in a pair, half of the assets would be one.
    several = np.nan_to_num(stress.breadth) * stress.observed > 1.5
    wide = several & (stress.breadth >= rules.min_breadth)
    # Rows in which nothing is seen, as on days without trading, neither are calm nor break a run of calm rows.
    seen = np.flatnonzero(~np.isnan(stress.centre))
    ends = np.flatnonzero(_runs_of(stress.centre[seen] < rules.calm, rules.quiet))
    begins = seen[ends - rules.quiet + 1]
    spans: list[Span] = []
    free = 0
    for alarm in map(int, np.flatnonzero(wide)):
        if alarm < free + (rules.refractory if spans else 0):
            continue
        found = search.judge(alarm, free, wide)
        if found is None:
            continue
        later = ends[begins > alarm]
        last = int(seen[later[0]]) if len(later) else None
        end = int(seen[later[0] - rules.quiet]) if len(later) else None
        onset, p_value, p_horizon, strength, sign = found
        spans.append(Span(onset, alarm, last, end, p_value, p_horizon, strength, sign))
        if last is None:
            return spans
        search.close(onset, last)
        free = last + 1
    return spans


@dataclass(slots=True)
class _Search:
    """What is known while the rows are gone through: which of them count as the past."""

    stress: Stress
    starts: IntArray
    rules: Rules
    corroboration: Corroboration | None
    counts: BoolArray

    def __init__(self, stress: Stress, starts: IntArray, rules: Rules, corroboration: Corroboration | None) -> None:
        self.stress, self.starts, self.rules, self.corroboration = stress, starts, rules, corroboration
        self.counts = ~np.isnan(stress.breadth)

    def judge(self, row: int, free: int, wide: BoolArray) -> tuple[int, float, float, float, int | None] | None:
        """Onset, p-values, strength and corroborating row of an alarm; None where there is none."""
        earlier = self._earlier(row)
        if len(earlier) < self.rules.min_baseline:
            return None
        hits = self._as_wide(row, earlier)
        p_value = float((1 + np.count_nonzero(hits)) / (1 + len(earlier)))
        if not p_value <= self.rules.alpha:
            return None
        centre = self.stress.centre
        strength = robust_z(float(centre[row]), centre[earlier])
        if self.rules.common_line > 0 and not strength >= self.rules.common_line:
            return None
        onset = row
        while onset > free and wide[onset - 1]:
            onset -= 1
        sign = None
        if self.corroboration is not None:
            first = max(row - self.rules.lead, free)
            signs = (r for r in range(first, row + 1) if self.corroboration.holds(r, self._earlier(r)))
            sign = next(signs, None)
            if sign is not None:
                onset = self._dated(sign, free) if self.corroboration.name == FORCED else onset
            elif not self._stands_alone(row, first, p_value, strength):
                return None
        pool = np.append(hits, True)
        p_horizon = chance_within(pool, block_length(centre[earlier]), self.rules.horizon)
        return onset, p_value, p_horizon, strength, sign

    def _dated(self, sign: int, free: int) -> int:
        """The first row with rare forced sales over all assets, each at most ``lead`` rows before the next."""
        onset = row = sign
        while row > max(onset - self.rules.lead, free):
            row -= 1
            if self.corroboration is not None and self.corroboration.begins(row, self._earlier(row)):
                onset = row
        return onset

    def _stands_alone(self, row: int, first: int, p_value: float, strength: float) -> bool:
        """Whether nothing could be asked there, and the row passes the lines of bars that nothing corroborates."""
        if self.corroboration is None or not all(self.corroboration.unknown(r) for r in range(first, row + 1)):
            return False
        line, common_line, alpha = self.rules.alone
        above = np.count_nonzero(np.nan_to_num(self.stress.z[row], nan=-np.inf) > line)
        wide = above >= max(self.rules.min_breadth * self.stress.observed[row], 2)
        return bool(wide and p_value <= alpha and strength >= common_line)

    def close(self, onset: int, last: int) -> None:
        """An episode that is over counts by its strongest row only."""
        self.counts[onset : last + 1] = False
        self.counts[onset + _strongest(self.stress, slice(onset, last + 1))] = True

    def _earlier(self, row: int) -> IntArray:
        start = self.starts[row]
        rows: IntArray = start + np.flatnonzero(self.counts[start:row])
        return rows

    def _as_wide(self, row: int, earlier: IntArray) -> BoolArray:
        """Which earlier rows were at least as wide, equal ones being ordered by the median stress."""
        breadth, centre = self.stress.breadth, self.stress.centre
        wider = breadth[earlier] > breadth[row]
        equal = (breadth[earlier] == breadth[row]) & (centre[earlier] >= centre[row])
        hits: BoolArray = wider | equal
        return hits


def _strongest(stress: Stress, rows: slice) -> int:
    """The widest of some rows, of equally wide ones the one with the largest median stress."""
    breadth, centre = (np.nan_to_num(x[rows], nan=-np.inf) for x in (stress.breadth, stress.centre))
    return int(np.lexsort((centre, breadth))[-1])


def _runs_of(flags: BoolArray, length: int) -> BoolArray:
    """True where the last ``length`` flags, this one included, are all true."""
    total = np.cumsum(np.r_[0, flags])
    return np.r_[np.zeros(length - 1, dtype=bool), total[length:] - total[:-length] == length][: len(flags)]
