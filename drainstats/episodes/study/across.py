"""Tests whose unit is the event: they hold when the common share of variance rises, given events that are independent.

For means m_1, ..., m_E of E events: Student's t with E - 1 degrees of freedom; the sign test, exact binomial; and
Wilcoxon's signed-rank test, exact with ties too: all 2^E signs are counted by convolution. With few events the exact
tests cannot reach small p-values: the smallest is 2^(1 - E).

References
----------
Wilcoxon, F. (1945), Biometrics Bulletin 1(6), 80-83.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.typing import FloatArray, IntArray

FEWEST = 3


def across_events(means: FloatArray) -> pd.Series | None:
    """The three tests of a mean of zero across events; None below three events.

    Returns
    -------
    Series or None
        statistic and p_value of the t-test, n_events; positive (events above zero), p_sign; signed_rank (sum of ranks
        of those above zero), p_signed_rank; smallest_exact_p.
    """
    if len(means) < FEWEST:
        return None
    from scipy.special import bdtr, stdtr

    t = means.mean() / (means.std(ddof=1) / np.sqrt(len(means)))
    moved = means[means != 0.0]
    n, positive = len(moved), int((moved > 0).sum())
    p_sign = min(1.0, 2.0 * float(bdtr(min(positive, n - positive), n, 0.5))) if n else 1.0
    ranks = _doubled_ranks(np.abs(moved))
    above = int(ranks[moved > 0].sum())
    return pd.Series(
        {
            "statistic": t,
            "p_value": 2 * stdtr(len(means) - 1, -abs(t)),
            "n_events": len(means),
            "positive": positive,
            "p_sign": p_sign,
            "signed_rank": above / 2.0,
            "p_signed_rank": _signed_rank_p(above, ranks),
            "smallest_exact_p": min(1.0, 2.0 ** (1 - n)),
        }
    )


def _doubled_ranks(values: FloatArray) -> IntArray:
    """Twice the mid-ranks, which are whole numbers."""
    below = (values[:, None] > values).sum(axis=1)
    same = (values[:, None] == values).sum(axis=1)
    return np.asarray(2 * below + same + 1, dtype=np.int64)


def _signed_rank_p(above: int, ranks: IntArray) -> float:
    """Two-sided exact p-value of a doubled rank sum."""
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(ways)
        moved[rank:] = ways[: len(ways) - rank]
        ways = 0.5 * (ways + moved)
    return float(min(1.0, 2.0 * min(ways[: above + 1].sum(), ways[above:].sum())))
