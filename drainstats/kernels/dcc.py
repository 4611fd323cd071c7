"""The recursion of DCC(P, Q) and its relatives, forwards with exact derivatives, backwards, and as a plain path.

    Q[t] = (1 - sum a - sum b) S - sum g N + sum a_i X[t-i] + sum b_j Q[t-j] + sum g_k F[t-k]
    X[t] = e[t] e[t]',   F[t] = n[t] n[t]',   n[t] = min(e[t], 0)

It is cheap and serial; the factors of R[t] are neither, so they are taken for eight steps at once in `dcclanes`. The
shocks e are the residuals z, or the rescaled residuals of cDCC.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray


@inlined
def _rest(a: FloatArray, b: FloatArray) -> float:
    """What shocks and Q leave of the weight one."""
    total = 1.0
    for k in range(a.shape[0]):
        total -= a[k]
    for k in range(b.shape[0]):
        total -= b[k]
    return total


@inlined
def _products(e: FloatArray, t: int, ceiling: float, out: FloatArray) -> None:
    """The lower triangle of ee', with e cut off at a ceiling."""
    c = 0
    for i in range(e.shape[1]):
        for j in range(i + 1):
            out[c + j] = min(e[t, i], ceiling) * min(e[t, j], ceiling)
        c += i + 1


@inlined
def _move(slope: FloatArray, old: FloatArray, target: FloatArray, before: FloatArray, weight: float) -> None:
    """What a weight changes directly, and through the last Q."""
    for c in range(slope.shape[0]):
        slope[c] = old[c] - target[c] + weight * before[c]


@inlined
def _add_scaled(new: FloatArray, old: FloatArray, weight: float) -> None:
    """new += weight * old."""
    for c in range(new.shape[0]):
        new[c] += weight * old[c]


