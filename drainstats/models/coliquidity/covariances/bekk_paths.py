"""The recursion of a BEKK with scalar or diagonal matrices: entry by entry, forwards in blocks, and in expectation.

With diagonal A, B and G every entry (i, j) of H runs by itself, with weights a_i a_j, b_i b_j and g_i g_j.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drainstats.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Intercept ``C`` (N, N) and the diagonals ``a``, ``b``, ``g`` (N,); what stands before the sample.

    ``news``, ``falls``, ``before`` (N, N): ee', the product of falls and H of the step before the first.
    """

    C: FloatArray
    a: FloatArray
    b: FloatArray
    g: FloatArray
    news: FloatArray
    falls: FloatArray
    before: FloatArray

    def of(self, columns: list[int]) -> Coefficients:
        """The recursion of some assets only."""
        block = np.ix_(columns, columns)
        vectors = (self.a[columns], self.b[columns], self.g[columns])
        return Coefficients(self.C[block], *vectors, self.news[block], self.falls[block], self.before[block])

    def step(self, H: FloatArray, news: FloatArray, falls: FloatArray) -> FloatArray:
        """The next H (N, N)."""
        parts = ((self.a, news), (self.g, falls), (self.b, H))
        return np.asarray(self.C + sum(np.outer(w, w) * x for w, x in parts))

    def first_step(self, H: FloatArray, e: FloatArray) -> FloatArray:
        """H (N, N) after a step at ``H`` whose residuals were ``e`` (N,)."""
        return self.step(H, np.outer(e, e), np.outer(np.minimum(e, 0.0), np.minimum(e, 0.0)))

    def expect(self, H: FloatArray, horizon: int) -> FloatArray:
        """Expected H (horizon, N, N), the first of them given."""
        path = [H]
        while len(path) < horizon:
            path.append(self.step(path[-1], path[-1], expected_falls(path[-1])))
        return np.array(path)


def decay(x: FloatArray, weight: FloatArray) -> FloatArray:
    """y[t] = x[t] + weight y[t-1] down every column of ``x`` (T, M), from zero on; ``weight`` (M,)."""
    from scipy.signal import lfilter

    if (weight == weight[0]).all():
        return np.asarray(lfilter([1.0], [1.0, -weight[0]], x, axis=0))
    out = np.empty_like(x)
    for c, w in enumerate(weight):
        out[:, c] = lfilter([1.0], [1.0, -w], x[:, c])
    return out


def lagged(x: FloatArray, before: FloatArray) -> FloatArray:
    """``x`` (T, M) one row later, with ``before`` (M,) on top."""
    return np.concatenate([before[None], x[:-1]])


def covariance_blocks(coefficients: Coefficients, e: FloatArray, rows: int) -> Iterator[FloatArray]:
    """H (rows, N, N) in time order, block by block, from residuals ``e`` (T, N)."""
    n = e.shape[1]
    outer = [np.outer(w, w).ravel() for w in (coefficients.a, coefficients.g, coefficients.b)]
    news, falls, H = (x.ravel() for x in (coefficients.news, coefficients.falls, coefficients.before))
    for first in range(0, len(e), rows):
        block = e[first : first + rows]
        down = np.minimum(block, 0.0)
        squares = [(x[:, :, None] * x[:, None, :]).reshape(len(x), n * n) for x in (block, down)]
        drive = coefficients.C.ravel() + outer[0] * lagged(squares[0], news)
        if outer[1].any():
            drive += outer[1] * lagged(squares[1], falls)
        drive[0] += outer[2] * H
        path = decay(drive, outer[2])
        news, falls, H = squares[0][-1], squares[1][-1], path[-1]
        yield path.reshape(-1, n, n)


def expected_falls(H: FloatArray) -> FloatArray:
    """E[nn'] (..., N, N), n = min(e, 0), for elliptical e of mean 0 and covariance H: exact when H is known.

    Half the variance on the diagonal; off it the first-order arc-cosine moment of two correlated variables.
    """
    scale = np.sqrt(np.diagonal(H, axis1=-2, axis2=-1))
    size = scale[..., :, None] * scale[..., None, :]
    rho = np.clip(H / size, -1.0, 1.0)
    return np.asarray(size * (rho * (np.pi - np.arccos(rho)) + np.sqrt(1.0 - rho**2)) / (2.0 * np.pi))
