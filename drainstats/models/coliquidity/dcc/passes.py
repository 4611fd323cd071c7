"""Passes over the sample with the compiled DCC recursion: what a model of the family hands in, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drainstats.models.coliquidity.dcc.joint_laws import JointLaw
from drainstats.typing import FloatArray

# Numbers of the path that are kept at once: they should stay in the second cache.
PATH_NUMBERS = 2**16
LANES = 8


def aligned(entries: int) -> FloatArray:
    """Room for vectors of eight numbers, each within one line of the cache: a third to a half of the time."""
    size = LANES * entries
    room = np.zeros(size + LANES)
    first = (-room.ctypes.data // room.itemsize) % LANES
    return room[first : first + size]


@dataclass(frozen=True, slots=True)
class Weights:
    """a (P,), b (Q,) and g (O,) of the recursion."""

    a: FloatArray
    b: FloatArray
    g: FloatArray

    @property
    def lags(self) -> int:
        """How many steps back the recursion looks."""
        return max(len(self.a), len(self.b), len(self.g))

    def __len__(self) -> int:
        return len(self.a) + len(self.b) + len(self.g)

    def intercept(self, target: FloatArray) -> FloatArray:
        """The part of Q that does not move, from S or from S and N stacked."""
        out = (1.0 - self.a.sum() - self.b.sum()) * target[0]
        return np.asarray(out - self.g.sum() * target[1] if len(self.g) else out)

    def step(
        self, intercept: FloatArray, path: list[FloatArray], news: list[FloatArray], falls: list[FloatArray]
    ) -> FloatArray:
        """The next Q from the latest Q, products of shocks and products of negative shocks, newest last."""
        out = intercept.copy()
        for weights, old in ((self.a, news), (self.b, path), (self.g, falls)):
            for k, weight in enumerate(weights):
                out += weight * old[-1 - k]
        return out


@dataclass(frozen=True, slots=True)
class Moves:
    """How shocks and target move with psi: ``shocks`` (K, T, N), ``target`` (K, N, N)."""

    shocks: FloatArray
    target: FloatArray


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass gives.

    logdet (T,) = -log|R| / 2; quadratic (T,) = z'R^-1 z; scores (T, K); slopes (T, N, N) = d loglik / dQ and direct
    (T, N) = d loglik / dz at fixed R, without the z of the normal's z'z. Arrays that were not asked for have no rows.
    """

    logdet: FloatArray
    quadratic: FloatArray
    scores: FloatArray
    slopes: FloatArray
    direct: FloatArray


def run(
    z: FloatArray,
    shocks: FloatArray,
    target: FloatArray,
    before: FloatArray,
    weights: Weights,
    nu: float = 0.0,
    scores: bool = True,
    slopes: bool = False,
    moves: Moves | None = None,
    start: FloatArray | None = None,
    weigh: FloatArray | None = None,
) -> Pass:
    """One pass over residuals ``z`` (T, N) with the recursion driven by ``shocks`` (T, N).

    ``target`` (N, N), or S and N stacked, and ``before``, the products of shocks before the sample, of the same shape;
    ``nu`` > 0 makes the likelihood multivariate t; ``start`` (N, N), default S, is Q before the sample; ``weigh`` (T,)
    stands for the weights of another law.
    """
    from drainstats.kernels import dcc as recursion
    from drainstats.kernels import dcclanes as lanes

    (T, N), m, K = z.shape, weights.lags, len(weights)
    lower = np.tril_indices(N)
    packed, early = (np.ascontiguousarray(x.reshape(-1, N, N)[:, *lower]) for x in (target, before))
    first = 1 + len(packed)
    depth, M = first + K * scores, len(lower[0])
    steps = LANES * min(max(PATH_NUMBERS // (depth * M * LANES), 1), -(-T // LANES))
    rows = -(-T // steps) * steps
    path = np.zeros((depth, m + steps, M))
    path[0, :m], path[1:first, :m] = packed[0] if start is None else start[lower], early[:, None]
    n = N + N % 2
    x, inverse, even = aligned(n * (n + 1) // 2), aligned(n * (n + 1) // 2), aligned(5 * n).reshape(5, -1)
    filled = np.zeros((2, rows, N))
    filled[0, :T], filled[1, :T] = z, shocks
    logdet, quadratic, score = np.empty(rows), np.ones(rows), np.empty((rows * scores, K))
    if weigh is not None:
        nu, quadratic[:T] = -1.0, weigh
    in_q, in_z = np.empty((rows * slopes, N, N)), np.empty((rows * slopes, N))
    intercept = weights.intercept(packed)
    if moves is not None:
        moved = np.ascontiguousarray(moves.target[:, *lower])
        path[first:, :m] = moved[:, None]
        shifts = np.zeros((K, rows, N))
        shifts[:, :T] = moves.shocks
    for t in range(0, rows, steps):
        recursion.dcc_advance(path, first, filled[1], t, packed, intercept, weights.a, weights.b, weights.g)
        if moves is not None:
            recursion.dcc_drift(path, first, filled[1], shifts, moved, weights.a, weights.b, t)
        lanes.likelihood_block(path, first, m, filled[0], t, nu, x, inverse, even, logdet, quadratic, score, in_q, in_z)
        path[:, :m] = path[:, steps:]
    return Pass(logdet[:T], quadratic[:T], score[:T], in_q[:T], in_z[:T])


def run_law(
    law: JointLaw,
    shape: FloatArray,
    z: FloatArray,
    shocks: FloatArray,
    target: FloatArray,
    before: FloatArray,
    weights: Weights,
    scores: bool = True,
    slopes: bool = False,
    moves: Moves | None = None,
    start: FloatArray | None = None,
) -> tuple[FloatArray, Pass]:
    """`run` under a joint law with its ``shape`` (S,).

    Returns
    -------
    Log-likelihood by step (T,), to be added to that of normal margins; the pass, with S more columns in ``scores`` and
    all of z in ``direct``.
    """
    nu, weigh, n = law.nu(shape), None, z.shape[1]
    if nu is None and (scores or slopes):
        first = run(z, shocks, target, before, weights, scores=False, start=start)
        weigh = law.weight(first.quadratic, n, shape)
    one = run(z, shocks, target, before, weights, nu or 0.0, scores, slopes, moves, start, weigh)
    value = one.logdet + law.radial(one.quadratic, n, shape) + 0.5 * (z**2).sum(axis=1)
    if scores:
        one = replace(one, scores=np.hstack([one.scores, law.slope(one.quadratic, n, shape)]))
    return value, replace(one, direct=one.direct + z) if slopes else one
