"""The DCC(P, Q) correlation likelihood with exact derivatives, four time steps side by side.

The recursion  Q[t] = (1 - sum a - sum b) S + sum a_i X[t-i] + sum b_j Q[t-j],  X[t] = z[t] z[t]',  is cheap and serial;
factoring R[t] is neither. Four successive Q are therefore factored in lanes, the last axis of the factors.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def _rest(a: FloatArray, b: FloatArray) -> float:
    """The weight that is left for the target."""
    total = 1.0
    for k in range(a.shape[0]):
        total -= a[k]
    for k in range(b.shape[0]):
        total -= b[k]
    return total


@kernel
def _factor(q: FloatArray, m: int, low: FloatArray, inv: FloatArray, scale: FloatArray) -> None:
    """Cholesky factors L of four correlation matrices and their inverses.

    ``q`` (m + 4, M) packed lower triangles, the current four behind m old ones. Writes ``scale`` (N, 4) = Q_ii^-1/2,
    ``low`` (N, N, 4) = L with 1 / L_ii on the diagonal, and ``inv`` (N, N, 4) with inv[j, i] = (L^-1)_ij for i >= j, so
    that sums run along rows.
    """
    n = low.shape[0]
    sums = np.zeros(4)
    c = 0
    for i in range(n):
        for l in range(4):
            scale[i, l] = 1.0 / np.sqrt(q[m + l, c + i])
            low[i, i, l] = 1.0
        for j in range(i + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(j):
                s0 += low[i, k, 0] * low[j, k, 0]
                s1 += low[i, k, 1] * low[j, k, 1]
                s2 += low[i, k, 2] * low[j, k, 2]
                s3 += low[i, k, 3] * low[j, k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                low[i, j, l] = (q[m + l, c] * scale[i, l] * scale[j, l] - sums[l]) * low[j, j, l]
            c += 1
        # The diagonal was 1 while its own sum was taken, so it now holds the squared pivot.
        for l in range(4):
            low[i, i, l] = 1.0 / np.sqrt(low[i, i, l])
    for j in range(n):
        for l in range(4):
            inv[j, j, l] = low[j, j, l]
        for i in range(j + 1, n):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(i - j):
                s0 -= low[i, j + k, 0] * inv[j, j + k, 0]
                s1 -= low[i, j + k, 1] * inv[j, j + k, 1]
                s2 -= low[i, j + k, 2] * inv[j, j + k, 2]
                s3 -= low[i, j + k, 3] * inv[j, j + k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                inv[j, i, l] = sums[l] * low[i, i, l]


@kernel
def _pull(
    inv: FloatArray, scale: FloatArray, z: FloatArray, m: int, u: FloatArray, g: FloatArray, ll: FloatArray
) -> None:
    """Four log-likelihoods and their derivatives with respect to Q, from `_factor`.

    ``z`` (m + 4, N), the current four behind m old ones. Writes ``ll`` (4,) = -0.5 (log|R| + z'R^-1 z - z'z), ``u``
    (N, 4) = R^-1 z and ``g`` (4, M) with d ll = -sum_c g_c dQ_c over the packed triangle.
    """
    n = z.shape[1]
    sums = np.zeros(4)
    u[:, :] = 0.0
    c = 0
    for i in range(n):
        for j in range(i + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(n - i):
                s0 += inv[i, i + k, 0] * inv[j, i + k, 0]
                s1 += inv[i, i + k, 1] * inv[j, i + k, 1]
                s2 += inv[i, i + k, 2] * inv[j, i + k, 2]
                s3 += inv[i, i + k, 3] * inv[j, i + k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                g[l, c] = sums[l]
                u[i, l] += g[l, c] * z[m + l, j]
                if j < i:
                    u[j, l] += g[l, c] * z[m + l, i]
            c += 1
    for l in range(4):
        c = 0
        ll[l] = 0.0
        for i in range(n):
            ll[l] += np.log(inv[i, i, l]) - 0.5 * (u[i, l] - z[m + l, i]) * z[m + l, i]
            for j in range(i):
                g[l, c] = (g[l, c] - u[i, l] * u[j, l]) * (scale[i, l] * scale[j, l])
                c += 1
            g[l, c] = 0.5 * (g[l, c] - 1.0 + u[i, l] * (z[m + l, i] - u[i, l])) * scale[i, l] ** 2
            c += 1


@kernel
def _advance(
    path: FloatArray, z: FloatArray, target: FloatArray, a: FloatArray, b: FloatArray, rest: float, s: int
) -> None:
    """Fill slot ``s`` of Q, zz' and dQ / d psi from the slots before it."""
    P, Q, M = a.shape[0], b.shape[0], target.shape[0]
    c = 0
    for i in range(z.shape[1]):
        for j in range(i + 1):
            path[1, s, c] = z[s, i] * z[s, j]
            path[0, s, c] = rest * target[c]
            c += 1
    for k in range(P + Q):
        source, back, weight = (1, s - 1 - k, a[k]) if k < P else (0, s - 1 - k + P, b[k - P])
        for c in range(M):
            old = path[source, back, c]
            path[0, s, c] += weight * old
            path[2 + k, s, c] = old - target[c]
        for r in range(Q):
            for c in range(M):
                path[2 + k, s, c] += b[r] * path[2 + k, s - 1 - r, c]


