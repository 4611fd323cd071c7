"""Statistics of one date that all assets share, whose variance may jump.

With standardised abnormal values A_i of n assets on a date, their mean A, their cross-sectional variance S^2 and r the
mean correlation of estimation residuals:

    BMP      t = A sqrt(n) / S                                (Boehmer, Musumeci and Poulsen 1991)
    KP-BMP   t sqrt[ (1 - r) / (1 + (n - 1) r) ]              (Kolari and Pynnonen 2010)

S is taken on the date itself, so that a jump of all variances by one factor cancels. Under normal errors with one
common factor KP-BMP is t(n - 1); its square is the ratio of common to idiosyncratic variance on the date over the same
ratio in the estimation window. One date therefore cannot tell a shift of the mean from a large draw of the factor.

The studentised placebo ranks the date's statistic among the same statistic on other dates of the same market.

References
----------
Boehmer, E., Musumeci, J. and Poulsen, A. (1991), "Event-study methodology under conditions of event-induced variance",
Journal of Financial Economics 30(2), 253-272. Kolari, J. and Pynnonen, S. (2010), "Event study testing with
cross-sectional correlation of abnormal returns", Review of Financial Studies 23(11), 3996-4025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.episodes.study.expected.abnormal import SHORTEST_ESTIMATION, Offsets, abnormal_values
from drainstats.episodes.study.sample import EventSample
from drainstats.typing import BoolArray, FloatArray, IntArray

SHARE_LEVEL = 0.10
"""One calm date in ten shows a common share above the limit: so that a date rejected at 5 % nearly always does."""
DRAWS = 9999
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class DateStatistics:
    """Statistics of consecutive dates, arrays (..., dates); NaN where fewer than two assets take part.

    n_assets; mean and variance of the standardised abnormal values across assets; correlation: mean residual
    correlation of the estimation window; bmp; kp.
    """

    n_assets: FloatArray
    mean: FloatArray
    variance: FloatArray
    correlation: FloatArray
    bmp: FloatArray
    kp: FloatArray

    def take(self, positions: IntArray) -> DateStatistics:
        """The statistics of some of the dates."""
        return DateStatistics(*(getattr(self, name)[..., positions] for name in self.__slots__))

    @property
    def p_value(self) -> FloatArray:
        """Two-sided tail of KP-BMP in t(n - 1): comparable between dates with different numbers of assets."""
        from scipy.special import stdtr

        return np.minimum(1.0, 2.0 * stdtr(self.n_assets - 1.0, -np.abs(self.kp)))

    @property
    def normal_score(self) -> FloatArray:
        """The standard normal value with the same tail as KP-BMP has in t(n - 1)."""
        from scipy.special import ndtri

        return -np.sign(self.kp) * ndtri(np.maximum(self.p_value, 1e-300) / 2.0)

    @property
    def common_share(self) -> FloatArray:
        """Common share of variance on the date: c / (c + S^2) with c = A^2 - S^2 / n, not below zero."""
        common = np.maximum(self.mean**2 - self.variance / self.n_assets, 0.0)
        return common / (common + self.variance)

    @property
    def common_share_limit(self) -> FloatArray:
        """What the date's common share exceeds once in ten dates when the estimation window's share still holds.

        The squared KP-BMP is F(1, n - 1) then; its 90 % point, turned back into a share.
        """
        from scipy.special import stdtrit

        n, r = self.n_assets, self.correlation
        square = stdtrit(n - 1.0, 1.0 - SHARE_LEVEL / 2.0) ** 2
        ratio = np.maximum(square * (r / (1.0 - r) + 1.0 / n) - 1.0 / n, 0.0)
        return ratio / (1.0 + ratio)


def date_statistics(
    values: FloatArray,
    offsets: Offsets,
    first: int,
    dates: int,
    *,
    market: FloatArray | None = None,
    min_rows: int = SHORTEST_ESTIMATION,
) -> DateStatistics:
    """BMP and KP-BMP on consecutive dates, each with its own estimation window.

    Parameters
    ----------
    values : (..., T, N)
    offsets : Offsets
    first : int
        Row of the first date.
    dates : int
    market : (T,), optional
    min_rows : int
        Estimation rows an asset must have to take part on a date.

    Returns
    -------
    DateStatistics
    """
    parts = [
        _statistics(values, offsets, start, min(_CHUNK, first + dates - start), market, min_rows)
        for start in range(first, first + dates, _CHUNK)
    ]
    return DateStatistics(*(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))


def _statistics(
    values: FloatArray, offsets: Offsets, first: int, dates: int, market: FloatArray | None, min_rows: int
) -> tuple[FloatArray, ...]:
    fits = abnormal_values(values, offsets, first, dates, market=market, min_rows=min_rows)
    return _from_standardized(fits.standardized, fits.usable, fits.correlation)


def statistics_of(sample: EventSample) -> DateStatistics:
    """The statistics of dates whose abnormal values are there already: arrays (..., dates, m, n) of any model."""
    with np.errstate(divide="ignore", invalid="ignore"):
        standardized = sample.event.sum(axis=-2) / sample.total_error
    return DateStatistics(
        *_from_standardized(np.where(sample.usable, standardized, 0.0), sample.usable, sample.correlation)
    )


def _from_standardized(standardized: FloatArray, usable: BoolArray, correlation: FloatArray) -> tuple[FloatArray, ...]:
    n, mean, variance = cross_section(standardized, usable.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        bmp = mean / np.sqrt(variance / n)
        kp = bmp * kp_factor(correlation, n)
    return n, mean, variance, correlation, bmp, np.where(np.isfinite(kp), kp, np.nan)


def cross_section(values: FloatArray, takes_part: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number, mean and variance (divisor n - 1) along the last axis; NaN with fewer than two."""
    n = takes_part.sum(axis=-1)
    enough = n >= 2
    mean = np.where(enough, (values * takes_part).sum(axis=-1) / np.maximum(n, 1.0), np.nan)
    squares = (takes_part * (values - mean[..., None]) ** 2).sum(axis=-1)
    return n, mean, squares / np.maximum(n - 1.0, 1.0)


