"""Tests of the rank that the event rows take among all rows of an asset.

K_it is the rank of asset i's value in row t among its M_i values in the estimation and the event window (ties take the
mean), U_it = K_it / (M_i + 1) - 1/2, n_t the number of assets seen in row t, T the number of rows, m of the event.

    rank           d_t = mean over assets of K_it - (M_i + 1) / 2
    modified_rank  d_t = sum over assets of U_it over sqrt(n_t)
    both           sum of d_t over the window / sqrt( m  mean over all T rows of d_t^2 )                normal

The first wants complete series; the second gives series of unequal length equal weight. Without missing values they
are one statistic. Several rows: the sum of their d_t over sqrt(m) (Campbell and Wasley 1993; Cowan 1992), which
takes the rows for uncorrelated.

For the generalised rank test the window of asset i is one value: its sum over its standard error, Z_i, divided by the
standard deviation of the Z over assets, so that a jump of all variances cancels. It is ranked among the L_i
standardised residuals, U_0 is the mean over assets on the event, U_t on row t:

    grank_t        Q = U_0 / sqrt( sum over L + 1 rows of (n_t / n) U_t^2 / (L + 1) ) ,
                   Q sqrt( (L - 1) / (L - Q^2) )                                                        t(L - 1)
    grank_z        sum over assets of U_i0 / sqrt( sum over assets of (M_i - 1) / (12 (M_i + 1)) )      normal

grank_z takes assets for independent; the others take the variance of the mean rank from its path in time.

References
----------
Corrado, C. (1989), "A nonparametric test for abnormal security-price performance in event studies", Journal of
Financial Economics 23(2), 385-395. Corrado, C. and Zivney, T. (1992), Journal of Financial and Quantitative Analysis
27(3), 465-478. Campbell, C. and Wasley, C. (1993), Journal of Financial Economics 33(1), 73-92. Cowan, A. (1992),
Review of Quantitative Finance and Accounting 2(4), 343-358. Kolari, J. and Pynnonen, S. (2011), "Nonparametric rank
tests for event studies", Journal of Empirical Finance 18(5), 953-971.
"""

from __future__ import annotations

import numpy as np

from drainstats.episodes.study.commondate import cross_section
from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing.outcome import (
    Outcome,
    count,
    normal_outcome,
    ratio,
    row_means,
    standardized,
    student_outcome,
)
from drainstats.errors import check_option
from drainstats.typing import FloatArray

CONVENTIONS = ("corrado_zivney", "estudy2")


def rank(sample: EventSample, within: FloatArray | None = None) -> Outcome:
    """Corrado's (1989) rank test; ``within`` as in `joint_ranks`."""
    before, during, numbers = joint_ranks(sample.estimation, _seen_event(sample), within)
    middle = (numbers + 1.0)[..., None, :] / 2.0
    paths = (_path(k - middle, sample, 1.0) for k in (before, during))
    return normal_outcome(_path_statistic(*paths))


def modified_rank(sample: EventSample, within: FloatArray | None = None, convention: str = CONVENTIONS[0]) -> Outcome:
    """The rank test for series of unequal length (Corrado and Zivney 1992).

    ``within`` as in `joint_ranks`, ``convention`` as in `score_statistic`.
    """
    before, during, numbers = joint_ranks(sample.estimation, _seen_event(sample), within)
    scale = (numbers + 1.0)[..., None, :]
    return normal_outcome(score_statistic(before / scale - 0.5, during / scale - 0.5, sample, convention))


def grank_t(sample: EventSample, within: FloatArray | None = None) -> Outcome:
    """The generalised rank test with the variance of the mean rank over time (Kolari and Pynnonen 2011)."""
    before, during, _ = _generalized(sample, within)
    n, seen = count(sample), (np.isfinite(before) & sample.usable[..., None, :]).sum(axis=-1)
    path, event = _path(before, sample, 1.0), _path(during, sample, 1.0)[..., 0]
    rows = (seen > 0).sum(axis=-1) + 1.0
    squares = np.nansum(seen * path**2, axis=-1) / np.maximum(n, 1.0) + event**2
    q = ratio(event, np.sqrt(squares / rows))
    # With q^2 at its bound all variation lies on the event: the limit is infinite and NaN would hide it.
    below = np.sqrt(np.maximum(rows - 1.0 - q**2, 1e-12))
    return student_outcome(q * np.sqrt(rows - 2.0) / below, rows - 2.0)


def grank_z(sample: EventSample, within: FloatArray | None = None) -> Outcome:
    """The generalised rank test with the variance of independent ranks (Kolari and Pynnonen 2011)."""
    _, during, numbers = _generalized(sample, within)
    part = sample.usable & np.isfinite(during[..., 0, :])
    variance = np.where(part, (numbers - 1.0) / (12.0 * (numbers + 1.0)), 0.0).sum(axis=-1)
    return normal_outcome(ratio(np.where(part, during[..., 0, :], 0.0).sum(axis=-1), np.sqrt(variance)))


