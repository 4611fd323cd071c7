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
def _pull(
    q: FloatArray,
    m: int,
    z: FloatArray,
    low: FloatArray,
    inv: FloatArray,
    scale: FloatArray,
    u: FloatArray,
    g: FloatArray,
) -> FloatArray:
    """Four log-likelihoods and their derivatives with respect to Q.

    ``q`` (m + 4, M) packed lower triangles and ``z`` (m + 4, N), the current four behind m old ones; work ``low``,
    ``inv`` (N, N, 4), ``scale`` (N, 4). Writes ``u`` = R^-1 z (N, 4) and ``g`` (4, M) with d ll = -sum_c g_c dQ_c over
    the packed triangle. Returns ll (4,) = -0.5 (log|R| + z'R^-1 z - z'z).
    """
    n = z.shape[1]
    ll, sums = np.zeros(4), np.zeros(4)
    c = 0
    for i in range(n):
        for l in range(4):
            scale[i, l] = 1.0 / np.sqrt(q[m + l, c + i])
            u[i, l] = 0.0
        for j in range(i + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(j):
                s0 += low[i, k, 0] * low[j, k, 0]
                s1 += low[i, k, 1] * low[j, k, 1]
                s2 += low[i, k, 2] * low[j, k, 2]
                s3 += low[i, k, 3] * low[j, k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                rest = q[m + l, c] * scale[i, l] * scale[j, l] - sums[l]
                # The diagonal keeps 1 / L_ii: only its inverse is ever used.
                low[i, j, l] = rest * low[j, j, l] if j < i else 1.0 / np.sqrt(rest)
            c += 1
    # inv[j, i] = (L^-1)_ij for i >= j, so that the sums below run along rows.
    for j in range(n):
        for l in range(4):
            inv[j, j, l] = low[j, j, l]
            ll[l] += np.log(low[j, j, l])
        for i in range(j + 1, n):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(j, i):
                s0 -= low[i, k, 0] * inv[j, k, 0]
                s1 -= low[i, k, 1] * inv[j, k, 1]
                s2 -= low[i, k, 2] * inv[j, k, 2]
                s3 -= low[i, k, 3] * inv[j, k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                inv[j, i, l] = sums[l] * low[i, i, l]
    c = 0
    for i in range(n):
        for j in range(i + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(i, n):
                s0 += inv[i, k, 0] * inv[j, k, 0]
                s1 += inv[i, k, 1] * inv[j, k, 1]
                s2 += inv[i, k, 2] * inv[j, k, 2]
                s3 += inv[i, k, 3] * inv[j, k, 3]
            sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
            for l in range(4):
                g[l, c] = sums[l]
                u[i, l] += g[l, c] * z[m + l, j]
                if j < i:
                    u[j, l] += g[l, c] * z[m + l, i]
            c += 1
    for l in range(4):
        c = 0
        for i in range(n):
            ll[l] -= 0.5 * (u[i, l] - z[m + l, i]) * z[m + l, i]
            for j in range(i):
                g[l, c] = (g[l, c] - u[i, l] * u[j, l]) * (scale[i, l] * scale[j, l])
                c += 1
            g[l, c] = 0.5 * (g[l, c] - 1.0 + u[i, l] * (z[m + l, i] - u[i, l])) * scale[i, l] ** 2
            c += 1
    return ll


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
    scale, u = np.zeros((n, 4)), np.zeros((n, 4))
    for s in range(m):
        for c in range(M):
            path[0, s, c], path[1, s, c] = target[c], before[c]
    for t0 in range(0, T, 4):
        width = min(4, T - t0)
        for s in range(m, m + 4):
            c = 0
            for i in range(n):
                zl[s, i] = z[t0 + s - m, i] if s < m + width else 0.0
                for j in range(i + 1):
                    path[1, s, c] = zl[s, i] * zl[s, j]
                    path[0, s, c] = rest * target[c]
                    c += 1
            for k in range(K):
                source, back, weight = (1, s - 1 - k, a[k]) if k < P else (0, s - 1 - k + P, b[k - P])
                for c in range(M):
                    old = path[source, back, c]
                    path[0, s, c] += weight * old
                    path[2 + k, s, c] = old - target[c]
                for r in range(Q):
                    for c in range(M):
                        path[2 + k, s, c] += b[r] * path[2 + k, s - 1 - r, c]
        ll = _pull(path[0], m, zl, low, inv, scale, u, g)
        for l in range(width):
            loglik[t0 + l] = ll[l]
            for k in range(K):
                total = 0.0
                for c in range(M):
                    total -= g[l, c] * path[2 + k, m + l, c]
                scores[t0 + l, k] = total
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