def kp_factor(correlation: FloatArray, n_assets: FloatArray) -> FloatArray:
    """What turns BMP into KP-BMP; NaN when the mean correlation leaves the mean no variance.

    That is so when the residuals of a date sum to zero, as with a market made of the same assets.
    """
    inflation = 1.0 + (n_assets - 1.0) * correlation
    possible = (inflation > 1e-8) & (correlation < 1.0)
    return np.sqrt(np.where(possible, (1.0 - correlation) / np.where(possible, inflation, 1.0), np.nan))


def effective_number(scores: FloatArray) -> FloatArray:
    """How many independent dates a run of placebo scores is worth: n / (1 + 2 sum of autocorrelations).

    The sum ends before the first autocorrelation below 2 / sqrt(n). Windows of several rows overlap from date to date;
    without this the smallest p-values would claim more dates than there are. Shape (..., n) → (...).
    """
    n = scores.shape[-1]
    centred = scores - scores.mean(axis=-1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred, 2 * n, axis=-1)) ** 2
    products = np.fft.irfft(spectrum, 2 * n, axis=-1)[..., :n]
    variance = products[..., :1]
    correlations = np.divide(products, variance, out=np.zeros_like(products), where=variance > 0)[..., 1:]
    leading = np.cumprod(correlations > 2.0 / np.sqrt(n), axis=-1)
    return n / (1.0 + 2.0 * (correlations * leading).sum(axis=-1))


def placebo_p_value(score: FloatArray, placebos: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rank a date's tail score among those of placebo dates; small is extreme, ties count against the event.

    Parameters
    ----------
    score : (...)
        `DateStatistics.p_value` of the event.
    placebos : (..., n)
        The same on the placebo dates.

    Returns
    -------
    p_value : (...)
        (1 + k share) / (k + 1), k the effective number of placebo dates. With independent dates (1 + #) / (n + 1).
    share : (...)
        Share of placebo dates at least as extreme.
    effective : (...)
        k.
    """
    share = (placebos <= score[..., None]).mean(axis=-1)
    effective = effective_number(placebos)
    return (1.0 + effective * share) / (effective + 1.0), share, effective


def placebo_draws(
    own: float, placebos: FloatArray, effective: float, size: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (size,) of one date of an event's history, the event's own among them as one of ``effective`` + 1.

    Without the own one, few placebo dates could never reach a large score, and the sum over events would claim less
    than the chance it has. With one event it gives `placebo_p_value`.
    """
    return np.where(rng.random(size) * (effective + 1.0) < 1.0, own, rng.choice(placebos, size))


def pooled_p_value(scores: list[float], placebos: list[FloatArray], effective: list[float], seed: int) -> float:
    """Refer the sum of the events' normal scores to draws of one date an event.

    Parameters
    ----------
    scores : list of float
        Normal score of each event.
    placebos : list of (n_e,)
        Normal scores of its placebo dates.
    effective : list of float
        What they are worth, see `placebo_p_value`.
    seed : int
    """
    rng = np.random.default_rng(seed)
    total = sum(placebo_draws(*event, DRAWS, rng) for event in zip(scores, placebos, effective, strict=True))
    return float((1 + np.count_nonzero(np.abs(total) >= abs(sum(scores)) - 1e-12)) / (DRAWS + 1))


def many_shares_passed(passed: int, n_events: int) -> bool:
    """Whether more events pass their common-share limit than one set of calm dates in ten would show."""
    from scipy.special import bdtrc

    return passed > 0 and bool(bdtrc(passed - 1, n_events, SHARE_LEVEL) <= SHARE_LEVEL + 1e-12)
