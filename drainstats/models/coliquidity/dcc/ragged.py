"""DCC on a panel with holes: what do assets that are not all seen at once say about their correlation?

    log L = sum_t log N(z_o[t]; 0, R_oo[t]),   o the assets seen in row t
    Q[t] = (1 - sum a - sum b) S + sum_i a_i X[t-i] + sum_j b_j Q[t-j] + b_1 k[t-1] (X[t-1] - Q[t-1])
    X[t] = E[z[t] z[t]' | z_o[t], past]

A row enters by the exact marginal of what it shows; a row without an observation enters by nothing. The news of a pair
that is not seen is what the model expects of it, given the past and the assets that are seen in the same row. X keeps
the expectation R[t] that z z' has, and it is positive semi-definite, so that Q stays positive definite; without holes
it is z z' and the model is Engle's. The cheaper R_ij for every pair that is not complete keeps the expectation only:
the news of diagonal and pairs come apart, which adds noise to R, and Q may stop being positive definite.

What was not seen has moved Q too, so that Q is not known exactly and what is seen later also corrects it. That is the
gain k, a Kalman gain averaged over the pairs seen in the row. With p_ij what is not known of Q_ij, in units of the
variance of its news, k_ij = p_ij / (1 + p_ij); p_ij goes to b_1^2 k_ij where the pair is seen and to
(a_1 + b_1)^2 p_ij + a_1^2 where it is not, and in between where the seen assets explain a part. One k for all pairs
keeps Q positive definite. Without it a is estimated too high by what k should have done. What is explained is that of
S; derivatives hold it fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.dcc.missing import pairwise_target
from drainstats.models.coliquidity.dcc.passes import LANES, PATH_NUMBERS, Pass, Weights
from drainstats.models.coliquidity.inference import by_step
from drainstats.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import Problem


def unpack(packed: FloatArray, n: int) -> FloatArray:
    """Symmetric matrices (..., N, N) from lower triangles (..., M)."""
    rows, cols = np.tril_indices(n)
    out = np.empty((*packed.shape[:-1], n, n))
    out[..., rows, cols] = out[..., cols, rows] = packed
    return out


def explained(target: FloatArray) -> FloatArray:
    """The share of the variance of each asset that the others explain, a head of them (N,).

    An asset that is correlated with none does not count.
    """
    share = 1.0 - 1.0 / np.diag(np.linalg.inv(target))
    return np.asarray(share / max((share > 1e-9).sum() - 1, 1))


def gains(seen: BoolArray, target: FloatArray, weights: Weights) -> FloatArray:
    """b_1 k before each row of ``seen`` (T, N), and its derivatives in a_1 and b_1: (3, T)."""
    from drainstats.kernels import ragged as kernels

    gain = np.zeros((3, len(seen)))
    if len(weights.b) and not seen.all():
        kernels.ragged_gains(seen, explained(target), float(weights.a[0]), float(weights.b[0]), gain)
    return gain


def ragged_walk(
    z: FloatArray, target: FloatArray, weights: Weights, rows: int, derive: bool = False
) -> Iterator[FloatArray]:
    """Stretches of Q, X and, if asked, dQ / d psi and dX / d psi, packed: (layers, m + rows, M), m old steps first.

    ``z`` (T, N) has NaN where an asset is not seen; ``rows`` steps at once, the last stretch may reach beyond T. The
    array is overwritten by the next stretch.
    """
    from drainstats.kernels import ragged as kernels

    (T, N), m = z.shape, weights.lags
    lower = np.tril_indices(N)
    packed = np.ascontiguousarray(target[lower])
    path = np.zeros((2 + 2 * len(weights) * derive, m + rows, len(packed)))
    path[:2, :m] = packed
    seen, filled = np.ones((-(-T // rows) * rows, N), dtype=np.bool_), np.zeros((-(-T // rows) * rows, N))
    seen[:T] = np.isfinite(z)
    filled[:T] = np.where(seen[:T], z, 0.0)
    intercept, gain = weights.intercept(packed[None]), gains(seen, target, weights)
    for t in range(0, T, rows):
        kernels.ragged_advance(path, filled, seen, t, intercept, packed, weights.a, weights.b, gain)
        yield path
        path[:, :m] = path[:, rows:]


@dataclass(frozen=True, slots=True)
class RaggedPass:
    """A `Pass` and the path of Q (T, M), packed; the latter has no rows unless slopes were asked for."""

    one: Pass
    q: FloatArray

    @property
    def value(self) -> FloatArray:
        """-log|R_oo| / 2 - z_o' R_oo^-1 z_o / 2 by time step (T,)."""
        return np.asarray(self.one.logdet - 0.5 * self.one.quadratic)


