"""Tests of the signs of abnormal values, and of the ranks of their sizes across assets.

With w of n assets above zero, zeros set aside:

    sign              w ; statistic (w - n/2) / (sqrt(n) / 2)                                 exact binomial(n, 1/2)
    generalized_sign  (w - n p) / sqrt( n p (1 - p) ), p the mean over assets of the share
                      of estimation residuals above zero                                      normal
    wilcoxon          W = sum of the ranks of |A_i| over positive A_i ;
                      statistic (W - sum of ranks / 2) / sqrt( sum of squared ranks / 4 )     exact, with ties normal
    corrado_sign      d_t = sum over assets of sign(value - own median) / sqrt(n_t), then as
                      the rank tests: sum over the window / sqrt( m mean over all rows d_t^2 ) normal

The first three take assets for independent draws; corrado_sign takes the variance from the path in time. With more than
`EXACT` assets Wilcoxon is referred to the normal law. The signed rank tests suppose symmetry about zero.

References
----------
McConnell, J. and Muscarella, C. (1985), Journal of Financial Economics 14(3), 399-422. Cowan, A. (1992), "Nonparametric
event study tests", Review of Quantitative Finance and Accounting 2(4), 343-358.
Wilcoxon, F. (1945), Biometrics Bulletin 1(6), 80-83. Corrado, C. and Zivney, T. (1992), "The specification and power of
the sign test in event study hypothesis tests using daily stock returns", Journal of Financial and Quantitative
Analysis 27(3), 465-478.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing.outcome import (
    Outcome,
    exact_outcome,
    normal_outcome,
    ratio,
    residuals,
    row_means,
    totals,
)
from drainstats.episodes.study.testing.ranks import CONVENTIONS, column_ranks, score_statistic
from drainstats.typing import FloatArray

EXACT = 60
"""Assets up to which the law of the signed ranks is counted."""


def sign(sample: EventSample) -> Outcome:
    """The sign test with its exact law."""
    from scipy.special import bdtr

    above, below = _signs(sample)
    n = above + below
    p_value = 2.0 * bdtr(np.minimum(above, below), n.astype(np.int64), 0.5)
    statistic = ratio(above - below, np.sqrt(n))
    return exact_outcome(statistic, p_value, 2.0 ** (1.0 - n), "binomial, exact")


def generalized_sign(sample: EventSample) -> Outcome:
    """The sign test whose chance of a positive value is that of the estimation window (Cowan 1992)."""
    above, below = _signs(sample)
    seen = residuals(sample)
    shares = ratio((seen > 0).sum(axis=-2), np.isfinite(seen).sum(axis=-2))
    n, p = above + below, row_means(shares)
    return normal_outcome(ratio(above - n * p, np.sqrt(n * p * (1.0 - p))))


def _signs(sample: EventSample) -> tuple[FloatArray, FloatArray]:
    values = totals(sample)
    return (values > 0).sum(axis=-1).astype(np.float64), (values < 0).sum(axis=-1).astype(np.float64)


def corrado_sign(sample: EventSample, convention: str = CONVENTIONS[0]) -> Outcome:
    """Signs about each asset's own median, with the variance over time (Corrado and Zivney 1992).

    ``convention`` as in `score_statistic`.
    """
    length = sample.estimation.shape[-2]
    shape = np.broadcast_shapes(sample.estimation.shape[:-2], sample.event.shape[:-2], sample.usable.shape[:-1])
    parts = [np.broadcast_to(a, (*shape, *a.shape[-2:])) for a in (sample.estimation, sample.event)]
    values = np.where(sample.usable[..., None, :], np.concatenate(parts, axis=-2), np.nan)
    signs = np.sign(values - _median(values)[..., None, :])
    return normal_outcome(score_statistic(signs[..., :length, :], signs[..., length:, :], sample, convention))


def _median(values: FloatArray) -> FloatArray:
    """Median over rows of what is seen; NaN without any."""
    if np.isfinite(values).all():
        return np.asarray(np.median(values, axis=-2))
    ordered = np.sort(values, axis=-2)
    seen = np.isfinite(values).sum(axis=-2)[..., None, :]
    middle = [np.take_along_axis(ordered, np.maximum(k, 0), axis=-2) for k in ((seen - 1) // 2, seen // 2)]
    return np.asarray((middle[0] + np.where(seen > 0, middle[1], np.nan))[..., 0, :] / 2.0)


def wilcoxon(sample: EventSample) -> Outcome:
    """The signed-rank test across assets."""
    from scipy.special import ndtr

    values = totals(sample)
    sizes = np.where(values != 0.0, np.abs(values), np.nan)
    ranks = column_ranks(sizes[..., None])[..., 0]
    held = np.where(np.isfinite(ranks), ranks, 0.0)
    n, w = (held > 0).sum(axis=-1), np.where(values > 0, held, 0.0).sum(axis=-1)
    statistic = ratio(w - held.sum(axis=-1) / 2.0, np.sqrt((held**2).sum(axis=-1)) / 2.0)
    whole = (held**2).sum(axis=-1) == n * (n + 1) * (2 * n + 1) / 6.0
    counted = whole & (n <= EXACT)
    p_value = np.where(counted, _signed_rank_tail(np.asarray(n), np.asarray(w)), 2.0 * ndtr(-np.abs(statistic)))
    law = "signed ranks, exact" if counted.all() else "normal" if not counted.any() else "signed ranks, exact or normal"
    return exact_outcome(statistic, p_value, np.where(counted, 2.0 ** (1.0 - n), 0.0), law)


def _signed_rank_tail(n: FloatArray, w: FloatArray) -> FloatArray:
    """Two-sided p-value of rank sum ``w`` of ``n`` untied values."""
    p_value = np.ones(w.shape)
    for size in np.unique(n[(n > 0) & (n <= EXACT)]):
        at = n == size
        smaller = np.minimum(w[at], size * (size + 1) / 2 - w[at])
        p_value[at] = 2.0 * signed_rank_law(int(size))[np.floor(smaller).astype(np.int64)]
    return p_value


@lru_cache(maxsize=64)
def signed_rank_law(n: int) -> FloatArray:
    """Cumulative probabilities of the sum of a random subset of 1, ..., n."""
    law = np.zeros(n * (n + 1) // 2 + 1)
    law[0] = 1.0
    for k in range(1, n + 1):
        law[k:] = law[k:] + law[: len(law) - k]
        law /= 2.0
    return np.asarray(np.cumsum(law))
