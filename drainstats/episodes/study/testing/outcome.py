"""`Outcome`: what a test found, for one event or for many simulated markets at once; and the laws it is referred to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.episodes.study.commondate import cross_section
from drainstats.episodes.study.sample import EventSample
from drainstats.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """Arrays over the leading axes of the sample, NaN where the statistic does not exist.

    statistic : signed; a positive one says that outcomes were above what was expected.
    p_value : two-sided.
    smallest_p : what the p-value could reach at best; zero under a continuous law.
    reference : the law, with a place for ``freedom`` when it is Student's.
    freedom : degrees of freedom, NaN under other laws.
    """

    statistic: FloatArray
    p_value: FloatArray
    smallest_p: FloatArray
    reference: str
    freedom: FloatArray

    @property
    def normal_score(self) -> FloatArray:
        """The standard normal value with the same two-sided p-value and the sign of the statistic."""
        from scipy.special import ndtri

        return -np.sign(self.statistic) * ndtri(np.clip(self.p_value, 1e-300, 1.0) / 2.0)


def normal_outcome(statistic: FloatArray) -> Outcome:
    """Refer a statistic to the standard normal law."""
    from scipy.special import ndtr

    return _outcome(statistic, 2.0 * ndtr(-np.abs(statistic)), "normal")


def student_outcome(statistic: FloatArray, freedom: FloatArray) -> Outcome:
    """Refer a statistic to Student's law."""
    from scipy.special import stdtr

    freedom = np.broadcast_to(np.asarray(freedom, dtype=np.float64), np.shape(statistic))
    p_value = 2.0 * stdtr(np.where(freedom > 0, freedom, np.nan), -np.abs(statistic))
    return _outcome(statistic, p_value, "t({freedom:.0f})", freedom=freedom)


def exact_outcome(statistic: FloatArray, p_value: FloatArray, smallest_p: FloatArray, reference: str) -> Outcome:
    """A p-value that was counted."""
    return _outcome(statistic, p_value, reference, smallest_p=smallest_p)


def _outcome(
    statistic: FloatArray,
    p_value: FloatArray,
    reference: str,
    smallest_p: FloatArray | float = 0.0,
    freedom: FloatArray | float = np.nan,
) -> Outcome:
    exists = np.isfinite(statistic) & np.isfinite(p_value)
    return Outcome(
        np.where(exists, statistic, np.nan),
        np.where(exists, np.minimum(p_value, 1.0), np.nan),
        np.broadcast_to(np.asarray(smallest_p, dtype=np.float64), exists.shape),
        reference,
        np.broadcast_to(np.asarray(freedom, dtype=np.float64), exists.shape),
    )


def totals(sample: EventSample) -> FloatArray:
    """Abnormal values summed over the event window, (..., n); zero for assets that take no part."""
    return np.where(sample.usable, sample.event.sum(axis=-2), 0.0)


def standardized(sample: EventSample) -> FloatArray:
    """The same over their standard error, that of the forecast included, (..., n)."""
    return ratio(totals(sample), np.where(sample.usable, sample.total_error, 1.0))


def residuals(sample: EventSample) -> FloatArray:
    """Estimation residuals, (..., L, n); NaN for assets that take no part."""
    return np.where(sample.usable[..., None, :], sample.estimation, np.nan)


def count(sample: EventSample) -> FloatArray:
    """Assets that take part, (...)."""
    return sample.usable.sum(axis=-1).astype(np.float64)


def cross_sectional_t(values: FloatArray, sample: EventSample) -> FloatArray:
    """Mean over assets in units of its standard error, taken across assets; NaN with fewer than two."""
    n, mean, variance = cross_section(values, sample.usable.astype(np.float64))
    return ratio(mean, np.sqrt(variance / np.maximum(n, 1.0)))


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Quotient, NaN where the divisor is zero or missing."""
    below = np.broadcast_to(below, np.broadcast_shapes(np.shape(above), np.shape(below)))
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below != 0.0)


def row_means(values: FloatArray, divisor_power: float = 1.0) -> FloatArray:
    """Sum over the assets seen in a row over their number to a power, (..., rows, n) to (..., rows); NaN if none is."""
    seen = np.isfinite(values)
    return ratio(np.where(seen, values, 0.0).sum(axis=-1), seen.sum(axis=-1) ** divisor_power)
