"""Passes over the sample with the elementwise recursion: what a model hands in, what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drainstats.models.coliquidity.dcc.passes import LANES, PATH_NUMBERS, aligned
from drainstats.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Recipe:
    """G[t] = C + A * X[t-1] + B * G[t-1] entry by entry, and Q[t] = L G[t] L + shift[t] D.

    z (T, N) residuals; e (T, N) shocks, X = ee'; start, before, C, A, B (N, N): G and X before the sample, and the
    coefficients; dC, dA, dB (K, N, N): how these move with K parameters; rotation: L (N, N), default identity; shift
    (T,) and direction D (N, N), default zero.
    """

    z: FloatArray
    e: FloatArray
    start: FloatArray
    before: FloatArray
    C: FloatArray
    A: FloatArray
    B: FloatArray
    dC: FloatArray
    dA: FloatArray
    dB: FloatArray
    rotation: FloatArray | None = None
    shift: FloatArray | None = None
    direction: FloatArray | None = None

    def place(self, path: FloatArray, t: int) -> FloatArray:
        """Q (steps, M) of a stretch from G in its layer 0, packed; row 0 of ``path`` precedes step ``t``."""
        G = path[0, 1:]
        if self.rotation is not None:
            return pack(self.rotation @ unpack(G, len(self.A)) @ self.rotation)
        if self.shift is None or self.direction is None:
            return G
        shift = np.zeros(len(G))
        rows = self.shift[t : t + len(G)]
        shift[: len(rows)] = rows
        return np.asarray(G + shift[:, None] * pack(self.direction))


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass gives.

    value (T,): correlation log-likelihood by step; scores (T, K) through C, A and B; lean (T,): derivative in the
    shift; and, if asked, slopes (T, N, N) = d loglik / dG at fixed earlier G, direct (T, N) = d loglik / dz at fixed Q,
    and in_rotation (N, N) = d loglik / dL at fixed G.
    """

    value: FloatArray
    scores: FloatArray
    lean: FloatArray
    slopes: FloatArray
    direct: FloatArray
    in_rotation: FloatArray


def pack(full: FloatArray) -> FloatArray:
    """Lower triangles (..., M) of symmetric matrices (..., N, N)."""
    rows, columns = np.tril_indices(full.shape[-1])
    return np.ascontiguousarray(full[..., rows, columns])


def unpack(packed: FloatArray, n: int) -> FloatArray:
    """Symmetric matrices (..., n, n) from their lower triangles (..., M)."""
    rows, columns = np.tril_indices(n)
    out = np.empty((*packed.shape[:-1], n, n))
    out[..., rows, columns] = packed
    out[..., columns, rows] = packed
    return out


def run(recipe: Recipe, scores: bool = True, slopes: bool = False) -> Pass:
    """One pass in blocks that stay in the cache; ``slopes`` keeps T x N x N numbers and needs ``scores``."""
    from drainstats.kernels import dcclanes as lanes
    from drainstats.kernels import hadamard as kernels

    (T, N), K = recipe.z.shape, len(recipe.dA)
    C, A, B, before = (pack(x) for x in (recipe.C, recipe.A, recipe.B, recipe.before))
    dC, dA, dB = (pack(x).T for x in (recipe.dC, recipe.dA, recipe.dB))
    double = np.where(pack(np.eye(N)) > 0.0, 1.0, 2.0)
    M, depth = len(A), 4 if scores else 1
    steps = LANES * min(max(PATH_NUMBERS // (depth * M * LANES), 1), -(-T // LANES))
    rows = -(-T // steps) * steps
    filled = np.zeros((2, rows, N))
    filled[0, :T], filled[1, :T] = recipe.z, recipe.e
    path, seen = np.zeros((depth, 1 + steps, M)), np.zeros((1 + scores, 1 + steps, M))
    path[0, 0] = pack(recipe.start)
    even = N + N % 2
    room = [aligned(even * (even + 1) // 2) for _ in range(2)]
    small = aligned(5 * even).reshape(5, LANES * even)
    logdet, quadratic = np.empty(rows), np.empty(rows)
    contracted, in_q, in_z = (np.empty(s) for s in ((steps * scores, 1), (steps * scores, N, N), (steps * scores, N)))
    score, lean = np.zeros((rows * scores, K)), np.zeros(rows * scores)
    kept, direct, in_rotation = np.empty((T * slopes, N, N)), np.empty((T * slopes, N)), np.zeros((N, N))
    for t in range(0, rows, steps):
        block, here = slice(t, t + steps), slice(t, min(t + steps, T))
        kernels.advance(path, filled[1], t, before, C, A, B)
        seen[0, 1:] = recipe.place(path, t)
        lanes.likelihood_block(
            seen,
            1,
            1,
            filled[0, block],
            0,
            0.0,
            room[0],
            room[1],
            small,
            logdet[block],
            quadratic[block],
            contracted,
            in_q,
            in_z,
        )
        if scores:
            count = here.stop - t
            in_g = in_q
            if recipe.rotation is not None:
                in_g = recipe.rotation @ in_q @ recipe.rotation
            if recipe.direction is not None:
                lean[block] = np.tensordot(in_q, recipe.direction, 2)
            weighted = pack(in_g) * double
            for layer, move in enumerate((dC, dA, dB)):
                score[block] += (weighted * path[1 + layer, 1:]) @ move
            if slopes:
                kept[here], direct[here] = in_g[:count], in_z[:count]
                if recipe.rotation is not None:
                    G = unpack(path[0, 1 : 1 + count], N)
                    in_rotation += 2.0 * np.tensordot(in_q[:count], recipe.rotation @ G, ((0, 2), (0, 1)))
        path[:, 0] = path[:, -1]
    value = logdet[:T] - 0.5 * (quadratic[:T] - (recipe.z**2).sum(axis=1))
    in_rotation = 0.5 * (in_rotation + in_rotation.T)
    return Pass(value, score[:T], lean[:T], kept, direct + recipe.z if slopes else direct, in_rotation)


def _stretches(recipe: Recipe, rows: int) -> Iterator[tuple[int, FloatArray]]:
    """First step and packed path of G (1, 1 + steps, M), ``rows`` steps at once."""
    from drainstats.kernels import hadamard as kernels

    C, A, B, before = (pack(x) for x in (recipe.C, recipe.A, recipe.B, recipe.before))
    e, last = np.ascontiguousarray(recipe.e), pack(recipe.start)
    for t in range(0, len(e), rows):
        path = np.empty((1, 1 + min(rows, len(e) - t), len(A)))
        path[0, 0] = last
        kernels.advance(path, e, t, before, C, A, B)
        last = path[0, -1]
        yield t, path


def walk(recipe: Recipe, rows: int) -> Iterator[FloatArray]:
    """Q (steps, N, N) in time order, ``rows`` steps at once."""
    for t, path in _stretches(recipe, rows):
        yield unpack(recipe.place(path, t), len(recipe.A))


def run_out(recipe: Recipe, horizon: int) -> FloatArray:
    """L G L (horizon, N, N) of the steps after the sample; X beyond the next step is replaced by G."""
    G = recipe.start
    for _, path in _stretches(recipe, 1024):
        G = unpack(path[0, -1], len(G))
    news = np.outer(recipe.e[-1], recipe.e[-1])
    out = np.empty((horizon, *G.shape))
    for h in range(horizon):
        G = recipe.C + recipe.A * news + recipe.B * G
        out[h], news = G, G
    return out if recipe.rotation is None else np.asarray(recipe.rotation @ out @ recipe.rotation)
