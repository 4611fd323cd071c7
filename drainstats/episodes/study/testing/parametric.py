"""Tests of the mean abnormal value by its size.

For the n assets of an event, with A_i the sum of asset i's abnormal values over the m rows of the window, s_i its
residual standard deviation, e_i the standard error of A_i (forecast error included), Z_i = A_i / e_i, f_i the degrees
of freedom of s_i, and r the mean residual correlation of two assets:

    patell               sum Z_i / sqrt( sum f_i / (f_i - 2) )                               normal
    kp_patell            patell / sqrt( 1 + (n - 1) r )                                      normal
    bmp                  mean(Z) sqrt(n) / sd(Z)                                             t(n - 1)
    kp_bmp               bmp sqrt( (1 - r) / (1 + (n - 1) r) )                               t(n - 1)
    t                    mean(A) sqrt(n) / sd(A)                                             t(n - 1)
    skewness_adjusted_t  sqrt(n) ( u + g u^2 / 3 + g^2 u^3 / 27 + g / (6 n) )                t(n - 1)
                         u = mean(A) / sd(A), g the skewness of A
    brown_warner_1980    sum A_i / sqrt( m sum s_i^2 )                                       normal
    brown_warner_1985    sum over the window of the mean abnormal value of a row,
                         over sqrt(m) sd of that mean in the estimation window               t(L - 1)
    lamb                 the same with the forecast error of the equally weighted portfolio  t(f)

Only the last two and the KP tests see that assets move together; only bmp, kp_bmp, t and skewness_adjusted_t take
their variance from the event itself.

References
----------
Patell, J. (1976), Journal of Accounting Research 14(2), 246-276. Boehmer, E., Musumeci, J. and Poulsen, A. (1991),
Journal of Financial Economics 30(2), 253-272. Kolari, J. and Pynnonen, S. (2010), Review of Financial Studies 23(11),
3996-4025. Brown, S. and Warner, J. (1980), Journal of Financial Economics 8(3), 205-258; (1985), 14(1), 3-31. Lamb, R.
(1995), Journal of Risk and Insurance 62(1), 111-123. Hall, P. (1992), "On the removal of skewness by transformation",
Journal of the Royal Statistical Society B 54(1), 221-228.
"""

from __future__ import annotations

import numpy as np

from drainstats.episodes.study.commondate import cross_section, kp_factor
from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing.outcome import (
    Outcome,
    count,
    cross_sectional_t,
    normal_outcome,
    ratio,
    residuals,
    row_means,
    standardized,
    student_outcome,
    totals,
)
from drainstats.typing import FloatArray


def patell(sample: EventSample) -> Outcome:
    """Patell (1976): standardised abnormal values as independent draws of known variance."""
    return normal_outcome(_patell(sample))


def kp_patell(sample: EventSample) -> Outcome:
    """Patell with the variance of a mean of correlated values (Kolari and Pynnonen 2010)."""
    inflation = 1.0 + (count(sample) - 1.0) * sample.correlation
    return normal_outcome(ratio(_patell(sample), np.sqrt(np.where(inflation > 1e-8, inflation, np.nan))))


def _patell(sample: EventSample) -> FloatArray:
    f = np.where(sample.usable & (sample.freedom > 2.0), sample.freedom, np.inf)
    variance = np.where(sample.usable, 1.0 + 2.0 / (f - 2.0), 0.0).sum(axis=-1)
    return ratio(standardized(sample).sum(axis=-1), np.sqrt(variance))


def bmp(sample: EventSample) -> Outcome:
    """Boehmer, Musumeci and Poulsen (1991), with the forecast error in the standardisation."""
    return student_outcome(cross_sectional_t(standardized(sample), sample), count(sample) - 1.0)


def kp_bmp(sample: EventSample) -> Outcome:
    """BMP adjusted for the mean residual correlation (Kolari and Pynnonen 2010)."""
    n = count(sample)
    statistic = cross_sectional_t(standardized(sample), sample)
    return student_outcome(statistic * kp_factor(sample.correlation, n), n - 1.0)


def cross_sectional(sample: EventSample) -> Outcome:
    """Student's t of the abnormal values across assets."""
    return student_outcome(cross_sectional_t(totals(sample), sample), count(sample) - 1.0)


def skewness_adjusted(sample: EventSample) -> Outcome:
    """The cross-sectional t under Hall's (1992) transformation, which takes out the skewness."""
    values, part = totals(sample), sample.usable.astype(np.float64)
    n, mean, variance = cross_section(values, part)
    centred = np.where(sample.usable, values - mean[..., None], 0.0)
    g = ratio((centred**3).sum(axis=-1) / np.maximum(n, 1.0), variance**1.5)
    u = ratio(mean, np.sqrt(variance))
    statistic = np.sqrt(n) * (u + g * u**2 / 3.0 + g**2 * u**3 / 27.0 + ratio(g, 6.0 * n))
    return student_outcome(statistic, n - 1.0)


def brown_warner_1980(sample: EventSample) -> Outcome:
    """Sum of abnormal values over the root of the summed residual variances, as if assets were independent."""
    squares = np.where(sample.usable, sample.sigma**2, 0.0).sum(axis=-1)
    return normal_outcome(ratio(totals(sample).sum(axis=-1), np.sqrt(sample.event.shape[-2] * squares)))


def brown_warner_1985(sample: EventSample) -> Outcome:
    """The equally weighted portfolio's abnormal value over its own standard deviation in the estimation window."""
    squares, rows = _portfolio_variation(sample)
    deviation = np.sqrt(sample.event.shape[-2] * ratio(squares, np.maximum(rows - 1.0, 1.0)))
    return student_outcome(ratio(_portfolio(sample), deviation), rows - 1.0)


def lamb(sample: EventSample) -> Outcome:
    """The portfolio's abnormal value over its forecast error: the prediction test of one regression.

    Lamb (1995) takes Brown and Warner's (1985) test; no published value tells his variance apart from this one.
    Exact under normal errors when all assets have all rows. The residual variance is that of the portfolio, its divisor
    the mean degrees of freedom; the forecast factor is the mean over assets of e_i^2 / s_i^2.
    """
    n = count(sample)
    freedom = ratio(np.where(sample.usable, sample.freedom, 0.0).sum(axis=-1), n)
    variance = ratio(_portfolio_variation(sample)[0], freedom)
    factor = ratio(np.where(sample.usable, sample.total_error, 0.0), np.where(sample.usable, sample.sigma, 1.0)) ** 2
    statistic = ratio(_portfolio(sample), np.sqrt(variance * ratio(factor.sum(axis=-1), n)))
    return student_outcome(statistic, freedom)


def _portfolio_variation(sample: EventSample) -> tuple[FloatArray, FloatArray]:
    """Sum of squares of the portfolio's residuals about their mean, and the number of its rows."""
    path = row_means(residuals(sample))
    rows = np.isfinite(path).sum(axis=-1).astype(np.float64)
    mean = ratio(np.nansum(path, axis=-1), rows)
    return np.nansum((path - mean[..., None]) ** 2, axis=-1), rows


def _portfolio(sample: EventSample) -> FloatArray:
    return ratio(totals(sample).sum(axis=-1), count(sample))
