"""Passes over the sample with the compiled DCC recursion: what a model of the family hands in, what comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.typing import FloatArray

# Numbers of the path that are kept at once: they should stay in the second cache.
PATH_NUMBERS = 2**16
LANES = 8


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
) -> Pass:
    """One pass over residuals ``z`` (T, N) with the recursion driven by ``shocks`` (T, N).

    ``target`` (N, N), or S and N stacked, and ``before``, the products of shocks before the sample, of the same shape;
    ``nu`` > 0 makes the likelihood multivariate t.
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
    path[0, :m], path[1:first, :m] = packed[0], early[:, None]
    room, even = np.zeros((2, LANES * (N + N % 2) * (N + N % 2 + 1) // 2)), np.zeros((5, LANES * (N + N % 2)))
    filled = np.zeros((2, rows, N))
    filled[0, :T], filled[1, :T] = z, shocks
    logdet, quadratic, score = np.empty(rows), np.empty(rows), np.empty((rows * scores, K))
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
        lanes.likelihood_block(
            path, first, m, filled[0], t, nu, room[0], room[1], even, logdet, quadratic, score, in_q, in_z
        )
        path[:, :m] = path[:, steps:]
    return Pass(logdet[:T], quadratic[:T], score[:T], in_q[:T], in_z[:T])
