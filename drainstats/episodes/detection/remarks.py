"""What the record must say of an alarm: what it rests on, and what could not be seen."""

from __future__ import annotations

import numpy as np

from drainstats.episodes.detection.evidence import Corroboration
from drainstats.episodes.detection.market import Market
from drainstats.episodes.detection.spans import Rules, Span
from drainstats.episodes.detection.stress import Stress


def remarks(market: Market, stress: Stress, rules: Rules, span: Span, sought: Corroboration | None) -> tuple[str, ...]:
    """Notes on a span, from rows up to its alarm."""
    notes = []
    gone = _gone(stress, rules, span)
    if gone:
        here = int(stress.observed[span.alarm])
        notes.append(
            f"{gone} assets gave no reading at the alarm, though they had shortly before; breadth is of {here}"
        )
    if market.zeros is not None:
        zeros = int(market.zeros[span.onset : span.alarm + 1].any(axis=0).sum())
        if zeros:
            notes.append(f"{zeros} assets read zero depth or spread up to the alarm, taken for a lost feed")
    if sought is None:
        if market.evidence != "price range":
            notes.append(f"{market.evidence} alone cannot tell a drain from volatility that all assets share")
    elif span.corroborated is None:
        notes.append(f"{sought.name} could not be asked for: nothing was seen around the alarm")
    return tuple(notes)


def _gone(stress: Stress, rules: Rules, span: Span) -> int:
    """Assets without stress at the alarm that had one in the ``lead`` bars before the onset."""
    before = stress.z[max(span.onset - max(rules.lead, 1), 0) : span.onset]
    return int(np.count_nonzero(~np.isnan(before).all(axis=0) & np.isnan(stress.z[span.alarm]))) if len(before) else 0
