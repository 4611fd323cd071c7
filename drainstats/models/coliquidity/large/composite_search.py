"""The composite likelihood of pairs: its value, its slopes, the moments behind its standard errors; and closed sums.

No array here is larger than T × N, N × N or the number of pairs times a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.passes import Weights

LANES = 8
# Rows of the recursion that are kept at once; blocks whose determinants are multiplied before a logarithm is taken.
ROWS = 32
LOGARITHM = 12
CHUNK_NUMBERS = 2**21


@dataclass(frozen=True)
class Pairs:
    """Residuals z (T, N), the places of the pairs' assets first, second (M,) and their targets level (M,)."""

    z: FloatArray
    first: IntArray
    second: IntArray
    level: FloatArray

    @cached_property
    def _filled(self) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
        """z' and an asset that is always zero; places and targets with pairs of that asset up to a full block."""
        T, N = self.z.shape
        rows = np.zeros((N + 1, T))
        rows[:N] = self.z.T
        lack = -len(self.level) % LANES
        first, second = (np.append(x, np.full(lack, N)) for x in (self.first, self.second))
        return rows, first, second, np.append(self.level, np.zeros(lack))

    def _blocks(self, weights: Weights, out: FloatArray, slopes: FloatArray) -> Any:
        """Run the kernel over the blocks of pairs; yield the start of each when its numbers are in."""
        from drainstats.kernels.composite import pair_block

        z, first, second, level = self._filled
        room = np.empty(LANES * (6 + 3 * (len(out) - 2)) * (weights.lags + ROWS))
        xy = np.empty((2, LANES * z.shape[1]))
        for p in range(0, len(level), LANES):
            room[:] = 0.0
            block = slice(p, p + LANES)
            pair_block(z, first[block], second[block], level[block], weights.a, weights.b, room, xy, out, slopes)
            yield p, xy

    def likelihood(self, weights: Weights, derive: bool = True) -> tuple[FloatArray, FloatArray]:
        """Sums over pairs of log-likelihoods (T,) and, if asked, of slopes in a and b (T, K)."""
        T = len(self.z)
        out, logs = np.zeros((2 + len(weights) * derive, LANES * T)), np.zeros(LANES * T)
        out[0] = 1.0
        last = len(self.level) - 1
        with np.errstate(invalid="ignore", divide="ignore"):
            for p, _ in self._blocks(weights, out, np.empty((0, 0))):
                if p // LANES % LOGARITHM == LOGARITHM - 1 or p + LANES > last:
                    logs += np.log(out[0])
                    out[0] = 1.0
        out[0] = -0.5 * (logs + out[1])
        sums = out.reshape(-1, T, LANES).sum(axis=2)
        return sums[0], sums[2:].T

    def slopes(self, weights: Weights) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives of the sum over pairs and time in a and b (K,), in z at fixed targets (T, N), in targets (M,)."""
        from drainstats.kernels.equicorrelation import pull_states

        T, N = self.z.shape
        out, steps = np.ones((2 + len(weights), LANES * T)), np.empty((5, LANES * T))
        in_z, in_level = np.zeros((N + 1, T)), np.empty(len(self._filled[3]))
        out[2:] = 0.0
        for p, xy in self._blocks(weights, out, steps):
            out[0] = 1.0
            (x, y), (r, d, *in_q) = xy.reshape(2, T, LANES), steps.reshape(5, T, LANES)
            back, total = pull_states(np.concatenate(in_q, axis=1), weights.a, weights.b)
            own1, own2, cross = np.split(back, 3, axis=1)
            in_level[p : p + LANES] = total[2 * LANES :]
            in_x = x - (x - r * y) / d + 2.0 * x * own1 + y * cross
            in_y = y - (y - r * x) / d + 2.0 * y * own2 + x * cross
            for w in range(LANES):
                in_z[self._filled[1][p + w]] += in_x[:, w]
                in_z[self._filled[2][p + w]] += in_y[:, w]
        return out[2:].sum(axis=1), in_z[:N].T, in_level[: len(self.level)]

    def through_targets(self, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What a function with derivatives ``slope`` (M,) in the targets owes to the residuals.

        Returns
        -------
        (T, N) derivatives in z through the targets, and (T,) the influence of each row: sum over pairs of the slope
        times x y - S_12 (x^2 + y^2) / 2 in residuals of unit size.
        """
        from scipy.sparse import coo_array

        T, N = self.z.shape
        size = np.sqrt((self.z**2).mean(axis=0))
        x = self.z / size
        half = coo_array((slope, (self.first, self.second)), shape=(N, N)).tocsr()
        across = ((half + half.T) @ x.T).T
        pull = slope * self.level
        own = np.bincount(self.first, pull, N) + np.bincount(self.second, pull, N)
        influence = 0.5 * ((across * x).sum(axis=1) - x**2 @ own)
        return np.asarray((across - x * own) / (T * size)), np.asarray(influence)