def _generalized(sample: EventSample, within: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """U of the estimation rows, of the window as one row, and the number of values of each asset."""
    z = standardized(sample)
    _, _, variance = cross_section(z, sample.usable.astype(np.float64))
    window = np.where(sample.usable, ratio(z, np.sqrt(variance)[..., None]), np.nan)[..., None, :]
    before, during, numbers = joint_ranks(ratio(sample.estimation, sample.sigma[..., None, :]), window, within)
    scale = (numbers + 1.0)[..., None, :]
    return before / scale - 0.5, during / scale - 0.5, numbers


def _seen_event(sample: EventSample) -> FloatArray:
    return np.where(sample.usable[..., None, :], sample.event, np.nan)


def _path(values: FloatArray, sample: EventSample, divisor_power: float) -> FloatArray:
    return row_means(np.where(sample.usable[..., None, :], values, np.nan), divisor_power)


def score_statistic(before: FloatArray, during: FloatArray, sample: EventSample, convention: str) -> FloatArray:
    """Sum of the scores of a row over sqrt(n_t), summed over the window, in units of its standard deviation over time.

    Parameters
    ----------
    before, during : (..., L, n) and (..., m, n)
        Scores with mean zero; NaN where missing.
    sample : EventSample
    convention : {"corrado_zivney", "estudy2"}
        They differ when values are missing. The second takes each row of the variance times n / n_t, and for the number
        of rows the mean number of values of an asset; so does that package.
    """
    check_option("convention", convention, CONVENTIONS)
    if convention == CONVENTIONS[0]:
        return _path_statistic(*(_path(v, sample, 0.5) for v in (before, during)))
    n = count(sample)
    values = sum((np.isfinite(v) & sample.usable[..., None, :]).sum(axis=(-2, -1)) for v in (before, during))
    weighted_before, weighted_during = (n[..., None] * _path(v, sample, 1.5) for v in (before, during))
    return _path_statistic(weighted_before, weighted_during, ratio(np.asarray(values), n))


def _path_statistic(before: FloatArray, during: FloatArray, rows: FloatArray | None = None) -> FloatArray:
    """Sum over the window over the root of its rows times the mean square over all rows."""
    squares = np.nansum(before**2, axis=-1) + np.nansum(during**2, axis=-1)
    if rows is None:
        rows = np.maximum(np.isfinite(before).sum(axis=-1) + np.isfinite(during).sum(axis=-1), 1)
    return ratio(during.sum(axis=-1), np.sqrt(during.shape[-1] * ratio(squares, rows)))


def joint_ranks(
    estimation: FloatArray, event: FloatArray, within: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ranks of each asset's values among those of its estimation and event rows, ties at their mean; NaN stays NaN.

    The estimation rows are sorted once, whatever leading axes the event rows have beside them.

    Parameters
    ----------
    estimation : (..., L, n)
    event : (..., m, n)
    within : (..., L, n), optional
        Ranks of the estimation values among themselves, when they are there already.

    Returns
    -------
    before : (..., L, n)
    during : (..., m, n)
    numbers : (..., n)
        Values ranked.
    """
    before = column_ranks(estimation) if within is None else within
    during = column_ranks(event)
    for row in range(event.shape[-2]):
        value = event[..., row, None, :]
        equal = 0.5 * (estimation == value)
        during[..., row, :] += ((estimation < value) + equal).sum(axis=-2)
        before = before + (estimation > value) + equal
    numbers = np.isfinite(estimation).sum(axis=-2) + np.isfinite(event).sum(axis=-2)
    return before, during, numbers.astype(np.float64)


def column_ranks(values: FloatArray) -> FloatArray:
    """Ranks along the axis of rows, (..., rows, n), ties at their mean; NaN stays NaN."""
    lines = np.ascontiguousarray(np.swapaxes(values, -1, -2))
    seen = np.isfinite(lines)
    filled = np.where(seen, lines, np.inf)
    order = np.argsort(filled, axis=-1)
    ordered = np.take_along_axis(filled, order, axis=-1)
    ranks = np.empty(lines.shape)
    if ((ordered[..., 1:] == ordered[..., :-1]) & np.isfinite(ordered[..., 1:])).any():
        from scipy.stats import rankdata

        ranks = rankdata(filled, axis=-1)
    else:
        np.put_along_axis(ranks, order, np.arange(1.0, lines.shape[-1] + 1.0), axis=-1)
    return np.swapaxes(np.where(seen, ranks, np.nan), -1, -2)
