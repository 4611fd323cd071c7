"""Probability integral transforms of the laws of shocks, by the area of a tail, and back.

A probability u is kept as the area of one tail and which tail it is: for a shock far above, 1 - u would round to zero
long before its logarithm matters. Laws and their shapes are those of `margin_laws`; the normal and the t are also the
margins of the copulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError
from drainstats.models.coliquidity.margins.given import GivenMargins, shape_of
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.typing import BoolArray, FloatArray

# The laws of the arch package and ours: the same parameters in the same order.
ARCH_LAWS = {"Normal": "normal", "StudentsT": "t", "SkewStudent": "skewt", "GeneralizedError": "ged"}
# A value with a smaller chance is not one of its law.
LEAST = 1e-100


@dataclass(frozen=True, slots=True)
class Areas:
    """Probabilities (T, N): the ``area`` of the upper tail where ``upper``, else of the lower one."""

    area: FloatArray
    upper: BoolArray

    @property
    def u(self) -> FloatArray:
        """The probabilities themselves."""
        return np.where(self.upper, 1.0 - self.area, self.area)


def areas(dist: str, z: FloatArray, shape: FloatArray) -> Areas:
    """Tail areas of shocks ``z`` under a law with mean 0 and variance 1."""
    from scipy.special import gammaincc, ndtr, stdtr

    size = np.abs(z)
    if dist == "normal":
        return Areas(np.asarray(ndtr(-size)), z > 0.0)
    if dist == "ged":
        scale = LAWS["ged"].constants(shape)[3]
        return Areas(0.5 * gammaincc(1.0 / shape[0], 0.5 * (size / scale) ** shape[0]), z > 0.0)
    wide = np.sqrt(shape[0] / (shape[0] - 2.0))
    if dist == "t":
        return Areas(np.asarray(stdtr(shape[0], -wide * size)), z > 0.0)
    a, b = LAWS["skewt"].constants(shape)[4:6]
    x = b * z + a
    stretch = 1.0 + np.sign(x) * shape[1]
    return Areas(stretch * stdtr(shape[0], -wide * np.abs(x) / stretch), x > 0.0)


def quantiles(dist: str, at: Areas, shape: FloatArray) -> FloatArray:
    """The shocks that have these tail areas."""
    from scipy.special import gammainccinv, ndtri, stdtrit

    if dist == "normal":
        return np.where(at.upper, -1.0, 1.0) * ndtri(at.area)
    if dist == "ged":
        nearer = np.minimum(at.area, 1.0 - at.area)
        scale = LAWS["ged"].constants(shape)[3]
        size = scale * (2.0 * gammainccinv(1.0 / shape[0], 2.0 * nearer)) ** (1.0 / shape[0])
        return np.where(at.upper == (at.area <= 0.5), size, -size)
    narrow = np.sqrt((shape[0] - 2.0) / shape[0])
    if dist == "t":
        return np.where(at.upper, -narrow, narrow) * stdtrit(shape[0], at.area)
    a, b = LAWS["skewt"].constants(shape)[4:6]
    # Where the tail reaches over the corner of the density the other side is meant.
    above = at.upper == (at.area <= 0.5 * (1.0 + np.where(at.upper, shape[1], -shape[1])))
    area = np.where(above == at.upper, at.area, 1.0 - at.area)
    stretch = 1.0 + np.where(above, shape[1], -shape[1])
    x = np.where(above, -1.0, 1.0) * narrow * stretch * stdtrit(shape[0], area / stretch)
    return np.asarray((x - a) / b)


def log_density(dist: str, z: FloatArray, shape: FloatArray) -> FloatArray:
    """Log densities of shocks ``z``."""
    c = LAWS[dist].constants(shape)
    if dist == "normal":
        return -0.5 * (z**2 + c[0])
    if dist == "ged":
        return np.asarray(c[1] - 0.5 * (np.abs(z) / c[3]) ** shape[0])
    if dist == "t":
        return np.asarray(c[1] - 0.5 * (shape[0] + 1.0) * np.log1p(z**2 / (shape[0] - 2.0)))
    x = c[5] * z + c[4]
    inner = x / (1.0 + np.sign(x) * shape[1])
    return np.asarray(c[2] - 0.5 * (shape[0] + 1.0) * np.log1p(inner**2 / (shape[0] - 2.0)))


def in_shape(dist: str, z: FloatArray, shape: FloatArray) -> FloatArray:
    """How the probabilities of shocks ``z`` (T,) move with the shape (S, T), by central differences."""
    out = np.empty((len(shape), *z.shape))
    for k, value in enumerate(shape):
        step = 1e-5 * max(abs(value), 0.1) * np.eye(len(shape))[k]
        ahead, behind = areas(dist, z, shape + step), areas(dist, z, shape - step)
        tail = np.where(ahead.upper, behind.area - ahead.area, ahead.area - behind.area)
        out[k] = np.where(ahead.upper == behind.upper, tail, ahead.u - behind.u) / (2.0 * step[k])
    return out


def laws_of(margins: Any) -> list[tuple[str, FloatArray]]:
    """The law of each margin and its shape."""
    if not isinstance(margins, GivenMargins):
        dist = margins.spec.dist
        count = len(LAWS[dist].names)
        return [(dist, f.theta[len(f.theta) - count :]) for f in margins.fits]
    if margins.kind != "arch":
        raise DataError("Plain residuals have no law to transform them by; take transform='empirical'.")
    return [(ARCH_LAWS[type(r.model.distribution).__name__], shape_of(r)) for r in margins.sources]


def by_laws(margins: Any) -> Areas:
    """Tail areas (T, N) of the residuals under the fitted laws of their margins."""
    z = margins.std_resid_values
    found = [areas(dist, z[:, i], shape) for i, (dist, shape) in enumerate(laws_of(margins))]
    out = Areas(np.column_stack([f.area for f in found]), np.column_stack([f.upper for f in found]))
    if out.area.min() < LEAST:
        row, column = np.unravel_index(int(out.area.argmin()), z.shape)
        raise DataError(
            f"The fitted law gives a residual of {z[row, column]:.1f} the chance 0; take margins with heavier tails, "
            "dist='t' or 'skewt', or transform='empirical'.",
            row=margins.index[row],
            column=margins.columns[column],
        )
    return out


def by_ranks(z: FloatArray, among: FloatArray) -> Areas:
    """Tail areas (T, N) of mid-ranks r / (M + 1) among the rows of another sample (M, N).

    Ranks are interpolated between the values of that sample; beyond its ends they are those of its outermost values.
    """
    M = len(among)
    rank = np.empty_like(z)
    for i in range(z.shape[1]):
        values, counts = np.unique(among[:, i], return_counts=True)
        rank[:, i] = np.interp(z[:, i], values, np.cumsum(counts) - 0.5 * (counts - 1.0))
    upper = rank > 0.5 * (M + 1.0)
    return Areas(np.where(upper, M + 1.0 - rank, rank) / (M + 1.0), upper)
