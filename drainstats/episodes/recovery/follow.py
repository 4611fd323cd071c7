"""`follow_members`: look at the members of episodes for longer than their records do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode, as_episodes
from drainstats.episodes.recovery.decay import member_table
from drainstats.errors import DataError, check_number, check_whole


def follow_members(
    episodes: Iterable[Episode],
    data: Any,
    measure: str | None = None,
    *,
    bars: int = 40,
    baseline: str | pd.Timedelta = "365D",
    min_baseline: int = 60,
    clock_within: str | pd.Timedelta = "0s",
    calm: float = 1.0,
) -> list[Episode]:
    """The same episodes, with members followed beyond the end of the record.

    A record ends when the market is calm again, that is when half of its members are: too early to see whether the
    slow ones come back. This follows each for a number of bars after its trough, but not into the next episode.

    Parameters
    ----------
    episodes : iterable of Episode
        Of these data, in any order.
    data : LiquidityPanel or table
        What they were detected in.
    measure : str, optional
        As for `detect_episodes`.
    bars : int, default 40
        After the trough of the episode.
    baseline, min_baseline, clock_within, calm
        As for `detect_episodes`.

    Returns
    -------
    list of Episode
        In the order given. ``field_known_at["member_table"]`` is when the last bar that was followed was known, NaT
        when the data end before.

    Raises
    ------
    DataError
        When an onset is no label of the data, or a member no asset.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> found = ds.detect_episodes(panel)
    >>> longer = ds.follow_members(found, panel, bars=90)
    >>> bool(longer[0].member_table["bars_seen"].median() > found[0].member_table["bars_seen"].median())
    True
    """
    from drainstats.episodes.detection.market import stress_of

    check_whole("bars", bars, 1)
    check_number("calm", calm, -float("inf"))
    market, stress = stress_of(
        data, measure, baseline=baseline, min_baseline=min_baseline, clock_within=clock_within, line=3.0
    )
    index = market.illiquidity.index
    names = [str(c) for c in market.illiquidity.columns]
    found = as_episodes(episodes)
    onsets = np.sort([_row(index, e.onset) for e in found])
    out = []
    for e in found:
        place = {m: (_column(names, m), _row(index, a)) for m, a in e.arrivals.items()}
        row = _row(index, e.onset)
        later = onsets[onsets > row]
        stop = min(_row(index, e.trough) + bars + 1, int(later[0]) if len(later) else len(index), len(index))
        trough = _row(index, e.trough)
        table = member_table(index, stress.excess, stress.z, place, stop, calm)
        full = stop < len(index) or trough + bars + 1 == stop
        known = e.field_known_at.copy()
        known["member_table"] = market.known[stop - 1] if full and not e.is_open else pd.NaT
        out.append(replace(e, member_table=table, field_known_at=known))
    return out


def _row(index: pd.DatetimeIndex, label: Any) -> int:
    row = int(index.searchsorted(label)) if not pd.isna(label) else len(index)
    if row == len(index) or index[row] != label:
        raise DataError(f"{label} is no label of the data; pass the data in which the episode was detected.")
    return row


def _column(names: list[str], member: str) -> int:
    if member not in names:
        raise DataError(f"{member!r} is no asset of the data; pass the data in which the episode was detected.")
    return names.index(member)
