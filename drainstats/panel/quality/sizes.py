"""What trade sizes look like where trades are made up: hints, never proofs.

Cong, Li, Tang and Yang (2023, Management Science 69(11)) compare first digits with Benford's law, look for the round
sizes that people choose, and fit the tail. Aloosh and Li (2024, Management Science 70(12)) hold such tests against the
leaked books of an exchange: first digits and clustering at round sizes told made-up trades, the power law of the tail
pointed the wrong way. So the tail exponent is a number here and no hint.
"""

from __future__ import annotations

import numpy as np

from drainstats.typing import FloatArray

BENFORD = np.log10(1 + 1 / np.arange(1, 10))
# Below a thousand trades the digits of a fair sample stray by as much as Nigrini's line; a span of less than two
# decades has no Benford digits whoever trades.
LEAST, DECADES = 1000, 2.0
TAIL = 0.05


def size_hints(amount: FloatArray, lot: float) -> dict[str, float]:
    """First digits, round sizes, the commonest size and the tail of amounts traded.

    benford_mad : mean absolute deviation of the nine shares of first digits from Benford's (NaN for short or narrow
    samples); round_sizes : how many times oftener than by chance an amount of at least 20 lots is a multiple of ten
    lots; commonest_size : share of one amount among all; pareto_tail : Hill's exponent of the largest twentieth.
    """
    seen = amount[np.isfinite(amount) & (amount > 0)]
    out = dict.fromkeys(("benford_mad", "round_sizes", "commonest_size", "pareto_tail"), np.nan)
    if len(seen) < LEAST:
        return out
    ordered = np.sort(seen)
    out["commonest_size"] = float(np.unique(ordered, return_counts=True)[1].max()) / len(seen)
    low, high = ordered[len(seen) // 100], ordered[-1 - len(seen) // 100]
    if np.log10(high / low) >= DECADES:
        # A little more than one, for amounts such as 0.3 that lie just below their own decimal.
        digit = np.floor(seen / 10.0 ** np.floor(np.log10(seen * (1 + 1e-12))) * (1 + 1e-12)).astype(np.int64)
        shares = np.bincount(np.clip(digit, 1, 9), minlength=10)[1:] / len(seen)
        out["benford_mad"] = float(np.abs(shares - BENFORD).mean())
    if lot > 0:
        lots = np.rint(seen / lot)
        large = lots[lots >= 20]
        if len(large) >= LEAST:
            out["round_sizes"] = float((np.mod(large, 10) == 0).mean()) * 10
    many = int(TAIL * len(seen))
    excess = np.log(ordered[-many:] / ordered[-many - 1])
    out["pareto_tail"] = float(1 / excess.mean()) if excess.mean() > 0 else np.nan
    return out