def ragged_pass(
    z: FloatArray, target: FloatArray, weights: Weights, scores: bool = True, slopes: bool = False
) -> RaggedPass:
    """One pass over residuals ``z`` (T, N), NaN where not seen.

    An asset that is not seen is uncorrelated and zero in its row, which leaves the likelihood of the others as it is.
    """
    from drainstats.kernels import dcclanes as lanes

    (T, N), m, K = z.shape, weights.lags, len(weights) * scores
    lower = np.tril_indices(N)
    steps = LANES * min(max(PATH_NUMBERS // ((2 + 2 * K) * len(lower[0]) * LANES), 1), -(-T // LANES))
    rows = -(-T // steps) * steps
    room, even = np.zeros((2, LANES * (N + N % 2) * (N + N % 2 + 1) // 2)), np.zeros((5, LANES * (N + N % 2)))
    seen, filled = np.ones((rows, N), dtype=np.bool_), np.zeros((rows, N))
    seen[:T] = np.isfinite(z)
    filled[:T] = np.where(seen[:T], z, 0.0)
    logdet, quadratic, score = np.empty(rows), np.empty(rows), np.empty((rows * scores, K))
    in_q, in_z, kept = np.empty((rows * slopes, N, N)), np.empty((rows * slopes, N)), []
    own = lower[0] == lower[1]
    for t, path in zip(range(0, rows, steps), ragged_walk(z, target, weights, steps, scores), strict=True):
        if slopes:
            kept.append(path[0, m:].copy())
        block = path[: 2 + K].copy()
        now = seen[t : t + steps]
        block[0, m:] *= (now[:, lower[0]] & now[:, lower[1]]) | own
        lanes.likelihood_block(
            block, 2, m, filled, t, 0.0, room[0], room[1], even, logdet, quadratic, score, in_q, in_z
        )
    q = np.concatenate(kept)[:T] if slopes else np.empty((0, len(own)))
    return RaggedPass(Pass(logdet[:T], quadratic[:T], score[:T], in_q[:T], in_z[:T]), q)


def ragged_loglikelihood(margins: Any, target: FloatArray, weights: Weights) -> float:
    """Log-likelihood of what is seen: margins plus correlation."""
    z = margins.std_resid_values
    change = ragged_pass(z, target, weights, scores=False).value.sum() + 0.5 * float(np.nansum(z**2))
    return float(margins.gaussian_loglikelihood + change)


def ragged_problem(spec: DCC, z: FloatArray, target: FloatArray) -> Problem:
    """What the search maximises: the correlation likelihood; starts are ranked on the few assets that are seen most."""
    from drainstats.models.coliquidity.dcc.search import Problem

    few = np.sort(np.argsort(-np.isfinite(z).sum(axis=0), kind="stable")[:6])
    part, block = np.ascontiguousarray(z[:, few]), np.ascontiguousarray(target[np.ix_(few, few)])

    def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
        one = ragged_pass(z, target, spec.weights(psi))
        return one.value, one.one.scores

    def quick(psi: FloatArray) -> float:
        return -float(ragged_pass(part, block, spec.weights(psi), scores=False).value.sum())

    return Problem(spec.parameter_names, spec.sizes, spec.costs(target), evaluate, quick)


def ragged_moments(spec: DCC, margins: Any, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
    """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k)."""
    from drainstats.models.coliquidity.dcc.search import mean_slopes

    z = margins.std_resid_values
    pairs = pairwise_target(z, margins.columns)

    def gradient(at: FloatArray) -> tuple[FloatArray, ...]:
        scores, in_z, in_target = ragged_slopes(z, target, spec.weights(at))
        through = pairs.pull(z, in_target)
        return scores.sum(axis=0), margins.pull_back(in_z + through), by_step(np.nan_to_num(z), through)

    scores = ragged_pass(z, target, spec.weights(psi)).one.scores
    return scores, *mean_slopes(gradient, psi, len(z))


def ragged_slopes(z: FloatArray, target: FloatArray, weights: Weights) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores (T, k), and derivatives of the correlation log-likelihood in z (T, N) at fixed S, and in S (N, N).

    Backwards through the recursion; S stands before the sample too.
    """
    done = ragged_pass(z, target, weights, slopes=True)
    (T, N), (a, b), adjoint = z.shape, (weights.a, weights.b), done.one.slopes
    seen = np.isfinite(z)
    filled, gain = np.where(seen, z, 0.0), gains(seen, target, weights)[0]
    in_z, in_target = done.one.direct + filled, np.zeros_like(target)
    rows = max(1, PATH_NUMBERS // N**2)
    for first in range((T - 1) // rows * rows, -1, -rows):
        block = slice(first, first + rows)
        news = _News.of(unpack(done.q[block], N), filled[block], seen[block])
        for t in range(min(first + rows, T) - 1, first - 1, -1):
            for k in range(min(len(b), T - 1 - t)):
                adjoint[t] += b[k] * adjoint[t + 1 + k]
            pulled = sum((a[k] * adjoint[t + 1 + k] for k in range(min(len(a), T - 1 - t))), np.zeros((N, N)))
            if t + 1 < T and gain[t + 1] > 0.0:
                adjoint[t] -= gain[t + 1] * adjoint[t + 1]
                pulled += gain[t + 1] * adjoint[t + 1]
            if seen[t].all():
                in_z[t] += 2.0 * pulled @ z[t]
            else:
                in_q, own = news.pull(t - first, pulled)
                adjoint[t] += in_q
                in_z[t] += own
            in_target += (1.0 - a[:t].sum() - b[:t].sum()) * adjoint[t]
    return done.one.scores, in_z, in_target


@dataclass(frozen=True, slots=True)
class _News:
    """What E[z z' | z_o] of some steps moves with, in the notation of the kernel: all (T, N, N), u and m (T, N)."""

    R: FloatArray
    scale: FloatArray
    C: FloatArray
    u: FloatArray
    m: FloatArray

    @staticmethod
    def of(q: FloatArray, filled: FloatArray, seen: Any) -> _News:
        """From Q (T, N, N) and residuals (T, N), zero where not ``seen``."""
        root = 1.0 / np.sqrt(np.diagonal(q, axis1=1, axis2=2))
        scale = root[:, :, None] * root[:, None, :]
        R, both, one = q * scale, seen[:, :, None] & seen[:, None, :], np.eye(q.shape[1])
        inverse = np.where(both, np.linalg.inv(np.where(both, R, one)), 0.0)
        u = np.einsum("tij,tj->ti", inverse, filled)
        return _News(R, scale, one - R @ inverse, u, np.einsum("tij,tj->ti", R, u))

    def pull(self, t: int, pulled: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn d f / d X (N, N) of step ``t`` into d f / d Q (N, N) and d f / d z (N,)."""
        R, scale, C, u = self.R[t], self.scale[t], self.C[t], self.u[t]
        w = pulled @ self.m[t]
        v = w @ C
        cross = np.outer(v, u)
        bar = C.T @ pulled @ C + cross + cross.T
        in_q = bar * scale
        in_q[np.diag_indices_from(in_q)] -= scale.diagonal() * (bar * R).sum(axis=1)
        return in_q, 2.0 * (w - v)