@kernel
def dcc_advance(
    path: FloatArray,
    first: int,
    e: FloatArray,
    t0: int,
    target: FloatArray,
    intercept: FloatArray,
    a: FloatArray,
    b: FloatArray,
    g: FloatArray,
) -> None:
    """Fill a stretch of Q, ee', nn' and dQ / d psi, psi = (a, b, g), from the steps before it.

    ``path`` (layers, m + C, M) packed lower triangles, m = max(P, Q, O) old steps before the C current ones.
    Layers: Q, ee', nn' when g is not empty, then from layer ``first`` on one derivative a weight, or none. ``e``
    (T, N) shocks, the first current ones in row ``t0``; ``target`` (1 or 2, M) S and N; ``intercept`` (M,) the part of
    Q that does not move.
    """
    P, Q, K = a.shape[0], b.shape[0], a.shape[0] + b.shape[0] + g.shape[0]
    m = max(P, max(Q, g.shape[0]))
    derive = path.shape[0] > first
    for s in range(m, path.shape[1]):
        t, new = t0 + s - m, path[0, s]
        for c in range(path.shape[2]):
            new[c] = intercept[c]
        _products(e, t, np.inf, path[1, s])
        if g.shape[0] > 0:
            _products(e, t, 0.0, path[2, s])
        for k in range(K):
            layer, back, weight = 1, k, 0.0
            if k < P:
                weight = a[k]
            elif k < P + Q:
                layer, back, weight = 0, k - P, b[k - P]
            else:
                layer, back, weight = 2, k - P - Q, g[k - P - Q]
            old = path[layer, s - 1 - back]
            _add_scaled(new, old, weight)
            if derive:
                slopes = path[first + k]
                _move(slopes[s], old, target[layer // 2], slopes[s - 1], b[0] if Q > 0 else 0.0)
                for r in range(1, Q):
                    _add_scaled(slopes[s], slopes[s - 1 - r], b[r])


@kernel
def dcc_drift(
    path: FloatArray,
    first: int,
    e: FloatArray,
    moves: FloatArray,
    target_moves: FloatArray,
    a: FloatArray,
    b: FloatArray,
    t0: int,
) -> None:
    """Add to dQ / d psi of a stretch what comes through shocks and a target that themselves move with psi.

    ``path`` and ``first`` as in `dcc_advance`, the first current step being ``t0``; ``e`` (T, N) all shocks, ``moves``
    (K, T, N) = de / d psi, ``target_moves`` (K, M) = dS / d psi; before the sample ee' is S.
    """
    rest = _rest(a, b)
    m = max(a.shape[0], b.shape[0])
    steps, M = path.shape[1] - m, path.shape[2]
    for k in range(moves.shape[0]):
        # The recursion is linear and the old steps hold their share already: this one starts from zero.
        extra = np.zeros((m + steps, M))
        for s in range(m, m + steps):
            _add_scaled(extra[s], target_moves[k], rest)
            for i in range(a.shape[0]):
                t = t0 + s - m - 1 - i
                if t < 0:
                    _add_scaled(extra[s], target_moves[k], a[i])
                    continue
                c = 0
                for p in range(e.shape[1]):
                    for q in range(p + 1):
                        extra[s, c] += a[i] * (e[t, p] * moves[k, t, q] + moves[k, t, p] * e[t, q])
                        c += 1
            for r in range(b.shape[0]):
                _add_scaled(extra[s], extra[s - 1 - r], b[r])
            _add_scaled(path[first + k, s], extra[s], 1.0)


@kernel
def dcc_adjoint(
    e: FloatArray,
    a: FloatArray,
    b: FloatArray,
    g: FloatArray,
    slopes: FloatArray,
    de: FloatArray,
    dtarget: FloatArray,
    dbefore: FloatArray,
) -> None:
    """Pull d loglik / dQ[t] back through the recursion to the shocks, the targets and what precedes the sample.

    ``slopes`` (T, N, N) comes from `dcc_likelihood` and is overwritten by the adjoint of Q[t]. To ``de`` (T, N) the
    derivative at fixed targets is added; ``dtarget`` (2, N, N), for S and N, and ``dbefore`` (3, N, N), for ee', nn'
    and Q before the sample, come in as zeros.
    """
    T, n = e.shape
    P, O, Q = a.shape[0], g.shape[0], b.shape[0]
    rest = _rest(a, b)
    for t in range(T - 1, -1, -1):
        old, early, early_falling = 0.0, 0.0, 0.0
        for k in range(t, Q):
            old += b[k]
        for k in range(t, P):
            early += a[k]
        for k in range(t, O):
            early_falling += g[k]
        for i in range(n):
            row = slopes[t, i]
            for k in range(min(Q, T - 1 - t)):
                _add_scaled(row, slopes[t + 1 + k, i], b[k])
            _add_scaled(dtarget[0, i], row, rest)
            if old > 0.0:
                _add_scaled(dbefore[2, i], row, old)
            if early > 0.0:
                _add_scaled(dbefore[0, i], row, early)
            for k in range(min(P, t)):
                _add_scaled(de[t - 1 - k], row, 2.0 * a[k] * e[t - 1 - k, i])
            for k in range(O):
                _add_scaled(dtarget[1, i], row, -g[k])
            if early_falling > 0.0:
                _add_scaled(dbefore[1, i], row, early_falling)
            for k in range(min(O, t)):
                if e[t - 1 - k, i] < 0.0:
                    for j in range(n):
                        if e[t - 1 - k, j] < 0.0:
                            de[t - 1 - k, j] += 2.0 * g[k] * e[t - 1 - k, i] * row[j]


@kernel
def dcc_path(
    e: FloatArray,
    target: FloatArray,
    shocks: FloatArray,
    a: FloatArray,
    b: FloatArray,
    g: FloatArray,
    q: FloatArray,
) -> None:
    """Fill ``q`` (m + T, N, N); its first m = max(P, O, Q) matrices and ``shocks`` (2, m, N, N) precede ``e`` (T, N).

    ``target`` (2, N, N): S and, when g is not empty, N.
    """
    T, n = e.shape
    m = shocks.shape[1]
    rest = _rest(a, b)
    for t in range(T):
        for i in range(n):
            for j in range(n):
                value = rest * target[0, i, j]
                for k in range(a.shape[0]):
                    s = t - 1 - k
                    value += a[k] * (e[s, i] * e[s, j] if s >= 0 else shocks[0, m + s, i, j])
                for k in range(g.shape[0]):
                    s = t - 1 - k
                    news = min(e[s, i], 0.0) * min(e[s, j], 0.0) if s >= 0 else shocks[1, m + s, i, j]
                    value += g[k] * (news - target[1, i, j])
                for k in range(b.shape[0]):
                    value += b[k] * q[m + t - 1 - k, i, j]
                q[m + t, i, j] = value