@kernel
def dcc_likelihood(
    z: FloatArray,
    target: FloatArray,
    before: FloatArray,
    a: FloatArray,
    b: FloatArray,
    loglik: FloatArray,
    scores: FloatArray,
    slopes: FloatArray,
    direct: FloatArray,
) -> None:
    """Correlation log-likelihood by time step and its scores in (a, b).

    ``z`` (T, N) standardised residuals; ``target`` S and ``before``: X before the sample (Q before it is S), both as
    packed lower triangles (M,), M = N (N + 1) / 2. Writes ``loglik`` (T,) and ``scores`` (T, P + Q). When ``slopes``
    has T rows it also keeps d loglik[t] / dQ[t] (T, N, N) and ``direct`` = d loglik[t] / dz[t] at fixed R[t] (T, N):
    what `dcc_adjoint` needs.
    """
    T, n = z.shape
    P, Q, M = a.shape[0], b.shape[0], target.shape[0]
    m, K = max(P, Q), P + Q
    keep = slopes.shape[0] == T
    rest = _rest(a, b)
    # Slot s of a block holds time t0 + s - m: m old steps, then four current ones. Layers: Q, zz', then dQ / d psi.
    path, zl = np.zeros((2 + K, m + 4, M)), np.zeros((m + 4, n))
    low, inv, g = np.zeros((n, n, 4)), np.zeros((n, n, 4)), np.zeros((4, M))
    scale, u, sums, ll = np.zeros((n, 4)), np.zeros((n, 4)), np.zeros(4), np.zeros(4)
    for s in range(m):
        for c in range(M):
            path[0, s, c], path[1, s, c] = target[c], before[c]
    for t0 in range(0, T, 4):
        width = min(4, T - t0)
        for s in range(m, m + 4):
            for i in range(n):
                zl[s, i] = z[t0 + s - m, i] if s < m + width else 0.0
            _advance(path, zl, target, a, b, rest, s)
        _factor(path[0], m, low, inv, scale)
        _pull(inv, scale, zl, m, u, g, ll)
        for k in range(K):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for c in range(M):
                s0 -= g[0, c] * path[2 + k, m, c]
                s1 -= g[1, c] * path[2 + k, m + 1, c]
                s2 -= g[2, c] * path[2 + k, m + 2, c]
                s3 -= g[3, c] * path[2 + k, m + 3, c]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(width):
                scores[t0 + l, k] = sums[l]
        for l in range(width):
            loglik[t0 + l] = ll[l]
            if keep:
                _spread(g[l], slopes[t0 + l])
                for i in range(n):
                    direct[t0 + l, i] = zl[m + l, i] - u[i, l]
        for k in range(2 + K):
            for s in range(m):
                for c in range(M):
                    path[k, s, c] = path[k, s + 4, c]


@kernel
def _spread(packed: FloatArray, full: FloatArray) -> None:
    """d ll / dQ as a symmetric matrix, from the packed ``g``."""
    c = 0
    for i in range(full.shape[0]):
        for j in range(i + 1):
            full[i, j] = full[j, i] = -packed[c] if i == j else -0.5 * packed[c]
            c += 1


@kernel
def dcc_adjoint(
    z: FloatArray,
    a: FloatArray,
    b: FloatArray,
    slopes: FloatArray,
    dz: FloatArray,
    dtarget: FloatArray,
    dbefore: FloatArray,
) -> None:
    """Pull d loglik / dQ[t] back through the recursion to z, the target and the shocks before the sample.

    ``slopes`` (T, N, N) comes from `dcc_likelihood` and is overwritten by the adjoint of Q[t]; ``dz`` (T, N) comes in
    as the derivative at fixed R and leaves as the total one at a fixed target; ``dtarget``, ``dbefore`` (N, N) come in
    as zeros.
    """
    T, n = z.shape
    P, Q = a.shape[0], b.shape[0]
    rest = _rest(a, b)
    for t in range(T - 1, -1, -1):
        own = rest
        for k in range(t, Q):
            own += b[k]
        for i in range(n):
            for j in range(n):
                value = slopes[t, i, j]
                for k in range(min(Q, T - 1 - t)):
                    value += b[k] * slopes[t + 1 + k, i, j]
                slopes[t, i, j] = value
                dtarget[i, j] += own * value
                for k in range(t, P):
                    dbefore[i, j] += a[k] * value
                for k in range(min(P, t)):
                    dz[t - 1 - k, i] += 2.0 * a[k] * value * z[t - 1 - k, j]


@kernel
def dcc_path(
    z: FloatArray, target: FloatArray, shocks: FloatArray, a: FloatArray, b: FloatArray, q: FloatArray
) -> None:
    """Fill ``q`` (m + T, N, N); its first m = max(P, Q) matrices and ``shocks`` (m, N, N) precede ``z`` (T, N)."""
    T, n = z.shape
    m = shocks.shape[0]
    rest = _rest(a, b)
    for t in range(T):
        for i in range(n):
            for j in range(n):
                value = rest * target[i, j]
                for k in range(a.shape[0]):
                    s = t - 1 - k
                    value += a[k] * (z[s, i] * z[s, j] if s >= 0 else shocks[m + s, i, j])
                for k in range(b.shape[0]):
                    value += b[k] * q[m + t - 1 - k, i, j]
                q[m + t, i, j] = value