@dataclass(frozen=True, slots=True)
class Moments:
    """What the standard errors of psi = (a, b) need.

    scores (T, k); cross (k, N K) and inner (k, k): their mean derivatives in the margins and in psi; through (T, k):
    the influence of each row on the mean scores through the targets of the pairs.
    """

    scores: FloatArray
    cross: FloatArray
    inner: FloatArray
    through: FloatArray


def moments(pairs: Pairs, margins: Any, weights: Any, psi: FloatArray) -> Moments:
    """`Moments` at psi; ``weights`` turns psi into `Weights`.

    Derivatives are central differences, in psi alone, of exact gradients: 2 k passes whatever N.
    """
    T, k = len(pairs.z), len(psi)
    scores = pairs.likelihood(weights(psi))[1]
    cross, inner, through = [], np.empty((k, k)), np.empty((T, k))
    for i in range(k):
        step = np.zeros(k)
        step[i] = 1e-4 * max(min(psi[i], 1.0 - psi.sum()), 1e-3)
        ahead, behind = (pairs.slopes(weights(psi + s)) for s in (step, -step))
        width = 2.0 * step[i] * T
        inner[i] = (ahead[0] - behind[0]) / width
        by_target, through[:, i] = pairs.through_targets((ahead[2] - behind[2]) / width)
        cross.append(margins.pull_back((ahead[1] - behind[1]) / width + by_target))
    return Moments(scores, np.array(cross), 0.5 * (inner + inner.T), through)


def margin_influence(margins: Any, cross: FloatArray) -> FloatArray:
    """What the estimation of the margins adds to each row of moments (T, k), series by series.

    ``cross`` (k, N K) are the moments' mean derivatives in the margin parameters.
    """
    out = np.zeros((margins.nobs, len(cross)))
    K = cross.shape[1] // max(len(margins.fits), 1)
    for i, fit in enumerate(margins.fits):
        block = slice(i * K, (i + 1) * K)
        curvature = fit.basis.T @ margins.curvature[i] @ fit.basis
        inverse = fit.basis @ np.linalg.solve(curvature, fit.basis.T)
        out -= margins.score_values[:, block] @ (cross[:, block] @ inverse).T
    return out


def response(weights: Weights, steps: int) -> FloatArray:
    """What zz' adds to Q one, two, ... steps later (steps,)."""
    from scipy.signal import lfilter

    unit = np.zeros(max(steps, 1))
    unit[0] = 1.0
    return np.asarray(lfilter(weights.a, np.append(1.0, -weights.b), unit)[:steps])


def matrix_after(z: FloatArray, target: FloatArray, weights: Weights) -> FloatArray:
    """Q (N, N) of the step after residuals ``z`` (t, N): one product of matrices instead of t steps."""
    past = response(weights, len(z))[::-1]
    return np.asarray((1.0 - past.sum()) * target + (z.T * past) @ z)


def quadratic_forms(z: FloatArray, target: FloatArray, weights: Weights, loadings: FloatArray, size: Any) -> FloatArray:
    """L' D[t] R[t] D[t] L (T, G, G) without R[t]: products of matrices in O(T N^2 + T^2 N) for each of G columns.

    ``loadings`` (N, G); ``size`` (T, N) the diagonals of D, None for ones.
    """
    from drainstats.kernels.equicorrelation import states

    (T, N), G = z.shape, loadings.shape[1]
    diagonal = states(z**2, np.ones(N), weights.a, weights.b)[0]
    scale = 1.0 / np.sqrt(diagonal) if size is None else size / np.sqrt(diagonal)
    past, out = response(weights, T), np.empty((T, G, G))
    rows = max(1, CHUNK_NUMBERS // (G * (N + T)))
    for t0 in range(0, T, rows):
        t1 = min(t0 + rows, T)
        V = (scale[t0:t1, :, None] * loadings).transpose(0, 2, 1).reshape(-1, N)
        lag = np.arange(t0, t1)[:, None] - 1 - np.arange(t1)
        weight = np.where(lag >= 0, past[np.maximum(lag, 0)], 0.0)
        news = (V @ z[:t1].T).reshape(-1, G, t1)
        still = (V @ target).reshape(-1, G, N) @ V.reshape(-1, G, N).transpose(0, 2, 1)
        out[t0:t1] = (1.0 - weight.sum(axis=1))[:, None, None] * still
        out[t0:t1] += (news * weight[:, None, :]) @ news.transpose(0, 2, 1)
    return out
